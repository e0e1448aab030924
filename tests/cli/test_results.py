"""What people look at: status, figures and reports of results that lie there, made up by study.py."""
import csv
import html.parser
import json
import pty
import resource
import statistics
import unittest

import study
from skl import *


def change(folder, **figures):
    path = os.path.join(folder, "run.json")
    with open(path) as f:
        record = json.load(f)
    with open(path, "w") as f:
        json.dump({**record, **figures}, f)


class Status(Case):
    def setUp(self):
        super().setUp()
        study.make(self.path("r/s"), settings=2, seeds=3, rows=60)
        self.folders = [self.path(f"r/s/gates/gate_bias={bias}/seed-{seed}") for seed in (1, 2, 3) for bias in (0, -1)]

    def status(self):
        return json.loads(self.ends(0, "status", "r/s", "--json").stdout)

    def lines(self):
        return self.ends(0, "status", "r/s").stdout.splitlines()

    def test_finished(self):
        s = self.status()
        self.assertEqual((s["count"], s["states"]["done"], s["done"], s["seconds_left"]), (6, 6, 1, 0))
        error = study.final_error(0, 1)
        self.assertEqual(s["runs"][0]["test_error_final"], error)
        *runs, empty, last = self.lines()
        self.assertEqual((len(runs), empty, last), (6, "", "6 runs: 6 done"))
        self.assertRegex(runs[0], rf"^done +gates/gate_bias=0/seed-1 +6000/6000  loss 0\.0\d\d  error {error + 80 * 2.718281828 ** -6:.1f} %  "
                                  rf"100 images/s  test error {error:.2f} %$")

    def test_time_left(self):
        """Two of six runs are half done; 4.5 runs of 640 s took 320 s each half."""
        for folder in self.folders[4:]:
            change(folder, state="interrupted", iteration=3000, seconds=320.0, cause="signal 15")
        s = self.status()
        self.assertAlmostEqual(s["done"], 5 / 6)
        self.assertAlmostEqual(s["seconds_left"], 640)       # nothing runs: one after the other
        self.assertEqual([r["seconds_left"] for r in s["runs"]], [0, 0, 0, 0, 3000 * 64 / 300, 3000 * 64 / 300])
        self.assertEqual(self.lines()[-1], "6 runs: 4 done, 2 interrupted; 11 min left")
        change(self.folders[5], state="failed", cause="disk full")
        self.assertAlmostEqual(self.status()["seconds_left"], 320)   # nobody waits for what failed
        self.assertRegex(self.lines()[1], r"^failed +gates/gate_bias=-1/seed-3 .*  disk full$")

    def test_nothing_known_yet(self):
        for folder in self.folders:
            shutil.rmtree(folder)
        s = self.status()
        self.assertEqual((s["done"], s["seconds_left"], s["runs"][0]["train_loss"]), (0, None, None))
        self.assertEqual(self.lines()[-1], "6 runs: 6 waiting")

    def on_a_terminal(self, **env):
        try:
            parent, child = pty.openpty()
        except OSError as e:        # a container without devpts
            self.skipTest(f"no terminal to be had here: {e}")
        subprocess.run([PROGRAM, "status", self.path("r/s")], stdout=child, stdin=subprocess.DEVNULL, check=True,
                       env={**os.environ, "TERM": "xterm", **env})
        os.close(child)
        text = b""
        try:
            while part := os.read(parent, 1 << 16):
                text += part
        except OSError:             # as a terminal's end is told
            pass
        os.close(parent)
        return text.decode()

    def test_bars_and_colours_on_a_terminal_alone(self):
        change(self.folders[0], state="interrupted", iteration=3000)
        self.assertIn("[#####-----]", self.on_a_terminal(NO_COLOR="1"))
        self.assertNotIn("\033", self.on_a_terminal(NO_COLOR="1"))
        self.assertIn("\033[33minterrupted", self.on_a_terminal(NO_COLOR=""))
        self.assertIn("[##################--]", self.on_a_terminal())
        self.assertNotIn("[#", "\n".join(self.lines()))


