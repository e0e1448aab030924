"""Whole runs on an OpenCL device: opencl:0, where there is no GPU pocl.  A driver's faults: shim.c."""
import concurrent.futures
import json
import sys

from lab import *

DEVICE = ("--device", "opencl:0")
GPU_SHIM = preloadable(os.environ["OPENCL_SHIM"])


def losses(folder):
    with open(os.path.join(folder, "train.csv")) as f:
        return [float(line.split(",")[3]) for line in f.read().splitlines()[1:]]


def variants():
    return [s["name"] for s in json.loads(run("shortcuts", "--json").stdout)]


PLAIN_C = """#include "core/variant/shortcut.h"
static void forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    (void)h;
    for (size_t i = 0; i < skl_elements(k); i++) y[i] = x[i] + f[i];
}
static void backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy, float *dx, float *dh, float *df)
{
    (void)x, (void)h, (void)f;
    for (size_t i = 0; i < skl_elements(k); i++) dx[i] = df[i] = dy[i], dh[i] = 0;
}
SKL_SHORTCUT(plain_c) = {SKL_SHORTCUT_HEAD(plain_c), .summary = "s", .formula = "y = x + F", .source = "s", .on_shortcut = "1",
                         .on_residual = "1", .forward = forward, .backward = backward};
"""
BY_GROUP = """#include "core/variant/shortcut.h"
static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)b;
    a->constant = k->first ? 1 : 0.5f; /* the first group is merged in another way than those after it */
}
SKL_SHORTCUT(by_group) = {SKL_SHORTCUT_HEAD(by_group), .summary = "s", .formula = "y = a x + F", .source = "s", .on_shortcut = "a",
                          .on_residual = "1", .affine = affine};
"""
NOT_A_NUMBER = """#include "core/variant/shortcut.h"
static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)b;
    if (k->iteration == 9) a->constant = __builtin_nanf("");
}
SKL_SHORTCUT(breaks) = {SKL_SHORTCUT_HEAD(breaks), .summary = "s", .formula = "y = x + F", .source = "s", .on_shortcut = "1",
                        .on_residual = "1", .affine = affine};
"""


