"""What people look at: status, figures and reports of results that lie there, made up by study.py."""
import csv
import json
import pty
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
        parent, child = pty.openpty()
        subprocess.run([PROGRAM, "status", self.path("r/s")], stdout=child, stdin=subprocess.DEVNULL, check=True,
                       env={**os.environ, "TERM": "xterm", **env})
        os.close(child)
        text = os.read(parent, 1 << 16).decode()
        os.close(parent)
        return text

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

    def test_every_script_draws_itself_again(self):
        self.make(settings=3, seeds=2)
        for name in self.plot():
            os.unlink(self.path(f"r/s/figures/{name}.svg"))
            subprocess.run(["gnuplot", "-e", "FORMATS='svg'", f"{name}.gp"], cwd=self.path("r/s/figures"), check=True)
            self.assertGreater(os.path.getsize(self.path(f"r/s/figures/{name}.svg")), 3000, name)

    def test_in_the_terminal(self):
        self.make(settings=3, seeds=1)
        text = self.ends(0, "plot", "r/s", "--terminal").stdout
        for word in ("Training loss", "Test error, %", "gate_bias", "(a) before training", "3×3 layer"):
            self.assertIn(word, text)
        self.assertNotIn("\033", text)


if __name__ == "__main__":
    main()
