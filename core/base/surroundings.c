#include "core/base/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/base/cpu.h"
#include "core/base/err.h"

#define LEAST_STACK ((rlim_t)256 << 10)
#include "core/base/program.h"

/* Files opened later must not take the number of a closed standard stream; and a write to a closed one must fail, not
 * vanish: hence the wrong direction. */
static void reserve_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* What whoever started us ignores stays ignored where that is a custom (HUP under nohup, INT and QUIT in a script's
 * background, ALRM).  The rest is ours: TERM, USR1 and USR2 ask for a checkpoint, CHLD brings the ends of our children,
 * and a fault must end the process. */
static void reset_signals(void)
{
    static const int ours[] = {SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGCHLD, SIGSEGV,
                               SIGBUS,  SIGFPE,  SIGILL,  SIGABRT, SIGTRAP, SIGSYS};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) signal(ours[i], SIG_DFL);
    signal(SIGPIPE, SIG_IGN); /* write errors are reported where they happen */
    signal(SIGXFSZ, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* At the hard limit the kernel kills; at the soft one it sends XCPU, on which a run writes its checkpoint.  `ulimit -t`
 * sets both to the same. */
static void warn_before_cpu_limit(void)
{
    struct rlimit cpu;
    if (getrlimit(RLIMIT_CPU, &cpu) || cpu.rlim_max == RLIM_INFINITY || cpu.rlim_cur < cpu.rlim_max) return;
    const rlim_t left = cpu.rlim_max / 10 + 1;
    if (cpu.rlim_max <= left) return;
    cpu.rlim_cur = cpu.rlim_max - (left < 60 ? left : 60);
    setrlimit(RLIMIT_CPU, &cpu);
}

bool skl_signal_ignored(int number)
{
    struct sigaction now;
    return !sigaction(number, NULL, &now) && now.sa_handler == SIG_IGN;
}

void skl_ending_signals(sigset_t *set)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (!skl_signal_ignored(ends[i])) sigaddset(set, ends[i]);
}

/* Whatever we start, and what that starts, comes from absolute folders: the working folder may hold others' results. */
static void reset_path(void)
{
    char *path = skl_program_path();
    setenv("PATH", path, 1);
    free(path);
}

/* The main thread's stack grows up to the soft limit of the moment.  Too little ends in a fault that says nothing. */
static void need_some_stack(void)
{
    struct rlimit stack;
    if (getrlimit(RLIMIT_STACK, &stack) || stack.rlim_cur == RLIM_INFINITY || stack.rlim_cur >= LEAST_STACK) return;
    stack.rlim_cur = stack.rlim_max < LEAST_STACK ? stack.rlim_max : LEAST_STACK;
    if (stack.rlim_cur < LEAST_STACK || setrlimit(RLIMIT_STACK, &stack))
        skl_die("the limit on the stack (ulimit -s) is %llu KiB: give it %llu at least",
                (unsigned long long)stack.rlim_cur >> 10, (unsigned long long)LEAST_STACK >> 10);
}

void skl_surroundings_reset(void)
{
    reserve_standard_streams();
    reset_signals();
    reset_path();
    umask(umask(0) & 077); /* what its owner cannot read could not be resumed */
    need_some_stack();
    warn_before_cpu_limit();
    skl_arithmetic_reset();
}