@unittest.skipUnless(shutil.which("gnuplot"), "no gnuplot here")
class Figures(Case):
    def make(self, **sizes):
        study.make(self.path("r/s"), **{"settings": 5, "seeds": 3, "rows": 30, "probes": 6, **sizes})

    def plot(self, *args):
        made = json.loads(self.ends(0, "plot", "r/s", "--json", *args).stdout)["figures"]
        for figure in made:
            for kind, start in (("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")):
                with open(self.path(figure[kind]), "rb") as f:
                    self.assertEqual(f.read(len(start)), start)
        return [figure["name"] for figure in made]

    def data(self, name):
        with open(self.path("r/s/figures/data", name), newline="") as f:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(f)]

    def change(self, setting, seed, **figures):
        change(self.path(f"r/s/gates/gate_bias={-setting}/seed-{seed}"), **figures)

    def test_error_against_a_setting(self):
        self.make()
        self.change(1, 2, state="diverged", cause="loss not finite")          # counts with chance
        for seed in (1, 2, 3):
            self.change(3, seed, state="interrupted")                         # as far as it went
        self.assertIn("by-gate_bias", self.plot())
        rows = self.data("by-gate_bias.1.csv")
        self.assertEqual([r["value"] for r in rows], [-4, -3, -2, -1, 0])
        for row in rows:
            setting = int(-row["value"])
            errors = [study.final_error(setting, seed) for seed in (1, 2, 3)]
            if setting == 1:
                errors[1] = 90
            self.assertEqual((row["seeds"], row["style"], row["unfinished"]), (3, setting, setting == 3))
            for key, value in (("median", statistics.median(errors)), ("low", min(errors)), ("high", max(errors))):
                self.assertAlmostEqual(row[key], value, msg=f"{key} of {setting}")

    def test_two_values_are_no_curve(self):
        self.make(settings=2)
        self.assertNotIn("by-gate_bias", self.plot())

    def test_probes(self):
        self.make()
        names = self.plot()
        self.assertEqual(names[-5:], ["probe-direct", "probe-map", "probe-gradient", "probe-sum", "responses"])
        for setting in (0, 2):
            slug = f"gates-gate_bias_{-setting}"
            for panel, part in ((1, 0), (2, 1)):
                rows = self.data(f"{slug}.probe-direct.{panel}.csv")
                self.assertEqual([r["at"] for r in rows], list(range(9)))
                for unit, row in enumerate(rows):
                    for key in ("value", "low", "high"):
                        self.assertAlmostEqual(row[key], study.direct_gain(setting, unit, part), places=9)
            cells = self.data(f"{slug}.probe-map.csv")
            self.assertEqual(len(cells), 7 * 9)
            for row in cells:
                self.assertAlmostEqual(row["value"], study.direct_gain(setting, int(row["unit"]), row["at"] / 3000), places=9)
        self.assertAlmostEqual(self.data("gates-gate_bias_-1.probe-sum.1.csv")[8]["value"], 0.2)
        self.assertAlmostEqual(self.data("gates-gate_bias_-1.probe-gradient.2.csv")[1]["value"], 1e-4 / 1.5)
        layers = [study.response(layer) for layer in range(1, 20)]
        for panel, expected in ((1, layers), (2, sorted(layers, reverse=True))):
            rows = self.data(f"gates-gate_bias_0.responses.{panel}.csv")
            self.assertEqual([r["at"] for r in rows], list(range(1, 20)))
            for row, value in zip(rows, expected):
                self.assertAlmostEqual(row["value"], value, places=8)
        script = self.read("r/s/figures/probe-direct.gp")
        self.assertIn("FLOOR_LABEL = '0'", script)                            # setting 2 has exact zeros
        self.assertIn("STAGES = '-0.5 2.5 5.5 8.5'", script)
        self.assertNotIn("FLOOR_LABEL = '0'", self.read("r/s/figures/probe-gradient.gp"))

    def test_probes_that_are_torn_short_or_foreign(self):
        self.make(seeds=1)
        path = lambda setting: self.path(f"r/s/gates/gate_bias={-setting}/seed-1/probe.csv")
        with open(path(0)) as f:
            whole = f.read()
        with open(path(0), "w") as f:
            f.write(whole[:-250])                                            # the last probe is torn: the one before counts
        with open(path(1), "w") as f:
            f.write(whole.split("\n")[0] + "\n")
        with open(path(3), "w") as f:
            f.write("a,b\n1,2\n\0\xff")
        self.assertIn("probe-direct", self.plot())
        self.assertAlmostEqual(self.data("gates-gate_bias_0.probe-direct.2.csv")[0]["value"], study.direct_gain(0, 0, 5 / 6), places=9)
        self.assertFalse(os.path.exists(self.path("r/s/figures/data/gates-gate_bias_-1.probe-direct.2.csv")))
        self.assertFalse(os.path.exists(self.path("r/s/figures/data/gates-gate_bias_-3.probe-direct.2.csv")))
        self.assertIn("(b) after training", self.read("r/s/figures/probe-direct.gp"))
        self.change(0, 1, state="interrupted")
        self.plot()
        self.assertIn("(b) at the newest probe", self.read("r/s/figures/probe-direct.gp"))

    def test_nets_of_different_depth_share_an_axis(self):
        self.make(seeds=1, settings=3)
        path = self.path("r/s/gates/gate_bias=-1/seed-1/probe.csv")
        with open(path) as f:
            head, *lines = f.read().splitlines()
        with open(path, "w") as f:
            f.write("\n".join([head] + [line for line in lines if int(line.split(",")[1]) < 6]) + "\n")
        self.assertIn("probe-direct", self.plot())
        self.assertEqual([r["at"] for r in self.data("gates-gate_bias_-1.probe-direct.1.csv")][:2], [0.0833333333, 0.25])
        self.assertAlmostEqual(self.data("gates-gate_bias_0.probe-direct.1.csv")[8]["at"], 8.5 / 9)

    def restage(self, setting, stages):
        """The same probes of a net whose units lie in these stages."""
        path = self.path(f"r/s/gates/gate_bias={-setting}/seed-1/probe.csv")
        with open(path) as f:
            head, *rows = [line.split(",") for line in f.read().splitlines()]
        with open(path, "w") as f:
            f.write("\n".join(",".join(row) for row in [head] + [row[:2] + [str(stages[int(row[1])])] + row[3:] for row in rows]) + "\n")

    def test_stages_are_those_of_the_net(self):
        self.make(seeds=1, settings=2)
        for first, second, units, layers in (
                ([1] * 9, [1] * 9, "-0.5 8.5", "1.5 19.5"),
                ([1, 1, 2, 2, 2, 3, 4, 5, 5], [1, 1, 2, 2, 2, 3, 4, 5, 5], "-0.5 1.5 4.5 5.5 6.5 8.5", "1.5 5.5 11.5 13.5 15.5 19.5"),
                ([1, 1, 1, 2, 2, 2, 3, 3, 3], [1, 1, 2, 2, 2, 2, 3, 3, 3], "", ""),      # not at the same places
                (["nan"] * 9, ["nan"] * 9, "", ""), (list(range(9)), list(range(9)), "", "")):      # not told; too many to show
            self.restage(0, first)
            self.restage(1, second)
            self.plot()
            self.assertIn(f"STAGES = '{units}'\n", self.read("r/s/figures/probe-direct.gp"))
            self.assertIn(f"STAGES = '{layers}'\n", self.read("r/s/figures/responses.gp"))
        with open(self.path("r/s/gates/gate_bias=-1/seed-1/probe.csv")) as f:
            lines = f.read().splitlines()
        with open(self.path("r/s/gates/gate_bias=-1/seed-1/probe.csv"), "w") as f:      # six units in two stages, beside nine in two
            f.write("\n".join(line for line in lines if line.startswith("i") or int(line.split(",")[1]) < 6) + "\n")
        self.restage(0, [1] * 3 + [2] * 6)
        self.restage(1, [1] * 2 + [2] * 4)
        self.plot()
        self.assertIn("STAGES = '0 0.333333 1'\n", self.read("r/s/figures/probe-direct.gp"))

    def test_every_script_draws_itself_again(self):
        self.make(settings=3, seeds=2)
        for name in self.plot():
            os.unlink(self.path(f"r/s/figures/{name}.svg"))
            subprocess.run(["gnuplot", "-e", "FORMATS='svg'", f"{name}.gp"], cwd=self.path("r/s/figures"), check=True)
            self.assertGreater(os.path.getsize(self.path(f"r/s/figures/{name}.svg")), 3000, name)

    def test_a_copied_script_draws_its_own_pictures(self):
        self.make(settings=3, seeds=1, probes=0)
        self.plot()
        folder = self.path("r/s/figures")
        shutil.copy(self.path("r/s/figures/panels.gp"), self.path("r/s/figures/Ü 'mine'.gp"))
        before = tree(folder)
        subprocess.run(["gnuplot", "Ü 'mine'.gp"], cwd=folder, check=True)
        after = tree(folder)
        self.assertEqual(set(after) - set(before), {f"Ü 'mine'.{kind}" for kind in ("svg", "pdf", "png")})
        self.assertEqual({name: after[name] for name in before}, before)

    def test_a_part_is_drawn_beside_the_whole(self):
        self.make(settings=3, seeds=1, probes=0)
        self.plot()
        whole = tree(self.path("r/s/figures"))
        for words, folder in ((["--only", "gates/*-1"], "r/s/figures-part"), (["--xlim", "1000:2000"], "r/s/figures-part"),
                              (["--xlim", "2950:", "--out", "else where"], "else where"), (["--out", "other"], "other")):
            self.plot(*words)
            self.assertTrue(os.path.exists(self.path(folder, "training-loss.png")), words)
            self.assertEqual(tree(self.path("r/s/figures")), whole, words)
            shutil.rmtree(self.path(folder))

    def test_one_setting_that_blows_up_leaves_the_axis_to_the_others(self):
        self.make(settings=4, seeds=2, probes=0)
        for seed in (1, 2):
            path = self.path(f"r/s/gates/gate_bias=-3/seed-{seed}/train.csv")
            with open(path) as f:
                head, *rows = [line.split(",") for line in f.read().splitlines()]
            with open(path, "w") as f:
                f.writelines(",".join(row) + "\n" for row in [head] + [row[:3] + [str(10 ** (i / 8))] + row[4:] for i, row in enumerate(rows)])
        self.plot()
        self.assertIn("LEFT_MAX = 10\n", self.read("r/s/figures/panels.gp"))

    def test_a_range_without_a_curve_is_refused(self):
        self.make(settings=3, seeds=1, probes=0)
        for limits in ("3000:", "4000:5000"):
            self.assertIn("the curves end at iteration 3000", self.ends(2, "plot", "r/s", "--xlim", limits).stderr)
            self.assertEqual(sorted(os.listdir(self.path("r/s"))), ["gates", "plan.json"])

    def test_in_the_terminal(self):
        self.make(settings=3, seeds=1)
        before = tree(self.dir)
        text = self.ends(0, "plot", "r/s", "--terminal", env={**os.environ, "TMPDIR": self.dir, "LC_ALL": "C"}).stdout
        self.assertEqual(tree(self.dir), before)
        for word in ("Training loss", "Test error, %", "b_g = −1", "(a) before training", "3×3 layer"):
            self.assertIn(word, text)
        for word in ("\033", "\f", "\\x0c", "warning"):           # in the C locale gnuplot has something to say
            self.assertNotIn(word, text)


