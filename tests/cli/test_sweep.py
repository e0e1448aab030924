"""Sweeps: runs as processes, resume after any death, failures that stay alone, several drivers on one folder."""
import json
import struct

from skl import *

CONFIG = """name: t
model: {{depth: 8, width: 4}}
data:
  dataset: synthetic
  synthetic: {{train: {images}, test: {images}, size: {size}, channels: 3, classes: 4}}
train: {{iterations: {iterations}, batch: {batch}, log_every: {log}, test_every: {test}, checkpoint_every: {checkpoint}}}
seeds: 2
variants:
  - name: original
    set: {{model.shortcut: {{type: identity}}}}
  - name: gates
    set: {{model.shortcut: {{type: exclusive_gating}}}}
"""
RUNS = ["gates/seed-1", "gates/seed-2", "original/seed-1", "original/seed-2"]


class Sweep(Case):
    def config(self, iterations=40, images=64, size=8, batch=16, log=10):
        return self.write("x.yaml", CONFIG.format(iterations=iterations, test=iterations // 2, checkpoint=max(10, iterations // 20),
                                                  images=images, size=size, batch=batch, log=log))

    def long_config(self):
        """Runs long enough to disturb them; the build tells how long that is."""
        return self.config(iterations=int(os.environ.get("SKIPLAB_ITERATIONS", "400")), images=256, size=16, batch=32, log=5)

    def states(self, results="results"):
        status = json.loads(self.ends(0, "status", f"{results}/t", "--json").stdout)
        return {run["run"]: run for run in status["runs"]}

    def state(self, run, results="results"):
        return self.states(results)[run]["state"]

    def rows(self, run, results="results"):
        try:
            return len(self.read(results, "t", run, "train.csv").splitlines())
        except OSError:
            return 0

    def children(self):
        """Processes of runs below this test's folder: those whose parent is a sweep of ours."""
        found = {}
        for pid, arguments in processes("--run-dir").items():
            try:
                if os.path.realpath(os.readlink(f"/proc/{pid}/cwd")) == os.path.realpath(self.dir):
                    found[pid] = arguments
            except OSError:
                pass
        return found

    def child(self, run):
        return next((pid for pid, arguments in self.children().items() if any(a.endswith("t/" + run) for a in arguments)), None)

    references = {}

    def reference(self):
        """What the runs of the present config look like when nothing disturbs them."""
        config = self.read("x.yaml")
        if config not in self.references:
            self.ends(0, "sweep", "x.yaml", "--jobs", "2", "--results", "undisturbed")
            self.references[config] = exact(self.path("undisturbed/t"))
        return self.references[config]

    def finished_like(self, reference):
        self.assertEqual({run: s["state"] for run, s in self.states().items()}, dict.fromkeys(RUNS, "done"))
        found = exact(self.path("results/t"))
        self.assertEqual(found.keys(), reference.keys())
        for path in found:
            self.assertEqual(found[path], reference[path], path)


