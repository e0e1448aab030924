"""sweep --slurm on a real Slurm that the test starts for itself: eight runs through preemption, requeue, a dead node and a
time limit end with the bytes of an undisturbed sweep."""
import json

import slurm_lab
from slurm_lab import *

# Every run sleeps its 9 seconds away, whatever the machine; two at a time take 36, and the controller looks after time
# limits every 30.
CONFIG = """name: t
model: {depth: 8, width: 4, shortcut: {type: saboteur, how: slow, at: 60}}
data:
  dataset: synthetic
  synthetic: {train: 96, test: 24, size: 8, channels: 3, classes: 4}
train: {iterations: 150, batch: 16, log_every: 1, test_every: 50, checkpoint_every: 1000}
plugins: [%s]
seeds: 4
variants:
  - {name: dropped, set: {data.augment: {pad: 2, flip: true}}}
  - {name: wide, set: {model.width: 6}}
"""


class Real(Case):
    def setUp(self):
        super().setUp()
        self.victims = []
        self.write("x.yaml", CONFIG % os.path.abspath(os.environ["SABOTEUR"]))
        self.slurm = Slurm(self.path("slurm"))
        self.addCleanup(self.slurm.stop)

    def status(self):
        said = json.loads(self.ends(0, "status", "results/t", "--json", env=self.slurm.env).stdout)
        return {r["run"]: r for r in said["runs"]}

    def record(self, run):
        try:
            return json.loads(self.read("results/t", run, "run.json"))
        except OSError:
            return {}

    def records(self):
        return {run: self.record(run) for run in self.status()}

    def logs(self):
        """What the elements of the array said."""
        folder = self.path("results/t/slurm")
        return "".join(self.read(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".log"))

    def rows(self, run):
        try:
            return self.read("results/t", run, "train.csv").count("\n")
        except OSError:
            return 0

    def running(self, rows=3, count=2):
        """Runs with so many rows whose process lives, once there are `count` of them."""
        def look():
            found = [r for r, s in self.status().items() if s["state"] == "running" and self.rows(r) > rows]
            return found if len(found) >= count else None
        return wait_until(look, seconds=40, every=0.1)

    def stopped(self, runs):
        """They have written a checkpoint at a signal, and wait for their turn again."""
        wait_until(lambda: all(self.record(run)["state"] == "interrupted" for run in runs), seconds=10, every=0.05)
        for run in runs:
            self.assertRegex(self.record(run)["cause"], "signal (10|15)")
            self.assertTrue(os.path.exists(self.path("results/t", run, "last.safetensors")))
        self.victims += runs

    def preempt(self):
        """A job of a better partition wants both cores."""
        victims = self.running()
        self.slurm.ask("sbatch", "--partition=high", "--ntasks=2", "--output=/dev/null", "--wrap=sleep 1")
        self.stopped(victims)

    def requeue(self):
        victim, *_ = self.running()
        self.slurm.ask("scontrol", "requeue", self.status()[victim]["slurm"]["job"])
        self.stopped([victim])

    def lose_the_node(self):
        victims = self.running()
        node = "nodename=" + self.slurm.ask("sinfo", "--noheader", "--format=%N")
        self.slurm.ask("scontrol", "update", node, "state=down", "reason=test")
        self.stopped(victims)
        self.slurm.ask("scontrol", "update", node, "state=resume")

    def finish(self):
        wait_until(lambda: all(s["state"] == "done" for s in self.status().values()), seconds=80, every=0.3)
        wait_until(lambda: self.slurm.ask("squeue", "--noheader") == "", seconds=20, every=0.2)

    def run_it_all(self):
        out = self.ends(0, "sweep", "x.yaml", "--slurm", "--slurm-options", "--partition=low --time=1", env=self.slurm.env).stdout
        self.assertRegex(out, r"\Ajob array \d+: 8 runs of results/t/slurm/runs-[\d-]+\.txt\n\Z")
        self.assertIn("in the queue", self.ends(0, "sweep", "x.yaml", "--slurm", env=self.slurm.env).stderr)
        self.assertRegex(self.ends(0, "status", "results/t", env=self.slurm.env).stdout, r"waiting [^\n]* Slurm job \d+_8: PENDING")
        self.preempt()
        warned = self.logs().count("signal 10")
        self.requeue()
        self.lose_the_node()
        self.finish()
        self.assertGreater(self.logs().count("signal 10"), warned, "no time limit was reached")
        for run, record in self.records().items():
            self.assertGreaterEqual(record["resumes"], self.victims.count(run), run)
            restarts = [int(n) for n in re.findall(rf"restart (\d+): results/t/{run}\n", self.logs())]
            self.assertEqual(restarts, list(range(record["resumes"] + 1)), run)     # nothing was begun twice

    def test_eight_runs_through_everything(self):
        self.ends(0, "sweep", "x.yaml", "--jobs", "8", "--threads", "1", "--results", "local")
        local, submitted = exact(self.path("local/t")), time.monotonic()
        try:
            self.run_it_all()
        except BaseException:
            print(self.slurm.logs(), self.slurm.ask("squeue"), self.logs(), sep="\n")
            raise
        took = time.monotonic() - submitted
        self.assertEqual(exact(self.path("results/t")), local)
        self.ends(0, "audit", "results/t")
        print(f"resumed {sum(r['resumes'] for r in self.records().values())} times", end=" ")
        self.took("Slurm", took, 90)

    def test_packs(self):
        """Two runs an element; one that is queued again in its second run does not begin the first anew."""
        words = ["seeds=2", "train.iterations=60", "train.test_every=20"]
        self.ends(0, "sweep", "x.yaml", "--jobs", "4", "--threads", "1", "--results", "local", *words)
        try:
            out = self.ends(0, "sweep", "x.yaml", "--slurm", "--pack", "2", *words, env=self.slurm.env).stdout
            self.assertRegex(out, r"\Ajob array \d+: 4 runs, 2 an element, of results/t/slurm/runs-[\d-]+\.txt\n\Z")
            first = wait_until(lambda: [r for r, s in self.status().items() if s["state"] == "done"], seconds=60, every=0.1)[0]
            job = self.status()[first]["slurm"]["job"]
            second = next(r for r, s in self.status().items() if r != first and s["slurm"]["job"] == job)
            wait_until(lambda: self.rows(second) > 3, seconds=40, every=0.05)
            self.slurm.ask("scontrol", "requeue", job)
            self.stopped([second])
            self.finish()
        except BaseException:
            print(self.slurm.logs(), self.slurm.ask("squeue"), self.logs(), sep="\n")
            raise
        self.assertEqual(exact(self.path("results/t")), exact(self.path("local/t")))
        self.assertEqual({run: r["resumes"] for run, r in self.records().items() if r["resumes"]}, {second: 1})

    def test_halving(self):
        """Elements that wait for each other at a rung are queued again until the others have come."""
        words = ["seeds=1", "train.iterations=60", "train.test_every=20", "data.validation=24", "give_up.halving.every=20"]
        self.ends(0, "sweep", "x.yaml", "--jobs", "2", "--threads", "1", "--results", "local", *words)
        try:
            self.ends(0, "sweep", "x.yaml", "--slurm", "--jobs", "1", *words, env=self.slurm.env)    # one at a time: the first must wait
            wait_until(lambda: "paused" in [s["state"] for s in self.status().values()], seconds=40, every=0.1)
            wait_until(lambda: sorted(s["state"] for s in self.status().values()) == ["done", "stopped"], seconds=80, every=0.3)
            wait_until(lambda: self.slurm.ask("squeue", "--noheader") == "", seconds=20, every=0.2)
        except BaseException:
            print(self.slurm.logs(), self.slurm.ask("squeue"), self.logs(), sep="\n")
            raise
        self.assertEqual(exact(self.path("results/t")), exact(self.path("local/t")))
        self.assertIn("--pack: runs wait for each other", self.ends(2, "sweep", "x.yaml", "--slurm", "--pack", "2", "name=u", *words, env=self.slurm.env).stderr)

    def test_a_cancelled_element_stays_away(self):
        """Submitted from inside another job, whose settings would stop every srun."""
        inside = dict(self.slurm.env, SLURM_CPU_BIND="quiet,mask_cpu:0xF000", SLURM_MEM_PER_CPU="1000000", SLURM_NTASKS="7", SLURM_JOB_ID="99999")
        try:
            self.ends(0, "sweep", "x.yaml", "--slurm", "--slurm-options", "--chdir=/", "seeds=1", env=inside)
            victim = self.running()[0]
            job = self.status()[victim]["slurm"]["job"]
            self.slurm.ask("scancel", job)
            self.stopped([victim])
            wait_until(lambda: job not in self.slurm.ask("squeue", "--noheader", "--array", "--format=%F_%K"), seconds=20, every=0.2)
            self.finish_others(victim)
            state = self.status()[victim]
            self.assertEqual((state["state"], state["slurm"], state["slurm_log"]), ("interrupted", None, f"results/t/slurm/{job}.log"))
        except BaseException:
            print(self.slurm.logs(), self.slurm.ask("squeue"), self.logs(), sep="\n")
            raise

    def finish_others(self, victim):
        wait_until(lambda: all(s["state"] == "done" for r, s in self.status().items() if r != victim), seconds=60, every=0.3)
        wait_until(lambda: self.slurm.ask("squeue", "--noheader") == "", seconds=20, every=0.2)


if slurm_lab.missing():
    print(f"skipped: {slurm_lab.missing()} is not here; on Debian: apt-get install slurm-wlm munge")
    sys.exit(77)
alone(os.path.abspath(sys.argv[0]))
main()
