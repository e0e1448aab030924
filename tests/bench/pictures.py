#!/usr/bin/env python3
"""Pictures a second: decoded, cropped at random and resized to 224, by skiplab's loader and by Pillow with torchvision's
transforms, in turn, one thread each; of photographs' sizes and spectra, made here.

    build/tests/pictures/picture_tool and Debian's python3-pil and python3-torchvision are needed:
    /usr/bin/python3 tests/bench/pictures.py build/tests/pictures/picture_tool
"""
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

TOOL, ROUNDS, COUNT = sys.argv[1], 5, 160
os.environ["PICTURE_TOOL"] = os.environ["SKIPLAB"] = TOOL
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pictures"))
from lab import scene


def ours(folder, *words):
    wall, processor = map(float, subprocess.run([TOOL, "speed", folder, "224", str(COUNT), "1", *words], stdout=subprocess.PIPE, text=True,
                                                check=True).stdout.split())
    return processor / (COUNT + 32)         # the mini-batch ahead is made too


def theirs(paths, transform):
    start = time.process_time()
    for path in paths:
        with open(path, "rb") as f:
            transform(Image.open(f).convert("RGB"))
    return (time.process_time() - start) / len(paths)


def main():
    torch.set_num_threads(1)
    area = transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.PILToTensor()])
    test = transforms.Compose([transforms.Resize(256), transforms.RandomCrop(224), transforms.PILToTensor()])
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        rng = np.random.default_rng(0)
        for k in range(COUNT + 32):
            place = os.path.join(folder, "train", str(k % 2))
            os.makedirs(place, exist_ok=True), os.makedirs(os.path.join(folder, "val", str(k % 2)), exist_ok=True)
            paths.append(os.path.join(place, f"{k}.jpg"))
            h, w = (375, 500) if k % 3 else (500, 375)
            scene(h, w, k % 16).save(paths[-1], quality=int(rng.integers(80, 96)))
        for k in range(2):
            scene(60, 60).save(os.path.join(folder, "val", str(k), "x.jpg"))
        for name, words, transform in (("random area, 224", ("area=0.08,1", "aspect=0.75,1.3333", "flip=1"), area),
                                       ("shorter side 256, a random 224", ("resize=256,256",), test)):
            a, b = [], []
            for _ in range(ROUNDS):
                a.append(ours(folder, *words))
                b.append(theirs(paths, transform))
            a, b = np.median(a), np.median(b)
            print(f"{name}: skiplab {1 / a:.0f}, Pillow and torchvision {1 / b:.0f} pictures a second and core: {b / a:.2f} times")


if __name__ == "__main__":
    main()
