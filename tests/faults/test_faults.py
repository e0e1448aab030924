"""Each call that changes the file system goes wrong: the process dies there, or the call fails."""
import errno as errors

from lab import *

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EINTR", "short")
CHECKPOINT = 3      # iterations, as in config()


class Everywhere(Lab):
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
        left = [n for n in os.listdir(folder) if n not in EXACT + ("run.json", "timing.csv") and not n.startswith("config.yaml.")]
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
            for k in self.places(3):
                folder = self.folder()
                code, message, faults = self.train(folder, fault=f"{kind} {k} write")
                if faults:
                    self.assertEqual(code, 0, f"{kind} {k}: {message}")
                    self.same(folder, f"{kind} {k}")
                shutil.rmtree(folder)


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
            folder, what = self.folder(), f"kill {k} rename next.safetensors"
            self.train(folder, fault=what, code=-signal.SIGKILL)
            self.train(folder, code=0)
            self.same(folder, what)
            shutil.rmtree(folder)

        print(self.everywhere(check, self.places()), "steps", end=" ")


main()
