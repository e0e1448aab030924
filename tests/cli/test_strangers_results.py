"""Results that somebody else made: FIFOs and folders where files belong, links that lead away, names that command the terminal,
a gnuplot of theirs.  Every command that opens results is walked."""
import json
import random
import resource
import tempfile

from skl import *

CONFIG = """name: t
label: {label}
model: {{depth: 8, width: 4}}
data: {{dataset: synthetic, synthetic: {{train: 64, test: 32, size: 8, channels: 3, classes: 4}}}}
train: {{iterations: {iterations}, batch: 16, log_every: 1, test_every: 2, checkpoint_every: 2}}
probe: {{every: 2}}
seeds: 2
variants: [{{name: a}}]
"""
RUN = "results/t/a/seed-1"
SLOW = bool(os.environ.get("SKL_TEST_SLOW"))
SEED = int(os.environ.get("SKL_TEST_SEED", time.time_ns() % 100000))
GNUPLOT = shutil.which("gnuplot")

# Every command, as it may meet a stranger's results (the test asks the program whether one is missing).
COMMANDS = {
    "status": [["results/t"], ["results/t", "--json"], ["results"], ["results", "--json"]],
    "audit": [["results/t"], ["results/t", "--json"], ["results"]],
    "report": [["results/t", "--no-figures"], ["results/t", "--no-figures", "--json"]],
    "plot": [["results/t"], ["results/t", "--json"]],
    "compare": [[RUN, "results/t/a/seed-2"], ["results/t", "results/t"], ["results/t", "results/t", "--json"]],
    "verify": [[RUN], [RUN, "--json"]],
    "eval": [[RUN], [RUN, "--json"]],
    "probe": [[RUN], [RUN + "/prev.safetensors", "--json"]],
    "summary": [[RUN + "/config.yaml"]],
    "bench": [],        # opens no results but an experiment file, as summary does
    "step": [[RUN + "/config.yaml", "--weights", RUN + "/last.safetensors", "--out", "out.safetensors"]],
    "sweep": [["x.yaml"], ["x.yaml", "--dry-run"]],
    "train": [["x.yaml", "--quiet"]],
    "list": [["results"]],
    "watch": [["results/t"], [RUN]],      # --html waits for whatever is not finished
    "export": [["results/t"]],
    "config": [[RUN + "/config.yaml"]],
    "help": [["--complete", "train", RUN + "/config.yaml", "--variant", ""]],
    "shortcuts": [], "new-shortcut": [], "check": [], "data": [], "devices": [],
}
OPTIONS_WITH_FILES = [["check", "./FIFO"], ["shortcuts", "--plugin", "./FIFO"], ["sweep", "FIFO"], ["train", "FIFO"], ["summary", "FIFO"],
                      ["probe", "FIFO"], ["probe", "x.yaml", "--weights", "FIFO"], ["step", "x.yaml", "--weights", "FIFO", "--out", "o"],
                      ["eval", "FIFO"], ["status", "FIFO"], ["watch", "FIFO"], ["watch", "FIFO", "--html"], ["audit", "FIFO"], ["report", "FIFO"], ["plot", "FIFO"], ["verify", "FIFO"],
                      ["compare", "FIFO", "FIFO"], ["data", "fetch", "mnist", "--from", "FIFO"], ["train", "x.yaml", "--run-dir", "FIFO"],
                      ["help", "--complete", "train", "FIFO", "--variant", ""], ["report", "results/t", "--out", "FIFO"],
                      ["plot", "results/t", "--out", "FIFO"], ["sweep", "x.yaml", "--results", "FIFO"]]


class Strangers(Case):
    """One sweep is trained for all tests; each works on a copy."""

    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.mkdtemp(prefix="skiplab-cli-")
        cls.addClassCleanup(shutil.rmtree, cls.made, True)
        with open(os.path.join(cls.made, "x.yaml"), "w") as f:
            f.write(CONFIG.format(label="plain", iterations=4))
        done = run("sweep", "x.yaml", "--threads", "1", cwd=cls.made)
        assert done.returncode == 0, done.stderr
        if GNUPLOT:
            done = run("plot", "results/t", cwd=cls.made)
            assert done.returncode == 0, done.stderr
        done = run("report", "results/t", "--no-figures", cwd=cls.made)
        assert done.returncode == 0, done.stderr

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        print(f"SKL_TEST_SEED={SEED}", end=" ", flush=True)
        self.renew()

    def renew(self):
        shutil.rmtree(self.dir)
        shutil.copytree(self.made, self.dir, symlinks=True)

    def all_words(self, but=()):
        for command, calls in COMMANDS.items():
            for words in calls if command not in but else ():
                yield [command, *words]

    def said(self, *words, **more):
        """Bytes on both streams and the exit code; it must end by itself, and soon."""
        done = subprocess.run([PROGRAM, *words], cwd=self.dir, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, **more)
        self.assertGreaterEqual(done.returncode, 0, (words, done.stderr))
        self.assertNotIn(b"bug at", done.stderr, words)
        return done


