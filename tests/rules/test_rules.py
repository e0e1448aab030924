"""Rules of the source that a machine can check: who includes whom, what is listed where, what is not called."""
import glob
import os
import re
import subprocess
import unittest
import sys

SOURCE = os.path.abspath(os.environ["SKIPLAB_SOURCE"])
BUILD = os.path.abspath(os.environ["SKIPLAB_BUILD"])
CC = os.environ.get("CC", "cc").split()

# A folder of core may include these others.  The order has no circle: each looks to earlier ones only.  A folder within
# another one is a room of its own where it stands here.
MAY_INCLUDE = {
    "base": {},
    "io": {"base"},
    "variant": {"base"},
    "device": {"base", "variant"},
    "device/cpu/kernels": {"base", "device"},
    "device/cpu": {"base", "variant", "device", "device/cpu/kernels"},
    "device/opencl": {"base", "variant", "device"},
    "device/choose": {"base", "variant", "device", "device/cpu", "device/opencl"},
    "config": {"base", "io", "variant"},
    "run": {"base", "io", "config"},
    "data": {"base", "io", "config"},
    "nn": {"base", "variant", "device", "device/choose", "config"},
    "train": {"base", "io", "variant", "config", "run", "data", "nn", "device"},
    "sweep": {"base", "io", "config", "run"},      # and runs through their folders and child processes only:
    "report": {"base", "io", "config", "run"},
    "watch": {"base", "config", "run", "sweep", "report"},
    "check": {"base", "io", "variant", "device", "config", "data", "nn", "train"},
    "cli": {"base", "io", "variant", "device", "device/choose", "config", "run", "data", "nn", "train", "sweep", "report", "check", "watch"},
}
VARIANT = {"core/variant/shortcut.h", "core/variant/vec.h", "core/variant/formula.h"}
EXTRA = {
    "config": {"shortcut_list.h"},
}
# Arrows that are no include: the registry lists the shortcuts.
MAY_CALL = {"config": {"shortcuts"}, "shortcuts": {"variant", "base"}}
# Libraries that only one place knows.
OWNERS = {"cblas.h": "core/device/cpu/kernels/gemm.c", "yaml.h": "core/io/yaml.c", "zlib.h": "core/data/",
          "jpeglib.h": "core/data/pictures/jpeg", "spng.h": "core/data/pictures/png.c"}

BANNED = ("strcpy strcat sprintf vsprintf gets strtok atoi atol atof system popen rand srand random alloca tmpnam mktemp "
          "setlocale longjmp abort _exit _Exit quick_exit").split()
MAY_END = {"core/base/err.c": {"abort"}, "core/cli/ending.c": {"_exit", "_Exit"},
           "core/data/pictures/jpeg.c": {"longjmp"}}       # skl_leave() is for all others
# Paths are looked at and opened by core/base alone (fs.h, place.h): nothing blocks, no link inside results is followed, and
# only ENOENT is absent.  The owners of other calls, each with what it needs them for:
FILES = """open openat openat2 fopen freopen creat gzopen opendir scandir ftw nftw glob stat lstat fstatat statx access faccessat
           euidaccess unlink unlinkat rename renameat renameat2 mkdir mkdirat mkstemp mkostemp mkdtemp mkfifo mknod symlink symlinkat readlink
           readlinkat chdir truncate link linkat rmdir remove utimes utimensat chmod chown json_load_file json_dump_file SHA256File tmpfile
           execvp execvpe execlp execv execl execle execve posix_spawn posix_spawnp dlopen""".split()
