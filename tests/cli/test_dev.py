"""./dev without its surroundings: what it starts is noted by stand-ins, in a PATH that holds nothing else."""
import stat

from skl import *

NOTES = """#!/bin/sh
echo "${0##*/} $*" >> "$NOTES"
"""


class Dev(Case):
    def setUp(self):
        super().setUp()
        shutil.copy(os.path.join(SOURCE, "dev"), self.path("dev"))
        os.mkdir(self.path("bin"))
        for name in ("bash", "dirname", "cat"):
            os.symlink(shutil.which(name), self.path("bin", name))
        for name in ("meson", "ninja", "apt-get"):
            self.stub(name, NOTES)
        self.stub("id", "#!/bin/sh\necho 1000\n")
        self.stub("dpkg-query", "#!/bin/sh\nprintf installed\n")

    def stub(self, name, text):
        os.chmod(self.write("bin/" + name, text), stat.S_IRWXU)

    def dev(self, *words, **env):
        notes = self.path("notes")
        self.write("notes", "")
        done = subprocess.run(["bash", self.path("dev"), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={"PATH": self.path("bin"), "NOTES": notes, **env})
        return done, self.read("notes").splitlines()

    def test_warnings_are_errors_under_ci_alone(self):
        for env, strict in (({}, False), ({"CI": ""}, False), ({"CI": "true"}, True)):
            done, notes = self.dev("build", **env)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual("-Dwerror=true" in notes[0], strict, notes)
        with open(os.path.join(SOURCE, "meson.build")) as f:
            self.assertNotIn("werror", f.read())

    def test_quickstart_builds_no_tests(self):
        self.stub("skiplab", NOTES + "exit 2\n")
        os.renames(self.path("bin/skiplab"), self.path("build/core/cli/skiplab"))
        done, notes = self.dev("quickstart")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual([line for line in notes if line.startswith("ninja")], ["ninja -C build core/cli/skiplab"])

    def test_what_is_missing_is_said_before_it_is_installed(self):
        self.stub("dpkg-query", "#!/bin/sh\nexit 1\n")
        done, notes = self.dev("setup")
        self.assertEqual((done.returncode, done.stdout, notes), (1, "", []))
        self.assertRegex(done.stderr, r"\Adev: packages are missing; as root: apt-get install gcc [^\n]*\n\Z")

    def test_what_is_missing_is_installed_by_sudo(self):
        self.stub("dpkg-query", '#!/bin/sh\n[ "$3" = gnuplot-nox ] || [ "$3" = libcmocka-dev ] || printf installed\n')
        self.stub("sudo", '#!/bin/sh\necho sudo >> "$NOTES"\nexec "$@"\n')
        os.symlink(shutil.which("env"), self.path("bin/env"))
        done, notes = self.dev("setup")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(notes, ["sudo", "apt-get install -y --no-install-recommends libcmocka-dev gnuplot-nox"])


main()
