/* run.h - one run in its folder: trains from where the last checkpoint stands to the end.
 * The folder's files are described in docs/results.md. */
#ifndef SKL_RUN_H
#define SKL_RUN_H
#include <stdbool.h>
#include "core/base/err.h"
#include "core/config/plan.h"
#include "core/run/claim.h"
#include "core/run/halving.h"

struct skl_run_options {
    int threads; /* 0: all cores */
    bool quiet;  /* no progress on stderr */
    bool allow_other_numerics;
    bool redo;                    /* throw away what is there */
    bool extend;                  /* a run of fewer iterations that is there goes on (core/run/longer.h) */
    const char *version, *commit; /* of the program, for run.json; NULL: unknown */
    /* Asked before anything is trained: may this set, with this fingerprint, be it?  And this file of first weights
     * (an absolute path), with this SHA-256?  NULL: nobody is. */
    int (*admit_data)(void *context, const char *set, const char *fingerprint, struct skl_err *err);
    /* Asked at each rung of give_up.halving, after its checkpoint: what becomes of the run (*why: malloc'd, words for
     * people, NULL where it goes on).  NULL: it is in no sweep and goes on. */
    int (*at_rung)(void *context, int64_t iteration, enum skl_rung *rung, char **why, struct skl_err *err);
    void *context;
};
/* claim: on the folder, held by the caller.
 * SKL_OK: done (diverged and stopped count), SKL_INTERRUPTED (a signal, or it waits at a rung; resumable), SKL_FAILED,
 * SKL_USAGE (another config lives there), SKL_DATA, SKL_BUSY (another process is at it). */
int skl_run(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder,
            const struct skl_claim *claim, const struct skl_run_options *options, struct skl_err *err);
#endif
