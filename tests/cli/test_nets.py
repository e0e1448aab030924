"""The nets of the first paper's ImageNet kind from the command line: their counts, bench, weights of other programs."""
import json
import struct
from skl import *

# parameters, multiply-adds in 10^9, and of convolutions alone; as published, or as counted by hand from the layers.
TABLE = {
    "plain-18": (11515688, "1.795"), "ResNet-18 A": (11515688, "1.795"), "ResNet-18 B": (11689512, "1.814"), "ResNet-18 C": (12043816, "1.878"),
    "plain-34": (21623848, "3.644"), "ResNet-34 A": (21623848, "3.644"), "ResNet-34 B": (21797672, "3.664"), "ResNet-34 C": (22716840, "3.831"),
    "ResNet-50": (25557032, "3.858"), "ResNet-50, stride in 3x3": (25557032, "4.089"), "ResNet-50, C throughout": (40128552, "6.324"),
    "ResNet-101": (44549160, "7.570"), "ResNet-101, stride in 3x3": (44549160, "7.801"),
    "ResNet-152": (60192808, "11.282"), "ResNet-152, stride in 3x3": (60192808, "11.514"),
    "VGG-16": (138357544, "15.470"), "VGG-19": (143667240, "19.632"),
}
CONVOLUTIONS = {"VGG-16": "15.347", "VGG-19": "19.508"}
PAPER = {"ResNet-18 A": "1.8", "ResNet-34 A": "3.6", "ResNet-50": "3.8", "ResNet-101": "7.6", "ResNet-152": "11.3", "VGG-16": "15.3", "VGG-19": "19.6"}
CONFIG = """model: {family: imagenet, units: [1, 1], width: 4, projection: B, block: bottleneck}
data: {dataset: synthetic, synthetic: {train: 32, test: 16, size: 32}, augment: {pad: 2}}
train: {iterations: 4, batch: 8, log_every: 1, test_every: 4, checkpoint_every: 2, lr: 0.01}
probe: {every: 2}
"""


def billions(n): return "%.3f" % (n / 1e9)


