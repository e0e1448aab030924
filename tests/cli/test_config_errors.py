"""A bad experiment file: exit code 2, one line with file, line and column, before anything is made."""
from skl import *

GOOD = """name: t
model: {depth: 8, width: 4}
data:
  dataset: synthetic
  synthetic: {train: 64, test: 32, size: 16, channels: 3, classes: 4}
train: {iterations: 3, batch: 16, log_every: 1, test_every: 3}
"""

BAD = {
    "unknown key": (GOOD.replace("depth: 8", "dpeth: 8"), r":2:9: .*'dpeth'.*did you mean 'depth'"),
    "wrong type": (GOOD.replace("depth: 8", "depth: deep"), r":2:\d+: "),
    "impossible depth": (GOOD.replace("depth: 8", "depth: 9"), r"depth"),
    "out of range": (GOOD.replace("width: 4", "width: 0"), r":2:\d+: .*width"),
    "not a number": (GOOD + "  \nbaseline: x\nseeds: .nan\n", r":9:\d+: |:8:\d+: "),
    "doubled key": (GOOD + "name: u\n", r":7:1: .*name"),
    "anchor": (GOOD.replace("model: {", "model: &m {"), r":2:\d+: "),
    "tag": (GOOD.replace("depth: 8", "depth: !!int 8"), r":2:\d+: "),
    "unknown shortcut": (GOOD.replace("width: 4", "width: 4, shortcut: {type: identiti}"), r":2:\d+: .*did you mean 'identity'"),
    "foreign option": (GOOD.replace("width: 4", "width: 4, shortcut: {type: identity, rate: 0.5}"), r":2:\d+: .*rate"),
    "option out of range": (GOOD.replace("width: 4", "width: 4, shortcut: {type: dropout, rate: 1.5}"), r":2:\d+: .*rate"),
    "group does not divide": (GOOD.replace("batch: 16", "batch: 16, bn_batch: 5"), r"bn_batch.*batch|batch.*bn_batch"),
    "tabs": ("model:\n\tdepth: 8\n", r":2:"),
    "two documents": (GOOD + "---\nname: u\n", r":\d+:\d+: "),
    "empty": ("", r"x\.yaml"),
    "bad name": (GOOD.replace("name: t", "name: ../t"), r":1:\d+: "),
}


class ConfigErrors(Case):
    def check(self, command, *more):
        for what, (text, says) in BAD.items():
            with self.subTest(what, command=command):
                self.write("x.yaml", text)
                result = self.ends(2, command, "x.yaml", *more)
                self.assertRegex(result.stderr, r"\Askiplab: [^\n]+\n\Z")
                self.assertRegex(result.stderr, says)
                self.assertEqual(os.listdir(self.dir), ["x.yaml"])

    def test_sweep(self):
        self.check("sweep")

    def test_dry_run(self):
        self.check("sweep", "--dry-run")

    def test_train(self):
        self.check("train")

    def test_summary(self):
        self.check("summary")

    def test_shipped_files_are_good(self):
        folder = os.path.join(SOURCE, "configs")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".yaml"):
                with self.subTest(name):
                    listed = self.ends(0, "sweep", os.path.join(folder, name), "--dry-run")
                    self.assertRegex(listed.stdout, r"(?m)^\d+ runs, \d+ not finished; ")
        self.assertEqual(os.listdir(self.dir), [])

    def test_good_one_is_good(self):
        self.write("x.yaml", GOOD)
        self.ends(0, "sweep", "x.yaml", "--dry-run")
        self.assertEqual(os.listdir(self.dir), ["x.yaml"])

    def test_overrides(self):
        self.write("x.yaml", GOOD)
        for override, says in (("train.iterations=0", "train.iterations"), ("train.iteratons=5", "did you mean"), ("train.lr=nan", "train.lr"),
                               ("nonsense", "nonsense"), ("model.shortcut.rate=0.5", "rate")):
            with self.subTest(override):
                result = self.ends(2, "sweep", "x.yaml", override)
                self.assertRegex(result.stderr, r"\Askiplab: [^\n]+\n\Z")
                self.assertIn(says, result.stderr)
        self.assertEqual(os.listdir(self.dir), ["x.yaml"])

    def test_files_that_are_none(self):
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path("folder"))
        for name in ("absent.yaml", "folder", "fifo", "/dev/zero"):
            with self.subTest(name):
                result = self.ends(2, "sweep", name, timeout=10)
                self.assertRegex(result.stderr, r"\Askiplab: [^\n]+\n\Z")

    def test_missing_data_is_said_once(self):
        self.write("x.yaml", GOOD.replace("dataset: synthetic", "dataset: cifar10\n  path: nowhere"))
        result = self.ends(3, "sweep", "x.yaml", "--jobs", "2")
        self.assertRegex(result.stderr, r"\Askiplab: [^\n]+\n\Z")
        self.assertIn("nowhere", result.stderr)
        self.assertEqual(os.listdir(self.dir), ["x.yaml"])
        self.ends(0, "sweep", "x.yaml", "--dry-run")


main()
