"""CIFAR ResNets of the study in PyTorch, written the fast way (channels_last, in-place ReLU): what skiplab is timed against."""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def conv3(i, o, stride=1):
    return nn.Conv2d(i, o, 3, stride, 1, bias=False)


class Unit(nn.Module):
    def __init__(self, i, o, stride, variant):
        super().__init__()
        self.conv1, self.bn1 = conv3(i, o, stride), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv3(o, o), nn.BatchNorm2d(o)
        self.stride, self.pad, self.variant = stride, o - i, variant
        if variant in ("exclusive_gating", "shortcut_only_gating"):
            self.gate = nn.Conv2d(o, o, 1)
            nn.init.constant_(self.gate.bias, -6)
        if variant == "conv1x1":
            self.conv, self.bn = nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)

    def shortcut(self, x):
        if self.variant == "conv1x1":
            return self.bn(self.conv(x))
        if self.stride == 1:
            return x
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.pad))

    def forward(self, x):
        f = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        h = self.shortcut(x)
        if self.variant == "constant_scaling":
            y = 0.5 * h + 0.5 * f
        elif self.variant == "dropout":
            y = f + F.dropout(h, 0.5, self.training)
        elif self.variant == "exclusive_gating":
            g = torch.sigmoid(self.gate(h))
            y = (1 - g) * h + g * f
        elif self.variant == "shortcut_only_gating":
            y = (1 - torch.sigmoid(self.gate(h))) * h + f
        else:
            y = f + h
        return F.relu(y, inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 to four times the width, projection B; full pre-activation or the original order."""

    def __init__(self, i, o, stride, variant):
        super().__init__()
        self.preact, self.wide = variant == "bottleneck_preact", 4 * o
        self.convs = nn.ModuleList([nn.Conv2d(i, o, 1, bias=False), conv3(o, o, stride), nn.Conv2d(o, 4 * o, 1, bias=False)])
        self.bns = nn.ModuleList([nn.BatchNorm2d(c) for c in ((i, o, o) if self.preact else (o, o, 4 * o))])
        if stride > 1 or i != 4 * o:
            self.project = nn.Conv2d(i, 4 * o, 1, stride, bias=False)
            self.project_bn = None if self.preact else nn.BatchNorm2d(4 * o)
        else:
            self.project = None

    def forward(self, x):
        if self.preact:
            f = F.relu(self.bns[0](x), inplace=False)
            h = self.project(f) if self.project else x
            f = self.convs[0](f)
            for conv, bn in zip(self.convs[1:], self.bns[1:]):
                f = conv(F.relu(bn(f), inplace=True))
            return f + h
        f = x
        for conv, bn in zip(self.convs[:2], self.bns[:2]):
            f = F.relu(bn(conv(f)), inplace=True)
        f = self.bns[2](self.convs[2](f))
        return F.relu(f + (self.project_bn(self.project(x)) if self.project else x), inplace=True)


class Net(nn.Module):
    def __init__(self, depth, variant):
        super().__init__()
        bottleneck = variant.startswith("bottleneck")
        i, units = 16, []
        for o, stride in ((16, 1), (32, 2), (64, 2)):
            for k in range((depth - 2) // (9 if bottleneck else 6)):
                units.append((Bottleneck if bottleneck else Unit)(i, o, stride if k == 0 else 1, variant))
                i = 4 * o if bottleneck else o
        self.preact = variant == "bottleneck_preact"
        self.conv1, self.bn1 = conv3(3, 16), nn.BatchNorm2d(i if self.preact else 16)     # of preact: after the last unit
        self.units, self.fc = nn.Sequential(*units), nn.Linear(i, 10)

    def forward(self, x):
        if self.preact:
            x = F.relu(self.bn1(self.units(self.conv1(x))), inplace=True)
        else:
            x = self.units(F.relu(self.bn1(self.conv1(x)), inplace=True))
        return self.fc(x.mean((2, 3)))


def main():
    depth, variant, batch, threads, steps, evaluate = (int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]),
                                                       int(sys.argv[5]), sys.argv[6] == "eval")
    torch.set_num_threads(threads)
    net = Net(depth, variant).to(memory_format=torch.channels_last)
    x = torch.randn(batch, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    t = torch.randint(0, 10, (batch,))
    opt = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    net.train(not evaluate)

    def step():
        if evaluate:
            with torch.no_grad():
                net(x)
            return
        opt.zero_grad()
        F.cross_entropy(net(x), t).backward()
        opt.step()

    seconds = []
    for i in range(steps + 2):
        start = time.perf_counter()
        step()
        if i >= 2:
            seconds.append(time.perf_counter() - start)
    seconds.sort()
    import resource
    print(json.dumps({"images_per_second": batch / seconds[len(seconds) // 2],
                      "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
