"""meson install, into a folder: what lies where, and a shortcut built outside the tree with nothing but what is installed."""
import glob
import json
import tempfile
from skl import *

BUILD = os.path.abspath(os.environ["SKIPLAB_BUILD"])
MESON = os.environ["MESON"].split()
CC = os.environ.get("CC", "cc").split()


class Install(Case):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="skiplab-install-")
        cls.addClassCleanup(shutil.rmtree, cls.root, True)
        p = subprocess.run(MESON + ["install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.root], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
        if p.returncode:
            raise AssertionError(p.stdout)

    def one(self, pattern):
        found = glob.glob(os.path.join(self.root, "**", pattern), recursive=True)
        self.assertEqual(len(found), 1, f"{pattern}: {found}")
        return found[0]

    def flags(self, *query):
        env = {**os.environ, "PKG_CONFIG_LIBDIR": os.path.dirname(self.one("skiplab.pc")), "PKG_CONFIG_SYSROOT_DIR": self.root}
        p = subprocess.run(["pkg-config", *query, "skiplab"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(p.returncode, 0, p.stderr)
        return p.stdout.split()

    def test_everything_is_there(self):
        program = self.one("bin/skiplab")
        for what, words in (("man/man1/skiplab.1", ["--man"]), ("share/skiplab/experiment.schema.json", ["--schema"])):
            with open(self.one(what)) as f:
                self.assertEqual(f.read(), subprocess.run([program, "help", *words], stdout=subprocess.PIPE, text=True, check=True).stdout)
        self.assertTrue(os.access(self.one("bash-completion/completions/skiplab"), os.R_OK))
        self.assertTrue(os.access(self.one("zsh/site-functions/_skiplab"), os.R_OK))
        for name in ("shortcut.h", "vec.h", "formula.h", "functions.h"):
            self.one("include/skiplab/core/variant/" + name)

    def test_experiments_find_their_schema_and_load(self):
        configs = os.path.dirname(self.one("quickstart.yaml"))
        for path in glob.glob(os.path.join(configs, "*.yaml")):
            with open(path) as f:
                schema = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)\n", f.readline()).group(1)
            self.assertTrue(os.path.exists(os.path.join(configs, schema)), path)
            self.ends(0, "sweep", path, "--dry-run")

    def test_every_shortcut_builds_outside_the_tree(self):
        command = CC + self.flags("--cflags") + self.flags("--variable=plugin_flags") + ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Werror"]
        for path in glob.glob(os.path.join(SOURCE, "shortcuts/*.c")):
            p = subprocess.run(command + [path, "-o", self.path("x.so")], cwd=self.dir, stderr=subprocess.PIPE, text=True)
            self.assertEqual(p.returncode, 0, p.stderr)

    def test_a_shortcut_from_outside_passes_the_conformance_test_and_trains(self):
        with open(os.path.join(SOURCE, "shortcuts/layer_scale.c")) as f:
            self.write("outside.c", f.read().replace("layer_scale", "outside"))
        subprocess.run(CC + self.flags("--cflags") + self.flags("--variable=plugin_flags") + ["outside.c", "-o", "outside.so"], cwd=self.dir, check=True)
        self.ends(0, "check", "./outside.so")
        self.write("x.yaml", "plugins: [./outside.so]\nmodel: {depth: 8, width: 4, shortcut: {type: outside, start: 0.5}}\n"
                             "data: {dataset: synthetic, synthetic: {train: 32, test: 8, size: 8}}\ntrain: {iterations: 2, batch: 8}\n")
        self.ends(0, "train", "x.yaml", "--threads", "1")
        run_json = json.loads(self.read("results/x/outside/seed-1/run.json"))
        self.assertEqual(run_json["state"], "done")


main()
