"""skiplab data check and skiplab data export."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["SKIPLAB_SOURCE"], "tests/cli"))
from lab import Image, np
from skl import Case
from test_decoding import make_odd_files
from test_hostile import hostile


class Check(Case):
    def make(self):
        """Every odd file in two classes of both parts."""
        for part in ("train", "val"):
            for name in ("a", "b"):
                os.makedirs(self.path("data", part, name))
                self.files = make_odd_files(self.path("data", part, name))

    def test_oddities_are_counted(self):
        self.make()
        told = json.loads(self.ends(0, "data", "check", "data", "--json").stdout)
        each = len(self.files)
        self.assertEqual(told["train"], {"pictures": 2 * each, "classes": {"a": each, "b": each}})
        self.assertEqual(told["bad"], [])
        counts = {k: v // 4 for k, v in told["oddities"].items()}
        self.assertGreaterEqual(counts.pop("grey"), 5)      # Pillow writes some palettes as grey
        counts.pop("palette")
        self.assertEqual(counts, {"CMYK": 2, "alpha": 4, "16 bits": 3, "EXIF orientation (ignored)": 1, "progressive or interlaced": 1,
                                  "ending of the other format": 2})
        self.assertEqual(told["width"][0], 1)
        self.assertEqual(told["width"][2], 261)
        text = self.ends(0, "data", "check", "data").stdout
        for words in (f"train: {2 * each} pictures in 2 classes", "CMYK, first data/", "width 1 to 261"):
            self.assertIn(words, text)

    def test_all_bad_files_are_named(self):
        self.make()
        bad = hostile()
        for name, data in bad.items():
            with open(self.path("data/val/a", name), "wb") as f:
                f.write(data)
        os.mkfifo(self.path("data/train/b/pipe.png"))
        os.makedirs(self.path("data/train/c"))
        p = self.ends(3, "data", "check", "data")
        self.assertEqual(p.stderr.count("\n"), 1, p.stderr)
        named = {line[5:].split(":")[0] for line in p.stdout.splitlines() if line.startswith("bad: ")}
        self.assertLessEqual({f"data/val/a/{name}" for name in bad} | {"data/train/b/pipe.png", "data/train/c"}, named)
        self.assertIn("class 'c'", p.stdout)
        again = json.loads(self.ends(3, "data", "check", "data", "--json", "--threads", "3").stdout)
        self.assertEqual(len(again["bad"]), len(bad) + 3)

    def test_usage(self):
        for words in (("check",), ("export",), ("export", "mnist"), ("check", "a", "b"), ("chek", "a"), ("check", "a", "--train", "3"),
                      ("export", "synthetic", "x"), ("export", "folder", "x"), ("export", "fashion", "x"), ("fetch", "folder")):
            p = self.ends(2, "data", *words)
            self.assertEqual(p.stderr.count("\n"), 1, p.stderr)
        self.assertIn("no folder", self.ends(3, "data", "check", "nowhere").stderr)


@unittest.skipUnless(os.path.isdir("/usr/share/datasets/fashion-mnist"), "Debian: dataset-fashion-mnist")
class Export(Case):
    def test_a_set_becomes_a_folder(self):
        self.ends(0, "data", "export", "fashion-mnist", "x", "--train", "60", "--test", "40")
        told = json.loads(self.ends(0, "data", "check", "x", "--json").stdout)
        self.assertEqual((told["train"]["pictures"], told["val"]["pictures"]), (60, 40))
        self.assertEqual([name[0] for name in told["train"]["classes"]], list("0123456789"))
        self.assertEqual((told["width"][0], told["width"][2]), (64, 112))
        with Image.open(self.path("x/train/9-ankle-boot/00001.jpg")) as im:      # the set's first image
            self.assertEqual((im.mode, im.size), ("L", (64, 64)))
            self.assertGreater(np.asarray(im).max(), 200)
        before = sorted(os.listdir(self.path("x/train")))
        self.assertIn("is there already", self.ends(1, "data", "export", "fashion-mnist", "x").stderr)
        for words, option in (("--train 60 --test 10", "--test"), ("--train 3", "--train")):    # no run would read these
            self.assertRegex(self.ends(2, "data", "export", "fashion-mnist", "few", *words.split()).stderr, rf"\Askiplab: {option}: [^\n]*class \d-[^\n]*\n\Z")
            self.assertEqual([name for name in os.listdir(self.dir) if name.startswith("few")], [])
        self.assertEqual(before, sorted(os.listdir(self.path("x/train"))))
        os.makedirs(self.path("y.part"))
        self.assertIn("y.part", self.ends(1, "data", "export", "fashion-mnist", "y").stderr)
        self.assertFalse(os.path.exists(self.path("y")))


if __name__ == "__main__":
    unittest.main()
