"""All nets of skiplab once more, in PyTorch and float64, written from the papers and docs/ and not from the C code.

A net is a function of a dictionary of tensors under the names of the checkpoints.  `Net` holds the model's settings and
runs one training step (batch-norm groups, gradients, SGD) or an evaluation.
"""
import math

import numpy
import torch
import torch.nn.functional as F

EPS = 1e-5

# ---- random numbers: Philox4x32-10 (Salmon et al., 2011), keyed by seed, purpose, iteration and unit ----
MASK32, MASK64 = 2**32 - 1, 2**64 - 1


def philox(key, hi, lo):
    """lo may be an array of uint64 below 2^32: then so are the four words."""
    word = numpy.uint64 if isinstance(lo, numpy.ndarray) else int      # numpy's integers stay 64 bits wide only among themselves
    c = [lo & word(MASK32), lo >> word(32), word(hi & MASK32), word(hi >> 32)]
    k = [word(key & MASK32), word(key >> 32)]
    for _ in range(10):
        p0, p1 = word(0xD2511F53) * c[0], word(0xCD9E8D57) * c[2]
        c = [(p1 >> word(32)) ^ c[1] ^ k[0], p1 & word(MASK32), (p0 >> word(32)) ^ c[3] ^ k[1], p0 & word(MASK32)]
        k = [(k[0] + word(0x9E3779B9)) & word(MASK32), (k[1] + word(0xBB67AE85)) & word(MASK32)]
    return c


def low(c): return c[0] | c[1] << 32
def high(c): return c[2] | c[3] << 32
def unit_key(seed, iteration, unit, purpose=4):
    x = philox(seed, iteration, unit)
    return low(philox(low(x), purpose, high(x)))
def uniform(key, index): return (low(philox(key, 0, index)) >> 11) * 2.0**-53


# ---- the net ----
ORDERS = ["original", "bn_after_add", "relu_before_add", "relu_only_preact", "full_preact"]


