"""sweep --launch: lines of shell for other schedulers, and GNU parallel running them."""
import json
import shlex

from skl import *

CONFIG = """name: t
model: {depth: 8, width: 4}
data:
  dataset: synthetic
  synthetic: {train: 64, test: 32, size: 8, channels: 3, classes: 4}
train: {iterations: 4, batch: 16, log_every: 1, test_every: 2}
seeds: 3
"""
ODD = "it's a \"folder\" $HOME; größe & {} \\n"


class Launch(Case):
    def setUp(self):
        super().setUp()
        self.write("x.yaml", CONFIG)
        self.odd = self.path(ODD)
        os.mkdir(self.odd)

    def sweep_in_odd(self, *words):
        """From the folder with the odd name."""
        done = run("sweep", self.path("x.yaml"), *words, cwd=self.odd)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def states(self, results):
        return [run["state"] for run in json.loads(self.ends(0, "status", results, "--json").stdout)["runs"]]

    def test_a_line_a_run(self):
        self.ends(0, "sweep", "x.yaml", "--only", "*/seed-2")
        lines = self.ends(0, "sweep", "x.yaml", "--launch", "submit --name r{#} {} # {}", "--threads", "2").stdout.splitlines()
        self.assertEqual([shlex.split(line)[2] for line in lines], ["r1", "r3"])
        for line, seed in zip(lines, (1, 3)):
            words = shlex.split(line)
            self.assertEqual(words[3], words[5])
            command = shlex.split(words[3])
            self.assertEqual(command[:4] + command[5:], ["cd", os.path.realpath(self.dir), "&&", "exec", "train", "results/t/plan.json", "--run-dir",
                                                         f"results/t/identity/seed-{seed}", "--threads", "2"])
        self.assertEqual(self.states("results/t"), ["waiting", "done", "waiting"])

    def test_odd_paths_reach_the_run(self):
        """Everything that means something to a shell stands in the path of the results and of the working folder."""
        lines = self.sweep_in_odd("--results", ODD, "--launch", "sh -c {}").stdout
        self.assertEqual(len(lines.splitlines()), 3)
        done = subprocess.run(["sh", "-e"], input=lines, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.states(os.path.join(self.odd, ODD, "t")), ["done"] * 3)
        again = self.sweep_in_odd("--results", ODD, "--launch", "sh -c {}")
        self.assertEqual((again.stdout, again.stderr), ("", "t: nothing to launch: 3 runs are finished, failed or running\n"))

    def test_refusals(self):
        for words, says in ((["--launch", "submit"], "has no {}"), (["--launch", "{}\n"], "no line feed"), (["--launch", "{}", "--redo", "*"], "do not go together"),
                            (["--launch", "{}", "--slurm"], "--slurm is not for them"), (["--launch", "{}", "--jobs", "2"], "--jobs is not for them")):
            self.assertRegex(self.ends(2, "sweep", "x.yaml", *words).stderr, rf"\Askiplab: [^\n]*{says}[^\n]*\n\Z")
        self.assertFalse(os.path.exists(self.path("results")))

    def test_gnu_parallel(self):
        """The same bytes as by the sweep itself, from a folder with an odd name."""
        if not shutil.which("parallel") or "GNU parallel" not in subprocess.run(["parallel", "--version"], stdout=subprocess.PIPE, text=True).stdout:
            self.skipTest("GNU parallel is not here; on Debian: apt-get install parallel")
        lines = self.sweep_in_odd("--launch", "sh -c {}").stdout
        env = dict(os.environ, HOME=self.dir, SHELL="/bin/sh")
        subprocess.run(["parallel", "--will-cite", "--jobs", "2", "--halt", "soon,fail=1"], input=lines, cwd=self.dir, env=env, text=True, timeout=100, check=True)
        self.ends(0, "sweep", "x.yaml")
        self.assertEqual(exact(os.path.join(self.odd, "results/t")), exact(self.path("results/t")))


main()