# numpy.median, the mean difference from setting 0, scipy.stats.t.interval(0.95, 4, mean, sem), scipy.stats.ttest_rel, and that
# adjusted after Holm, of the six settings of study.py with five seeds.
SCIPY = {
    1: (10.06, 0.362, -0.497102287, 1.22110229, 0.306988427, 0.507478745),
    2: (10.47, 0.934, -0.414695183, 2.28269518, 0.126869686, 0.507478745),
    3: (10.92, 0.766, -0.373445765, 1.90544576, 0.135380708, 0.507478745),
    4: (10.21, 0.67, -0.669530463, 2.00953046, 0.237246217, 0.507478745),
    5: (11.36, 1.39, 1.0347669, 1.7452331, 0.000407425617, 0.00203712808),
}


def interval(d):
    """95 % t-interval of a mean of five, and the two-sided p: t(0.975, 4) = 2.7764451051977987 (scipy.stats.t.ppf), and the
    closed form of Student's distribution with 4 degrees of freedom."""
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    t, q = abs(mean) / error, 1 + (mean / error) ** 2 / 4
    return mean, mean - 2.7764451051977987 * error, mean + 2.7764451051977987 * error, 1 - 0.75 * t / q ** 0.5 * (1 - t * t / (12 * q))


def holm(p):
    adjusted, least = {}, 0
    for rank, key in enumerate(sorted(p, key=p.get)):
        least = adjusted[key] = max(least, min(1, (len(p) - rank) * p[key]))
    return adjusted


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if tag not in ("meta", "img", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


class Report(Case):
    def rows(self):
        with open(self.path("r/s/summary.csv"), newline="") as f:
            return {-int(row["model.shortcut.gate_bias"]): row for row in csv.DictReader(f)}

    def check_statistics(self, settings):
        """Every setting's row of five seeds beside another computation of it."""
        rows, errors = self.rows(), {k: [study.final_error(k, seed) for seed in range(1, 6)] for k in range(settings)}
        self.assertEqual(set(rows), set(errors))
        difference = {k: interval([a - b for a, b in zip(errors[k], errors[0])]) for k in errors if k}
        adjusted = holm({k: d[3] for k, d in difference.items()})
        for k, row in rows.items():
            expected = {"test_error_median": statistics.median(errors[k]), "test_error_min": min(errors[k]), "test_error_max": max(errors[k]),
                        "test_error_mean": statistics.mean(errors[k]), "test_error_sd": statistics.stdev(errors[k])}
            if k:
                expected |= {"difference_mean": difference[k][0], "difference_low": difference[k][1],
                             "difference_high": difference[k][2], "p": difference[k][3], "p_holm": adjusted[k]}
            for name, value in expected.items():
                self.assertAlmostEqual(float(row[name]), value, delta=1e-7 + 1e-6 * abs(value), msg=f"{name} of {k}")

    def test_statistics(self):
        study.make(self.path("r/s"), settings=6, seeds=5, rows=20)
        self.ends(0, "report", "r/s", "--no-figures")
        self.check_statistics(6)
        rows = self.rows()
        for k, expected in SCIPY.items():
            for name, value in zip(("test_error_median", "difference_mean", "difference_low", "difference_high", "p", "p_holm"), expected):
                self.assertAlmostEqual(float(rows[k][name]), value, delta=1e-7 * abs(value), msg=f"{name} of {k}")

    @unittest.skipUnless(shutil.which("gnuplot"), "no gnuplot here")
    def test_the_page_stands_alone(self):
        study.make(self.path("r/s"), settings=4, seeds=2, rows=20, probes=4)
        self.ends(0, "report", "r/s")
        page = Page(self.read("r/s/report.html"))
        self.assertEqual(page.open, [])
        self.assertEqual((page.all("script"), page.all("link"), page.all("iframe")), ([], [], []))
        images = page.all("img")
        self.assertEqual(len(images), 9)
        for image in images:
            self.assertTrue(image["src"].startswith("data:image/svg+xml;base64,"))
            self.assertGreater(len(image["alt"]), 60)
            self.assertGreater(int(image["width"]), 300)
        for _, attributes in page.tags:
            self.assertFalse({"href", "action", "onload", "onclick"} & set(attributes))
        self.assertEqual(page.headings[0], 1)
        self.assertTrue(all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:])))
        self.assertTrue(all(th.get("scope") in ("row", "col") for th in page.all("th")))
        self.open_in_a_browser(self.path("r/s/report.html"))

    # German, Greek, signs, Chinese, an emoji, and one for private use, which no font has.
    STRANGE = "Größe ∞ β λ₂ → 日本 😀 \U000f0000"

    def strange_study(self):
        """Variant, label and cause are no ASCII; the last setting diverged."""
        study.make(self.path("r/s"), settings=3, seeds=2, rows=20)
        os.rename(self.path("r/s/gates/gate_bias=-2"), self.path("r/s/", self.STRANGE))
        with open(self.path("r/s/plan.json")) as f:
            plan = json.load(f)
        plan["label"] = self.STRANGE
        for planned in plan["runs"]:
            planned["paper"] = "8.70"
            if planned["setting"].endswith("-2"):
                planned["setting"] = planned["variant"] = self.STRANGE
        self.write("r/s/plan.json", json.dumps(plan))
        change(self.path("r/s", self.STRANGE, "seed-1"), state="diverged", cause="the loss is ∞ " + self.STRANGE)

    def test_text_that_is_no_ascii_in_every_format(self):
        self.strange_study()
        self.ends(0, "report", "r/s", *([] if shutil.which("gnuplot") else ["--no-figures"]))
        for name in ("report.html", "report.md"):
            self.assertIn(self.STRANGE, self.read("r/s", name), name)
        for name in ("summary.csv", "runs.csv", "curves.csv"):
            with open(self.path("r/s", name), newline="", encoding="utf-8") as f:
                self.assertIn(self.STRANGE, {row.get("variant", row["setting"]) for row in csv.DictReader(f)}, name)
        self.assertEqual(json.loads(self.read("r/s/summary.json"))["studies"][0]["label"], self.STRANGE)
        tex = self.read("r/s/report.tex")
        self.assertIn(r"Größe \ensuremath{\infty} \ensuremath{\beta} \ensuremath{\lambda}\ensuremath{_2} \ensuremath{\to} "
                      r"\sign{65E5}{日}\sign{672C}{本} \sign{1F600}{😀}", tex)
        if shutil.which("pdflatex"):
            p = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"], cwd=self.path("r/s"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
            self.assertEqual(p.returncode, 0, p.stdout[-1500:])
        if shutil.which("gnuplot"):
            self.assertRegex(self.read("r/s/figures/panels.gp"), r"(?m)^TITLE\[2\] = '\(b\) Größe ∞ β λ₂ → .. . \?'$")

    def test_what_matters_comes_first(self):
        self.strange_study()
        self.ends(0, "report", "r/s", "--no-figures")
        text = self.read("r/s/report.md")
        heads = re.search(r"(?m)^\| case \|.*training loss.*$", text).group().strip("| ").split(" | ")
        self.assertEqual(heads[:5], ["case", "test error, %", "min–max", "n", "paper, %"])
        self.assertNotIn("verdict", heads)                  # the same in every row: said once
        self.assertEqual(len(re.findall(r"(?i)\bother protocol", text)), 1)
        self.assertNotIn("gate_bias", heads)                # the case says it
        self.assertIn("| gates, b\\_g = −1 |", text)
        self.assertIn("1 of 2 over the limit; 1 diverged", text)
        page = self.read("r/s/report.html")
        self.assertIn("The table scrolls", page)
        self.assertIn("gates, b_g&nbsp;=&nbsp;−1", page)

    def test_the_table_on_the_terminal(self):
        self.strange_study()
        before = tree(self.path("r/s"))
        lines = self.ends(0, "report", "r/s", "--terminal").stdout.splitlines()
        self.assertEqual(tree(self.path("r/s")), before)
        self.assertRegex(lines[2], r"^case +test error, % +min–max +seeds$")
        self.assertRegex(lines[4], r"^gates, b_g = −1 +\d+\.\d\d +\d+\.\d\d–\d+\.\d\d  2 of 2$")
        self.assertRegex(lines[5], r"^Größe ∞ β λ₂ → 日本 😀 .*1 of 2 over the limit; 1 diverged$")

    def open_in_a_browser(self, path):
        """No word on the console and no request but for the file itself."""
        chromium = shutil.which("chromium")
        if not chromium:
            return
        log = self.path("net.json")
        p = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                            "--disable-component-update", "--disable-sync", f"--user-data-dir={self.path('browser')}", "--enable-logging=stderr",
                            f"--log-net-log={log}", "--dump-dom", f"file://{path}"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
        self.assertIn("Against the baseline", p.stdout)
        self.assertEqual([line for line in p.stderr.splitlines() if "CONSOLE" in line.upper() and "INFO:CONSOLE" in line], [])
        with open(log) as f:
            asked = set(re.findall(r'"url":"([^"]*)"', f.read()))
        self.assertEqual({url for url in asked if not re.search(r"//[a-z0-9.]*\.?(google|googleapis|gstatic)\.com/", url)}, set())   # the browser's own

    @unittest.skipUnless(os.environ.get("SKL_TEST_SLOW") and shutil.which("gnuplot"), "slow")
    def test_a_thousand_runs(self):
        """Within 10 s and 200 MB, and still right.  Seconds of the processors, so that others' work does not count."""
        study.make(self.path("r/s"), settings=200, seeds=5, rows=600)
        for command in ("report", "plot"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            process = self.start(command, "r/s")
            self.assertEqual(process.wait(), 0, process.stderr.read())
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.took(command, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 10)
            self.assertLess(after.ru_maxrss, 200 * 1024, command)
        self.check_statistics(200)


if __name__ == "__main__":
    main()