class Whole(Sweep):
    def test_jobs_and_threads_do_not_change_a_byte(self):
        self.config()
        self.ends(0, "sweep", "x.yaml", "--results", "one", "--jobs", "1", "--threads", "1")
        self.ends(0, "sweep", "x.yaml", "--results", "two", "--jobs", "2", "--threads", "3")
        one, two = exact(self.path("one/t")), exact(self.path("two/t"))
        self.assertEqual(len(one), 5 * len(RUNS))
        self.assertEqual(one, two)

    def test_train_alone_gives_the_same_bytes_as_its_sweep(self):
        self.config()
        self.ends(0, "sweep", "x.yaml", "--only", "gates/seed-2")
        self.assertEqual(list(self.states()), ["original/seed-1", "gates/seed-1", "original/seed-2", "gates/seed-2"])
        self.ends(0, "train", "results/t/gates/seed-2/config.yaml", "--run-dir", "again")
        self.assertEqual(exact(self.path("again")), exact(self.path("results/t/gates/seed-2")))

    def test_a_second_sweep_touches_nothing(self):
        self.config()
        first = self.ends(0, "sweep", "x.yaml")
        self.assertEqual(first.stdout, "")
        before = tree(self.path("results"))
        second = self.ends(0, "sweep", "x.yaml")
        self.assertEqual(tree(self.path("results")), before)
        self.assertIn("4 of 4 runs done", second.stderr)
        self.assertNotIn("started", second.stderr)

    def test_a_folder_that_is_called_as_options_are(self):
        """Its runs are handed its path as a word."""
        self.config()
        self.ends(0, "sweep", "x.yaml", "--results", "-r", "--only", "original/seed-1")
        self.assertTrue(os.path.exists(self.path("-r/t/original/seed-1/run.json")))

    def test_only_and_dry_run(self):
        self.config()
        dry = self.ends(0, "sweep", "x.yaml", "--dry-run").stdout
        self.assertIn("4 runs, 4 not finished", dry)
        self.assertEqual(os.listdir(self.dir), ["x.yaml"])
        self.ends(0, "sweep", "x.yaml", "--only", "original")
        self.assertEqual([r for r, s in self.states().items() if s["state"] == "done"], ["original/seed-1", "original/seed-2"])
        self.assertIn("4 runs, 2 not finished", self.ends(0, "sweep", "x.yaml", "--dry-run").stdout)
        self.assertRegex(self.ends(2, "sweep", "x.yaml", "--only", "nothing").stderr, r"--only 'nothing'")
        self.assertRegex(self.ends(2, "sweep", "x.yaml", "--redo", "nothing").stderr, r"--redo 'nothing'")

    def test_redo_begins_anew_and_ends_the_same(self):
        self.config()
        self.ends(0, "sweep", "x.yaml")
        before = tree(self.path("results/t"))
        self.ends(0, "sweep", "x.yaml", "--redo", "gates/seed-1")
        after = tree(self.path("results/t"))
        touched = {os.path.dirname(p) for p in after if after[p] != before.get(p)}
        self.assertEqual(touched, {"gates/seed-1"})
        for path in after:
            if os.path.basename(path) in EXACT:
                self.assertEqual(after[path][0], before[path][0], path)

    def test_diverged_runs_are_results(self):
        self.config()
        result = self.ends(0, "sweep", "x.yaml", "--only", "original/seed-1", "train.lr=1000")
        self.assertIn("diverged", result.stderr)
        self.assertEqual(self.state("original/seed-1"), "diverged")
        self.assertNotIn("started", self.ends(0, "sweep", "x.yaml", "--only", "original/seed-1", "train.lr=1000").stderr)


    def test_hopeless_runs_are_given_up(self):
        self.config()
        result = self.ends(0, "sweep", "x.yaml", "--only", "original/seed-1", "give_up.iteration=20", "give_up.train_error_above=1")
        self.assertIn("1 of 1 run done", result.stderr)
        state = self.states()["original/seed-1"]
        self.assertEqual((state["state"], state["iteration"]), ("done", 20))
        self.assertRegex(state["cause"], r"fail \(stopped\): train error above 1 % at iteration 20")
        self.assertEqual(self.read("results/t/original/seed-1/train.csv").splitlines()[-1].split(",")[0], "20")
        self.ends(0, "audit", "results/t/original/seed-1")
        self.assertNotIn("started", self.ends(0, "sweep", "x.yaml", "--only", "original/seed-1", "give_up.iteration=20",
                                              "give_up.train_error_above=1").stderr)


