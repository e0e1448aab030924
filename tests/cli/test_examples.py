"""Every command that --help, the README, the documents and the experiment files print is run, by a shell, in a folder with the
shipped experiments and results of each: nothing is listed by hand.

What is a command: a line of an indented block or of one fenced as sh whose first word is a program; in an experiment file a
comment's line that begins with skiplab, up to two blanks.  A block after "`FILE`:" is that file.  Trainings are cut short, with
synthetic images and one seed.  An HTML comment, "not run: REASON", before a block takes it out.  SKL_TEST_SLOW: also the
commands in the experiment files."""
import glob
import json
import shlex
import stat
import tempfile

from skl import *

SLOW = bool(os.environ.get("SKL_TEST_SLOW"))
BUILD = os.path.abspath(os.environ["SKIPLAB_BUILD"])

# What the program of the examples does with its words: an experiment with images is a small one of synthetic images.
WRAPPER = """#!/bin/sh
file= seeds=seeds=1 number= size=16 sized=
for word; do
    shift
    case $word in
        *.yaml) [ -e "$word" ] && grep -Eq '^(data|include):' "$word" && file=$word ;;
        seeds=*) seeds= ;;
    esac
    [ "$number" ] && word=1
    number=
    [ "$word" = --seed ] && number=yes
    set -- "$@" "$word"
done
case $file in *imagenet*) size=32 sized=data.size=32 ;; esac      # what that family's nets take at least
case $1 in
    sweep | train | probe)
        [ "$file" ] && set -- "$@" data.dataset=synthetic data.train_images=32 data.test_images=16 data.validation=8 \\
            "data.synthetic={train: 32, test: 16, size: $size}" $sized model.width=4 train.iterations=4 train.batch=8 train.bn_batch=8 \\
            train.log_every=1 train.test_every=2 train.checkpoint_every=2 $seeds ;;
    eval) [ "$file" ] && set -- "$@" @FOREIGN@ ;;
    bench) set -- "$@" --batch 8 --steps 1 ;;
esac
exec @PROGRAM@ "$@"
"""
# The data and the net that stand in for another program's net and its pictures.
FOREIGN = ("data.dataset=synthetic data.size=32 data.train_images=32 data.test_images=16 data.validation=8 data.normalize=channel model.width=4 "
           "train.batch=8 train.bn_batch=8 'data.synthetic={train: 32, test: 16, size: 32}'")
# ./dev itself runs this test: here its verbs are looked up.
DEV = """#!/bin/sh
exec @SOURCE@/dev help | grep -q "^  $1 "
"""
# meson test -C build NAME...: are there such tests?
MESON = """#!/bin/sh
[ "$1 $2 $3" = "test -C build" ] || exit 9
shift 3
for word; do case $word in
    -*) ;;
    *) grep -q "\\"name\\": \\"$word\\"" @BUILD@/meson-info/intro-tests.json || exit 8 ;;
esac; done
"""
OFFLINE = """#!/bin/sh
exit 6
"""
SLURM = """#!/bin/sh
case $0 in
    *sbatch) echo 1 ;;
    *scontrol) echo 'MaxArraySize            = 1001' ;;
esac
"""


def documents():
    found = []
    for pattern in ("*.md", "docs/*.md", "configs/*.md", "results/*.md", "shortcuts/*.md", "tests/**/*.md"):
        found += glob.glob(os.path.join(SOURCE, pattern), recursive=True)
    return sorted(set(found))


def blocks(text):
    """(text before it, lines) of each block that is indented, or fenced as sh or as nothing."""
    parts, fence, lines, before = [], None, [], ""
    for line in text.split("\n") + [""]:
        opens = re.match(r"```(\w*)", line)
        if opens and fence is None:
            fence = opens.group(1)
        elif opens:
            fence = None
        elif fence in ("sh", "bash", "") or (fence is None and line.startswith("    ")):
            lines.append(line if fence else line[4:])
            continue
        if fence is None and line.strip() == "" and lines and not opens:
            lines.append("")
            continue
        if lines:
            parts.append((before, lines))
            lines = []
        if line.strip():
            before = line
    return parts


def is_program(word):
    return word in ("skiplab", "./dev") or word.endswith("/skiplab") or bool(re.fullmatch(r"[a-z][a-z0-9-]+", word) and shutil.which(word))


