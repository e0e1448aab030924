"""sweep --slurm with stand-ins for Slurm's programs: what is submitted, and what the script does in an element.
tests/faults/test_slurm.py does it with a real one."""
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
env | grep -E '^(SLURM|SRUN|SBATCH|PMI)' > sbatch.env
if [ -e said ]; then cat said; exit; fi
if [ -e refuse ] && [ "$(grep -c END sbatch.log)" -ge "$(cat refuse)" ]; then echo 'sbatch: error: no such partition' >&2; exit 1; fi
echo "$(grep -c END sbatch.log);cluster"
"""
SRUN = """#!/bin/sh
while [ "${1#--}" != "$1" ]; do shift; done
if [ -e "$LAB/code" ]; then exit "$(cat "$LAB/code")"; fi
exec "$@"
"""
SCONTROL = """#!/bin/sh
if [ "$1" = requeue ]; then echo "$2" >> "$LAB/requeued"; exit; fi
if [ "$2" = job ]; then cat "$LAB/job"; exit; fi
echo "MaxArraySize            = $(cat max_array_size)"
"""
SQUEUE = """#!/bin/sh
[ ! -e "$LAB/silent" ] || { echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1; }
cat queue 2>/dev/null
exit 0
"""


class Stage(Case):
    def setUp(self):
        super().setUp()
        for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL), ("squeue", SQUEUE)):
            os.chmod(self.write("bin/" + name, text), stat.S_IRWXU)
        self.env = dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"], LAB=self.dir)
        self.write("x.yaml", CONFIG)
        self.write("max_array_size", "3")

    def submitted(self):
        return [s.strip().split("\n") for s in self.read("sbatch.log").split("END\n") if s.strip()]

    def element(self, words, index, **more):
        """Runs one element of an array as Slurm would."""
        script = next(i for i, w in enumerate(words) if w.endswith(".sh"))
        env = dict(self.env, SLURM_ARRAY_TASK_ID=str(index), SLURM_ARRAY_JOB_ID="9")
        return subprocess.Popen(["sh", *words[script:]], cwd=more.pop("cwd", self.dir), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def states(self):
        status = json.loads(self.ends(0, "status", "results/t", "--json").stdout)
        return [run["state"] for run in status["runs"]]

    def slurm_sweep(self, *words, code=0):
        return self.ends(code, "sweep", "x.yaml", "--slurm", *words, env=self.env)

    def lists(self):
        """The runs of each array, by the words of sbatch."""
        found = []
        for words in self.submitted():
            script = next(i for i, w in enumerate(words) if w.endswith(".sh"))
            count = int(re.search(r"--array=1-(\d+)", " ".join(words)).group(1))
            runs = self.read(words[script + 3]).splitlines()
            self.assertEqual(-(-len(runs) // int(words[script + 5])), count)
            found.append(runs)
        return found


class Elements(Stage):
    def test_runs_that_go_on(self):
        """sweep --extend train.iterations=N, by Slurm."""
        self.ends(0, "sweep", "x.yaml", "--only", "*/seed-1", "train.checkpoint_every=2")
        self.slurm_sweep("--extend", "train.checkpoint_every=2", "train.iterations=8")
        self.assertEqual(self.element(self.submitted()[0], 1).wait(timeout=200), 0)
        with open(self.path("results/t/identity/seed-1/run.json")) as f:
            record = json.load(f)
        self.assertEqual((record["state"], record["iteration"], record["resumes"]), ("done", 8, 1))

    def test_arrays_fit_the_scheduler_and_their_elements_train(self):
        out = self.ends(0, "sweep", "x.yaml", "--slurm", "--threads", "2", "--jobs", "1", env=self.env).stdout
        self.assertEqual(len(out.splitlines()), 2)
        first, second = self.submitted()
        self.assertIn("--array=1-2%1", first)
        self.assertIn("--array=1-1%1", second)
        self.assertNotIn("--dependency", " ".join(first))
        self.assertIn("--dependency=afterany:1", second)        # one at a time is one of both arrays together
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

    def test_only_what_must_be_is_queued_again(self):
        """By the run's exit code, and by what Slurm says of the job: what it ends itself it queues again itself."""
        self.slurm_sweep()
        words = self.submitted()[0]
        running = "JobId=9 JobState=RUNNING Reason=None Requeue=1 Restarts=0 BatchFlag=1 PreemptTime=None\n"
        completing = running.replace("RUNNING", "COMPLETING")
        for code, job, again in (
                (75, running, True), (75, "", True), (0, running, False), (1, running, False), (2, running, False), (3, running, False),
                (137, running, False),                                                          # killed for want of memory
                (75, completing, False),                                                        # cancelled
                (75, completing.replace("Restarts=0", "Restarts=1"), False),                    # requeued, preempted, node lost: Slurm has done it
                (75, completing.replace("Reason=None", "Reason=TimeLimit"), True),
                (75, completing.replace("PreemptTime=None", "PreemptTime=2026-11-27T21:09:17"), True)):
            with self.subTest(f"{code} {job}"):
                self.write("code", str(code))
                self.write("job", job)
                os.makedirs(self.path("results/t/identity/seed-1"), exist_ok=True)
                self.write("results/t/identity/seed-1/run.json", "{}")
                element = self.element(words, 1)
                element.communicate(timeout=60)
                self.assertEqual(element.returncode, code)
                self.assertEqual(os.path.exists(self.path("requeued")), again)
                if again:
                    os.remove(self.path("requeued"))

    def test_an_element_that_trains_nothing_does_not_end_with_0(self):
        self.slurm_sweep()
        words = self.submitted()[0]
        self.write("code", "0")
        element = self.element(words, 1)
        self.assertIn("skiplab: job 9_1 trained nothing", element.communicate(timeout=60)[1])
        self.assertEqual(element.returncode, 1)
        for changed, says in (({4: "/nowhere"}, "no folder /nowhere"), ({3: "results/t/slurm/none"}, "has no line 1")):
            script = next(i for i, w in enumerate(words) if w.endswith(".sh"))
            element = self.element([changed.get(i - script, w) for i, w in enumerate(words)], 1)
            self.assertIn(says, element.communicate(timeout=60)[1])
            self.assertEqual(element.returncode, 3)

    def test_runs_in_packs(self):
        """K runs an element, one after another; one that fails does not stop the next, one that is stopped does."""
        self.slurm_sweep("--pack", "2", "seeds=5")
        first, second = self.submitted()
        self.assertIn("--array=1-2", first)
        self.assertIn("--array=1-1", second)
        self.write("queue", "1 1 RUNNING None\n1 2 PENDING None\n")
        said = json.loads(self.ends(0, "status", "results/t", "--json", env=self.env).stdout)["runs"]
        self.assertEqual([r["slurm"]["job"] if r["slurm"] else r["slurm_log"] for r in said], ["1_1"] * 2 + ["1_2"] * 2 + ["results/t/slurm/2_1.log"])
        self.write("results/t/identity/seed-1/config.yaml", "name: another\n")
        element = self.element(first, 1)
        _, err = element.communicate(timeout=200)
        self.assertNotEqual(element.returncode, 0)
        self.assertEqual(self.states(), ["waiting", "done"] + ["waiting"] * 3, err)
        for words, index in ((first, 2), (second, 1)):
            self.assertEqual(self.element(words, index).wait(timeout=200), 0)
        self.assertEqual(self.states(), ["waiting"] + ["done"] * 4)
        os.remove(self.path("results/t/identity/seed-1/config.yaml"))
        self.write("job", "JobId=9 JobState=RUNNING Restarts=0 ")
        self.write("code", "75")                                # a time limit: the element goes back, the rest waits with it
        element = self.element(first, 1)
        self.assertEqual(element.communicate(timeout=60)[1].count("restart 0"), 1)
        self.assertEqual((element.returncode, self.read("requeued")), (75, "9_1\n"))

    def test_how_many_runs_are_a_pack(self):
        """auto: half an hour's, where the sweep has measured a run."""
        self.assertRegex(self.slurm_sweep("--pack", "auto", code=2).stderr, r"\Askiplab: --pack auto: [^\n]*none of t was measured[^\n]*\n\Z")
        for bad in ("0", "1001", "two", "2x", "-1"):
            self.assertRegex(self.slurm_sweep("--pack", bad, code=2).stderr, r"\Askiplab: --pack '[^\n]*\n\Z")
        self.assertIn("goes with --slurm", self.ends(2, "sweep", "x.yaml", "--pack", "2").stderr)
        self.ends(0, "sweep", "x.yaml", "--only", "*/seed-1")
        name = "results/t/identity/seed-1/run.json"
        record = json.loads(self.read(name))
        record["images_per_second"] = 4 * 16 / 500.0             # 500 s a run: three are half an hour
        self.write(name, json.dumps(record))
        self.assertEqual(self.slurm_sweep("--pack", "auto").stderr, "t: a run takes about 8 min: 3 runs an element of the array\n")
        self.assertEqual(self.lists(), [["identity/seed-2", "identity/seed-3"]])

    def test_in_another_working_folder(self):
        """--chdir: the job stands elsewhere, results and lists stay where they are."""
        self.slurm_sweep("--slurm-options", "--chdir=/")
        words = self.submitted()[0]
        output = next(w for w in words if w.startswith("--output="))
        self.assertEqual(output, "--output=" + os.path.realpath(self.path("results/t/slurm")) + "/%A_%a.log")
        element = self.element(words, 1, cwd="/")
        self.assertEqual((element.communicate(timeout=100), element.returncode)[1], 0)
        self.assertEqual(self.states()[0], "done")

    def test_submitted_from_inside_a_job(self):
        """Its own settings are not the new jobs'; how Slurm is reached is, and what the user sets for sbatch."""
        inside = {"SLURM_CPU_BIND": "quiet,mask_cpu:0x1", "SLURM_MEM_PER_CPU": "100", "SLURM_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "2",
                  "SRUN_CPUS_PER_TASK": "4", "PMI_RANK": "0", "SLURM_CONF": "/etc/conf", "SLURM_CLUSTERS": "a", "SBATCH_PARTITION": "long"}
        self.env.update(inside)
        self.slurm_sweep()
        self.assertEqual(sorted(self.read("sbatch.env").splitlines()), ["SBATCH_PARTITION=long", "SLURM_CLUSTERS=a", "SLURM_CONF=/etc/conf"])

    def test_what_left_the_queue_unfinished_is_named(self):
        self.slurm_sweep()
        self.write("queue", "1 1 PENDING None\n")
        said = json.loads(self.ends(0, "status", "results/t", "--json", env=self.env).stdout)["runs"]
        self.assertEqual([r.get("slurm_log") for r in said], [None, "results/t/slurm/1_2.log", "results/t/slurm/2_1.log"])
        self.assertRegex(self.ends(0, "status", "results/t", env=self.env).stdout, r"waiting [^\n]*seed-2 [^\n]*see results/t/slurm/1_2\.log\n")
        self.write("queue", "")
        self.slurm_sweep()                                      # submitted anew: the later job counts
        said = json.loads(self.ends(0, "status", "results/t", "--json", env=self.env).stdout)["runs"]
        self.assertEqual([r.get("slurm_log") for r in said], [f"results/t/slurm/{n}.log" for n in ("3_1", "3_2", "4_1")])
        self.env["PATH"] = "/usr/bin:/bin"
        if not shutil.which("squeue", path=self.env["PATH"]):   # nobody to ask: nothing is said
            self.assertNotIn("slurm_log", self.ends(0, "status", "results/t", "--json", env=self.env).stdout)

    def test_options_for_sbatch(self):
        self.slurm_sweep("--slurm-options", " --partition=long  -t 4:00:00 ")
        words = self.submitted()[0]
        at = words.index("--partition=long")
        self.assertEqual(words[at:at + 3], ["--partition=long", "-t", "4:00:00"])
        self.assertLess(at, words.index("--requeue"))
        for bad in ("long", "-t 5 long", "--time=5 long", "-t5 long", "--comment='a b'", '--comment="ab"', "-M other", "--clusters=other", "--array=1-5", "-a 1-5", "--output=x", "--signal=USR2@1"):
            self.assertRegex(self.slurm_sweep("--slurm-options", bad, code=2).stderr, r"\Askiplab: --slurm-options: [^\n]*\n\Z")
        self.assertIn("goes with --slurm", self.ends(2, "sweep", "x.yaml", "--slurm-options", "-t 5").stderr)
        self.assertEqual(len(self.submitted()), 2)

    def test_what_is_in_the_queue_is_not_submitted_again(self):
        self.slurm_sweep()
        self.write("queue", "1 1 RUNNING None\n1 2 PENDING JobArrayTaskLimit\n2 1 PENDING ReqNodeNotAvail, UnavailableNodes:a\n77 1 PENDING None\n")
        self.assertIn("in the queue", self.slurm_sweep().stderr)
        said = json.loads(self.ends(0, "status", "results/t", "--json", env=self.env).stdout)
        self.assertEqual([r["slurm"] for r in said["runs"]], [
            {"job": "1_1", "state": "RUNNING", "reason": "None"}, {"job": "1_2", "state": "PENDING", "reason": "JobArrayTaskLimit"},
            {"job": "2_1", "state": "PENDING", "reason": "ReqNodeNotAvail, UnavailableNodes:a"}])
        self.assertRegex(self.ends(0, "status", "results/t", env=self.env).stdout, r"seed-2 [^\n]*Slurm job 1_2: PENDING \(JobArrayTaskLimit\)\n")
        self.write("queue", "1 1 RUNNING None\n1 2 PENDING None\n")
        self.assertIn("2 runs are in the queue already", self.slurm_sweep().stderr)
        self.assertEqual(self.lists()[-1], ["identity/seed-3"])

    def test_an_element_waits_for_a_claim_to_end(self):
        """The process of an element that was begun again elsewhere may have left a claim that looks alive."""
        self.slurm_sweep()
        claim = "results/t/identity/seed-1/claim/1"
        self.write(claim + "/owner", "host elsewhere\nboot x\nspace x\npid 1\nstarted 1\n")
        element = self.element(self.submitted()[0], 1)
        time.sleep(3)
        self.assertIsNone(element.poll())
        shutil.rmtree(self.path(claim))
        _, err = element.communicate(timeout=100)
        self.assertEqual(element.returncode, 0, err)
        self.assertIn("in use by process 1 on elsewhere", err)

    def test_a_refusal_is_an_error(self):
        self.write("refuse", "1")
        result = self.ends(1, "sweep", "x.yaml", "--slurm", env=self.env)
        self.assertIn("sbatch refused", result.stderr)
        self.assertEqual(len(self.submitted()), 1)
        for text, said in (("kill -TERM $$", "sbatch refused .*exit code 143"), ("exit 127", "sbatch is not here, or cannot be run")):
            self.write("bin/sbatch", "#!/bin/sh\n" + text + "\n")
            self.assertRegex(self.slurm_sweep(code=1).stderr, rf"\Askiplab: {said}[^\n]*\n\Z")

    def test_what_sbatch_says(self):
        """A site's own sbatch greets and counts budgets; where no number came the array may be there all the same."""
        self.write("max_array_size", "1001")
        for said in ("Welcome\n\n--> ok\n41;here\n", "Submitted batch job 41\n", "41\r\n", "41\n12 hours are left\nbye\n"):
            with self.subTest(said):
                self.write("said", said)
                shutil.rmtree(self.path("results"), True)
                self.slurm_sweep()
                self.assertRegex(self.read("results/t/slurm/arrays.txt"), r"\A41 runs-\S+\.txt 1\n\Z")
        for said, word in (("", "no job's number"), ("all is well\n", "'all is well'"), ("\x1b[2J1x\n", "x1b"), ("9" * 40 + "\n", "'999")):
            with self.subTest(said):
                self.write("said", said)
                shutil.rmtree(self.path("results"), True)
                result = self.slurm_sweep(code=1)
                self.assertRegex(result.stderr, r"\Askiplab: sbatch ended with 0 [^\n\x1b]*squeue[^\n\x1b]*\n\Z")
                self.assertIn(word, result.stderr)
                self.assertFalse(os.path.exists(self.path("results/t/slurm/arrays.txt")))

    def test_a_queue_that_cannot_be_asked_doubles_nothing(self):
        self.slurm_sweep()
        self.write("silent", "")
        self.assertIn("squeue does not answer", self.slurm_sweep(code=1).stderr)
        self.assertEqual(len(self.submitted()), 2)
        self.assertEqual(self.states(), ["waiting"] * 3)

    def test_a_refusal_after_the_first_array_loses_and_doubles_nothing(self):
        self.write("refuse", "2")
        result = self.slurm_sweep(code=1)
        self.assertIn("sbatch refused", result.stderr)
        self.assertEqual(len(result.stdout.splitlines()), 1)
        os.remove(self.path("refuse"))
        self.write("queue", "1 1 PENDING None\n1 2 PENDING None\n")
        self.assertIn("2 runs are in the queue already", self.slurm_sweep().stderr)
        self.assertEqual(self.lists()[-1], ["identity/seed-3"])

    def test_without_slurm_it_says_so(self):
        os.remove(self.path("bin/sbatch"))
        self.env["PATH"] = self.path("bin")
        self.assertIn("sbatch is not here, or cannot be run", self.ends(1, "sweep", "x.yaml", "--slurm", env=self.env).stderr)


class Large(Stage):
    within = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None     # thousands of small files, each synced

    def test_large_plans_are_cut_into_arrays(self):
        """The default MaxArraySize of 1001 allows the indices 1 to 1000."""
        self.write("max_array_size", "1001")
        for seeds, rates, sizes in ((143, 7, [1000, 1]), (500, 5, [1000, 1000, 500])):
            self.write("x.yaml", CONFIG + f"variants:\n  - {{name: v, grid: {{train.lr: {[r / 8 for r in range(rates)]}}}}}\n")
            self.slurm_sweep(f"seeds={seeds}", f"name=t{seeds}")
            lists = self.lists()
            self.assertEqual([len(l) for l in lists], sizes)
            runs = [r["run"] for r in json.loads(self.read(f"results/t{seeds}/plan.json"))["runs"]]
            self.assertEqual(len(set(runs)), seeds * rates)
            self.assertEqual([r for l in lists for r in l], runs)
            os.remove(self.path("sbatch.log"))


main()
