/* The list of checks, and how one is run: in a child process that writes its verdict into shared memory. */
#include "core/check/check.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/check/internal.h"

enum { SECONDS_MAX = 120 }; /* one check; they take a second at most on a variant that ends at all */

/* A `first` check that fails keeps the later ones from running: they would say the same in many ways. */
static const struct {
    const char *name, *what;
    check_fn *run;
    bool first;
} checks[] = {
    {"descriptor", "texts, option table and functions are complete", check_descriptor, true},
    {"options", "limits are accepted in an experiment file, anything else refused with file and line", check_options,
     false},
    {"declaration", "declare() is pure, dry and real declarations agree, layers end with the branch's shape",
     check_declaration, true},
    {"writes", "writes everything it must and nothing else; adds to dw; reads no stale scratch", check_writes, true},
    {"finite", "no NaN or infinity for inputs up to 100", check_finite, false},
    {"repeat", "the same call gives the same bits", check_repeat, false},
    {"ranges", "the same bits for any split of the mini-batch into ranges", check_ranges, false},
    {"images", "no image depends on another", check_images, false},
    {"evaluation", "training off: no random numbers, nothing depends on the iteration", check_evaluation, false},
    {"gradients", "derivatives of x, h, f and own tensors against central differences, with sign", check_gradients,
     false},
    {"odd-shapes", "the same for 1, 3 and 17 channels, h not w, one image", check_odd_shapes, false},
    {"net-gradients", "every tensor of a small net, declared layers included, against central differences",
     check_net_gradients, false},
    {"fused", "way 1 inside the kernels equals the plain formula; bands of rows equal whole images", check_fused,
     false},
    {"threads", "the same bits on 1, 2 and 3 threads", check_threads, false},
    {"resume", "save, load and continue gives the same bits", check_resume, false},
    {"cost", "parameters and time beside the identity's", check_cost, false},
};
enum { CHECKS = sizeof checks / sizeof *checks };
_Static_assert((int)CHECKS <= (int)SKL_CHECKS_MAX, "too many checks for a report");

/* ---- verdicts ---- */

static void say(struct check *c, enum skl_verdict verdict, const char *fmt, va_list args)
{
    if (c->row->verdict == SKL_VERDICT_FAIL) return;
    c->row->verdict = verdict;
    vsnprintf(c->row->text, sizeof c->row->text, fmt, args);
}

void fail(struct check *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(c, SKL_VERDICT_FAIL, fmt, args);
    va_end(args);
}

void skip(struct check *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(c, SKL_VERDICT_SKIP, fmt, args);
    va_end(args);
}

void note(struct check *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(c, SKL_VERDICT_PASS, fmt, args);
    va_end(args);
}

bool failed(const struct check *c) { return c->row->verdict == SKL_VERDICT_FAIL; }

/* ---- one check in a child ---- */

/* opts NULL: the settings worth trying. */
static _Noreturn void child(const struct skl_shortcut *s, int i, const void *opts, struct skl_check_row *row)
{
    static struct setting setting[SETTINGS_MAX];
    struct check c = {.s = s, .setting = setting, .iteration = opts ? 0 : 7, .row = row};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGALRM, SIG_DFL);
    alarm(SECONDS_MAX);
    wall_watch(&c);
    if (opts) {
        memcpy(setting[0].opts, opts, SKL_OPTS_MAX);
        snprintf(setting[0].label, sizeof setting[0].label, "its options");
        c.settings = 1;
    } else if (checks[i].run != check_descriptor) {
        c.settings = make_settings(s, setting);
    }
    skl_gemm_setup();
    checks[i].run(&c);
    _exit(0);
}

static void read_end(struct skl_check_row *row, int status)
{
    struct check c = {.row = row};
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        fail(&c, "did not end within %d s", SECONDS_MAX);
    else if (WIFSIGNALED(status))
        fail(&c, "crashed: %s", strsignal(WTERMSIG(status)));
    else
        fail(&c, "ended with exit code %d", WEXITSTATUS(status));
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_one(const struct skl_shortcut *s, int i, const void *opts, struct skl_check_row *shared,
                    struct skl_check_row *row)
{
    const double start = now();
    *shared = (struct skl_check_row){.verdict = SKL_VERDICT_PASS};
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) skl_die("cannot start a process: %s: raise the limit on processes", strerror(errno));
    if (pid == 0) child(s, i, opts, shared);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {}
    read_end(shared, status);
    *row = *shared;
    row->seconds = now() - start;
}

static struct skl_check_row *shared_row(void)
{
    struct skl_check_row *row = mmap(NULL, sizeof *row, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (row == MAP_FAILED) skl_die("no shared memory: %s", strerror(errno));
    return row;
}

int skl_check_before_run(const struct skl_shortcut *s, const void *opts, struct skl_err *err)
{
    struct skl_check_row *shared = shared_row(), row;
    int i = 0;
    while (checks[i].run != check_writes) i++;
    run_one(s, i, opts, shared, &row);
    munmap(shared, sizeof *shared);
    if (row.verdict != SKL_VERDICT_FAIL) return SKL_OK;
    return skl_fail(err, SKL_USAGE, "shortcut '%s' does not keep its contract and is not run: %s", s->name, row.text);
}

void skl_check_shortcut(const struct skl_shortcut *s, void (*each)(const struct skl_check_row *row, void *arg),
                        void *arg, struct skl_check_report *report)
{
    memset(report, 0, sizeof *report);
    struct skl_check_row *shared = shared_row();
    const char *before = NULL;
    for (int i = 0; i < CHECKS; i++) {
        struct skl_check_row *row = &report->row[report->count++];
        if (before) {
            row->verdict = SKL_VERDICT_SKIP;
            snprintf(row->text, sizeof row->text, "not run: '%s' must pass first", before);
        } else {
            run_one(s, i, NULL, shared, row);
        }
        row->name = checks[i].name, row->what = checks[i].what;
        if (row->verdict == SKL_VERDICT_FAIL) {
            report->failed++;
            if (checks[i].first) before = checks[i].name;
        }
        if (each) each(row, arg);
    }
    munmap(shared, sizeof *shared);
}
