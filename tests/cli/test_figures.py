"""Figures for other places: plot --width and --ylim; what variants are called in them; curves for other programs (export)."""
import csv
import json
import struct
import sys

import study
from skl import *

CONFIG = """name: t
model: {depth: 8, width: 4}
data: {dataset: synthetic, synthetic: {train: 64, test: 16, size: 8, channels: 3, classes: 4}}
train: {iterations: 3, batch: 16, log_every: 1, test_every: 3}
"""


class Figures(Case):
    """plot --width and --ylim; labels of variants."""

    def setUp(self):
        super().setUp()
        study.make(self.path("r/s"), settings=3, seeds=2, rows=30)
        path = self.path("r/s/plan.json")
        with open(path) as f:
            plan = json.load(f)
        for item in plan["runs"]:
            item["label"] = "Gated, 'g' {x}"
        with open(path, "w") as f:
            f.write(sealed(plan))

    def scripts(self, *words):
        """plot, without drawing: scripts and data alone."""
        self.assertIn("gnuplot is not installed", self.ends(1, "plot", *words, env={**os.environ, "PATH": "/nowhere"}).stderr)

    def svg(self, folder, stem):
        subprocess.run(["gnuplot", "-e", "FORMATS='svg'", stem + ".gp"], cwd=self.path(folder), check=True, stderr=subprocess.DEVNULL)
        return self.read(folder, stem + ".svg")

    def test_widths(self):
        probes = ("probe-direct", "probe-map", "probe-gradient", "probe-sum", "responses")
        study.make(self.path("r/p"), settings=3, seeds=1, rows=10, probes=2)
        for word, inches, points in (("3.4in", {"test-error": 3.4, "panels": 3.4, "by-gate_bias": 3.4, **dict.fromkeys(probes, 3.4)}, 8),
                                     ("6.6in", {"test-error": 6.6, "panels": 6.6, "by-gate_bias": 6.6, **dict.fromkeys(probes, 6.6)}, 10),
                                     ("slide", {"test-error": 9, "panels": 10.4, "by-gate_bias": 9, **dict.fromkeys(probes, 10.4), "probe-map": 9}, 16)):
            self.scripts("r/p", "--width", word, "--out", word)
            for stem, wide in inches.items():
                head = self.svg(word, stem)[:2000]
                self.assertAlmostEqual(float(re.search(r'<svg[^>]* viewBox="0 0 (\d+)', head).group(1)), 96 * wide, delta=1.5, msg=(word, stem))
            self.assertIn(f'font-size="{points * 96 / 72:.2f}', self.read(word, "test-error.svg"))
        self.assertRegex(self.ends(2, "plot", "r/s", "--width", "4in").stderr, "3.4in")

    def test_a_range(self):
        self.ends(0, "plot", "r/s", "--ylim", "5:20", "--out", "y")
        self.assertIn("Y_MIN = 5\nY_MAX = 20\nY_TICS = '5 10 15 20'\n", self.read("y", "test-error.gp"))
        self.assertIn("RIGHT_MIN[1] = 5\nRIGHT_MAX[1] = 20\n", self.read("y", "panels.gp"))
        self.assertNotIn("Y_MAX = 20\n", self.read("y", "training-loss.gp"))
        for word in ("5", "20:5", "a:b", "-1:5", "5:"):
            self.assertRegex(self.ends(2, "plot", "r/s", "--ylim", word).stderr, r"\Askiplab: [^\n]*--ylim[^\n]*\n\Z")

    def test_a_legend(self):
        for word in ("below", "top-left", "top-right", "bottom-left", "bottom-right", "none"):
            self.ends(0, "plot", "r/s", "--legend", word, "--metric", "train_loss", "--out", word)
            script = self.read(word, "training-loss.gp")
            self.assertIn(f"LEGEND = '{word}'\n", script)
            self.assertEqual("n = 2" in script, word in ("below", "none"), word)
            self.assertEqual("Gated" in re.sub("<title>.*?</title>", "", self.read(word, "training-loss.svg")), word != "none")
        self.assertRegex(self.ends(2, "plot", "r/s", "--legend", "right").stderr, "top-right")
        study.make(self.path("r/many"), settings=9, seeds=1, rows=10)
        self.scripts("r/many", "--legend", "top-right", "--metric", "train_loss")
        self.assertIn("LEGEND = 'below'\n", self.read("r/many/figures-part/training-loss.gp"))

    def test_every_name_stands_there(self):
        """gnuplot's own key leaves out what does not find room beside its graph."""
        study.make(self.path("r/many"), settings=27, seeds=1, rows=10, probes=1)
        self.scripts("r/many", "--width", "3.4in", "--font", ",9", "--out", "m")
        for stem in ("test-error", "training-loss", "probe-direct"):
            picture = self.svg("m", stem)
            height = float(re.search(r'viewBox="0 0 \S+ (\d+)', picture).group(1))
            places = [float(y) for y, text in re.findall(r'translate\(\S+?,([0-9.]+)\)"[^>]*>\s*<text>([^<]*)</text>', picture) if "b_g" in text]
            self.assertEqual(len(places), 27, stem)
            self.assertLess(max(places), height)
        panels = [name for name in os.listdir(self.path("m")) if re.fullmatch(r"panels(-\d)?\.gp", name)]
        self.assertEqual(len(panels), 9)                                     # three on a page

    def test_a_font(self):
        for font, family, size in (("DejaVu Sans Mono,9", "DejaVu Sans Mono", 9), ("Nimbus-1.5+", "Nimbus-1.5+", 10), (",12", "Helvetica", 12),
                                   ("ÄØ字,5", "ÄØ字", 5)):
            self.ends(0, "plot", "r/s", "--font", font, "--metric", "train_loss", "--out", "f")
            picture = self.read("f/training-loss.svg")
            self.assertLessEqual({(family, f"{size * 96 / 72:.2f}")}, set(re.findall('font-family="(.*?)" font-size="(.*?)"', picture)))
        for hostile in ("x'; system('touch pwned'); '", "x`touch pwned`", "x$(touch pwned)", 'x" onload="alert(1)', "<b>", "a,b", "a,9,9", ",", "", "a,4", "a,25", "a,nan",
                        "a\n9", " a", "a ", "x" * 65, "a|b", "a\\", "a/b", "\u202ea", "a{b}", "a@b", "a:b", "a&b", "a=b", "a,1e1,"):
            self.assertRegex(self.ends(2, "plot", "r/s", "--font", hostile).stderr, r"\Askiplab: plot: --font [^\n]*\n\Z", hostile)
        self.assertFalse(os.path.exists(self.path("pwned")))

    def test_a_font_that_is_not_there(self):
        said = "no font '%s' is installed here: another one is drawn in its place"
        self.assertIn(said % "No Such Font", self.ends(0, "plot", "r/s", "--font", "No Such Font,9", "--metric", "train_loss").stderr)
        fonts = shutil.which("fc-list") and subprocess.run(["fc-list", "--format", "%{family[0]}|%{fullname[0]}\n"], stdout=subprocess.PIPE, text=True).stdout
        for font in {f for f in (fonts or "").split("\n")[0].split("|") if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 .+-]*", f)}:
            self.assertEqual(self.ends(0, "plot", "r/s", "--font", font, "--metric", "train_loss").stderr, "", font)

    def figure(self, **words):
        """r/s as if its experiment had this section."""
        plan = {k: v for k, v in json.loads(self.read("r/s/plan.json")).items() if k not in ("seal", "sealed")}
        with open(self.path("r/s/plan.json"), "w") as f:
            f.write(sealed({**plan, "figure": words}))

    def test_the_figures_of_an_experiment(self):
        self.figure(width="3.4in", legend="none", font="Courier,9", ylim="5:20", xlim=":2000")
        self.scripts( "r/s")
        script = self.read("r/s/figures/test-error.gp")
        for line in ("PAGE = '3.4in'", "LEGEND = 'none'", "FONT_NAME = 'Courier'", "FONT_SIZE = 9", "Y_MIN = 5", "Y_MAX = 20", "X_MAX = 2000.0"):
            self.assertIn(line + "\n", script)
        self.scripts( "r/s", "--width", "slide", "--ylim", ":50", "--metric", "test_loss")
        part = self.read("r/s/figures-part/test-loss.gp")
        for line in ("PAGE = 'slide'", "LEGEND = 'none'", "Y_MAX = 50"):
            self.assertIn(line + "\n", part)
        self.ends(0, "report", "r/s", env={**os.environ, "PATH": "/nowhere"})
        self.assertEqual(self.read("r/s/figures/test-error.gp"), script)
        self.scripts( "r/s", "--metric", "test_loss")         # 5:20 are errors
        self.assertNotIn("Y_MAX = 20\n", self.read("r/s/figures/test-loss.gp"))
        self.figure(metric="test_loss", ylim=":7")
        self.scripts( "r/s")
        self.assertIn("Y_MAX = 7\n", self.read("r/s/figures/test-loss.gp"))
        self.ends(0, "report", "r/s", env={**os.environ, "PATH": "/nowhere"})
        self.assertNotIn("Y_MAX = 7\n", self.read("r/s/figures/test-error.gp"))

    def test_a_plan_of_others(self):
        self.figure(font="x'; system('touch pwned'); '", width="4in", colour="red", legend=7)
        message = self.ends(3, "plot", "r/s", "--metric", "train_loss").stderr
        for key in ("font", "width", "colour", "legend"):
            self.assertIn(f"plan.json: figure.{key}: ", message)
        self.assertTrue(os.path.exists(self.path("r/s/figures/training-loss.png")))
        self.assertFalse(os.path.exists(self.path("r/s/figures/pwned")))

    def test_a_section(self):
        self.write("t.yaml", CONFIG)
        self.ends(0, "sweep", "t.yaml")
        before = exact(self.path("results"))
        plan = json.loads(self.read("results/t/plan.json"))
        self.assertNotIn("figure", plan)
        words = {"width": "3.4in", "legend": "top-left", "font": "Times,9", "xlim": ":3", "ylim": "5:90", "metric": "test_loss"}
        self.write("t.yaml", CONFIG + "figure:\n" + "".join(f"  {k}: '{v}'\n" for k, v in words.items()))
        self.ends(0, "sweep", "t.yaml")
        new = json.loads(self.read("results/t/plan.json"))
        self.assertEqual((new["figure"], new["hash"], new["runs"], new["settings"]), (words, plan["hash"], plan["runs"], plan["settings"]))
        self.assertEqual(exact(self.path("results")), before)
        shown = self.ends(0, "config", "t.yaml", "figure.width=slide").stdout
        self.write("u.yaml", shown)
        self.assertIn("  width: slide\n  legend: top-left\n", shown)
        self.assertEqual(self.ends(0, "config", "u.yaml").stdout, shown)
        for line, wrong in (("width: 4in", "3.4in, 6.6in"), ("legend: right", "top-right"), ("font: \"x'y\"", "NAME,POINTS"), ("ylim: 5", "A:B"), ("xlim: '9:3'", "A:B"),
                            ("metric: error", "test_error"), ("colour: red", "unknown key 'colour'"), ("width: [3]", "a list"), ("ylim:", "nothing")):
            self.write("w.yaml", CONFIG + f"figure:\n  {line}\n")
            self.assertRegex(self.ends(2, "sweep", "w.yaml").stderr, rf"\Askiplab: w.yaml:6:\d+: [^\n]*{re.escape(wrong)}[^\n]*\n\Z", line)
        self.write("w.yaml", CONFIG + "variants: [{name: a, set: {figure.width: slide}}]\n")
        self.assertIn("belongs to the whole file", self.ends(2, "sweep", "w.yaml").stderr)

    def test_between_two_rows(self):
        """A window without a test: the curve runs through it all the same."""
        self.scripts("r/s", "--xlim", "2410:2490", "--out", "w")
        rows = [[float(x) for x in row.split(",")] for row in self.read("w/data/gates-gate_bias_0.test_error.csv").splitlines()[1:]]
        self.assertFalse([row for row in rows if 2410 <= row[0] <= 2490])
        inside = max(row[2] for row in rows if 2100 <= row[0] <= 2700)
        top = float(re.search("Y_MAX = (.*)", self.read("w/test-error.gp")).group(1))
        self.assertGreater(top, 0.9 * inside)
        self.assertLess(top, 3 * inside)
        curves = self.svg("w", "test-error").split('id="gnuplot_plot_')[1:]
        self.assertTrue(any("<path stroke='rgb(  0,   0,   0)'" in curve for curve in curves))

    def test_a_curve_of_one_row(self):
        """test_every may be as long as the run: the one test is drawn."""
        self.write("one.yaml", CONFIG.replace("name: t", "name: one") + "variants: [{name: a}, {name: b, set: {model.shortcut.type: dropout}}]\n")
        self.ends(0, "sweep", "one.yaml")
        self.scripts("results/one", "--out", "o")
        self.assertEqual(self.read("o/data/a.test_error.csv").count("\n"), 2)
        for stem, dots in (("test-error", 2), ("training-loss", 0), ("panel-b", 2)):
            self.assertEqual(self.svg("o", stem).count("href='#gpPt6' transform"), dots, stem)
        text = self.ends(0, "plot", "results/one", "--terminal").stdout.split("Test error, %")[1]
        self.assertRegex(text, r"\| [^|\n]*-- *\|")

    def test_all_diverge(self):
        """The axis of the losses shows where they begin, not 0.001 to 1."""
        self.write("d.yaml", CONFIG.replace("name: t", "name: d").replace("iterations: 3", "iterations: 20, lr: 1000, momentum: 1").replace("log_every: 1", "log_every: 2"))
        self.ends(0, "sweep", "d.yaml")
        self.scripts("results/d", "--out", "d")
        low, high = (float(re.search(f"{edge} = (.*)", self.read("d/training-loss.gp")).group(1)) for edge in ("Y_MIN", "Y_MAX"))
        begin = float(self.read("d/data/identity.train_loss.csv").splitlines()[1].split(",")[2])
        self.assertLessEqual(low, begin)
        self.assertLessEqual(begin, high)

    def test_labels(self):
        self.ends(0, "plot", "r/s", "--out", "l")
        self.assertIn("""LABEL[2] = 'Gated, '."'".'g'."'".' {x}, b_g = −1 (""", self.read("l", "test-error.gp"))
        self.ends(0, "report", "r/s")
        self.assertIn("Gated, 'g' {x}, b_g = −1", self.read("r/s/report.md").replace("\\", ""))
        self.assertNotIn("Gated", self.read("r/s/summary.csv"))

    def test_part_of_a_sweep(self):
        self.ends(0, "plot", "r/s", "--width", "slide", "--only", "gates/gate_bias=0", "--metric", "train_loss")
        self.assertFalse(os.path.exists(self.path("r/s/figures")))
        self.assertTrue(os.path.exists(self.path("r/s/figures-part/training-loss.png")))

    def test_a_label_of_the_experiment(self):
        self.write("t.yaml", CONFIG + "variants: [{name: a, label: First one}, {name: b}]\n")
        self.ends(0, "sweep", "t.yaml")
        runs = json.loads(self.read("results/t/plan.json"))["runs"]
        self.assertEqual([r.get("label") for r in runs], ["First one", None])
        self.write("t.yaml", self.read("t.yaml").replace("First one", "Another"))
        before = exact(self.path("results"))
        self.ends(0, "sweep", "t.yaml", "--only", "b")
        self.assertEqual(exact(self.path("results")), before)
        self.assertRegex(self.ends(2, "config", "t.yaml", "variants=[{name: a, label: [x]}]").stderr, "label must be text")


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    crc ^= 0xffffffff
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """A protocol buffer's fields: {number: bytes or number}, of those that stand here once."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            found[key >> 3], at = varint(data, at)
            continue
        size = {1: 8, 5: 4}.get(key & 7)
        if size is None:
            size, at = varint(data, at)
        found[key >> 3], at = data[at:at + size], at + size
    return found


def events(path):
    """TensorBoard's records, their checks verified: the version, then (tag, step, value)."""
    with open(path, "rb") as f:
        data = f.read()
    found, at = [], 0
    while at < len(data):
        n, = struct.unpack("<Q", data[at:at + 8])
        record = data[at + 12:at + 12 + n]
        assert struct.unpack("<II", data[at + 8:at + 12] + data[at + 12 + n:at + 16 + n]) == (crc32c(data[at:at + 8]), crc32c(record))
        found.append(fields(record))
        at += 16 + n
    assert found[0][3] == b"brain.Event:2"
    values = []
    for event in found[1:]:
        value = fields(fields(event[5])[1])
        values.append((value[1].decode(), event[2], struct.unpack("<f", value[2])[0]))
    return values


