/* run.h - one run in its folder: trains from where the last checkpoint stands to the end.
 * The folder's files are described in docs/results.md. */
#ifndef SKL_RUN_H
#define SKL_RUN_H
#include <stdbool.h>
#include "core/base/err.h"
#include "core/config/plan.h"
#include "core/io/json.h"
#include "core/run/claim.h"

struct skl_run_options {
    int threads; /* 0: all cores */
    bool quiet;  /* no progress on stderr */
    bool allow_other_numerics;
    bool redo;                    /* throw away what is there */
    const char *version, *commit; /* of the program, for run.json; NULL: unknown */
    /* Asked before anything is trained: may this set, with this fingerprint, be it?  NULL: nobody is. */
    int (*admit_data)(void *context, const char *set, const char *fingerprint, struct skl_err *err);
    void *context;
};
/* claim: on the folder, held by the caller.
 * SKL_OK: done (diverged counts), SKL_INTERRUPTED (a signal; resumable), SKL_FAILED, SKL_USAGE (another config lives
 * there), SKL_DATA, SKL_BUSY (another process is at it). */
int skl_run(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder,
            const struct skl_claim *claim, const struct skl_run_options *options, struct skl_err *err);

/* Why a run ended as it did, for decisions; "cause" in run.json says it to people, and may be cut. */
enum skl_cause {
    SKL_CAUSE_NONE,
    SKL_CAUSE_GAVE_UP, /* the give_up rule */
    SKL_CAUSE_DIVERGED,
    SKL_CAUSE_SIGNAL,  /* interrupted, with a checkpoint */
    SKL_CAUSE_STORAGE, /* the disk or a quota was full */
    SKL_CAUSE_KILLED,  /* from outside: KILL, TERM, HUP, INT */
    SKL_CAUSE_CRASHED, /* by any other signal */
    SKL_CAUSE_HUNG,    /* a sweep saw no sign of life */
    SKL_CAUSE_REFUSED, /* as it was asked for: exit code 2 */
    SKL_CAUSE_ERROR
};
extern const char *const skl_cause_words[]; /* in run.json: "", "gave-up", ... */
enum skl_cause skl_cause_of_error(const struct skl_err *err);
enum skl_cause skl_cause_of_signal(int sig);
enum skl_cause skl_cause_of_word(const char *word); /* NULL or unknown: SKL_CAUSE_ERROR */

/* What run.json says. */
struct skl_run_state {
    char state[16]; /* waiting (no run.json yet), running, done, diverged, failed, interrupted (also where a
                                        running one's process is gone) */
    char cause[1024];
    enum skl_cause code;
    bool damaged;                       /* there is a run.json that holds no such record */
    char config_hash[65], data[17];     /* data: the fingerprint; "": not known yet */
    char plugin[64], plugin_sha256[65]; /* "": the variant is built in; older runs know 16 digits of the hash only */
    int64_t iteration, iterations;
    double images_per_second, seconds; /* training so far */
    double seconds_left;               /* as the run itself expected when it wrote this; NaN: not known */
    double train_loss_final, train_error_final, test_loss_final, test_error_final; /* NaN until done */
    enum skl_seal seal;                                                            /* of run.json */
    bool complete; /* done or diverged, and all recorded files have their recorded sizes */
};
/* Are these SHA-256 of one file, as far as both are known? */
bool skl_same_build(const char *a, const char *b);
int skl_run_state_read(const char *folder, struct skl_run_state *state, struct skl_err *err); /* absent: waiting */
/* For the driver whose child died: state failed, with this cause and the last lines the child wrote (NULL: none).
 * desk: of a claim on the folder. */
int skl_run_state_fail(const char *folder, int desk, enum skl_cause code, const char *cause, const char *last_lines,
                       struct skl_err *err);
#endif
