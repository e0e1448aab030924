"""skiplab watch on a terminal of its own."""
import errno
import fcntl
import pty
import select
import struct
import termios

from skl import *

COLUMNS, ROWS = 100, 34
CODES = re.compile(r"\033\[(?:[?0-9;]*[a-zA-Z])")
LEFT = "\033[?7h\033[?25h\033[?1049l"      # what gives the screen back


class Terminal:
    """A terminal of its own whose session the command leads, as after a login."""

    def __init__(self, case, *args, columns=COLUMNS, rows=ROWS, **env):
        try:
            self.parent, self.child = pty.openpty()
        except OSError as e:        # a container without devpts
            case.skipTest(f"no terminal to be had here: {e}")
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.child)
        os.makedirs(case.path("tmp"), exist_ok=True)
        self.process = subprocess.Popen([PROGRAM, "watch", *args], cwd=case.dir, stdin=self.child, stdout=self.child, stderr=self.child,
                                        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
                                        env={**os.environ, "TERM": "xterm", "TMPDIR": case.path("tmp"), **env})
        self.written = b""
        case.addCleanup(self.close)

    def resize(self, columns, rows):
        fcntl.ioctl(self.child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.parent, keys.encode())

    def read(self):
        while select.select([self.parent], [], [], 0.02)[0]:
            try:
                self.written += os.read(self.parent, 1 << 16)
            except OSError as e:
                assert e.errno == errno.EIO
                break
        return self.written.decode(errors="replace")

    def page(self):
        """The page that stands there."""
        return CODES.sub("", self.read().rsplit("\033[H", 1)[-1].split(LEFT)[0]).replace("\r", "")

    def wait_for(self, pattern):
        return wait_until(lambda: re.search(pattern, self.page()), 30)

    def end(self, seconds=20):
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.read()
        status = self.process.wait(1)
        self.read()
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.parent, self.child):
            try:
                os.close(fd)
            except OSError:
                pass