class Net:
    CLOSE = 2e-5
    """settings: depth, width, block, order, projection, shortcut ({type, options}), shortcut_at, channels, classes, seed."""

    def __init__(self, **settings):
        self.__dict__.update(dict(block="basic", order="original", projection="A", shortcut={"type": "identity"},
                                  shortcut_at="all", channels=3, classes=10, seed=1))
        self.__dict__.update(settings)
        self.convs = 2 if self.block == "basic" else 3
        self.per_stage = (self.depth - 2) // (3 * self.convs)
        assert 3 * self.convs * self.per_stage + 2 == self.depth
        self.preact = self.order in ("relu_only_preact", "full_preact")

    def units(self):
        """(name, index, channels in, channels out, stride)"""
        c, out = self.width, []
        for stage in range(3):
            for i in range(self.per_stage):
                k = self.width * 2**stage * (1 if self.block == "basic" else 4)
                out.append(("layer%d.%d" % (stage + 1, i), len(out), c, k, 2 if stage > 0 and i == 0 else 1))
                c = k
        return out

    def variant(self, index, changes):
        """The shortcut of one unit: (type, options)."""
        at = self.shortcut_at
        here = at == "all" or (at == "same_shape" and not changes) or (isinstance(at, list) and at[0] <= index <= at[1])
        return (self.shortcut["type"], self.shortcut) if here else ("identity", {})

    # ---- shapes of all parameters; running statistics have those of their batch norm ----
    def shapes(self):
        s = {}

        def conv(name, i, o, k): s[name + ".weight"] = (o, i, k, k)

        def bn(name, c):
            for part in ("weight", "bias", "running_mean", "running_var"): s["%s.%s" % (name, part)] = (c,)

        conv("conv1", self.channels, self.width, 3)
        bn("bn1", self.width)
        for name, index, c, k, stride in self.units():
            inner = k if self.block == "basic" else k // 4
            widths = [c] + [inner] * (self.convs - 1) + [k]
            for j in range(self.convs):
                size = 3 if self.block == "basic" or j == 1 else 1
                conv("%s.conv%d" % (name, j + 1), widths[j], widths[j + 1], size)
                if self.order == "full_preact":
                    if j > 0 or index > 0: bn("%s.bn%d" % (name, j + 1), widths[j])
                else:
                    bn("%s.bn%d" % (name, j + 1), widths[j + 1])
            changes = c != k or stride > 1
            kind, options = self.variant(index, changes)
            if changes and kind != "conv1x1" and self.projection == "B":
                conv(name + ".project.conv", c, k, 1)
                if not self.preact: bn(name + ".project.bn", k)
            prefix = name + ".shortcut."
            if kind == "conv1x1":
                conv(prefix + "conv", c, k, 1)
                bn(prefix + "bn", k)
            if kind in ("exclusive_gating", "shortcut_only_gating", "highway"):
                conv(prefix + "gate", k, k, 3 if kind == "highway" else 1)
                if options.get("gate_bn"): bn(prefix + "gate_bn", k)      # b_g is its bias
                else: s[prefix + "gate.bias"] = (k,)
            if kind == "learned_scale": s[prefix + "scale"] = (1,)
            if kind == "layer_scale": s[prefix + "scale"] = (k,)
            if kind == "weighted_residual": s[prefix + "weight"] = (1,)
        if self.order == "full_preact": bn("bn_last", self.units()[-1][3])
        s["fc.weight"], s["fc.bias"] = (self.classes, self.units()[-1][3]), (self.classes,)
        return s

    def decays(self, name, everything=True):
        """Is weight decay for this parameter?"""
        if ".shortcut." in name:
            last = name.rsplit(".shortcut.", 1)[1]
            if last == "gate.bias": return bool(self.shortcut.get("bias_decay", False))
            if last == "gate_bn.bias": return everything and bool(self.shortcut.get("bias_decay", False))
            if last in ("scale", "weight"): return False
        is_weight = len(self.shapes()[name]) > 1
        return is_weight or everything

    # ---- forward ----
    def start(self, training, masks=None, iteration=0, flips=()):
        self.training, self.masks, self.iteration = training, masks or {}, iteration
        self.first = self.calls = 0
        self.parts = {}            # see factor
        self.kinks = []            # (how near to zero, relative to the RMS; which call of relu; which element), see relu
        self.flips = set(flips)    # kinks to be taken from the other side

    def relu(self, x):
        """ReLU that notes inputs next to zero.  float32 may see such a one on the other side than float64, which moves the
        gradients; with its (call, element) in `flips`, so does this."""
        call, self.calls = self.calls, self.calls + 1
        with torch.no_grad():
            near = x.detach().abs().flatten() / x.pow(2).mean().sqrt().clamp_min(1e-300)
            for e in torch.nonzero(near < self.CLOSE).flatten().tolist(): self.kinks.append((near[e].item(), call, e))
            passes = (x > 0).flatten()
            for c, e in self.flips:
                if c == call: passes[e] = ~passes[e]
        return x * passes.reshape(x.shape)

    def factor(self, name, f):
        """A factor on f, spread over its channels.  The gradient of one that all channels share is a sum whose terms may
        cancel: the norm of the channels' parts, in self.parts, is what its rounding is measured by."""
        v = self.w[name].expand(f.shape[1])
        if v.requires_grad: v.register_hook(lambda g: self.parts.__setitem__(name, self.parts.get(name, 0) + g.detach()))
        return v[None, :, None, None]

    def bn(self, name, x):
        w = self.w
        if not self.training:
            return F.batch_norm(x, w[name + ".running_mean"], w[name + ".running_var"], w[name + ".weight"], w[name + ".bias"], False, 0.1, EPS)
        mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
        with torch.no_grad():
            count = x.numel() // x.shape[1]
            for part, new in (("running_mean", mean.flatten()), ("running_var", var.flatten() * count / (count - 1))):
                full = "%s.%s" % (name, part)
                self.running[full] = 0.9 * self.running[full] + 0.1 * new
        y = (x - mean) / torch.sqrt(var + EPS)
        return y * w[name + ".weight"][None, :, None, None] + w[name + ".bias"][None, :, None, None]

    def conv(self, name, x, stride=1):
        weight = self.w[name + ".weight"]
        return F.conv2d(x, weight, self.w.get(name + ".bias"), stride, weight.shape[2] // 2)

    def branch(self, name, index, x, stride, activated):
        """F, without what follows the addition.  activated: x after the unit's first activation, if that was made before the split."""
        order, a = self.order, x if activated is None else activated
        for j in range(self.convs):
            strided = stride if j == (0 if self.block == "basic" else 1) else 1
            first = j == 0
            if activated is None or not first:
                if order == "full_preact" and not (first and index == 0): a = self.relu(self.bn("%s.bn%d" % (name, j + 1), a))
                if order == "relu_only_preact" and first and index > 0: a = self.relu(a)
            a = self.conv("%s.conv%d" % (name, j + 1), a, strided)
            last = j == self.convs - 1
            if order == "full_preact" or (order == "bn_after_add" and last): continue
            a = self.bn("%s.bn%d" % (name, j + 1), a)
            if not last or order == "relu_before_add": a = self.relu(a)
        return a

    def unit(self, name, index, c, k, stride, x):
        changes = c != k or stride > 1
        kind, options = self.variant(index, changes)
        h, activated = x, None
        if changes and kind != "conv1x1":
            if self.projection == "A":
                h = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, k - c))
            else:
                if self.preact and index > 0:
                    activated = self.relu(self.bn(name + ".bn1", x) if self.order == "full_preact" else x)
                    h = activated
                h = self.conv(name + ".project.conv", h, stride)
                if not self.preact: h = self.bn(name + ".project.bn", h)
        f = self.branch(name, index, x, stride, activated)
        y = self.merge(name, index, kind, options, x, h, f, stride)
        if self.order == "original": return self.relu(y)
        if self.order == "bn_after_add": return self.relu(self.bn("%s.bn%d" % (name, self.convs), y))
        return y

    def merge(self, name, index, kind, o, raw, x, f, stride):
        s = name + ".shortcut."
        if kind == "identity" or kind == "zero_init_gamma": return x + f
        if kind == "constant_scaling": return o.get("shortcut_scale", 0.5) * x + o.get("residual_scale", 0.5) * f
        if kind == "conv1x1": return self.bn(s + "bn", self.conv(s + "conv", raw, stride)) + f
        if kind in ("exclusive_gating", "shortcut_only_gating", "highway"):
            g = self.conv(s + "gate", x)
            if o.get("gate_bn"): g = self.bn(s + "gate_bn", g)
            g = torch.sigmoid(g)
            return (1 - g) * x + (f if kind == "shortcut_only_gating" else g * f)
        if kind == "dropout":
            rate, inverted = o.get("rate", 0.5), o.get("inverted", False)
            if not self.training: return (1 if inverted else 1 - rate) * x + f
            return self.mask(name, index, rate, x) * x / (1 - rate if inverted else 1) + f
        if kind == "learned_scale" or kind == "layer_scale": return x + self.factor(s + "scale", f) * f
        if kind == "weighted_residual": return x + torch.tanh(self.factor(s + "weight", f)) * f
        if kind == "branch_scaling":
            depth = o.get("scale", "depth") == "depth"
            return x + (1 / math.sqrt(3 * self.per_stage) if depth else o.get("factor", 0.1)) * f
        p = 1 - (index + 1) / (3 * self.per_stage) * (1 - o.get("survival", 0.5))
        if kind == "stochastic_depth":
            if not self.training: return x + p * f
            image = o.get("per", "batch") == "image"
            kept = [uniform(self.key(index), self.first + i if image else 0) < p for i in range(len(x))]
            return x + torch.tensor(kept, dtype=x.dtype)[:, None, None, None] * f
        if kind == "shakedrop":
            amin, amax, bmin, bmax = (o.get(n, d) for n, d in (("alpha_min", -1), ("alpha_max", 1), ("beta_min", 0), ("beta_max", 1)))
            if not self.training: return x + (p + (1 - p) * (amin + amax) / 2) * f
            if uniform(self.key(index), 0) < p: return x + f
            def draw(i, back): return uniform(self.key(index), 1 + 2 * (self.first + i) + back)
            a = torch.tensor([amin + draw(i, 0) * (amax - amin) for i in range(len(x))])[:, None, None, None]
            b = torch.tensor([bmin + draw(i, 1) * (bmax - bmin) for i in range(len(x))])[:, None, None, None]
            return x + b * f + ((a - b) * f).detach()      # forward a f, backward b
        raise ValueError("resnet.py does not know the shortcut '%s'" % kind)

    def key(self, index): return unit_key(self.seed, self.iteration, index)

    def mask(self, name, index, rate, x):
        """Dropout's kept elements, in 0 and 1: given ones (`masks`), or drawn here.  Element e of the mini-batch in NHWC
        order is kept if word e mod 4 of philox(key, 0, e div 4) is at least rate * 2^32."""
        if name in self.masks: return self.masks[name][self.first:self.first + len(x)]
        n, c, h, w = x.shape
        first, count, key = self.first * c * h * w, n * c * h * w, self.key(index)
        blocks = numpy.arange(first // 4, (first + count + 3) // 4, dtype=numpy.uint64)
        words = numpy.stack([numpy.broadcast_to(v, blocks.shape) for v in philox(key, 0, blocks)], 1).flatten()[first % 4:][:count]
        return (torch.from_numpy(words.astype(numpy.float64)) >= rate * 2.0**32).double().reshape(n, h, w, c).permute(0, 3, 1, 2)

    def logits(self, images):
        x = self.relu(self.bn("bn1", self.conv("conv1", images)))
        for unit in self.units(): x = self.unit(*unit, x)
        if self.order == "full_preact": x = self.bn("bn_last", x)
        if self.preact: x = self.relu(x)
        return F.linear(x.mean((2, 3)), self.w["fc.weight"], self.w["fc.bias"])

    # ---- one step, one evaluation ----
    def evaluate(self, weights, images, labels):
        self.w = {k: v.double() for k, v in weights.items()}
        self.start(False)
        with torch.no_grad():
            logits = self.logits(images.double())
            return {"loss": F.cross_entropy(logits, labels).reshape(1), "logits": logits}

    def has_kinks(self, weights, images, group):
        """Does a training step have ReLU inputs next to zero?"""
        self.w = {k: v.double() for k, v in weights.items()}
        self.running = {k: v.clone() for k, v in self.w.items() if "running_" in k}
        self.start(True)
        with torch.no_grad():
            for self.first in range(0, len(images), group): self.logits(images[self.first:self.first + group].double())
        return bool(self.kinks)

    def step(self, weights, images, labels, group=None, masks=None, iteration=0, lr=0.1, momentum=0.9, decay=1e-4,
             form="torch", decay_on="all", velocity=None, flips=()):
        """Loss, logits, grad.*, after.*; the batch-norm groups run one after another.  velocity is updated in place."""
        self.w = {k: v.double().clone().requires_grad_("running_" not in k) for k, v in weights.items()}
        self.running = {k: v.double().clone() for k, v in weights.items() if "running_" in k}
        self.start(True, masks, iteration, flips)
        parameters = {k: v for k, v in self.w.items() if "running_" not in k}
        total, logits, n = 0, [], len(images)
        for self.first in range(0, n, group or n):
            part = slice(self.first, self.first + (group or n))
            out = self.logits(images[part].double())
            loss = F.cross_entropy(out, labels[part], reduction="sum") / n
            loss.backward()
            total, logits = total + loss.detach(), logits + [out.detach()]
        result = {"loss": total.reshape(1), "logits": torch.cat(logits)}
        velocity = velocity if velocity is not None else {}
        for k, p in parameters.items():
            g = p.grad if p.grad is not None else torch.zeros_like(p)
            result["grad." + k] = g
            d = g + (decay * p.detach() if self.decays(k, decay_on == "all") else 0)
            v = momentum * velocity.get(k, torch.zeros_like(d)) + (lr if form == "caffe" else 1) * d
            velocity[k] = v
            result["after." + k] = p.detach() - (1 if form == "caffe" else lr) * v
        result.update({"after." + k: v for k, v in self.running.items()})
        return result
