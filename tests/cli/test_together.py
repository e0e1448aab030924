"""Several sweeps in one figure (plot A B), over iterations or over images seen."""
import json

import study
from skl import *

NO_GNUPLOT = {**os.environ, "PATH": "/nowhere"}         # scripts and data are written all the same


class Together(Case):
    def setUp(self):
        super().setUp()
        for name, settings, rows in (("a", 2, 20), ("b", 1, 40)):
            study.make(self.path("r", name), settings=settings, seeds=2, rows=rows)

    def plan(self, name, change):
        plan = json.loads(self.read("r", name, "plan.json"))
        change(plan)
        self.write(f"r/{name}/plan.json", json.dumps(plan))

    def batch(self, name, batch):
        self.plan(name, lambda plan: [run.update(batch=batch) for run in plan["runs"]])

    def scripts(self, *words):
        self.assertIn("gnuplot is not installed", self.ends(1, "plot", *words, env=NO_GNUPLOT).stderr)

    def refused(self, status, words, *args):
        message = self.ends(status, "plot", *args, env=NO_GNUPLOT).stderr
        self.assertRegex(message, rf"\Askiplab: plot: [^\n]*{words}[^\n]*\n\Z")

    def labels(self, script):
        return re.findall(r"^LABEL\[\d+\] = '(.*?) \(", script, re.M)

    def test_one_picture_of_both(self):
        done = self.ends(0, "plot", "r/a", "r/b", "--out", "x")
        self.assertEqual(done.stdout, "x/training-loss.{svg,pdf,png,gp}\nx/test-error.{svg,pdf,png,gp}\n")
        script = self.read("x/test-error.gp")
        self.assertEqual(self.labels(script), ["a: gates, b_g = 0", "a: gates, b_g = −1", "b: gates, b_g = 0"])
        self.assertEqual(re.findall(r"^STYLE.* = (\d+)", script, re.M), ["0", "1", "2"])
        self.ends(0, "plot", "r/b", "--out", "alone")
        self.assertEqual(self.read("x/data/b-gates-gate_bias_0.test_error.csv"), self.read("alone/data/gates-gate_bias_0.test_error.csv"))
        with open(self.path("x/test-error.svg")) as f:
            self.assertIn("b: gates, b_g = 0", f.read())
        shutil.copy(self.path("x/test-error.gp"), self.path("x/mine.gp"))
        subprocess.run(["gnuplot", "mine.gp"], cwd=self.path("x"), check=True, stderr=subprocess.DEVNULL)
        self.assertTrue(os.path.getsize(self.path("x/mine.pdf")))
        self.assertIn("b: gates, b_g = 0", self.ends(0, "plot", "r/a", "r/b", "--terminal").stdout)
        self.assertEqual(sorted(os.listdir(self.path("r/a"))), ["gates", "plan.json"])

    def test_over_images(self):
        self.batch("b", 256)
        self.scripts("r/a", "r/b", "--align", "images", "--out", "x")
        script = self.read("x/test-error.gp")
        self.assertIn("X_LABEL = 'Images seen (×10⁵)'\nX_MIN = 0.0\nX_MAX = 1024000.0\n", script)
        self.assertIn("X_COLUMN = 'images'\n", script)
        for name, batch, last in (("a", 64, 2000), ("b", 256, 4000)):
            rows = self.read(f"x/data/{name}-gates-gate_bias_0.test_error.csv").splitlines()
            self.assertEqual((rows[0], rows[-1].split(",")[0]), ("images,seeds,median,low,high", str(batch * last)))
        self.scripts("r/a", "r/b", "--align", "images", "--xlim", "100000:200000", "--out", "x")
        self.assertIn("X_MIN = 100000.0\nX_MAX = 200000.0\n", self.read("x/test-error.gp"))
        self.refused(2, "--xlim leaves nothing to show: the curves end at image 1024000", "r/a", "r/b", "--align", "images", "--xlim", "2000000:", "--out", "y")

    def test_one_sweep_over_images(self):
        self.plan("a", lambda plan: plan.update(figure={"xlim": ":100"}))
        self.scripts("r/a", "--align", "images")
        self.assertIn("X_MAX = 128000.0\n", self.read("r/a/figures-part/test-error.gp"))         # a file's xlim is in iterations
        self.assertIn("X_LABEL = 'Images seen (×10⁴)'\n", self.read("r/a/figures-part/panel-gates-gate_bias_-1.gp"))
        os.remove(self.path("r/a/plan.json"))
        self.scripts("r/a", "--align", "images", "--out", "x")                                   # config.yaml says it too
        self.assertIn("X_MAX = 128000.0\n", self.read("x/test-error.gp"))
        for seed in "12":
            path = f"r/a/gates/gate_bias=0/seed-{seed}/config.yaml"
            self.write(path, self.read(path).replace("batch: 64, ", ""))
        self.refused(3, "train.batch", "r/a", "--align", "images", "--out", "x")

    def test_names(self):
        shutil.copytree(self.path("r/a"), self.path("q/a"))
        self.plan("b", lambda plan: [run.update(label="{/=20 x}_^@'\"é") for run in plan["runs"]])
        self.scripts("r/a", "r/b/", "q/a/", "--only", "gates/gate_bias=0", "--out", "x")
        script = self.read("x/test-error.gp")
        self.assertEqual(self.labels(script)[0::2], ["r/a: gates, b_g = 0", "q/a: gates, b_g = 0"])
        self.assertIn("b: {/=20 x}_^@'.\"'\".'\"é, b_g = 0", script)
        self.scripts("r/a", "r/b", "--only", "b/*", "--out", "y")
        self.assertEqual(re.findall(r"LABEL\[\d\] = '(.):", self.read("y/test-error.gp")), ["a", "b"])         # the baseline stays

    def test_what_is_no_figure(self):
        self.refused(2, "--out DIR", "r/a", "r/b")
        self.refused(2, "once more", "r/a", "r/b", "r/../r/a", "--out", "x")
        self.refused(3, "r/none: no such folder", "r/a", "r/none", "--out", "x")
        self.refused(3, "r/a: no run has a validation.csv", "r/a", "r/b", "--metric", "validation_error", "--out", "x")
        self.refused(2, "matches no variant of r/a, r/b", "r/a", "r/b", "--only", "z", "--out", "x")
        self.assertRegex(self.ends(2, "plot", "r/a", "--align", "epochs").stderr, "images")
        config = "r/b/gates/gate_bias=0/seed-1/config.yaml"
        self.write(config, self.read(config).replace("test: 512", "test: 500"))
        self.refused(2, "r/a has data.synthetic.test 512, r/b has data.synthetic.test 500", "r/a", "r/b", "--out", "x")
        self.write(config, self.read(config).replace("dataset: synthetic", "dataset: mnist"))
        self.refused(2, "r/a has data.dataset synthetic, r/b has data.dataset mnist", "r/a", "r/b", "--out", "x")
        for name in "ab":
            record = f"r/{name}/gates/gate_bias=0/seed-1/run.json"
            self.write(record, json.dumps({**json.loads(self.read(record)), "data": name * 16}))
        shutil.copy(self.path("r/a/gates/gate_bias=0/seed-1/config.yaml"), self.path(config))
        self.refused(2, "fingerprint", "r/a", "r/b", "--out", "x")
        self.assertFalse(os.path.exists(self.path("x")))


main()
