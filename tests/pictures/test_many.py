"""The names of ImageNet's size, 1.3 million in 1000 classes: listed in 10 s and 400 MB."""
import os
import subprocess
import tempfile
import unittest

TOOL = os.environ["PICTURE_TOOL"]


class Many(unittest.TestCase):
    def test_names(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
            for part, count in (("train", 1300), ("val", 50)):
                for c in range(1000):
                    place = os.path.join(folder, part, f"n{c:08d}")
                    os.makedirs(place)
                    for i in range(count):
                        os.close(os.open(f"{place}/n{c:08d}_{i * 7919 % 100003}.JPEG", os.O_CREAT | os.O_WRONLY))
            out = subprocess.run([TOOL, "list", folder], stdout=subprocess.PIPE, check=True, text=True).stdout
            classes, train, val, seconds, memory = out.split()
            print(out)
            self.assertEqual((classes, train, val), ("1000", "1300000", "50000"))
            self.assertLess(int(memory), 400e6)
            self.assertLess(float(seconds), 10)


if __name__ == "__main__":
    unittest.main()
