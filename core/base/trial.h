/* trial.h - a function that may crash, hang or end its process (a plug-in's), run in a process of its own first. */
#ifndef SKL_TRIAL_H
#define SKL_TRIAL_H
#include <stdbool.h>
#include <stddef.h>

struct skl_trial {
    bool returned; /* the function came back: the child said so, and nothing else counts */
    bool too_long; /* it was killed after `seconds` */
    int error;     /* errno where no process could be had; else 0 */
    int status;    /* as of waitpid() */
};
/* Runs fn(arg) in a child with default dispositions of the deadly signals.  What fn finds out it writes into memory of
 * skl_shared().  For a process with one thread, or for functions that need no other. */
struct skl_trial skl_trial(void (*fn)(void *arg), void *arg, int seconds);
/* How it ended where it did not return: "crashes (Segmentation fault)", "ends the process (exit code 0)",
 * "is not done after 20 s", "cannot be tried: Resource temporarily unavailable". */
void skl_trial_words(const struct skl_trial *t, int seconds, char *text, size_t size);

/* Zeroed memory that children write into; NULL and errno where there is none. */
void *skl_shared(size_t bytes);
void skl_shared_free(void *p, size_t bytes);
#endif
