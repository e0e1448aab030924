"""Limits of the system: a run ends as without them, or says in one line what is missing; it never hangs, aborts or blames itself."""
import resource
import subprocess

from lab import *

MiB = 1 << 20
NOBODY = 10000 + os.getpid() % 50000       # whose processes are ours alone: the limit on their number counts all of a user's
# LeakSanitizer wants a thread of its own at the end.
WITHOUT_LEAKS = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")

# For each limit: values from too little to enough.  An address space too small for the program is the loader's or the kernel's to refuse.
LIMITS = {
    "NPROC": (0, 1, 2, 3, 100),
    "AS": (12 * MiB, 80 * MiB, 100 * MiB, 150 * MiB, 220 * MiB, 300 * MiB, 1 << 34),
    "DATA": (5 * MiB, 40 * MiB, 80 * MiB, 120 * MiB, 300 * MiB, 1 << 34),
    "STACK": (32 << 10, 256 << 10, 8 * MiB, 1 << 32),
    "NOFILE": (4, 6, 10, 16, 1000),
    "FSIZE": (0, 100, 5000, 1 << 20),
    "MEMLOCK": (0,),
    "CORE": (0,),
    "SIGPENDING": (0,),
}


class Limits(Lab):
    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o777)
        self.program = shutil.copy(PROGRAM, self.path("skiplab"))     # what is built may stand where another user cannot reach it

    def limited(self, kind, value, *words):
        def preexec():
            resource.setrlimit(getattr(resource, "RLIMIT_" + kind), (value, value))
            if kind == "NPROC" and os.geteuid() == 0:
                os.setuid(NOBODY)       # root may start as many as it likes
        return subprocess.run([self.program, *map(str, words)], cwd=self.dir, env=WITHOUT_LEAKS, preexec_fn=preexec, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)

    def folder(self):
        folder = super().folder()
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        return folder

    def walk(self, words, judge):
        for kind, values in LIMITS.items():
            if SANITIZED and kind in ("AS", "DATA", "STACK"):
                continue        # sanitizers reserve terabytes
            for value in values:
                with self.subTest(f"{kind} {value}"):
                    folder = self.folder()
                    p = self.limited(kind, value, *words(folder))
                    self.assertIn(p.returncode, (0, 1), p.stderr)
                    self.assertNotIn("bug", p.stderr)
                    if value == values[-1]:
                        self.assertEqual(p.returncode, 0, p.stderr)
                    judge(p, folder)

    def test_train(self):
        self.reference(config(iterations=6))

        def judge(p, folder):
            if p.returncode:
                self.assertRegex(p.stderr, r"\A(skiplab: only 1 of 2 threads [^\n]*\n)?skiplab: [^\n]*\n\Z")
            else:
                self.same(folder, "limited")

        self.walk(lambda folder: ("train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", "2"), judge)

    def test_sweep(self):
        """And no run that a limit ended stands in the way of the next sweep."""
        self.write("x.yaml", config(iterations=2))

        def judge(p, folder):
            if p.returncode:
                self.assertRegex(p.stderr, r"skiplab: [^\n]*\n\Z")
                self.ends(0, "sweep", "x.yaml", "--results", folder, "--retry", "failed")

        self.walk(lambda folder: ("sweep", "x.yaml", "--results", folder, "--threads", "2", "--jobs", "1"), judge)

    def test_other_commands(self):
        self.write("x.yaml", config(iterations=2))
        self.ends(0, "sweep", "x.yaml", "--threads", "1")
        run = "results/tiny/exclusive_gating/seed-1"
        for words in (("status", "results/tiny"), ("report", "results/tiny"), ("audit", "results/tiny"), ("summary", "x.yaml"), ("verify", run),
                      ("eval", run + "/last.safetensors"), ("probe", "x.yaml"), ("check", "identity"), ("bench", "x.yaml", "--seconds", "0.1"),
                      ("shortcuts",), ("data",), ("list",), ("export", "results/tiny"), ("compare", "results/tiny", "results/tiny"),
                      ("config", "x.yaml"), ("--version",)):
            for kind in ("NPROC", "NOFILE") if SANITIZED else ("NPROC", "NOFILE", "AS"):
                for value in LIMITS[kind][:5:2] if kind == "AS" else LIMITS[kind][:4:3]:
                    with self.subTest(f"{words[0]} {kind} {value}"):
                        shutil.copytree(self.path("results"), self.path("copy"))
                        try:
                            p = self.limited(kind, value, *(w.replace("results", "copy") for w in words))
                        finally:
                            shutil.rmtree(self.path("copy"))
                        self.assertIn(p.returncode, (0, 1, 2, 3), p.stderr)
                        self.assertNotRegex(p.stderr, "bug|no runs in it|holds no sweep")
                        if p.returncode and words[0] not in ("audit", "check"):
                            self.assertRegex(p.stderr, r"skiplab: [^\n]*\n\Z")

    def test_processor_time(self):
        """A tenth before the end a checkpoint is written; the same command again goes on."""
        self.write("x.yaml", config(iterations=10 ** 6, log=1000, test=10 ** 6, checkpoint=10 ** 6))
        folder = self.folder()
        for go in (1, 2):
            p = self.limited("CPU", 2, "train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", "1")
            self.assertEqual(p.returncode, 75, p.stderr)
            self.assertRegex(p.stderr, r"\Askiplab: [^\n]*CPU time limit[^\n]*goes on from there\n\Z")
            self.assertTrue(whole(os.path.join(folder, "last.safetensors")))
        p = self.limited("CPU", 2, "sweep", "x.yaml", "--results", self.folder(), "--threads", "1")
        self.assertEqual(p.returncode, 75, p.stderr)


