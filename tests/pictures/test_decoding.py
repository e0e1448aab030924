"""Pixel for pixel what Pillow decodes (at most 1 of 255 apart), whole and in part; resized and cropped as Pillow and
torchvision do it."""
import os
import struct
import tempfile
import unittest
import zlib

from lab import Image, ImageOps, decoded, np, over_white, pixels, scene, tool


def png(path, width, height, depth, colour, rows, extra=b"", interlace=0):
    """A PNG of raw rows (bytes), for what Pillow does not write."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    data = b"".join(b"\0" + row for row in rows)
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)) + extra
                + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


class Decoding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.files = make_odd_files(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_kind_is_pillows(self):
        for path in self.files:
            with self.subTest(os.path.basename(path)), Image.open(path) as im:
                want = np.asarray(over_white(im)).astype(int)
                got = decoded(path)
                self.assertEqual(got.shape, want.shape)
                self.assertLessEqual(np.abs(got - want).max(), 1)

    def test_a_part_is_the_wholes(self):
        rng = np.random.default_rng(1)
        for path in self.files:
            whole = decoded(path)
            h, w = whole.shape[:2]
            for k in range(6):
                x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
                r = (x, y, int(rng.integers(1, w - x + 1)), int(rng.integers(1, h - y + 1)))
                with self.subTest(os.path.basename(path), region=r):
                    part = decoded(path, 1, r)
                    self.assertEqual(np.abs(part - whole[y:y + r[3], x:x + r[2]]).max(), 0)

    def test_a_reduced_part_too(self):
        rng = np.random.default_rng(2)
        for name in ("plain.jpg", "progressive.jpg", "grey.jpg", "odd.jpg"):
            for shrink in (2, 4, 8):
                path = os.path.join(self.folder.name, name)
                whole = decoded(path, shrink)
                h, w = whole.shape[:2]
                for k in range(4):
                    x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
                    r = (x, y, int(rng.integers(1, w - x + 1)), int(rng.integers(1, h - y + 1)))
                    with self.subTest(name, shrink=shrink, region=r):
                        part = decoded(path, shrink, r)
                        self.assertEqual(np.abs(part - whole[y:y + r[3], x:x + r[2]]).max(), 0)


def make_odd_files(folder):
    """One of every odd file of the real set."""
    files = []
    im = scene(117, 150)
    wide = scene(83, 261, 1)

    def save(name, picture, **options):
        files.append(os.path.join(folder, name))
        picture.save(files[-1], options.pop("format", None), **options)

    save("plain.jpg", im, quality=90)
    save("odd.jpg", wide, quality=75)
    save("progressive.jpg", im, quality=85, progressive=True)
    save("not-subsampled.jpg", im, quality=90, subsampling=0)
    save("halved-rows.jpg", im, quality=90, subsampling=1)
    save("grey.jpg", im.convert("L"), quality=90)
    save("cmyk.JPEG", im.convert("CMYK"), quality=90)      # Adobe's marker, inverted
    save("one.jpg", im.crop((0, 0, 1, 1)), quality=90)
    save("ycck.jpg", im.convert("CMYK"), quality=90)
    make_ycck(files[-1])
    turned = Image.Exif()
    turned[0x112] = 6
    save("turned.jpg", im, quality=90, exif=turned)
    save("broken-exif.jpg", im, quality=90, exif=b"Exif\0\0II*\0\xff\xff\xff\xffxyz")
    save("png.jpg", im, format="PNG")
    save("jpeg.png", im, format="JPEG", quality=90)
    save("alpha.png", Image.merge("RGBA", (*im.split(), scene(117, 150, 2).convert("L"))))
    save("grey-alpha.png", Image.merge("LA", (im.convert("L"), scene(117, 150, 3).convert("L"))))
    save("palette.png", im.quantize(40))
    save("palette-alpha.png", im.quantize(40), transparency=bytes(range(0, 240, 6)))
    save("bits-1.png", im.convert("1"))
    save("grey.png", im.convert("L"))
    rng = np.random.default_rng(5)
    for name, colour, channels, depth in (("grey-16.png", 0, 1, 16), ("rgb-16.png", 2, 3, 16), ("rgba-16.png", 6, 4, 16),
                                          ("grey-2.png", 0, 1, 2), ("grey-4.png", 0, 1, 4)):
        width, height = 40, 33
        rows = [rng.integers(0, 256, width * channels * depth // 8, dtype="uint8").tobytes() for _ in range(height)]
        files.append(os.path.join(folder, name))
        png(files[-1], width, height, depth, colour, rows)
    return files


def make_ycck(path):
    """Colours stored as YCCK: the same numbers under Adobe's transform 2."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    at = data.index(b"Adobe")
    data[at + 11] = 2
    with open(path, "wb") as f:
        f.write(data)