class NoFiles(Strangers):
    def test_every_command_is_in_the_table(self):
        self.assertEqual(sorted(set(commands()) | {"help"}), sorted(COMMANDS))

    def test_a_fifo_in_the_place_of_every_file(self):
        """... of results: whoever opened one for reading would wait for ever."""
        names = [os.path.relpath(os.path.join(root, n), self.dir) for root, _, found in os.walk(self.path("results")) for n in found]
        interesting = [n for n in names if n.startswith((RUN, "results/t/plan.json", "results/t/figures/style"))]
        self.assertGreater(len(interesting), 12)
        words = list(self.all_words())
        few = [["status", "results/t"], ["audit", "results/t"], ["report", "results/t", "--no-figures"], ["compare", "results/t", "results/t"], ["sweep", "x.yaml"]]
        for name in interesting:
            for kind in ("fifo", "folder") if SLOW else ("fifo",):
                chosen = words if SLOW else few + [self.random.choice([w for w in words if w[0] != "plot"])]
                self.renew()
                os.remove(self.path(name))
                os.mkfifo(self.path(name)) if kind == "fifo" else os.mkdir(self.path(name))
                for call in chosen:
                    with self.subTest(name, kind=kind, call=call):
                        self.said(*call)

    def test_a_fifo_where_the_command_line_names_a_file(self):
        os.mkfifo(self.path("FIFO"))
        for words in OPTIONS_WITH_FILES:
            with self.subTest(words):
                done = self.said(*words)
                self.assertTrue(done.returncode in (1, 2, 3) or words[0] == "help", (words, done.returncode, done.stderr))

    def test_the_lock_and_claim_of_a_run(self):
        for name in ("claim", "claim/1", "claim/1/owner", "lock"):
            self.renew()
            shutil.rmtree(self.path(RUN, "claim"), ignore_errors=True)
            os.makedirs(os.path.dirname(self.path(RUN, name)), exist_ok=True)
            os.mkfifo(self.path(RUN, name))
            for call in (["status", "results/t"], ["sweep", "x.yaml"], ["audit", "results/t"], ["train", "x.yaml", "--quiet", "--redo"]):
                with self.subTest(name, call=call):
                    self.said(*call)

    def test_a_pipe_that_was_given_is_read(self):
        for words in (["sweep", "/dev/stdin", "--dry-run"], ["summary", "/dev/stdin"]):
            done = subprocess.run([PROGRAM, *words], cwd=self.dir, input=self.read("x.yaml").encode(), capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run(["bash", "-c", f"'{PROGRAM}' sweep <(cat x.yaml) --dry-run"], cwd=self.dir, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run([PROGRAM, "sweep", "/dev/stdin", "--dry-run"], cwd=self.dir, input=b"model: {depth: 8}\n", capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"needs a key name:", done.stderr)


class Links(Strangers):
    def test_a_sweep_that_cannot_be_looked_at_hides_no_other(self):
        """A link in a folder of sweeps, to a sweep, to itself, to nothing: told in its line."""
        for target in ("t", "s", "nowhere", "/dev/full"):
            os.symlink(target, self.path("results/s"))
            for words in (["list"], ["status", "results"]):
                done = self.said(*words)
                self.assertEqual(done.returncode, 0, done.stderr)
                first, second = done.stdout.decode().splitlines()
                self.assertRegex(first, r"\As .*a link on the way")
                self.assertRegex(second, r"\At .*(2/2|2 done)")
                told = json.loads(self.said(*words, "--json").stdout)["sweeps"]
                self.assertEqual(["problem" in s for s in told], [True, False])
            os.remove(self.path("results/s"))

    def outside(self):
        """What a link leads to: nothing in it may change."""
        os.makedirs(self.path("outside/data"), exist_ok=True)
        for name in ("file", "data/file", "owner"):
            self.write("outside/" + name, "theirs\n")
        return tree(self.path("outside"))

    def test_nothing_is_written_through_a_link(self):
        """Below the folder that the user names, whatever is a link and whichever command writes."""
        places = ["figures", "figures/data", "report.html", "report.md", "report.tex", "summary.csv", "runs.csv", "curves.csv", "summary.json", "plan.json",
                  "figures/style.gp", "figures/panels.svg", "figures/panels.gp", "export", "export/tensorboard", "export/tensorboard/a", "a", "a/seed-1", "slurm"]
        places += [f"a/seed-1/{n}" for n in ("stderr.log", "train.csv", "test.csv", "probe.csv", "sums.csv", "timing.csv", "run.json", "config.yaml", "claim", "claim/1",
                                             "last.safetensors", "prev.safetensors", "next.safetensors", "lock")]
        calls = [["report", "results/t", "--no-figures"], ["sweep", "x.yaml"], ["sweep", "x.yaml", "--redo", "a/seed-1"], ["train", "x.yaml", "--quiet", "--redo"],
                 ["train", "x.yaml", "--quiet", "--run-dir", RUN, "--redo"]]
        draw = [["plot", "results/t"], ["report", "results/t"]] if GNUPLOT else []
        export = [["export", "results/t", "--to", "tensorboard"]]
        for place in places:
            targets = ("outside", "outside/file") if "." in os.path.basename(place) else ("outside",)
            for target in targets if SLOW else targets[-1:]:
                self.renew()
                before = self.outside()
                path = self.path("results/t", place)
                if os.path.isdir(path): shutil.rmtree(path)
                elif os.path.exists(path): os.remove(path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.symlink(self.path(target), path)
                likely = draw if place.startswith("figures") else export if place.startswith("export") else calls[:1] if "." in place.split("/")[0] else calls[1:]
                for call in calls + export + draw if SLOW else self.random.sample(likely, min(1, len(likely))):
                    with self.subTest(place, target=target, call=call):
                        self.said(*call)
                        self.assertEqual(tree(self.path("outside")), before)

    def test_the_root_and_what_is_above_may_be_links(self):
        os.rename(self.path("results"), self.path("real"))
        os.symlink("real", self.path("results"))
        os.rename(self.path("real/t"), self.path("elsewhere"))
        os.symlink("../elsewhere", self.path("real/t"))
        for words in self.all_words():
            if words[1:2] != ["results"] and words[0] != "step":       # a folder of sweeps: the link is inside; a step wants a batch
                with self.subTest(words):
                    self.assertEqual(self.said(*words).returncode, 0)

    def twice(self, word):
        """Told by audit, status or report, and counted once."""
        done = self.said("audit", "results/t")
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn(word, done.stdout)
        done = self.said("report", "results/t", "--no-figures", "--json", "--out", "out")
        self.assertEqual(done.returncode, 3)
        self.assertIn(word, done.stderr)
        self.assertEqual(sorted(re.findall(rb'"state": "(\w+)"', done.stdout)), [b"done", b"unreadable"])

    def test_a_run_that_is_a_link_to_another_is_no_second_seed(self):
        shutil.rmtree(self.path("results/t/a/seed-2"))
        os.symlink("seed-1", self.path("results/t/a/seed-2"))
        self.twice(b"link")
        self.assertIn(b"unreadable", self.said("status", "results/t").stdout)

    def test_a_run_whose_files_are_anothers_is_no_second_seed(self):
        shutil.rmtree(self.path("results/t/a/seed-2"))
        shutil.copytree(self.path(RUN), self.path("results/t/a/seed-2"), copy_function=os.link)
        self.twice(b"once more")


class Terminal(Strangers):
    EVIL = "\x1b[2J\x1b]0;owned\x07\r\nforged: all is well\x9b31m\u009b1m\u202egpj\u2066\x7f\x08"

    def plain(self, words, done):
        """No control character, nothing that turns the direction of writing, no line that somebody else wrote."""
        for stream in (done.stdout, done.stderr):
            text = stream.decode("utf-8", "surrogateescape")
            if "--json" in words and stream is done.stdout:
                json.loads(text) if text.strip() else None
                continue
            if words[:1] == ["help"]:       # a name and its help, parted by a tab
                text = text.replace("\t", " ")
            bad = re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\udc80-\udcff]", text)
            self.assertIsNone(bad, (words, text))
            self.assertNotRegex(text, "(?m)^forged", words)

    def edit(self, name, change):
        with open(self.path(name)) as f:
            value = json.load(f)
        change(value)
        self.write(name, sealed(value))

    def walk(self, but=()):
        for words in self.all_words(but):
            with self.subTest(words):
                self.plain(words, self.said(*words))

    def test_what_records_say(self):
        evil = self.EVIL
        self.edit(RUN + "/run.json", lambda r: r.update(state="failed", cause=evil, host=evil, version=evil, numerics=evil, last_lines=evil, kernels=evil, started=evil))
        self.edit("results/t/plan.json", lambda p: p.update(name=evil, label=evil, baseline=evil))
        self.edit("results/t/plan.json", lambda p: p["runs"][1].update(variant=evil, paper=evil, setting="a/" + evil))
        self.walk()
        for name in ("report.html", "report.md", "report.tex", "summary.csv", "runs.csv", "summary.json", "curves.csv"):
            with open(self.path("results/t", name), encoding="utf-8", newline="") as f:       # well-formed, too
                self.assertNotRegex(f.read(), "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", name)
        self.edit(RUN + "/run.json", lambda r: r.update(state=evil, config_hash=evil, files={evil: {"bytes": 1, "sha256": evil}}))
        self.edit("results/t/plan.json", lambda p: p["runs"][1].update(run="a/" + evil.replace("/", "")))
        self.walk(() if SLOW else ("plot", "probe", "step", "bench"))

    def test_what_files_hold(self):
        evil = self.EVIL
        for name in ("train.csv", "test.csv", "probe.csv"):
            self.write(f"{RUN}/{name}", f"iteration,{evil}\n{evil},1\n")
        self.write(RUN + "/config.yaml", f"name: t\nlabel: \"{evil!r}\"\n{evil}: 1\n")
        self.write("results/t/a/seed-2/config.yaml", self.read("results/t/a/seed-2/config.yaml") + json.dumps(evil) + ": " + json.dumps(evil) + "\n")
        with open(self.path(RUN, "last.safetensors"), "r+b") as f:
            data = f.read()
            f.seek(data.index(b'"numerics":"') + 12)
            f.write(evil.encode("utf-8", "replace")[:20].replace(b'"', b"'"))
        self.walk()

    def test_what_folders_are_called(self):
        evil = self.EVIL.encode("utf-8", "surrogateescape").replace(b"/", b"") + b"\xff\xfe"
        base = os.fsencode(self.dir)
        os.rename(base + b"/results", base + b"/" + evil)
        os.rename(base + b"/" + evil + b"/t/a", base + b"/" + evil + b"/t/" + evil)
        os.remove(base + b"/" + evil + b"/t/plan.json")
        results, one = evil + b"/t", evil + b"/t/" + evil + b"/seed-1"
        with open(base + b"/" + evil + b".yaml", "w") as f:
            f.write("nonsense: 1\n")
        for words in ([b"audit", results], [b"audit", one], [b"audit", one, b"--json"], [b"report", results, b"--no-figures"], [b"status", results], [b"watch", results], [b"watch", one],
                      [b"report", results, b"--no-figures", b"--json"], [b"plot", results], [b"plot", results, b"--json"], [b"verify", one], [b"eval", one, b"--json"], [b"eval", one],
                      [b"compare", one, one], [b"compare", results, results, b"--json"], [b"probe", one], [b"sweep", evil + b".yaml"], [b"train", evil],
                      [b"train", one + b"/config.yaml", b"--run-dir", evil + b"/new"], [evil], [b"sweep", b"--" + evil], [b"train", b"x.yaml", evil + b"=1"],
                      [b"data", b"fetch", evil], [b"check", evil], [b"step", one + b"/config.yaml", b"--weights", evil, b"--out", b"o"]):
            with self.subTest(words):
                self.plain([w.decode("utf-8", "replace") for w in words], self.said(*words))

    def test_what_a_sweep_prints_of_its_runs(self):
        """A child's last words on the way to the terminal: here those of a broken config.yaml."""
        evil = self.EVIL
        shutil.rmtree(self.path("results/t/a/seed-1"))
        os.makedirs(self.path("results/t/a/seed-1"))
        self.write("results/t/a/seed-1/stderr.log", "")
        self.write("results/t/a/seed-1/last.safetensors", evil)
        self.plain([], self.said("sweep", "x.yaml", "--only", "a/seed-1"))


@unittest.skipUnless(GNUPLOT, "wants gnuplot")
class Figures(Strangers):
    def fake(self, folder, script):
        os.makedirs(self.path(folder), exist_ok=True)
        path = self.write(folder + "/gnuplot", "#!/bin/sh\n" + script)
        os.chmod(path, 0o755)

    def test_a_gnuplot_that_lies_in_the_results_is_not_run(self):
        for folder in (".", "results/t/figures", "results/t"):
            self.fake(folder, "touch " + self.path("pwned") + "\n")
        for path in (".:" + os.environ["PATH"], ":" + os.environ["PATH"], os.environ["PATH"] + ":", "./:" + os.environ["PATH"], "figures::" + os.environ["PATH"]):
            done = self.said("plot", "results/t", env=dict(os.environ, PATH=path))
            self.assertEqual(done.returncode, 0, done.stderr)
        done = self.said("plot", "results/t", env=dict(os.environ, PATH="."))
        self.assertFalse(os.path.exists(self.path("pwned")))

    def test_what_gnuplot_prints_stays_out_of_json(self):
        self.fake("bin", f'echo noise; echo more >&2; exec "{GNUPLOT}" "$@"\n')
        done = self.said("plot", "results/t", "--json", env=dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"]))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(json.loads(done.stdout)["figures"])

    def test_a_figure_counts_when_it_is_whole(self):
        """A limit to a file's size, as a full disk: the good ones stay as they are, and the exit code says so."""
        pictures = lambda: {n: v[0] for n, v in tree(self.path("results/t/figures")).items() if n.endswith((".svg", ".png", ".pdf"))}
        good = pictures()
        self.assertGreater(len(good), 6)
        for size in (100, 4096, 20000):
            for words in (["plot", "results/t"], ["report", "results/t"]) if SLOW else ((["report", "results/t"],) if size == 20000 else (["plot", "results/t"],)):
                limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
                done = self.said(*words, preexec_fn=limit)
                self.assertEqual(done.returncode, 1, (words, size, done.stderr))
                for name, data in pictures().items():
                    self.assertEqual(data, good[name], (words, size, name))
                self.assertFalse([n for n in tree(self.path("results/t")) if n.endswith(".tmp")])

    def test_a_gnuplot_that_breaks_off_draws_nothing(self):
        good = tree(self.path("results/t/figures"))
        for script in ("exit 0\n", "kill -9 $$\n", f'"{GNUPLOT}" "$@"; exit 3\n',
                       f'''"{GNUPLOT}" "$@" || exit; for f in /proc/self/fd/*; do case $(readlink $f) in *memfd:png*) truncate -s 900 /proc/$$/fd/${{f##*/}};; esac; done; exit 0\n'''):
            self.fake("bin", script)
            done = self.said("plot", "results/t", env=dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"]))
            self.assertEqual(done.returncode, 1, (script, done.stderr))
            for name, (data, _) in tree(self.path("results/t/figures")).items():
                if name.endswith((".svg", ".png", ".pdf")):
                    self.assertEqual(data, good[name][0], (script, name))


class Listing(Strangers):
    def test_a_folder_of_sweeps(self):
        self.write("x.yaml", CONFIG.format(label="u", iterations=4).replace("name: t", "name: u").replace("seeds: 2", "seeds: 1"))
        self.ends(0, "sweep", "x.yaml", "--threads", "1")
        lines = self.ends(0, "status", "results").stdout.splitlines()
        self.assertRegex(lines[0], r"\At +2 runs: 2 done\Z")
        self.assertRegex(lines[1], r"\Au +1 run: 1 done\Z")
        said = json.loads(self.ends(0, "status", "results/", "--json").stdout)
        self.assertEqual([(s["name"], s["count"], s["states"]["done"]) for s in said["sweeps"]], [("t", 2, 2), ("u", 1, 1)])
        self.write("results/u/plan.json", "no json")
        lines = self.ends(0, "status", "results").stdout.splitlines()
        self.assertRegex(lines[1], r"\Au +results/u/plan.json:1:\d+: ")
        self.assertIn("1 of 1 run done", self.ends(0, "sweep", "x.yaml", "name=v", "--threads", "1").stderr)

    @unittest.skipIf(os.getuid() == 0, "root reads everything")
    def test_a_folder_that_cannot_be_read_is_told(self):
        os.chmod(self.path("results/t/a"), 0)
        self.addCleanup(os.chmod, self.path("results/t/a"), 0o700)
        for words in (["report", "results/t", "--no-figures"], ["audit", "results/t"]):
            done = self.said(*words)
            self.assertEqual(done.returncode, 3)
            self.assertIn(b"Permission denied", done.stdout + done.stderr)
        self.assertIn(b"2 unreadable", self.said("status", "results/t").stdout)


main()
