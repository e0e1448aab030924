#!/usr/bin/env python3
"""A GPU's whole report in one sitting of at most --minutes: is it right, are its bytes the same twice, how fast is it, how fast is
PyTorch on it, and does every variant keep its contract there.

    tests/bench/gpu.py SKIPLAB [--device gpu|gpu:N|opencl:N] [--minutes M] [--rounds N] [--only WORD] [--checks | --speed] [--out FILE]
    tests/bench/gpu.py SKIPLAB --device opencl:0 --dry       # tiny nets, few steps: does the script itself run? figures of no value

SKIPLAB may be a build, or one packed for a machine that has no compiler: the program in a folder with the libraries that a bare
machine lacks in lib/, called with LD_LIBRARY_PATH=FOLDER/lib.  ldd names them (all but the C library's and libOpenCL), but one:
libopenblas.so.0, which is loaded by its name, with those that ldd names for it.

Wants the standard library, and for the comparison a python3 with torch and CUDA (torch_net.py beside this file).  Prints a line a
case; what is known so far stands in FILE after each (default: gpu.json in $OUT or here), whole whenever this ends: commit, devices,
drivers, figures.  Nothing takes longer than its own limit; what there is no time for is named.  Exit code 1: a check failed, or the
program does not start.
"""
import argparse
import contextlib
import glob
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = [(110, v, 128, False) for v in ("identity", "exclusive_gating", "constant_scaling", "dropout", "conv1x1", "shortcut_only_gating")]
# the last one as configs/table1.yaml has it: two batch-norm groups, side by side
CASES = CASES[:1] + [(20, "identity", 128, False), (110, "identity", 128, True)] + CASES[1:] + [(110, "identity", 128, False, 64)]
WITH_PYTORCH = [CASES[0], CASES[1], CASES[3]]       # the others' goals are images/s alone
GOALS = {(110, "identity"): 15000, (110, "constant_scaling"): 14000, (110, "dropout"): 14000, (110, "exclusive_gating"): 12000,
         (110, "shortcut_only_gating"): 12000, (110, "conv1x1"): 12000, (20, "identity"): 75000}
RATIOS = {"float32 eager": 5, "bfloat16 graph": 1.3}
MODES = {"float32 eager": ("highest", False, False), "float32 graph": ("highest", True, False), "TF32 graph": ("high", True, False),
         "bfloat16 graph": ("high", True, True)}
SMALL = """name: same-bytes
model: {depth: 20, shortcut: {type: %s}}
data: {dataset: synthetic, synthetic: {train: 2048, test: 256, size: 32, channels: 3, classes: 10}, validation: 128}
train: {iterations: %d, batch: 128, bn_batch: 64, log_every: 100, test_every: 500, checkpoint_every: 500}
"""
NVIDIA = "libnvidia-opencl.so.1"