class OtherSettings(Sweep):
    def test_other_settings_are_refused_key_by_key(self):
        self.config()
        self.ends(0, "sweep", "x.yaml")
        before = tree(self.path("results"))
        result = self.ends(2, "sweep", "x.yaml", "train.lr=0.05", "model.width=8")
        for text in ("train.lr", "0.05", "0.1", "model.width", "--redo"):
            self.assertIn(text, result.stderr)
        self.assertNotIn("momentum", result.stderr)
        self.assertEqual(tree(self.path("results")), before)

    def test_redo_replaces_other_settings(self):
        self.config()
        self.ends(0, "sweep", "x.yaml", "--only", "original/*")
        result = self.ends(2, "sweep", "x.yaml", "--only", "original/*", "train.lr=0.05", "--redo", "original/*")
        self.assertRegex(result.stderr, r"2 runs were planned with other settings; gates/seed-1: train\.lr: 0\.1 there, 0\.05 here\n")
        self.ends(0, "sweep", "x.yaml", "--only", "original/*", "train.lr=0.05", "--redo", "*")
        self.assertIn("lr: 0.05", self.read("results/t/original/seed-1/config.yaml"))
        self.assertEqual(self.state("original/seed-2"), "done")

    def refused(self, pattern, *words):
        """The reason first, then what to do; a dry run says the same."""
        before = tree(self.path("results"))
        result = self.ends(2, "sweep", "x.yaml", *words)
        self.assertRegex(result.stderr, r"\Askiplab: [^\n]*results/t[^\n]*" + pattern)
        self.assertEqual(self.ends(2, "sweep", "x.yaml", *words, "--dry-run").stderr, result.stderr)
        self.assertEqual(tree(self.path("results")), before)

    def test_a_plan_that_began_is_not_changed(self):
        self.config()
        self.ends(0, "sweep", "x.yaml", "--only", "original/seed-1")
        self.refused(r"no longer has original/seed-1 and others", "seeds=[2]")
        self.refused(r"no longer has original/seed-1 and others", "seeds=[2,3]", "--extend")
        self.refused(r"4 runs were planned with other settings; original/seed-1: train\.lr: 0\.1 there, 0\.05 here\n", "train.lr=0.05")
        self.refused(r"4 runs were planned with other settings", "train.lr=0.05", "--extend")
        self.refused(r"4 runs were planned with other settings", "train.lr=0.05", "--only", "gates/*")
        self.refused(r"planned with 4 runs, now there are 2 more: --extend adds them\n", "seeds=3")
        # What has not begun is part of the plan too.
        good = self.read("x.yaml")
        self.write("x.yaml", good.replace("set: {model.shortcut: {type: exclusive_gating}}", "set: {model.shortcut: {type: exclusive_gating, gate_bias: -3}, train.momentum: 0.8}"))
        self.refused(r"2 runs were planned with other settings; gates/seed-1: model\.shortcut\.gate_bias: -6 there, -3 here; train\.momentum: 0\.9 there, 0\.8 here\n")
        self.write("x.yaml", good[:good.index("  - name: gates")])
        self.refused("no longer has gates/seed-1 and others")
        self.write("x.yaml", good + "  - {name: more, set: {model.width: 6}}\n")
        self.refused("now there are 2 more")
        self.write("x.yaml", good)
        self.ends(0, "sweep", "x.yaml")

    def test_a_dry_run_says_what_the_sweep_will_do(self):
        self.config()
        self.ends(0, "sweep", "x.yaml", "--only", "original/seed-1")
        os.remove(self.path("results/t/plan.json"))         # then the runs themselves are asked
        self.refused(r"[^\n]*holds another run[^\n]*\nskiplab: to keep the results", "train.lr=0.05")
        self.ends(0, "sweep", "x.yaml", "--only", "original/seed-1")
        before = tree(self.path("results"))
        listed = self.ends(0, "sweep", "x.yaml", "train.lr=0.05", "--redo", "*", "--dry-run").stdout
        self.assertEqual(len(re.findall(r"(?m)^redo ", listed)), 4)
        self.assertIn("4 runs, 4 not finished", listed)
        self.assertIn("6 runs, 5 not finished", self.ends(0, "sweep", "x.yaml", "--extend", "seeds=3", "--dry-run").stdout)
        for words in (["--only", "no"], ["--redo", "no"]):
            result = self.ends(2, "sweep", "x.yaml", *words)
            self.assertEqual(self.ends(2, "sweep", "x.yaml", *words, "--dry-run").stderr, result.stderr)
        self.assertEqual(tree(self.path("results")), before)

    def test_extend_only_adds(self):
        self.config()
        self.ends(0, "sweep", "x.yaml", "--only", "original/*")
        before = tree(self.path("results/t/original"))
        result = self.ends(0, "sweep", "x.yaml", "--extend", "--only", "original/*", "seeds=3")
        self.assertIn("results/t: 4 runs as before, 2 added\n", result.stderr)
        after = tree(self.path("results/t/original"))
        self.assertEqual({p: v for p, v in after.items() if p in before}, before)
        self.assertEqual(self.state("original/seed-3"), "done")
        self.assertEqual({r for r in self.states()}, set(RUNS) | {"original/seed-3", "gates/seed-3"})

    def test_before_anything_has_begun_a_plan_may_change(self):
        self.config()
        self.ends(0, "sweep", "x.yaml", "--only", "gates/seed-1")
        shutil.rmtree(self.path("results/t/gates"))
        self.ends(0, "sweep", "x.yaml", "--only", "gates/seed-1", "train.lr=0.05", "seeds=1")
        self.assertEqual(list(self.states()), ["original/seed-1", "gates/seed-1"])

    def test_labels_are_no_settings(self):
        self.config()
        self.ends(0, "sweep", "x.yaml")
        before = exact(self.path("results"))
        self.ends(0, "sweep", "x.yaml", "label=A new title", "baseline=gates")
        self.assertEqual(exact(self.path("results")), before)
        self.assertIn("A new title", self.read("results/t/plan.json"))


