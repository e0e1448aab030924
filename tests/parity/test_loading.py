#!/usr/bin/env python3
"""The example in docs/pytorch.md on the checkpoint of a short real training run: the same logits as skiplab's own."""
import argparse
import os
import re
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

CONFIG = """
model: {depth: 14, width: 8}
data: {dataset: synthetic, synthetic: {train: 256, test: 64, size: 16, channels: 3, classes: 10}, augment: {pad: 2}}
train: {iterations: 30, batch: 32, lr: 0.1, log_every: 10, test_every: 30, checkpoint_every: 10}
"""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--skiplab", required=True)
    p.add_argument("--document", required=True)
    args = p.parse_args()
    with open(args.document) as f:
        code = re.search(r"```python\n(.*?)```", f.read(), re.S).group(1)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 21, "the document says twenty lines, there are %d" % len(lines)
    example = {}
    exec(code, example)
    with tempfile.TemporaryDirectory(prefix="skiplab-loading-") as folder:
        def skiplab(*words): subprocess.run([os.path.abspath(args.skiplab), *words], cwd=folder, check=True)
        with open(os.path.join(folder, "net.yaml"), "w") as f:
            f.write(CONFIG)
        skiplab("train", "net.yaml", "--run-dir", "run", "--quiet")
        images = torch.randn((16, 3, 16, 16), generator=torch.Generator().manual_seed(3))
        safetensors_io.write(os.path.join(folder, "batch.safetensors"), {"images": images.numpy(), "labels": numpy.zeros(16, numpy.int64)})
        skiplab("step", "net.yaml", "--weights", "run/last.safetensors", "--batch", "batch.safetensors", "--out", "out.safetensors", "--mode", "eval")
        ours = torch.tensor(safetensors_io.read(os.path.join(folder, "out.safetensors"))[0]["logits"])
        with torch.no_grad():
            theirs = example["resnet"](example["load"](os.path.join(folder, "run", "last.safetensors")), images)
    error = ((ours - theirs).norm() / theirs.norm()).item()
    print("logits of a trained net, PyTorch against skiplab: relative error %.1e, 1e-5 is allowed" % error)
    return 0 if error <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
