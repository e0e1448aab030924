"""A tiny run, what happens to it, and what must be the same afterwards.

SKL_TEST_SLOW: everywhere instead of at places drawn by chance; SKL_TEST_SEED repeats a draw."""
import atexit
import concurrent.futures
import hashlib
import itertools
import random
import struct
import tempfile
import threading

from skl import *

def preloadable(library):
    """A link to it: LD_PRELOAD is a list parted by blanks and colons, and the build may stand in any folder."""
    folder = tempfile.mkdtemp(prefix="skiplab-shim-")
    atexit.register(shutil.rmtree, folder, True)
    link = os.path.join(folder, "shim.so")
    os.symlink(os.path.abspath(library), link)
    return link


SHIM = preloadable(os.environ["FAULT_SHIM"])
SABOTEUR = os.path.abspath(os.environ["SABOTEUR"])
SLOW = bool(os.environ.get("SKL_TEST_SLOW"))
SEED = int(os.environ.get("SKL_TEST_SEED", time.time_ns() % 100000))

# Three epochs of four mini-batches; the learning rate changes at 2 and 8.
CONFIG = """name: tiny
model: {{depth: 8, width: 4, order: {order}, shortcut: {shortcut}}}
data:
  dataset: synthetic
  synthetic: {{train: 72, test: 24, size: 8, channels: 3, classes: 4}}
  validation: 8
train:
  {{iterations: {iterations}, batch: 16, lr: 0.05, warmup: {{lr: 0.01, iterations: 2}}, lr_drops: {{at: [8], factor: 0.1}},
   log_every: {log}, test_every: {test}, checkpoint_every: {checkpoint}}}
"""
EXACT = ("config.yaml", "train.csv", "test.csv", "validation.csv", "last.safetensors", "prev.safetensors")
VARIANTS = ("{type: identity}", "{type: constant_scaling}", "{type: exclusive_gating}", "{type: shortcut_only_gating}",
            "{type: conv1x1}", "{type: dropout}")


def config(shortcut="{type: exclusive_gating}", order="original", iterations=12, log=1, test=6, checkpoint=3):
    return CONFIG.format(shortcut=shortcut, order=order, iterations=iterations, log=log, test=test, checkpoint=checkpoint)


def whole(path):
    """Is it a checkpoint whose digest is right?"""
    try:
        with open(path, "rb") as f:
            data = f.read()
        length = struct.unpack("<Q", data[:8])[0]
        at = data.index(b'"sha256":"', 8, 8 + length) + 10
    except (OSError, ValueError, struct.error):
        return False
    zeroed = data[:at] + b"0" * 64 + data[at + 64:]
    return hashlib.sha256(zeroed).hexdigest().encode() == data[at:at + 64]


class Lab(Case):
    serial = itertools.count()
    lock = threading.Lock()

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        print(f"SKL_TEST_SEED={SEED}", end=" ", flush=True)

    def folder(self):
        with self.lock:
            return self.path(f"run{next(self.serial)}")

    def faulty(self, fault, **more):
        """The surroundings of a program that meets this fault (shim.c)."""
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return dict(os.environ, LD_PRELOAD=SHIM, SKL_FAULT=fault, ASAN_OPTIONS=options, **more)

    def train(self, folder, *words, fault=None, yaml="x.yaml", env={}, code=None):
        """One start of the program: its exit code (negative: a signal), what it said, the faults that happened."""
        log = folder + ".faults"
        env = dict(self.faulty(fault, SKL_FAULT_LOG=log) if fault else os.environ, **env)
        result = run("train", yaml, "--run-dir", folder, "--quiet", "--threads", "1", *words, cwd=self.dir, env=env)
        faults = []
        if os.path.exists(log):
            with open(log) as f:
                faults = [line.split(" ", 1) for line in f.read().splitlines()]
            os.remove(log)
        if code is not None:
            self.assertEqual(result.returncode, code, f"{fault}: {result.stderr}")
        return result.returncode, result.stderr, faults

    def files(self, folder):
        found = {}
        for name in EXACT:
            with open(os.path.join(folder, name), "rb") as f:
                found[name] = f.read()
        return found

    def reference(self, text):
        """Writes the experiment file; what its run looks like when nothing disturbs it."""
        self.write("x.yaml", text)
        folder = self.folder()
        self.train(folder, code=0)
        self.whole = self.files(folder)

    def same(self, folder, what):
        found = self.files(folder)
        for name in EXACT:
            self.assertEqual(found[name], self.whole[name], f"{what}: {name} differs")

    def everywhere(self, check, places, each_core=1):
        """check(place) for all places, several at a time (more than one a core where they wait most of the time); how many."""
        with concurrent.futures.ThreadPoolExecutor(each_core * os.cpu_count()) as pool:
            return sum(1 for _ in pool.map(check, places))


__all__ = [name for name in globals() if not name.startswith("__")]
