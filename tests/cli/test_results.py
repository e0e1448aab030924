"""What people look at: status, figures and reports of results that lie there, made up by study.py."""
import json
import pty

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


if __name__ == "__main__":
    main()
