"""The same bytes in any surroundings; clear words where the surroundings make it impossible."""
import pwd
import resource
import subprocess

from lab import *


class Bytes(Lab):
    def test_surroundings_do_not_change_a_byte(self):
        self.reference(config("{type: dropout}"))
        surroundings = {
            "locale": {"LC_ALL": "de_DE.UTF-8", "LANG": "tr_TR.UTF-8"}, "time zone": {"TZ": "Asia/Kathmandu"},
            "memory": {"MALLOC_PERTURB_": "90", "MALLOC_ARENA_MAX": "1"}, "BLAS threads": {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "2"},
            "no home": {"HOME": "/nowhere", "USER": "", "PATH": ""}, "colour": {"TERM": "dumb", "NO_COLOR": "1"}}
        for name, env in surroundings.items():
            with self.subTest(name):
                folder = self.folder()
                self.train(folder, env=env, code=0)
                self.same(folder, name)

    def limited(self, what, limit):
        folder = self.folder()
        command = [PROGRAM, "train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", "2"]
        p = subprocess.run(command, cwd=self.dir, preexec_fn=limit, stderr=subprocess.PIPE, text=True, timeout=100)
        self.assertEqual(p.returncode, 0, f"{what}: {p.stderr}")
        self.same(folder, what)
        return folder

    def test_limits_do_not_change_a_byte(self):
        self.reference(config("{type: conv1x1}"))
        stack = (4 << 20) if SANITIZED else 256 << 10      # sanitizers put more on it
        self.limited("small stack", lambda: resource.setrlimit(resource.RLIMIT_STACK, (stack, stack)))
        self.limited("few files", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)))
        self.limited("nice", lambda: os.nice(10))
        private = self.limited("umask", lambda: os.umask(0o077))
        self.assertEqual(os.stat(os.path.join(private, "train.csv")).st_mode & 0o777, 0o600)

    def test_a_clock_that_goes_back(self):
        """By an hour, at the first look at it or later."""
        self.reference(config())
        for at in (2, 3, 5, 10, 100):
            folder = self.folder()
            self.train(folder, fault=f"clock {at}", code=0)
            self.same(folder, f"clock {at}")

    @unittest.skipUnless(SLOW, "takes a heartbeat, 10 s")
    def test_a_claim_stays_fresh_when_the_clock_goes_back(self):
        """All that the program sees of the clock is an hour ahead: what waits for an hour of the day waits too long."""
        self.write("x.yaml", config(iterations=1000000))
        folder = self.folder()
        self.start("train", "x.yaml", "--run-dir", folder, "--quiet", env=self.faulty("clock 1000000000"))
        owner = os.path.join(folder, "claim/1/owner")
        wait_until(lambda: os.path.exists(owner))
        os.utime(owner, (0, 0))
        wait_until(lambda: os.stat(owner).st_mtime > 0)

    def test_threads_do_not_change_a_byte(self):
        for shortcut in VARIANTS if SLOW else self.random.sample(VARIANTS, 2):
            for order in ("original", "full_preact"):
                self.reference(config(shortcut, order=order, iterations=8))
                for threads in (1, 2, 3, 4, 7, 8, 16):
                    folder = self.folder()
                    self.train(folder, "--threads", threads, code=0)
                    self.same(folder, f"{shortcut} {order} {threads} threads")

    @unittest.skipUnless(SLOW and not SANITIZED, "nets of full size")
    def test_threads_do_not_change_a_byte_of_large_nets(self):
        """Images of 32x32 in mini-batches of 128."""
        for depth, iterations, shortcuts in ((20, 10, VARIANTS), (110, 2, ("{type: exclusive_gating}", "{type: dropout}"))):
            for shortcut in shortcuts:
                text = config(shortcut, iterations=iterations, checkpoint=iterations // 2, test=iterations)
                for small, large in (("depth: 8, width: 4", f"depth: {depth}, width: 16"), ("batch: 16", "batch: 128, bn_batch: 64"),
                                     ("train: 72, test: 24, size: 8", "train: 264, test: 64, size: 32")):
                    self.assertIn(small, text)
                    text = text.replace(small, large)
                self.reference(text)
                for threads in (2, 3, 4, 7, 8, 16):
                    folder = self.folder()
                    self.train(folder, "--threads", threads, code=0)
                    self.same(folder, f"depth {depth}, {shortcut}, {threads} threads")


class Places(Lab):
    def test_awkward_names(self):
        self.reference(config())
        for name in ("with space", "Übung-日本", "line\nfeed", "quote'\"$(id)`id`", "-rf", "%s%n", "x" * 255, "a/b/c/d"):
            with self.subTest(name[:20]):
                folder = self.path("places", name)
                self.train(folder, code=0)
                self.same(folder, name)
        self.assertEqual(sorted(os.listdir(self.path("places"))), sorted(
            ["with space", "Übung-日本", "line\nfeed", "quote'\"$(id)`id`", "-rf", "%s%n", "x" * 255, "a"]))

    def refused(self, folder, program=PROGRAM, **how):
        p = subprocess.run([program, "train", "x.yaml", "--run-dir", folder, "--quiet"], cwd=self.dir, stderr=subprocess.PIPE, text=True, **how)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertRegex(p.stderr, r"\Askiplab: [^\n]*\n\Z")
        return p.stderr

    def test_places_where_nothing_can_be_written(self):
        self.write("x.yaml", config())
        self.write("file", "")
        self.assertIn("File name too long", self.refused(self.path("y" * 256)))
        self.assertIn("Not a directory", self.refused(self.path("file/run")))
        self.assertIn("/proc/nowhere", self.refused("/proc/nowhere/run"))
        os.mkdir(self.path("closed"))
        os.chmod(self.path("closed"), 0o555)
        program, how = PROGRAM, {}
        if os.geteuid() == 0:       # whom nothing is closed to; another may not reach what is built below /root
            os.chmod(self.dir, 0o755)
            program = shutil.copy(PROGRAM, self.path("skiplab"))
            how = {"user": pwd.getpwnam("nobody").pw_uid}
        self.assertIn("Permission denied", self.refused(self.path("closed/run"), program, **how))

    def test_closed_streams(self):
        self.reference(config())
        for streams in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            folder = self.folder()
            p = subprocess.run(["sh", "-c", f'exec "$0" train x.yaml --run-dir "$1" --threads 1 {streams}', PROGRAM, folder], cwd=self.dir,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if ">&-" not in streams.split():
                self.assertEqual(p.returncode, 0, streams)
            self.same(folder, streams)

    def test_a_full_file_system_and_room_again(self):
        mount = self.path("small")
        os.mkdir(mount)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "none", mount], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("mounting a small file system is not allowed here")
        self.addCleanup(subprocess.run, ["umount", mount])
        self.reference(config())
        folder = os.path.join(mount, "run")
        code, message, _ = self.train(folder)
        self.assertEqual(code, 1, message)
        self.assertIn("No space left on device", message)
        subprocess.run(["mount", "-o", "remount,size=4m", mount], check=True)
        self.train(folder, code=0)
        self.same(folder, "full")


main()
