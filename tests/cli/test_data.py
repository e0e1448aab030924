"""Where data sets lie and what is said where they do not; weights with other programs' names."""
import gzip
import json
import struct

from skl import *

CONFIG = """name: t
model: {depth: 8, width: 2}
data: {dataset: %s, path: %s, augment: {pad: 0, flip: false}}
train: {iterations: 2, batch: 4, log_every: 1, test_every: 2, checkpoint_every: 1}
"""
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(name):
    count = 8 if name.startswith("train") else 4
    if "labels" in name:
        return struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count))
    return struct.pack(">IIII", 0x803, count, 28, 28) + bytes(i * 31 % 256 for i in range(count * 784))


def tensors(path, names):
    header = {n: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i, n in enumerate(names)}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + bytes(4 * len(names)))


class Data(Case):
    def put(self, folder, dotted=False, packed=False):
        os.makedirs(self.path(folder), exist_ok=True)
        for name in NAMES:
            name, data = (name.replace("-idx", ".idx") if dotted else name), idx(name)
            with open(self.path(folder, name + (".gz" if packed else "")), "wb") as f:
                f.write(gzip.compress(data) if packed else data)

    def train(self, config, *more, code=0, **kw):
        return self.ends(code, "train", config, "--quiet", "--threads", "1", *more, **kw).stderr


class Places(Data):
    def test_relative_to_the_file(self):
        """And absolute in config.yaml, which then works from anywhere; a word of the command line is relative to the working folder."""
        self.put("configs/mnist", packed=True)
        self.put("here")
        self.write("configs/x.yaml", CONFIG % ("mnist", "mnist"))
        os.mkdir(self.path("elsewhere"))
        self.train("configs/x.yaml")
        folder = self.path("results/t/identity/seed-1")
        real = os.path.realpath(self.path("configs/mnist"))
        self.assertIn(f"path: {real}\n", self.read(folder, "config.yaml"))
        p = run("train", os.path.join(folder, "config.yaml"), "--run-dir", self.path("a"), "--threads", "1", cwd=self.path("elsewhere"))
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertEqual(self.read("a/train.csv"), self.read(folder, "train.csv"))
        self.train("configs/x.yaml", "data.path=here", "--run-dir", self.path("b"))
        self.assertIn(f"path: {os.path.realpath(self.path('here'))}\n", self.read("b/config.yaml"))
        self.write("top.yaml", "include: configs/x.yaml\nname: u\n")       # the value stands in the included file
        self.train("top.yaml", "--run-dir", self.path("c"))
        self.write("configs/home.yaml", CONFIG % ("mnist", "~/here"))
        self.train("configs/home.yaml", "--run-dir", self.path("d"), env=dict(os.environ, HOME=self.dir))
        self.train("configs/x.yaml", "data.path=~/here", "--run-dir", self.path("e"), env=dict(os.environ, HOME=self.dir))

    def test_results_of_older_versions(self):
        """They say the path as it was given, relative to where the program was started."""
        self.put("mnist")
        self.write("x.yaml", CONFIG % ("mnist", "mnist"))
        self.train("x.yaml", "train.iterations=1", "--run-dir", self.path("r"))
        text = self.read("r/config.yaml")
        self.write("r/config.yaml", re.sub("path: .*", "path: mnist", text))
        self.ends(0, "train", "r/config.yaml", "--run-dir", "r")
        self.ends(0, "eval", "r/last.safetensors")
        self.write("r/config.yaml", re.sub("path: .*", "path: mnist", text))
        self.ends(0, "train", "x.yaml", "train.iterations=1", "--run-dir", "r")

    def test_other_names_for_the_same_files(self):
        for i, (folder, how) in enumerate({"dotted": {"dotted": True}, "dotted-gz": {"dotted": True, "packed": True},
                                           "vision/FashionMNIST/raw": {}, "vision2/raw": {}}.items()):
            with self.subTest(folder):
                self.put(folder, **how)
                self.write("x.yaml", CONFIG % ("fashion-mnist", folder.split("/")[0]))
                self.train("x.yaml", "--run-dir", self.path(f"run{i}"))

    def test_near_misses(self):
        for folder, names, dataset, words in (
                ("none", None, "cifar10", "there is no folder"),
                ("py", ["data_batch_1", "test_batch", "batches.meta"], "cifar10", "Python version"),
                ("py2", ["cifar-10-batches-py/data_batch_1"], "cifar10", "Python version"),
                ("py3", ["cifar-100-python.tar.gz"], "cifar100", "Python version"),
                ("packed", ["cifar-10-binary.tar.gz"], "cifar10", "data fetch cifar10 --from"),
                ("other", ["cifar-100-binary/train.bin"], "cifar10", "files of cifar100"),
                ("idx", ["train-images-idx3-ubyte"], "cifar10", "lie there")):
            with self.subTest(folder):
                for name in names or ():
                    self.write(os.path.join(folder, name), "x")
                self.write("x.yaml", CONFIG % (dataset, folder))
                said = self.train("x.yaml", code=3)
                self.assertIn(words, said)
                self.assertRegex(said, r"\Askiplab: [^\n]*\n\Z")
                self.assertFalse(os.path.exists(self.path("results")))
        self.write("x.yaml", CONFIG % ("cifar10", "x.yaml"))
        self.assertIn("is no folder", self.train("x.yaml", code=3))
        self.write("x.yaml", (CONFIG % ("mnist", "mnist")) + "grid: {data.path: [a, /b]}\n")
        self.assertIn("must be absolute in grid and zip", self.train("x.yaml", code=2))


class Weights(Case):
    def test_names_of_other_programs(self):
        self.write("m.yaml", "model: {depth: 8, width: 2}\n")
        for names, word in ((["conv1.weight", "classifier.weight"], "'fc'"),
                            (["model.conv1.weight"], "state_dict"), (["images", "labels"], "missing")):
            tensors(self.path("w.safetensors"), names)
            said = self.ends(3, "step", "m.yaml", "--weights", "w.safetensors", "--out", "out.safetensors").stderr
            self.assertIn(word, said)


main()
