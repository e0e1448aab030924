"""Each call that changes the file system goes wrong: the process dies there, or the call fails."""
import errno as errors
import json

from lab import *

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EINTR", "short")
CHECKPOINT = 3      # iterations, as in config()


class Places(Lab):
    def setUp(self):
        super().setUp()
        self.reference(config(checkpoint=CHECKPOINT))
        self.count = self.calls()

    def calls(self):
        """How many calls an undisturbed run makes."""
        folder = self.folder()
        return len(self.train(folder, fault="nothing 1+", code=0)[2])

    def places(self, quick):
        """All of them, or so many drawn by chance."""
        return range(1, self.count + 1) if SLOW else sorted(self.random.sample(range(1, self.count + 1), quick))


class Everywhere(Places):
    def rows(self, folder):
        try:
            with open(os.path.join(folder, "train.csv")) as f:
                return f.read().count("\n") - 1     # the header
        except OSError:
            return 0

    def can_go_on(self, folder, what):
        """A whole checkpoint, once there was one; the next start needs no help and ends as if nothing had happened."""
        if self.rows(folder) - 1 > CHECKPOINT:      # row 0, and one an iteration
            names = [os.path.join(folder, name) for name in ("last.safetensors", "prev.safetensors")]
            self.assertTrue(any(map(whole, names)), f"{what}: no whole checkpoint")
        self.train(folder, code=0)
        self.same(folder, what)
        left = [n for n in os.listdir(folder) if n not in EXACT + ("run.json", "timing.csv")]
        self.assertEqual(left, [], what)
        shutil.rmtree(folder)

    def names_the_fault(self, message, kind, fault, folder, what):
        """One line: the file (or its folder, or the run's) and the system's words."""
        number = errors.ENOSPC if kind == "short" else getattr(errors, kind)
        call, path = fault
        name = re.sub(r"\.\d+-\d+\.tmp$", "", os.path.basename(path))
        self.assertRegex(message, r"\Askiplab: [^\n]*\n\Z", what)
        self.assertIn(os.strerror(number), message, what)
        self.assertTrue(any(n in message for n in (name, os.path.dirname(path), folder)), f"{what}: '{name}' is not in: {message}")

    def test_killed_before_each_call(self):
        def check(k):
            folder, what = self.folder(), f"kill {k}"
            code, message, faults = self.train(folder, fault=what)
            self.assertEqual((code, len(faults)), (-signal.SIGKILL, 1), f"{what}: {message}")
            self.can_go_on(folder, what)

        print(self.everywhere(check, self.places(16)), "of", self.count, "places", end=" ")

    def test_killed_again_while_recovering(self):
        def check(k):
            folder, what = self.folder(), f"kill {k}"
            self.train(folder, fault=what, code=-signal.SIGKILL)
            again = self.random.randint(1, self.count - k // 2)
            code, message, _ = self.train(folder, fault=f"kill {again}")
            self.assertIn(code, (0, -signal.SIGKILL), message)
            self.can_go_on(folder, f"{what}, then kill {again}")

        self.everywhere(check, self.places(8))

    def check_error(self, kind, place):
        folder, what = self.folder(), f"{kind} {place}"
        code, message, faults = self.train(folder, fault=what)
        if code == 0:
            self.same(folder, what)
        else:
            self.assertIn(code, (1, 75), f"{what}: {message}")
            self.assertTrue(faults, f"{what}: {message}")
            self.names_the_fault(message, kind, faults[0], folder, what)
        self.can_go_on(folder, what)
        return code

    def test_each_call_fails_once(self):
        for kind in ERRORS:
            with self.subTest(kind):
                print(kind, self.everywhere(lambda k: self.check_error(kind, k), self.places(5)), end=" ")

    def test_each_call_and_all_after_it_fail(self):
        for kind in ("ENOSPC", "EIO", "EDQUOT"):
            with self.subTest(kind):
                print(kind, self.everywhere(lambda k: self.check_error(kind, f"{k}+"), self.places(4)), end=" ")

    def test_interrupted_and_short_writes_are_finished(self):
        for kind in ("EINTR", "short"):
            for k in (1, *self.places(3)):       # the first is a claim's
                folder = self.folder()
                code, message, faults = self.train(folder, fault=f"{kind} {k} write")
                if faults:
                    self.assertEqual(code, 0, f"{kind} {k}: {message}")
                    self.same(folder, f"{kind} {k}")
                shutil.rmtree(folder)


class Sleepers:
    """Processes that stand still at some call for longer than their claims live, on a machine whose processes nobody here sees."""

    def stopped(self, place, *words):
        """A process that stands at this call; None: it ended before it came there."""
        process = self.start(*words, env=self.faulty(f"stop+nolock {place}"))

        def stands_or_ended():
            if process.poll() is not None:
                return "ended"
            with open(f"/proc/{process.pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] == "T" and "stands"
        return process if wait_until(stands_or_ended, every=0.005) == "stands" else None

    def unseen(self, folder):
        """As if the owners of all claims in it were on another machine and had not been heard of for a minute."""
        for path in [os.path.join(root, "owner") for root, _, names in os.walk(folder) if "owner" in names]:
            with open(path, "r+") as f:
                text = re.sub("boot .*", "boot elsewhere", f.read())
                f.seek(0)
                f.write(text)
            os.utime(path, (time.time() - 60,) * 2)


class PlanLock(Sleepers, Lab):
    """A sweep stands still while it decides the plan, or beside it; another one comes with other settings."""

    PLACES = 60     # more than a sweep has; those beyond the end are runs that nobody stops

    def test_who_wakes_after_another_decided_follows_or_is_refused(self):
        self.write("x.yaml", config(iterations=2))

        def check(k):
            results, words = f"results{k}", ("sweep", "x.yaml", "--threads", "1", "--results", f"results{k}")
            first = self.stopped(f"{k} all .plan", *words)
            self.unseen(self.path(results))
            second = self.skiplab(*words, "train.lr=0.02")
            self.assertIn(second.returncode, (0, 2) if first else (2,), f"{k}: {second.stderr}")
            if first:
                first.send_signal(signal.SIGCONT)
                message = first.communicate(timeout=60)[1]
                self.assertIn(first.returncode, (0, 1, 2, 4), message)
                self.assertEqual(first.returncode == 0, second.returncode == 2, f"{k}: {message}{second.stderr}")
            lr = "0.02" if second.returncode == 0 else "0.05"
            self.assertIn(f"\n  lr: {lr}\n", self.read(results, "tiny/exclusive_gating/seed-1/config.yaml"), k)
            self.ends(0, "audit", results)
            self.assertFalse(os.path.exists(self.path(results, "tiny/.plan")), k)
            return bool(first)

        stopped, places = [], range(1, self.PLACES + 1) if SLOW else self.random.sample(range(1, 40), 8)
        self.everywhere(lambda k: stopped.append(check(k)), places, each_core=2)
        self.assertIn(True, stopped)
        print(sum(stopped), "places", end=" ")


class ReadOnly(Lab):
    def test_where_nothing_can_be_made_nobody_waits(self):
        """A results folder on a disk that is read-only or full: one line, soon, whatever the sweep wants to do there."""
        self.write("x.yaml", config(iterations=2))
        self.ends(0, "sweep", "x.yaml", "--threads", "1")
        for kind, more in (("EROFS", ("seeds=2", "--extend")), ("ENOSPC", ("--redo", "*")), ("EACCES", ("name=new",))):
            before = tree(self.path("results"))
            start = time.monotonic()
            p = self.skiplab("sweep", "x.yaml", *more, env=self.faulty(f"{kind} 1+ mkdir results"))
            self.assertEqual(p.returncode, 1, p.stderr)
            self.assertRegex(p.stderr, rf"(?m)^skiplab: [^\n]*{os.strerror(getattr(errors, kind))}[^\n]*\n\Z")
            self.assertLess(time.monotonic() - start, 20)
            self.assertEqual(tree(self.path("results")), before)


class StoodStill(Sleepers, Places):
    """It wakes when another one has taken its run over: where file locks are worth nothing either."""

    def words(self, folder):
        return "train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", "1"

    def wakes(self, process):
        process.send_signal(signal.SIGCONT)
        message = process.communicate(timeout=60)[1]
        self.assertIn(process.returncode, (0, 4), message)
        if process.returncode == 4:
            self.assertRegex(message, r"\A(skiplab: [^\n]*\n)?skiplab: [^\n]*(another process took this run over|in use by process)[^\n]*\n\Z")
        return process.returncode

    def test_who_wakes_when_another_has_finished_changes_nothing(self):
        def check(k):
            folder, what = self.folder(), f"stop {k}"
            process = self.stopped(k, *self.words(folder))
            self.unseen(folder)
            self.train(folder, fault="nolock 0", code=0)
            self.same(folder, what)
            before = {name: data for name, (data, _) in tree(folder).items()}
            refused = self.wakes(process) if process else None
            self.assertEqual({name: data for name, (data, _) in tree(folder).items()}, before, what)
            shutil.rmtree(folder)
            return refused

        print(self.everywhere(check, self.places(12)), "of", self.count, "places", end=" ")

    def test_who_wakes_while_another_is_at_it_changes_nothing(self):
        def check(k):
            folder, again = self.folder(), self.random.randint(1, self.count)
            what = f"stop {k}, then {again}"
            first = self.stopped(k, *self.words(folder))
            self.unseen(folder)
            second = self.stopped(again, *self.words(folder))
            code = self.wakes(first) if first else 0
            if second:
                second.send_signal(signal.SIGCONT)
                message = second.communicate(timeout=60)[1]
                self.assertIn(second.returncode, (0, 4) if code == 0 else (0,), f"{what}: {message}")
            self.train(folder, code=0)
            self.same(folder, what)
            self.assertEqual([n for n in os.listdir(folder) if n not in EXACT + ("run.json", "timing.csv")], [], what)
            shutil.rmtree(folder)

        self.everywhere(check, self.places(12))


class LongPaths(Lab):
    """What a run failed of is decided by no text: a long path leaves no room for the system's words in it."""

    def test_a_full_disk_is_tried_again(self):
        self.write("x.yaml", config())
        for length, fault in ((50, "ENOSPC 3+ write train.csv"), (240, "ENOSPC 3+ write train.csv"), (1100, "EDQUOT 3+ write train.csv"),
                              (1150, "ENOSPC 25+ write")):       # the last: its run.json cannot be written either
            with self.subTest(f"{fault} below {length} characters"):
                results = "/".join(["r" * 100] * (length // 100) + ["r" * (length % 100 + 1)])
                words = ("sweep", "x.yaml", "--results", results, "--threads", "1")
                failed = self.ends(1, *words, env=self.faulty(fault))
                self.assertIn("failed", failed.stderr)
                with open(self.path(results, "tiny/exclusive_gating/seed-1/run.json")) as f:
                    record = json.load(f)
                self.ends(0, *words)
                self.assertEqual((record["state"], record["cause_code"]), ("failed", "storage"))

    def test_another_error_is_not(self):
        self.write("x.yaml", config())
        self.ends(1, "sweep", "x.yaml", "--threads", "1", env=self.faulty("EIO 3+ write train.csv"))
        with open(self.path("results/tiny/exclusive_gating/seed-1/run.json")) as f:
            self.assertEqual(json.load(f)["cause_code"], "error")
        self.ends(1, "sweep", "x.yaml", "--threads", "1")
        self.ends(0, "sweep", "x.yaml", "--threads", "1", "--retry", "failed")


class EveryStep(Lab):
    """Stopped after each of 60 iterations: in the middle of an epoch, at its border, where the learning rate changes."""

    STEPS = 60

    def places(self):
        return range(1, self.STEPS + 1, 6 if SANITIZED else 1)

    def test_a_checkpoint_by_signal_after_each_iteration(self):
        self.reference(config("{type: dropout}", iterations=self.STEPS, checkpoint=25))

        def check(k):
            folder, what = self.folder(), f"term {k + 1} write train.csv"       # the header is a write too
            code, message, faults = self.train(folder, fault=what)
            self.assertEqual((code, len(faults)), (75, 1), f"{what}: {message}")
            self.assertTrue(whole(os.path.join(folder, "last.safetensors")), what)
            self.train(folder, code=0)
            self.same(folder, what)
            shutil.rmtree(folder)

        print(self.everywhere(check, self.places()), "steps", end=" ")

    def test_killed_after_each_checkpoint(self):
        self.reference(config("{type: dropout}", order="full_preact", iterations=self.STEPS, checkpoint=1))

        def check(k):
            folder, what = self.folder(), f"kill {k} rename last.safetensors"
            self.train(folder, fault=what, code=-signal.SIGKILL)
            self.train(folder, code=0)
            self.same(folder, what)
            shutil.rmtree(folder)

        print(self.everywhere(check, self.places()), "steps", end=" ")


main()
