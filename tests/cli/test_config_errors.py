"""A bad experiment file: exit code 2, one line with file, line and column, before anything is made."""
from skl import *

GOOD = """name: t
model: {depth: 8, width: 4}
data:
  dataset: synthetic
  synthetic: {train: 64, test: 32, size: 16, channels: 3, classes: 4}
train: {iterations: 3, batch: 16, log_every: 1, test_every: 3}
"""

GRID = "grid: {model.depth: [8, 14]}\n"

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
    "exclude: unknown key": (GOOD + GRID + "exclude: [{model.dpeth: 8}]\n", r":8:12: .*did you mean 'model.depth'"),
    "exclude: key without its section": (GOOD + GRID + "exclude: [{depth: 8}]\n", r":8:12: .*did you mean 'model.depth'"),
    "exclude: impossible value": (GOOD + GRID + "exclude: [{model.depth: x}]\n", r":8:\d+: model.depth must be a whole number"),
    "exclude: out of range": (GOOD + GRID + "exclude: [{model.width: 0}]\n", r":8:\d+: model.width must be"),
    "exclude: nothing has it": (GOOD + GRID + "exclude: [{model.depth: 32}]\n", r":8:\d+: exclude: no combination has"),
    "exclude: unknown option": (GOOD + GRID + "exclude: [{model.shortcut.gate_bais: 0}]\n", r":8:12: .*did you mean 'gate_bias'"),
    "exclude: impossible option": (GOOD + GRID + "exclude: [{model.shortcut.gate_bias: x}]\n", r":8:\d+: gate_bias must be a number"),
    "exclude: another's option": (GOOD + GRID + "exclude: [{model.shortcut.gate_bias: -5}]\n", r":8:\d+: exclude: no combination has"),
    "exclude: not the type's option": (GOOD + GRID + "exclude: [{model.shortcut: {type: dropout, gate_bias: 0}}]\n",
                                       r":8:\d+: shortcut 'dropout' has no option 'gate_bias'"),
    "exclude: unknown type": (GOOD + GRID + "exclude: [{model.shortcut.type: dropuot}]\n", r":8:\d+: .*did you mean 'dropout'"),
    "exclude: a variant's own": (GOOD + "variants: [{name: a, exclude: [{model.depth: 14}]}]\n", r":7:\d+: exclude: no combination has"),
    "option without its section": (GOOD + "grid: {gate_bias: [0, -5]}\n", r":7:8: .*did you mean 'model.shortcut.gate_bias'"),
    "option without its section in set": (GOOD + "variants: [{name: a, set: {gate_bias: 0}}]\n", r":7:\d+: .*'model.shortcut.gate_bias'"),
    "key beside set": (GOOD + "variants: [{name: a, model.depth: 14}]\n", r":7:22: 'model.depth' belongs under set:"),
    "section beside set": (GOOD + "variants: [{name: a, model: {depth: 14}}]\n", r":7:22: 'model' belongs under set:"),
    "misspelt figure": (GOOD + "paper: {tset_error: 6.61}\n", r":7:9: .*did you mean 'test_error'"),
    "misspelt figure in zip": (GOOD + "zip: {model.depth: [8], paper.test_eror: [6.61]}\n", r":7:\d+: .*did you mean 'test_error'"),
    "baseline that is nobody's": (GOOD + "baseline: nobody\nvariants: [{name: a}]\n", r":7:11: no variant is named 'nobody'; the first is 'a'"),
    "drops of a cosine": (GOOD.replace("batch: 16", "batch: 16, schedule: cosine, lr_drops: {at: [2]}"), r":6:\d+: train.lr_drops belongs to .*step"),
    "shape of one cycle": (GOOD.replace("batch: 16", "batch: 16, schedule: one_cycle, warmup: {shape: linear, iterations: 2}"),
                           r":6:\d+: train.warmup.shape is not for"),
    "mixup that mixes nothing": (GOOD + "  \ngrid: {data.augment.mixup: [0.0001]}\n", r"data.augment.mixup must be 0, or a number from 0.001"),
    "smoothing of everything": (GOOD.replace("batch: 16", "batch: 16, label_smoothing: 1"), r":6:\d+: train.label_smoothing must be"),
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

    def test_overrides_that_want_quotes(self):
        self.write("x.yaml", GOOD)
        for words, says in ((["model.shortcut={type:", "dropout}"], r"the whole word in quotes: 'model.shortcut={\.\.\.}'"),
                            (["label=[a"], r"the whole word in quotes"), (["label=@a"], "'label=\"\\.\\.\\.\"'"),
                            (["label=a: b"], "'label=\"\\.\\.\\.\"'"), (["gate_bias=3"], "'model.shortcut.gate_bias'")):
            for command in ("sweep", "train", "summary"):
                with self.subTest(words):
                    result = self.ends(2, command, "x.yaml", *words)
                    self.assertRegex(result.stderr, r"\Askiplab: override [^\n]+\n\Z")
                    self.assertRegex(result.stderr, says)

    def test_names_may_be_64_long(self):
        name = "x" * 64
        self.write("x.yaml", GOOD.replace("name: t", "name: " + name) + f"variants: [{{name: {name}}}]\n")
        self.ends(0, "sweep", "x.yaml", "--threads", "1")
        self.ends(0, "report", "results/" + name)
        self.assertIn("name", self.ends(2, "sweep", "x.yaml", f"name={name}x").stderr)

    def test_settings_beyond_the_end(self):
        """One line says what never happens; --dry-run too."""
        drops, warmup, stop = "train.lr_drops={at: [2, 3, 9]}", "train.warmup={lr: 0.01, iterations: 3}", "give_up={iteration: 3}"
        self.write("x.yaml", GOOD + GRID)
        for words, names in (([drops], ["train.lr_drops.at 3, 9"]), ([warmup], ["train.warmup.iterations 3"]), ([stop], ["give_up.iteration 3"]),
                             ([drops, warmup, stop], ["train.lr_drops.at 3, 9", "train.warmup.iterations 3", "give_up.iteration 3"]),
                             (["train.lr_drops={at: [2]}", "train.warmup={lr: 0.01, iterations: 2}", "give_up={iteration: 2}"], [])):
            for command in (["sweep", "x.yaml", "--dry-run"], ["sweep", "x.yaml", "--redo", "*", "--only", "*=8"], ["train", "x.yaml", "--redo"]):
                with self.subTest(words, command=command):
                    shutil.rmtree(self.path("results"), True)
                    said = self.ends(0, *command, *words).stderr
                    lines = [line for line in said.splitlines() if "after the last" in line]
                    self.assertEqual(len(lines), 1 if names else 0, said)
                    for name in names:
                        self.assertIn(name, lines[0])

    def test_keys_without_effect(self):
        """One line names the keys that no run heeds, each with what it belongs to."""
        self.write("x.yaml", GOOD)
        foreign = ["data.classes=3", "data.test_resize=40", "data.test_crops=10", "data.augment.resize=[40, 50]", "data.augment.area=[0.1, 1]",
                   "data.augment.aspect=[0.5, 2]", "data.augment.colour=pca"]
        off = ["data.path=.", "train.warmup.shape=linear", "train.nesterov=true", "give_up.train_error_above=50", "give_up.halving.keep=0.3", "give_up.halving.by=train"]
        for words in (foreign, off + ["train.momentum=0"]):
            said = self.ends(0, "sweep", "x.yaml", "--dry-run", *words).stderr
            self.assertEqual(said.count("\n"), 1, said)
            for word in words:
                if word != "train.momentum=0": self.assertIn(word.split("=")[0], said)
        self.assertIn("data.test_crops (of dataset: folder)", self.ends(0, "train", "x.yaml", "data.test_crops=10").stderr)
        self.ends(0, "train", "x.yaml", "--run-dir", "plain")
        self.assertNotIn("without effect", self.ends(0, "train", "plain/config.yaml", "--run-dir", "again").stderr)
        self.assertIn("must be data.size, 32", self.ends(2, "summary", "x.yaml", "data.dataset=mnist", "data.augment.crop=24").stderr)
        self.write("x.yaml", GOOD.replace("name: t", "name: both") + "variants: [{name: off}, {name: on, set: {train.warmup.iterations: 1}}]\n")
        said = self.ends(0, "sweep", "x.yaml", "--dry-run", "train.warmup.shape=linear").stderr
        self.assertEqual(said, "")              # what one run heeds the others may have

    def test_shipped_files_are_good(self):
        folder = os.path.join(SOURCE, "configs")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".yaml"):
                with self.subTest(name):
                    listed = self.ends(0, "sweep", os.path.join(folder, name), "--dry-run")
                    self.assertRegex(listed.stdout, r"(?m)^\d+ runs?, \d+ not finished; ")
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

    def test_results_in_its_place(self):
        """A results folder where an experiment file belongs: the message has the file."""
        self.write("x.yaml", GOOD)
        self.ends(0, "sweep", "x.yaml")
        for command in ("train", "sweep", "summary", "config", "bench"):
            self.assertIn("is a run's folder; its experiment file is results/t/identity/seed-1/config.yaml", self.ends(2, command, "results/t/identity/seed-1").stderr)
            self.assertIn("is a sweep's folder; give the experiment file", self.ends(2, command, "results/t/").stderr)
        self.assertIn("is a sweep itself: 'skiplab status results/t'", self.ends(3, "list", "results/t").stderr)

    def test_missing_data_is_said_once(self):
        self.write("x.yaml", GOOD.replace("dataset: synthetic", "dataset: cifar10\n  path: nowhere"))
        result = self.ends(3, "sweep", "x.yaml", "--jobs", "2")
        self.assertRegex(result.stderr, r"\Askiplab: [^\n]+\n\Z")
        self.assertIn("nowhere", result.stderr)
        self.assertEqual(os.listdir(self.dir), ["x.yaml"])
        self.ends(0, "sweep", "x.yaml", "--dry-run")


main()