class Deaths(Sweep):
    def test_a_killed_driver_leaves_nobody_writing_and_is_resumed(self):
        self.long_config()
        reference = self.reference()
        for round in range(3):
            driver = self.start("sweep", "x.yaml", "--jobs", "2")
            wait_until(lambda: len(self.children()) == 2 and self.rows("original/seed-1") > 2 + 3 * round)
            driver.kill()
            driver.wait()
            wait_until(lambda: not self.children(), seconds=10)
        before = tree(self.path("results"))
        time.sleep(0.2)
        self.assertEqual(tree(self.path("results")), before)
        self.assertIn(self.state("original/seed-1"), ("interrupted", "done"))
        self.ends(0, "sweep", "x.yaml", "--jobs", "2")
        self.finished_like(reference)

    def test_term_and_int_stop_with_75_and_a_checkpoint(self):
        self.long_config()
        reference = self.reference()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            driver = self.start("sweep", "x.yaml", "--jobs", "2")
            wait_until(lambda: len(self.children()) == 2 and all(self.rows(r) > 3 for r in ("original/seed-1", "gates/seed-1")))
            driver.send_signal(number)
            _, err = driver.communicate(timeout=200)
            self.assertEqual(driver.returncode, 75, err)
            self.assertRegex(err, r"skiplab: interrupted[^\n]*\n\Z")
            self.assertEqual(self.children(), {})
        self.assertTrue(os.path.exists(self.path("results/t/original/seed-1/last.safetensors")))
        self.assertIn(self.state("original/seed-1"), ("interrupted", "done"))
        self.ends(0, "sweep", "x.yaml", "--jobs", "2")
        self.finished_like(reference)

    def test_a_killed_run_fails_and_the_next_sweep_resumes_it(self):
        self.long_config()
        reference = self.reference()
        driver = self.start("sweep", "x.yaml", "--jobs", "2")
        wait_until(lambda: self.rows("gates/seed-1") > 5)
        os.kill(wait_until(lambda: self.child("gates/seed-1")), signal.SIGKILL)
        _, err = driver.communicate(timeout=200)
        self.assertEqual(driver.returncode, 1, err)
        self.assertRegex(err, "failed .*gates/seed-1.*signal 9")
        states = self.states()
        self.assertEqual([s["state"] for r, s in states.items() if r != "gates/seed-1"], ["done"] * 3)
        self.assertEqual(states["gates/seed-1"]["state"], "failed")
        self.assertIn("signal 9", states["gates/seed-1"]["cause"])
        self.ends(0, "sweep", "x.yaml")
        self.finished_like(reference)

    def test_a_crash_stays_failed_until_retried(self):
        self.long_config()
        reference = self.reference()
        driver = self.start("sweep", "x.yaml", "--jobs", "2")
        wait_until(lambda: self.rows("original/seed-1") > 5)
        os.kill(wait_until(lambda: self.child("original/seed-1")), signal.SIGABRT)
        self.assertEqual(driver.wait(timeout=200), 1)
        self.assertIn("signal 6", self.states()["original/seed-1"]["cause"])
        again = self.ends(1, "sweep", "x.yaml")
        self.assertNotIn("resumed", again.stderr)
        self.assertIn("--retry failed", again.stderr)
        self.ends(0, "sweep", "x.yaml", "--retry", "failed")
        self.finished_like(reference)

    def test_a_refused_run_is_called_failed_and_may_be_asked_for_otherwise(self):
        """Exit code 2 of its process: status says what the sweep says, and nothing of the plan has begun with it."""
        self.config(iterations=2)
        good = self.read("x.yaml")
        huge = "\n  - {name: huge, set: {model.shortcut: {type: identity}, model.width: 1024, train.batch: 65536, train.bn_batch: 65536}}\n"
        self.write("x.yaml", good[:good.index("  - name: original")] + huge)
        self.assertRegex(self.ends(1, "sweep", "x.yaml").stderr, r"failed +huge/seed-1: this net needs")
        states = self.states()
        self.assertEqual({s["state"] for s in states.values()}, {"failed"})
        self.assertIn("this net needs", states["huge/seed-1"]["cause"])
        self.write("x.yaml", good)
        self.ends(0, "sweep", "x.yaml")
        self.assertEqual({r: s["state"] for r, s in self.states().items()}, dict.fromkeys(RUNS, "done"))

    def test_the_last_evaluation_takes_time_too(self):
        """Of a hundred times as many images as were trained on: no "0 s left" while it goes on."""
        self.write("x.yaml", CONFIG.format(iterations=4, test=4, checkpoint=4, images=64, size=16, batch=32, log=10).replace("train: 64", "train: 60000").replace("seeds: 2", ""))
        driver = self.start("sweep", "x.yaml", "--only", "original", "--threads", "1")

        def evaluating():
            state = self.skiplab("status", "results/t", "--json")
            run = json.loads(state.stdout)["runs"][0] if not state.returncode else {}
            return run if run.get("state") == "running" and run["iteration"] == 4 and run["seconds_left"] is not None else None

        run = wait_until(evaluating)
        self.assertGreater(run["seconds_left"], 0.5)
        driver.kill()

    def test_a_failing_run_does_not_stop_the_others(self):
        self.config()
        os.makedirs(self.path("results/t/original/seed-1/train.csv"))      # a folder where its log should be
        result = self.ends(1, "sweep", "x.yaml")
        self.assertEqual({r: s["state"] for r, s in self.states().items()},
                         {r: "failed" if r == "original/seed-1" else "done" for r in RUNS})
        self.assertIn("train.csv", self.states()["original/seed-1"]["cause"])
        self.assertRegex(result.stderr, r"failed: results/t/original/seed-1\n  [^\n]*train\.csv")
        os.rmdir(self.path("results/t/original/seed-1/train.csv"))
        self.ends(0, "sweep", "x.yaml", "--retry", "failed")

    def test_fail_fast(self):
        self.config()
        os.makedirs(self.path("results/t/original/seed-1/train.csv"))
        self.ends(1, "sweep", "x.yaml", "--fail-fast")
        self.assertEqual([s["state"] for s in self.states().values()], ["failed", "waiting", "waiting", "waiting"])


