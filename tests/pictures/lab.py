"""Pictures to decode: made with Pillow where it is installed."""
import os
import subprocess
import sys

TOOL = os.environ["PICTURE_TOOL"]
SKIPLAB = os.environ["SKIPLAB"]

try:
    import numpy as np
    from PIL import Image, ImageOps
except ImportError:
    print("skipped: Pillow and NumPy (Debian: python3-pil, python3-numpy) cannot be imported")
    sys.exit(77)


def scene(height, width, seed=0):
    """Noise with the spectrum of photographs."""
    rng = np.random.default_rng(seed)
    f = np.fft.fftfreq(height)[:, None] ** 2 + np.fft.fftfreq(width)[None] ** 2
    slope = 1 / np.maximum(f, 1e-5) ** 0.55
    planes = [np.real(np.fft.ifft2(np.fft.fft2(rng.normal(size=(height, width))) * slope)) for _ in range(3)]
    x = np.stack(planes, -1)
    return Image.fromarray(np.clip((x - x.mean()) / x.std() * 50 + 128, 0, 255).astype("uint8"))


def tool(*words):
    return subprocess.run([TOOL, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def pixels(p, height, width):
    if p.returncode:
        raise AssertionError(p.stderr.decode())
    return np.frombuffer(p.stdout, "uint8").reshape(height, width, 3).astype(int)


def decoded(path, shrink=1, region=None):
    """What skiplab makes of a file, or of the region (x, y, w, h) of it."""
    if region is None:
        w, h, _ = map(int, tool("size", path).stdout.split())
        return pixels(tool("decode", path, shrink, 0, 0, 0, 0), -(-h // shrink), -(-w // shrink))
    return pixels(tool("decode", path, shrink, *region), region[3], region[2])


def over_white(im):
    """Pillow's picture in RGB, alpha over white, the high bytes of 16 bits of grey."""
    if im.mode.startswith("I"):
        im = Image.fromarray((np.asarray(im.convert("I")) >> 8).astype("uint8"))
    if im.mode in ("RGBA", "LA", "PA") or "transparency" in im.info:
        im = im.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", im.size, (255, 255, 255, 255)), im).convert("RGB")
    return im.convert("RGB")
