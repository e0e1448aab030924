"""skiplab audit: an untouched sweep passes, and every single change to a result is named."""
import hashlib
import json
import random
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
SLOW = bool(os.environ.get("SKL_TEST_SLOW"))
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

    def write_bytes(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(data)

    def peak(self, *words):
        """Exit code and the most memory it had at once, in bytes; what it said on stderr in self.said."""
        with open(self.path("said"), "w") as said:
            process = subprocess.Popen([PROGRAM, *words], cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.said = self.read("said")
        return process.returncode, 0 if SANITIZED else usage.ru_maxrss << 10

    def record(self, change):
        record = json.loads(self.read(RUN, "run.json"))
        change(record)
        self.write(RUN + "/run.json", sealed(record))

    def test_untouched_results_are_one_line(self):
        before = tree(self.path("results"))
        for folder, runs, files in (("results/t", 2, 12), ("results", 2, 12), (RUN, 1, 6)):
            result = self.ends(0, "audit", folder)
            self.assertRegex(result.stdout, rf"\A{folder}: OK: {runs} runs?, {files} files[^\n]*\n\Z")
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

    def test_every_edited_character_is_noticed(self):
        """Of run.json and plan.json; a few hundred of them, all in the slow form.  A digit that is changed, a blank, a key."""
        rng = random.Random(1)
        for name in (RUN + "/run.json", "results/t/plan.json"):
            with open(self.path(name), "rb") as f:
                good = f.read()
            places = range(len(good)) if SLOW else sorted(rng.sample(range(len(good)), 40))
            for at in places:
                old = good[at]
                new = (old - 48 + 1) % 10 + 48 if 48 <= old <= 57 else ord("\n") if old == 32 else old ^ 1
                self.write_bytes(name, good[:at] + bytes([new]) + good[at + 1:])
                result = self.skiplab("audit", "results/t")
                self.assertEqual(result.returncode, 3, f"{name}: byte {at}: {good[max(0, at - 20):at + 20]}\n{result.stdout}")
            for bad in (good[:-1], good + b"\n", good.replace(b'"sealed": true', b'"sealed": false'), good.replace(b'"seal"', b'"sea1"')):
                self.write_bytes(name, bad)
                self.assertEqual(self.skiplab("audit", "results/t").returncode, 3, bad)
            for forged in (good.replace(b'"test_error_final": ', b'"test_error_final": 1'), good.replace(b'"paper": null', b'"paper": "8"')):
                if forged == good: continue
                self.write_bytes(name, forged)
                self.assertIn(f"{name} was edited since it was written", self.skiplab("report", "results/t").stderr)
            self.write_bytes(name, good)
        self.assertEqual(self.faults(), {})

    def test_results_of_an_earlier_version_are_not_sealed(self):
        """They pass, are reported and resumed; the audit says so once a sweep."""
        for name in (RUN + "/run.json", "results/t/identity/seed-2/run.json", "results/t/plan.json"):
            value = json.loads(self.read(name))
            del value["seal"], value["sealed"]
            self.write(name, json.dumps(value, indent=2))
        notes = self.ends(0, "audit", "results/t").stdout.splitlines()
        self.assertEqual([line.split()[0] for line in notes], ["note", "note", "results/t:"])
        self.assertIn("plan.json: not sealed", notes[0])
        self.assertIn("2 runs not sealed", notes[1])
        said = json.loads(self.skiplab("audit", "results/t", "--json").stdout)
        self.assertEqual(len(said["notes"]), 2)
        self.ends(0, "report", "results/t")
        self.ends(0, "status", "results/t")
        self.ends(0, "sweep", "x.yaml", "--threads", "1")
        self.assertEqual(self.skiplab("audit", "results/t").stdout.count("not sealed"), 1)

    def test_files_of_any_size_in_bounded_memory(self):
        """Sparse files of gigabytes where small ones belong: named by their size or hashed in steps, never held."""
        big = 3 << 30
        shutil.copytree(self.path("results"), self.path("before"))
        for name, changed in (("probe.csv", None), ("test.csv", None), ("last.safetensors", None), ("train.csv", "recorded")):
            good = self.bytes(name) if os.path.exists(self.path(RUN, name)) else None
            with open(self.path(RUN, name), "r+b" if good else "w+b") as f:
                f.truncate(big)
            record = self.bytes("run.json")
            if changed and SLOW:        # takes the time of hashing
                self.record(lambda r: r["files"][name].update(bytes=big))
            result, peak = self.peak("audit", "results/t")
            self.assertEqual(result, 3)
            self.assertLess(peak, 200 << 20, name)
            for words in (("verify", RUN), ("eval", RUN), ("compare", "results/t", "before/t"), ("export", "results/t"), ("watch", "results/t"), ("status", "results/t"), ("list",)):
                result, peak = self.peak(*words)
                self.assertLess(peak, 200 << 20, (words, name))
            self.put("run.json", record)
            os.remove(self.path(RUN, name))
            if good: self.put(name, good)
        shutil.rmtree(self.path("results/t/export"))
        self.assertEqual(self.faults(), {})

    def test_a_plan_of_any_size_in_bounded_memory(self):
        plan = json.loads(self.read("results/t/plan.json"))
        many = {"runs": [dict(plan["runs"][0], run=f"v/seed-{i}", setting="v", seed=i) for i in range(20001)]}
        for text, says in (('{"runs": [' + "[]," * (5 << 20) + "[]]}", "more than 400000 values"), (json.dumps({**plan, **many}), "it lists 20001 runs")):
            self.write("results/t/plan.json", text)
            for command in ("audit", "status", "report"):
                result, peak = self.peak(command, "results/t")
                self.assertEqual(result, 3, (command, self.said))
                self.assertLess(peak, 300 << 20, command)
                self.assertIn(says, self.said)
        with open(self.path("results/t/plan.json"), "w") as f:
            f.truncate(4 << 30)
        self.assertEqual(self.peak("status", "results/t")[0], 3)
        self.assertIn("larger than", self.said)
        count = 20000 if SLOW else 2000
        start = time.monotonic()
        self.write("results/t/plan.json", json.dumps({**plan, "runs": [dict(plan["runs"][0], run=f"v/a={i}/seed-1", setting=f"v/a={i}") for i in range(count)]}))
        self.ends(0, "report", "results/t")
        self.took(f"a report of {count} listed runs", time.monotonic() - start, count / 1000)

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
        self.write("results/t/plan.json", sealed(json.loads(plan.replace(json.loads(plan)["runs"][0]["hash"], "0" * 64))))
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

    def test_what_the_dead_left_is_no_fault_and_goes(self):
        """Temporary files of killed processes: a finished run stays finished, and whoever owns the folder next removes them."""
        left = ("next.safetensors", "run.json.123-0.tmp", "config.yaml.0123456789abcdef.tmp")
        for name in left:
            self.write(RUN + "/" + name, "x")
        said = json.loads(self.ends(0, "audit", "results/t", "--json").stdout)
        self.assertEqual(sorted(os.path.basename(n["path"]) for n in said["notes"]), sorted(left))
        self.ends(0, "audit", "results/t")
        self.ends(0, "train", RUN + "/config.yaml", "--run-dir", RUN)
        self.assertFalse(set(left[1:]) & set(os.listdir(self.path(RUN))))
        for folder in ("results/t", RUN, "results/t/figures"):
            os.makedirs(self.path(folder), exist_ok=True)
            for name in ("plan.json.9-0.tmp", "panels.png.0123456789abcdef.tmp"):
                self.write(f"{folder}/{name}", "x")
                os.utime(self.path(folder, name), (1, 1))
            self.write(f"{folder}/alive.00000000000000ff.tmp", "x")      # its writer may be at work
        self.ends(0, "sweep", "x.yaml")
        self.ends(0, "report", "results/t")
        for folder in ("results/t", RUN, "results/t/figures"):
            self.assertEqual([n for n in os.listdir(self.path(folder)) if n.endswith(".tmp")], ["alive.00000000000000ff.tmp"], folder)

    def test_what_is_not_finished_is_half_done(self):
        plan = json.loads(self.read("results/t/plan.json"))
        plan["runs"].append(dict(plan["runs"][0], run="identity/seed-3", seed=3))
        self.write("results/t/plan.json", sealed(plan))
        self.assertEqual(list(self.faults()), [("missing", "../seed-3")])
        plan["runs"].pop()
        self.write("results/t/plan.json", sealed(plan))
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

    def iteration(self, path):
        with open(path, "rb") as f:
            return int(re.search(rb'"iteration":"(\d+)"', f.read(4096)).group(1))

    def interrupted(self, folder="long"):
        """A run that stopped half-way; how it goes on."""
        words = ("train", "x.yaml", "train.iterations=400", "train.checkpoint_every=40", "--run-dir", folder, "--quiet", "--threads", "1")
        process = self.start(*words)
        file = lambda name: os.path.exists(self.path(folder, name)) and self.iteration(self.path(folder, name))
        wait_until(lambda: file("prev.safetensors") and file("prev.safetensors") < file("last.safetensors"), every=0.002)
        process.kill()
        process.wait()
        if file("prev.safetensors") == file("last.safetensors"): return self.interrupted(folder)    # killed between their renames
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
        said = self.skiplab("verify", "long")
        self.assertIn("train.csv", said.stdout, said.stderr)
        self.assertRegex(self.ends(3, *words).stderr, r"\Askiplab: long/train\.csv: [^\n]*edited[^\n]*--redo[^\n]*\n\Z")
        self.write("long/train.csv", good)
        self.ends(0, *words)
        self.ends(0, "audit", "long")

    def test_probes_edited_while_their_run_is_interrupted_are_refused(self):
        self.write("x.yaml", CONFIG + "probe: {every: 10}\n")
        for name in ("probe.csv", "sums.csv", "responses.csv"):
            with self.subTest(name):
                words = self.interrupted(name)
                good = self.read(name, name)
                self.edit(f"{name}/{name}", at=len(good) // 3)
                self.assertRegex(self.ends(3, *words).stderr, rf"\Askiplab: {name}/{name}: [^\n]*edited[^\n]*--redo[^\n]*\n\Z")
                self.write(f"{name}/{name}", good)
                self.ends(0, *words)
                self.ends(0, "audit", name)

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
    def test_a_changed_test_set_is_refused_by_all(self):
        """Labels of the test set changed since: verify, eval and probe say so alike."""
        images, labels = os.urandom(32 * 28 * 28), bytes(i % 10 for i in range(32))
        for part in ("train", "t10k"):
            self.write_bytes(f"set/{part}-images-idx3-ubyte", struct.pack(">IIII", 2051, 32, 28, 28) + images)
            self.write_bytes(f"set/{part}-labels-idx1-ubyte", struct.pack(">II", 2049, 32) + labels)
        self.write("z.yaml", "name: z\nmodel: {depth: 8, width: 4}\ndata: {dataset: mnist, path: set}\ntrain: {iterations: 4, batch: 16, checkpoint_every: 2}\n")
        self.ends(0, "train", "z.yaml", "--quiet")
        run = "results/z/identity/seed-1"
        for command in ("verify", "eval", "probe"):
            self.ends(0, command, run)
        self.write_bytes("set/t10k-labels-idx1-ubyte", struct.pack(">II", 2049, 32) + labels[1:] + labels[:1])
        for command in ("verify", "eval", "probe"):
            self.assertIn("the data set's files have changed since", self.ends(3, command, run).stderr)

    def test_what_holds_no_results(self):
        self.assertIn("holds no results", self.ends(3, "audit", "nowhere").stderr)
        self.assertIn("holds no results", self.ends(3, "audit", "x.yaml").stderr)
        self.write("results/t/plan.json", "{")
        self.assertIn("plan.json:1:", self.ends(3, "audit", "results").stderr)


main()
