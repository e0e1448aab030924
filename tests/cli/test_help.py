"""Help, version, bad command lines: for every command the program lists."""
from skl import *


class Help(Case):
    def test_the_table_is_not_empty(self):
        self.assertGreater(len(commands()), 5)

    def test_three_ways_to_the_overview(self):
        outs = [self.ends(0, *args).stdout for args in ([], ["help"], ["--help"])]
        self.assertEqual(len(set(outs)), 1)
        for code in ("0 done", "75"):
            self.assertIn(code, outs[0])

    def test_every_command_explains_itself(self):
        for command in commands():
            with self.subTest(command):
                result = self.ends(0, command, "--help")
                self.assertEqual(result.stderr, "")
                self.assertEqual(result.stdout, self.ends(0, "help", command).stdout)
                self.assertEqual(result.stdout, self.ends(0, command, "no", "such", "words", "--help").stdout)
                self.assertTrue(result.stdout.startswith(f"Usage: skiplab {command}"))
                for part in ("\nExamples:\n", "\nOptions:\n", "  --help", "  --version"):
                    self.assertIn(part, result.stdout)
                self.assertLess(max(map(len, result.stdout.splitlines())), 130)
                self.assertNotIn("\t", result.stdout)

    def test_examples_use_known_commands_options_and_files(self):
        for command in commands():
            text = self.ends(0, command, "--help").stdout
            examples = text.split("\nExamples:\n")[1].split("\nOptions:\n")[0]
            options = text.split("\nOptions:\n")[1]
            self.assertIn(f"skiplab {command}", examples, command)
            for line in examples.splitlines():
                with self.subTest(command, line=line):
                    words = line.split("#")[0].split()
                    if words[:2] == ["skiplab", command]:
                        for option in re.findall(r"(?<=\s)--[a-z-]+", line.split("#")[0]):
                            self.assertRegex(options, rf"(?m)^  {option}\b")
                    elif words[:1] == ["skiplab"]:
                        self.assertIn(words[1], commands())
                    for word in words:
                        if word.startswith("configs/"):
                            self.assertTrue(os.path.exists(os.path.join(SOURCE, word)), word)

    def test_version_everywhere(self):
        version = self.ends(0, "--version").stdout
        self.assertRegex(version, r"\Askiplab \d+\.\d+\.\d+ \(git ([0-9a-f]+\+?|unknown)\)\n")
        self.assertIn("BLAS", version)
        self.assertIn("CPU: ", version)
        for command in commands():
            self.assertEqual(self.ends(0, command, "--version").stdout, version)


class Usage(Case):
    def refused(self, *args, says=(), status=2):
        result = self.ends(status, *args)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\Askiplab: [^\n]+\n\Z")
        for text in says:
            self.assertIn(text, result.stderr)

    def test_unknown_commands(self):
        self.refused("swep", says=["'swep'", "did you mean 'sweep'?"])
        self.refused("xyzzy", says=["skiplab help"])
        self.refused("--frobnicate")
        self.refused("help", "swep", says=["sweep"])
        self.refused("help", "sweep", "train")
        self.refused("")

    def test_every_command_refuses_unknown_options(self):
        for command in commands():
            with self.subTest(command):
                self.refused(command, "--no-such-option", says=[command, "--no-such-option"])
                self.refused(command, "--halp", says=["did you mean '--help'?"])
                self.refused(command, "-x")

    def test_every_command_refuses_too_few_words(self):
        for command in commands():
            usage = self.ends(0, command, "--help").stdout.splitlines()[0]
            if re.match(rf"Usage: skiplab {command} [A-Z]", usage):
                with self.subTest(command):
                    self.refused(command, says=["usage: skiplab " + command])

    def test_values_are_checked(self):
        self.refused("sweep", "x.yaml", "--jobs", "0", says=["--jobs", "outside 1"])
        self.refused("sweep", "x.yaml", "--jobs=two", says=["whole number"])
        self.refused("sweep", "x.yaml", "--jobs", says=["--jobs wants a value"])
        said = self.ends(1, "check", "identity", env={**os.environ, "TMPDIR": "/nowhere"})      # not the variant's fault
        self.assertRegex(said.stdout + said.stderr, r"\Askiplab: check: cannot make folder '/nowhere/[^\n]*\n\Z")
        self.refused("sweep", "x.yaml", "--results", "--dry-run", says=["--results wants a value"])
        self.refused("report", "results/t", "--out", "--train-error=5", says=["--out wants a value"])
        self.refused("sweep", "x.yaml", "--dry-run=yes", says=["takes no value"])
        self.refused("sweep", "x.yaml", "--retry", "everything", says=["failed"])

    def test_a_choice_is_one_of_its_words(self):
        """What completion offers for a value is all there is, but for settings, which come from a file, and devices."""
        found = set()
        for command in commands():
            for option in re.findall(r"(?m)^  --([a-z-]+) \S", self.ends(0, command, "--help").stdout):
                offered = [line.split("\t")[0] for line in run("help", "--complete", command, f"--{option}", "").stdout.splitlines()]
                if not offered or offered[0].startswith(":") or option in ("variant", "only", "redo", "device"):
                    continue
                found.add(option)
                with self.subTest(command, option=option):
                    self.refused(command, f"--{option}", "no-such-word", says=[f"--{option} knows no 'no-such-word'", offered[0]])
                    self.refused(command, f"--{option}={offered[0]}x", says=[f"did you mean '{offered[0]}'?"])
        self.assertEqual(found, {"align", "conv", "family", "legend", "metric", "mode", "retry", "select-by", "to", "width"})

    def test_names_with_control_characters_stay_on_one_line(self):
        self.refused("sweep", "a\nb\x1b[31m.yaml")

    def test_unknown_shortcut(self):
        self.refused("shortcuts", "identiti", says=["did you mean 'identity'?"])


class Streams(Case):
    def test_a_full_disk_under_stdout_is_an_error(self):
        with open("/dev/full", "w") as full:
            p = subprocess.run([PROGRAM, "help"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(p.returncode, 1)
        self.assertIn("standard output", p.stderr)

    def test_a_closed_stdout_is_an_error(self):
        p = subprocess.run(["sh", "-c", 'exec "$0" help >&-', PROGRAM], stderr=subprocess.PIPE, text=True)
        self.assertEqual(p.returncode, 1)

    def test_a_reader_that_goes_away_is_no_news(self):
        """Nor where the output is longer than a buffer, and the write that failed not the last."""
        self.assertGreater(len(self.ends(0, "shortcuts", "--json").stdout), 5000)
        for words in (["help"], ["shortcuts", "--json"]):
            with self.subTest(words):
                read, write = os.pipe()
                os.close(read)
                p = subprocess.run([PROGRAM, *words], stdout=write, stderr=subprocess.PIPE, text=True)
                os.close(write)
                self.assertEqual(p.stderr, "")
                self.assertNotEqual(p.returncode, 0)


class Shortcuts(Case):
    def test_list_and_json_agree(self):
        import json
        listed = json.loads(self.ends(0, "shortcuts", "--json").stdout)
        text = self.ends(0, "shortcuts").stdout
        self.assertGreaterEqual(len(listed), 6)
        for entry in listed:
            self.assertRegex(text, rf"(?m)^{entry['name']} ")
            one = self.ends(0, "shortcuts", entry["name"]).stdout
            self.assertIn(entry["source"], one)
            self.assertEqual(json.loads(self.ends(0, "shortcuts", entry["name"], "--json").stdout), entry)
            for option in entry["options"]:
                self.assertIn(option["name"], one)
                self.assertIn(option["help"], one)


main()
