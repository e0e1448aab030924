"""Pictures that are broken or made to harm are refused in one line, in little memory and time; none ends the reader."""
import os
import resource
import struct
import subprocess
import tempfile
import unittest
import zlib

from lab import TOOL, np, scene

MEMORY, SECONDS = 700 << 20, 20      # of the process, sanitizers aside; of the processor
SANITIZED = os.environ.get("SKIPLAB_SANITIZED")


def chunk(kind, data, crc=None):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


def png(width, height, depth, colour, data, extra=b"", interlace=0):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
            + extra + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def segments(jpeg):
    """Where the segments of a JPEG begin, [(marker, offset, length)], up to the first scan's data."""
    at, found = 2, []
    while True:
        marker, length = jpeg[at + 1], struct.unpack(">H", jpeg[at + 2:at + 4])[0]
        found.append((marker, at, length))
        at += 2 + length
        if marker == 0xDA:
            return found


def saved(picture, **options):
    with tempfile.TemporaryFile() as f:
        picture.save(f, options.pop("format", "JPEG"), **options)
        f.seek(0)
        return f.read()


def sized(jpeg, width, height):
    """The same picture, its header telling another size."""
    at = next(at for marker, at, _ in segments(jpeg) if marker in (0xC0, 0xC2))
    return jpeg[:at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9:]


def many_passes(jpeg, times):
    """The last scan of a progressive picture again and again."""
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * times + b"\xff\xd9"


def hostile():
    """{name: bytes}, each to be refused."""
    im = scene(60, 80)
    jpeg, progressive = saved(im, quality=90), saved(im, quality=90, progressive=True)
    plain = saved(im, format="PNG")
    files = {"empty.jpg": b"", "one-byte.jpg": b"\xff", "start.jpg": b"\xff\xd8\xff", "html.jpg": b"<!DOCTYPE html><html>",
             "gif.jpg": b"GIF89a" + bytes(40), "bmp.png": b"BM" + bytes(60), "webp.jpg": b"RIFF\0\0\0\0WEBPVP8 ",
             "zeros.jpg": bytes(4096), "gzip.jpg": b"\x1f\x8b\x08" + bytes(30), "text.jpg": b"version https://git-lfs\n"}
    for marker, at, length in segments(jpeg):
        files.setdefault(f"cut-in-{marker:02x}.jpg", jpeg[:at + 2 + length // 2])
        files.setdefault(f"cut-after-{marker:02x}.jpg", jpeg[:at + 2 + length])
    files["cut-in-scan.jpg"] = jpeg[:len(jpeg) * 2 // 3]
    files["cut-in-passes.jpg"] = progressive[:len(progressive) // 2]
    files["no-picture.jpg"] = b"\xff\xd8\xff\xd9"
    files["bomb.jpg"] = sized(jpeg, 60000, 60000)
    files["bomb-in-passes.jpg"] = sized(progressive, 60000, 60000)
    files["large-in-passes.jpg"] = sized(saved(im, quality=90, progressive=True, subsampling=0), 9900, 9900)
    files["passes.jpg"] = many_passes(progressive, 400)
    files["wide.jpg"] = sized(jpeg, 65535, 65535)
    files["no-width.jpg"] = sized(jpeg, 0, 60)
    files["no-height.jpg"] = sized(jpeg, 80, 0)
    at = next(at for marker, at, _ in segments(jpeg) if marker == 0xC0)
    files["twelve-bits.jpg"] = jpeg[:at + 4] + b"\x0c" + jpeg[at + 5:]
    files["components.jpg"] = jpeg[:at + 9] + b"\xff" + jpeg[at + 10:]
    rows = zlib.compress(bytes(81 * 60))
    files["cut-in-head.png"] = plain[:20]
    files["cut-in-data.png"] = plain[:len(plain) // 2]
    files["no-data.png"] = png(80, 60, 8, 0, b"")
    files["short-data.png"] = png(80, 60, 8, 0, zlib.compress(bytes(81 * 20)))
    files["checksum.png"] = plain[:40] + bytes([plain[40] ^ 1]) + plain[41:]
    files["bomb.png"] = png(60000, 60000, 8, 0, zlib.compress(bytes(1 << 20)))
    files["bomb-1-bit.png"] = png(60000, 60000, 1, 0, zlib.compress(bytes(1 << 20)))
    files["large-interlaced.png"] = png(9000, 9000, 8, 6, zlib.compress(bytes(1 << 20)), interlace=1)
    files["size-0.png"] = png(0, 60, 8, 0, rows)
    files["size-2-to-31.png"] = png(2 ** 31 - 1, 2 ** 31 - 1, 16, 6, rows)
    files["depth.png"] = png(80, 60, 3, 0, rows)
    files["colour.png"] = png(80, 60, 8, 5, rows)
    files["no-palette.png"] = png(80, 60, 8, 3, rows)
    files["profile-bomb.png"] = png(80, 60, 8, 0, rows, chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(100 << 20))))
    files["chunk-length.png"] = plain[:33] + b"\x7f\xff\xff\xff" + plain[37:]
    return files


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


class Hostile(unittest.TestCase):
    def test_each_is_refused(self):
        files = hostile()
        self.assertGreater(len(files), 40)
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                path = os.path.join(folder, name)
                with open(path, "wb") as f:
                    f.write(data)
                with self.subTest(name):
                    p = subprocess.run([TOOL, "decode", path, "1", "0", "0", "0", "0"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, preexec_fn=limits, timeout=120)
                    said = p.stderr.decode()
                    self.assertEqual(p.returncode, 3, said)
                    self.assertEqual(said.count("\n"), 1, said)
                    self.assertTrue(said.startswith(path + ": "), said)

    def test_random_damage_never_ends_the_reader(self):
        """A flipped byte anywhere: read, or refused."""
        im = scene(40, 50)
        rng = np.random.default_rng(3)
        sources = [saved(im, quality=80), saved(im, quality=80, progressive=True), saved(im, format="PNG"),
                   saved(im.quantize(9), format="PNG")]
        with tempfile.TemporaryDirectory() as folder:
            for k in range(60):
                data = bytearray(sources[k % len(sources)])
                for _ in range(1 + k % 3):
                    data[int(rng.integers(0, len(data)))] = int(rng.integers(0, 256))
                path = os.path.join(folder, "x.jpg")
                with open(path, "wb") as f:
                    f.write(data)
                p = subprocess.run([TOOL, "decode", path, "1", "0", "0", "0", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                self.assertIn(p.returncode, (0, 3), (k, p.stderr))


if __name__ == "__main__":
    unittest.main()
