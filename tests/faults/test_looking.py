"""Each call that only looks fails, as on a network file system for a moment: stat, open for reading, the names in a folder.
What cannot be told is no answer: nothing is begun anew, written over or left out without a word."""
import errno as errors
import json

from lab import *

ERRORS = ("EIO", "ESTALE", "EACCES")
CALLS = "stat,view,list,open"
SWEEP = config(iterations=4, test=2, checkpoint=2).replace("name: tiny", "name: s\nseeds: 2")


def contents(folder):
    """What stands there but claims: one whose removal failed is dead, and the next owner takes over."""
    return {name: data for name, (data, _) in tree(folder).items() if "claim" not in name.split("/")}


class Looking(Lab):
    def faults_in(self, folder, *words):
        """How many such calls the command makes in this folder when nothing fails; what it says."""
        log = self.path("log")
        said = self.skiplab(*words, env=self.faulty(f"nothing 1+ {CALLS} {folder}", SKL_FAULT_LOG=log))
        with open(log) as f:
            count = len(f.readlines())
        os.remove(log)
        return count, said

    def places(self, count, quick):
        return range(1, count + 1) if SLOW else sorted(self.random.sample(range(1, count + 1), min(quick, count)))

    def told(self, result, kind):
        return os.strerror(getattr(errors, kind)) in result.stdout + result.stderr


class Training(Looking):
    def test_a_run_goes_on_or_says_why_not(self):
        self.reference(config())
        half = self.folder()
        # The third checkpoint is whole, the second one about to be prev: last and prev are of the first two.
        self.assertEqual(self.train(half, fault="kill 3 rename /double")[0], -signal.SIGKILL)
        self.assertTrue(whole(half + "/last.safetensors") and whole(half + "/prev.safetensors"))
        shutil.rmtree(half + "/claim", ignore_errors=True)
        rows = self.read(half, "train.csv").count("\n")
        self.assertGreater(rows, 3)
        whole_run = self.folder()
        shutil.copytree(half, whole_run)
        count, said = self.faults_in(whole_run, "train", "x.yaml", "--run-dir", whole_run, "--quiet", "--threads", "1")
        self.assertEqual(said.returncode, 0, said.stderr)

        def check(place):
            kind, k = place
            folder, what = self.folder(), f"{kind} {k}"
            shutil.copytree(half, folder)
            code, message, faults = self.train(folder, fault=f"{what} {CALLS} {folder}")
            if code == 0:
                self.assertGreaterEqual(json.loads(self.read(folder, "run.json"))["resumes"], 1, f"{what} {faults}: begun anew")
            else:
                self.assertIn(code, (1, 3, 4), f"{what} {faults}: {message}")
                if code != 4:       # a file that is stale while it is written: somebody else may have taken the run over
                    self.assertIn(os.strerror(getattr(errors, kind)), message, f"{what} {faults}")
                self.assertGreaterEqual(self.read(folder, "train.csv").count("\n"), 3, f"{what} {faults}: rows are gone")
                self.assertTrue(whole(folder + "/last.safetensors") or whole(folder + "/prev.safetensors"), f"{what} {faults}")
            self.train(folder, code=0)
            self.same(folder, f"{what} {faults}")
            shutil.rmtree(folder)

        places = [(kind, k) for kind in ERRORS for k in self.places(count, 8)]
        print(self.everywhere(check, places), "of", count * len(ERRORS), "places", end=" ")

    def test_another_runs_settings_are_not_written_over(self):
        self.reference(config())
        self.write("x.yaml", config(iterations=10))
        other = self.folder()
        self.train(other, code=0)
        before = contents(other)
        self.write("x.yaml", config(iterations=12))
        count, said = self.faults_in(other, "train", "x.yaml", "--run-dir", other, "--quiet", "--threads", "1")
        self.assertEqual(said.returncode, 2, said.stderr)
        for kind in ERRORS:
            for k in self.places(count, 8):
                code, message, faults = self.train(other, fault=f"{kind} {k} {CALLS} {other}")
                self.assertIn(code, (1, 2, 3), f"{kind} {k} {faults}: {message}")
                self.assertEqual(contents(other), before, f"{kind} {k} {faults}")


class Reading(Looking):
    def setUp(self):
        super().setUp()
        self.write("x.yaml", SWEEP)
        self.ends(0, "sweep", "x.yaml", "--threads", "1")
        shutil.rmtree(self.path("results/s/identity/seed-1/claim"), ignore_errors=True)

    def test_what_is_read_is_right_or_the_fault_is_told(self):
        runs = ["results/s/exclusive_gating/seed-1", "results/s/exclusive_gating/seed-2"]
        for words in (("status", "results/s"), ("watch", "results/s"), ("audit", "results/s"), ("report", "results/s", "--no-figures", "--json", "--out", "out"),
                      ("compare", *runs), ("verify", runs[0], "--quiet"), ("eval", runs[0]), ("probe", runs[0], "--images", "4"),
                      ("sweep", "x.yaml")):
            count, right = self.faults_in("results/s", *words)
            self.assertGreater(count, 5, words)
            before = contents(self.path("results"))

            def check(place):
                kind, k = place
                result = self.skiplab(*words, env=self.faulty(f"{kind} {k} {CALLS} results/s"))
                if result.returncode == 4:      # a claim that cannot be read may be alive
                    self.assertIn(words[0], ("verify", "sweep"))
                elif not self.told(result, kind):
                    self.assertEqual((result.returncode, result.stdout), (right.returncode, right.stdout), f"{words[0]}: {kind} {k}: {result.stderr}")
                self.assertGreaterEqual(result.returncode, 0, f"{words[0]}: {kind} {k}: {result.stderr}")
                if self.told(result, kind) and words[0] in ("report", "audit", "compare", "verify", "eval", "probe"):
                    self.assertIn(result.returncode, (1, 3), f"{words[0]}: {kind} {k}: {result.stderr}")

            places = [(kind, k) for kind in ERRORS for k in self.places(count, 5)]
            at_once = words[0] not in ("sweep", "report")
            for place in places if not at_once else ():
                check(place)
            print(words[0], self.everywhere(check, places) if at_once else len(places), "of", count * len(ERRORS), end=" ")
            self.assertEqual(contents(self.path("results")), before, words)


main()
