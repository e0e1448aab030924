#!/usr/bin/env python3
"""Do two builds of skiplab train to the same bytes?

    tests/bench/same_bytes.py OLD NEW [--quick] [--only WORD] [--keep FOLDER]

Trains with both, on Fashion-MNIST with probes, every built-in variant (and the options that take other ways through the
code) in all five orders, with both blocks and both projections, on 1 and 3 threads and at every CPU level of this machine,
and compares the logs and every tensor of the checkpoint, momentum too.  Nets of depth 8 go through all combinations of
order, block and projection; ResNet-20 is trained in every variant, order, thread number and level in turn.
--quick: a tenth of it, every variant and every order met.  What OLD gave is kept in FOLDER (default: below /tmp, by the
program's content), so that only NEW is run the next time.  Standard library only."""
import argparse
import hashlib
import itertools
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

LOGS = ("train.csv", "test.csv", "probe.csv", "sums.csv", "responses.csv")
ORDERS = ("original", "bn_after_add", "relu_before_add", "relu_only_preact", "full_preact")
SHAPES = list(itertools.product(("basic", "bottleneck"), "AB"))
# Options that lead through other code than the defaults do.
MORE = {
    "constant_scaling": ["shortcut_scale: 0", "shortcut_scale: 1, residual_scale: 0.5", "residual_scale: 1"],
    "exclusive_gating": ["gate_bn: true", "gate_bias: 0, bias_decay: true"],
    "shortcut_only_gating": ["gate_bias: 0, gate_init: zero"],
    "dropout": ["inverted: true, rate: 0.3"],
    "stochastic_depth": ["per: image"],
    "branch_scaling": ["scale: constant"],
    "highway": ["gate_bias: 0"],
}


def variants(program):
    listed = json.loads(subprocess.run([program, "shortcuts", "--json"], stdout=subprocess.PIPE, check=True).stdout)
    for v in listed:
        yield f"{{type: {v['name']}}}"
        for options in MORE.get(v["name"], ()):
            yield f"{{type: {v['name']}, {options}}}"


def levels():
    with open("/proc/cpuinfo", encoding="ascii") as f:
        flags = f.read()
    return [level for level, flag in (("avx512", " avx512dq"), ("avx2", " avx2"), ("base", "")) if flag in flags]


def settings(program, quick):
    """(words, level, threads), each once."""
    found, at = [], 0
    ways = list(itertools.product(levels(), (1, 3)))
    deep = {"basic": 20, "bottleneck": 29}
    for v, variant in enumerate(variants(program)):
        for o, order in enumerate(ORDERS):
            for s, (block, projection) in enumerate(SHAPES):
                place = [f"model.order={order}", f"model.block={block}", f"model.projection={projection}"]
                small = [f"model.shortcut={variant}", *place, f"model.depth={8 if block == 'basic' else 11}", "data.size=16",
                         "train.batch=18", "train.bn_batch=9", "model.width=8"]
                if not quick or (v + o) % 4 == s:
                    found.append((small, *ways[at % len(ways)]))
                    at += 1
            block, projection = SHAPES[(v + o) % 4]
            large = [f"model.shortcut={variant}", f"model.order={order}", f"model.block={block}",
                     f"model.projection={projection}", f"model.depth={deep[block]}", "train.batch=32", "data.size=16"]
            for w, way in enumerate(ways):
                if not quick and (v + o + w) % 2 == 0:
                    found.append((large, *way))
    if not quick:      # the real thing: 32x32, batch 128
        for v, variant in enumerate(variants(program)):
            found.append(([f"model.shortcut={variant}", f"model.order={ORDERS[v % 5]}", "model.depth=20"], *ways[v % len(ways)]))
    return found


def tensors(path):
    """Every tensor of a safetensors file: what it says of itself, a hash of its bytes."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        head, data = json.loads(f.read(size)), f.read()
    return {name: [t["dtype"], t["shape"], hashlib.sha256(data[slice(*t["data_offsets"])]).hexdigest()]
            for name, t in head.items() if name != "__metadata__"}


def results(program, words, level, threads):
    """File or tensor -> its content's hash."""
    folder = tempfile.mkdtemp(prefix="skl-bytes-")
    try:
        config = os.path.join(folder, "bytes.yaml")
        with open(config, "w", encoding="ascii") as f:
            f.write("name: bytes\ndata:\n  dataset: fashion-mnist\n  train_images: 512\n  test_images: 96\n"
                    "train: {iterations: 20, log_every: 2, test_every: 10, checkpoint_every: 20}\nprobe: {every: 10}\n")
        run = os.path.join(folder, "run")
        p = subprocess.run([program, "train", config, *words, "--run-dir", run, "--threads", str(threads), "--quiet"],
                           env={**os.environ, "SKL_CPU": level}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        found = {"exit code": p.returncode, "message": p.stderr.replace(folder, "") if p.returncode else ""}
        for name in LOGS:
            path = os.path.join(run, name)
            if os.path.exists(path):
                with open(path, "rb") as f:
                    found[name] = hashlib.sha256(f.read()).hexdigest()
        last = os.path.join(run, "last.safetensors")
        if os.path.exists(last):
            found.update(tensors(last))
        return found
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", default="")
    args = parser.parse_args()
    with open(args.old, "rb") as f:
        keep = args.keep or os.path.join(tempfile.gettempdir(), "skl-bytes-" + hashlib.sha256(f.read()).hexdigest()[:12])
    os.makedirs(keep, exist_ok=True)
    wrong, dead = 0, 0
    found = [s for s in settings(args.old, args.quick) if args.only in " ".join(map(str, s))]
    for words, level, threads in found:
        name = hashlib.sha256(" ".join([*words, level, str(threads)]).encode()).hexdigest()[:16]
        path = os.path.join(keep, name + ".json")
        if not os.path.exists(path):
            with open(path + ".part", "w", encoding="ascii") as f:
                json.dump(results(args.old, words, level, threads), f)
            os.rename(path + ".part", path)
        with open(path, encoding="ascii") as f:
            old = json.load(f)
        new = results(args.new, words, level, threads)
        differ = [k for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
        dead += old["exit code"] != 0
        wrong += bool(differ)
        if differ:
            print(f"NOT THE SAME: {' '.join(words)} on {threads} threads at {level}: {', '.join(differ[:6])}"
                  f"{' ...' if len(differ) > 6 else ''} {new['message']}", flush=True)
    print(f"{len(found) - wrong} of {len(found)} settings give the same bytes"
          + (f"; {dead} of them are refused or fail in both" if dead else ""))
    return 1 if wrong or not found else 0


if __name__ == "__main__":
    sys.exit(main())
