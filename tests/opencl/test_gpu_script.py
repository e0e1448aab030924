"""tests/bench/gpu.py on a device that breaks off: what is known is kept.  The program is one of ours that says what skiplab would."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "gpu.py")
PROGRAM = r"""#!/bin/sh
[ "$1 $2" != "$HANGS" ] || { echo $$ >"$PID"; exec sleep 600; }
case $1 in
  --version) echo 'skiplab 0.1.0 (git 0123456789ab)';;
  devices) echo '{"devices": [{"opencl": 0, "name": "Card", "driver": "Maker 1.2", "why_not": ""}]}';;
  shortcuts) echo '[{"name": "identity"}, {"name": "dropout"}]';;
  train) mkdir -p "$4" && touch "$4/train.csv" "$4/test.csv" "$4/last.safetensors";;
  bench) echo '{"images_per_second": 100, "share_of_peak": 0.5}';;
esac
"""


class Script(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.dir = home.name
        self.program, self.out, self.pid = (os.path.join(self.dir, name) for name in ("skiplab", "gpu.json", "pid"))
        with open(self.program, "w") as f:
            f.write(PROGRAM)
        os.chmod(self.program, 0o755)

    def start(self, *words, hangs="never"):
        return subprocess.Popen([sys.executable, SCRIPT, self.program, "--out", self.out, "--python", "/nonexistent/python3", *words], cwd=self.dir,
                                env=dict(os.environ, HANGS=hangs, PID=self.pid, OCL_ICD_VENDORS="x"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def known(self):
        with open(self.out) as f:
            return json.load(f)

    def test_a_whole_sitting(self):
        p = self.start()
        said, _ = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 0, said)
        known = self.known()
        self.assertIn("0123456789ab", known["version"])
        self.assertEqual([known["devices"][0][k] for k in ("name", "driver")], ["Card", "Maker 1.2"])
        self.assertEqual(list(known["checks"]), ["self-test", "same bytes", "check of identity", "check of dropout"])
        self.assertEqual(len(known["speed"]), 9)
        self.assertEqual(known["left_out"], [])

    def test_it_is_ended_in_the_middle(self):
        p = self.start(hangs="check dropout")
        while not os.path.exists(self.pid) or not os.path.getsize(self.pid):
            self.assertIsNone(p.poll())
            time.sleep(0.05)
        p.send_signal(signal.SIGTERM)
        p.communicate(timeout=20)
        with open(self.pid) as f, self.assertRaises(ProcessLookupError):
            os.kill(int(f.read()), 0)
        self.assertEqual(len(self.known()["speed"]), 9)
        self.assertTrue(self.known()["checks"]["check of identity"]["passed"])

    def test_time_is_over(self):
        p = self.start("--minutes", "0.03", hangs="devices --self-test")
        said, _ = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 1, said)
        known = self.known()
        self.assertFalse(known["checks"]["self-test"]["passed"])
        self.assertIn("0123456789ab", known["version"])
        self.assertIn("110 identity train", known["left_out"])

    def test_the_program_does_not_start(self):
        os.chmod(self.program, 0o644)
        p = self.start()
        said, _ = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 1, said)
        self.assertIn("does not run here", said)
        self.assertNotIn("Traceback", said)


if __name__ == "__main__":
    unittest.main()
