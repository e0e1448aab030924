#!/usr/bin/env python3
"""Real training against PyTorch: images from files, normalisation, mini-batches that straddle an epoch, batch-norm groups,
warm-up and drops, momentum in both forms, weight decay, logs, evaluation.

The run's checkpoint after one iteration is the start; resnet.py goes on from there in float64 and must end with the same
weights, momentum, curve and test error.  Compared are the changes since the start: 5e-2 of each, since a ReLU next to its
kink may fall on the other side now and then; a wrong learning rate, momentum or decay is off by much more.
"""
import argparse
import csv
import os
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
except ImportError:
    print("skipped: PyTorch (Debian: python3-torch) cannot be imported")
    sys.exit(77)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import safetensors_io
from resnet import Net

TRAIN, TEST, BATCH, GROUP, END = 40, 12, 12, 4, 7      # 7 iterations of 12 from 40 images: two epochs and a part
CASES = [
    ({"shortcut": "{type: exclusive_gating, gate_bias: -1}"}, "torch", "all", dict(shortcut={"type": "exclusive_gating", "gate_bias": -1})),
    ({"shortcut": "{type: dropout}", "order": "bn_after_add"}, "caffe", "all", dict(shortcut={"type": "dropout"}, order="bn_after_add")),
    ({"order": "full_preact", "projection": "B"}, "caffe", "weights", dict(order="full_preact", projection="B")),
]


def write_idx(folder, rng):
    """Grey 28x28 images with some structure, in the format of MNIST."""
    pixels = {}
    for name, count in (("train", TRAIN), ("t10k", TEST)):
        labels = rng.integers(0, 10, count, dtype=numpy.uint8)
        images = (rng.random((count, 28, 28)) * 120 + 13 * labels[:, None, None]).astype(numpy.uint8)
        with open("%s/%s-images-idx3-ubyte" % (folder, name), "wb") as f:
            f.write(numpy.array([2051, count, 28, 28], ">u4").tobytes() + images.tobytes())
        with open("%s/%s-labels-idx1-ubyte" % (folder, name), "wb") as f:
            f.write(numpy.array([2049, count], ">u4").tobytes() + labels.tobytes())
        pixels[name] = numpy.pad(images, ((0, 0), (2, 2), (2, 2))).astype(numpy.float64)[:, None] / 255, labels.astype(numpy.int64)
    mean = pixels["train"][0].mean(0)
    return {k: (torch.from_numpy(x - mean), torch.from_numpy(y)) for k, (x, y) in pixels.items()}


def config(model, form, decay_on):
    return """
model: {depth: 8, width: 8%s}
data: {dataset: mnist, path: data, augment: {pad: 0, flip: false}, shuffle: false}
train: {iterations: %d, batch: %d, bn_batch: %d, lr: 0.1, warmup: {lr: 0.02, iterations: 3}, lr_drops: {at: [5], factor: 0.1}, momentum_form: %s,
        weight_decay: 0.01, weight_decay_on: %s, log_every: 1, test_every: %d, checkpoint_every: 1}
""" % ("".join(", %s: %s" % kv for kv in model.items()), END, BATCH, GROUP, form, decay_on, END)


def rate(t): return 0.02 if t < 3 else 0.1 if t < 5 else 0.01


def rows(path):
    with open(path) as f:
        return list(csv.DictReader(f))


def state(path):
    tensors = {k: torch.from_numpy(v.astype(numpy.float64)) for k, v in safetensors_io.read(path)[0].items()}
    return {k: v for k, v in tensors.items() if not k.startswith("momentum.")}, {k[9:]: v for k, v in tensors.items() if k.startswith("momentum.")}


def one(skiplab, folder, case):
    model, form, decay_on, settings = case
    data = write_idx(os.path.join(folder, "data"), numpy.random.default_rng(5))
    with open(os.path.join(folder, "net.yaml"), "w") as f:
        f.write(config(model, form, decay_on))
    for words in (["--run-dir", "first", "train.iterations=1", "train.lr_drops.at=[]"], ["--run-dir", "whole"]):
        subprocess.run([skiplab, "train", "net.yaml", "--quiet", "--redo", *words], cwd=folder, check=True)
    start, velocity = state(os.path.join(folder, "first/last.safetensors"))
    want, want_velocity = state(os.path.join(folder, "whole/last.safetensors"))
    curve, test = rows(os.path.join(folder, "whole/train.csv")), rows(os.path.join(folder, "whole/test.csv"))
    net, weights, bad = Net(depth=8, width=8, channels=1, seed=1, **settings), start, []
    for t in range(1, END):
        pick = [(t * BATCH + i) % TRAIN for i in range(BATCH)]
        result = net.step(weights, data["train"][0][pick], data["train"][1][pick], group=GROUP, iteration=t, lr=rate(t), decay=0.01, form=form, decay_on=decay_on, velocity=velocity)
        weights = {k: result["after." + k] for k in weights}
        row = [r for r in curve if int(r["iteration"]) == t + 1][-1]
        if abs(float(row["loss"]) / result["loss"].item() - 1) > 2e-3: bad.append("loss after iteration %d: %s, PyTorch %.6f" % (t, row["loss"], result["loss"].item()))
        if abs(float(row["lr"]) - rate(t)) > 1e-9: bad.append("learning rate in iteration %d: %s" % (t, row["lr"]))
    worst = 0
    largest = max((weights[k] - start[k]).norm().item() for k in velocity)
    for k in want:
        pairs = [(want[k] - start[k], weights[k] - start[k], k)] + ([(want_velocity[k], velocity[k], "momentum." + k)] if k in velocity else [])
        for ours, theirs, name in pairs:
            error = ((ours - theirs).norm() / max(theirs.norm().item(), 1e-2 * largest)).item()
            worst = max(worst, error)
            if not error <= 5e-2: bad.append("%s: its change is %.1e off" % (name, error))
    evaluated = net.evaluate(weights, *data["t10k"])
    loss, errors = evaluated["loss"].item(), 100 * (evaluated["logits"].argmax(1) != data["t10k"][1]).double().mean().item()
    if abs(float(test[-1]["loss"]) / loss - 1) > 1e-2: bad.append("test loss %s, PyTorch %.6f" % (test[-1]["loss"], loss))
    if abs(float(test[-1]["error"]) - errors) > 100 / TEST + 0.01: bad.append("test error %s, PyTorch %.2f" % (test[-1]["error"], errors))
    print("%s  %s, %s, %s: changes %.1e, test loss %s (PyTorch %.6f)" % ("FAIL" if bad else "ok  ", model, form, decay_on, worst, test[-1]["loss"], loss))
    for b in bad[:12]: print("      " + b)
    return not bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--skiplab", required=True)
    args = p.parse_args()
    failed = 0
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="skiplab-training-") as folder:
            os.mkdir(os.path.join(folder, "data"))
            failed += not one(os.path.abspath(args.skiplab), folder, case)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