FILE_OWNERS = {
    "core/base/place.c": {"*"},                                      # these calls are its purpose
    "core/base/fs.c": {"unlinkat", "openat", "mkdtemp"},        # in open folders; scratch folders
    "core/base/desk.c": {"unlinkat"},   # in an open folder
    "core/run/claim.c": {"openat", "unlinkat", "renameat", "mkdirat", "utimensat", "fopen"},        # in open folders, O_NOFOLLOW; /proc
    "core/base/program.c": {"stat", "access"},                       # what may be run
    "core/base/footprint.c": {"stat"},                               # the working folder
    "core/config/plugin.c": {"stat", "dlopen"},                      # who may write to a plug-in; a sealed copy
    "core/device/cpu/kernels/gemm.c": {"dlopen"},                    # OpenBLAS, by its name
    "core/data/fetch.c": {"execl"},                                  # curl, by skl_program()
    "core/report/fonts.c": {"posix_spawn"},                          # fc-list, by skl_program()
    "core/report/gnuplot.c": {"posix_spawn"},                        # gnuplot, by skl_program()
    "core/sweep/queue.c": {"execv"},                                 # Slurm's programs, by skl_program()
}
# What is written once: elsewhere these calls would be a second way, with its own answer to want of memory, numbers that are
# not finite, and so on.
ONE_PLACE = {
    "open_memstream": set(), "fopencookie": {"core/base/grow.c"}, "vasprintf": {"core/base/err.c"}, "asprintf": set(),
    "strdup": {"core/base/err.c"}, "calloc": set(),
    "malloc": {"core/base/fs.c", "core/device/opencl/memory.c"},      # a file of any size; memory that is not to be touched
    "realloc": {"core/base/grow.c", "core/base/fs.c", "core/device/opencl/tables.c"},     # a list that keeps its room
    "clock_gettime": {"core/base/clock.c", "core/run/claim.c"},     # a point in time to wait for
    "json_dumps": {"core/io/json.c"},
}
SYSTEM = r'\(\s*"/(dev/null|proc/|sys/)'       # the kernel's own files may be named in any call
# Texts go to the terminal through core/base/say.h alone, which makes them visible.  The others that name a stream hand it
# to a function that prints our own words (help), or watch whether it can be written to.
TERMINAL = r"(?<![\w>.])(stdout\b|stderr\b|(?:printf|puts|putchar|vprintf|perror|psignal|psiginfo)\s*\()"
MAY_NAME_A_STREAM = {"core/base/say.c", "core/base/err.c", "core/cli/main.c", "core/sweep/driver.c", "core/cli/cmd_status.c"}


def files(*patterns):
    found = []
    for pattern in patterns:
        found += glob.glob(os.path.join(SOURCE, pattern), recursive=True)
    return sorted(os.path.relpath(f, SOURCE) for f in found if not re.search(r"/build[^/]*/", f[len(SOURCE):]))


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as f:
        return f.read()


def code(text):
    """Without comments and the insides of strings."""
    pattern = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*'
    return re.sub(pattern, lambda m: '""' if m.group()[0] in "\"'" else re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


C_FILES = files("core/**/*.[ch]", "shortcuts/**/*.[ch]")
ALL_C = C_FILES + files("tests/**/*.[ch]", "examples/**/*.[ch]")


def room(path):
    """The folder of core that a file belongs to, None outside of core."""
    if not path.startswith("core/") or path.count("/") < 2:
        return None
    folder = os.path.dirname(path)[len("core/"):]
    while folder not in MAY_INCLUDE and "/" in folder:
        folder = os.path.dirname(folder)
    return folder


# Kernel headers are compiled once a CPU level (core/device/cpu/kernels/meson.build).
LEVEL = ["-DSKL_LEVEL=base", "-DSKL_LANES=4", "-DSKL_LEVEL_ID=SKL_CPU_BASE"]


class Includes(unittest.TestCase):
    def test_directions(self):
        for path in C_FILES:
            folder = room(path)
            for name in re.findall(r'(?m)^\s*#\s*include\s*"([^"]+)"', read(path)):
                with self.subTest(path, include=name):
                    if path.startswith("shortcuts/"):
                        self.assertIn(name, VARIANT)
                    elif folder:
                        self.assertIn(folder, MAY_INCLUDE, "a new folder of core belongs in the table of this test")
                        allowed = MAY_INCLUDE[folder] | {folder} if MAY_INCLUDE[folder] else {folder}
                        inside = name.startswith("core/") and room(name) in allowed
                        self.assertTrue(inside or name in EXTRA.get(folder, ()), f"core/{folder} may not include it")
                    if os.path.basename(name) == "internal.h":
                        self.assertEqual(os.path.dirname(name), os.path.dirname(path), "an internal header stays in its folder")

    def test_the_table_has_no_circle(self):
        folders = list(MAY_INCLUDE)
        for i, folder in enumerate(folders):
            self.assertLessEqual(set(MAY_INCLUDE[folder]), set(folders[:i]))

    def test_one_place_knows_a_library(self):
        for path in C_FILES:
            for name in re.findall(r"(?m)^\s*#\s*include\s*<([^>]+)>", read(path)):
                if name in OWNERS:
                    self.assertTrue(path.startswith(OWNERS[name]), f"{path} includes <{name}>; only {OWNERS[name]} may")

    def test_guards_are_unique(self):
        seen = {}
        for path in files("core/**/*.h"):
            guard = re.search(r"(?m)^#ifndef (SKL_\w+_H)$", read(path))
            if guard:
                self.assertNotIn(guard.group(1), seen, f"{path} and {seen.get(guard.group(1))} have one include guard")
                seen[guard.group(1)] = path

    def test_headers_compile_alone(self):
        for path in files("core/**/*.h"):
            with self.subTest(path):
                p = subprocess.run(CC + ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-fsyntax-only",
                                         *LEVEL, "-I", SOURCE, "-I", BUILD, "-x", "c", "-"], input=f'#include "{path}"\n', text=True, stderr=subprocess.PIPE)
                self.assertEqual(p.returncode, 0, p.stderr)