class Gpu(Lab):
    def shim(self, words, **more):
        return dict(os.environ, LD_PRELOAD=GPU_SHIM, SKL_SHIM=words, **more)

    def state(self, folder):
        with open(os.path.join(folder, "run.json")) as f:
            return json.load(f)

    def reference(self, text):
        self.write("x.yaml", text)
        folder = self.folder()
        self.train(folder, *DEVICE, code=0)
        self.whole = self.files(folder)

    def plugin(self, name, source):
        self.write(name + ".c", source)
        subprocess.run(["cc", *"-std=gnu11 -O2 -ffp-contract=off -fvisibility=hidden -fPIC -shared -I".split(), SOURCE, name + ".c", "-o", name + ".so"],
                       cwd=self.dir, check=True)
        return f"./{name}.so"

    # ---- results ----
    def test_every_variant_as_on_the_cpu(self):
        """Batch-norm groups side by side there, one after another here."""
        for name in variants():
            with self.subTest(name):
                self.write(f"{name}.yaml", config(shortcut=f"{{type: {name}}}", iterations=3, test=3).replace("batch: 16", "batch: 16, bn_batch: 8"))
                both = [self.folder(), self.folder()]
                self.train(both[0], *DEVICE, yaml=f"{name}.yaml", code=0)
                self.train(both[1], "--device", "cpu", yaml=f"{name}.yaml", code=0)
                for a, b in zip(losses(both[0]), losses(both[1])):
                    self.assertLess(abs(a - b), 1e-5 * max(1, abs(b)), name)

    def test_groups_side_by_side(self):
        """As many as the device's memory holds, and the bytes of one after another: groups of 4, 8 and 2 images in a batch of 16.
        SKL_TEST_SLOW: every variant, else some."""
        names = variants()
        if not SLOW:
            names = self.random.sample(names, 2)
        plugin = ("--plugin", self.plugin("by_group", BY_GROUP))
        orders = ("original", "bn_after_add", "relu_before_add", "relu_only_preact", "full_preact")
        for i, name in enumerate(["by_group", "stochastic_depth", *names]):
            text = config(shortcut=f"{{type: {name}}}", order=orders[(i + SEED) % 5], iterations=3, test=3)
            if name == "stochastic_depth":
                text = text.replace("{type: stochastic_depth}", "{type: stochastic_depth, per: image}")
            self.write("x.yaml", text.replace("batch: 16", f"batch: 16, bn_batch: {(4, 8, 2)[i % 3]}"))
            words = plugin if name == "by_group" else ()
            needs = []
            for holds in (1 << 40, 1):      # 1: too little for even one
                p = run("summary", "x.yaml", "--json", *words, *DEVICE, cwd=self.dir, env=self.shim(f"holds={holds}"))
                needs.append(json.loads(p.stdout)["bytes"])
            self.assertGreater(needs[0], 1.2 * needs[1], name)
            folders = [self.folder(), self.folder()]
            for folder, holds in zip(folders, needs):
                self.train(folder, *words, *DEVICE, env=self.shim(f"holds={holds}"), code=0)
            for file in ("train.csv", "test.csv", "validation.csv", "last.safetensors"):
                with open(os.path.join(folders[0], file), "rb") as a, open(os.path.join(folders[1], file), "rb") as b:
                    self.assertEqual(a.read(), b.read(), f"{name}: {file}")

    def test_ten_kills(self):
        self.reference(config(shortcut="{type: dropout}", iterations=24))
        folder = self.folder()
        kills = 0
        for _ in range(200):
            p = subprocess.Popen([PROGRAM, "train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", "1", *DEVICE], cwd=self.dir,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                p.wait(timeout=1 + self.random.random() * 0.3 if kills < 10 else 120)
                break
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
                kills += 1
        self.assertEqual(p.returncode, 0)
        self.same(folder, f"{kills} kills")
        print(f"{kills} kills", end=" ")

    # ---- a device that goes ahead ----
    def test_nothing_is_read_between_rows(self):
        self.write("x.yaml", config(shortcut="{type: identity}", iterations=60, log=30, test=60, checkpoint=60))
        self.train(self.folder(), *DEVICE, code=0)      # what it compiles is in the cache then
        start, reads = time.monotonic(), self.path("reads")
        folder = self.folder()
        self.train(folder, *DEVICE, env=self.shim(f"reads={reads}"), code=0)
        half_seconds = (time.monotonic() - start) / 0.5
        with open(reads) as f:
            count = int(f.read())
        with open(os.path.join(folder, "last.safetensors"), "rb") as f:
            tensors = len(json.loads(f.read(struct.unpack("<Q", f.read(8))[0])))
        # two for results, once a row and at most once in half a second; all tensors for a checkpoint and a hash; evaluations
        self.assertLess(count, 2 * (half_seconds + 4) + 3 * tensors + 12)

    def test_divergence_between_rows(self):
        """What a device did behind the step that went wrong is void, however far it was ahead: weights that overflow, a loss that is
        not a number."""
        plugin = self.plugin("breaks", NOT_A_NUMBER)
        for shortcut, words in (("identity", ()), ("breaks", ("--plugin", plugin))):
            seen = []
            for every in (1, 40):
                text = config(shortcut=f"{{type: {shortcut}}}", iterations=40, log=every, test=40, checkpoint=40)
                if not words:
                    text = text.replace("lr: 0.05", "lr: 1000").replace("warmup: {lr: 0.01, iterations: 2}", "warmup: {lr: 0.01, iterations: 5}")
                self.write("x.yaml", text)
                folder = self.folder()
                self.train(folder, *DEVICE, *words)
                state = self.state(folder)
                self.assertEqual(state["state"], "diverged", state)
                with open(os.path.join(folder, "last.safetensors"), "rb") as f:
                    data = f.read()
                seen.append((state["iteration"], state["cause"], data[8 + struct.unpack("<Q", data[:8])[0]:]))
                self.assertTrue(5 < state["iteration"] < 40, state)
            self.assertEqual(seen[0], seen[1])

    # ---- which device ----
    def test_refusals(self):
        self.write("x.yaml", config(iterations=2))
        for words, says in ((("--device", "opencl:99"), "there is no opencl:99"), (("--device", "gpu"), "GPU"), (("--device", "gpu:x"), "wants auto"),
                            (("--device", "tpu"), "wants auto"), (("--device", ""), "--device")):
            code, said, _ = self.train(self.folder(), *words)
            self.assertEqual(code, 2, words)
            self.assertIn(says, said)
            self.assertEqual(said.count("\n"), 1, said)

    def test_a_plugin_without_a_formula(self):
        self.plugin("plain_c", PLAIN_C)
        self.write("x.yaml", config(shortcut="{type: plain_c}", iterations=2))
        plugin = ("--plugin", "./plain_c.so")
        for words in (("train", "x.yaml", "--run-dir", "r", *plugin), ("probe", "x.yaml", *plugin), ("bench", "x.yaml", *plugin),
                      ("summary", "x.yaml", *plugin), ("check", "./plain_c.so"), ("sweep", "x.yaml", *plugin)):
            p = run(*words, *DEVICE, cwd=self.dir)
            self.assertEqual(p.returncode, 1 if words[0] == "sweep" else 2, words[0] + p.stderr)
            refusals = [line for line in p.stderr.splitlines() if "plain_c" in line and "SKL_FORWARD(...)" in line and "--device cpu" in line]
            self.assertEqual(len(refusals), 3 if words[0] == "sweep" else 1, words[0] + p.stderr)
        self.train(self.folder(), "--device", "cpu", *plugin, code=0)

    def test_a_run_goes_on_where_it_was_begun(self):
        self.reference(config(iterations=12))
        self.write("short.yaml", config(iterations=12))
        folder = self.folder()
        code, _, _ = self.train(folder, *DEVICE, fault=None, env=self.shim("launch=400"))
        self.assertEqual(code, 1)
        code, said, _ = self.train(folder, "--device", "cpu")
        self.assertEqual(code, 2, said)
        self.assertIn("--allow-other-numerics", said)
        self.train(folder, code=0)      # auto
        self.same(folder, "resumed by --device auto")

    def test_without_a_driver(self):
        self.write("x.yaml", config(iterations=2))
        p = run("devices", "--json", env=self.shim("none"))
        self.assertEqual((p.returncode, json.loads(p.stdout)["devices"]), (0, []))
        self.train(self.folder(), env=self.shim("none"), code=0)
        code, said, _ = self.train(self.folder(), "--device", "gpu", env=self.shim("none"))
        self.assertEqual(code, 2)
        self.assertIn("no OpenCL driver lists a device", said)

    def test_a_driver_that_crashes_is_not_used(self):
        """It is asked in a child: one line, and the CPU is left."""
        self.write("x.yaml", config(iterations=2))
        crashes = self.shim("gpu,crash")
        p = run("devices", "--json", env=crashes)
        self.assertEqual((p.returncode, json.loads(p.stdout)["devices"]), (0, []), p.stderr)
        self.assertRegex(p.stderr, r"\Askiplab: note: no OpenCL device is used: asking the drivers for them crashes \(Aborted\)\n\Z")
        for words, expected in (((), 0), (("--device", "gpu"), 2), (DEVICE, 2)):
            code, said, _ = self.train(self.folder(), *words, env=crashes)
            self.assertEqual(code, expected, said)
            self.assertIn("crashes (Aborted)", said)

    def test_a_compiler_that_builds_nothing_is_told_beforehand(self):
        self.write("x.yaml", config(iterations=2))
        broken = self.shim("broken=nothing")
        for d in json.loads(run("devices", "--json", env=broken).stdout)["devices"]:
            self.assertEqual(d["fit"], False)
            self.assertRegex(d["why_not"], "^its compiler builds nothing")
        code, said, _ = self.train(self.folder(), *DEVICE, env=broken)
        self.assertEqual(code, 2, said)
        self.assertIn("cannot train: its compiler builds nothing", said)

    def test_what_a_driver_says_is_no_text(self):
        """It is shown as printable ASCII, and where it prints is not where the program's data goes."""
        p = run("devices", "--json", env=self.shim("rude,broken=nothing"))
        device = json.loads(p.stdout)["devices"][0]
        self.assertRegex(device["driver"], r"\ARude\[31m  OpenCL [ -~]+\Z")
        self.assertRegex(device["why_not"], r"\Aits compiler builds nothing: \]0;error:  no such thing\Z")
        self.assertIn("[driver] hello", p.stderr)
        self.write("x.yaml", config(iterations=2))
        p = run("summary", "x.yaml", "--json", *DEVICE, cwd=self.dir, env=self.shim("rude"))
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertIn("bytes", json.loads(p.stdout))

    def test_a_gpu_is_taken_unasked(self):
        self.write("x.yaml", config(iterations=2))
        for words in ((), ("--device", "gpu"), ("--device", "gpu:0")):
            folder = self.folder()
            self.train(folder, *words, env=self.shim("gpu"), code=0)
            self.assertIn("opencl", self.state(folder)["numerics"])
        folder = self.folder()
        self.train(folder, code=0)
        self.assertNotIn("opencl", self.state(folder)["numerics"])

    # ---- faults ----
    def test_a_device_that_is_lost(self):
        self.reference(config(iterations=12))
        for launch in (1, 30, 250, 450):
            folder = self.folder()
            code, said, _ = self.train(folder, *DEVICE, env=self.shim(f"launch={launch}"))
            self.assertEqual(code, 1, said)
            self.assertEqual(said.count("\n"), 1, said)
            self.assertRegex(said, r"opencl:0 \(.*\): kernel [a-z_0-9]+.*: CL_OUT_OF_RESOURCES")
            if launch > 100:
                self.assertEqual(self.state(folder)["state"], "failed")
            self.train(folder, *DEVICE, code=0)
            self.same(folder, f"lost at launch {launch}")

    def test_a_driver_that_hangs(self):
        self.write("x.yaml", config(iterations=12))
        folder = self.folder()
        code, said, _ = self.train(folder, *DEVICE, env=self.shim("hang=300"))
        self.assertEqual(code, 1, said)
        self.assertIn("no progress for 300 seconds", said)
        self.assertEqual(self.state(folder)["state"], "failed")

    def test_too_little_memory(self):
        self.write("x.yaml", config(iterations=2))
        code, said, _ = self.train(self.folder(), *DEVICE, env=self.shim("memory=100000"))
        self.assertEqual(code, 2, said)
        self.assertIn("out of device memory", said)
        self.assertEqual(said.count("\n"), 1, said)

    def test_too_little_memory_for_the_last_tables(self):
        """They come in the first step."""
        self.reference(config(shortcut="{type: exclusive_gating}", iterations=12))
        ended = []
        for n in range(1, 9):
            folder = self.folder()
            code, said, _ = self.train(folder, *DEVICE, env=self.shim(f"buffers={n}"))
            if code == 0:
                break
            self.assertIn("out of device memory", said)
            self.assertEqual(said.count("\n"), 1, said)
            ended.append(code)
        self.assertEqual(sorted(set(ended)), [1, 2], ended)
        self.assertEqual(ended, sorted(ended, reverse=True))
        self.same(folder, "with all its memory")

    def test_memory_is_looked_at_before_a_run(self):
        self.write("x.yaml", config(iterations=2))
        for holds, says in ((100000, "too little"), (1 << 33, "it fits")):
            p = run("summary", "x.yaml", *DEVICE, cwd=self.dir, env=self.shim(f"holds={holds}"))
            self.assertEqual(p.returncode, 0, p.stderr)
            self.assertRegex(p.stdout, rf"device +opencl:0 has [0-9.]+ MiB: {says}\n")
        folder = self.folder()
        code, said, _ = self.train(folder, *DEVICE, env=self.shim("holds=100000"))
        self.assertEqual(code, 2, said)
        self.assertRegex(said, r"this net needs .* GiB, there are .* GiB on its device: lower train.bn_batch")
        self.assertFalse(os.path.exists(os.path.join(folder, "last.safetensors")))

    def test_bench_tells_its_shares(self):
        p = run("bench", "--json", "--depth", "8", "--batch", "2", "--steps", "1", "--warmup", "0", *DEVICE, cwd=self.dir)
        self.assertEqual(p.returncode, 0, p.stderr)
        told = json.loads(p.stdout)
        self.assertTrue(0 < told["share_of_peak"] < 1 and 0 < told["share_of_bandwidth"] < 2, told)
        self.assertEqual(told["step_bytes"], sum(k["bytes"] for k in told["kernel_times"].values()))
        for name in ("conv_tile", "conv_tile (backward)", "grad_tile", "conv_any", "grad_any", "map", "pad", "sgd"):
            self.assertGreater(told["kernel_times"][name]["bytes"], 0, name)

    def test_a_device_that_lies(self):
        self.write("x.yaml", config(iterations=2))
        home = self.path("cache")
        for word, says in (("wrong=sgd", "sgd computes wrongly"), ("wrong=bn_backward", "computes wrongly"), ("broken=pool", "pool")):
            code, said, _ = self.train(self.folder(), *DEVICE, env=self.shim(word, XDG_CACHE_HOME=home))
            self.assertEqual(code, 1, word + said)
            self.assertIn(says, said)
            self.assertEqual(said.count("\n"), 1, said)

    def test_a_device_that_lies_of_groups(self):
        """Kernels for several batch-norm groups at a time are built for themselves: they are tried too."""
        self.write("x.yaml", config(iterations=2))
        for groups in (2, 4):
            code, said, _ = self.train(self.folder(), *DEVICE, env=self.shim(f"side={groups}", XDG_CACHE_HOME=self.path("cache")))
            self.assertEqual(code, 1, said)
            self.assertRegex(said, rf"computes wrongly with {dict([(2, 2), (4, 5)])[groups]} batch-norm groups in one call")
            self.assertEqual(said.count("\n"), 1, said)

    # ---- sweeps ----
    def test_a_sweep_without_its_device_does_not_begin(self):
        """No run is marked as failed for it; what is complete needs no device."""
        self.write("s.yaml", config(iterations=12) + "variants:\n  - {name: a, set: {model.shortcut: {type: identity}}}\n")
        no_gpu = dict(os.environ, SKL_SHIM="none", LD_PRELOAD=GPU_SHIM)
        for words, env, says in ((("--device", "opencl:99"), None, "there is no opencl:99"), (("--device", "gpu"), no_gpu, "no OpenCL driver"),
                                 (("--device", "gpu:0,7"), self.shim("gpu"), "there is no gpu:7"), ((), dict(no_gpu, SKL_DEVICE="gpu"), "no OpenCL driver")):
            p = run("sweep", "s.yaml", *words, cwd=self.dir, env=env)
            self.assertEqual((p.returncode, p.stderr.count("\n")), (2, 1), p.stderr)
            self.assertIn(says, p.stderr)
            self.assertFalse(os.path.exists(os.path.join(self.dir, "results")), words)
        p = run("sweep", "s.yaml", "--dry-run", "--device", "opencl:99", cwd=self.dir)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertIn("note: the sweep would end here: there is no opencl:99", p.stderr)
        for device in ("cpu", "gpu:9"):
            self.assertEqual(run("sweep", "s.yaml", "--device", device, cwd=self.dir).returncode, 0, device)

    def test_a_sweep(self):
        self.write("s.yaml", config(iterations=4, test=4) + "variants:\n  - {name: a, set: {model.shortcut: {type: identity}}}\n"
                   "  - {name: b, set: {model.shortcut: {type: dropout}}}\n")
        p = run("sweep", "s.yaml", *DEVICE, cwd=self.dir)
        self.assertEqual(p.returncode, 0, p.stderr)
        results = os.path.join(self.dir, "results", "tiny")
        for root, _, names in os.walk(results):
            if "run.json" in names:
                self.assertIn("opencl", self.state(root)["numerics"])
        p = run("report", results, cwd=self.dir)
        self.assertEqual(p.returncode, 0, p.stderr)
        device = json.loads(run("devices", "--json").stdout)["devices"][0]
        with open(os.path.join(results, "report.md")) as f:
            provenance = f.read().split("## Provenance")[1]
        self.assertIn(device["name"], provenance)
        self.assertIn(device["driver"], provenance)


if __name__ == "__main__":
    if not any(d["fit"] for d in json.loads(run("devices", "--json").stdout)["devices"][:1]):
        print("no OpenCL device here that can train")
        sys.exit(77)        # meson: skipped
    unittest.main()
