"""skiplab watch: the page on a terminal of its own, whatever ends it; the report that reloads itself."""
import json
import resource

import study
from terminal import *


def change(folder, **figures):
    path = os.path.join(folder, "run.json")
    with open(path) as f:
        record = json.load(f)
    with open(path + ".new", "w") as f:
        json.dump({**record, **figures}, f)
    os.replace(path + ".new", path)


def cut(path, lines):
    """Takes the end of a log away; returns it."""
    with open(path) as f:
        text = f.read().splitlines(True)
    with open(path, "w") as f:
        f.writelines(text[:lines])
    return text[lines:]


class Watch(Case):
    def setUp(self):
        super().setUp()
        study.make(self.path("r/s"), settings=2, seeds=2, rows=60)
        self.open = self.path("r/s/gates/gate_bias=-1/seed-2")
        self.rest = {name: cut(os.path.join(self.open, name), 4) for name in ("train.csv", "test.csv")}
        change(self.open, state="interrupted", iteration=300, cause="signal 15")

    def grow(self, rows=None):
        for name, rest in self.rest.items():
            with open(os.path.join(self.open, name), "a") as f:
                f.write("".join(rest[:rows]))

    def finish(self):
        self.grow()
        change(self.open, state="done", iteration=6000, cause="")

    def clean(self, terminal):
        """The terminal is as it was, and nothing is left behind."""
        text = terminal.read()
        self.assertEqual((text.count("\033[?1049h"), text.count(LEFT)), (1, 1))
        self.assertEqual(termios.tcgetattr(terminal.child), terminal.before)
        self.assertEqual(os.listdir(self.path("tmp")), [])


