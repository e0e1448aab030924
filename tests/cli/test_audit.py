"""skiplab audit: an untouched sweep passes, and every single change to a result is named."""
import hashlib
import json
import struct

from skl import *

CONFIG = """name: t
model: {depth: 8, width: 4}
data:
  dataset: synthetic
  synthetic: {train: 64, test: 32, size: 8, channels: 3, classes: 4}
  validation: 16
train: {iterations: 6, batch: 16, log_every: 2, test_every: 3, checkpoint_every: 3}
seeds: 2
"""
RUN = "results/t/identity/seed-1"
RECORDED = ("config.yaml", "train.csv", "test.csv", "validation.csv", "last.safetensors", "prev.safetensors")


def sign(data):
    """A checkpoint's bytes with a new digest."""
    length = struct.unpack("<Q", data[:8])[0]
    at = data.index(b'"sha256":"', 8, 8 + length) + 10
    zeroed = data[:at] + b"0" * 64 + data[at + 64:]
    return zeroed[:at] + hashlib.sha256(zeroed).hexdigest().encode() + zeroed[at + 64:]


class Audit(Case):
    def setUp(self):
        super().setUp()
        self.write("x.yaml", CONFIG)
        self.ends(0, "sweep", "x.yaml", "--threads", "1")

    def faults(self, folder="results/t"):
        result = self.skiplab("audit", folder, "--json")
        said = json.loads(result.stdout)
        self.assertEqual(result.returncode, 0 if said["ok"] else 3, result.stderr)
        self.assertEqual(said["ok"], not said["faults"])
        return {(f["kind"], os.path.relpath(f["path"], RUN)): f["text"] for f in said["faults"]}

    def bytes(self, name):
        with open(self.path(RUN, name), "rb") as f:
            return f.read()

    def put(self, name, data):
        with open(self.path(RUN, name), "wb") as f:
            f.write(data)

    def record(self, change):
        record = json.loads(self.read(RUN, "run.json"))
        change(record)
        self.write(RUN + "/run.json", json.dumps(record))

    def test_untouched_results_are_one_line(self):
        before = tree(self.path("results"))
        for folder, runs, files in (("results/t", 2, 12), ("results", 2, 12), (RUN, 1, 6)):
            result = self.ends(0, "audit", folder)
            self.assertRegex(result.stdout, rf"\A{folder}: OK: {runs} runs, {files} files[^\n]*\n\Z")
            self.assertEqual(result.stderr, "")
        self.assertEqual(tree(self.path("results")), before)

    def test_every_changed_file_is_named(self):
        for name in RECORDED:
            good = self.bytes(name)
            middle = len(good) // 2
            flipped = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1:]
            for bad in (flipped, good[:-1], good + b"\n", b""):
                with self.subTest(name, length=len(bad)):
                    self.put(name, bad)
                    self.assertIn(("edited", name), self.faults())
            os.remove(self.path(RUN, name))
            self.assertIn(("missing", name), self.faults())
            self.assertIn(name, self.skiplab("audit", "results").stdout)
            self.put(name, good)
        self.assertEqual(self.faults(), {})

    def test_an_edited_record_is_noticed(self):
        good = self.bytes("run.json")
        for change, name in ((lambda r: r["files"].pop("train.csv"), "run.json"),
                             (lambda r: r.pop("files"), "run.json"),
                             (lambda r: r["files"].update({"prev.safetensors": {"bytes": 1, "sha256": "0"}}), "prev.safetensors"),
                             (lambda r: r.update(test_error_final=1.5), "test.csv"),
                             (lambda r: r.update(iteration=5), "last.safetensors"),
                             (lambda r: r.update(state="excellent"), "run.json")):
            self.record(change)
            self.assertIn(("edited", name), self.faults())
            self.put("run.json", good)
        self.put("run.json", good[:-20])
        self.assertIn(("edited", "run.json"), self.faults())

    def test_a_careful_forgery_is_noticed(self):
        """A weight is changed, the checkpoint signed anew, run.json brought in line: test.csv still knows the weights."""
        data = self.bytes("last.safetensors")
        start = 8 + struct.unpack("<Q", data[:8])[0]
        forged = sign(data[:start] + bytes([data[start] ^ 1]) + data[start + 1:])
        self.put("last.safetensors", forged)
        self.record(lambda r: r["files"].update({"last.safetensors": {"bytes": len(forged), "sha256": hashlib.sha256(forged).hexdigest()}}))
        faults = self.faults()
        self.assertEqual(list(faults), [("edited", "last.safetensors")])
        self.assertIn("test.csv says", faults["edited", "last.safetensors"])

    def test_other_settings_are_stale(self):
        plan = self.read("results/t/plan.json")
        self.write("results/t/plan.json", plan.replace(json.loads(plan)["runs"][0]["hash"], "0" * 64))
        self.assertEqual(list(self.faults()), [("stale", ".")])
        self.write("results/t/plan.json", plan)
        shutil.copytree(self.path(RUN), self.path("results/t/identity/seed-9"))
        self.assertEqual(list(self.faults()), [("stale", "../seed-9")])
        shutil.rmtree(self.path("results/t/identity/seed-9"))
        self.write("y.yaml", CONFIG.replace("batch: 16", "batch: 8").replace("name: t", "name: u"))
        self.ends(0, "sweep", "y.yaml", "--threads", "1")
        other = self.path("results/u/identity/seed-1")
        for name, kind in (("config.yaml", "edited"), ("last.safetensors", "stale")):
            good = self.bytes(name)
            shutil.copy(os.path.join(other, name), self.path(RUN, name))
            faults = self.faults()
            self.assertIn(("edited", name), faults)
            self.assertIn((kind, name), faults)
            self.put(name, good)

    def test_what_is_not_finished_is_half_done(self):
        plan = json.loads(self.read("results/t/plan.json"))
        plan["runs"].append(dict(plan["runs"][0], run="identity/seed-3", seed=3))
        self.write("results/t/plan.json", json.dumps(plan))
        self.assertEqual(list(self.faults()), [("missing", "../seed-3")])
        plan["runs"].pop()
        self.write("results/t/plan.json", json.dumps(plan))
        for name in ("next.safetensors", "run.json.123-0.tmp"):
            self.write(RUN + "/" + name, "x")
            self.assertEqual(list(self.faults()), [("half-done", name)])
            os.remove(self.path(RUN, name))
        self.record(lambda r: r.update(state="interrupted", cause="signal 15", files=None))
        faults = self.faults()
        self.assertEqual(list(faults), [("half-done", ".")])
        self.assertIn("signal 15", faults["half-done", "."])
        self.put("last.safetensors", self.bytes("last.safetensors")[:-1])
        self.assertIn(("edited", "last.safetensors"), self.faults())

    def test_an_interrupted_run(self):
        process = self.start("train", "x.yaml", "train.iterations=100000", "--run-dir", "long", "--quiet")
        wait_until(lambda: os.path.exists(self.path("long/last.safetensors")))
        running = json.loads(self.skiplab("audit", "long", "--json").stdout)["faults"]
        self.assertEqual([f["kind"] for f in running], ["half-done"])
        self.assertIn("running at iteration", running[0]["text"])
        process.kill()
        process.wait()
        killed = json.loads(self.skiplab("audit", "long", "--json").stdout)["faults"]
        self.assertEqual({f["kind"] for f in killed}, {"half-done"})
        self.assertIn("its process is gone", killed[0]["text"])

    def interrupted(self, folder="long", **more):
        """A run that stopped half-way; how it goes on."""
        words = ("train", "x.yaml", "train.iterations=400", "train.checkpoint_every=40", "--run-dir", folder, "--quiet", "--threads", "1")
        process = self.start(*words)
        wait_until(lambda: os.path.exists(self.path(folder, "prev.safetensors")), every=0.002)
        process.kill()
        process.wait()
        return words

    def edit(self, path, at=-2):
        """One digit is another, the length is the same."""
        with open(self.path(path), "r+b") as f:
            text = bytearray(f.read())
            place = max(i for i in range(len(text) + at if at < 0 else at) if text[i:i + 1].isdigit())
            text[place:place + 1] = b"%d" % ((int(text[place:place + 1]) + 1) % 10)
            f.seek(0)
            f.write(text)

    def test_a_log_edited_while_its_run_is_interrupted_is_refused(self):
        words = self.interrupted()
        good = self.read("long/train.csv")
        self.edit("long/train.csv", at=good.index("\n4,"))
        faults = json.loads(self.skiplab("audit", "long", "--json").stdout)["faults"]
        self.assertIn(("edited", "long/train.csv"), {(f["kind"], f["path"]) for f in faults})
        self.assertIn("train.csv", self.skiplab("verify", "long").stdout)
        self.assertRegex(self.ends(3, *words).stderr, r"\Askiplab: long/train\.csv: [^\n]*edited[^\n]*--redo[^\n]*\n\Z")
        self.write("long/train.csv", good)
        self.ends(0, *words)
        self.ends(0, "audit", "long")

    def test_a_log_that_others_change_while_its_run_trains_is_named(self):
        def cut(path):
            os.truncate(self.path(path), 40)

        for change, word in ((self.edit, "edited"), (cut, "cut"), (lambda p: os.remove(self.path(p)), "removed")):
            with self.subTest(word):
                words = ("train", "x.yaml", "train.iterations=600", "train.checkpoint_every=60", "--run-dir", word, "--quiet", "--threads", "1")
                process = self.start(*words)
                wait_until(lambda: os.path.exists(self.path(word, "last.safetensors")), every=0.002)
                change(word + "/train.csv")
                message = process.communicate()[1]
                self.assertEqual(process.returncode, 3, message)
                self.assertRegex(message, rf"\Askiplab: {word}/train\.csv: {word} by another process[^\n]*--redo[^\n]*\n\Z")
                self.assertEqual(json.loads(self.read(word, "run.json"))["state"], "failed")
                self.ends(0, *words, "--redo")

    def test_a_hard_linked_copy_is_a_copy(self):
        """As `cp -al` makes it: what goes on in one does not touch the other, whichever comes first."""
        self.write("y.yaml", CONFIG.replace("name: t", "name: u").replace("iterations: 6", "iterations: 500"))
        driver = self.start("sweep", "y.yaml", "--threads", "1", "--jobs", "2")
        wait_until(lambda: os.path.exists(self.path("results/u/identity/seed-1/prev.safetensors")), every=0.002)
        driver.kill()
        driver.communicate()
        wait_until(lambda: not processes(self.dir))
        shutil.copytree(self.path("results"), self.path("copy"), copy_function=os.link)
        before = {name: data for name, (data, _) in tree(self.path("results/u")).items()}
        self.ends(0, "sweep", "y.yaml", "--threads", "1", "--results", "copy")
        after = {name: data for name, (data, _) in tree(self.path("results/u")).items()}
        self.assertEqual([name for name in before if after.get(name) != before[name]], [])
        done = tree(self.path("copy/u"))
        self.ends(0, "sweep", "y.yaml", "--threads", "1")
        after = tree(self.path("copy/u"))
        self.assertEqual([name for name in done if after.get(name) != done[name]], [])
        self.assertEqual(exact(self.path("results/u")), exact(self.path("copy/u")))

    def test_what_holds_no_results(self):
        self.assertIn("holds no results", self.ends(3, "audit", "nowhere").stderr)
        self.assertIn("holds no results", self.ends(3, "audit", "x.yaml").stderr)
        self.write("results/t/plan.json", "{")
        self.assertIn("plan.json:1:", self.ends(3, "audit", "results").stderr)


main()
