"""sweep --slurm with stand-ins for sbatch, srun and scontrol: what is submitted, and what the script does in an element."""
import json
import stat

from skl import *

CONFIG = """name: t
model: {depth: 8, width: 4}
data:
  dataset: synthetic
  synthetic: {train: 64, test: 32, size: 16, channels: 3, classes: 4}
train: {iterations: 4, batch: 16, log_every: 1, test_every: 2}
seeds: 3
"""
SBATCH = """#!/bin/sh
# Notes its words, a line each; does not run anything.
for word; do printf '%s\\n' "$word"; done >> sbatch.log
echo END >> sbatch.log
if [ -e refuse ]; then echo 'sbatch: error: no such partition' >&2; exit 1; fi
echo "$(grep -c END sbatch.log);cluster"
"""
SRUN = """#!/bin/sh
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""
SCONTROL = """#!/bin/sh
if [ "$1" = requeue ]; then echo "$2" >> requeued; exit; fi
echo 'MaxArraySize            = 3'
"""


class Slurm(Case):
    def setUp(self):
        super().setUp()
        for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL)):
            os.chmod(self.write("bin/" + name, text), stat.S_IRWXU)
        self.env = dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"])
        self.write("x.yaml", CONFIG)

    def submitted(self):
        return [s.strip().split("\n") for s in self.read("sbatch.log").split("END\n") if s.strip()]

    def element(self, words, index, **more):
        """Runs one element of an array as Slurm would."""
        script = next(i for i, w in enumerate(words) if w.endswith(".sh"))
        env = dict(self.env, SLURM_ARRAY_TASK_ID=str(index), SLURM_ARRAY_JOB_ID="9")
        return subprocess.Popen(["sh", *words[script:]], cwd=self.dir, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def states(self):
        status = json.loads(self.ends(0, "status", "results/t", "--json").stdout)
        return [run["state"] for run in status["runs"]]

    def test_arrays_fit_the_scheduler_and_their_elements_train(self):
        out = self.ends(0, "sweep", "x.yaml", "--slurm", "--threads", "2", "--jobs", "1", env=self.env).stdout
        self.assertEqual(len(out.splitlines()), 2)
        first, second = self.submitted()
        self.assertIn("--array=1-2%1", first)
        self.assertIn("--array=1-1%1", second)
        for word in ("--parsable", "--requeue", "--open-mode=append", "--cpus-per-task=2", "--signal=B:USR1@120", "--job-name=skiplab-t"):
            self.assertIn(word, first)
        self.assertEqual(self.states(), ["waiting"] * 3)
        for words, index in ((first, 1), (first, 2), (second, 1)):
            element = self.element(words, index)
            _, err = element.communicate(timeout=200)
            self.assertEqual(element.returncode, 0, err)
        self.assertEqual(self.states(), ["done"] * 3)
        self.assertFalse(os.path.exists(self.path("requeued")))
        os.remove(self.path("sbatch.log"))
        self.assertIn("nothing to submit", self.ends(0, "sweep", "x.yaml", "--slurm", env=self.env).stderr)
        self.assertFalse(os.path.exists(self.path("sbatch.log")))

    def test_a_preempted_element_writes_a_checkpoint_and_is_queued_again(self):
        self.ends(0, "sweep", "x.yaml", "--slurm", "train.iterations=100000", env=self.env)
        words = self.submitted()[0]
        self.assertIn("--array=1-2", words)
        element = self.element(words, 2)
        wait_until(lambda: os.path.exists(self.path("results/t/identity/seed-2/train.csv")) and
                   len(self.read("results/t/identity/seed-2/train.csv").splitlines()) > 3)
        element.send_signal(signal.SIGUSR1)
        _, err = element.communicate(timeout=200)
        self.assertEqual(element.returncode, 75, err)
        self.assertEqual(self.read("requeued"), "9_2\n")
        self.assertTrue(os.path.exists(self.path("results/t/identity/seed-2/last.safetensors")))
        self.assertEqual(self.states(), ["waiting", "interrupted", "waiting"])

    def test_a_refusal_is_an_error(self):
        self.write("refuse", "")
        result = self.ends(1, "sweep", "x.yaml", "--slurm", env=self.env)
        self.assertIn("sbatch refused", result.stderr)
        self.assertEqual(len(self.submitted()), 1)

    def test_without_slurm_it_says_so(self):
        os.remove(self.path("bin/sbatch"))
        self.env["PATH"] = self.path("bin")
        self.assertIn("sbatch is not here", self.ends(1, "sweep", "x.yaml", "--slurm", env=self.env).stderr)


main()
