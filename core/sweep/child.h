/* child.h - one run as a process of its own: started without a shell, its output in a file, killed with its parent. */
#ifndef SKL_CHILD_H
#define SKL_CHILD_H
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/base/err.h"

struct skl_child {
    pid_t pid;
    char *log;
    int64_t log_start; /* bytes in the log before this process */
    int progress;      /* the file it reports to (core/train/progress.h), -1: none */
    long oom_kills;    /* of the whole machine before it started, -1: cannot be told */
};
/* Runs this program again with arguments argv (NULL-terminated; argv[0] is its name), standard input from nowhere,
 * output and errors appended to the file `log`.  mask: the signals blocked in the child.  The kernel kills the child
 * when the calling thread dies.  SKL_FAILED: no such file can be made, or no more processes. */
int skl_child_start(struct skl_child *c, char *const argv[], const char *log, const sigset_t *mask,
                    struct skl_err *err);
/* The line it last reported, as sscanf wants it; false: none yet. */
bool skl_child_progress(const struct skl_child *c, char text[128]);
void skl_child_release(struct skl_child *c);
/* Why it ended, in one line: "killed by signal 11 (Segmentation fault)", or the last error it wrote.  A process killed
 * by signal 9 while the kernel counted a kill for want of memory is said to have died of that.  True: these are the
 * program's own words for what it ended with. */
bool skl_child_cause(const struct skl_child *c, int wait_status, char *text, size_t size);
/* The word that it gave for its failure (core/train/progress.h); "": none. */
void skl_child_cause_word(const struct skl_child *c, char word[16]);
/* The last lines (at most `lines`) of what it wrote; malloc'd, "" if nothing. */
char *skl_child_tail(const struct skl_child *c, int lines);
#endif