class Together(Sweep):
    def test_two_drivers_share_the_runs(self):
        self.long_config()
        reference = self.reference()
        drivers = [self.start("sweep", "x.yaml", "--jobs", "1") for _ in range(3)]
        for driver in drivers:
            _, err = driver.communicate(timeout=200)
            self.assertEqual(driver.returncode, 0, err)
        self.finished_like(reference)
        for run in RUNS:
            done = re.findall(r"done after", self.read("results/t", run, "stderr.log"))
            self.assertEqual(len(done), 1, run)

    def test_a_second_driver_takes_over_from_a_dead_one(self):
        self.long_config()
        reference = self.reference()
        first = self.start("sweep", "x.yaml", "--jobs", "2")
        wait_until(lambda: self.rows("gates/seed-1") > 5)
        second = self.start("sweep", "x.yaml", "--jobs", "2")
        time.sleep(0.3)
        first.kill()
        _, err = second.communicate(timeout=200)
        self.assertEqual(second.returncode, 0, err)
        self.finished_like(reference)

    def test_train_in_a_claimed_folder_is_refused(self):
        self.long_config()
        self.start("sweep", "x.yaml")
        wait_until(lambda: self.rows("original/seed-1") > 5)
        result = self.ends(4, "train", "x.yaml", "--variant", "original", "--seed", "1", "--quiet")
        self.assertRegex(result.stderr, r"skiplab: [^\n]*process \d+ on [^\n]*\n\Z")