class Page(Watch):
    def test_once_where_there_is_no_terminal(self):
        before = tree(self.path("r"))
        out = self.ends(0, "watch", "r/s").stdout
        self.assertRegex(out.splitlines()[0], r"^s  \[#+-+\]  4 runs: 3 done, 1 interrupted; .* left$")
        self.assertRegex(out, r"(?m)^\*\* gates, b_g = 0 +\[##########\]  1\d\.\d\d %, n = 2$")
        self.assertRegex(out, r"(?m)^(  |##) gates, b_g = −1 +\[#####-----\]  \d+\.\d\d %, n = 1, 1 interrupted$")
        self.assertNotIn("\033", out)
        if shutil.which("gnuplot"):
            self.assertRegex(out, r"A made-up study: Test error, %")
            self.assertGreater(out.count("*"), 10)
        self.assertEqual(tree(self.path("r")), before)

    def test_grows_and_ends_with_the_sweep(self):
        before = set(tree(self.path("r")))
        t = Terminal(self, "r/s")
        t.wait_for(r"4 runs: 3 done, 1 interrupted(.|\n)*q: end")
        change(self.open, state="interrupted", iteration=4500)
        t.wait_for(r"b_g = −1 +\[########--\]")
        t.press("m")
        t.wait_for(r"m: test error")
        self.finish()
        self.assertEqual(t.end(), 0)
        self.clean(t)
        text = CODES.sub("", t.read().split(LEFT)[1])
        self.assertIn("skiplab: watch: the sweep has ended: 4 runs: 4 done", text)
        self.assertRegex(text, r"gates, b_g = −1 +\[##########\]  1\d\.\d\d %, n = 2")
        self.assertEqual(set(tree(self.path("r"))), before)

    @unittest.skipUnless(shutil.which("gnuplot"), "no gnuplot here")
    def test_a_curve_goes_on_where_it_was(self):
        """Only the rows that are new are read; a log that was replaced is read anew."""
        shutil.rmtree(self.path("r/s/gates/gate_bias=0"))
        shutil.rmtree(self.path("r/s/gates/gate_bias=-1/seed-1"))
        cut(os.path.join(self.open, "test.csv"), 1)
        t = Terminal(self, "r/s", NO_COLOR="1")
        t.wait_for(r"Training loss(.|\n)*Iterations")      # no test yet
        path = os.path.join(self.open, "train.csv")

        def reaches(iterations):        # the last number on the axis
            axis = re.search(r"\n *0 .*?(\d+)\n+ *Iterations( \(×10³\))?", t.page())
            return axis and int(axis[1]) * (1000 if axis[2] else 1) in range(iterations - 1000, iterations + 500)
        for part in range(3):
            with open(path, "a") as f:
                f.writelines(self.rest["train.csv"][19 * part:19 * (part + 1)])
                end = f.tell()
                f.write("9999,1,0.1,1")     # a row in the making
            wait_until(lambda: reaches(200 + 1900 * (part + 1)), 20)
            os.truncate(path, end)
        with open(path) as f, open(path + ".new", "w") as new:
            new.writelines(f.readlines()[:12])
        os.replace(path + ".new", path)
        wait_until(lambda: reaches(1000), 20)
        t.press("q")
        self.assertEqual(t.end(), 0)

    def test_what_did_not_grow_is_not_read(self):
        study.make(self.path("r/big"), settings=20, seeds=5, rows=400)
        change(self.path("r/big/gates/gate_bias=0/seed-1"), state="interrupted", iteration=300)
        t = Terminal(self, "r/big")
        t.wait_for("q: end")

        def counted():
            with open(f"/proc/{t.process.pid}/io") as f:
                return int(re.search(r"rchar: (\d+)", f.read())[1])
        first = counted()
        self.assertGreater(first, 100 * 400 * 20 if not SANITIZED else 0)
        end = time.monotonic() + 2.5         # two looks
        while time.monotonic() < end:
            t.read()
        self.assertLess(counted() - first, 40000)     # run.json and the last rows of the one that is open, each time
        t.press("q")
        self.assertEqual(t.end(), 0)

    def test_any_window(self):
        with open(self.path("r/s/plan.json")) as f:
            plan = json.load(f)
        with open(self.path("r/s/plan.json"), "w") as f:
            json.dump({**plan, "label": ""}, f)
        t = Terminal(self, "r/s")
        t.wait_for("q: end")
        for columns, rows in ((80, 24), (200, 60), (44, 18), (43, 18), (20, 5), (3, 3), (1, 2), (1, 1), (100, 9), (100, 2), (COLUMNS, ROWS)):
            before = t.read().count("\033[J")
            t.resize(columns, rows)
            t.process.send_signal(signal.SIGWINCH)
            wait_until(lambda: t.read().count("\033[J") > before, 20)
            lines = t.page().split("\n")
            self.assertLessEqual(len(lines), rows, (columns, rows))
            self.assertLessEqual(max(map(len, lines)), columns, (columns, rows))
            if shutil.which("gnuplot") and columns >= 44 and rows >= 18:
                self.assertRegex(t.page(), r"\n *Test error, %\n(.|\n)*\n *Iterations")
        t.press("q")
        self.assertEqual(t.end(), 0)
        self.clean(t)

    def test_many_settings(self):
        study.make(self.path("r/many"), settings=50, seeds=1, rows=10)
        change(self.path("r/many/gates/gate_bias=-49/seed-1"), state="interrupted", iteration=300)
        t = Terminal(self, "r/many")
        t.wait_for(r"settings 1-\d+ of 50")
        shown = int(re.search(r"settings 1-(\d+)", t.page())[1])
        t.press("\033[B")
        t.wait_for(rf"settings 2-{shown + 1} of 50")
        t.press(" ")
        t.wait_for(rf"settings {shown + 2}-{2 * shown + 1} of 50")
        for _ in range(60 // shown + 1):
            t.press("\033[6~")
        t.wait_for(rf"b_g = −49 (.|\n)*settings {51 - shown}-50 of 50")
        if shutil.which("gnuplot"):
            self.assertRegex(t.page(), r"(?m)^[*#$%@&=]{2} gates, b_g = −49 ")
        t.press("b\033[A")
        t.wait_for(rf"settings \d+-{49 - shown} of 50")
        t.press("q")
        self.assertEqual(t.end(), 0)

    def test_one_run(self):
        out = self.ends(0, "watch", self.open + "/").stdout
        self.assertRegex(out, r"(?m)^.* 1 run: 1 interrupted")
        self.assertRegex(out, r"(?m)^.. seed-2 +\[\S+\]  so far \d\d\.\d\d %, interrupted$")
        t = Terminal(self, self.open)
        t.wait_for("q: end")
        self.finish()
        self.assertEqual(t.end(), 0)
        self.assertIn("the run has ended: 1 run: 1 done", t.read())

    def test_a_failed_run_is_not_waited_for(self):
        change(self.open, state="failed", cause="disk full")
        t = Terminal(self, "r/s")
        self.assertEqual(t.end(), 0)
        self.assertIn("the sweep has ended: 4 runs: 3 done, 1 failed ('skiplab status' tells why)", t.read())

    def test_what_is_no_sweep(self):
        for args, status, words in ((["r"], 3, "neither a sweep"), (["nothing"], 3, "neither a sweep"), (["r/s/plan.json"], 3, "neither"),
                                    (["r/s", "--every", "10"], 2, "--html"), (["r/s", "--html", "--every", "0"], 2, "--every"),
                                    ([self.open, "--html"], 3, "no sweep")):
            result = self.ends(status, "watch", *args)
            self.assertEqual((result.stdout, result.stderr.count("\n")), ("", 1))
            self.assertIn(words, result.stderr)

    def test_a_log_that_is_damaged(self):
        with open(os.path.join(self.open, "test.csv"), "a") as f:
            f.write("1,2\n")
        out = self.ends(0, "watch", "r/s").stdout
        self.assertRegex(out, r"left out: r/s/gates/gate_bias=-1/seed-2/test.csv: no table of skiplab's, or a damaged one")

    def test_strangers_texts(self):
        with open(self.path("r/s/plan.json")) as f:
            plan = json.load(f)
        evil = "\033]0;owned\a\033[2J\u202e'`touch x`\n"
        for run in plan["runs"]:
            run["label"] = evil
        with open(self.path("r/s/plan.json"), "w") as f:
            json.dump({**plan, "name": evil, "label": evil}, f)
        change(self.open, state="failed", cause=evil)
        self.assertNotRegex(self.ends(0, "watch", "r/s").stdout, "[\033\a\u202e]")
        change(self.open, state="interrupted", cause=evil)
        t = Terminal(self, "r/s")
        t.wait_for("q: end")
        t.press("q")
        self.assertEqual(t.end(), 0)
        self.assertNotRegex(re.sub(r"\033\[(\?1049[hl]|\?25[hl]|\?7[hl]|H|K|J|0m|2m|3[123]m)", "", t.read()), "[\033\a\u202e]")
        self.assertFalse(os.path.exists(self.path("x")))


class Ends(Watch):
    """Whatever ends it, the terminal is as it was."""

    def started(self, *args):
        t = Terminal(self, "r/s", *args)
        t.wait_for("q: end")
        return t

    def test_keys_and_signals(self):
        for how, status in (("q", 0), ("Q", 0), ("\x03", -signal.SIGINT), (signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM),
                            (signal.SIGHUP, -signal.SIGHUP), (signal.SIGUSR1, -signal.SIGUSR1), (signal.SIGSEGV, -signal.SIGSEGV)):
            with self.subTest(how=how):
                if how == signal.SIGSEGV and SANITIZED:
                    continue        # is the sanitizer's
                t = self.started()
                t.press(how) if isinstance(how, str) else t.process.send_signal(how)
                self.assertEqual(t.end(), status)
                if how == signal.SIGSEGV:       # gnuplot's folder stays
                    shutil.rmtree(self.path("tmp"))
                    os.mkdir(self.path("tmp"))
                self.clean(t)

    def test_the_plan_goes_away(self):
        t = self.started()
        os.rename(self.path("r/s"), self.path("r/elsewhere"))
        self.assertEqual(t.end(), 3)
        self.clean(t)
        self.assertIn("neither a sweep", t.read().split(LEFT)[1])

    def test_the_terminal_goes_away(self):
        t = self.started()
        os.close(t.child)
        os.close(t.parent)
        self.assertIn(t.process.wait(20), (0, -signal.SIGHUP))     # whichever is seen first
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_the_terminal_is_not_read(self):
        """Nobody takes the page off the line: a signal ends it all the same."""
        t = self.started()
        for n in range(16):
            t.resize(200 - n % 2, 60)
            time.sleep(0.05)
        t.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        t.read()
        self.assertEqual(t.end(), -signal.SIGTERM)
        self.assertEqual(termios.tcgetattr(t.child), t.before)

    def test_stopped_and_continued(self):
        t = self.started()
        t.process.send_signal(signal.SIGTSTP)
        wait_until(lambda: t.read().endswith(LEFT), 20)
        wait_until(lambda: termios.tcgetattr(t.child) == t.before, 20)
        t.written = b""
        time.sleep(0.2)
        t.process.send_signal(signal.SIGCONT)
        wait_until(lambda: t.read().startswith("\033[?1049h"), 20)
        t.wait_for("q: end")
        t.press("q")
        self.assertEqual(t.end(), 0)
        self.clean(t)


class Thousand(Case):
    """1000 runs, and what four times as many cost: processor time, which a busy machine does not stretch much."""

    def cost(self, *args):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.ends(0, *args)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def test_within_ten_seconds(self):
        study.make(self.path("few/s"), settings=50, seeds=5, rows=10)
        study.make(self.path("many/s"), settings=200, seeds=5, rows=10)
        for words in (["list", "{}"], ["status", "{}/s"], ["watch", "{}/s"], ["report", "{}/s", "--no-figures"]):
            few, many = (self.cost(*[word.format(folder) for word in words]) for folder in ("few", "many"))
            self.took(words[0], many, 10 / 3)       # two cores, and half of it is other programs'
            if not SANITIZED:
                self.assertLess(many, 8 * max(few, 0.05), words)
        t = Terminal(self, self.path("many/s"))
        self.assertEqual(t.end(), 0)
        self.assertIn("the sweep has ended: 1000 runs: 1000 done", t.read())


@unittest.skipUnless(shutil.which("gnuplot"), "no gnuplot here")
class Html(Watch):
    def start_html(self, *more):
        process = self.start("watch", "r/s", "--html", *more)
        self.assertIn("r/s/report.html: written anew every", process.stderr.readline())
        return process

    def reloads(self):
        return re.findall(r'<meta http-equiv="refresh" content="(\d+)">', self.read("r/s/report.html"))

    def test_until_the_sweep_ends(self):
        process = self.start_html("--every", "1")
        self.assertEqual(self.reloads(), ["1"])
        self.assertIn("interrupted", self.read("r/s/report.html"))
        first = os.stat(self.path("r/s/report.html")).st_ino
        change(self.open, state="interrupted", iteration=4500)
        wait_until(lambda: os.stat(self.path("r/s/report.html")).st_ino != first, 30)
        self.assertEqual(self.reloads(), ["1"])
        self.finish()
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, err), (0, "", "r/s/report.html: the sweep has ended: 4 runs: 4 done\n"))
        self.assertEqual(self.reloads(), [])
        text = self.read("r/s/report.html")
        self.ends(0, "report", "r/s")
        self.assertEqual(self.read("r/s/report.html"), text)

    def test_a_signal(self):
        process = self.start_html()
        self.assertEqual(self.reloads(), ["60"])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.assertEqual(self.reloads(), [])

    def test_killed(self):
        process = self.start_html()
        self.assertEqual(self.reloads(), ["60"])
        process.kill()
        process.communicate()
        self.ends(0, "report", "r/s")
        self.assertEqual(self.reloads(), [])


if __name__ == "__main__":
    main()
