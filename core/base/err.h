/* err.h - the three kinds of error.
 * A user's or a file's fault: a function returns a status other than SKL_OK and fills struct skl_err with one
 * line that says what, where and how to mend it.  Our own fault: SKL_BUG() aborts with the place.
 * Out of memory, or another limit of the system (no more threads, no library): skl_die() ends the process. */
#ifndef SKL_ERR_H
#define SKL_ERR_H
#include <stdarg.h>
#include <stddef.h>

/* Statuses are the exit codes of the program (README, "Exit codes").  Where a header names none, it is these: */
enum skl_status {
    SKL_OK = 0,
    SKL_FAILED = 1,      /* a run, a device or another program failed; a file cannot be written */
    SKL_USAGE = 2,       /* what a user wrote: command line, experiment file, variant */
    SKL_DATA = 3,        /* what is read is missing or damaged: data, results, weights */
    SKL_BUSY = 4,        /* in use by another process */
    SKL_INTERRUPTED = 75 /* stopped by a signal, resumable (EX_TEMPFAIL) */
};

struct skl_err {
    int status;
    int error; /* errno of the call that failed, for decisions: the text may be cut; 0: none, or not told */
    char text[1024];
    char advice[200]; /* printed on a line of its own, after the reason; "": none */
};

/* Formats the message, remembers the status and returns it.  err may be NULL.  What a %s brings along is made visible:
 * one line that a terminal may be shown (say.h). */
int skl_fail(struct skl_err *err, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Adds the errno behind the message that is already there; returns status. */
int skl_because(struct skl_err *err, int status, int error);
/* Puts "fmt: " before the message that is already there; returns err->status. */
int skl_context(struct skl_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skl_advise(struct skl_err *err, const char *advice); /* after the message; the next one clears it */

_Noreturn void skl_bug(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define SKL_BUG(...) skl_bug(__FILE__, __LINE__, __VA_ARGS__)
#define SKL_CHECK(cond) ((cond) ? (void)0 : skl_bug(__FILE__, __LINE__, "%s", #cond))

/* One line on standard error and exit code 1, at once: nothing is left to the libraries' own ends, which may wait for
 * threads that cannot go on. */
_Noreturn void skl_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What skl_die() and skl_bug() do before they say why: whoever has the terminal gives it back. */
void skl_die_first(void (*fn)(void));
/* What _exit() is elsewhere, and as safe in a handler: that name is left to plug-ins (core/cli/ending.h). */
_Noreturn void skl_leave(int status);
_Noreturn void skl_out_of_memory(size_t bytes); /* skl_die(), in the same words for all who ask for memory */

/* Zeroed, 64-byte aligned memory; large blocks ask for huge pages.  Never returns NULL; free() with free(). */
void *skl_alloc(size_t bytes);
void *skl_alloc_array(size_t count, size_t size); /* multiplication checked */
/* Zeroed pages straight from the system, for one large block: nothing is touched before it is used.  Huge pages asked
 * for.  Ends the process where there is not enough. */
void *skl_map(size_t bytes);
void skl_unmap(void *p, size_t bytes); /* p may be NULL */
char *skl_strdup(const char *s);
char *skl_format(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* malloc'd */
char *skl_vformat(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));
/* "did you mean": the nearest of the NULL-terminated names within edit distance 2 (or a prefix), else NULL. */
const char *skl_nearest(const char *word, const char *const *names);
#endif