class Groups(Lab):
    """Limits of a control group, a container's or a batch job's, where this machine lets us make one."""

    def grouped(self, controller, values, *words):
        folder = next((f for f in (f"/sys/fs/cgroup/{controller}", "/sys/fs/cgroup") if os.path.isdir(f)), None)
        if not folder:
            self.skipTest("no control groups here")
        group = f"{folder}/skiplab-test-{os.getpid()}-{next(self.serial)}"
        try:
            os.mkdir(group)
            self.addCleanup(os.rmdir, group)
            for name, value in values.items():
                if os.path.exists(os.path.join(group, name)):
                    with open(os.path.join(group, name), "w") as f:
                        f.write(value)
            where = os.path.join(group, "cgroup.procs")
            done = [name for name in values if os.path.exists(os.path.join(group, name))]
        except OSError as e:
            self.skipTest(f"no control group can be made here: {e}")
        if not done:
            self.skipTest(f"no controller {controller} here")

        def join():
            with open(where, "w") as f:
                f.write(str(os.getpid()))

        return subprocess.run([PROGRAM, *words], cwd=self.dir, env=WITHOUT_LEAKS, preexec_fn=join, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)

    def test_processor_time(self):
        p = self.grouped("cpu", {"cpu.cfs_quota_us": "50000", "cpu.max": "50000 100000"}, "--version")
        self.assertIn(", 1 core\n", p.stdout)

    def test_memory(self):
        self.write("x.yaml", config().replace("depth: 8, width: 4", "depth: 110, width: 64").replace("size: 8", "size: 32"))
        p = self.grouped("memory", {"memory.limit_in_bytes": str(96 * MiB), "memory.max": str(96 * MiB)}, "train", "x.yaml", "--quiet", "--threads", "1")
        self.assertEqual(p.returncode, 2, p.stderr)
        self.assertRegex(p.stderr, r"\Askiplab: this net needs [\d.]+ GiB, there are 0\.1 GiB for this process[^\n]*\n\Z")

    def test_processes(self):
        self.write("x.yaml", config(iterations=2))
        for most, code in ((1, 1), (2, 0), (3, 0)):
            p = self.grouped("pids", {"pids.max": str(most)}, "train", "x.yaml", "--run-dir", self.folder(), "--quiet", "--threads", "2")
            self.assertEqual(p.returncode, code, p.stderr)
            self.assertNotIn("bug", p.stderr)


main()
