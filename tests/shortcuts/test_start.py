"""Where tensors start: the checkpoint after one iteration at learning rate 0."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(os.environ["SKIPLAB"])


def load(path):
    """{name: numbers} of a safetensors file, momenta and running statistics left out."""
    with open(path, "rb") as f:
        raw = f.read()
    length = struct.unpack("<Q", raw[:8])[0]
    found = {}
    for name, t in json.loads(raw[8:8 + length]).items():
        if name != "__metadata__" and not name.startswith("momentum.") and "running" not in name:
            a, b = t["data_offsets"]
            found[name] = struct.unpack(f"<{(b - a) // 4}f", raw[8 + length + a:8 + length + b])
    return found


class Start(unittest.TestCase):
    def begin(self, shortcut, order="original", status=0, more=""):
        with tempfile.TemporaryDirectory(prefix="skiplab-start-") as folder:
            path = os.path.join(folder, "c.yaml")
            with open(path, "w") as f:
                f.write(f"name: s\nmodel: {{depth: 8, width: 4, order: {order}, shortcut: {{type: {shortcut}}}{more}}}\n"
                        "data: {dataset: synthetic, synthetic: {train: 16, test: 8, size: 8}}\n"
                        "train: {iterations: 1, batch: 8, lr: 0}\n")
            p = subprocess.run([PROGRAM, "train", path, "--threads", "1"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(p.returncode, status, p.stderr)
            if status:
                return p.stderr
            found = [os.path.join(root, f) for root, _, files in os.walk(folder) for f in files if f == "last.safetensors"]
            return load(found[0])

    def all_are(self, numbers, value):
        self.assertEqual(set(numbers), {value})

    def test_zero_init_gamma(self):
        plain, zero, half = self.begin("identity"), self.begin("zero_init_gamma"), self.begin("zero_init_gamma, start: 0.5")
        self.assertEqual(set(plain), set(zero))
        for name, v in plain.items():
            if name.startswith("layer") and name.endswith("bn2.weight"):
                self.all_are(v, 1), self.all_are(zero[name], 0), self.all_are(half[name], 0.5)
            else:
                self.assertTrue(v == zero[name] == half[name], name)

    def test_zero_where_the_branch_ends_with_a_convolution(self):
        for order in ("full_preact", "bn_after_add"):
            plain, zero, half = (self.begin(s, order) for s in ("identity", "zero_init_gamma", "zero_init_gamma, start: 0.5"))
            for name, v in plain.items():
                if name.startswith("layer") and name.endswith("conv2.weight"):
                    self.all_are(zero[name], 0)
                    self.assertLess(max(abs(h - p / 2) for h, p in zip(half[name], v)), 1e-7)
                else:
                    self.assertTrue(v == zero[name] == half[name], name)

    def test_a_branch_that_could_never_start_is_refused(self):
        self.assertIn("never starts", self.begin("zero_init_gamma", "relu_before_add", 2))
        self.begin("zero_init_gamma, start: 0.5", "relu_before_add")

    def test_the_gates_bias_stands_behind_its_batch_norm(self):
        for gate in ("exclusive_gating", "shortcut_only_gating"):
            without, with_bn = self.begin(gate + ", gate_bias: -5"), self.begin(gate + ", gate_bias: -5, gate_bn: true")
            self.all_are(without["layer1.0.shortcut.gate.bias"], -5)
            self.all_are(with_bn["layer1.0.shortcut.gate_bn.bias"], -5)
            self.assertNotIn("layer1.0.shortcut.gate.bias", with_bn)
            self.all_are(with_bn["layer1.0.shortcut.gate_bn.weight"], 1)

    def test_learned_factors(self):
        for shortcut, name, value in (("learned_scale", "scale", 0), ("learned_scale, start: 0.25", "scale", 0.25), ("layer_scale, start: 0.5", "scale", 0.5),
                                      ("weighted_residual", "weight", 0), ("highway", "gate.bias", -3)):
            self.all_are(self.begin(shortcut)["layer2.0.shortcut." + name], value)

    def test_shortcut_at_puts_identity_elsewhere(self):
        def units(more):
            return {n.split(".")[0] for n in self.begin("learned_scale", more=more) if ".shortcut." in n}
        self.assertEqual(units(""), {"layer1", "layer2", "layer3"})
        self.assertEqual(units(", shortcut_at: [1, 1]"), {"layer2"})
        self.assertEqual(units(", shortcut_at: [0, 1]"), {"layer1", "layer2"})
        self.assertEqual(units(", shortcut_at: same_shape"), {"layer1"})
        self.assertIn("shortcut_at", self.begin("learned_scale", more=", shortcut_at: [1, 3]", status=2))


unittest.main(verbosity=2, argv=[sys.argv[0]])
