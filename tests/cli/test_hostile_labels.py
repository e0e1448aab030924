"""Labels that would like to be commands, markup or paths: all that the program and its children start and write, seen by strace."""
import csv
import html.parser

from skl import *

CONFIG = """name: t
label: {label}
model: {{depth: 8, width: 4}}
data: {{dataset: synthetic, synthetic: {{train: 64, test: 32, size: 8, channels: 3, classes: 4}}}}
train: {{iterations: 3, batch: 16, log_every: 1, test_every: 3}}
variants:
  - name: a
  - {{name: b, set: {{model.shortcut: {{type: dropout}}}}}}
"""
CALLS = "execve,execveat,open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat," \
        "symlink,symlinkat,truncate,chmod,fchmodat,connect,bind"


LABELS = (        # short: the middle of a long title is left out
    "`touch pwned` $(touch pwned); touch pwned | touch pwned & > pwned",
    "'; system('touch pwned'); set print 'pwned'; print '",
    "'''; system(''touch pwned''); '''",
    '"; system("touch pwned"); !touch pwned',
    "\\'; system(\"touch pwned\") #",
    "<script>alert(1)</script><img src=x onerror=alert(1)> &lt; {/Symbol a} _^@{}",
    "\\input{/etc/passwd} $x$ %s%n | touch pwned",
    "=cmd|'touch pwned'!A0,\"x\"",
    "-rf ../../x /abs ~/x \u202etxt.exe\u202c",
    "x" * 10000,
    "",
)


def can_trace():
    return shutil.which("strace") and subprocess.run(["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode == 0


class Text(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attributes), attributes

    def handle_data(self, data):
        self.text += data


@unittest.skipIf(SANITIZED, "the leak sanitizer and strace exclude each other")
@unittest.skipUnless(shutil.which("gnuplot") and can_trace(), "wants gnuplot and strace")
class HostileLabels(Case):
    def traced(self, *words):
        """Runs the program; no other program but itself, gnuplot and fc-list is started, nothing outside results/ is changed."""
        command = ["strace", "-f", "-qq", "-s", "4096", "-o", self.path("trace"), "-e", "trace=" + CALLS, PROGRAM, *words]
        done = subprocess.run(command, cwd=self.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("trace"), errors="replace") as f:
            calls = re.findall(r'(?m)^\d+ +([a-z0-9]+)\((.*)', f.read())
        self.assertGreater(len(calls), 20)
        for call, words in calls:
            paths = re.findall(r'"((?:[^"\\]|\\.)*)"', words)
            if call.startswith("execve"):
                self.assertIn(os.path.basename(paths[0]), (os.path.basename(PROGRAM), "exe", "gnuplot", "fc-list"), words)
            elif not call.startswith("open") or re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", words):
                self.assertNotIn(call, ("connect", "bind"), words)
                for path in paths:
                    self.assertNotIn("..", path.split("/"), words)
                    inside = not path.startswith("/") or path.startswith(os.path.realpath(self.path("results")) + "/")
                    self.assertTrue(inside or path.startswith(("/dev/", "/proc/")) or "fontconfig" in path, words)
        os.remove(self.path("trace"))

    def test_a_label_is_text(self):
        for label in LABELS:
            with self.subTest(label[:40]):
                self.write("x.yaml", CONFIG.format(label='"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"'))
                self.traced("sweep", "x.yaml", "--jobs", "2")
                self.traced("report", "results/t")
                self.assertEqual(sorted(os.listdir(self.dir)), ["results", "x.yaml"])
                page = Text(self.read("results/t/report.html"))
                self.assertFalse({"script", "link", "iframe", "object"} & set(page.tags))
                self.assertGreaterEqual(page.tags.count("img"), 2)
                self.assertEqual(page.tags.count("img"), self.read("results/t/report.html").count("data:image/svg+xml;base64,"))
                self.assertIn("TITLE = '" + label[:20].replace("'", "'.\"'\".'"), self.read("results/t/figures/test-error.gp"))
                self.assertIn(label[:20], page.text)
                with open(self.path("results/t/summary.csv"), newline="") as f:
                    self.assertEqual([row["variant"] for row in csv.DictReader(f)], ["a", "b"])


main()
