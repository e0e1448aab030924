#include "core/base/footprint.h"

#include <fcntl.h>
#include <fenv.h>
#include <langinfo.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/err.h"

enum { DESCRIPTORS = 256, SIGNALS = 65, LIMITS = 16, LOCALES = 6 };

struct skl_footprint {
    struct {
        int flags; /* -1: closed */
        dev_t device;
        ino_t file;
    } descriptor[DESCRIPTORS];
    struct sigaction action[SIGNALS];
    sigset_t mask;
    bool timer;
    dev_t device;
    ino_t folder;
    mode_t umask;
    uint64_t environment; /* a hash of its strings */
    char locale[LOCALES][64];
    bool own_locale;
    int rounding, exceptions;
    float denormal, product; /* what becomes of a denormal number, read and made */
    struct rlimit limit[LIMITS];
    cpu_set_t cpus;
    int nice;
    bool children; /* processes that were started here and still run */
};

static const int categories[LOCALES] = {LC_CTYPE, LC_NUMERIC, LC_TIME, LC_COLLATE, LC_MONETARY, LC_MESSAGES};

static uint64_t hash_environment(void)
{
    uint64_t hash = 14695981039346656037u;
    for (char **variable = environ; variable && *variable; variable++)
        for (const char *p = *variable;; p++) {
            hash = (hash ^ (unsigned char)*p) * 1099511628211u;
            if (!*p) break;
        }
    return hash;
}

static void take_files(struct skl_footprint *f)
{
    struct stat st;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        f->descriptor[fd].flags = fcntl(fd, F_GETFD) < 0 ? -1 : fcntl(fd, F_GETFL);
        if (f->descriptor[fd].flags < 0 || fstat(fd, &st)) continue;
        f->descriptor[fd].device = st.st_dev, f->descriptor[fd].file = st.st_ino;
    }
    if (!stat(".", &st)) f->device = st.st_dev, f->folder = st.st_ino;
    f->umask = umask(0);
    umask(f->umask);
}

static void take_signals(struct skl_footprint *f)
{
    for (int i = 1; i < SIGNALS; i++) sigaction(i, NULL, &f->action[i]);
    sigprocmask(SIG_SETMASK, NULL, &f->mask);
    struct itimerval timer;
    f->timer = !getitimer(ITIMER_REAL, &timer) && timerisset(&timer.it_value);
}

/* By what comes out, so that it is right on any CPU. */
static void take_arithmetic(struct skl_footprint *f)
{
    volatile float tiny = 1e-40f, smallest = 0x1p-126f, half = 0.5f;
    f->rounding = fegetround();
    f->exceptions = fegetexcept();
    f->denormal = tiny * 0x1p60f;
    f->product = smallest * half;
    f->product *= 0x1p60f;
}

struct skl_footprint *skl_footprint_take(void)
{
    struct skl_footprint *f = skl_alloc(sizeof *f);
    take_files(f), take_signals(f), take_arithmetic(f);
    f->environment = hash_environment();
    for (int i = 0; i < LOCALES; i++)
        snprintf(f->locale[i], sizeof f->locale[i], "%s", nl_langinfo(NL_LOCALE_NAME(categories[i])));
    f->own_locale = uselocale((locale_t)0) != LC_GLOBAL_LOCALE;
    for (int i = 0; i < LIMITS && i < RLIM_NLIMITS; i++) getrlimit(i, &f->limit[i]);
    sched_getaffinity(0, sizeof f->cpus, &f->cpus);
    f->nice = getpriority(PRIO_PROCESS, 0);
    siginfo_t child = {0};
    f->children = !waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT | __WALL);
    return f;
}

/* ---- comparing ---- */
static bool same_descriptor(const struct skl_footprint *a, const struct skl_footprint *b, int fd)
{
    return a->descriptor[fd].flags == b->descriptor[fd].flags && a->descriptor[fd].device == b->descriptor[fd].device &&
           a->descriptor[fd].file == b->descriptor[fd].file;
}

/* A descriptor that was not there before may be: a library keeps a file open. */
static const char *changed_file(const struct skl_footprint *a, const struct skl_footprint *b)
{
    static char text[40];
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (a->descriptor[fd].flags < 0 || same_descriptor(a, b, fd)) continue;
        snprintf(text, sizeof text, "descriptor %d", fd);
        return text;
    }
    if (a->device != b->device || a->folder != b->folder) return "the working folder";
    return a->umask != b->umask ? "the umask" : NULL;
}

static const char *changed_signal(const struct skl_footprint *a, const struct skl_footprint *b)
{
    static char text[80];
    for (int i = 1; i < SIGNALS; i++) {
        if (a->action[i].sa_handler == b->action[i].sa_handler && a->action[i].sa_flags == b->action[i].sa_flags)
            continue;
        snprintf(text, sizeof text, "how signal %d (%s) is handled", i, strsignal(i));
        return text;
    }
    for (int i = 1; i < SIGNALS; i++)
        if (sigismember(&a->mask, i) != sigismember(&b->mask, i)) return "the signals that are blocked";
    return a->timer != b->timer ? "the timer of signal 14 (alarm)" : NULL;
}

static const char *changed_arithmetic(const struct skl_footprint *a, const struct skl_footprint *b)
{
    if (a->rounding != b->rounding) return "the rounding of numbers";
    if (a->exceptions != b->exceptions) return "which arithmetic raises SIGFPE";
    if (a->denormal == b->denormal && a->product == b->product) return NULL;
    return "what becomes of denormal numbers (link it with no option that makes arithmetic inexact)";
}

static const char *changed_rest(const struct skl_footprint *a, const struct skl_footprint *b)
{
    if (a->environment != b->environment) return "the environment";
    if (memcmp(a->locale, b->locale, sizeof a->locale) || a->own_locale != b->own_locale) return "the locale";
    if (memcmp(a->limit, b->limit, sizeof a->limit)) return "a resource limit";
    if (!CPU_EQUAL(&a->cpus, &b->cpus)) return "the CPUs this process may use";
    if (!a->children && b->children) return "a process that it has started";
    return a->nice != b->nice ? "the process's priority" : NULL;
}

const char *skl_footprint_changed(struct skl_footprint *before)
{
    struct skl_footprint *after = skl_footprint_take();
    const char *changed = changed_file(before, after);
    if (!changed) changed = changed_signal(before, after);
    if (!changed) changed = changed_arithmetic(before, after);
    if (!changed) changed = changed_rest(before, after);
    free(before);
    free(after);
    return changed;
}
