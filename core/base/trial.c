#include "core/base/trial.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/err.h"

void *skl_shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void skl_shared_free(void *p, size_t bytes)
{
    if (p) munmap(p, bytes);
}

/* `returned` is set behind fn: exit(0) inside it leaves it unset.  A session of its own: kill(0, ...) in fn is a signal
 * to the child, not to whoever started this program. */
static _Noreturn void child(void (*fn)(void *arg), void *arg, volatile bool *returned, pid_t parent)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM, SIGTERM};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) skl_leave(0);
    setsid();
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) signal(deadly[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    fn(arg);
    *returned = true;
    skl_leave(0);
}

/* Looks from time to time: a signal or an alarm of the child's own could be blocked or taken back by fn.  What fn
 * started goes with the child: it would hold our output open. */
static void await(pid_t pid, int seconds, struct skl_trial *t)
{
    const double start = skl_seconds();
    struct timespec pause = {.tv_nsec = 200000};
    for (;;) {
        siginfo_t end = {0};
        const int lost = waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT);
        if (lost && errno != EINTR) return; /* somebody else waited for it; `returned` tells */
        if (end.si_pid) break;
        if (!t->too_long && skl_seconds() - start > seconds) {
            t->too_long = true;
            kill(pid, SIGKILL);
        }
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 20000000) pause.tv_nsec += pause.tv_nsec / 4;
    }
    kill(-pid, SIGKILL); /* not waited for yet: nobody else has its number */
    waitpid(pid, &t->status, 0);
}

struct skl_trial skl_trial(void (*fn)(void *arg), void *arg, int seconds)
{
    struct skl_trial t = {.error = 0};
    volatile bool *returned = skl_shared(sizeof *returned);
    const pid_t parent = getpid();
    fflush(NULL); /* or an exit() in fn writes it a second time */
    const pid_t pid = returned ? fork() : -1;
    if (pid == 0) child(fn, arg, returned, parent);
    if (pid < 0)
        t.error = errno;
    else
        await(pid, seconds, &t);
    t.returned = returned && *returned;
    skl_shared_free((void *)returned, sizeof *returned);
    return t;
}

void skl_trial_words(const struct skl_trial *t, int seconds, char *text, size_t size)
{
    if (t->error)
        snprintf(text, size, "cannot be tried: %s", strerror(t->error));
    else if (t->too_long)
        snprintf(text, size, "is not done after %d s", seconds);
    else if (WIFSIGNALED(t->status))
        snprintf(text, size, "crashes (%s)", strsignal(WTERMSIG(t->status)));
    else
        snprintf(text, size, "ends the process (exit code %d)", WEXITSTATUS(t->status));
}
