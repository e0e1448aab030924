#!/usr/bin/env python3
"""torchvision's own ResNets: their state_dict, saved as it is, gives their logits in skiplab."""
import argparse
import os
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    import torchvision
except ImportError:
    print("skipped: torchvision (Debian: python3-torchvision) cannot be imported")
    sys.exit(77)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import safetensors_io


def random_net(depth):
    """Random weights and statistics: a swapped or dropped one shows."""
    torch.manual_seed(depth)
    net = getattr(torchvision.models, "resnet%d" % depth)(weights=None).eval()
    with torch.no_grad():
        for name, t in net.state_dict().items():
            if name.endswith("running_mean"):
                t.normal_(0, 0.1)
            elif name.endswith("running_var"):
                t.uniform_(0.5, 1.5)
            elif t.dim() == 1 and "fc" not in name:
                t.copy_(torch.rand_like(t) * 0.5 + (0.75 if name.endswith("weight") else -0.25))
    return net


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--skiplab", required=True)
    args = p.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="skiplab-torchvision-") as folder:
        for depth in (18, 34, 50):
            net = random_net(depth)
            weights, batch, out, config = (os.path.join(folder, n) for n in ("w.safetensors", "b.safetensors", "o.safetensors", "net.yaml"))
            safetensors_io.write(weights, {name: t.numpy() for name, t in net.state_dict().items()})
            with open(config, "w") as f:
                f.write("model: {family: imagenet, depth: %d, projection: B}\n" % depth)
            for size, images in ((96, 2), (224, 1)):
                x = torch.randn((images, 3, size, size), generator=torch.Generator().manual_seed(size))
                safetensors_io.write(batch, {"images": x.numpy(), "labels": numpy.zeros(images, numpy.int64)})
                subprocess.run([os.path.abspath(args.skiplab), "step", config, "--weights", weights, "--batch", batch, "--out", out, "--mode", "eval"],
                               check=True)
                ours = torch.tensor(safetensors_io.read(out)[0]["logits"], dtype=torch.float64)
                with torch.no_grad():
                    theirs = net.double()(x.double())
                net.float()
                error = ((ours - theirs).norm() / theirs.norm()).item()
                print("resnet%d at %d: relative error of the logits %.1e, 1e-5 is allowed" % (depth, size, error))
                wrong += not error <= 1e-5
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
