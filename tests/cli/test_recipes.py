"""Where a run begins (train.init_from), checkpoints that stay (train.keep_every), runs that go on (--extend), and what an
experiment says of its runs as a whole (sample, order, notes)."""
import json
import struct

from skl import *

CONFIG = """name: t
model: {depth: 8, width: 4}
data: {dataset: synthetic, synthetic: {train: 64, test: 16, size: 8, channels: 3, classes: 4}}
train: {iterations: 9, batch: 16, lr: 0.05, log_every: 3, test_every: 9, checkpoint_every: 4}
"""


def tensors(path):
    """Name to bytes of a safetensors file, and its metadata."""
    with open(path, "rb") as f:
        blob = f.read()
    end = 8 + struct.unpack("<Q", blob[:8])[0]
    header = json.loads(blob[8:end])
    meta = header.pop("__metadata__")
    return {k: blob[end + t["data_offsets"][0]:end + t["data_offsets"][1]] for k, t in header.items()}, meta


class Recipe(Case):
    def setUp(self):
        super().setUp()
        self.write("t.yaml", CONFIG)

    def train(self, folder, *words, status=0):
        return self.ends(status, "train", "t.yaml", "--run-dir", folder, *words).stderr


class InitFrom(Recipe):
    def setUp(self):
        super().setUp()
        self.train("first", "--quiet")

    def weights(self, folder):
        return {k: v for k, v in tensors(self.path(folder, "last.safetensors"))[0].items()
                if "running" not in k and not k.startswith("momentum")}

    def test_the_weights_are_the_files(self):
        self.train("second", "train.init_from=first/last.safetensors", "train.iterations=1", "train.lr=0")
        self.assertEqual(self.weights("second"), self.weights("first"))
        record = json.loads(self.read("second", "run.json"))
        self.assertEqual(record["init_from"], self.path("first/last.safetensors"))
        with open(self.path("first/last.safetensors"), "rb") as f:
            self.assertEqual(record["init_from_sha256"], __import__("hashlib").sha256(f.read()).hexdigest())

    def test_what_fits(self):
        said = self.train("second", "--seed", "2", "train.init_from=first/last.safetensors:partial", "model.shortcut={type: conv1x1}",
                          "train.iterations=1", "train.lr=0")
        self.assertRegex(said, r"37 of 52 tensors from .*first/last.safetensors; initial: layer1.0.shortcut.conv.weight, .*\.\.\.")
        ours, theirs = self.weights("second"), self.weights("first")
        self.assertEqual({k: ours[k] for k in theirs}, theirs)
        self.train("alone", "--quiet", "--seed", "2", "model.shortcut={type: conv1x1}", "train.iterations=1", "train.lr=0")
        alone = self.weights("alone")
        self.assertEqual({k: v for k, v in ours.items() if k not in theirs}, {k: v for k, v in alone.items() if k not in theirs})

    def test_what_does_not(self):
        shutil.copy(self.path("first/last.safetensors"), self.path("sparse.safetensors"))
        os.truncate(self.path("sparse.safetensors"), 6 << 30)       # refused by its header: nothing of it is read
        for words, says in (
                (["train.init_from=sparse.safetensors"], r"sparse.safetensors: \d+ bytes after the last tensor"),
                (["train.init_from=first/last.safetensors", "model.shortcut={type: conv1x1}"], r":partial.*shortcut.conv.weight' is missing"),
                (["train.init_from=first/last.safetensors", "model.width=8"], r":partial.*has shape"),
                (["train.init_from=first/train.csv:partial"], r"train.csv"),
                (["train.init_from=gone.safetensors"], r"gone.safetensors"),
                (["train.init_from=first/last.safetensors:partial", "model={depth: 8, width: 5}", "data.synthetic.classes=3"], r"not one tensor has")):
            with self.subTest(words):
                shutil.rmtree(self.path("other"), ignore_errors=True)
                self.assertRegex(self.train("other", "--quiet", *words, status=3), r"\Askiplab: [^\n]*" + says + r"[^\n]*\n\Z")
        self.assertRegex(self.train("first", "train.init_from=x", status=2), r"train.init_from: absent there, \S*/x here")

    def test_it_is_read_once(self):
        words = "train.init_from=copy.safetensors", "train.checkpoint_every=100"
        shutil.copy(self.path("first/last.safetensors"), self.path("copy.safetensors"))
        self.train("second", *words)
        self.ends(0, "verify", "second")      # replays from the beginning
        before = exact(self.path("second"))
        os.unlink(self.path("copy.safetensors"))
        os.unlink(self.path("second/run.json"))
        self.train("second", *words)
        self.assertEqual(exact(self.path("second")), before)


