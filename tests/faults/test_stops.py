"""How runs end: by signals and how fast, by mistakes in a shortcut, by others who want the same folder."""
import json

from lab import *

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
TRIES = 5       # one of which must be fast: the machine may be busy with other things


DEEP = """name: deep
model: {depth: 110}
data: {dataset: synthetic, synthetic: {train: 1280, test: 1280, size: 32, channels: 3, classes: 10}}
train: {iterations: 100000, batch: 128, bn_batch: 64, log_every: 1, test_every: 100000, checkpoint_every: 100000}
"""


class Stops(Lab):
    def start_train(self, *words):
        folder = self.folder()
        return folder, self.start("train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", "2", *words)

    def wait_for_rows(self, folder, count):
        def there():
            try:
                with open(os.path.join(folder, "train.csv")) as f:
                    return f.read().count("\n") > count
            except OSError:
                return False
        wait_until(there, every=0.005)

    def seconds_to_end(self, process):
        begin = time.monotonic()
        process.communicate(timeout=60)
        return time.monotonic() - begin


@unittest.skipIf(SANITIZED, "a sanitized program is timed by nobody, and a deep net takes it minutes")
class DeepSignals(Stops):
    def test_a_signal_ends_a_deep_run_within_two_seconds_with_a_checkpoint(self):
        """ResNet-110, mini-batches of 128 images of 32x32; in an iteration, and in an evaluation of 10 of them."""
        self.write("x.yaml", DEEP)
        for what, words in (("training", ()), ("testing", ("train.test_every=1",))):
            took = []
            for _ in range(TRIES):
                folder, process = self.start_train(*words)
                self.wait_for_rows(folder, 2)
                time.sleep(self.random.uniform(0, 1))
                process.send_signal(signal.SIGTERM)
                took.append(self.seconds_to_end(process))
                self.assertEqual(process.returncode, 75)
                self.assertTrue(whole(os.path.join(folder, "last.safetensors")))
                if not SLOW and min(took) < 2:
                    break
            self.took(what, min(took), 2)


class Signals(Stops):
    def test_a_signal_ends_a_run_within_a_second_with_a_checkpoint(self):
        self.write("x.yaml", config(iterations=1000000, checkpoint=1000000))
        for number in SIGNALS:
            took = []
            for _ in range(TRIES):
                folder, process = self.start_train()
                self.wait_for_rows(folder, self.random.randint(2, 30))
                process.send_signal(number)
                took.append(self.seconds_to_end(process))
                self.assertEqual(process.returncode, 75)
                self.assertTrue(whole(os.path.join(folder, "last.safetensors")))
                if not SLOW and min(took) < 1:
                    break
            self.took(signal.Signals(number).name, min(took), 1)

    def test_a_second_signal_ends_it_at_once(self):
        """Even where the first is of no use: the shortcut never returns."""
        self.write("x.yaml", config("{type: saboteur, how: hang, at: 3}", checkpoint=1) + f"plugins: [{SABOTEUR}]\n")
        took = []
        for _ in range(TRIES):
            folder, process = self.start_train()
            self.wait_for_rows(folder, 4)       # the header, and 0 to 3: now it is in iteration 3
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            self.assertIsNone(process.poll())
            process.send_signal(signal.SIGTERM)
            took.append(self.seconds_to_end(process))
            self.assertEqual(process.returncode, 75)
            self.assertTrue(whole(os.path.join(folder, "last.safetensors")))
            if not SLOW and min(took) < 0.2:
                break
        self.took("the second", min(took), 0.2)


class Kills(Lab):
    """kill -9 at random times, up to five times a run, for every shortcut in two unit orders."""

    def kills_of_one_run(self, seconds):
        folder, kills = self.folder(), 0
        while kills < 5:
            process = self.start("train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", "2")
            time.sleep(self.random.uniform(0, seconds))
            process.kill()
            if process.wait() == 0:
                break
            kills += 1
        self.train(folder, code=0)
        self.same(folder, f"{kills} kills")
        return kills

    def test_killed_at_random_times(self):
        kills = 0
        for shortcut, order in itertools.product(VARIANTS, ("original", "full_preact")):
            begin = time.monotonic()
            self.reference(config(shortcut, order=order))
            seconds, before = time.monotonic() - begin, kills
            while kills - before < (25 if SLOW else 3):
                kills += self.kills_of_one_run(seconds)
        print(kills, "kills", end=" ")


