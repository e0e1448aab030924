"""Figures for other places: plot --width and --ylim; what variants are called in them."""
import json

import study
from skl import *

CONFIG = """name: t
model: {depth: 8, width: 4}
data: {dataset: synthetic, synthetic: {train: 64, test: 16, size: 8, channels: 3, classes: 4}}
train: {iterations: 3, batch: 16, log_every: 1, test_every: 3}
"""


class Figures(Case):
    """plot --width and --ylim; labels of variants."""

    def setUp(self):
        super().setUp()
        study.make(self.path("r/s"), settings=3, seeds=2, rows=30)
        path = self.path("r/s/plan.json")
        with open(path) as f:
            plan = json.load(f)
        for item in plan["runs"]:
            item["label"] = "Gated, 'g' {x}"
        with open(path, "w") as f:
            f.write(sealed(plan))

    def test_widths(self):
        for word, inches, points in (("3.4in", {"test-error": 3.4, "panels": 3.4, "by-gate_bias": 3.4}, 8),
                                     ("6.6in", {"test-error": 6.6, "panels": 6.6, "by-gate_bias": 6.6}, 10),
                                     ("slide", {"test-error": 9, "panels": 10.4, "by-gate_bias": 9}, 16)):
            self.ends(0, "plot", "r/s", "--width", word, "--out", word)
            for stem, wide in inches.items():
                head = self.read(word, stem + ".svg")[:2000]
                self.assertAlmostEqual(float(re.search(r'<svg[^>]* viewBox="0 0 (\d+)', head).group(1)), 96 * wide, delta=1.5, msg=(word, stem))
            self.assertIn(f'font-size="{points * 96 / 72:.2f}', self.read(word, "test-error.svg"))
        self.assertRegex(self.ends(2, "plot", "r/s", "--width", "4in").stderr, "3.4in")

    def test_a_range(self):
        self.ends(0, "plot", "r/s", "--ylim", "5:20", "--out", "y")
        self.assertIn("Y_MIN = 5\nY_MAX = 20\nY_TICS = '5 10 15 20'\n", self.read("y", "test-error.gp"))
        self.assertIn("RIGHT_MIN[1] = 5\nRIGHT_MAX[1] = 20\n", self.read("y", "panels.gp"))
        self.assertNotIn("Y_MAX = 20\n", self.read("y", "training-loss.gp"))
        for word in ("5", "20:5", "a:b", "-1:5", "5:"):
            self.assertRegex(self.ends(2, "plot", "r/s", "--ylim", word).stderr, r"\Askiplab: [^\n]*--ylim[^\n]*\n\Z")

    def test_labels(self):
        self.ends(0, "plot", "r/s", "--out", "l")
        self.assertIn("""LABEL[2] = 'Gated, '."'".'g'."'".' {x}, b_g = −1 (""", self.read("l", "test-error.gp"))
        self.ends(0, "report", "r/s")
        self.assertIn("Gated, 'g' {x}, b_g = −1", self.read("r/s/report.md").replace("\\", ""))
        self.assertNotIn("Gated", self.read("r/s/summary.csv"))

    def test_part_of_a_sweep(self):
        self.ends(0, "plot", "r/s", "--width", "slide", "--only", "gates/gate_bias=0", "--metric", "train_loss")
        self.assertFalse(os.path.exists(self.path("r/s/figures")))
        self.assertTrue(os.path.exists(self.path("r/s/figures-part/training-loss.png")))

    def test_a_label_of_the_experiment(self):
        self.write("t.yaml", CONFIG + "variants: [{name: a, label: First one}, {name: b}]\n")
        self.ends(0, "sweep", "t.yaml")
        runs = json.loads(self.read("results/t/plan.json"))["runs"]
        self.assertEqual([r.get("label") for r in runs], ["First one", None])
        self.write("t.yaml", self.read("t.yaml").replace("First one", "Another"))
        before = exact(self.path("results"))
        self.ends(0, "sweep", "t.yaml", "--only", "b")
        self.assertEqual(exact(self.path("results")), before)
        self.assertRegex(self.ends(2, "config", "t.yaml", "variants=[{name: a, label: [x]}]").stderr, "label must be text")


if __name__ == "__main__":
    main()