class Sitting:
    """What is known, kept in a file; and the time that is left."""
    def __init__(self, args):
        self.args, self.end = args, time.monotonic() + 60 * args.minutes
        self.bad, self.known = False, {"started": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()), "device": args.device, "checks": {}, "speed": [],
                                       "left_out": []}

    def left(self):
        return self.end - time.monotonic()

    def keep(self):
        with open(self.args.out + ".part", "w") as f:
            json.dump(self.known, f, indent=1)
        os.replace(self.args.out + ".part", self.args.out)

    def check(self, name, result):
        good, text = result
        self.bad = self.bad or not good
        self.known["checks"][name] = {"passed": good, "says": text}
        print("%s: %s\n  %s" % (name, "passed" if good else "FAILED", text.replace("\n", "\n  ")), flush=True)
        self.keep()

    def leave_out(self, what):
        self.known["left_out"].append(what)
        print("no time left for: " + what, flush=True)
        self.keep()

    def command(self, *words, seconds):
        """(exit code, what it said); 124: out of time.  seconds: at most; a dry run's device is a CPU, and takes what there is."""
        try:
            p = subprocess.run([self.args.skiplab, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               timeout=max(1, self.left() if self.args.dry else min(seconds, self.left())))
            return p.returncode, p.stdout.strip()
        except subprocess.TimeoutExpired as e:
            said = e.stdout or ""
            return 124, "out of time; " + (said if isinstance(said, str) else said.decode()).strip()
        except OSError as e:
            return 127, str(e)

    def begin(self):
        """Whose figures these are.  False: the program does not start."""
        code, said = self.command("--version", seconds=30)
        self.known["version"] = said
        print(said, flush=True)
        if code == 0:
            code, said = self.command("devices", "--json", seconds=90)
            self.known["devices"] = json.loads(said[said.index("{"):])["devices"] if code == 0 else said
            for d in self.known["devices"] if code == 0 else []:
                print("opencl:%d  %s, %s: %s" % (d["opencl"], d["name"], d["driver"], d["why_not"] or "fit"), flush=True)
        self.keep()
        return code == 0


# ---- the driver ----
def register_nvidia():
    """Containers often have NVIDIA's library without the file that names it: one of our own then, for this process's children."""
    if glob.glob("/etc/OpenCL/vendors/nvidia*.icd") or "OCL_ICD_VENDORS" in os.environ:
        return
    known = subprocess.run(["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    paths = [line.split("=>")[1].strip() for line in known.splitlines() if NVIDIA in line]
    paths += glob.glob("/usr/lib*/**/" + NVIDIA, recursive=True) + glob.glob("/usr/local/**/" + NVIDIA, recursive=True)
    if not paths:
        return
    folder = tempfile.mkdtemp(prefix="opencl-vendors-")
    with open(os.path.join(folder, "nvidia.icd"), "w") as f:
        f.write(paths[0] + "\n")
    os.environ["OCL_ICD_VENDORS"] = folder
    print("%s registered in %s" % (paths[0], folder))


# ---- is it right ----
def self_test(s):
    code, said = s.command("devices", "--self-test", seconds=120)
    return code == 0, said


def same_bytes(s):
    iterations = 12 if s.args.dry else 2000
    with tempfile.TemporaryDirectory() as home:
        config = os.path.join(home, "same.yaml")
        with open(config, "w") as f:
            text = SMALL % ("identity", iterations)
            if s.args.dry:
                text = text.replace("depth: 20", "depth: 8").replace("size: 32", "size: 8").replace("batch: 128, bn_batch: 64", "batch: 16, bn_batch: 8")
            f.write(text)
        digests = []
        for name in ("a", "b"):
            code, said = s.command("train", config, "--run-dir", os.path.join(home, name), "--device", s.args.device, "--quiet",
                                   seconds=120)
            if code:
                return False, said
            digests.append(digest(os.path.join(home, name)))
        return digests[0] == digests[1], "%d iterations twice: %s" % (iterations, " ".join(digests))


def digest(folder):
    h = hashlib.sha256()
    for name in ("train.csv", "test.csv", "last.safetensors"):
        with open(os.path.join(folder, name), "rb") as f:
            h.update(f.read())
    return h.hexdigest()[:16]


def check_variants(s):
    code, said = s.command("shortcuts", "--json", seconds=30)
    if code:
        return s.check("variants", (False, said))
    names = [v["name"] for v in json.loads(said)]
    for name in names[:1] if s.args.dry else names:
        if s.left() < 20:
            return s.leave_out("check of " + " ".join(names[names.index(name):]))
        start = time.monotonic()
        code, said = s.command("check", name, "--device", s.args.device, seconds=120)
        if code == 124:
            s.leave_out("check of " + name)
        else:
            s.check("check of " + name, (code == 0, "%.0f s" % (time.monotonic() - start) if code == 0 else (said.splitlines() or ["?"])[-1]))


# ---- how fast ----
def ours(s, depth, variant, batch, evaluate, group=None):
    steps, warmup = ("1", "0") if s.args.dry else ("10", "3")
    words = ["bench", "--device", s.args.device, "--json", "--depth", str(depth), "--variant", variant, "--batch", str(batch), "--steps", steps,
             "--warmup", warmup, *(["--eval"] if evaluate else []), *(["train.bn_batch=%d" % group] if group else [])]
    code, said = s.command(*words, seconds=120)
    if code:
        s.check("bench of ResNet-%d %s" % (depth, variant), (False, said))
        return None
    return json.loads(said[said.index("{"):])


def torch_rate(depth, variant, batch, evaluate, precision, graph, half, steps, where="cuda"):
    """Images/s of one mode, in this process."""
    import torch
    import torch.nn.functional as F
    sys.path.insert(0, HERE)
    from torch_net import Net
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "high"
    net = Net(depth, variant).to(where)
    x, y = torch.randn(batch, 3, 32, 32, device=where), torch.randint(0, 10, (batch,), device=where)
    if graph:
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    update = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    net.train(not evaluate)

    def step():
        with torch.autocast("cuda", dtype=torch.bfloat16) if half else contextlib.nullcontext():
            if evaluate:
                with torch.no_grad():
                    net(x)
                return
            update.zero_grad(set_to_none=not graph)
            F.cross_entropy(net(x), y).backward()
        update.step()

    if where == "cpu":      # a dry run: eager alone
        start = time.perf_counter()
        step()
        return batch / (time.perf_counter() - start)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    go = step
    if graph:
        captured = torch.cuda.CUDAGraph()
        if not evaluate:
            update.zero_grad(set_to_none=False)
        with torch.cuda.graph(captured):
            step()
        go = captured.replay
    times = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            go()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / steps)
    return batch / statistics.median(times)


def theirs(s, depth, variant, batch, evaluate):
    """Each mode in a process of its own: a graph that cannot be captured must not spoil the next."""
    rates = {}
    for mode in list(MODES)[:1] if s.args.dry else MODES:
        asked = [depth, variant, batch, evaluate, *MODES[mode], 20, "cpu" if s.args.dry else "cuda"]
        try:
            p = subprocess.run([s.args.python, os.path.abspath(__file__), "--torch", json.dumps(asked)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, timeout=max(1, min(90, s.left())))
            rates[mode] = float(p.stdout) if p.returncode == 0 else None
            if p.returncode:
                print("  PyTorch, %s: %s" % (mode, (p.stderr.strip().splitlines() or ["?"])[-1][:200]), flush=True)
        except subprocess.TimeoutExpired:
            rates[mode] = None
    return rates


def have_torch(s):
    test = "import torch; print(torch.__version__ if %s or torch.cuda.is_available() else '')" % s.args.dry
    try:
        p = subprocess.run([s.args.python, "-c", test], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=90)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return p.stdout.strip() if p.returncode == 0 else ""


def median(values):
    known = [v for v in values if v]
    return statistics.median(known) if known else None


def compare(s, case, torch):
    """Ours and theirs in turn, round by round."""
    depth, variant, batch, evaluate, *group = case
    mine, other = [], []
    small = (8, variant, 4, evaluate, *[2 for _ in group]) if s.args.dry else case
    with_torch = torch and case in WITH_PYTORCH
    for i in range(s.args.rounds if with_torch and not s.args.dry else 1):
        if i and s.left() < 150:
            break
        mine.append(ours(s, *small))
        if mine[-1] and with_torch:
            other.append(theirs(s, *small))
    mine = [m for m in mine if m]
    if not mine:
        return
    rate = median([m["images_per_second"] for m in mine])
    goal = 60000 if evaluate else GOALS.get((depth, variant))
    line = "ResNet-%d %-20s %-10s %8.0f images/s, %.0f %% of peak, %.0f %% of bandwidth" % (
        depth, variant, "evaluation" if evaluate else "in groups" if group else "training", rate, 100 * mine[-1]["share_of_peak"], 100 * mine[-1].get("share_of_bandwidth", 0))
    line += " (goal %d: %s)" % (goal, "reached" if rate >= goal else "missed") if goal else ""
    medians = {mode: median([o.get(mode) for o in other]) for mode in MODES} if other else {}
    for mode, value in medians.items():
        line += "\n    PyTorch %-15s %s" % (mode, "%8.0f images/s: ours is %.2f times%s" % (
            value, rate / value, " (goal %g)" % RATIOS[mode] if mode in RATIOS else "") if value else "failed")
    print(line, flush=True)
    s.known["speed"].append({"depth": depth, "variant": variant, "evaluation": evaluate, "bn_batch": group[0] if group else batch, "images_per_second": rate, "goal": goal,
                             "pytorch": medians, "bench": mine[-1]})
    s.keep()


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("skiplab")
    p.add_argument("--device", default="gpu")
    p.add_argument("--minutes", type=float, default=11)
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--only", default="")
    p.add_argument("--checks", action="store_true", help="only: is it right")
    p.add_argument("--speed", action="store_true", help="only: how fast")
    p.add_argument("--dry", action="store_true", help="tiny nets and few steps, to try this script")
    p.add_argument("--python", default=sys.executable, help="the python3 that has torch")
    p.add_argument("--out", default=os.path.join(os.environ.get("OUT", "."), "gpu.json"))
    return p.parse_args()


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--torch":
        print(torch_rate(*json.loads(sys.argv[2])))
        return 0
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))       # and subprocess.run ends the child
    s = Sitting(args)
    register_nvidia()
    if not s.begin():
        print("%s does not run here: %s" % (args.skiplab, s.known.get("devices", "")))
        return 1
    if not args.speed:
        s.check("self-test", self_test(s))
        s.check("same bytes", same_bytes(s))
    torch = "" if args.checks else have_torch(s)
    s.known["pytorch"] = torch
    if not args.checks:
        print("PyTorch %s on the same card, in turn" % torch if torch else "no PyTorch with CUDA here: skiplab alone", flush=True)
    for case in () if args.checks else CASES:
        name = "%d %s %s" % (case[0], case[1], "eval" if case[3] else "groups" if case[4:] else "train")
        if args.only not in name:
            continue
        if s.left() < (1 if args.dry else 25):
            s.leave_out(name)
        else:
            compare(s, case, torch)
    if not args.speed:
        check_variants(s)
    print("all of it: %s" % args.out)
    return 1 if s.bad else 0


if __name__ == "__main__":
    sys.exit(main())