def commands_in(lines):
    return [line for line in lines if line and is_program(line.split()[0])]


def told(before, lines):
    """What a reader of a block does."""
    file = re.search(r"`([a-z_.]+)`:$", before)
    if re.match(r"<!-- not run: \w+", before):
        return []
    return [f"printf '%s\\n' {shlex.join(lines)} > {file.group(1)}"] if file else commands_in(lines)


def examples():
    """{where: [commands]}, in the order in which a reader meets them."""
    found = {}
    for command in commands():
        text = run(command, "--help").stdout.split("\nExamples:\n")[1].split("\nOptions:\n")[0]
        found[f"{command} --help"] = commands_in(line.strip() for line in text.split("\n"))
    for path in documents():
        with open(path) as f:
            found[os.path.relpath(path, SOURCE)] = [c for before, lines in blocks(f.read()) for c in told(before, lines)]
    for path in sorted(glob.glob(os.path.join(SOURCE, "configs/*.yaml")) if SLOW else []):
        with open(path) as f:
            found[os.path.relpath(path, SOURCE)] = [re.split(r"  +", line)[0] for line in re.findall(r"(?m)^# +(skiplab .*)$", f.read())]
    return {where: lines for where, lines in found.items() if lines}


class Examples(unittest.TestCase):
    """One folder for all, as its reader has it: experiments and results of each, a net's weights, a plug-in."""

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="skiplab-examples-")
        cls.addClassCleanup(shutil.rmtree, cls.home, True)
        cls.world = os.path.join(cls.home, "world")
        cls.put("bin/skiplab", WRAPPER.replace("@FOREIGN@", FOREIGN))
        cls.put("world/dev", DEV)
        cls.put("bin/meson", MESON)
        cls.put("bin/curl", OFFLINE)
        for name in ("sbatch", "scontrol", "squeue", "srun"):
            cls.put("bin/" + name, SLURM)
        shutil.copytree(os.path.join(SOURCE, "configs"), os.path.join(cls.world, "configs"))
        os.makedirs(os.path.join(cls.world, "build/core/cli"))
        os.symlink(os.path.join(cls.home, "bin/skiplab"), os.path.join(cls.world, "build/core/cli/skiplab"))
        os.symlink(SOURCE, os.path.join(cls.world, "SOURCES"))
        cls.env = {**os.environ, "PATH": os.path.join(cls.home, "bin") + ":" + os.environ["PATH"], "HOME": cls.home,
                   "PKG_CONFIG_PATH": cls.home, "XDG_DATA_HOME": os.path.join(cls.home, "data")}
        with open(os.path.join(BUILD, "meson-private/skiplab.pc")) as f:
            cls.put("skiplab.pc", re.sub("(?m)^Cflags:.*", f"Cflags: -I{cls.world}/SOURCES", f.read()))
        cls.examples = examples()
        cls.prepare()

    @classmethod
    def put(cls, name, text):
        path = os.path.join(cls.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        for place, value in (("@PROGRAM@", PROGRAM), ("@SOURCE@", SOURCE), ("@BUILD@", BUILD)):
            text = text.replace(place, shlex.quote(value))
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, stat.S_IRWXU)

    @classmethod
    def shell(cls, command):
        return subprocess.run(["bash", "-c", command], cwd=cls.world, env=cls.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=300)

    @classmethod
    def prepare(cls):
        words = " ".join(" ".join(lines) for lines in cls.examples.values())
        steps = [f"skiplab sweep configs/{name}.yaml" for name in sorted(set(re.findall(r"results/([a-z0-9-]+)", words)))
                 if os.path.exists(os.path.join(SOURCE, f"configs/{name}.yaml"))]
        golden = os.path.join(SOURCE, "tests/golden/cases/identity")
        steps += [f"{shlex.quote(PROGRAM)} train configs/imagenet.yaml --variant resnet-50 model.stride_in=3x3 {FOREIGN} train.iterations=1 --run-dir foreign --quiet",
                  "mv foreign/last.safetensors resnet50.safetensors && rm -r foreign"]
        steps += ["cp -r results other", f"cp {shlex.quote(golden)}.yaml model.yaml", f"cp {shlex.quote(golden)}.in.safetensors in.safetensors",
                  "cp in.safetensors batch.safetensors",
                  "skiplab new-shortcut my_shortcut && cc -ISOURCES -fPIC -shared -D_GNU_SOURCE my_shortcut.c -o my_shortcut.so && rm my_shortcut.c"]
        for step in steps:
            done = cls.shell(step)
            if done.returncode:
                raise AssertionError(f"{step}\n{done.stdout}{done.stderr}")

    def test_every_example(self):
        known = set()
        for where, lines in self.examples.items():
            for line in lines:
                command = line.split(" #")[0].strip().replace("build/core/cli/", "")
                if command in known:
                    continue
                known.add(command)
                with self.subTest(where, line=line):
                    start = time.monotonic()
                    self.check(line, self.shell(self.shortened(line)))
                    print(f"{time.monotonic() - start:.1f} s  {where}: {line}")

    def test_commands_in_running_text(self):
        """`skiplab COMMAND --option` within a sentence: there are such."""
        options = {command: set(re.findall(r"(?m)^  (--[a-z-]+)", run(command, "--help").stdout)) for command in commands()}
        said = 0
        for path in documents():
            with open(path) as f:
                spans = re.findall(r"`skiplab ([^`]+)`", re.sub(r"```.*?```", "", f.read(), flags=re.S))
            for span in spans:
                words = span.split()
                with self.subTest(os.path.relpath(path, SOURCE), span=span):
                    if words[0] in ("help", "--help", "--version", "CMD"):
                        continue
                    self.assertIn(words[0], options)
                    self.assertLessEqual({word.split("=")[0] for word in words if re.match("--[a-z]", word)}, options[words[0]])
                    said += 1
        self.assertGreater(said, 30)

    @unittest.skipUnless(shutil.which("gnuplot"), "no gnuplot here")
    def test_quickstart_ends_with_its_own_results(self):
        """./dev itself, where all packages are there and all is built."""
        self.put("bin/dpkg-query", "#!/bin/sh\nprintf installed\n")
        self.put("bin/ninja", "#!/bin/sh\n")
        self.put("world/build/build.ninja", "")
        with open(os.path.join(SOURCE, "dev")) as f:
            self.put("world/true-dev", f.read())
        for words, folder in (("name=short", "results/short"), ("--results 'else where' --jobs 2", "else where/quickstart")):
            done = self.shell(f"./true-dev quickstart {words}")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            for text in ("Training loss", "test error, %", "\noriginal ", f"{folder}/report.html", f"{folder}/figures/panels.png"):
                self.assertIn(text, done.stdout)
            for name in ("report.html", "figures/panels.png", "figures/panel-dropout.svg"):
                self.assertTrue(os.path.exists(os.path.join(self.world, folder, name)), name)
            self.assertNotIn(".gp", done.stdout)
        refused = self.shell("./true-dev quickstart model.dpeth=20")
        self.assertEqual((refused.returncode, "goes on" in refused.stderr), (2, False), refused.stderr)
        planned = self.shell("./true-dev quickstart name=planned --dry-run")
        self.assertEqual((planned.returncode, os.path.exists(os.path.join(self.world, "results/planned"))), (0, False), planned.stderr)

    def shortened(self, line):
        """Iterations that are shown, as parts of the training."""
        limits = re.search(r"results/(\S+).* --xlim (\d*):(\d*)", line)
        if not limits:
            return line
        with open(os.path.join(SOURCE, f"configs/{limits.group(1)}.yaml")) as f:
            whole = int(re.search(r"iterations: (\d+)", f.read()).group(1))
        short = ":".join(f"{4 * int(n) / whole:g}" if n else "" for n in limits.groups()[1:])
        return line.replace(f"{limits.group(2)}:{limits.group(3)}", short)

    def check(self, line, done):
        said = f"exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        if " data fetch " in line:          # no network, and no archive of the right bytes
            self.assertNotEqual(done.returncode, 2, said)
        else:
            self.assertEqual(done.returncode, 0, said)
            self.assertNotRegex(done.stderr, "warning|did you mean", said)
        if " --json" in line.split(" #")[0]:
            json.loads(done.stdout)


main()