class OnePlan(Sweep):
    """One results folder has one plan, whoever comes with another at whatever moment."""

    def consistent(self, results="results"):
        """Every run was trained with the settings that the plan has, and says so itself."""
        plan = json.loads(self.read(results, "t/plan.json"))
        for run in plan["runs"]:
            folder = self.path(results, "t", run["run"])
            if not os.path.exists(folder + "/run.json"):
                continue
            record = json.loads(self.read(folder, "run.json"))
            self.assertEqual(record["config_hash"], run["hash"], run["run"])
            lr = re.search(r"\n  lr: (\S+)", plan["settings"][run["setting"]]).group(1)
            self.assertIn(f"\n  lr: {lr}\n", self.read(folder, "config.yaml"))
            self.assertEqual(self.read(folder, "train.csv").splitlines()[1].split(",")[2], lr)

    def both(self, first, second):
        """Started at the same moment: exit codes and messages."""
        started = [self.start(*words) for words in (first, second)]
        said = [p.communicate(timeout=100)[1] for p in started]
        return [p.returncode for p in started], said

    def test_of_two_sweeps_with_other_settings_one_is_refused(self):
        self.config(iterations=2)
        for round in range(60 if os.environ.get("SKL_TEST_SLOW") else 6):
            words = ("sweep", "x.yaml", "--results", f"r{round}", "--threads", "1")
            codes, said = self.both(words, (*words, "train.lr=0.05"))
            self.assertEqual(sorted(codes), [0, 2], said)
            there, here = ("0.05", "0.1") if codes[0] else ("0.1", "0.05")
            self.assertRegex(said[codes.index(2)], rf"4 runs were planned with other settings; original/seed-1: train\.lr: {there} there, {here} here\n")
            self.consistent(f"r{round}")
            self.ends(0, "audit", f"r{round}")

    def test_one_that_adds_runs_beside_one_that_works(self):
        self.config(iterations=2)
        for round in range(3):
            words = ("sweep", "x.yaml", "--results", f"r{round}", "--threads", "1")
            codes, said = self.both(words, (*words, "--extend", "seeds=3"))
            self.assertIn(codes, ([0, 0], [2, 0]), said)        # the longer plan may be the first
            self.consistent(f"r{round}")
            self.ends(0, *words, "seeds=3")
            self.ends(0, "audit", f"r{round}")

    def test_a_run_alone_is_trained_as_planned(self):
        self.config()
        self.ends(0, "sweep", "x.yaml", "--only", "original/*")
        before = tree(self.path("results"))
        for words in (("train", "x.yaml", "--variant", "gates", "train.lr=0.05"),
                      ("train", "x.yaml", "--variant", "gates", "train.lr=0.05", "--run-dir", "results/t/gates/seed-1/"),
                      ("train", "x.yaml", "--variant", "original", "--run-dir", "results/t/gates/seed-2")):
            self.assertRegex(self.ends(2, *words).stderr, r"skiplab: results/t/gates/seed-\d is planned with other settings by results/t/plan\.json \(")
        self.assertRegex(self.ends(2, "train", "results/t/plan.json", "train.lr=0.05").stderr, "trained as planned")
        self.assertEqual(tree(self.path("results")), before)
        self.ends(0, "train", "results/t/plan.json", "--variant", "gates", "--seed", "2", "--quiet")
        self.ends(0, "train", "x.yaml", "--variant", "gates", "--quiet")
        self.consistent()
        self.ends(0, "audit", "results/t")

    def test_what_lies_in_config_yaml_is_not_trained(self):
        """As a killed process of another experiment may have left it."""
        self.config()
        self.ends(0, "sweep", "x.yaml", "--results", "other", "--only", "gates/seed-1", "train.lr=0.05")
        self.write("results/t/gates/seed-1/config.yaml", self.read("other/t/gates/seed-1/config.yaml"))
        self.ends(0, "sweep", "x.yaml")
        self.consistent()
        self.ends(0, "audit", "results/t")

    def test_a_train_and_a_sweep_with_other_settings(self):
        self.config(iterations=2)
        for round in range(4):
            codes, said = self.both(("sweep", "x.yaml", "--results", f"r{round}", "--threads", "1"),
                                    ("train", "x.yaml", "--results", f"r{round}", "--threads", "1", "--quiet", "train.lr=0.05"))
            self.assertIn(codes, ([0, 2], [0, 4], [1, 0], [2, 0]), said)
            if codes[1]:
                self.consistent(f"r{round}")
                self.ends(0, "audit", f"r{round}")
            else:
                self.assertIn("train.lr: 0.05 there, 0.1 here", said[0])


