#include "core/watch/screen.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/base/surroundings.h"

enum { PIECE = 512 }; /* of a page, between looks for signals */

/* Another screen, no cursor, no new line at the right edge; and back. */
static const char enter_codes[] = "\033[?1049h\033[?25l\033[?7l", leave_codes[] = "\033[?7h\033[?25h\033[?1049l";
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

static volatile sig_atomic_t ended_by, resized, stopped, entered, gone;
static struct termios before;
static bool has_keys; /* stdin is a terminal */
static sigset_t caught, let_in;

bool skl_screen_possible(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb");
}

/* Safe in a handler. */
void skl_screen_leave(void)
{
    if (!entered) return;
    entered = 0;
    if (write(STDOUT_FILENO, leave_codes, sizeof leave_codes - 1) < 0) gone = 1;
    if (has_keys) tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void on_signal(int sig)
{
    if (sig == SIGWINCH)
        resized = 1;
    else if (sig == SIGTSTP)
        stopped = 1;
    else
        ended_by = sig;
}

static void on_fault(int sig)
{
    skl_screen_leave();
    signal(sig, SIG_DFL);
    raise(sig);
}

static void catch (int sig, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    if (skl_signal_ignored(sig)) return; /* HUP under nohup */
    sigaction(sig, &action, NULL);
    if (handler == on_signal) sigaddset(&caught, sig);
}

static void take_signals(void)
{
    sigset_t ends;
    skl_ending_signals(&ends);
    sigemptyset(&caught);
    for (int sig = 1; sig < NSIG; sig++)
        if (sigismember(&ends, sig) == 1) catch (sig, on_signal);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) catch (faults[i], on_fault);
    catch (SIGWINCH, on_signal);
    catch (SIGTSTP, on_signal);
    sigprocmask(SIG_BLOCK, &caught, &let_in);
}

static void take_terminal(void)
{
    has_keys = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &before);
    entered = 1;
    if (has_keys) {
        struct termios keys = before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VMIN] = 1;
        keys.c_cc[VTIME] = 0;
        while (tcsetattr(STDIN_FILENO, TCSANOW, &keys) && errno == EINTR) continue;
    }
    if (write(STDOUT_FILENO, enter_codes, sizeof enter_codes - 1) < 0) gone = 1;
}

void skl_screen_enter(void)
{
    take_signals();
    skl_die_first(skl_screen_leave);
    take_terminal();
}

void skl_screen_size(int *columns, int *rows)
{
    struct winsize w;
    const bool known = !ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_col > 0 && w.ws_row > 0;
    *columns = known ? w.ws_col : 80;
    *rows = known ? w.ws_row : 24;
}

/* A terminal that nobody reads takes nothing more: whoever waits for it must hear of signals. */
static bool put(const char *text, size_t n)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    while (n && !ended_by) {
        if (ppoll(&out, 1, NULL, &let_in) < 0 && errno != EINTR) return false;
        if (!(out.revents & POLLOUT)) {
            if (out.revents) return false;
            continue;
        }
        ssize_t put = write(STDOUT_FILENO, text, n < PIECE ? n : PIECE);
        if (put < 0 && errno != EINTR && errno != EAGAIN) return false;
        if (put > 0) text += put, n -= (size_t)put;
    }
    return !n;
}

bool skl_screen_show(const char *page, size_t n)
{
    if (!put("\033[H", 3)) gone = !ended_by;
    for (const char *line = page; line < page + n && !gone && !ended_by;) {
        const char *end = memchr(line, '\n', (size_t)(page + n - line));
        const bool last = end + 1 == page + n; /* a line feed there would scroll */
        gone = (!put(line, (size_t)(end - line)) || !put("\033[K\r\n", last ? 3 : 5)) && !ended_by;
        line = end + 1;
    }
    if (!gone && !ended_by && !put("\033[J", 3)) gone = !ended_by;
    return !gone && !ended_by;
}

/* Ctrl-Z: whoever gets the terminal meanwhile finds it as it was. */
static void stop(void)
{
    stopped = 0;
    skl_screen_leave();
    kill(getpid(), SIGSTOP);
    take_terminal();
}

/* What was typed and not yet asked for: keys come faster than pages. */
static char typed[64];
static size_t typed_n;

static void read_keys(void)
{
    ssize_t n = read(STDIN_FILENO, typed + typed_n, sizeof typed - typed_n);
    if (n > 0) typed_n += (size_t)n;
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) gone = 1;
}

static enum skl_event next_key(char *key)
{
    static const struct {
        const char *code;
        enum skl_event event;
    } codes[] = {{"\033[A", SKL_EVENT_UP},   {"\033OA", SKL_EVENT_UP},       {"\033[B", SKL_EVENT_DOWN},
                 {"\033OB", SKL_EVENT_DOWN}, {"\033[5~", SKL_EVENT_PAGE_UP}, {"\033[6~", SKL_EVENT_PAGE_DOWN},
                 {"k", SKL_EVENT_UP},        {"j", SKL_EVENT_DOWN},          {"b", SKL_EVENT_PAGE_UP},
                 {" ", SKL_EVENT_PAGE_DOWN}};
    enum skl_event event = SKL_EVENT_KEY;
    size_t n = 1;
    *key = *typed;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const size_t length = strlen(codes[i].code);
        if (typed_n < length || memcmp(typed, codes[i].code, length)) continue;
        event = codes[i].event, n = length;
    }
    memmove(typed, typed + n, typed_n -= n);
    return event;
}

bool skl_screen_typed(void) { return typed_n; }

enum skl_event skl_screen_wait(double seconds, char *key)
{
    struct pollfd in = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
    struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)(1e9 * fmod(seconds, 1))};
    *key = 0;
    if (ended_by || gone) return SKL_EVENT_ENDED;
    if (typed_n) return next_key(key);
    if (ppoll(&in, 1, &time, &let_in) > 0) read_keys();
    if (ended_by || gone) return SKL_EVENT_ENDED;
    if (stopped) {
        stop();
        return SKL_EVENT_RESIZED;
    }
    if (resized) {
        resized = 0;
        return SKL_EVENT_RESIZED;
    }
    return typed_n ? next_key(key) : SKL_EVENT_NONE;
}

int skl_screen_signal(void) { return ended_by; }

void skl_screen_end_by_signal(void)
{
    skl_screen_leave();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, ended_by);
    signal(ended_by, SIG_DFL);
    raise(ended_by);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
