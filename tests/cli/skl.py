"""What the tests of the program share: running it, looking at folders and processes."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(os.environ["SKIPLAB"])
SOURCE = os.path.abspath(os.environ["SKIPLAB_SOURCE"])
SANITIZED = bool(os.environ.get("SKIPLAB_SANITIZED"))
# Whoever started the tests may ignore some (nohup, a script's background job), and what we start would inherit that.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGALRM):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
PATIENCE = 1 if os.environ.get("SKL_TEST_SLOW") else 3


def run(*args, cwd=None, env=None, timeout=300, stdin=subprocess.DEVNULL):
    """Runs skiplab to its end; text output."""
    return subprocess.run([PROGRAM, *map(str, args)], cwd=cwd, env=env, stdin=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", timeout=timeout)


def commands():
    """The commands as the program lists them."""
    out = run("help").stdout
    return re.findall(r"^  ([a-z][a-z-]*)  +[a-z]", out.split("Usage: ")[1], re.M)


def tree(folder):
    """Every file below a folder: its bytes and its time of change."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, folder)] = (f.read(), os.stat(path).st_mtime_ns)
    return found


# Same config and seed: these files have the same bytes.
EXACT = ("train.csv", "test.csv", "last.safetensors", "prev.safetensors", "config.yaml")


def exact(folder):
    return {path: data for path, (data, _) in tree(folder).items() if os.path.basename(path) in EXACT}


def processes(word):
    """Living processes whose command line holds `word`: {pid: arguments}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                arguments = f.read().decode(errors="replace").split("\0")
            with open(f"/proc/{pid}/stat") as f:
                state = f.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state not in "ZX" and any(word in a for a in arguments) and int(pid) != os.getpid():
            found[int(pid)] = arguments
    return found


def wait_until(condition, seconds=120, every=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"{condition} did not come true within {seconds} s")


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    within = None       # where the folder stands: None: the system's place for temporary ones

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="skiplab-cli-", dir=self.within)
        self.addCleanup(shutil.rmtree, self.dir, True)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def read(self, *names):
        with open(self.path(*names)) as f:
            return f.read()

    def skiplab(self, *args, **kw):
        return run(*args, cwd=self.dir, **kw)

    def ends(self, status, *args, **kw):
        """Runs it and checks the exit code."""
        result = self.skiplab(*args, **kw)
        self.assertEqual(result.returncode, status, f"skiplab {' '.join(map(str, args))}\n{result.stdout}\n{result.stderr}")
        return result

    def took(self, what, seconds, promised):
        """What it took is printed.  Machines that run the quick tests are slow at times and shared: three times the promise fails;
        a sanitized program is slow without end, and what it takes says nothing."""
        print(f"{what} {seconds:.3f} s of {promised}", end=" ", flush=True)
        if not SANITIZED:
            self.assertLess(seconds, PATIENCE * promised, what)

    def start(self, *args, env=None):
        """Runs it in the background; killed at the end of the test if it still lives."""
        process = subprocess.Popen([PROGRAM, *map(str, args)], cwd=self.dir, env=env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()

        self.addCleanup(end)
        return process


def sealed(value):
    """JSON text with the seal that skiplab puts under it (core/io/json.h)."""
    text = json.dumps({**{k: v for k, v in value.items() if k != "seal"}, "sealed": True}, indent=1, sort_keys=True, ensure_ascii=False)
    text = text[:-2]
    return text + f',\n "seal": "{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n'


def main():
    unittest.main(verbosity=2, argv=[sys.argv[0]])


__all__ = ["Case", "EXACT", "PROGRAM", "SANITIZED", "SOURCE", "commands", "exact", "main", "os", "processes", "re", "run", "sealed", "shutil", "signal",
           "subprocess", "time", "tree", "unittest", "wait_until"]