class OneDataSet(Sweep):
    """All runs of a plan see the same images."""

    def data(self, folder, salt):
        for name, count in (("train", 64), ("t10k", 32)):
            pixels = bytes((i * salt + i // 784) % 251 for i in range(count * 784))
            self.write_bytes(f"{folder}/{name}-images-idx3-ubyte", struct.pack(">4I", 0x803, count, 28, 28) + pixels)
            self.write_bytes(f"{folder}/{name}-labels-idx1-ubyte", struct.pack(">2I", 0x801, count) + bytes(i % 10 for i in range(count)))

    def write_bytes(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(data)

    def setUp(self):
        super().setUp()
        self.data("A", 7)
        self.data("B", 11)
        self.config(iterations=2)
        text = self.read("x.yaml")
        start, end = text.index("  dataset"), text.index("train: {iterations")
        self.write("x.yaml", text[:start] + f"  dataset: mnist\n  path: {self.path('A')}\n  size: 16\n" + text[end:])

    def plan(self):
        return json.loads(self.read("results/t/plan.json"))

    def test_other_data_are_refused(self):
        self.ends(0, "sweep", "x.yaml", "--only", "original/*")
        before = tree(self.path("results"))
        record = json.loads(self.read("results/t/original/seed-1/run.json"))
        self.assertEqual(self.plan()["data"], {"mnist": record["data"]})
        other = f"data.path={self.path('B')}"
        for words in (("sweep", "x.yaml", other), ("sweep", "x.yaml", other, "--only", "gates/*"),
                      ("train", "x.yaml", "--variant", "gates", "--quiet", other)):
            self.assertRegex(self.ends(3, *words).stderr, r"\Askiplab: results/t: its runs are trained on other data: 'mnist' has [^\n]*\n\Z")
            self.assertEqual({p: d for p, d in tree(self.path("results")).items() if "gates" not in p}, before)
        shutil.rmtree(self.path("results/t/gates"))
        self.ends(0, "sweep", "x.yaml", other, "--redo", "*")
        self.assertNotEqual(self.plan()["data"], {"mnist": record["data"]})
        self.ends(0, "audit", "results/t")
        self.data("B", 13)      # the files themselves change
        self.ends(3, "sweep", "x.yaml", other, "--redo", "gates/*")

    def test_other_first_weights_are_refused(self):
        """train.init_from: a file that was exchanged between two runs of a plan."""
        for name, iterations in (("one", 2), ("two", 3)):
            self.ends(0, "train", "x.yaml", "--variant", "original", "--quiet", f"train.iterations={iterations}", "--run-dir", name)
        shutil.copy(self.path("one/last.safetensors"), self.path("w.safetensors"))
        words = ["sweep", "x.yaml", f"train.init_from={self.path('w.safetensors')}:partial"]
        self.ends(0, *words, "--only", "original/*")
        self.assertEqual(self.plan()["data"][self.path("w.safetensors")], json.loads(self.read("results/t/original/seed-1/run.json"))["init_from_sha256"][:16])
        shutil.copy(self.path("two/last.safetensors"), self.path("w.safetensors"))
        self.assertRegex(self.ends(1, *words).stderr, r"begin with other weights: \S+/w.safetensors had the SHA-256 \w{16}..., it has \w{16}... now")
        self.assertFalse(os.path.exists(self.path("results/t/gates/seed-1/train.csv")))
        self.ends(0, *words, "--redo", "*")
        self.ends(0, "audit", "results/t")
        shutil.copytree(self.path("results/t/gates"), self.path("gates"))
        shutil.copy(self.path("one/last.safetensors"), self.path("w.safetensors"))
        self.ends(0, *words, "--redo", "*")
        shutil.rmtree(self.path("results/t/gates"))
        shutil.move(self.path("gates"), self.path("results/t/gates"))
        self.assertRegex(self.ends(3, "audit", "results/t").stdout, r"gates/\S*seed-1[^\n]*begun with other weights than the plan's")

    def test_results_of_older_versions(self):
        """Their plan does not say; their runs do."""
        self.ends(0, "sweep", "x.yaml", "--only", "original/*")
        old = self.plan()
        old.pop("data")
        for key in ("seal", "sealed"):
            old.pop(key)
        self.write("results/t/plan.json", json.dumps(old))
        self.ends(3, "sweep", "x.yaml", f"data.path={self.path('B')}")
        self.ends(0, "sweep", "x.yaml", "--results", "other", f"data.path={self.path('B')}", "--only", "gates/seed-1")
        shutil.copytree(self.path("other/t/gates"), self.path("results/t/gates"))
        said = self.skiplab("audit", "results/t").stdout
        self.assertRegex(said, r"gates/seed-1[^\n]*trained on other data than the plan's: 'mnist'")
        shutil.rmtree(self.path("results/t/gates"))
        self.ends(0, "sweep", "x.yaml")
        self.assertEqual(list(self.plan()["data"]), ["mnist"])


class Files(Sweep):
    def test_a_damaged_plan_is_not_an_absent_one(self):
        self.config()
        self.ends(0, "sweep", "x.yaml")
        good = self.read("results/t/plan.json")
        for bad in ("", "{", "[]", '{"schema_version": 1, "runs": [{"run": "../x"}]}', good.replace('"original/seed-1"', '"../seed-1"'), good.replace("gates", "gated")):
            with self.subTest(bad[:20]):
                self.write("results/t/plan.json", bad)
                if "gated" not in bad:
                    self.assertIn("plan.json", self.ends(3, "status", "results/t").stderr)
                    self.assertIn("plan.json", self.ends(3, "train", "x.yaml", "--variant", "gates", "--quiet").stderr)
                before = tree(self.path("results"))
                self.assertRegex(self.ends(3, "sweep", "x.yaml").stderr, r"\Askiplab: results/t/plan\.json[^\n]*move it away[^\n]*\n\Z")
                self.assertEqual(tree(self.path("results")), before)
        os.remove(self.path("results/t/plan.json"))
        whole = self.read("x.yaml")
        self.write("x.yaml", whole[:whole.index("  - name: gates")])
        self.assertRegex(self.ends(2, "sweep", "x.yaml").stderr, r"\Askiplab: results/t holds gates/seed-1, which the experiment does not have")
        self.write("x.yaml", whole)
        self.ends(0, "sweep", "x.yaml")
        self.assertEqual(self.read("results/t/plan.json"), good)
        self.assertRegex(self.ends(3, "status", "nowhere").stderr, r"\Askiplab: [^\n]*nowhere")

    def test_unwritable_results(self):
        self.config()
        self.write("results", "a file")
        self.assertRegex(self.ends(1, "sweep", "x.yaml").stderr, r"skiplab: [^\n]*results")

    def test_a_thousand_finished_runs_are_checked_fast_and_left_alone(self):
        self.config(iterations=2)
        words = ("sweep", "x.yaml", "seeds=500")
        self.ends(0, *words, "--only", "original/seed-1", "--threads", "1")
        runs = json.loads(self.read("results/t/plan.json"))["runs"]
        self.assertEqual(len(runs), 1000)
        record, first = self.read("results/t/original/seed-1/run.json"), runs[0]
        for run in runs[1:]:        # what the other 999 would leave
            folder = shutil.copytree(self.path("results/t", first["run"]), self.path("results/t", run["run"]))
            with open(os.path.join(folder, "run.json"), "w") as f:
                f.write(record.replace(first["hash"], run["hash"]))
        before, took = tree(self.path("results")), []
        for _ in range(5):
            begin = time.monotonic()
            result = self.ends(0, *words)
            took.append(time.monotonic() - begin)
        self.assertIn("1000 of 1000 runs done", result.stderr)
        self.assertNotIn("started", result.stderr)
        self.assertEqual(tree(self.path("results")), before)
        self.took("a look at 1000 runs", min(took), 0.5)


main()
