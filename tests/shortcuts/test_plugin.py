#!/usr/bin/env python3
"""Plug-ins as a user meets them: the start that new-shortcut writes, the tutorial's code, loading, refusals, resuming."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

SOURCE = os.path.abspath(os.environ["SKIPLAB_SOURCE"])
PROGRAM = os.path.abspath(os.environ["SKIPLAB"])
CC = os.environ.get("CC", "cc").split()
FLAGS = "-std=gnu11 -O2 -ffp-contract=off -fvisibility=hidden -fPIC -shared".split() + os.environ.get("PLUGIN_FLAGS", "").split()

MINE = """#include "core/variant/shortcut.h"
%s
static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b) { (void)k, (void)a; b->constant = %s; }
SKL_SHORTCUT(mine) = { SKL_SHORTCUT_HEAD(mine), .summary = "s", .formula = "y = x + F", .source = "s", .on_shortcut = "1", .on_residual = "1", .affine = affine };
"""
WRONG = """#include "core/variant/shortcut.h"
static volatile const float zero = 0;
static void forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    size_t i;
    (void)h, (void)zero;
    for (i = 0; i < skl_elements(k); i++) %s;
    %s
}
static void backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy, float *dx, float *dh, float *df)
{
    (void)x, (void)h, (void)f;
    for (size_t i = 0; i < skl_elements(k); i++) dx[i] = df[i] = dy[i], dh[i] = 0;
}
SKL_SHORTCUT(NAME) = { SKL_SHORTCUT_HEAD(NAME), .summary = "s", .formula = "y = x + F", .source = "s", .on_shortcut = "1", .on_residual = "1", .forward = forward, .backward = backward };
"""
TRAP = """#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void spring(void) { close(open("%s", O_CREAT | O_WRONLY, 0600)); }
"""
LIAR = """#include <fenv.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <locale.h>
#include "core/variant/shortcut.h"
#define CONV(...) skl_conv(d, "c", (struct skl_conv_spec){__VA_ARGS__})
static volatile int one = 1, calls;
static int deep(int n) { return one ? deep(n + 1) + n : n; }
%(before)s
static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b) { (void)k, (void)a, (void)b; %(affine)s; }
static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts) { (void)d, (void)u, (void)opts, (void)deep; %(declare)s; }
SKL_SHORTCUT(liar) = { SKL_SHORTCUT_HEAD(liar), .summary = "s", .formula = "f", .source = "p", .on_shortcut = "1", .on_residual = "1", .affine = affine, .declare = declare %(more)s };
"""
TABLE = 'struct o { double a; }; static const struct skl_param p[] = { {.name = "a", .help = "h", .type = SKL_REAL, .max = 2, %s} %s };'
OPTIONS = ", .opts_size = sizeof(struct o), .params = p"
# What a plug-in says or does, and what `summary` says of it.  declare:
DECLARED = {
    "exit(0)": r"its declare\(\) ends the process \(exit code 0\)", "_exit(0)": r"its declare\(\) ends the process \(exit code 0\)",
    "calls = deep(1)": r"its declare\(\) crashes \(Segmentation fault\)", "*(volatile int *)8 = 1": r"its declare\(\) crashes",
    "fesetround(FE_UPWARD)": "leaves the process that loads it changed: the rounding",
    "CONV(.kernel = 1, .out_channels = 1)": "a stride of 0", "CONV(.kernel = 1, .out_channels = 1, .stride = -1)": "a stride of -1",
    "CONV(.kernel = 1 << 30, .out_channels = 1, .stride = 1)": "a kernel of 1073741824", "CONV(.kernel = 1, .out_channels = 1 << 30, .stride = 1)": "1073741824 output channels",
    "CONV(.kernel = 1, .stride = 1)": "0 output channels", "CONV(.kernel = 1, .out_channels = 1, .stride = 1, .init = 7)": "an unknown start",
    "CONV(.kernel = 1, .out_channels = 1, .stride = 1, .bias = true, .bias_init = 1e300)": "a start of 1e", "CONV(.kernel = 1, .out_channels = 1, .stride = 1, .bias_flags = 8)": "unknown flags",
    "skl_tensor(d, NULL, (const int[]){1, 0}, SKL_CONST, 0, 0)": "without a name", 'skl_tensor(d, "", (const int[]){1, 0}, SKL_CONST, 0, 0)': "no name",
    'skl_tensor(d, "w", NULL, SKL_CONST, 0, 0)': "without a shape", 'skl_tensor(d, "w", (const int[]){-1, 0}, SKL_CONST, 0, 0)': "without a shape",
    'skl_tensor(d, "w", (const int[]){1, 1, 1, 1, 1, 1, 1, 1}, SKL_CONST, 0, 0)': "1 to 4 sizes", 'skl_tensor(d, "w", (const int[]){1 << 30, 1 << 30, 0}, SKL_CONST, 0, 0)': "a tensor of more than",
    'for (int i = 0; i < 99; i++) skl_tensor(d, (char[]){"a" [0] + i % 26, 0}, (const int[]){1, 0}, SKL_CONST, 0, 0)': "more than 8 tensors",
    "skl_keep(d, (size_t)-1); skl_keep(d, 2)": "floats an image", "skl_branch_start(d, __builtin_nan(\"\"))": "starts as nan", "skl_input(d, (enum skl_source)77)": "unknown input",
    "skl_bn_start(d, 0, 0)": "before there is one", "for (int i = 0; i < 9; i++) skl_number(d, i)": "more than 8 numbers", "skl_number(d, 1e300)": "a number 1e",
}
# a constructor:
BEGUN = {
    "exit(0)": r"loading it ends the process \(exit code 0\)", "abort()": "loading it crashes", "close(2)": "changed: descriptor 2", "dup2(1, 0)": "changed: descriptor 0",
    'calls = chdir("/")': "the working folder", 'setenv("SKL_CPU", "ref", 1)': "the environment", "umask(0)": "the umask", 'setlocale(LC_ALL, "C.UTF-8")': "the locale",
    "sigset_t s; sigfillset(&s); sigprocmask(SIG_BLOCK, &s, 0)": "the signals that are blocked", "signal(SIGTERM, SIG_IGN)": "how signal 15",
    "fesetround(FE_UPWARD)": "the rounding", "feenableexcept(FE_DIVBYZERO)": "which arithmetic raises SIGFPE", "alarm(1000)": "the timer", "calls = nice(3)": "the process's priority",
    "setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64})": "a resource limit",
    "kill(0, SIGTERM)": r"loading it crashes \(Terminated\)", "if (!fork()) pause()": "a process that it has started",
}
if os.uname().machine == "x86_64":      # as a linker does for -Ofast
    BEGUN["__builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040)"] = "what becomes of denormal numbers"
# a table:
TABLES = {
    TABLE % (".offset = (size_t)-4", ", SKL_PARAM_END"): "lies outside the options", TABLE % (".offset = 4", ", SKL_PARAM_END"): "lies outside the options",
    TABLE % (".min = 3", ", SKL_PARAM_END"): "default outside its range", TABLE % (".type = (enum skl_ptype)9", ", SKL_PARAM_END"): "unknown type",
    TABLE % ("", ", {.name = (const char *)8}"): "loading it crashes",
}

CONFIG = """
plugins: [../lib/mine.so]
model: {depth: 8, width: 8, shortcut: {type: mine}}
data: {dataset: synthetic, synthetic: {train: 64, test: 16, size: 16}}
train: {iterations: 100000, batch: 16, log_every: 100, test_every: 100000, checkpoint_every: 10}
"""


class Plugins(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="skiplab-plugin-")
        self.dir = self.folder.name

    def tearDown(self):
        self.folder.cleanup()

    def path(self, *parts): return os.path.join(self.dir, *parts)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as f:
            f.write(text)

    def build(self, name, *flags, target=None):
        command = CC + ["-I", SOURCE] + FLAGS + ["-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-Wno-unknown-warning-option", *flags, name + ".c", "-o", (target or name) + ".so"]
        done = subprocess.run(command, cwd=self.dir, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def mine(self, factor="1", before="", target="lib/mine"):
        self.write("mine.c", MINE % (before, factor))
        os.makedirs(self.path("lib"), exist_ok=True)
        self.build("mine", target=target)

    def sha256(self):
        with open(self.path("lib/mine.so"), "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    def run_it(self, *words):
        return subprocess.run([PROGRAM, *words], cwd=self.dir, capture_output=True, text=True)

    def ends(self, code, *words):
        done = self.run_it(*words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        if code in (1, 2): self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stdout + done.stderr

    def test_the_start_compiles_and_passes(self):
        for name, options in (("start_one", []), ("start_two", ["--pointwise"])):
            text = self.ends(0, "new-shortcut", name, *options)
            self.assertIn("plugins: [./%s.so]" % name, text)
            self.build(name)
            path = {"start_one": "start_one.so", "start_two": "lib/start_two.so"}[name]     # as --plugin takes them
            os.renames(self.path(name + ".so"), self.path(path))
            self.assertIn("%s keeps the contract" % name, self.ends(0, "check", path))
            self.assertIn("is there already", self.ends(2, "new-shortcut", name))

    def test_a_formula_with_a_foreign_name_is_refused_by_it(self):
        self.ends(0, "new-shortcut", "foreign", "--pointwise")
        with open(self.path("foreign.c")) as f:
            source = f.read()
        self.write("foreign.c", "#include <math.h>\n" + source.replace("y = x + p[0] * skl_tanh(f)", "y = x + p[0] * tanhf(f)"))
        self.build("foreign")
        self.assertIn("foreign.so': SKL_FORWARD has 'tanhf', which formulas do not know", self.ends(2, "check", "./foreign.so"))

    def test_names_that_cannot_be(self):
        for name in ("Mine", "1st", "a-b", "../up", "", "x" * 41, "identity"):
            self.ends(2, "new-shortcut", name)
            self.assertEqual(os.listdir(self.dir), [])

    def test_the_code_of_the_tutorial(self):
        with open(os.path.join(SOURCE, "docs/adding-a-shortcut.md")) as f:
            text = f.read()
        blocks = re.findall(r"```c\n(/\* (\w+)\.c.*?)```", text, re.S)
        self.assertTrue(blocks)
        for code, name in blocks:
            self.write(name + ".c", code)
            self.build(name)
            self.ends(0, "check", "./%s.so" % name)
        self.ends(0, "new-shortcut", "skip_init")       # what its second chapter quotes stands in the file
        with open(self.path("skip_init.c")) as f:
            source = " ".join(f.read().split())
        for line in ("double start;", 'SKL_PARAM(struct options, start, 0.5, -10, 10, "initial s"),', "b->v = k->w[0];", "k->dw[0][0] += db[0];"):
            self.assertIn(line, text)
            self.assertIn(line, source)
        config = "".join(line[4:] + "\n" for line in re.search(r"`skip_init.yaml`:\n\n((?:    .*\n)+)", text).group(1).splitlines())
        self.write("skip_init.yaml", config)
        self.build("skip_init")
        self.assertEqual(self.ends(0, "sweep", "skip_init.yaml", "--dry-run").count("skip-init/start="), 2)

    def test_a_wrong_one_fails(self):
        self.ends(0, "new-shortcut", "flipped")
        with open(self.path("flipped.c")) as f:
            source = f.read()
        self.write("flipped.c", source.replace("+= db[0]", "-= db[0]"))
        self.build("flipped")
        text = self.ends(1, "check", "./flipped.so")
        self.assertRegex(text, r"FAIL  gradients[^\n]*\n[^\n]*derivative by s: .*the sign is wrong")
        self.assertRegex(text, r"check: flipped fails \d of \d+ checks")

    def test_refusals(self):
        self.mine()
        for word in ("mine.so", "lib/none.so"):
            self.assertIn("No such file", self.ends(2, "check", word))
        os.chmod(self.path("lib/mine.so"), 0o777)
        self.assertIn("can be changed by everybody", self.ends(2, "check", "./lib/mine.so"))
        os.chmod(self.path("lib/mine.so"), 0o755)
        self.assertIn("is not a file", self.ends(2, "check", "./lib"))
        self.assertIn("No such file", self.ends(2, "check", "./none.so"))
        self.write("text.so", "no library")
        self.assertIn("text.so", self.ends(2, "check", "./text.so"))
        for number in (1, 99):
            self.mine(before=f"#undef SKL_SHORTCUT_ABI\n#define SKL_SHORTCUT_ABI {number}")
            text = self.ends(2, "check", "./lib/mine.so")
            self.assertRegex(text, rf"interface {number} \(\d+ bytes\), skiplab has 2 \(\d+ bytes\): rebuild it")
        self.write("experiments/x.yaml", CONFIG)
        self.assertRegex(self.ends(2, "train", "experiments/x.yaml"), r"experiments/x.yaml:2:\d+: .*rebuild it")

    def test_the_option_loads_one_too(self):
        self.mine()
        with_it = ["--plugin", "lib/mine.so"]
        self.write("y.yaml", CONFIG.replace("plugins: [../lib/mine.so]\n", "").replace("100000", "2"))
        self.assertIn("'mine'", self.ends(2, "sweep", "y.yaml"))
        self.assertIn("--plugin", self.ends(2, "sweep", "y.yaml", "--plugin", ""))
        self.assertIn("lib/none.so", self.ends(2, "sweep", "y.yaml", "--plugin", "lib/none.so"))
        self.ends(0, "sweep", "y.yaml", "--threads", "1", *with_it, *with_it)
        with open(self.path("results/y/mine/seed-1/config.yaml")) as f:
            self.assertEqual(re.findall(r"plugins:\n((?:  - .*\n)*)", f.read()), ['  - {name: mine, sha256: "%s"}\n' % self.sha256()])
        for words in (("eval", "results/y/mine/seed-1/last.safetensors"), ("verify", "results/y/mine/seed-1"), ("probe", "results/y/mine/seed-1")):
            self.assertRegex(self.ends(2, *words), f"needs the plug-in 'mine': give it with --plugin FILE .SHA-256 {self.sha256()}")
            self.ends(0, *words, *with_it)
        self.assertIn("parameters", self.ends(0, "summary", "y.yaml", *with_it))
        self.assertIn("y = x + F", self.ends(0, "shortcuts", "mine", *with_it))
        self.assertIn("images/s", self.ends(0, "bench", "--variant", "mine", "--depth", "8", "--batch", "8", "--steps", "1", *with_it))

    def sweep_of_two(self):
        """results/x: a run with the plug-in and one with the identity."""
        self.mine()
        self.write("experiments/x.yaml", CONFIG.replace(", shortcut: {type: mine}", "").replace("100000", "4").replace("checkpoint_every: 10", "checkpoint_every: 2") +
                   "variants:\n  - {name: mine, set: {model.shortcut.type: mine}}\n  - {name: plain}\n")
        self.ends(0, "sweep", "experiments/x.yaml", "--threads", "1")

    def trap(self):
        """The plug-in at its place tells whoever loads it, and every file of the results asks for it in every way."""
        self.write("trap.c", TRAP % self.path("sprung"))
        self.build("trap", target="lib/mine")
        trap = os.path.realpath(self.path("lib/mine.so"))
        self.write("results/x/asks.yaml", f"plugins: [{trap}]\n")
        for run in ("mine", "plain"):
            config = self.path(f"results/x/{run}/seed-1/config.yaml")
            with open(config) as f:
                text = f.read()
            text = re.sub(r"plugins:\n(  - .*\n)*", "", text)
            self.write(config, f"plugins: [{trap}, ../../../../lib/mine.so]\ninclude: ../../asks.yaml\n" + text)
        with open(self.path("results/x/plan.json")) as f:
            plan = json.load(f)
        for name, text in plan["settings"].items():
            plan["settings"][name] = f"plugins: [{trap}]\n" + re.sub(r"plugins:\n(  - .*\n)*", "", text)
        self.write("results/x/plan.json", json.dumps(plan))
        self.write("results/x/a/b/c/d/deep.yaml", f"plugins: [{trap}]\n")
        return [f"results/x/{run}/seed-1" for run in ("mine", "plain")]

    def test_results_load_nothing(self):
        """Whatever is done with a folder of results, what it names is not loaded."""
        self.sweep_of_two()
        runs = self.trap()
        commands = [["audit", "results/x"], ["audit", "results"], ["report", "results/x"], ["status", "results/x"], ["compare", *runs],
                    ["compare", "results/x", "results/x"], ["plot", "results/x"]]
        for run in runs:
            config = run + "/config.yaml"
            os.symlink(os.path.abspath(self.path(config)), self.path("link.yaml"))
            self.write("includes.yaml", f"include: {config}\n")
            for file in (config, "link.yaml", "includes.yaml"):
                commands += [["summary", file], ["train", file, "--run-dir", run], ["train", file, "--run-dir", "elsewhere"], ["sweep", file, "name=t"],
                             ["sweep", file, "--dry-run"], ["probe", file], ["bench", file, "--steps", "1", "--warmup", "0"], ["step", file],
                             ["help", "--complete", "train", file, "--variant", ""], ["help", "--complete", "sweep", file, "--only", ""]]
            commands += [["verify", run], ["eval", run], ["probe", run], ["audit", run], ["summary", "results/x/asks.yaml"], ["summary", "results/x/a/b/c/d/deep.yaml"],
                         ["train", "results/x/plan.json", "--run-dir", run], ["train", "results/x/plan.json", "--run-dir", run, "--redo"]]
            for words in commands:
                with self.subTest(words):
                    self.run_it(*words)
                    self.assertFalse(os.path.exists(self.path("sprung")), words)
            os.remove(self.path("link.yaml"))
            commands = []
        self.write("mine.yaml", "plugins: [./lib/mine.so]\nname: mine\n")
        self.run_it("help", "--complete", "train", "mine.yaml", "--variant", "")
        self.assertFalse(os.path.exists(self.path("sprung")))
        self.run_it("summary", "mine.yaml")     # the user's own file asks for it
        self.assertTrue(os.path.exists(self.path("sprung")))

    def test_what_is_hashed_is_what_is_loaded(self):
        """The file is replaced while it is being loaded: by its own constructor, in the process that tries it first."""
        self.write("trap.c", TRAP % self.path("sprung"))
        self.build("trap")
        self.write("swap.c", '#include <stdio.h>\n__attribute__((constructor)) static void swap(void) { rename("%s", "%s"); }\n%s' %
                   (self.path("trap.so"), self.path("swap.so"), MINE % ("", "1")))
        self.build("swap")
        with open(self.path("swap.so"), "rb") as f:
            before = hashlib.sha256(f.read()).hexdigest()
        self.write("y.yaml", CONFIG.replace("../lib/mine.so", "./swap.so").replace("100000", "2"))
        self.ends(0, "train", "y.yaml", "--quiet")
        with open(self.path("results/y/mine/seed-1/run.json")) as f:
            self.assertEqual(json.load(f)["plugin_sha256"], before)
        self.assertFalse(os.path.exists(self.path("trap.so")))
        self.assertFalse(os.path.exists(self.path("sprung")))

    def test_results_without_their_plugin_are_shown(self):
        """Nothing is called edited, and what needs the code says what to give."""
        self.sweep_of_two()
        os.remove(self.path("lib/mine.so"))
        text = self.ends(0, "audit", "results/x")
        self.assertRegex(text, "note .*1 run: .*'mine': give it with --plugin FILE .SHA-256 [0-9a-f]{64}[^\n]*\n.*complete, and every hash as recorded")
        for words in (["report", "results/x"], ["status", "results/x"], ["compare", "results/x/mine/seed-1", "results/x/plain/seed-1"],
                      ["eval", "results/x/plain/seed-1"], ["verify", "results/x/plain/seed-1"], ["summary", "results/x/plain/seed-1/config.yaml"]):
            self.ends(0, *words)
        self.assertIn("--plugin FILE", self.ends(2, "train", "results/x/mine/seed-1/config.yaml", "--run-dir", "elsewhere"))
        self.assertEqual(os.listdir(self.path("results")), ["x"])
        self.assertFalse(os.path.exists(self.path("elsewhere")))
        self.mine()
        self.assertNotIn("note", self.ends(0, "audit", "results/x", "--plugin", "lib/mine.so"))

    def test_another_build_is_refused_and_named(self):
        self.sweep_of_two()
        with open(self.path("results/x/plan.json")) as f:
            self.assertEqual(json.load(f)["plugins"], {"mine": self.sha256()})
        with open(self.path("results/x/mine/seed-1/run.json")) as f:
            record = json.load(f)
        self.assertEqual((record["plugin"], record["plugin_sha256"]), ("mine", self.sha256()))
        before = self.sha256()
        self.mine(factor="0.5f")
        for words in (["sweep", "experiments/x.yaml", "seeds=2", "--extend"], ["sweep", "experiments/x.yaml"]):
            self.assertRegex(self.ends(2, *words), f"another build of the plug-in 'mine' .SHA-256 {before}; here: {self.sha256()}")
        for words in (["eval", "results/x/mine/seed-1"], ["verify", "results/x/mine/seed-1"], ["probe", "results/x/mine/seed-1"]):
            self.assertRegex(self.ends(2, *words, "--plugin", "lib/mine.so"), f"the plug-in 'mine' given has SHA-256 {self.sha256()}, .*{before}")
        self.assertIn("another build", self.ends(2, "train", "experiments/x.yaml", "--variant", "mine"))
        self.ends(0, "sweep", "experiments/x.yaml", "seeds=2", "--extend", "--allow-other-numerics", "--threads", "1")
        self.assertRegex(self.ends(3, "audit", "results/x"), "stale .*mine/seed-1: trained with the build %.16s.*the plan has %.16s" % (before, self.sha256()))
        self.assertRegex(self.ends(0, "report", "results/x"), "seed-2: another build of the plug-in 'mine'")
        self.ends(0, "sweep", "experiments/x.yaml", "seeds=2", "--redo", "mine/*", "--threads", "1")
        self.ends(0, "audit", "results/x")

    def liar(self, before="", affine="", declare="", more=""):
        self.write("liar.c", LIAR % {"before": before, "affine": affine, "declare": declare, "more": more})
        self.build("liar", "-O0", "-w", "-D_GNU_SOURCE", "-lm")
        self.write("liar.yaml", "plugins: [./liar.so]\nmodel: {depth: 8, width: 4, shortcut: {type: liar}}\n"
                                "data: {dataset: synthetic, synthetic: {train: 64, test: 8, size: 8}}\ntrain: {iterations: 40, batch: 8}\n")

    def test_what_a_plugin_says_is_looked_at_before_it_is_used(self):
        """One line, exit 2, for whatever declare() says, a table holds or a constructor leaves behind; never a signal, never a silent 0."""
        cases = [*BEGUN.items(), *DECLARED.items()]
        choose = "switch (lie()) { " + " ".join("case %d: { %s; break; }" % (i, code) for i, (code, _) in enumerate(cases)) + " }"
        begun = choose.split("case %d:" % len(BEGUN))[0] + "}"
        self.liar(before='static int lie(void) { return atoi(getenv("LIE")); }\n__attribute__((constructor)) static void spring(void) { %s }' % begun,
                  declare=choose.replace(begun[:-1], "switch (lie()) { "))
        for i, (code, says) in enumerate(cases):
            with self.subTest(code):
                done = subprocess.run([PROGRAM, "summary", "liar.yaml"], cwd=self.dir, capture_output=True, text=True, env={**os.environ, "LIE": str(i)})
                self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stdout + done.stderr)
                self.assertRegex(done.stderr, says)
        for code, says in TABLES.items():
            with self.subTest(code):
                self.liar(before=code, more=OPTIONS)
                self.assertRegex(self.ends(2, "summary", "liar.yaml"), says)
        self.liar(before="static int check(const void *o, struct skl_err *e) { (void)o, (void)e; exit(0); }", more=", .check = check")
        self.assertRegex(self.ends(2, "summary", "liar.yaml"), r"its check\(\) ends the process")
        self.liar(before=TABLE % (".def = 1", ", SKL_PARAM_END"), declare="if (((const struct o *)opts)->a == 2) exit(0)", more=OPTIONS)
        self.ends(0, "summary", "liar.yaml")
        self.assertRegex(self.ends(2, "summary", "liar.yaml", "model.shortcut.a=2"), r"shortcut 'liar', a plug-in: its declare\(\) ends the process")

    def test_an_exit_in_the_middle_is_a_failure(self):
        self.liar(affine="exit(0)")
        self.assertRegex(self.ends(1, "check", "./liar.so"), "FAIL  writes[^\\n]*\\n *affine ends the process")
        self.assertIn("affine ends the process", self.ends(2, "train", "liar.yaml"))

    def told(self, experiment, threads):
        text = self.ends(1, "train", experiment, "--run-dir", "run", "--threads", threads, "--quiet", "--redo")
        with open(self.path("run/run.json")) as f:
            self.assertNotEqual(json.load(f)["state"], "done")
        return text

    def test_every_way_out_of_the_middle_is_told(self):
        """A lone train has no sweep that would look at its folder."""
        ways = {"exit(0)": "an exit(0)", "_exit(0)": "an _exit(0)", "_exit(75)": "an _exit(75)", "_Exit(0)": "an _exit(0)",
                "quick_exit(0)": "a quick_exit()", "pthread_exit(0)": "a pthread_exit()"}
        for way, words in ways.items():
            with self.subTest(way):
                self.liar(before="#include <pthread.h>", affine=f"if (k->iteration > 20) {way}")
                self.assertIn(f"ended by {words} from inside, before the work was done; its shortcut 'liar' is a plug-in", self.told("liar.yaml", "1"))
        self.write("thread.c", "#include <pthread.h>\n#include <unistd.h>\n" + WRONG.replace("NAME", "thread") %
                   ("y[i] = x[i] + f[i]", "if (k->iteration > 20 && gettid() != getpid()) pthread_exit(0);"))
        self.build("thread", "-D_GNU_SOURCE")
        self.write("thread.yaml", CONFIG.replace("../lib/mine.so", "./thread.so").replace("type: mine", "type: thread").replace("100000,", "2000,"))
        self.assertIn("a thread was ended from inside", self.told("thread.yaml", "2"))

    def test_a_copy_made_in_the_middle_writes_nothing(self):
        self.liar(affine="if (k->training && k->iteration == 15 && !calls++) fork()")
        self.write("x.yaml", CONFIG.replace("../lib/mine.so", "./liar.so").replace("mine", "liar"))
        text = self.ends(0, "train", "x.yaml", "--run-dir", "r", "--threads", "1", "train.iterations=40", "train.log_every=5")
        self.assertIn("a plug-in has forked this process: the copy ends here", text)
        with open(self.path("r/train.csv")) as f:
            self.assertEqual([line.split(",")[0] for line in f][1:], [str(i) for i in range(0, 41, 5)])
        self.assertIn("every hash as recorded", self.ends(0, "audit", "r"))

    def test_one_that_breaks_its_contract_is_not_run(self):
        """Each with its name and what it does, before anything is written; other runs of a sweep go on."""
        wrong = {"beyond": ("y[i] = x[i] + f[i]", "; y[i] = 0;", "forward .* y"), "before": ("y[i] = x[i] + f[i]", "; y[-1] = 0;", "forward .* y"),
                 "input": ("y[i] = x[i] + f[i]", "; ((float *)x)[0] = 0;", "forward .* x"), "hole": ("y[i] = i ? x[i] + f[i] : y[i]", ";", "1 of .* elements of y unwritten"),
                 "nan": ("y[i] = x[i] * (0.0f / zero) + f[i]", ";", "y is not finite"), "wild": ("y[i] = x[i] + f[i]", "; y[1 << 24] = 0;", "forward")}
        for name, (inside, after, says) in wrong.items():
            self.write(name + ".c", WRONG.replace("NAME", name) % (inside, after))
            self.build(name, "-Wno-maybe-uninitialized")
            with self.subTest(name):
                self.write("x.yaml", CONFIG.replace("../lib/mine.so", f"./{name}.so").replace("type: mine", f"type: {name}").replace("100000", "2"))
                self.assertRegex(self.ends(2, "train", "x.yaml"), f"shortcut '{name}' does not keep its contract and is not run: .*{says}")
                self.assertFalse(os.path.exists(self.path("results")))
        self.write("x.yaml", CONFIG.replace("../lib/mine.so", "./beyond.so").replace(", shortcut: {type: mine}", "").replace("100000", "2") +
                   "variants:\n  - {name: bad, set: {model.shortcut.type: beyond}}\n  - {name: good}\n")
        text = self.run_it("sweep", "x.yaml", "--threads", "1")
        self.assertEqual(text.returncode, 1, text.stderr)
        self.assertRegex(text.stderr, "failed +bad/seed-1: .*'beyond' does not keep its contract")
        self.assertRegex(text.stderr, "done +good/seed-1")

    def sweep_beside_a_good_one(self, so, shortcut):
        """A sweep with the shortcut of a plug-in in one run and the identity in another: (driver's end, run.json of the first)."""
        self.write("x.yaml", CONFIG.replace("../lib/mine.so", so).replace(", shortcut: {type: mine}", "").replace("100000,", "60,").replace("train: 64", "train: 256") +
                   "variants:\n  - {name: bad, set: {model.shortcut.type: %s}}\n  - {name: good}\n" % shortcut)
        done = self.run_it("sweep", "x.yaml", "--threads", "1")
        if not os.path.exists(self.path("results")): return done, None
        self.assertRegex(done.stderr, "done +good/seed-1")
        with open(self.path("results/x/bad/seed-1/run.json")) as f:
            return done, json.load(f)

    def test_one_that_fails_late_fails_its_run_only(self):
        """Nothing wrong at first; then a crash, a call of exit(), or a NaN in a gradient or an output."""
        late = {"crash": ("__builtin_trap();", 1, "failed", r"killed by signal \d+ \(.*\); its shortcut 'crash' is a plug-in"),
                "leave": ("exit(0);", 1, "failed", r"ended by an exit\(0\) from inside.*; its shortcut 'leave' is a plug-in"),
                "leave_3": ("exit(3);", 1, "failed", r"ended by an exit\(3\) from inside.*; its shortcut 'leave_3' is a plug-in"),
                "leave_at_once": ("_exit(0);", 1, "failed", r"ended by an _exit\(0\) from inside.*; its shortcut 'leave_at_once' is a plug-in"),
                "nan": ("dx[0] = 0.0f / (float)(calls - calls);", 0, "diverged", "not finite in iteration .*; its shortcut 'nan' is a plug-in"),
                "nan_y": (";", 0, "diverged", "not finite in iteration .*; its shortcut 'nan_y' is a plug-in")}
        for name, (harm, code, state, cause) in late.items():
            output = "y[i] = i == 0 && calls > 1000 ? 0.0f / zero : x[i] + f[i]" if name == "nan_y" else "y[i] = x[i] + f[i]"
            source = WRONG.replace("NAME", name) % (output, "")
            source = source.replace("dh[i] = 0;", "dh[i] = 0;\n    if (++calls > 1000) { %s }" % harm).replace("static volatile", "#include <stdlib.h>\n#include <unistd.h>\nstatic volatile int calls;\nstatic volatile", 1)
            self.write(name + ".c", source)
            self.build(name)
            with self.subTest(name):
                done, record = self.sweep_beside_a_good_one(f"./{name}.so", name)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(record["state"], state)
                self.assertRegex(record["cause"], cause)
                self.assertRegex(done.stderr, f"{state} +bad/seed-1")
            shutil.rmtree(self.path("results"), ignore_errors=True)

    def test_a_sweep_refuses_what_is_no_plugin(self):
        """By its name and before anything is written: no ELF file, the beginning of one, another interface."""
        self.mine()
        with open(self.path("lib/mine.so"), "rb") as f:
            whole = f.read()
        self.write("text.so", "no library\n")
        with open(self.path("begun.so"), "wb") as f:
            f.write(whole[:4096])           # a linker may put what is needed into the first half
        self.mine(before="#undef SKL_SHORTCUT_ABI\n#define SKL_SHORTCUT_ABI 99")
        for so, says in (("./text.so", "text.so"), ("./begun.so", "begun.so"), ("./lib/mine.so", "interface 99")):
            with self.subTest(so):
                done, record = self.sweep_beside_a_good_one(so, "mine")
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, rf"\A[^\n]*x.yaml:2:\d+: [^\n]*{says}[^\n]*\n\Z")
                self.assertIsNone(record)

    def test_a_plugin_replaced_under_a_sweep(self):
        """Between two runs the file becomes one of another interface: the run before ends well, the next fails, with its name."""
        self.mine()
        self.write("x.yaml", CONFIG.replace("../lib/mine.so", "./lib/mine.so").replace(", shortcut: {type: mine}", "").replace("100000,", "1000,") +
                   "variants:\n  - {name: good}\n  - {name: bad, set: {model.shortcut.type: mine}}\n")
        sweep = subprocess.Popen([PROGRAM, "sweep", "x.yaml", "--threads", "1", "--jobs", "1"], cwd=self.dir, stderr=subprocess.PIPE, text=True)
        while sweep.poll() is None and not os.path.exists(self.path("results/x/good/seed-1/train.csv")): time.sleep(0.01)
        self.mine(before="#undef SKL_SHORTCUT_ABI\n#define SKL_SHORTCUT_ABI 99", target="lib/new")
        os.replace(self.path("lib/new.so"), self.path("lib/mine.so"))
        text = sweep.communicate(timeout=120)[1]
        self.assertEqual(sweep.returncode, 1, text)
        self.assertRegex(text, "done +good/seed-1")
        self.assertRegex(text, "failed +bad/seed-1: .*lib/mine.so.*interface 99")

    def test_a_plugin_rebuilt_under_a_sweep(self):
        """The seeds of one variant are all of one build: those that would be of another wait until it is there again."""
        self.mine()
        self.mine(factor="0.5f", target="lib/new")
        self.write("x.yaml", CONFIG.replace("../lib/mine.so", "./lib/mine.so").replace("100000,", "200,") + "seeds: 2\n")
        sweep = subprocess.Popen([PROGRAM, "sweep", "x.yaml", "--threads", "1", "--jobs", "1"], cwd=self.dir, stderr=subprocess.PIPE, text=True)
        while sweep.poll() is None and not os.path.exists(self.path("results/x/mine/seed-1/train.csv")): time.sleep(0.01)
        before = self.sha256()
        os.rename(self.path("lib/mine.so"), self.path("lib/old.so"))
        os.rename(self.path("lib/new.so"), self.path("lib/mine.so"))
        text = sweep.communicate(timeout=120)[1]
        self.assertEqual(sweep.returncode, 1, text)
        self.assertRegex(text, "done +mine/seed-1")
        self.assertRegex(text, f"failed +mine/seed-2: .*the plug-in 'mine' given has SHA-256 {self.sha256()}, here the build {before} is asked for")
        with open(self.path("results/x/mine/seed-2/run.json")) as f:
            self.assertEqual(json.load(f)["cause_code"], "refused")
        self.assertIn("another build", self.ends(2, "sweep", "x.yaml", "--threads", "1"))
        os.rename(self.path("lib/old.so"), self.path("lib/mine.so"))
        self.ends(0, "sweep", "x.yaml", "--threads", "1")
        self.ends(0, "audit", "results/x", "--plugin", "lib/mine.so")

    def test_an_element_of_a_job_array_is_given_the_plugin(self):
        """And refuses another build, as it may start weeks later."""
        self.mine()
        for name, text in (("sbatch", 'for word; do printf "%s\\n" "$word"; done > words; echo 7'), ("srun", 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"'),
                           ("scontrol", "echo MaxArraySize = 100"), ("squeue", "")):
            self.write("bin/" + name, f"#!/bin/sh\n{text}\n")
            os.chmod(self.path("bin", name), 0o755)
        self.write("x.yaml", CONFIG.replace("../lib/mine.so", "./lib/mine.so").replace("100000,", "4,"))
        env = dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"])
        subprocess.run([PROGRAM, "sweep", "x.yaml", "--slurm"], cwd=self.dir, env=env, check=True, capture_output=True)
        with open(self.path("words")) as f:
            words = f.read().split("\n")[:-1]
        script = next(i for i, w in enumerate(words) if w.endswith("run.sh"))
        element = lambda: subprocess.run(["sh", *words[script:]], cwd=self.dir, env=dict(env, SLURM_ARRAY_TASK_ID="1", SLURM_ARRAY_JOB_ID="7"), capture_output=True, text=True)
        self.mine(factor="0.5f", target="lib/new")
        os.rename(self.path("lib/mine.so"), self.path("lib/old.so"))
        os.rename(self.path("lib/new.so"), self.path("lib/mine.so"))
        refused = element()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("the plug-in 'mine' given has SHA-256", refused.stderr)
        os.rename(self.path("lib/old.so"), self.path("lib/mine.so"))
        done = element()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_missing_function_is_a_message(self):
        self.mine(before="float nowhere(void);", factor="nowhere()")
        self.assertIn("nowhere", self.ends(2, "check", "./lib/mine.so"))

    def interrupted(self, *words):
        """Starts training, waits for a checkpoint, stops it; the run's numerics key."""
        run = subprocess.Popen([PROGRAM, "train", "experiments/x.yaml", "--run-dir", "run", "--threads", "1", "--quiet", *words], cwd=self.dir, stderr=subprocess.PIPE, text=True)
        seen = os.stat(self.path("run/last.safetensors")).st_mtime_ns if os.path.exists(self.path("run/last.safetensors")) else 0
        for _ in range(600):
            if run.poll() is not None: break
            if os.path.exists(self.path("run/last.safetensors")) and os.stat(self.path("run/last.safetensors")).st_mtime_ns > seen: break
            time.sleep(0.1)
        run.send_signal(signal.SIGTERM)
        text = run.communicate(timeout=60)[1]
        return run.returncode, text

    def test_a_run_remembers_its_build(self):
        self.mine()
        self.write("experiments/x.yaml", CONFIG)
        code, text = self.interrupted()
        self.assertEqual(code, 75, text)
        with open(self.path("run/run.json")) as f:
            self.assertRegex(f.read(), r"plug-in mine [0-9a-f]{16}")
        code, text = self.interrupted()
        self.assertEqual(code, 75, text)                     # the same build goes on
        self.mine(factor="0.5f")
        self.assertIn("another build of the plug-in 'mine'", self.ends(2, "train", "experiments/x.yaml", "--run-dir", "run", "--threads", "1", "--quiet"))
        code, text = self.interrupted("--allow-other-numerics")
        self.assertEqual(code, 75, text)


if __name__ == "__main__":
    unittest.main()