class KeepEvery(Recipe):
    def kept(self):
        return sorted(n for n in os.listdir(self.path("r")) if n.startswith("kept-"))

    def test_they_stay(self):
        self.train("r", "--quiet", "train.keep_every=3")
        self.assertEqual(self.kept(), ["kept-3.safetensors", "kept-6.safetensors", "kept-9.safetensors"])
        for n in (3, 6, 9):
            self.assertEqual(tensors(self.path("r", f"kept-{n}.safetensors"))[1]["iteration"], str(n))
            self.ends(0, "eval", f"r/kept-{n}.safetensors")
        self.train("plain", "--quiet")
        self.assertEqual(self.read("r", "test.csv"), self.read("plain", "test.csv"))
        self.ends(0, "verify", "r")
        self.ends(0, "audit", "r")
        os.unlink(self.path("r", "kept-6.safetensors"))
        self.assertRegex(self.ends(3, "audit", "r").stdout, r"kept-6.safetensors")
        shutil.copy(self.path("r", "kept-3.safetensors"), self.path("r", "kept-6.safetensors"))
        self.assertRegex(self.ends(3, "audit", "r").stdout, r"kept-6.safetensors")
        self.train("r", "--quiet", "--redo")
        self.assertEqual(self.kept(), [])

    def test_killed_before_the_second_name(self):
        self.train("r", "--quiet", "train.keep_every=3")
        whole = tree(self.path("r"))["kept-9.safetensors"][0]
        os.unlink(self.path("r", "kept-9.safetensors"))
        os.unlink(self.path("r", "run.json"))
        self.train("r", "--quiet", "train.keep_every=3")
        self.assertEqual(tree(self.path("r"))["kept-9.safetensors"][0], whole)
        self.ends(0, "audit", "r")


class Longer(Case):
    """sweep --extend train.iterations=N: the bits of a sweep that was planned so."""

    LAST = 24

    def sweep(self, *words, status=0, results="r"):
        return self.ends(status, "sweep", "t.yaml", "--results", results, *words).stderr

    def write_config(self, **train):
        train = {"iterations": 12, "batch": 16, "lr": 0.05, "warmup": "{lr: 0.01, iterations: 2}", "lr_drops": "{at: [9, 18]}", "log_every": 3,
                 "test_every": 6, "checkpoint_every": 4, **train}
        self.write("t.yaml", CONFIG[:CONFIG.index("\ntrain:") + 1] + "probe: {every: 6}\ntrain: {" + ", ".join(f"{k}: {v}" for k, v in train.items()) +
                   "}\nseeds: 2\nvariants: [{name: a}, {name: b, set: {model.shortcut: {type: dropout}}}]\n")

    def test_as_if_planned_so(self):
        self.write_config()
        self.sweep(f"train.iterations={self.LAST}", results="planned")
        want = exact(self.path("planned"))
        self.assertEqual(len([p for p in want if p.endswith("prev.safetensors")]), 4)
        self.sweep("--only", "*/seed-1")
        self.write_config(iterations=self.LAST)
        self.assertRegex(self.sweep(status=2), r"planned with other settings")
        self.sweep("--extend")
        self.assertEqual(exact(self.path("r")), want)
        self.ends(0, "audit", "r/t")
        self.ends(0, "verify", "r/t/a/seed-1")
        self.sweep("--extend")
        self.assertEqual(exact(self.path("r")), want)

    def test_what_cannot(self):
        for train, says in (({"schedule": "cosine", "lr_drops": "{at: []}"}, "train.schedule: cosine ends .*train.init_from"),
                            ({"lr_drops": "{at: [50%]}"}, "train.lr_drops.at has other iterations .*train.init_from"),
                            ({"log_every": 5}, "train.log_every: 5 does not divide the 12 iterations"),
                            ({"checkpoint_every": 7}, "train.checkpoint_every: 7 does not divide the 12 iterations")):
            with self.subTest(says):
                shutil.rmtree(self.path("r"), ignore_errors=True)
                self.write_config(**train)
                self.sweep("--only", "a/seed-1")
                before = tree(self.path("r"))
                self.write_config(**{**train, "iterations": self.LAST})
                self.assertRegex(self.sweep("--extend", status=2), r"\Askiplab: r/t\S* cannot go on to 24 iterations: " + says + r"[^\n]*\n\Z")
                self.assertEqual(tree(self.path("r")), before)
        self.write_config(iterations=6)
        self.assertRegex(self.sweep("--extend", status=2), r"train.iterations: 6 are not more than the 12")


