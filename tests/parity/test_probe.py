#!/usr/bin/env python3
"""Nets drawn at random: every figure of `skiplab probe` against PyTorch's autograd (resnet.py, float64).

    test_probe.py --skiplab build/core/cli/skiplab [--count 45] [--seed 1] [--only 7]

The direct term is autograd's gradient of the same net with every branch detached.  The rest is computed by itself: it
passes at least one branch, rest_l = J_h' rest_{l+1} + J_F' dE/dx_{l+1}, where J_h' and J_F' go back through one unit
along the shortcut and along the branch alone.  Both must add up to the whole gradient: equations (8) and (10).

Bounds, relative: what goes forward 1e-4; what goes backward 2e-4 where no ReLU input lies within 2e-5 of zero, else
5e-2.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_parity import draw, known_shortcuts, random_weights, yaml_of      # leaves with 77 where PyTorch is missing
import safetensors_io
import torch
import torch.nn.functional as F
from resnet import Net

GATED = ("exclusive_gating", "shortcut_only_gating", "highway")
FORWARD = ("signal_rms", "branch_rms", "shortcut_gain", "clipped", "gate_mean", "sum_share")
WHOLE, DIRECT, BRANCH = range(3)
CLOSE = 2e-5


def rms(x): return x.pow(2).mean().sqrt().item()
def ratio(a, b): return a / b if b else math.nan


class ProbedNet(Net):
    """Writes down what passes; mode DIRECT takes every branch for a constant, BRANCH every shortcut."""

    def relu(self, x):
        v = self.last_relu_input = x.detach()
        self.closest = min(self.closest, (v.abs().min() / max(rms(v), 1e-30)).item())
        return F.relu(x)

    def bn(self, name, x):
        y = super().bn(name, x)
        self.bn_output[name] = y.detach()
        return y

    def conv(self, name, x, stride=1):
        y = super().conv(name, x, stride)
        self.conv_output[name] = y.detach()
        return y

    def branch(self, *args):
        f = super().branch(*args)
        self.row["branch_rms"] = rms(f.detach())
        self.last_branch = f.detach()
        return f.detach() if self.mode == DIRECT else f

    def merge(self, name, index, kind, o, raw, x, f, stride):
        self.row["shortcut_gain"] = self.gain(name, index, kind, o, raw.detach(), x.detach(), stride)
        self.row["gate_mean"] = 1 - self.row["shortcut_gain"] if kind in GATED or kind == "shakedrop" else math.nan
        if self.mode == BRANCH: raw, x = raw.detach(), x.detach()
        return super().merge(name, index, kind, o, raw, x, f, stride)

    def gain(self, name, index, kind, o, raw, x, stride):
        s = name + ".shortcut."
        with torch.no_grad():
            if kind in GATED:
                h = self.conv(s + "gate", x)
                return 1 - torch.sigmoid(self.bn(s + "gate_bn", h) if o.get("gate_bn") else h).mean().item()
            if kind == "conv1x1": return rms(self.bn(s + "bn", self.conv(s + "conv", raw, stride))) / rms(raw)
            if kind == "constant_scaling": return o.get("shortcut_scale", 0.5)
            if kind == "dropout":
                rate = o.get("rate", 0.5)
                return self.mask(name, index, rate, x).mean().item() / (1 - rate if o.get("inverted") else 1)
        return 1

    def unit(self, name, index, c, k, stride, x):
        self.row = {"name": name, "unit": index, "stage": int(name[5]), "signal_rms": rms(x.detach())}
        y = super().unit(name, index, c, k, stride, x)
        v = self.last_relu_input
        has_relu = self.order in ("original", "bn_after_add")
        self.row["clipped"] = (F.relu(-v).norm() / v.norm()).item() if has_relu else 0.0
        return y

    def mask(self, name, index, rate, x):
        if name not in self.drawn: self.drawn[name] = super().mask(name, index, rate, x)      # slow
        return self.drawn[name]

    def response(self, name, j):
        """After the batch norm that reads conv j of a unit, if one does before anything else happens."""
        after = "%s.bn%d" % (name, j + 1 if self.order == "full_preact" else j)
        if j == self.convs and self.order in ("full_preact", "bn_after_add"): after = None
        return self.bn_output[after] if after else self.conv_output["%s.conv%d" % (name, j)]

    def begin(self, weights):
        self.w = {k: v.double().clone().requires_grad_("running_" not in k) for k, v in weights.items()}
        self.running = {k: v.double().clone() for k, v in weights.items() if "running_" in k}
        self.start(True)
        self.closest, self.first, self.mode = math.inf, 0, WHOLE
        self.bn_output, self.conv_output, self.row = {}, {}, {}

    def nearest(self, weights, images):
        """How near to zero the ReLUs' inputs come, relative to their tensors' RMS."""
        self.begin(weights)
        with torch.no_grad(): self.logits(images.double())
        return self.closest

    def probe(self, weights, images, labels):
        """Rows a unit, responses."""
        self.begin(weights)
        units, rows, responses = self.units(), [], {}
        x = self.relu(self.bn("bn1", self.conv("conv1", images.double())))
        responses["conv1"] = self.bn_output["bn1"]
        xs, branches = [x.detach()], []
        for u in units:
            xs.append(self.unit(*u, xs[-1]).detach())
            branches.append(self.last_branch)
            rows.append(self.row)
            for j in range(1, self.convs + 1):
                if self.block == "basic" or j == 2: responses["%s.conv%d" % (u[0], j)] = self.response(u[0], j)
        top = xs[-1].requires_grad_()
        x = self.bn("bn_last", top) if self.order == "full_preact" else top
        pooled = (self.relu(x) if self.preact else x).mean((2, 3))
        loss = F.cross_entropy(F.linear(pooled, self.w["fc.weight"], self.w["fc.bias"]), labels)
        whole = direct = torch.autograd.grad(loss, top)[0]
        rest, total = torch.zeros_like(whole), torch.zeros_like(whole)
        size = whole.norm().item()
        for u, row, x, f in reversed(list(zip(units, rows, xs, branches))):
            while f.shape[2] > total.shape[2]: f = f[:, :, ::2, ::2]
            total[:, :f.shape[1]] += f
            row["sum_share"] = (total.norm() / top.detach().norm()).item()
            rest = self.back(u, x, rest, DIRECT) + self.back(u, x, whole, BRANCH)
            whole, direct = self.back(u, x, whole, WHOLE), self.back(u, x, direct, DIRECT)
            row["sum_error"] = (direct + rest - whole).norm().item() / whole.norm().item()
            row["gradient_rms"] = rms(whole)
            row["direct_gain"] = direct.norm().item() / size
            row["direct_share"] = ratio(direct.norm().item(), whole.norm().item())
            row["direct_cosine"] = ratio((direct * whole).sum().item(), direct.norm().item() * whole.norm().item())
        statistics = [{"name": k, "mean": v.mean().item(), "std": v.var(unbiased=False).sqrt().item()}
                      for k, v in responses.items()]
        return rows, statistics

    def back(self, unit, x, g, mode):
        self.mode = mode
        x = x.detach().requires_grad_()
        y = self.unit(*unit, x)
        return torch.autograd.grad(y, x, g)[0]


def differences(want, got, closest):
    """Worst relative error forward and backward, and complaints."""
    worst, complaints = {True: 0.0, False: 0.0}, []
    for w, g in zip(want, got):
        for key, value in w.items():
            if key == "sum_error":
                if value > 1e-10: complaints.append("%s: direct + rest is %.1e off the whole" % (w["name"], value))
                continue
            if key in ("name", "unit", "stage"):
                if g[key] != value: complaints.append("%s: %s is %s" % (w["name"], key, g[key]))
                continue
            if g[key] is None or math.isnan(value):
                if g[key] is not None or not math.isnan(value):
                    complaints.append("%s: %s is %s, not %s" % (w["name"], key, g[key], value))
                continue
            forward = key in FORWARD or key in ("mean", "std")
            absolute = key in ("direct_cosine", "mean", "gate_mean", "clipped")
            error = abs(g[key] - value) / (1 if absolute else max(abs(value), 1e-30))
            if value == g[key]: error = 0
            worst[forward] = max(worst[forward], error)
            bound = 1e-4 if forward else 2e-4 if closest >= CLOSE else 5e-2
            if not error <= bound: complaints.append("%s: %s is %.6g, not %.6g" % (w["name"], key, g[key], value))
    if len(want) != len(got): complaints.append("%d rows, not %d" % (len(got), len(want)))
    return worst, complaints


def run(args, folder, *more):
    command = [args.skiplab, "probe", "net.yaml", "--weights", "in.safetensors", "--json", *more]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError("%s: exit %d: %s" % (" ".join(command), done.returncode, done.stderr.strip()))
    return json.loads(done.stdout)


def one(args, number, kinds):
    model, _, rest = draw(args.seed, number, kinds)
    if model["depth"] > 14: model["depth"] = 8 if model["block"] == "basic" else 11
    size, batch = min(rest["size"], 12), 4
    net = ProbedNet(seed=1, **model)
    net.drawn = {}
    weights = random_weights(net, rest["seed"])
    g = torch.Generator().manual_seed(rest["seed"] + 1)
    for _ in range(12):
        images = torch.randn((batch, model["channels"], size, size), generator=g)
        if net.nearest(weights, images) >= CLOSE: break
    labels = torch.randint(0, model["classes"], (batch,), generator=g)
    rows, responses = net.probe(weights, images, labels)
    folder = tempfile.mkdtemp(prefix="skiplab-probe-")
    keys = ("depth", "width", "block", "order", "projection", "shortcut", "shortcut_at")
    with open(os.path.join(folder, "net.yaml"), "w") as f:
        f.write("model: %s\n" % yaml_of({k: model[k] for k in keys if k in model}))
    tensors = {**{k: v.numpy() for k, v in weights.items()}, "images": images.numpy(), "labels": labels.numpy()}
    safetensors_io.write(os.path.join(folder, "in.safetensors"), tensors)
    worst, complaints = differences(rows, run(args, folder), net.closest)
    more, bad = differences(responses, run(args, folder, "--responses"), net.closest)
    complaints += bad
    print("%s %3d %-22s %-17s d%-2d w%-2d %s %s %2dx%-2d forward %.1e  backward %.1e%s" % (
        "FAIL" if complaints else "ok  ", number, model["shortcut"]["type"], model["order"], model["depth"], model["width"],
        model["block"][:4], model["projection"], size, size, max(worst[True], more[True]), worst[False],
        " (a kink at %.0e)" % net.closest if net.closest < CLOSE else ""))
    for c in complaints[:12]: print("      " + c)
    if complaints:
        print("      again: %s --skiplab %s --seed %d --only %d; files in %s" % (sys.argv[0], args.skiplab, args.seed, number, folder))
    else:
        subprocess.run(["rm", "-r", folder], check=True)
    return not complaints


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--skiplab", required=True)
    p.add_argument("--count", type=int, default=45)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", type=int)
    args = p.parse_args()
    args.skiplab = os.path.abspath(args.skiplab)
    torch.set_num_threads(2)
    kinds = known_shortcuts(args.skiplab)
    numbers = [args.only] if args.only is not None else range(args.count)
    failed = sum(not one(args, n, kinds) for n in numbers)
    print("%d nets, %d failed" % (len(numbers), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
