"""Training from folders of pictures: what is listed, what is refused, the same bytes however it is done."""
import csv
import hashlib
import json
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.environ["SKIPLAB_SOURCE"], "tests/cli"))
from lab import np, scene
from skl import Case, exact, run, wait_until

CLASSES = 11
CONFIG = """model: {depth: 8, width: 4}
data: {dataset: folder, path: data, size: 32, normalize: channel, augment: {%s}, validation: 7%s}
train: {iterations: 24, batch: 16, log_every: 4, test_every: 8, checkpoint_every: 8}
"""


def make_folder(folder, train=5, val=2):
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("val", val)):
        for c in range(CLASSES):
            place = os.path.join(folder, part, f"class {c:02d}")
            os.makedirs(place)
            for i in range(count):
                h, w = (int(v) for v in rng.integers(24, 70, 2))
                scene(h, w, 100 * c + i).save(os.path.join(place, f"{i}.{('JPEG', 'jpg', 'PNG')[i % 3]}"))


class Training(Case):
    def setUp(self):
        super().setUp()
        make_folder(os.path.join(self.dir, "data"))

    def config(self, text):
        self.write("x.yaml", text)
        return "x.yaml"

    def train(self, config, *words, results="results"):
        p = run("train", config, "--quiet", "--results", results, *words, cwd=self.dir)
        self.assertEqual(p.returncode, 0, p.stderr)
        return os.path.join(self.dir, results, "x/identity/seed-1")

    def test_the_same_bytes_on_any_number_of_threads(self):
        for k, (augment, more) in enumerate((("colour: pca", ""), ("area: [0.08, 1], aspect: [0.75, 1.3333]", ", test_crops: 10"),
                                             ("resize: [40, 60], crop: 32, flip: false", ", test_resize: 36"))):
            config = self.config(CONFIG % (augment, more))
            one, five = (self.train(config, "--threads", n, results=f"r{k}-{n}") for n in (1, 5))
            self.assertEqual(exact(one), exact(five))
            p = run("verify", one, cwd=self.dir)
            self.assertEqual(p.returncode, 0, p.stderr)
            with open(os.path.join(one, "test.csv")) as f:
                header, *rows = f.read().splitlines()
            self.assertEqual(header, "iteration,epoch,loss,error,top5,weights")
            for row in rows:
                error, top5 = map(float, row.split(",")[3:5])
                self.assertTrue(0 <= top5 <= error <= 100)

    def test_audit_reads_the_pictures(self):
        """--data: the names and sizes are the recorded ones; the hash is sha256sum's over sorted names."""
        config = self.config(CONFIG % ("flip: false", ""))
        self.ends(0, "sweep", config)
        told = self.ends(0, "audit", "results/x", "--data").stdout
        lines = b""
        for part in ("train", "val"):
            paths = [os.path.relpath(os.path.join(root, n), self.path("data")) for root, _, names in os.walk(self.path("data", part)) for n in names]
            for name in sorted(paths, key=os.fsencode):
                with open(self.path("data", name), "rb") as f:
                    lines += os.fsencode(name) + b" " + hashlib.sha256(f.read()).hexdigest().encode() + b"\n"
        self.assertIn(f"77 pictures, SHA-256 over all names and bytes: {hashlib.sha256(lines).hexdigest()}", told)
        with open(self.path("data/val/class 02/0.JPEG"), "r+b") as f:      # the same size: only the hash tells
            f.seek(100)
            f.write(b"xyz")
        again = self.ends(0, "audit", "results/x", "--data").stdout
        self.assertNotIn(hashlib.sha256(lines).hexdigest(), again)
        os.unlink(self.path("data/val/class 02/0.JPEG"))
        self.assertIn("have changed since", self.ends(3, "audit", "results/x", "--data").stdout)
        self.ends(0, "audit", "results/x")
        shutil.rmtree(self.path("data"))
        self.assertIn("no folder", self.ends(3, "audit", "results/x", "--data").stdout)

    def test_top5_is_reported(self):
        self.config(CONFIG % ("flip: false", "") + "seeds: 2\n")
        self.ends(0, "sweep", "x.yaml")
        self.ends(0, "report", "results/x")
        last = [self.read(f"results/x/identity/seed-{n}/test.csv").splitlines()[-1].split(",")[4] for n in (1, 2)]
        runs = list(csv.DictReader(self.read("results/x/runs.csv").splitlines()))
        self.assertEqual([float(r["test_top5"]) for r in runs], [float(v) for v in last])
        row, = csv.DictReader(self.read("results/x/summary.csv").splitlines())
        self.assertAlmostEqual(float(row["test_top5_median"]), sum(map(float, last)) / 2, 5)
        self.assertIn("top-5, %", self.read("results/x/report.md"))
        self.assertAlmostEqual(json.loads(self.ends(0, "eval", "results/x/identity/seed-2", "--json").stdout)["test_top5"], float(last[1]), 5)

    def test_killed_and_resumed(self):
        """SIGKILL while pictures are decoded ahead: the same bytes, with another number of threads."""
        config = self.config((CONFIG % ("area: [0.2, 1]", "")).replace("iterations: 24", "iterations: 160"))
        whole = exact(self.train(config, results="whole"))
        log = self.path("results/x/identity/seed-1/train.csv")
        for iteration in ("20", "76"):
            process = self.start("train", config, "--quiet", "--threads", "3")
            wait_until(lambda: process.poll() is not None or os.path.exists(log) and f"\n{iteration}," in self.read(log))
            process.kill()
            process.wait()
        self.assertEqual(exact(self.train(config, "--threads", "1")), whole)

    def test_the_order_of_names_on_disk_is_nothing(self):
        config = self.config(CONFIG % ("colour: none", ""))
        before = exact(self.train(config))
        data, memory = os.path.join(self.dir, "data"), "/dev/shm" if os.path.isdir("/dev/shm") else self.dir
        os.rename(data, data + "-old")
        other = tempfile.mkdtemp(dir=memory)       # another file system, which lists names as they were made
        self.addCleanup(shutil.rmtree, other, True)
        os.symlink(other, data)
        for root, folders, names in os.walk(data + "-old", topdown=False):
            for name in reversed(sorted(names)):
                place = os.path.join(data, os.path.relpath(root, data + "-old"))
                os.makedirs(place, exist_ok=True)
                shutil.copy(os.path.join(root, name), os.path.join(place, name))
        after = exact(self.train(config, results="again"))
        self.assertTrue(before == after)       # a difference of megabytes is not printed

    def test_what_image_folder_reads_is_read(self):
        """Endings in any case, folders within a class, links; hidden names and other files are passed over."""
        train = os.path.join(self.dir, "data/train")
        place = os.path.join(train, "class 00")
        config = self.config(CONFIG % ("flip: false", ""))
        os.makedirs(os.path.join(place, "deep/er"))
        os.rename(os.path.join(place, "0.JPEG"), os.path.join(place, "deep/er/0.JpEg"))
        os.rename(os.path.join(place, "1.jpg"), os.path.join(self.dir, "elsewhere.jpg"))
        os.symlink(os.path.join(self.dir, "elsewhere.jpg"), os.path.join(place, "1.jpg"))
        os.makedirs(os.path.join(train, ".hidden"))
        for name in (".x.jpg", "notes.txt", "Thumbs.db", "x.gif"):
            with open(os.path.join(place, name), "w") as f:
                f.write("no picture")
        with open(os.path.join(train, "readme.jpg"), "w") as f:
            f.write("beside the classes")
        self.train(config)

    def refused(self, code, *words):
        p = run("train", "x.yaml", "--quiet", cwd=self.dir)
        self.assertEqual((p.returncode, p.stderr.count("\n")), (code, 1), p.stderr)
        for word in words:
            self.assertIn(word, p.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "results/x/identity/seed-1/train.csv")))

    def test_what_is_wrong_is_named(self):
        self.config(CONFIG % ("colour: pca", ""))
        data, gone = os.path.join(self.dir, "data"), os.path.join(self.dir, "gone")
        def moved(path, code, *words, to=gone):
            os.rename(os.path.join(data, path), to)
            self.refused(code, *words)
            os.rename(to, os.path.join(data, path))
        moved("val", 3, "'val'")
        moved("val/class 03", 3, "'class 03'", "'train'", "'val'")
        moved("train/class 03", 3, "'class 03'", "'train'", "'val'")
        os.makedirs(os.path.join(data, "train/zz"))
        os.makedirs(os.path.join(data, "val/zz"))
        self.refused(3, "train/zz", "without pictures")
        shutil.rmtree(os.path.join(data, "train/zz")), shutil.rmtree(os.path.join(data, "val/zz"))
        place = os.path.join(data, "train/class 01")
        for name, make, word in (("a.jpg", lambda p: os.symlink("/nowhere", p), "leads nowhere"), ("b.png", os.mkfifo, "no regular file"),
                                 ("c.webp", lambda p: open(p, "w").close(), "only JPEG and PNG"),
                                 ("d", lambda p: os.symlink("..", p), "stands in")):
            make(os.path.join(place, name))
            self.refused(3, f"class 01/{name}", word)
            os.unlink(os.path.join(place, name))
        for data_words, code, word in (("dataset: folder", 2, "data.path"), ("dataset: folder, path: data, classes: 10", 3, "11 classes"),
                                       ("dataset: folder, path: nothing", 3, "no folder"),
                                       ("dataset: folder, path: x.yaml", 3, "no folder"),
                                       ("dataset: folder, path: data, augment: {crop: 100}", 2, "data.size"),
                                       ("dataset: folder, path: data, augment: {resize: [300, 400], area: [0.1, 1]}", 2, "exclude"),
                                       ("dataset: folder, path: data, augment: {resize: [100, 400]}", 2, "224"),
                                       ("dataset: folder, path: data, augment: {aspect: [0.5, 1]}", 2, "area"),
                                       ("dataset: folder, path: data, test_resize: 60", 2, "data.size")):
            self.config("data: {%s}\n" % data_words)
            self.refused(code, word)

    def test_a_bad_picture_ends_the_run_with_its_name(self):
        """Wherever it is met: for the normalisation, in training, in a test."""
        bad = {"train": os.path.join(self.dir, "data/train/class 04/3.JPEG"), "val": os.path.join(self.dir, "data/val/class 07/1.jpg")}
        for part, rule in (("train", "channel"), ("train", "none"), ("val", "none")):
            with open(bad[part], "rb") as f:
                whole = f.read()
            with open(bad[part], "wb") as f:
                f.write(whole[:len(whole) // 2])
            config = self.config((CONFIG % ("flip: false", "")).replace("channel", rule))
            p = run("train", config, "--quiet", "--results", f"{part}-{rule}", cwd=self.dir)
            self.assertEqual((p.returncode, p.stderr.count("\n")), (3, 1), p.stderr)
            self.assertIn(f"{bad[part]}: truncated", p.stderr)
            with open(bad[part], "wb") as f:
                f.write(whole)
            self.train(config, results=f"{part}-{rule}")     # goes on where it ended

    def test_changed_pictures_are_other_data(self):
        config = self.config(CONFIG % ("flip: false", ""))
        folder = self.train(config)
        with open(os.path.join(self.dir, "data/train/class 04/3.JPEG"), "ab") as f:
            f.write(b"more")
        p = run("eval", folder, cwd=self.dir)
        self.assertEqual(p.returncode, 3, p.stderr + p.stdout)
        self.assertIn("data", p.stderr)


if __name__ == "__main__":
    unittest.main()