class Mistakes(Lab):
    """A plug-in that ends its run badly disturbs no other run of the sweep."""

    SWEEP = config("{type: identity}").replace("name: tiny", "name: t") + f"plugins: [{SABOTEUR}]\nvariants:\n" + "".join(
        f"  - {{name: {how}, set: {{model.shortcut: {{type: saboteur, how: {how}, at: 7}}}}}}\n"
        for how in ("nan", "segfault", "abort", "exit", "nothing")) + "  - {name: original, set: {model.shortcut: {type: identity}}}\n"

    def states(self):
        said = json.loads(self.ends(0, "status", "results/t", "--json").stdout)
        return {r["variant"]: r for r in said["runs"]}

    def test_a_nan_is_a_result_at_its_iteration(self):
        self.write("x.yaml", self.SWEEP)
        for variant in ("nan", "original", "nothing"):
            self.ends(0, "sweep", "x.yaml", "--only", variant, "--threads", "1")
        states = self.states()
        self.assertEqual((states["nan"]["state"], states["nan"]["iteration"]), ("diverged", 8))
        self.assertIn("iteration 7", states["nan"]["cause"])
        rows = self.read("results/t/nan/seed-1/train.csv").splitlines()
        self.assertEqual(rows[:-1], self.read("results/t/nothing/seed-1/train.csv").splitlines()[:len(rows) - 1])
        self.assertIn("nan", rows[-1])
        self.assertEqual(states["original"]["state"], "done")

    def test_crashes_stay_alone_and_say_why(self):
        self.write("x.yaml", self.SWEEP)
        result = self.ends(1, "sweep", "x.yaml", "--threads", "1", "--jobs", "2")
        states = self.states()
        self.assertEqual({name: s["state"] for name, s in states.items()},
                         {"nan": "diverged", "segfault": "failed", "abort": "failed", "exit": "failed", "nothing": "done", "original": "done"})
        for name, cause in (("segfault", "signal 11"), ("abort", "signal 6"), ("exit", "exit code 3")):
            self.assertIn(cause, states[name]["cause"])
            self.assertRegex(result.stderr, rf"failed +{name}/seed-1: [^\n]*{cause}")
        record = json.loads(self.read("results/t/exit/seed-1/run.json"))
        self.assertRegex(record["last_lines"], r"\A([^\n]+\n)*saboteur: I have had enough\Z")
        self.assertRegex(result.stderr, r"failed: results/t/exit/seed-1\n[^\n]*\n(  \| [^\n]*\n)*  \| saboteur: I have had enough\n")
        again = self.ends(1, "sweep", "x.yaml")
        self.assertNotIn("started", again.stderr)
        self.ends(3, "audit", "results/t")

    def test_a_hanging_run_is_ended(self):
        self.write("x.yaml", self.SWEEP.replace("how: exit", "how: hang"))
        result = self.ends(1, "sweep", "x.yaml", "--only", "[eno]*", "--jobs", "2", "--threads", "1", "--hang", "1.5")
        states = self.states()
        self.assertEqual({name: s["state"] for name, s in states.items()},
                         {"nan": "diverged", "segfault": "waiting", "abort": "waiting", "exit": "failed", "nothing": "done", "original": "done"})
        self.assertRegex(states["exit"]["cause"], "killed: no sign of life for 2 s")
        self.assertRegex(result.stderr, r"failed +exit/seed-1: killed: no sign of life")
        self.assertEqual(processes(self.dir), {})
        self.assertNotIn("started", self.ends(1, "sweep", "x.yaml", "--only", "exit").stderr)

    def test_a_long_evaluation_is_no_hang(self):
        """Thirty mini-batches of 0.1 s between two iterations."""
        text = self.SWEEP.replace("how: exit, at: 7", "how: slow_test, at: 100").replace("test: 24", "test: 480")
        self.write("x.yaml", text)
        self.ends(0, "sweep", "x.yaml", "--only", "exit", "--threads", "1", "--hang", "2", "train.iterations=2", "train.test_every=1")

    def memory_group(self, limit):
        """A control group of so many bytes: the file that takes process numbers; None where that is not allowed."""
        for root, name in (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
            group = os.path.join(root, f"skiplab-test-{os.getpid()}")
            try:
                os.mkdir(group)
                self.addCleanup(os.rmdir, group)
                with open(os.path.join(group, name), "r+") as f:        # the kernel has made it
                    f.write(str(limit))
                return os.path.join(group, "cgroup.procs")
            except OSError:
                pass
        return None

    def test_want_of_memory_is_told_and_disturbs_nobody(self):
        group = self.memory_group(400 << 20)
        if not group:
            self.skipTest("control groups for memory are not allowed here")
        self.write("x.yaml", self.SWEEP.replace("how: exit", "how: memory"))
        p = subprocess.run(["sh", "-c", f'echo $$ > {group} && exec "$0" "$@"', PROGRAM, "sweep", "x.yaml", "--only", "[eno]*", "--threads", "1"],
                           cwd=self.dir, stderr=subprocess.PIPE, text=True, timeout=100)
        self.assertEqual(p.returncode, 1, p.stderr)
        states = self.states()
        self.assertIn("signal 9: the machine, or this job's share of it, ran out of memory", states["exit"]["cause"])
        self.assertEqual([states[name]["state"] for name in ("nan", "nothing", "original")], ["diverged", "done", "done"])

    def test_fail_fast_stops_the_others_with_a_checkpoint(self):
        self.write("x.yaml", self.SWEEP.replace("how: nan, at: 7", "how: slow, at: 50").replace("how: segfault, at: 7", "how: abort, at: 9"))
        result = self.ends(1, "sweep", "x.yaml", "--fail-fast", "--jobs", "2", "--threads", "1")
        self.assertEqual([s["state"] for s in self.states().values()], ["interrupted", "failed"] + ["waiting"] * 4)
        self.assertTrue(whole(self.path("results/t/nan/seed-1/last.safetensors")))
        self.assertRegex(result.stderr, r"interrupted +nan/seed-1")

    def test_a_hanging_run_can_be_stopped(self):
        self.write("x.yaml", self.SWEEP.replace("how: exit", "how: hang"))
        driver = self.start("sweep", "x.yaml", "--only", "exit", "--threads", "1")
        wait_until(lambda: os.path.exists(self.path("results/t/exit/seed-1/last.safetensors")))
        driver.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        driver.send_signal(signal.SIGTERM)
        driver.communicate(timeout=20)
        self.assertNotEqual(driver.returncode, 0)
        wait_until(lambda: not processes(self.dir), seconds=5)


class Races(Lab):
    """Several processes want one folder at the same moment: exactly one trains, nothing is done twice."""

    def race(self, rounds, env=None):
        def once(round):
            folder = self.folder()
            both = [self.start("train", "x.yaml", "--run-dir", folder, "--threads", "1", env=env) for _ in range(2)]
            said = [p.communicate(timeout=60)[1] for p in both]
            codes = sorted(p.returncode for p in both)
            self.assertIn(codes, ([0, 4], [0, 0]), said)     # the slower one: busy, or already done
            self.assertEqual(sum("done after" in s for s in said), 1, said)
            for text, process in zip(said, both):
                if process.returncode == 4:
                    self.assertRegex(text, r"skiplab: [^\n]*process \d+ on ")
            self.same(folder, f"race {round}")

        print(self.everywhere(once, range(rounds), each_core=2), "races", end=" ")

    def test_one_of_two_trains(self):
        self.reference(config(iterations=6))
        self.race(1000 if SLOW else 20 if SANITIZED else 100)

    def test_one_of_two_trains_where_file_locks_are_worth_nothing(self):
        self.reference(config(iterations=6))
        self.race(1000 if SLOW else 10, env=self.faulty("nolock 0"))

    def test_two_drivers_run_everything_once(self):
        self.write("x.yaml", config(iterations=2) + "seeds: 3\n")

        def once(round):
            results = f"results{round}"
            both = [self.start("sweep", "x.yaml", "--results", results, "--threads", "1", "--jobs", "2") for _ in range(2)]
            for driver in both:
                _, err = driver.communicate(timeout=60)
                self.assertEqual(driver.returncode, 0, err)
            for seed in (1, 2, 3):
                log = self.read(results, "tiny/exclusive_gating", f"seed-{seed}", "stderr.log")
                self.assertEqual(log.count("done after"), 1, log)

        self.everywhere(once, range(100 if SLOW else 3), each_core=4)


main()