class Plan(Case):
    """sample, order, notes; skiplab config and list."""

    def runs(self, *words):
        out = self.ends(0, "sweep", "s.yaml", "--dry-run", *words).stdout
        return [line.split()[-1] for line in out.splitlines()[1:] if "seed-" in line]

    def setUp(self):
        super().setUp()
        self.write("s.yaml", CONFIG.replace("name: t", "name: s") + "grid: {model.width: [2, 3, 4, 5], train.lr: [0.1, 0.2, 0.3]}\nseeds: 2\n")

    def test_a_sample(self):
        every = self.runs()
        some = self.runs("sample=5")
        self.assertEqual((len(every), len(some)), (24, 10))
        self.assertEqual([r for r in every if r in some], some)          # in the grid's order
        self.assertEqual(some, self.runs("sample={settings: 5, seed: 1}"))
        self.assertNotEqual(some, self.runs("sample={settings: 5, seed: 2}"))
        self.assertEqual(every, self.runs("sample=12"))
        self.assertEqual(every, self.runs("sample=99"))
        self.assertLess(set(self.runs("sample=4")), set(some))           # a smaller one is part of it
        more = self.runs("grid={model.width: [2, 3, 4, 5, 6], train.lr: [0.1, 0.2, 0.3]}", "sample=5")
        self.assertLessEqual({r for r in more if "width=6" not in r}, set(some))
        left = self.runs("exclude=[{model.width: 2}]", "sample=5")
        self.assertEqual((len(left), [r for r in left if "width=2" in r]), (10, []))
        for word in ("sample=0", "sample=x", "sample={seed: 1}", "sample={settings: 3, sede: 1}", "sample=[3]"):
            self.assertRegex(self.ends(2, "sweep", "s.yaml", "--dry-run", word).stderr, r"\Askiplab: [^\n]*sample[^\n]*\n\Z")

    def test_an_order(self):
        seeds, variants = self.runs("order=seeds"), self.runs("order=variants")
        self.assertEqual(seeds, self.runs())
        self.assertEqual(sorted(seeds), sorted(variants))
        self.assertEqual([r[-1] for r in variants], ["1", "2"] * 12)
        self.assertEqual([r[-1] for r in seeds], ["1"] * 12 + ["2"] * 12)
        self.assertRegex(self.ends(2, "sweep", "s.yaml", "--dry-run", "order=x").stderr, "order must be seeds or variants")

    def test_config_is_what_the_run_has(self):
        self.ends(0, "sweep", "s.yaml", "--only", "*width=3,lr=0.2/seed-2", "notes=first\nsecond")
        shown = self.ends(0, "config", "s.yaml", "--variant", "identity/width=3,lr=0.2", "--seed", "2").stdout
        self.assertEqual(shown, self.read("results/s/identity/width=3,lr=0.2/seed-2/config.yaml"))

    def test_list_and_notes(self):
        self.ends(3, "list")
        self.write("s.yaml", self.read("s.yaml").replace("seeds: 2", "seeds: 1") + "notes: |\n  Which width?\n  Nobody knows.\nsample: 2\n")
        self.ends(0, "sweep", "s.yaml")
        self.write("u.yaml", CONFIG.replace("name: t", "name: u\nlabel: Another"))
        self.ends(0, "sweep", "u.yaml")
        self.write("results/broken/plan.json", "{")
        broken, s, u = self.ends(0, "list").stdout.splitlines()
        self.assertRegex(s, r"^s +done +2/2 +20\d\d-\d\d-\d\d \d\d:\d\dZ  Which width\?$")
        self.assertRegex(u, r"^u +done +1/1 +20\S+ \S+  Another$")
        self.assertRegex(broken, r"^broken +unreadable ")
        listed = json.loads(self.ends(0, "list", "results", "--json").stdout)["sweeps"]
        self.assertEqual([(x["name"], x["state"], x["done"]) for x in listed], [("broken", "unreadable", 0), ("s", "done", 2), ("u", "done", 1)])
        self.ends(0, "report", "results/s")
        self.assertRegex(self.read("results/s/report.md"), r"\*\*Notes:\*\* Which width\?\n\nNobody knows\.\n")


if __name__ == "__main__":
    main()