class Views(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "a.jpg")
        cls.tall = os.path.join(cls.folder.name, "b.jpg")
        cls.large = os.path.join(cls.folder.name, "c.jpg")
        scene(375, 500).save(cls.path, quality=92)
        scene(401, 233, 1).save(cls.tall, quality=92)
        scene(1500, 2100, 2).save(cls.large, quality=92)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def close(self, got, want, mean):
        apart = np.abs(got - np.asarray(want).astype(int))
        self.assertLessEqual(apart.mean(), mean)

    def test_test_crops(self):
        """torchvision's Resize and CenterCrop, in Pillow."""
        for path in (self.path, self.tall, self.large):
            for size, side in ((224, 256), (64, 73), (62, 73), (65, 130)):
                with Image.open(path) as im:
                    w, h = im.size
                    short = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
                    resized = im.resize(short, Image.BILINEAR)
                left, top = int(round((short[0] - size) / 2)), int(round((short[1] - size) / 2))
                corners = [(left, top), (0, 0), (short[0] - size, 0), (0, short[1] - size), (short[0] - size, short[1] - size)]
                for crop in range(10):
                    x, y = corners[crop % 5]
                    want = resized.crop((x, y, x + size, y + size))
                    got = pixels(tool("test", path, size, crop, f"test_resize={side}"), size, size)
                    with self.subTest(os.path.basename(path), size=size, crop=crop):
                        self.close(got, ImageOps.mirror(want) if crop >= 5 else want, int(w >= 4 * short[0]))

    def test_parts(self):
        """torchvision's resized_crop of the part that was drawn."""
        for path, limit in ((self.path, 0), (self.tall, 0), (self.large, 1)):
            for image in range(12):
                words = (path, 96, 7, 3, image, "area=0.08,1", "flip=1")
                x, y, w, h, across, down, left, top, flip = map(int, tool("view", *words).stdout.split())
                with Image.open(path) as im:
                    want = im.crop((x, y, x + w, y + h)).resize((96, 96), Image.BILINEAR)
                with self.subTest(os.path.basename(path), image=image):
                    self.assertEqual((across, down, left, top), (96, 96, 0, 0))
                    self.close(pixels(tool("train", *words), 96, 96), ImageOps.mirror(want) if flip else want, limit)

    def test_sides(self):
        for path, limit in ((self.path, 0), (self.tall, 0), (self.large, 1)):
            for image in range(12):
                words = (path, 96, 7, 3, image, "resize=110,205", "flip=1")
                x, y, w, h, across, down, left, top, flip = map(int, tool("view", *words).stdout.split())
                with Image.open(path) as im:
                    self.assertEqual((x, y, w, h), (0, 0, *im.size))
                    want = im.resize((across, down), Image.BILINEAR).crop((left, top, left + 96, top + 96))
                with self.subTest(os.path.basename(path), image=image):
                    self.assertTrue(110 <= min(across, down) <= 205)
                    self.close(pixels(tool("train", *words), 96, 96), ImageOps.mirror(want) if flip else want, limit)

    def test_draws(self):
        """Each side, place, mirroring, part and aspect of the range has its share; nothing hangs on another draw."""
        views = np.array([[int(v) for v in tool("view", self.path, 64, 7, 3, i, "resize=70,100", "flip=1").stdout.split()]
                          for i in range(300)])
        sides = views[:, 5]
        self.assertEqual((sides.min(), sides.max()), (70, 100))
        self.assertLess(abs(sides.mean() - 85), 2)
        self.assertTrue(0.4 < views[:, 8].mean() < 0.6)
        room = views[:, 7] / (views[:, 5] - 64)
        self.assertTrue(0.4 < room.mean() < 0.6 and room.min() < 0.05 and room.max() > 0.95)
        parts = np.array([[int(v) for v in tool("view", self.path, 64, 7, 3, i, "area=0.08,1").stdout.split()] for i in range(300)])
        area, aspect = parts[:, 2] * parts[:, 3] / (375 * 500), parts[:, 2] / parts[:, 3]
        self.assertTrue(0.07 < area.min() < 0.2 and area.max() > 0.9)
        self.assertTrue(0.74 < aspect.min() < 0.82 and 1.25 < aspect.max() < 1.35)
        again = tool("view", self.path, 64, 7, 3, 5, "area=0.08,1").stdout
        self.assertEqual(again, tool("view", self.path, 64, 7, 3, 5, "area=0.08,1").stdout)
        self.assertNotEqual(again, tool("view", self.path, 64, 7, 4, 5, "area=0.08,1").stdout)
        self.assertNotEqual(again, tool("view", self.path, 64, 8, 3, 5, "area=0.08,1").stdout)


if __name__ == "__main__":
    unittest.main()
