#!/usr/bin/env python3
"""Makes the golden trajectories of schedules, Nesterov's momentum, label smoothing and mixup (README.md) with PyTorch in
float64: its optimizers, its schedulers, its loss; the net is tests/parity/resnet.py.

    python3 tests/golden/make_recipes.py [FOLDER]        # default: cases/ beside this file
"""
import os
import sys

import numpy
import torch
import torch.nn.functional as F
from torch.optim import lr_scheduler

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../parity"))
import safetensors_io
from resnet import Net

BATCHES, BATCH, SIDE, STEPS, MOMENTUM, DECAY, LR, WARM_LR = 3, 4, 8, 12, 0.9, 1e-4, 0.1, 0.01


class Caffe(torch.optim.Optimizer):
    """Caffe's update with Nesterov's momentum (its sgd_solver.cpp, nesterov_solver.cpp): v = m v + lr g; w -= (1 + m) v - m v_old."""

    def __init__(self, parameters): super().__init__(parameters, dict(lr=LR, v={}))

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                old = self.state[p].get("v", torch.zeros_like(p))
                new = self.state[p]["v"] = MOMENTUM * old + group["lr"] * (p.grad + DECAY * p.detach())
                p.data -= (1 + MOMENTUM) * new - MOMENTUM * old


def sgd(nesterov): return lambda p: torch.optim.SGD(p, LR, MOMENTUM, weight_decay=DECAY, nesterov=nesterov)


def after_warmup(o, steps, linear, rest):
    """Flat or linear warm-up, then `rest`."""
    first = lr_scheduler.LinearLR(o, WARM_LR / LR, 1, steps) if linear else lr_scheduler.ConstantLR(o, WARM_LR / LR, steps + 1)
    return lr_scheduler.SequentialLR(o, [first, rest], [steps])


def cosine(o): return after_warmup(o, 3, True, lr_scheduler.CosineAnnealingLR(o, STEPS - 3))
def linear(o): return after_warmup(o, 4, False, lr_scheduler.LinearLR(o, 1, 0, STEPS - 4))
def one_cycle(o): return lr_scheduler.OneCycleLR(o, LR, STEPS, pct_start=4 / STEPS, cycle_momentum=False)
def constant(o): return after_warmup(o, 5, True, lr_scheduler.ConstantLR(o, 1, 0))


CASES = {
    "trajectory-cosine-nesterov": (
        "schedule: cosine, warmup: {lr: 0.01, iterations: 3, shape: linear}, nesterov: true", sgd(True), cosine, 0, False),
    "trajectory-linear-caffe-nesterov": (
        "schedule: linear, warmup: {lr: 0.01, iterations: 4}, momentum_form: caffe, nesterov: true", Caffe, linear, 0, False),
    "trajectory-one-cycle-smoothing": (
        "schedule: one_cycle, warmup: {iterations: 4}, label_smoothing: 0.1", sgd(False), one_cycle, 0.1, False),
    "trajectory-constant-mixup": (
        "schedule: constant, warmup: {lr: 0.01, iterations: 5, shape: linear}, label_smoothing: 0.2", sgd(False), constant, 0.2, True),
}


def draw(net, rng):
    w = {}
    for name, shape in net.shapes().items():
        if name.endswith("running_mean"): w[name] = 0.1 * rng.standard_normal(shape)
        elif name.endswith("running_var"): w[name] = rng.uniform(0.5, 1.5, shape)
        elif ".bn" in name or name.startswith("bn"):
            w[name] = rng.uniform(0.5, 1.5, shape) if name.endswith("weight") else 0.2 * rng.standard_normal(shape)
        else: w[name] = rng.standard_normal(shape) * numpy.sqrt(2 / max(1, numpy.prod(shape[1:])))
    return {k: torch.from_numpy(v.astype(numpy.float32)) for k, v in w.items()}


def mixed(rng, images, labels):
    """Image i takes a share of its partner, which is the same for one mini-batch."""
    share, others = rng.uniform(0.1, 0.5, BATCHES).astype(numpy.float32), labels[:, ::-1].copy()
    keep = share[:, None, None, None, None].astype(numpy.float64)
    return ((1 - keep) * images + keep * images[:, ::-1]).astype(numpy.float32), others, share


def trajectory(seed, optimizer, scheduler, smoothing, mix):
    """Tensors that go in, tensors that come out, mixup's, and the nearest that an input of a ReLU came to zero."""
    rng, net = numpy.random.default_rng(seed), Net(depth=8, width=8)
    weights = draw(net, rng)
    images = rng.standard_normal((BATCHES, BATCH, 3, SIDE, SIDE)).astype(numpy.float32)
    labels = rng.integers(0, 10, (BATCHES, BATCH))
    given, others, share, mixing = dict(weights), labels, numpy.zeros(BATCHES), {}
    if mix:
        images, others, share = mixed(rng, images, labels)
        mixing = {"others": others, "mix": share}
    given.update(images=torch.from_numpy(images), labels=torch.from_numpy(labels))
    net.w = {k: v.double().requires_grad_("running_" not in k) for k, v in weights.items()}
    o = optimizer([v for v in net.w.values() if v.requires_grad])
    s, losses, rates, near = scheduler(o), [], [], 1
    for t in range(STEPS):
        b = t % BATCHES
        net.running = {k: v for k, v in net.w.items() if "running_" in k}
        net.start(True, iteration=t)
        o.zero_grad()
        z = net.logits(torch.from_numpy(images[b]).double())
        loss = sum(part * F.cross_entropy(z, torch.from_numpy(y[b]), label_smoothing=smoothing)
                   for part, y in ((1 - float(share[b]), labels), (float(share[b]), others)))
        loss.backward()
        near = min([near] + [k[0] for k in net.kinks])
        losses.append(loss.item()), rates.append(o.param_groups[0]["lr"])
        o.step(), s.step()
        net.w.update(net.running)
    out = {"after." + k: v.detach() for k, v in net.w.items()}
    out.update(losses=torch.tensor(losses), lr=torch.tensor(rates))
    return given, out, mixing, near


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "cases")
    torch.set_default_dtype(torch.float64)
    for name, (words, *how) in CASES.items():
        seed = 0
        while True:      # float32 must not see an input of a ReLU on the other side of zero, whatever the order of its sums
            seed += 1
            given, out, mixing, near = trajectory(seed, *how)
            if near > 1e-5: break
        safetensors_io.write("%s/%s.in.safetensors" % (folder, name), {k: v.numpy() for k, v in given.items()})
        safetensors_io.write("%s/%s.out.safetensors" % (folder, name), {k: v.numpy().astype(numpy.float32) for k, v in out.items()})
        if mixing: safetensors_io.write("%s/%s.mix.safetensors" % (folder, name), mixing)
        with open("%s/%s.yaml" % (folder, name), "w") as f:
            f.write("# golden %s: %d steps over three batches in turn (make_recipes.py, seed %d)\n"
                    "model: {depth: 8, width: 8}\ntrain: {iterations: %d, batch: %d, lr: %g, %s}\n"
                    % (name.replace("-", " ", 1), STEPS, seed, STEPS, BATCH, LR, words))
        print("%-34s seed %d, nearest to a kink %.1e" % (name, seed, near))


if __name__ == "__main__":
    main()