def circles(arrows):
    """Nodes from which a path leads back to themselves."""
    def reached(start):
        seen, todo = set(), list(arrows.get(start, ()))
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo += arrows.get(at, ())
        return seen
    return {node for node in arrows if node in reached(node)}


def objects():
    """{folder: {object: (defined, wanted)}} of the libraries, {"nn": {"unit": ...}}; the shortcuts are a folder too.  By the
    archives: beside them lie objects of files that are no more."""
    found = {}
    for archive in glob.glob(os.path.join(BUILD, "core/**/*.a"), recursive=True) + glob.glob(os.path.join(BUILD, "shortcuts/*.a")):
        folder = os.path.relpath(os.path.dirname(archive), BUILD)
        if not os.path.exists(os.path.join(SOURCE, folder, "meson.build")):
            continue
        p = subprocess.run(["nm", "--print-file-name", "--extern-only", "--format=posix", archive], cwd=os.path.dirname(archive), text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for member, name, kind in re.findall(r"(?m)\[(?:[^\]]*/)?([^\]/]+?)(?:\.c)?\.o\]: (\S+) (\S)\b", p.stdout):
            parts = found.setdefault(folder.removeprefix("core/"), {}).setdefault(member, (set(), set()))
            parts[kind in "Uw"].add(name)
    return found


class Circles(unittest.TestCase):
    """What includes do not show: who calls whom, by the symbols of the objects that were built."""
    @classmethod
    def setUpClass(cls):
        cls.folders = objects()

    def test_between_headers(self):
        arrows = {path: set(re.findall(r'(?m)^\s*#\s*include\s*"([^"]+)"', read(path))) for path in files("core/**/*.h")}
        self.assertEqual(circles(arrows), set())

    def test_between_files_of_a_folder(self):
        self.assertGreater(len(self.folders), 8)
        for folder, parts in self.folders.items():
            home = {name: part for part, (defined, _) in parts.items() for name in defined}
            arrows = {part: {home[n] for n in wanted if n in home} - {part} for part, (_, wanted) in parts.items()}
            with self.subTest(folder):
                self.assertEqual(circles(arrows), set())

    def test_between_folders(self):
        home = {name: folder for folder, parts in self.folders.items() for defined, _ in parts.values() for name in defined}
        for folder, parts in self.folders.items():
            may = set(MAY_INCLUDE.get(folder, ())) | MAY_CALL.get(folder, set()) | {folder}
            for part, (_, wanted) in parts.items():
                for name in wanted:
                    with self.subTest(f"{folder}/{part}", calls=name):
                        self.assertIn(home.get(name, folder), may)


    def test_what_is_exported_has_a_user(self):
        """... in another file of the program or the tests; else it is static, or goes."""
        loose = [f for f in glob.glob(os.path.join(BUILD, "**/*.o"), recursive=True) if "/core/cli/skiplab.p/" in f or "/tests/" in f]
        p = subprocess.run(["nm", "--undefined-only", "--format=posix", *loose], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        used = set(re.findall(r"(?m)^(\w+) [Uw]\b", p.stdout))
        for parts in self.folders.values():
            used = used.union(*(wanted for _, wanted in parts.values()))
        for folder, parts in self.folders.items():
            for part, (defined, _) in parts.items():
                with self.subTest(f"{folder}/{part}"):
                    self.assertEqual({name for name in defined if name.startswith("skl_")} - used, set())


class Lists(unittest.TestCase):
    def test_every_shortcut_is_listed(self):
        listed = re.findall(r"'([a-z0-9_]+)'", read("shortcuts/meson.build").split("shortcut_names = [")[1].split("]")[0])
        there = [os.path.basename(f)[:-2] for f in files("shortcuts/*.c")]
        self.assertEqual(sorted(listed), sorted(there), "shortcuts/meson.build and the files beside it")
        for name in there:
            self.assertIn(f"SKL_SHORTCUT({name})", read(f"shortcuts/{name}.c"))

    def test_every_source_is_built(self):
        for path in files("core/**/*.c"):
            folder, name = os.path.split(path)
            if folder == "core/cli" and name.startswith("cmd_"):
                words = read("core/cli/meson.build").replace("-", "_")
                self.assertIn(f"'{name[4:-2]}'", words, f"{path} is not among the words of core/cli/meson.build")
            elif not os.path.exists(os.path.join(SOURCE, folder, "meson.build")):
                self.fail(f"{folder} has no meson.build")
            else:
                self.assertIn(name, read(f"{folder}/meson.build"), path)

    def test_every_test_is_built(self):
        for path in files("tests/**/test_*.c"):
            stem = os.path.basename(path)[5:-2]
            built = re.search(rf"(test_)?{stem}\b", read(os.path.dirname(path) + "/meson.build"))
            self.assertTrue(built, f"{path} is not in the meson.build beside it")

    def test_links_in_documents_lead_somewhere(self):
        for path in files("*.md", "docs/**/*.md", "configs/*.md", "results/*.md", "tests/**/*.md", "shortcuts/**/*.md"):
            for target in re.findall(r"\]\(([^)#\s]+)", read(path)):
                if not re.match(r"[a-z]+:", target):
                    self.assertTrue(os.path.exists(os.path.join(SOURCE, os.path.dirname(path), target)), f"{path} links to {target}")

    def test_documents_name_what_is_there(self):
        """Paths, source files and words_with_underscores in back-ticks; capitals stand for something, as NAME does."""
        tree = {os.path.relpath(os.path.join(at, name), SOURCE) for top in ("core", "shortcuts", "tests", "docs", "configs", "plots")
                for at, _, names in os.walk(os.path.join(SOURCE, top)) for name in names + ["."]}
        names = {os.path.basename(path) for path in tree}
        words = set(re.findall(r"\w+", "".join(read(p) for p in C_FILES + files("core/**/*.cl", "core/**/*.def", "**/meson.build", "tests/**/*.py"))))
        for path in files("*.md", "docs/*.md", "tests/**/*.md"):
            for token in (t.strip(",;:.()") for span in re.findall(r"`([^`\n]+)`", read(path)) for t in span.split()):
                if re.search(r"[A-Z]{3}|[^\w/.()-]|^[./-]", token):
                    continue
                if re.match(r"(core|shortcuts|tests|docs|configs|plots)/", token):
                    found = token.rstrip("/") in tree
                elif re.fullmatch(r"[\w/]+/[\w-]+\.(c|h|cl|def)", token):     # docs/architecture.md: below core
                    found = any(p.endswith("/" + token) for p in tree)
                elif re.fullmatch(r"[\w-]+\.(c|h|cl|def|py)", token):
                    found = token in names or token == "skip_init.c"     # the tutorial writes it
                else:
                    found = not re.fullmatch(r"[a-z]\w*_\w+(\(.*)?", token) or token.split("(")[0] in words
                self.assertTrue(found, f"{path} names {token}, which is nowhere")


class Code(unittest.TestCase):
    def test_banned_calls(self):
        for path in C_FILES:
            for number, line in enumerate(code(read(path)).split("\n"), 1):
                for name in re.findall(r"(?<![\w>.])(" + "|".join(BANNED) + r")\s*\(", line):
                    if name in MAY_END.get(path, ()):
                        continue
                    self.fail(f"{path}:{number}: {name}() is not used here")

    def test_idioms_have_one_place(self):
        pattern = r"(?<![\w>.])(" + "|".join(ONE_PLACE) + r")\s*\("
        called = {(path, name) for path in C_FILES for name in re.findall(pattern, code(read(path)))}
        self.assertEqual(called, {(path, name) for name, paths in ONE_PLACE.items() for path in paths})

    def test_the_terminal_has_one_door(self):
        for path in files("core/**/*.[ch]"):
            for number, line in enumerate(code(read(path)).split("\n"), 1):
                for name in re.findall(TERMINAL, line):
                    if path not in MAY_NAME_A_STREAM:
                        self.fail(f"{path}:{number}: {name}: core/base/say.h has what prints")

    def test_the_file_system_has_one_door(self):
        called = {path: set() for path in FILE_OWNERS}
        for path in C_FILES:
            text = read(path)
            lines = text.split("\n")
            for number, line in enumerate(code(text).split("\n"), 1):
                for match in re.finditer(r"(?<![\w>.])(" + "|".join(FILES) + r")\s*\(", line):
                    allowed = FILE_OWNERS.get(path, set())
                    called.setdefault(path, set()).add(match.group(1))
                    if not allowed & {"*", match.group(1)} and not re.match(SYSTEM, lines[number - 1][match.end() - 1:]):
                        self.fail(f"{path}:{number}: {match.group(1)}(): core/base/fs.h and place.h have what looks at files")
        for path, names in FILE_OWNERS.items():
            self.assertLessEqual(names - {"*"}, called[path], f"{path} no longer calls all that the table lets it")

    def test_no_unsafe_arithmetic(self):
        for path in files("**/meson.build", "meson_options.txt", "dev"):
            self.assertNotRegex(re.sub("#.*", "", read(path)), r"-ffast-math|-Ofast|-funsafe-math|-fassociative-math|-ffinite-math|-ffp-contract=(fast|on)", path)
        for path in C_FILES:
            self.assertNotRegex(read(path), r"fast-math|Ofast|pragma.*(associative|fp_contract)", path)

    def test_a_public_type_is_one_thing(self):
        """Two rooms do not call different things skl_x; a device's memory is its own."""
        seen = {"struct skl_memory": None}
        for path in C_FILES:
            for kind, name in re.findall(r"(?m)^(struct|enum|union) (skl_\w+) \{", code(read(path))):
                if seen.setdefault(f"{kind} {name}", path):
                    self.assertEqual(seen[f"{kind} {name}"], path, f"{kind} {name}")

    def test_plain_text(self):
        for path in ALL_C + files("**/meson.build", "**/*.py", "configs/*.yaml", "**/*.gp", "*.md", "docs/*.md", "dev", ".ci/run"):
            text = read(path)
            self.assertTrue(text == "" or text.endswith("\n"), f"{path} does not end with a line feed")
            for number, line in enumerate(text.split("\n"), 1):
                self.assertNotRegex(line, r"\t|\r|[ ]$", f"{path}:{number}: tab, carriage return or blanks at the end")

    def test_lines_are_short(self):
        for path in ALL_C + files("**/*.cl"):
            wide = [f"{path}:{number}" for number, line in enumerate(read(path).split("\n"), 1) if len(line) > 120]
            self.assertEqual(wide, [])

    def test_files_are_short(self):
        for path in C_FILES:      # kernels: one algorithm stays in one file
            self.assertLessEqual(read(path).count("\n"), 800 if path.startswith("core/device/cpu/kernels/") else 600, path)

    def test_functions_are_short(self):
        for path in C_FILES:
            lines = read(path).split("\n")
            start = None
            for number, line in enumerate(lines, 1):
                if line == "{":
                    start = number
                elif line == "}" and start:
                    if not path.startswith("core/device/cpu/kernels/"):      # hot loops may be longer and say why
                        self.assertLessEqual(number - start, 50, f"{path}:{start}: a function of {number - start} lines")
                    start = None

    def test_public_names_have_the_prefix(self):
        """... but those a folder keeps for itself, declared in its internal.h (hidden from plug-ins)."""
        archives = sorted(glob.glob(os.path.join(BUILD, "core/**/*.a"), recursive=True) + glob.glob(os.path.join(BUILD, "shortcuts/*.a")))
        self.assertTrue(archives)
        for archive in archives:
            own = os.path.join(os.path.dirname(os.path.relpath(archive, BUILD)), "internal.h")
            internal = set(re.findall(r"\w+", code(read(own)))) if os.path.exists(os.path.join(SOURCE, own)) else set()
            p = subprocess.run(["nm", "--defined-only", "--extern-only", "--format=posix", os.path.basename(archive)], cwd=os.path.dirname(archive),
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            names = [line.split()[0] for line in p.stdout.split("\n") if len(line.split()) > 2]
            wrong = [n for n in names if not n.startswith(("skl_", "__", "_GLOBAL_")) and n not in internal]
            self.assertEqual(wrong, [], archive)


unittest.main(verbosity=2, argv=[sys.argv[0]])
