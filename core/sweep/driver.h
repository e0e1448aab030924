/* driver.h - a sweep: every run of a plan as a process of its own, some at a time, until all are finished.
 *
 * The driver holds no state that is not in files: it may be killed at any moment and started again, and several may
 * work on one folder, on one machine or on many.  A run's process claims its folder (claim.h); the driver starts what
 * is neither finished nor claimed.  A run that ends in an error, crashes or hangs does not disturb the others; why, and
 * its last lines, go into its run.json.
 *
 * INT, TERM, HUP, USR1, USR2: the runs write a checkpoint and end, then the driver.  A second one ends all at once. */
#ifndef SKL_DRIVER_H
#define SKL_DRIVER_H
#include <stdbool.h>
#include "core/base/err.h"
#include "core/config/plan.h"
#include "core/run/record.h"

struct skl_sweep_options {
    int jobs, threads;   /* runs at a time; threads a run, 0: cores / jobs */
    int pack;            /* runs that an element of a job array trains, one after another (slurm.h); 0: one */
    const char *results; /* the folder that holds the sweep's */
    const char *only;    /* NULL: all; a pattern over "VARIANT[/...]/seed-N" or what precedes /seed-N */
    const char *redo;    /* NULL: none; a pattern likewise: these runs begin anew */
    const char *device;  /* as given to --device; NULL: not given */
    double hang_seconds; /* a run without a sign of life for so long is killed, and failed; 0: never */
    bool retry_failed, fail_fast, allow_other_numerics;
    bool extend; /* the plan may add runs to those of the earlier sweep, or iterations (core/run/longer.h) */
};

/* SKL_OK, SKL_FAILED: a run failed (the others are finished), SKL_INTERRUPTED, SKL_USAGE: a pattern fits no run,
 * the plan is not the one that began, or runs with other settings are in the way (nothing is touched then; what differs
 * stands in the message). */
int skl_sweep(const struct skl_plan *plan, const struct skl_sweep_options *options, struct skl_err *err);

/* Only where all runs of a plan begin anew (redo as in the options) may they do so with other data. */
bool skl_sweep_keeps_data(const struct skl_plan *plan, const char *redo);
/* The state for people: what run.json says, but "running" where a process on any machine holds the folder. */
const char *skl_sweep_state(const char *folder, const struct skl_run_state *state);
#endif
