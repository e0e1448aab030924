"""Malformed experiment files through the whole program: exit code 2, one line with file, line and column, fast, in little memory,
and nothing made.  The table below makes some hundred of them."""
import socket
import sys

from skl import *

SECONDS, MEGABYTES = 0.1, 400 if SANITIZED else 32      # CPU time and memory of one refusal
GOOD = """name: t
model: {depth: 8, width: 4}
data:
  dataset: synthetic
  synthetic: {train: 64, test: 32, size: 16, channels: 3, classes: 4}
train: {iterations: 3, batch: 16, log_every: 1, test_every: 3}
"""


def in_value(values):
    return [f"name: t\nlabel: {v}\n" for v in values]


def bytes_that_are_no_text():
    for control in [*range(9), 11, 12, *range(14, 32), 127]:
        yield b"name: t\nlabel: a" + bytes([control]) + b"\n"
    for broken in (b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc3", b"\xc3(", b"\xe0\x80\x80", b"\xe2\x82", b"\xe2(\xa1", b"\xed\xa0\x80",
                   b"\xed\xbf\xbf", b"\xf0\x80\x80\x80", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff"):
        yield b"name: t\nlabel: " + broken + b"\n"
        yield b"name: t\n" + broken + b": 1\n"
    yield GOOD.encode("utf-16")
    yield GOOD.encode("utf-16-le")
    yield GOOD.encode("utf-16-be")
    yield GOOD.encode("utf-32")
    yield GOOD.encode() + b"\0"
    yield b"\0" * 1000
    yield b"\x7fELF\x02\x01\x01" + bytes(100)
    yield b"\x1f\x8b\x08\x00" + bytes(range(200))
    yield b"PK\x03\x04" + bytes(100)
    yield b"%PDF-1.5\n\xd0\xd4\n"
    yield bytes(range(256)) * 16


def nothing_there():
    yield from ("", "\n", " ", "\n\n \n", "# a comment\n", "---\n", "---\n...\n", "\ufeff", "\ufeff# a comment", "%YAML 1.1\n---\n", "~\n", "null\n", "''\n",
                '""\n', "{}x", "[]\n", "- a\n", "20\n", "text\n", "|\n  text\n", ">\n  text\n", "true\n", "\r", "\r\n\r\n")


def unclosed_and_stray():
    yield from in_value(("[", "]", "{", "}", "[1", "{a", "{a: 1", "[1}", "{a: 1]", "[1]]", "{a: 1}}", "'", '"', "'x", '"x', "'x' y", '"x" y', "[,]", "{,}", "[1,,2]",
                         "[a: {]}", '"\\q"', '"\\x4"', '"\\u12"', '"\\ud800"', '"\\U00110000"', '"\\', "@x", "`x`", "%x", "a: b", "a: b: c", "- a", "? a", "|x", "|0\n  x", "|99\n x",
                         ">-+\n  x", "'a\nb: 1", "[a, b\nc: 1", "{a: b\nc: 1", ": x", ", x", "[1] x", "{a: 1} x", "a\nb", "x\n  y: z", '"\\0"', "[[[", "{{{", "[{", "{[", "[{[{["))
    yield from ("name\n", "name t\n", "name:t\n", ":\n", ": t\n", "'': t\n", "? [a]\n: b\n", "[a]: b\n", "{a: b}: c\n", "? {a: b}\n: c\n", "%FOO\n", "%YAML 9.9\n---\nname: t\n",
                "%TAG ! x\n", "name: t\n...\nmore: x\n", "- name: t\nmodel: {}\n", "name: t\n- x\n", "}\n", "]\n", "{name: t\n", "[name: t\n", "{name: t}}\n", "{name: t, , }\n", "{: t}\n")


def indentation():
    yield from ("\tname: t\n", "model:\n\tdepth: 8\n", "model:\n  depth: 8\n\twidth: 4\n", "model:\n \t depth: 8\n", "model:\n  depth: 8\n width: 4\n", "model:\n    depth: 8\n  width: 4\n",
                " name: t\nmodel: {}\n", "name: t\n  model: {}\n", "name: t\n model: {}\n", "variants:\n- name: a\n set: {}\n", "variants:\n  - name: a\n - name: b\n",
                "variants:\n  - name: a\n      set: {}\n", "model: {depth: 8\n}\n x: 1\n", "seeds:\n- 1\n\t- 2\n", "seeds: [1,\n2\n", "label: |\n  a\n b\n", "label: 'a\n  b\nname: t\n")


def left_out_of_the_language():
    for feature in ("&x 1", "&x", "*x", "&x [1]", "&x {a: 1}", "!x 1", "!!str x", "!!int 1", "!!binary aGk=", "!!python/object:os.system x", "!!python/object/apply:os.system ['id']",
                    "!<tag:yaml.org,2002:str> x", "!", "! x", "!!set {a}", "!!timestamp 2001-01-01", "!ruby/object:Gem x", "&x !!str y", "!!float 1", "!!null ''"):
        yield f"name: t\nlabel: {feature}\n"
        yield f"name: t\nmodel: {{depth: {feature}}}\n"
        yield f"name: t\nseeds: [{feature}]\n"
    yield from ("<<: {name: t}\n", "name: t\n<<: *a\n", "model: {<<: {depth: 8}}\n", "a: &a [*a]\n", "&a name: t\n", "*a : t\n", "a: &a {b: *a}\n", "!!map {name: t}\n", "name: t\n---\nname: u\n",
                "---\n---\n", "name: t\n--- x\n", "name: t\n...\n---\n")
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    yield bomb + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))


def doubled():
    yield from ("name: t\nname: u\n", "name: t\n'name': u\n", 'name: t\n"name": u\n', "model: {depth: 8, depth: 8}\n", "model: {depth: 8}\nmodel: {width: 4}\n", "model: {depth: 8}\nmodel.depth: 8\n",
                "model.depth: 8\nmodel: {depth: 20}\n", "data: {synthetic: {train: 9}, synthetic.train: 9}\n", "variants:\n- {name: a, name: b}\n", "variants:\n- name: a\n  set: {train.lr: 1, train: {lr: 2}}\n",
                '"na\\x6de": t\nname: u\n', "".join(f"k{i % 7000}: 1\n" for i in range(8000)))


def numbers():
    for v in ("1e3", "1.0", "8.", "0x8", "0o10", "010", "0b1000", "1_000", "1,000", "1 000", "8a", "eight", "--8", "+-8", "-8", "-0", "0", "''", "'8'", "~", "null", ".inf", "-.inf", ".nan", "1e999", "-1e999",
              "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809", "1" * 400, "8" + "0" * 5000, "1:30", "[8]", "{n: 8}", "true", "", "٨", "８", "1/2", "8%", "1e", "Infinity"):
        yield f"name: t\nmodel: {{depth: {v}}}\n"
    for v in ("0x1p3", "1d5", "1e", "1e+", ".", "-", "e5", "1..2", "1.2.3", "0.1.", "0,1", "1_0.5", "nan", "NaN", "inf", "-inf", "1e309", "01.5", "'0.1'", '"0.1"', "~", "[0.1]", "{a: 0.1}", "0.1f", "50%", "", "true", "-0.1",
              "1001", "1" * 400, "0." + "9" * 400 + "x", "1e-5x", "+ 1", "190:20:30.15"):
        yield f"name: t\ntrain: {{lr: {v}}}\n"
    for v in ("yes", "no", "on", "off", "Yes", "NO", "On", "OFF", "y", "n", "True", "TRUE", "False", "FALSE", "1", "0", "'true'", '"false"', "t", "~", "", "[true]", "{a: true}", "tru", "truee"):
        yield f"name: t\ndata: {{shuffle: {v}}}\n"


def names():
    for v in ("../x", "/abs", "~", "'~'", ".", "..", "a/b", "a\\b", "'a b'", "'a\tb'", '"a\\nb"', "-rf", "$(id)", "'`id`'", "'a;b'", "'a|b'", "'<script>'", "'a\"b'", "\"a'b\"", "ä", "'\u202ea'", "a" * 65, "a" * 10000, "''", "=cmd()",
              "'%s'", "'{/Symbol a}'", "[a]", "{a: b}", "'a*'", "a:b", "_a", ".a", "'\U0001f600'", "a%00b"):
        yield f"name: {v}\nmodel: {{}}\n"
        yield f"name: t\nvariants:\n- name: {v}\n"
        yield f"name: t\nbaseline: {v}\nmodel: {{}}\n"


def too_much():
    yield "[" * 100000
    yield "name: " + "[" * 100000
    yield "{a: " * 100000
    yield "- " * 100000
    yield "? " * 100000
    yield "a:\n" + "".join(" " * i + "a:\n" for i in range(1, 1000))
    yield "[" * 100000 + "]" * 100000
    yield "name: t\nlabel: " + "x" * (1 << 20) + "\n"
    yield "name: t\nseeds: [" + "1," * 60000 + "]\n"
    yield "# " + "x" * (1 << 20) + "\nname: t\n"
    yield "".join(f"k{i}: 1\n" for i in range(60000))
    yield "name: t\nseeds: 1001\n"
    yield "name: t\nseeds: [" + ", ".join(map(str, range(1001))) + "]\n"
    yield "name: t\nseeds: 1000\ngrid: {train.batch: [" + ", ".join(map(str, range(1, 22))) + "]}\n"
    axes = "data.augment.pad data.validation train.batch train.iterations train.log_every train.test_every train.checkpoint_every probe.every give_up.iteration".split()
    yield "name: t\ngrid: {" + ", ".join(f"{a}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]" for a in axes) + "}\n"
    yield "name: t\nvariants:\n" + "".join(f"- name: v{i}\n" for i in range(20001))
    grid = "name: t\ngrid: {train.batch: [" + ", ".join(map(str, range(1, 101))) + "], train.iterations: [" + ", ".join(map(str, range(1, 101))) + "]}\n"
    yield grid + "exclude: [" + ", ".join(f"{{train.lr: {i}}}" for i in range(15000)) + "]\n"
    yield grid + "paper: {" + ", ".join(f"a{i}: 1" for i in range(20000)) + "}\n"
    yield grid + "zip: {" + ", ".join(f"paper.a{i}: [1]" for i in range(10000)) + "}\n"
    yield "name: t\nvariants:\n- name: a\n  set: {" + ", ".join(f"model.shortcut.a{i}: 1" for i in range(20000)) + "}\n"
    yield "name: t\nlabel: '" + "''" * 400000
    yield 'name: t\nlabel: "' + "\\n" * 400000
    yield "name: t\nlabel: {" + "a: [" * 10000
    yield "x" * 1000000
    yield "\n" * 1000000
    yield "%" * 1000000
    yield "name: t\n" + "x" * 100000 + ": 1\n"
    yield "name: t\nmodel: {depth: " + "9" * 100000 + "}\n"


def all_files():
    """One by one: a child's memory begins as its parent's, so this program has to stay small."""
    groups = (bytes_that_are_no_text, nothing_there, unclosed_and_stray, indentation, left_out_of_the_language, doubled, numbers, names, too_much)
    for group in groups:
        for i, text in enumerate(group()):
            yield f"{group.__name__} {i}", text if isinstance(text, bytes) else text.encode()


class HostileFiles(Case):
    def setUp(self):
        super().setUp()
        self.longest = 0

    def tearDown(self):
        self.took("longest", self.longest, SECONDS)

    def refusal(self, name, *more):
        """Runs the program, which must refuse the file within its limits; its message."""
        r, w = os.pipe()
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0), (os.POSIX_SPAWN_DUP2, w, 2)]
        pid = os.posix_spawn(PROGRAM, [PROGRAM, "sweep", name, *more], {**os.environ, "OPENBLAS_NUM_THREADS": "1"}, file_actions=actions)
        os.close(w)
        with os.fdopen(r, "rb") as f:
            message = f.read()
        _, status, used = os.wait4(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 2, message)
        self.longest = max(self.longest, used.ru_utime + used.ru_stime)
        self.assertLess(used.ru_maxrss / 1024, MEGABYTES)
        self.assertRegex(message, rb"\Askiplab: [^\n]+\n\Z")
        self.assertNotRegex(message, rb"[\x00-\x09\x0b-\x1f\x7f]")
        return message

    def test_every_malformed_file(self):
        os.chdir(self.dir)
        seen = set()
        for what, text in all_files():
            seen.add(hash(text))
            with self.subTest(what, text=text[:80]):
                with open("x.yaml", "wb") as f:
                    f.write(text)
                message = self.refusal("x.yaml")
                if len(text) <= 1 << 20:
                    self.assertRegex(message, rb"\Askiplab: x\.yaml:\d+:\d+: ")
                    line = int(message.split(b":")[2])
                    self.assertLessEqual(line, text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n") + 2)
                self.assertEqual(os.listdir("."), ["x.yaml"])
        print(len(seen), "different files", file=sys.stderr)
        self.assertGreaterEqual(len(seen), 300)

    def test_what_is_no_file(self):
        os.chdir(self.dir)
        os.mkdir("folder")
        os.mkfifo("fifo")
        s = socket.socket(socket.AF_UNIX)
        s.bind("socket")
        os.symlink("loop", "loop")
        os.symlink("/dev/zero", "link")
        before = sorted(os.listdir("."))
        for name in ("folder", "fifo", "socket", "loop", "link", "absent", "", "/dev/zero", "/dev/null", "/dev/full", "/proc/self/mem", "a" * 300, "folder/x", "x\ny", "fifo/x"):
            with self.subTest(name):
                self.refusal(name)
        s.close()
        self.assertEqual(sorted(os.listdir(".")), before)

    def test_included_files_are_judged_alike(self):
        os.chdir(self.dir)
        for name in ("x.yaml", "/dev/zero", "fifo", ".", "b.yaml", "/proc/self/environ", "big"):
            with self.subTest(name):
                self.write("x.yaml", f"include: {name}\n")
                self.write("b.yaml", "name: t\n\tx: 1\n")
                self.write("big", "#" * 2000000)
                if not os.path.exists("fifo"):
                    os.mkfifo("fifo")
                self.refusal("x.yaml")

    def test_hostile_overrides(self):
        os.chdir(self.dir)
        self.write("x.yaml", GOOD)
        self.skiplab("sweep", "x.yaml", "--dry-run").check_returncode()
        for word in ("=", "=x", "x=", "train=", ".=1", "train..lr=1", "train.lr.=1", ".train.lr=1", "train.lr=[", "train.lr=&a 1", "train.lr=*a", "train.lr=!!int 1", "train.lr=1\n2", "train.lr=" + "[" * 100000,
                     "train.lr=\x01", "train.lr=nan", "train.lr=1e999", "x" * 100000 + "=1", "include=/etc/passwd", "plugins=[./x.so]", "name=../x", "name=a/b", "variants=[{name: ..}]", "seeds=[]", "train.lr=1, 2",
                     "data.path[0]=x", "grid={train.lr: []}", "model.shortcut={type: ../x.so}", "train.lr=" + "9" * 100000, "<<=x", "train.<<=x", "train={lr: 1, lr: 2}", "train.lr:1"):
            with self.subTest(word[:80]):
                self.refusal("x.yaml", word)
        self.assertEqual(os.listdir("."), ["x.yaml"])


main()