def renamed(path, to, name):
    """The file's tensors under other names (None: left out), without metadata."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        head, data = json.loads(f.read(size)), f.read()
    head.pop("__metadata__")
    kept, out, at = {}, b"", 0
    for old, t in head.items():
        if name(old) is None:
            continue
        part = data[slice(*t["data_offsets"])]
        kept[name(old)] = dict(t, data_offsets=[len(out), len(out) + len(part)])
        out += part
    text = json.dumps(kept).encode()
    text += b" " * (-len(text) % 8)
    with open(to, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + out)


class Counts(Case):
    def test_complexity(self):
        rows = {r["net"]: r for r in json.loads(self.ends(0, "summary", "--complexity", "--json").stdout)}
        self.assertEqual({n: (r["parameters"], billions(r["multiply_adds"])) for n, r in rows.items()}, TABLE)
        for net, want in CONVOLUTIONS.items():
            self.assertEqual(billions(rows[net]["of_convolutions"]), want)
        for net, want in PAPER.items():
            self.assertEqual(rows[net]["paper"], want)
        text = self.ends(0, "summary", "--complexity").stdout
        for net, (parameters, adds) in TABLE.items():
            self.assertRegex(text, rf"(?m)^{net} +{parameters} +{adds} ")
        self.ends(2, "summary", "--complexity", "x.yaml")
        self.ends(2, "summary")

    def test_shipped_files(self):
        """Without pictures: data.classes says how many classes there are."""
        path = os.path.join(SOURCE, "configs", "imagenet.yaml")
        for variant, net in (("plain-34", "plain-34"), ("resnet-34-c", "ResNet-34 C"), ("resnet-50", "ResNet-50"), ("resnet-152", "ResNet-152")):
            found = json.loads(self.ends(0, "summary", path, "--variant", variant, "--json").stdout)
            self.assertEqual((found["parameters"], billions(found["multiply_adds"])), TABLE[net])
            self.assertEqual((found["size"], found["classes"]), (224, 1000))

    def test_bench(self):
        said = json.loads(self.ends(0, "bench", "--family", "imagenet", "--depth", "18", "--batch", "1", "--steps", "1", "--warmup", "0", "--json",
                                    timeout=300).stdout)
        self.assertEqual((said["depth"], said["parameters"]), (18, TABLE["ResNet-18 A"][0]))
        self.ends(2, "bench", "--family", "imagenet")
        self.ends(2, "bench", "--family", "imagenet", "--depth", "20")


class Training(Case):
    def test_same_bytes_on_any_number_of_threads(self):
        """Evaluations and probes between: they share the memory of training."""
        self.write("x.yaml", CONFIG)
        self.ends(0, "train", "x.yaml", "--run-dir", "whole", "--threads", 1)
        self.ends(0, "train", "x.yaml", "--run-dir", "other", "--threads", 3)
        for name in ("train.csv", "test.csv", "probe.csv", "responses.csv", "last.safetensors"):
            with open(self.path(os.path.join("whole", name)), "rb") as a, open(self.path(os.path.join("other", name)), "rb") as b:
                self.assertEqual(a.read(), b.read(), name)
        with open(self.path("whole/probe.csv")) as f:
            self.assertEqual([line.split(",")[1:3] for line in f.read().split()[1:3]], [["0", "1"], ["1", "2"]])
        self.ends(0, "verify", "whole")

    def test_too_small(self):
        self.write("x.yaml", CONFIG.replace("size: 32", "size: 28"))
        self.assertIn("32x32 at least", self.ends(2, "train", "x.yaml").stderr)


class Weights(Case):
    def test_names_of_other_programs(self):
        self.write("x.yaml", CONFIG)
        self.ends(0, "train", "x.yaml", "--run-dir", "run")
        own = json.loads(self.ends(0, "eval", "run", "--json").stdout)
        def theirs(name):
            if name.startswith("momentum."):
                return None
            name = name.replace(".project.conv.", ".downsample.0.").replace(".project.bn.", ".downsample.1.")
            return "module." + name.replace("fc.", "linear.", 1)
        renamed(self.path("run/last.safetensors"), self.path("theirs.safetensors"), theirs)
        said = self.ends(0, "eval", "--weights", "theirs.safetensors", "x.yaml", "--json")
        got = json.loads(said.stdout)
        self.assertEqual((got["test_loss"], got["test_error"]), (own["test_loss"], own["test_error"]))
        self.assertEqual(got["weights"], "theirs.safetensors")
        self.assertNotIn("iteration", got)
        self.assertEqual(said.stderr.count("names read as ours"), 1)
        for word in ("module. dropped", "linear. as fc.", ".downsample.0. as .project.conv.", ".downsample.1. as .project.bn."):
            self.assertIn(word, said.stderr)
        self.ends(0, "eval", "--weights", "theirs.safetensors", "x.yaml", "--bn-from-train", 1)
        # one's own: nothing is said
        self.assertNotIn("names", self.ends(0, "eval", "--weights", "run/last.safetensors", "x.yaml").stderr)

    def test_refused(self):
        self.write("x.yaml", CONFIG)
        self.ends(0, "train", "x.yaml", "--run-dir", "run")
        twice = {"fc.bias": "linear.bias", "bn1.bias": "fc.bias"}
        renamed(self.path("run/last.safetensors"), self.path("twice.safetensors"), lambda n: twice.get(n, n))
        self.assertIn("two tensors would be called 'fc.bias'", self.ends(3, "eval", "--weights", "twice.safetensors", "x.yaml").stderr)
        renamed(self.path("run/last.safetensors"), self.path("short.safetensors"), lambda n: None if n == "fc.bias" else n)
        self.assertIn("'fc.bias' is missing", self.ends(3, "eval", "--weights", "short.safetensors", "x.yaml").stderr)
        self.ends(3, "eval", "--weights", "run/last.safetensors", "x.yaml", "model.width=8")
        self.assertIn("stands alone", self.ends(2, "eval", "run", "model.width=8").stderr)
        self.ends(2, "eval", "--weights", "run/last.safetensors")


main()
