#!/usr/bin/env python3
"""A GPU's whole report in one sitting: is it right, are its bytes the same twice, how fast is it, and how fast is PyTorch on it.

    tests/bench/gpu.py SKIPLAB [--device gpu|gpu:N|opencl:N] [--rounds N] [--steps N] [--only WORD] [--checks | --speed]

Wants the standard library, and for the comparison a python3 with torch and CUDA.  Prints a line a case, and at the end one
JSON object with everything.  Exit code 1: a check failed.
"""
import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
VARIANTS = ["identity", "constant_scaling", "exclusive_gating", "shortcut_only_gating", "conv1x1", "dropout"]
CASES = [(110, v, 128, False) for v in VARIANTS] + [(20, "identity", 128, False), (110, "identity", 128, True)]
GOALS = {(110, "identity"): 15000, (110, "constant_scaling"): 14000, (110, "dropout"): 14000, (110, "exclusive_gating"): 12000,
         (110, "shortcut_only_gating"): 12000, (110, "conv1x1"): 12000, (20, "identity"): 75000}
MODES = {"float32 eager": ("highest", False, False), "float32 graph": ("highest", True, False), "TF32 graph": ("high", True, False),
         "bfloat16 graph": ("high", True, True)}
SMALL = """name: same-bytes
model: {depth: 20, shortcut: {type: %s}}
data: {dataset: synthetic, synthetic: {train: 2048, test: 256, size: 32, channels: 3, classes: 10}, validation: 128}
train: {iterations: %d, batch: 128, log_every: 100, test_every: 500, checkpoint_every: 500}
"""


def command(args, *words, **kw):
    return subprocess.run([args.skiplab, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)


# ---- is it right ----
def check_selftest(args):
    p = command(args, "devices", "--self-test")
    return p.returncode == 0, p.stdout.strip()


def check_variants(args):
    listed = json.loads(command(args, "shortcuts", "--json").stdout)
    listed = listed["shortcuts"] if isinstance(listed, dict) else listed
    wrong = [s["name"] for s in listed if command(args, "check", s["name"], "--device", args.device).returncode]
    return not wrong, "%d variants%s" % (len(listed), "; wrong: " + " ".join(wrong) if wrong else "")


def digest(folder):
    h = hashlib.sha256()
    for name in ("train.csv", "test.csv", "checkpoint.safetensors"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, "rb") as f:
                h.update(f.read())
    return h.hexdigest()[:16]


def check_same_bytes(args, iterations=2000):
    with tempfile.TemporaryDirectory() as home:
        config = os.path.join(home, "same.yaml")
        with open(config, "w") as f:
            f.write(SMALL % ("identity", iterations))
        digests = []
        for name in ("a", "b"):
            p = command(args, "train", config, "--run-dir", os.path.join(home, name), "--device", args.device, "--quiet")
            if p.returncode:
                return False, p.stdout.strip()
            digests.append(digest(os.path.join(home, name)))
        return digests[0] == digests[1], "%d iterations twice: %s" % (iterations, " ".join(digests))


# ---- how fast ----
def ours(args, depth, variant, batch, evaluate):
    words = ["bench", "--device", args.device, "--json", "--depth", str(depth), "--variant", variant, "--batch", str(batch),
             "--steps", str(args.steps), "--warmup", "10"]
    p = subprocess.run([args.skiplab, *words, *(["--eval"] if evaluate else [])], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(p.stdout)


def torch_rate(depth, variant, batch, evaluate, precision, graph, half, steps):
    """Images/s of one mode, in this process."""
    import time
    import torch
    import torch.nn.functional as F
    sys.path.insert(0, HERE)
    from torch_net import Net
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "high"
    net = Net(depth, variant).cuda()
    x, y = torch.randn(batch, 3, 32, 32, device="cuda"), torch.randint(0, 10, (batch,), device="cuda")
    if graph:
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    update = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    net.train(not evaluate)

    def step():
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=half):
            if evaluate:
                with torch.no_grad():
                    net(x)
                return
            update.zero_grad(set_to_none=not graph)
            F.cross_entropy(net(x), y).backward()
        update.step()

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


def theirs(args, depth, variant, batch, evaluate):
    """Each mode in a process of its own: a graph that cannot be captured must not spoil the next."""
    rates = {}
    for mode in MODES:
        p = subprocess.run([sys.executable, os.path.abspath(__file__), "--torch", json.dumps([depth, variant, batch, evaluate, *MODES[mode], args.steps])],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        rates[mode] = float(p.stdout) if p.returncode == 0 else None
    return rates


def have_torch():
    p = subprocess.run([sys.executable, "-c", "import torch; print(torch.__version__ if torch.cuda.is_available() else '')"],
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return p.stdout.strip() if p.returncode == 0 else ""


def compare(args, case, torch):
    depth, variant, _, evaluate = case
    mine, other = [], []
    for _ in range(args.rounds):
        mine.append(ours(args, *case))
        if torch:
            other.append(theirs(args, *case))
    rate = statistics.median(m["images_per_second"] for m in mine)
    goal = 60000 if evaluate else GOALS.get((depth, variant))
    line = "ResNet-%d %-20s %-10s %8.0f images/s" % (depth, variant, "evaluation" if evaluate else "training", rate)
    if goal:
        line += " (goal %d: %s)" % (goal, "reached" if rate >= goal else "missed")
    medians = {}
    for mode in MODES if other else ():
        known = [o[mode] for o in other if o[mode]]
        medians[mode] = statistics.median(known) if known else None
        line += "   %s %s" % (mode, "%.0f (x%.2f)" % (medians[mode], rate / medians[mode]) if known else "failed")
    print(line, flush=True)
    return {"depth": depth, "variant": variant, "evaluation": evaluate, "images_per_second": rate, "goal": goal, "pytorch": medians,
            "bench": mine[-1]}


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--torch":
        print(torch_rate(*json.loads(sys.argv[2])))
        return 0
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("skiplab")
    p.add_argument("--device", default="gpu")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=30)
    p.add_argument("--only", default="")
    p.add_argument("--checks", action="store_true", help="only: is it right")
    p.add_argument("--speed", action="store_true", help="only: how fast")
    args = p.parse_args()
    result, bad = {"device": args.device, "checks": {}, "speed": []}, False
    print(command(args, "devices").stdout.strip(), flush=True)
    for check in () if args.speed else (check_selftest, check_variants, check_same_bytes):
        good, text = check(args)
        bad = bad or not good
        result["checks"][check.__name__] = {"passed": good, "says": text}
        print("%s: %s\n  %s" % (check.__name__.replace("_", " "), "passed" if good else "FAILED", text.replace("\n", "\n  ")), flush=True)
    torch = "" if args.checks else have_torch()
    if not args.checks:
        print("PyTorch %s on the same card, in turn" % torch if torch else "no PyTorch with CUDA here: skiplab alone", flush=True)
    for case in () if args.checks else CASES:
        if args.only in "%d %s %s" % (case[0], case[1], "eval" if case[3] else "train"):
            result["speed"].append(compare(args, case, torch))
    print(json.dumps(result, indent=1))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
