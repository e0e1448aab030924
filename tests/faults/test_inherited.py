"""What a process inherits from whoever starts it: every row of the table in docs/hardening.md has its case here, by name."""
import ctypes
import pwd
import resource

from lab import *

MOODS = os.path.abspath(os.environ["MOODS"])
NOBODY = pwd.getpwnam("nobody")


def table():
    """The first cells of the rows of the table under "What is inherited"."""
    with open(os.path.join(SOURCE, "docs/hardening.md"), encoding="utf-8") as f:
        section = f.read().split("## What is inherited")[1].split("\n## ")[0]
    return [row.split("|")[1].strip() for row in section.splitlines() if row.startswith("| ")][1:]


def ignore(*names):
    return lambda: [signal.signal(getattr(signal, "SIG" + n), signal.SIG_IGN) for n in names]


class Inherited(Lab):
    """A case is named test_ and the row's words; what it inherits must leave the bytes of a run as they are."""

    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o777)

    def spawn(self, *words, before=None, env={}, cwd=None, **more):
        p = subprocess.Popen([PROGRAM, *map(str, words)], cwd=cwd or self.dir, env=dict(os.environ, **env), preexec_fn=before, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        self.addCleanup(lambda: p.poll() is None and p.kill())
        return p

    def result(self, p, code=0):
        _, said = p.communicate(timeout=60)
        self.assertEqual(p.returncode, code, said)
        return said

    def harmless(self, before=None, env={}, text=None, threads=2, sweep=True, **more):
        """A run in these surroundings ends with the bytes of one without them; so does a sweep."""
        self.reference(text or config(iterations=6))
        folder = self.folder()
        self.result(self.spawn("train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", threads, before=before, env=env, **more))
        self.same(folder, "inherited")
        if sweep:
            results = self.folder()
            self.result(self.spawn("sweep", "x.yaml", "--results", results, "--threads", 1, before=before, env=env, **more))
            self.assertEqual(self.files(os.path.join(results, "tiny/exclusive_gating/seed-1")), self.whole)
        return folder

    def endless(self):
        self.write("x.yaml", config(iterations=10 ** 6, log=1, test=10 ** 6, checkpoint=10 ** 6))

    def going(self, command="train", **how):
        """A run or a sweep that has begun to train."""
        self.endless()
        folder = self.folder()
        if command == "train":
            p, log = self.spawn("train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", 1, **how), os.path.join(folder, "train.csv")
        else:
            p = self.spawn("sweep", "x.yaml", "--results", folder, "--threads", 1, **how)
            log = os.path.join(folder, "tiny/exclusive_gating/seed-1/train.csv")
        wait_until(lambda: os.path.exists(log) and os.stat(log).st_size > 200, seconds=30)
        return p, os.path.dirname(log)

    def stops(self, sig, **how):
        """This signal ends a run, and a sweep, with a checkpoint."""
        for command in ("train", "sweep"):
            p, folder = self.going(command, **how)
            p.send_signal(sig)
            self.result(p, 75)
            self.assertTrue(whole(os.path.join(folder, "last.safetensors")))

    # ---- signals ----

    def test_signal_mask(self):
        self.stops(signal.SIGTERM, before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, set(range(1, 65))))

    def test_HUP_INT_QUIT_and_ALRM_ignored(self):
        for command in ("train", "sweep"):
            p, folder = self.going(command, before=ignore("HUP", "INT", "QUIT", "ALRM"))
            for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGALRM):
                p.send_signal(sig)
            time.sleep(0.5)
            self.assertIsNone(p.poll(), command)
            p.send_signal(signal.SIGTERM)
            self.result(p, 75)

    def test_HUP_and_ALRM(self):
        self.stops(signal.SIGHUP)
        self.stops(signal.SIGALRM)

    def test_TERM_USR1_USR2_CHLD_ignored(self):
        before = ignore("TERM", "USR1", "USR2", "CHLD")
        self.stops(signal.SIGTERM, before=before)
        self.harmless(before=before)

    def test_PIPE_and_XFSZ(self):
        self.harmless(before=lambda: [signal.signal(s, signal.SIG_DFL) for s in (signal.SIGPIPE, signal.SIGXFSZ)])

    def test_faults_ignored(self):
        self.harmless(before=ignore("SEGV", "BUS", "FPE", "ILL", "ABRT", "TRAP"))

    def test_pending_signals(self):
        def before():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            os.kill(os.getpid(), signal.SIGTERM)

        self.endless()
        self.result(self.spawn("train", "x.yaml", "--quiet", before=before), -signal.SIGTERM)

    def test_timers(self):
        self.endless()
        folder = self.folder()
        p = self.spawn("train", "x.yaml", "--run-dir", folder, "--quiet", "--threads", 1, before=lambda: signal.setitimer(signal.ITIMER_REAL, 2))
        self.assertIn("signal 14", self.result(p, 75))

    # ---- environment ----

    def test_locale_and_time_zone(self):
        self.environment(LC_ALL="de_DE.UTF-8", LANG="tr_TR.UTF-8", LC_NUMERIC="xx", TZ=":/dev/null")

    def test_OpenBLAS_and_OpenMP(self):
        self.environment(text=config("{type: conv1x1}", iterations=6) + "variants: [{name: exclusive_gating, set: {train.conv: gemm}}]\n", OMP_NUM_THREADS="3",
                         OPENBLAS_NUM_THREADS="64", GOTO_NUM_THREADS="5", OPENBLAS_DEFAULT_NUM_THREADS="7", OPENBLAS_BLOCK_FACTOR="20", OMP_PROC_BIND="true")

    def test_gnuplots(self):
        self.write("evil/.gnuplot", "set title 'EVIL'; set samples 2\n")
        self.environment(GNUTERM="x11", GNUPLOT_LIB="/nowhere", GNUHELP="/nowhere", FIT_LOG="/nowhere/x", GDFONTPATH="/nowhere", GNUPLOT_FONTPATH="/nowhere",
                         HOME=self.path("evil"), DISPLAY=":77", PAGER="/nowhere")

    def test_POSIXLY_CORRECT(self):
        self.environment(POSIXLY_CORRECT="1", GETOPT_COMPATIBLE="1")

    def test_memory_allocator(self):
        self.environment(MALLOC_PERTURB_="90", MALLOC_ARENA_MAX="1", MALLOC_CHECK_="3", MALLOC_TOP_PAD_="x", GLIBC_TUNABLES="glibc.malloc.perturb=17")

    def test_terminal(self):
        self.environment(TERM="\033[31m", COLUMNS="-5", LINES="x", NO_COLOR="1", CLICOLOR_FORCE="1")

    def test_home_and_folders(self):
        self.environment(HOME="relative", XDG_DATA_HOME="x", XDG_CONFIG_HOME="/nowhere", XDG_CACHE_HOME="/dev/null", TMPDIR="/nowhere", USER="", PWD="/nowhere")

    def test_Slurms(self):
        self.environment(SLURM_JOB_ID="x", SLURM_CPU_BIND="none", SLURM_ARRAY_TASK_ID="-1", SLURM_CPUS_PER_TASK="0")

    def test_SKIPLAB_PROGRESS_FD(self):
        """Somebody's file that has this number is not written to."""
        with open(self.path("theirs"), "w+") as f:
            self.harmless(env={"SKIPLAB_PROGRESS_FD": str(f.fileno())}, pass_fds=(f.fileno(),))
            f.seek(0)
            self.assertEqual(f.read(), "")
        for text in ("", "x", "-1", "99999999999999999999", "3x"):
            self.harmless(env={"SKIPLAB_PROGRESS_FD": text}, sweep=False)

    drawn = None        # by a report in ordinary surroundings

    def environment(self, text=None, **env):
        """And the figures of a report are the same."""
        self.harmless(env=env, text=text, sweep=False)
        self.write("x.yaml", config(iterations=6))
        self.ends(0, "sweep", "x.yaml", "--threads", "1")
        for more in (env,) if Inherited.drawn else ({}, env):
            self.result(self.spawn("report", "results/tiny", env=more))
            now = {}
            for name in ("figures/test-error.svg", "figures/test-error.png", "figures/test-error.gp"):     # reports tell times
                with open(self.path("results/tiny", name), "rb") as f:
                    now[name] = f.read()
            Inherited.drawn = Inherited.drawn or now
            self.assertEqual(now, Inherited.drawn)
            shutil.rmtree(self.path("results/tiny/figures"))

    # ---- the process ----

    def test_PATH(self):
        """Programs in the working folder, before the real ones in such entries (test_strangers_results.py has the figures)."""
        for name in ("gnuplot", "fc-list", "squeue"):
            os.chmod(self.write(name, f"#!/bin/sh\ntouch '{self.path('pwned')}'\n"), 0o755)
        for entry in (".", "", "./."):
            self.harmless(env={"PATH": entry + ":" + os.environ["PATH"]}, sweep=False)
        self.assertFalse(os.path.exists(self.path("pwned")))

    def test_umask(self):
        for mask, mode in ((0o077, 0o600), (0, 0o666), (0o777, 0o600), (0o377, 0o600)):
            folder = self.harmless(before=lambda: os.umask(mask))
            self.assertEqual(os.stat(os.path.join(folder, "train.csv")).st_mode & 0o777, mode)

    def test_limits(self):
        """tests/faults/test_limits.py goes through all of them."""
        def before():
            for kind, value in (("NOFILE", 32), ("CORE", 0), ("MEMLOCK", 0), ("SIGPENDING", 0), ("MSGQUEUE", 0), ("STACK", 8 << 20 if SANITIZED else 256 << 10)):
                resource.setrlimit(getattr(resource, "RLIMIT_" + kind), (value, value))
        self.harmless(before=before)

    def test_working_folder(self):
        """Gone, or one that may not be read: absolute paths work."""
        self.reference(config(iterations=6))
        gone = self.path("gone")
        os.mkdir(gone)
        for before in (lambda: (os.chdir(gone), os.rmdir(gone)), lambda: os.chmod(".", 0o300)):
            folder = self.folder()
            os.makedirs(self.path("w"), exist_ok=True)
            self.result(self.spawn("train", self.path("x.yaml"), "--run-dir", folder, "--quiet", before=before, cwd=self.path("w")))
            self.same(folder, "working folder")
        os.mkdir(gone)
        said = self.result(self.spawn("train", self.path("x.yaml"), "--quiet", before=lambda: (os.chdir(gone), os.rmdir(gone))), 1)
        self.assertRegex(said, r"\Askiplab: [^\n]*No such file or directory\n\Z")

    def test_descriptors_0_to_2_closed(self):
        self.reference(config(iterations=6))
        for closed in ((0,), (0, 1), (0, 1, 2), (1, 2)):
            folder = self.folder()
            p = subprocess.Popen(["sh", "-c", f'exec "$@" {" ".join(f"{n}>&-" for n in closed)}', "sh", PROGRAM, "train", "x.yaml", "--run-dir", folder,
                                  "--threads", "1"], cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            p.wait(timeout=60)
            self.same(folder, closed)

    def test_other_descriptors(self):
        files = [open(self.path(f"open{i}"), "w+") for i in range(20)]
        self.harmless(pass_fds=[f.fileno() for f in files])
        for f in files:
            f.seek(0)
            self.assertEqual(f.read(), "")
            f.close()

    @unittest.skipIf(SANITIZED, "the sanitizers' own libraries want to be first")
    def test_floating_point_modes(self):
        """Left behind by a library's constructor; by exec they are reset."""
        text = config(iterations=6).replace("lr: 0.05", "lr: 1e-40, momentum_form: caffe")     # momentum of denormal numbers
        for mood in ("up", "flush", "short", "trap"):
            for threads in (1, 3):
                self.harmless(env={"LD_PRELOAD": MOODS, "MOOD": mood}, text=text, threads=threads, sweep=threads == 3)

    def test_nice_affinity_and_scheduling(self):
        self.harmless(before=lambda: (os.nice(15), os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
                                      os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))))

    def test_terminal_and_session(self):
        self.harmless(before=os.setsid)

    def test_prctl(self):
        """No new privileges, not dumpable, a parent's death signal, a name."""
        libc = ctypes.CDLL(None, use_errno=True)
        self.harmless(before=lambda: [libc.prctl(*words, 0, 0) for words in ((38, 1, 0), (4, 0, 0), (1, 9, 0), (15, ctypes.c_char_p(b"\n\033"), 0))])


class Table(Case):
    def test_each_row_has_its_case(self):
        """And each case its row: the words of the row's first cell, joined by underscores."""
        cases = {name[5:] for name in dir(Inherited) if name.startswith("test_")}
        rows = [re.sub(r"\W+", "_", row.replace("'", "")).strip("_") for row in table()]
        self.assertEqual(sorted(rows), sorted(cases))


main()
