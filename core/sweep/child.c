/* child.c - starting a run's process and finding out why it ended. */
#include "core/sweep/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/desk.h"
#include "core/run/reported.h"

enum { TAIL_BYTES = 8192, PROGRESS_FD = 3 };

/* Between fork and exec: only calls that are safe there. */
static _Noreturn void become(char *const argv[], int log, int progress, pid_t parent, const sigset_t *mask)
{
    int nowhere = open("/dev/null", O_RDONLY);
    dup2(nowhere, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    if (progress >= 0 && progress != PROGRESS_FD) dup2(progress, PROGRESS_FD);
    if (progress == PROGRESS_FD) fcntl(progress, F_SETFD, 0); /* open after exec */
    setpgid(0, 0);                                            /* Ctrl-C goes to the sweep alone, which tells its runs */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) skl_leave(127); /* it died before the line above */
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv("/proc/self/exe", argv);
    static const char message[] = "skiplab: cannot start /proc/self/exe\n";
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0) skl_leave(126);
    skl_leave(127);
}

/* Processes that the kernel has killed for want of memory since it started. */
static long count_oom_kills(void)
{
    char line[128];
    long count = -1;
    FILE *f = fopen("/proc/vmstat", "re");
    while (f && count < 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "oom_kill %ld", &count) != 1) count = -1;
    if (f) fclose(f);
    return count;
}

int skl_child_start(struct skl_child *c, char *const argv[], const char *log, const sigset_t *mask, struct skl_err *err)
{
    int fd, status = skl_file_own(log, err);
    if (!status) status = skl_open(log, O_WRONLY | O_CREAT | O_APPEND, &fd, err);
    if (status) return status;
    struct stat st;
    int64_t size = fstat(fd, &st) ? 0 : st.st_size;
    int progress = memfd_create("skiplab-progress", MFD_CLOEXEC);
    char number[8];
    snprintf(number, sizeof number, "%d", PROGRESS_FD);
    setenv(SKL_REPORT_VARIABLE, progress >= 0 ? number : "", 1);
    long oom_kills = count_oom_kills();
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) become(argv, fd, progress, parent, mask);
    int error = errno;
    close(fd);
    if (pid < 0 && progress >= 0) close(progress);
    if (pid < 0) return skl_fail(err, SKL_FAILED, "cannot start a process: %s", strerror(error));
    *c = (struct skl_child){
        .pid = pid, .log = skl_strdup(log), .log_start = size, .progress = progress, .oom_kills = oom_kills};
    return SKL_OK;
}

bool skl_child_progress(const struct skl_child *c, char text[128])
{
    ssize_t n = c->progress >= 0 ? pread(c->progress, text, 127, 0) : 0;
    text[n > 0 ? n : 0] = 0;
    return n > 0;
}

void skl_child_release(struct skl_child *c)
{
    if (c->progress >= 0) close(c->progress);
    free(c->log);
    *c = (struct skl_child){.progress = -1};
}

/* The last bytes it wrote, live-line tricks and other control characters made plain. */
static char *read_tail(const struct skl_child *c)
{
    char *text = skl_alloc(TAIL_BYTES + 1);
    int fd;
    struct stat st;
    skl_open_if_there(c->log, O_RDONLY, &fd, NULL);
    if (fd >= 0 && !fstat(fd, &st)) {
        int64_t from = st.st_size - TAIL_BYTES > c->log_start ? st.st_size - TAIL_BYTES : c->log_start;
        ssize_t n = pread(fd, text, TAIL_BYTES, from);
        text[n > 0 ? n : 0] = 0;
    }
    if (fd >= 0) close(fd);
    for (char *p = text; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\n') || *p == 127) *p = '?';
    for (size_t n = strlen(text); n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' ');) text[--n] = 0;
    return text;
}

char *skl_child_tail(const struct skl_child *c, int lines)
{
    char *text = read_tail(c), *start = text + strlen(text);
    while (start > text && lines > 0)
        if (*--start == '\n' && --lines == 0) start++;
    char *tail = skl_strdup(start);
    free(text);
    return tail;
}

void skl_child_cause_word(const struct skl_child *c, char word[16])
{
    char text[128];
    if (!skl_child_progress(c, text) || strlen(text) < SKL_REPORT_LINE ||
        sscanf(text + SKL_REPORT_LINE, "%15s", word) != 1)
        word[0] = 0;
}

bool skl_child_cause(const struct skl_child *c, int wait_status, char *text, size_t size)
{
    char *last = skl_child_tail(c, 1);
    bool said = !strncmp(last, "skiplab: ", 9);
    const char *line = said ? last + 9 : last;
    int sig = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    if (sig == SIGKILL)
        snprintf(text, size, "killed by signal 9%s",
                 count_oom_kills() > c->oom_kills ? ": the machine, or this job's share of it, ran out of memory" : "");
    else if (sig)
        snprintf(text, size, "killed by signal %d (%s)%s%s", sig, strsignal(sig), said ? ": " : "", said ? line : "");
    else if (said)
        snprintf(text, size, "%s", line);
    else
        snprintf(text, size, "ended with exit code %d%s%s", WEXITSTATUS(wait_status), *line ? ": " : "", line);
    free(last);
    return said && !sig;
}
