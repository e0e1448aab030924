#!/usr/bin/python3
"""Times skiplab and PyTorch in turn (A B A B ...) and prints the ratio pair by pair: it holds when the machine's speed drifts.

    tests/bench/compare.py SKIPLAB [--rounds N] [--steps N] [--threads N] [--only WORD]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VARIANTS = ["identity", "constant_scaling", "exclusive_gating", "shortcut_only_gating", "conv1x1", "dropout"]
NETS = {"bottleneck": ["model.block=bottleneck", "model.projection=B"],
        "bottleneck_preact": ["model.block=bottleneck", "model.projection=B", "model.order=full_preact"]}
CASES = [(110, v, 128, "train") for v in VARIANTS] + [(20, "identity", 128, "train"), (110, "identity", 128, "eval")] + [
    (164, n, 128, "train") for n in NETS]


def run(command):
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def spread(values):
    return "%.2f (%.2f-%.2f)" % (statistics.median(values), min(values), max(values))


def compare(args, depth, variant, batch, mode):
    ours, theirs = [], []
    for _ in range(args.rounds):
        ours.append(run([args.skiplab, "bench", *NETS.get(variant, ["--variant", variant]), "--json", "--depth", str(depth), "--batch", str(batch),
                         "--threads", str(args.threads), "--steps", str(args.steps)] + (["--eval"] if mode == "eval" else [])))
        if args.torch:
            theirs.append(run([sys.executable, os.path.join(HERE, "torch_net.py"), str(depth), variant, str(batch), str(args.threads),
                               str(args.steps), mode]))
    rate = [o["images_per_second"] for o in ours]
    line = "%-22s %3d %-5s %7.1f img/s  %5.2f x direct roofline  %4.2f GiB" % (
        variant, depth, mode, statistics.median(rate), statistics.median(o["times_direct_roofline"] for o in ours),
        max(o["peak_memory_bytes"] for o in ours) / 2**30)
    if theirs:
        rates = [t["images_per_second"] for t in theirs]
        line += "   PyTorch %6.1f img/s %4.2f GiB   ratio %s" % (
            statistics.median(rates), max(t["peak_memory_bytes"] for t in theirs) / 2**30, spread([a / b for a, b in zip(rate, rates)]))
    print(line, flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("skiplab")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--only", default="")
    args = p.parse_args()
    try:
        import torch
        args.torch = True
        print("PyTorch %s, channels_last, %d threads; medians of %d steps, %d rounds in turn" % (torch.__version__, args.threads, args.steps, args.rounds))
    except ImportError:
        args.torch = False
        print("PyTorch is not installed (Debian: python3-torch): skiplab alone")
    for case in CASES:
        if args.only in case[1] + " " + str(case[0]) + " " + case[3]:
            compare(args, *case)


if __name__ == "__main__":
    main()
