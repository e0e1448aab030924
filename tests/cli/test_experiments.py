"""Every shipped experiment, all its variants trained for real: small nets, three iterations on computed images.  What a
probe costs."""
import json
from skl import *

SMALL = ["model.depth=20", "model.width=4", "data={dataset: synthetic, synthetic: {train: 48, test: 16, size: 8}}", "data.validation=0",
         "data.size=8", "data.test_images=16", "train.iterations=3", "train.batch=8", "train.bn_batch=4", "train.warmup.iterations=1", "train.lr_drops.at=[2]",
         "seeds=[1]"]


class Experiments(Case):
    def small(self, path):
        with open(path) as f:
            text = f.read()
        overrides = list(SMALL)
        if "imagenet" in path:
            overrides[0] = "model.depth=18"
            overrides[2] = "data={dataset: synthetic, synthetic: {train: 48, test: 16, size: 32}}"
            overrides[4] = "data.size=32"
            overrides += ["model.stride_in=3x3", "data.classes=0", "data.test_crops=1", "data.train_images=0"]
        if "validation" in text:
            overrides[3] = "data.validation=16"
        self.ends(0, "sweep", path, *overrides, "--threads", "1", timeout=600)
        status = self.ends(0, "status", os.path.join("results", os.path.basename(path)[:-5]), "--json").stdout
        return json.loads(status)

    def test_all(self):
        for name in sorted(os.listdir(os.path.join(SOURCE, "configs"))):
            if name.endswith(".yaml"):
                with self.subTest(name):
                    status = self.small(os.path.join(SOURCE, "configs", name))
                    self.assertGreater(status["count"], 1)
                    self.assertEqual(set(s for s, n in status["states"].items() if n), {"done"}, status)

    def test_a_probe_costs_less_than_three_iterations(self):
        """So with probe.every=100 it takes less than 3 % of the time.  It is about two thirds of one."""
        path, seconds = os.path.join(SOURCE, "configs", "table1-mini.yaml"), {}
        for every in (0, 1):
            began = time.monotonic()
            self.ends(0, "train", path, "--variant", "original", "--seed", 1, "--run-dir", f"every-{every}", "train.iterations=20",
                      "train.lr_drops.at=[]", "data.train_images=1280", "data.test_images=64", f"probe.every={every}", timeout=600)
            seconds[every] = time.monotonic() - began
        self.assertLess(seconds[1] - seconds[0], 21 / 20 * 3 * seconds[0], seconds)


main()
