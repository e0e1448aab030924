"""skiplab probe: initial nets, checkpoints, weights from files; what it prints and what it refuses."""
import json

from skl import *

CONFIG = """\
name: lab
model: {depth: 8, width: 8}
data: {dataset: synthetic, synthetic: {train: 48, test: 16, size: 8, channels: 3, classes: 10}}
train: {iterations: 4, batch: 16, bn_batch: 8, log_every: 2, test_every: 4, checkpoint_every: 2}
probe: {every: 2}
seeds: [1, 2]
variants:
  - {name: plain-sum, set: {model.shortcut: {type: identity}}}
  - {name: gate, set: {model.shortcut: {type: exclusive_gating}}}
"""
FIGURES = ["signal_rms", "branch_rms", "gradient_rms", "shortcut_gain", "direct_gain", "direct_share", "direct_cosine",
           "clipped", "gate_mean"]


class Probe(Case):
    def setUp(self):
        super().setUp()
        self.write("lab.yaml", CONFIG)
        self.write("model.yaml", "model: {depth: 8, width: 8}\n")

    def units(self, *args):
        result = self.ends(0, "probe", *args, "--json")
        return json.loads(result.stdout)

    def rows(self, folder, iteration):
        with open(self.path(folder, "probe.csv")) as f:
            head, *lines = f.read().splitlines()
        return [dict(zip(head.split(","), line.split(","))) for line in lines if line.startswith("%d," % iteration)]

    def assert_row(self, row, unit):
        for key in FIGURES:
            self.assertEqual(row[key], "nan" if unit[key] is None else "%.9g" % unit[key], key)

    def test_json(self):
        units = self.units("model.yaml")
        self.assertEqual([u["unit"] for u in units], [0, 1, 2])
        self.assertEqual([u["stage"] for u in units], [1, 2, 3])
        self.assertEqual([u["name"] for u in units], ["layer1.0", "layer2.0", "layer3.0"])
        for u in units:
            self.assertEqual(list(u), ["unit", "stage", "name"] + FIGURES + ["sum_share"])
            self.assertEqual(u["shortcut_gain"], 1)
            self.assertIsNone(u["gate_mean"])
            self.assertTrue(0 < u["direct_gain"] <= 1 and u["gradient_rms"] > 0)

    def test_table(self):
        lines = self.ends(0, "probe", "model.yaml", "model.order=full_preact").stdout.splitlines()
        self.assertIn("ResNet-8, identity (identity), 32 images, loss ", lines[0])
        self.assertEqual(lines[2].split()[0], "unit")
        self.assertEqual([line.split()[0] for line in lines[3:]], ["layer1.0", "layer2.0", "layer3.0"])
        self.assertEqual({len(line.split()) for line in lines[2:]}, {2 + len(FIGURES)})

    def test_responses(self):
        layers = json.loads(self.ends(0, "probe", "model.yaml", "--responses", "--json").stdout)
        self.assertEqual([r["layer"] for r in layers], list(range(1, 8)))
        self.assertEqual(layers[0]["name"], "conv1")
        for r in layers: self.assertAlmostEqual(r["std"], 1, delta=1e-3)
        self.assertIn("layer3.0.conv2", self.ends(0, "probe", "model.yaml", "--responses").stdout)

    def test_threads_and_overrides(self):
        one = self.ends(0, "probe", "model.yaml", "--json", "--threads", 1).stdout
        self.assertEqual(one, self.ends(0, "probe", "model.yaml", "--json", "--threads", 3).stdout)
        scaled = self.units("model.yaml", "model.shortcut={type: constant_scaling, shortcut_scale: 0.25}")
        self.assertEqual({u["shortcut_gain"] for u in scaled}, {0.25})

    def test_variant_and_seed(self):
        first = self.ends(0, "probe", "lab.yaml", "--json")
        self.assertIn("holds 4 runs; this is plain-sum/seed-1", first.stderr)
        gate = self.ends(0, "probe", "lab.yaml", "--json", "--variant", "gate", "--seed", 2)
        self.assertEqual(gate.stderr, "")
        self.assertGreater(json.loads(gate.stdout)[0]["gate_mean"], 0)
        self.assertNotEqual(self.units("lab.yaml", "--seed", 1), self.units("lab.yaml", "--seed", 2))

    def test_every_command_on_a_file_chooses_alike(self):
        with_runs = [c for c in commands() if {"--variant", "--seed"} <= set(re.findall(r"--[a-z]+", self.ends(0, c, "--help").stdout))]
        self.assertLessEqual({"train", "probe", "step", "summary"}, set(with_runs))
        more = {"step": ["--weights", "absent", "--out", "x"], "eval": ["--weights", "absent"]}
        for command in with_runs:
            with self.subTest(command):
                first = run(command, "lab.yaml", *more.get(command, ()), cwd=self.dir)
                self.assertIn("holds 4 runs; this is plain-sum/seed-1", first.stderr)
                gate = run(command, "lab.yaml", "--variant", "gate", *more.get(command, ()), cwd=self.dir)
                self.assertIn("holds 2 runs of that variant; this is gate/seed-1", gate.stderr)
                one = run(command, "lab.yaml", "--variant", "gate", "--seed", 7, *more.get(command, ()), cwd=self.dir)
                self.assertNotIn(" runs", one.stderr)
                self.assertIn("no variant 'gat' (did you mean 'gate'?)", self.ends(2, command, "lab.yaml", "--variant", "gat", *more.get(command, ())).stderr)
                self.assertIn("'1.5' is not a whole number", self.ends(2, command, "lab.yaml", "--seed", "1.5", *more.get(command, ())).stderr)
        self.assertIn("exclusive_gating", self.ends(0, "summary", "lab.yaml", "--variant", "gate").stdout)

    def test_the_rows_of_a_run(self):
        """Iteration 0 is the config's net, the last rows are the last checkpoint's, the ones before prev's."""
        self.ends(0, "train", "lab.yaml", "--variant", "gate", "--seed", 1, "--run-dir", "run", "--quiet")
        start = self.units("lab.yaml", "--variant", "gate", "--seed", 1, "--images", 8)
        for what, iteration in ((None, 0), ("run/prev.safetensors", 2), ("run/last.safetensors", 4), ("run", 4)):
            units = self.units(what, "--images", 8) if what else start
            rows = self.rows("run", iteration)
            self.assertEqual(len(rows), 3)
            for row, unit in zip(rows, units): self.assert_row(row, unit)
        self.assertNotEqual(start, units)

    def test_more_images_than_there_are(self):
        for all_48, asked_400 in zip(self.units("lab.yaml", "--images", 48), self.units("lab.yaml", "--images", 400)):
            for key in FIGURES[:-1]: self.assertAlmostEqual(all_48[key], asked_400[key], delta=1e-5 * all_48[key])

    def refused(self, status, *args, says):
        result = self.ends(status, "probe", *args)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\Askiplab: [^\n]+\n\Z")
        self.assertIn(says, result.stderr)

    def test_refused(self):
        self.refused(2, "absent.yaml", says="absent.yaml")
        self.refused(3, "absent.safetensors", says="no checkpoint")
        self.refused(3, ".", says="no checkpoint")
        self.refused(2, "lab.yaml", "--variant", "gat", says="no variant 'gat'")
        self.refused(2, "model.yaml", "--seed", "x", says="not a whole number")
        self.refused(2, "model.yaml", "--images", "0", says="--images")
        self.refused(2, "model.yaml", "--batch", "b.safetensors", says="--weights")
        self.refused(3, "model.yaml", "--weights", "b.safetensors", says="b.safetensors")
        self.refused(2, "lab.yaml", "model.dpeth=20", says="dpeth")

    def test_checkpoints_refused(self):
        self.ends(0, "train", "lab.yaml", "--variant", "plain-sum", "--seed", 1, "--run-dir", "run", "--quiet")
        self.refused(2, "run", "model.depth=14", says="a checkpoint has its settings")
        self.refused(2, "run", "--seed", "1", says="a checkpoint has its settings")
        shutil.copy(self.path("run", "last.safetensors"), self.path("alone.safetensors"))
        self.refused(3, "alone.safetensors", says="config.yaml' is missing")
        config = self.read("run", "config.yaml")
        self.write("run/config.yaml", config.replace("width: 8", "width: 16"))
        self.refused(3, "run", says="does not belong to the config.yaml beside it")
        self.write("run/config.yaml", config)
        with open(self.path("run", "last.safetensors"), "r+b") as f:
            f.seek(-3, 2)
            f.write(b"!")
        self.refused(3, "run", says="last.safetensors")


main()