READ_BY_TENSORBOARD = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0}).Reload()
print(json.dumps(sorted((tag, e.step, e.value) for tag in events.Tags()["scalars"] for e in events.Scalars(tag))))
"""


def python_with(package):
    """A Python that can import it; None: none of this machine."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and not subprocess.run([python, "-c", "import " + package], stderr=subprocess.DEVNULL).returncode:
            return python
    return None


class Export(Case):
    def setUp(self):
        super().setUp()
        study.make(self.path("r/s"), settings=2, seeds=2, rows=300)

    def rows(self, *where):
        with open(self.path("r/s/gates/gate_bias=0/seed-1", *where)) as f:
            return list(csv.DictReader(f))

    def test_csv(self):
        self.assertEqual(self.ends(0, "export", "r/s").stdout, "r/s/export/curves.csv\n")
        with open(self.path("r/s/export/curves.csv")) as f:
            rows = list(csv.DictReader(f))
        own = [(int(r["iteration"]), float(r["value"])) for r in rows if (r["setting"], r["seed"], r["metric"]) == ("gates/gate_bias=0", "1", "test_error")]
        self.assertEqual(own, [(int(r["iteration"]), float(r["error"])) for r in self.rows("test.csv")])
        self.assertEqual({(r["variant"], r["setting"], r["seed"], r["state"]) for r in rows},
                         {("gates", f"gates/gate_bias={b}", s, "done") for b in ("0", "-1") for s in "12"})
        self.assertLessEqual({"train_loss", "train_error", "test_loss", "test_error"}, {r["metric"] for r in rows})

    def test_tensorboard(self):
        self.ends(0, "export", "r/s", "--to", "tensorboard", "--out", "x")
        path = self.path("x/tensorboard/gates/gate_bias=0/seed-1/events.out.tfevents.0.skiplab")
        got = events(path)
        loss = [(step, value) for tag, step, value in got if tag == "train_loss"]
        want = [(int(r["iteration"]), float(r["loss"])) for r in self.rows("train.csv")]
        self.assertEqual([s for s, _ in loss], [s for s, _ in want])
        for (_, a), (_, b) in zip(loss, want):
            self.assertAlmostEqual(a, b, delta=1e-6 * abs(b))
        self.assertTrue(any(step > 127 for _, step, _ in got))
        before = tree(self.path("x"))
        self.ends(0, "export", "r/s", "--to", "tensorboard", "--out", "x")
        self.assertEqual({k: v[0] for k, v in tree(self.path("x")).items()}, {k: v[0] for k, v in before.items()})

    def test_what_was_exported_is_no_run(self):
        """Its folders are called as runs are, and stand where they do."""
        self.ends(0, "export", "r/s")
        before, table = self.read("r/s/export/curves.csv"), self.ends(0, "report", "r/s", "--terminal").stdout
        self.ends(0, "export", "r/s", "--to", "tensorboard", "--out", "r/s")
        self.ends(0, "export", "r/s")
        self.assertEqual(self.read("r/s/export/curves.csv"), before)
        self.assertEqual(self.ends(0, "report", "r/s", "--terminal").stdout, table)

    def test_rows_that_count_nothing(self):
        """An iteration is a whole number from 0 that is not absurd."""
        name = "r/s/gates/gate_bias=0/seed-1/train.csv"
        head, *rows = self.read(name).splitlines(True)
        self.ends(0, "export", "r/s", "--to", "tensorboard", "--out", "x")
        want = events(self.path("x/tensorboard/gates/gate_bias=0/seed-1/events.out.tfevents.0.skiplab"))
        self.write(name, head + "-5,0,0.1,1,1\n" + "".join(rows) + "1e300,0,0.1,1,1\n18446744073709551616,0,0.1,1,1\n")
        self.ends(0, "export", "r/s", "--to", "tensorboard", "--out", "x")
        self.assertEqual(events(self.path("x/tensorboard/gates/gate_bias=0/seed-1/events.out.tfevents.0.skiplab")), want)

    def notebook(self, language, *command):
        """What the documents' code prints on these results."""
        with open(os.path.join(SOURCE, "docs/notebooks.md")) as f:
            code = re.search(rf"```{language}\n(.*?)```", f.read(), re.S).group(1)
        self.ends(0, "export", "r/s")
        shutil.move(self.path("r/s"), self.path("results/quickstart"))
        return subprocess.run([*command, code], cwd=self.dir, stdout=subprocess.PIPE, text=True, timeout=100, check=True).stdout

    def last_errors(self):
        """The median of the seeds' last test errors, by setting."""
        found = {}
        for b in ("0", "-1"):
            last = []
            for seed in "12":
                with open(self.path(f"results/quickstart/gates/gate_bias={b}/seed-{seed}/test.csv")) as f:
                    last.append(float(list(csv.DictReader(f))[-1]["error"]))
            found[f"gates/gate_bias={b}"] = sum(last) / 2
        return found

    def printed(self, text):
        return {setting: float(value) for setting, value in re.findall(r"(gates/gate_bias=\S+)\s+([\d.]+)", text)}

    def assert_last_errors(self, text):
        got, want = self.printed(text), self.last_errors()
        self.assertEqual(got.keys(), want.keys())
        for setting, value in want.items():
            self.assertAlmostEqual(got[setting], value, delta=1e-4 * value)

    def test_the_notebook_in_pandas(self):
        """The system's Python has Debian's pandas, whichever Python comes first."""
        self.assert_last_errors(self.notebook("python", python_with("pandas") or self.skipTest("no Python here has pandas"), "-c"))

    def test_the_notebook_in_r(self):
        if not shutil.which("Rscript"):
            self.skipTest("R is not here")
        self.assert_last_errors(self.notebook("r", "Rscript", "--vanilla", "-e"))

    def test_read_by_tensorboard(self):
        python = python_with("tensorboard") or self.skipTest("TensorBoard is not here")
        self.ends(0, "export", "r/s", "--to", "tensorboard", "--out", "x")
        name = "x/tensorboard/gates/gate_bias=0/seed-1"
        done = subprocess.run([python, "-c", READ_BY_TENSORBOARD, self.path(name)], stdout=subprocess.PIPE, text=True, timeout=100, check=True)
        self.assertEqual([tuple(v) for v in json.loads(done.stdout)], sorted(events(self.path(name, "events.out.tfevents.0.skiplab"))))

    def test_what_is_not_there(self):
        self.ends(3, "export", "nowhere")
        self.assertRegex(self.ends(2, "export", "r/s", "--to", "parquet").stderr, "csv")


if __name__ == "__main__":
    main()
