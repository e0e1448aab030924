"""give_up.halving: settings that are behind at a rung stop, whatever the order, the number and the fate of the processes."""
import csv
import json
import math
import random
import statistics

from skl import *

EVERY, ITERATIONS = 8, 24
CONFIG = """name: t
model: {depth: 8, width: 4}
data:
  dataset: synthetic
  validation: 32
  synthetic: {train: 128, test: 32, size: 8, channels: 3, classes: 4}
train: {iterations: 24, batch: 16, log_every: 2, test_every: 4, checkpoint_every: 6, keep_every: 8}
probe: {every: 8}
give_up: {halving: {every: 8, keep: 0.5}}
seeds: 2
grid: {train.lr: [0.0001, 0.1, 0.01, 0.3, 0.001]}
"""


class Halving(Case):
    def setUp(self):
        super().setUp()
        self.write("x.yaml", CONFIG)

    def record(self, run, results="results"):
        return json.loads(self.read(results, "t", run, "run.json"))

    def plan(self, results="results"):
        return json.loads(self.read(results, "t/plan.json"))["runs"]

    def row(self, run, log, iteration):
        """The error there; infinite where there is no such row."""
        with open(self.path("results/t", run, log)) as f:
            return next((float(r["error"]) for r in csv.DictReader(f) if int(r["iteration"]) == iteration), math.inf)

    def expected(self, log="validation.csv", keep=0.5):
        """{setting: the iteration it is stopped at, or None}, by the rows alone."""
        settings = {}
        for run in self.plan():
            settings.setdefault(run["setting"], []).append(run["run"])
        stops, still = dict.fromkeys(settings), list(settings)
        for rung in range(EVERY, ITERATIONS, EVERY):
            if len(still) > 1:
                value = {s: statistics.median(self.row(r, log, rung) for r in settings[s]) for s in still}
                kept = sorted(still, key=lambda s: (value[s], still.index(s)))[:max(1, math.ceil(keep * len(still)))]
                stops.update((s, rung) for s in still if s not in kept)
                still = [s for s in still if s in kept]
        return stops

    def check(self, **rule):
        stops = self.expected(**rule)
        for run in self.plan():
            record, at = self.record(run["run"]), stops[run["setting"]]
            if record["state"] == "diverged":
                continue
            self.assertEqual((record["state"], record["iteration"]), ("stopped", at) if at else ("done", ITERATIONS), run["run"])
            self.assertEqual(record["test_error_final"] is None, bool(at))
        return sorted(at for at in stops.values() if at)

    def test_the_worse_settings_stop(self):
        self.ends(0, "sweep", "x.yaml", "--jobs", "2")
        self.assertEqual(self.check(), [8, 8, 16])
        self.ends(0, "audit", "results/t")
        self.assertEqual(self.ends(0, "sweep", "x.yaml").stderr, "t: 4 of 10 runs done, 6 stopped by halving; results in results/t\n")
        said = json.loads(self.ends(0, "status", "results/t", "--json").stdout)
        self.assertEqual((said["states"]["done"], said["states"]["stopped"]), (4, 6))
        stopped = next(r["run"] for r in said["runs"] if r["state"] == "stopped")
        self.assertRegex(self.record(stopped)["cause"], r"\Astopped by halving at iteration \d+: validation error [\d.]+ % \(median of 2 runs\), place \d of \d, \d go on\Z")
        self.ends(0, "verify", "results/t/" + stopped)
        # What goes on has the bytes of a run that nobody ranked.
        going = next(r["run"] for r in said["runs"] if r["state"] == "done")
        self.ends(0, "sweep", "x.yaml", "give_up.halving.every=0", "--results", "plain", "--only", going)
        for name in ("train.csv", "test.csv", "validation.csv", "probe.csv"):
            self.assertEqual(self.read("results/t", going, name), self.read("plain/t", going, name))
        self.check_report()

    def check_report(self):
        """No error of theirs in it."""
        self.ends(0, "report", "results/t")
        page = self.read("results/t/report.md")
        results = page[page.index("## Results"):page.index("## Figures")]
        apart = page[page.index("## Stopped by halving"):page.index("## Runs over the limit")]
        self.assertIn("They are no results", apart)
        self.assertNotIn("Not complete", page)
        with open(self.path("results/t/summary.csv")) as f:
            rows = {r["setting"].replace(", ", "/", 1): r for r in csv.DictReader(f)}
        with open(self.path("results/t/runs.csv")) as f:
            runs = list(csv.DictReader(f))
        for setting, at in self.expected().items():
            label = setting.replace("identity/lr=", "identity, lr ")
            self.assertEqual(label + " |" in results, not at, label)
            self.assertEqual(label + " |" in apart, bool(at), label)
            self.assertEqual((rows[setting]["test_error_median"] == "", rows[setting]["finished"]), (True, "0") if at else (False, "2"))
            self.assertEqual({r["test_error"] == "" for r in runs if r["setting"] == setting.replace("/", ", ")}, {bool(at)})

    def test_orders_kills_and_companions(self):
        """One at a time, three at a time, variant by variant, killed again and again, two sweeps at once: the same bytes."""
        self.ends(0, "sweep", "x.yaml", "--results", "one")
        want, draw = exact(self.path("one/t")), random.Random(3)
        self.ends(0, "sweep", "x.yaml", "order=variants", "--jobs", "3", "--results", "three")
        two = [subprocess.Popen([PROGRAM, "sweep", "x.yaml", "--jobs", "2", "--results", "two"], cwd=self.dir, stderr=subprocess.DEVNULL) for _ in range(2)]
        self.assertEqual([p.wait(timeout=200) for p in two], [0, 0])
        for _ in range(4 if SANITIZED else 12):
            p = subprocess.Popen([PROGRAM, "sweep", "x.yaml", "--jobs", "2", "--results", "killed"], cwd=self.dir, stderr=subprocess.DEVNULL)
            try:
                p.wait(timeout=0.05 + 0.4 * draw.random())
            except subprocess.TimeoutExpired:
                p.send_signal(draw.choice((signal.SIGKILL, signal.SIGTERM)))
                p.wait()
        self.ends(0, "sweep", "x.yaml", "--jobs", "2", "--results", "killed")
        for results in ("three", "two", "killed"):
            got = exact(self.path(results, "t"))
            self.assertEqual({k for k in want if got.get(k) != want[k]}, set(), results)
            self.assertEqual(got.keys(), want.keys())

    def test_by_the_training_error_and_ties_and_divergence(self):
        """A setting whose runs diverged is the last; equal ones stand as in the plan."""
        self.write("x.yaml", CONFIG.split("grid:")[0] + "variants:\n" + "".join(
            f"  - {{name: {n}, set: {{train.lr: {lr}}}}}\n" for n, lr in (("wild", "1000"), ("b", "1e-30"), ("a", "1e-30"), ("c", "1e-30"))))
        self.ends(0, "sweep", "x.yaml", "--jobs", "2", "seeds=1", "give_up.halving.by=train", "data.validation=0", "train.iterations=24", "model.width=8")
        self.assertEqual(self.expected(log="train.csv"), {"wild": 8, "b": None, "a": 16, "c": 8})
        self.assertEqual(self.check(log="train.csv"), [8, 8, 16])
        self.assertEqual(self.record("wild/seed-1")["state"], "diverged")

    def test_who_waits(self):
        """Without the others nothing is decided, and a run that failed is waited for."""
        result = self.ends(75, "sweep", "x.yaml", "--only", "identity/lr=0.1")
        self.assertRegex(result.stderr, r"2 runs wait at a rung of give_up.halving for runs that --only leaves out")
        said = json.loads(self.ends(0, "status", "results/t", "--json").stdout)
        self.assertEqual((said["states"]["paused"], said["states"]["waiting"]), (2, 8))
        self.assertEqual(self.record("identity/lr=0.1/seed-1")["cause"], "waits for identity/lr=0.0001/seed-1")
        self.ends(0, "sweep", "x.yaml", "--jobs", "2")
        self.check()

    def test_refusals(self):
        for words, says in ((["data.validation=0"], "no images are held out"), (["give_up.halving.every=6"], "multiple of train.test_every 4"),
                            (["give_up.halving.every=9"], "multiple of train.log_every 2"), (["give_up.halving.keep=2"], "give_up.halving.keep"),
                            (["give_up.halving.every=8", "train.iterations=8010"], "more than 1000 times"),
                            (["give_up.halving.by=test"], "validation, train"),
                            (["grid={train.iterations: [24, 48]}"], "train.iterations must be the same in all"),
                            (["grid={give_up.halving.keep: [0.2, 0.5]}"], "give_up.halving must be the same in all")):
            self.assertRegex(self.ends(2, "sweep", "x.yaml", *words).stderr, rf"\A[^\n]*{says}[^\n]*\n\Z")
        self.assertRegex(self.ends(2, "train", "x.yaml", "--quiet").stderr, r"ranks the settings of a sweep[^\n]*\n\Z")
        self.ends(0, "sweep", "x.yaml", "--jobs", "2")
        before = tree(self.path("results/t"))
        for words in (["--extend", "seeds=3"], ["--extend", "train.iterations=32"], ["--redo", "identity/lr=0.1"]):
            self.assertRegex(self.ends(2, "sweep", "x.yaml", *words).stderr, r"ranked beside each other[^\n]*\n\Z")
        self.assertEqual(tree(self.path("results/t")), before)
        self.ends(0, "sweep", "x.yaml", "--jobs", "2", "--redo", "*")
        self.check()


main()
