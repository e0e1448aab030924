/* loop.h - a run's iterations: what is trained, logged, tested and saved, and when.
 *
 * A device that goes ahead is asked for the results of its steps when one of these is due, or after half a second: what
 * it did behind a step that went wrong is void.
 *
 * After each iteration, in this order: a row of train.csv, a row of test.csv (and validation.csv), rows of probe.csv, a
 * checkpoint, each where due, and the sweep's word at a rung.  A checkpoint records the lengths of the logs, so a run
 * that goes on from it cuts away whatever was written later and writes it again. */
#ifndef SKL_LOOP_H
#define SKL_LOOP_H
#include "core/io/csv.h"
#include "core/run/claim.h"
#include "core/run/logs.h"
#include "core/run/longer.h"
#include "core/train/probing.h"
#include "core/train/progress.h"
#include "core/run/record.h"
#include "core/train/session.h"
#include "core/train/state.h"

struct skl_run_options;
struct skl_training {
    const struct skl_run_options *options;
    const char *folder;
    const struct skl_plan *plan;
    const struct skl_plan_run *run;
    struct skl_shorter shorter; /* the run of fewer iterations that goes on as this one */
    const struct skl_claim *claim;
    struct skl_session session;
    struct skl_snapshot snapshot;
    struct skl_state state;
    struct skl_identity identity;
    struct skl_csv log[SKL_LOGS], timing; /* path NULL: not open */
    struct skl_probing probing;
    struct skl_record record;
    struct skl_progress progress;

    bool last_scheduled; /* last.safetensors is whole and scheduled: the next one moves it to prev */
    bool saved;          /* the state now is that of a scheduled checkpoint */
    int ahead;           /* steps whose results are not known yet; state does not count them */
    bool kept;           /* this iteration's checkpoint has its second name (keep_every), if it gets one */
    bool changed;        /* since the last checkpoint or the resume */
    char *awaited;       /* what it waits for at a rung; NULL: it does not */

    double seconds_before, start; /* of earlier parts of the run; clock at the start of this one */
    double busy;                  /* this part of the run: seconds spent in iterations, */
    int64_t done;                 /* iterations */
    double row_busy;              /* the same two at the last row of timing.csv */
    int64_t row_done;
    double took;         /* clock when the results of the steps were last taken from the net */
    double recorded;     /* clock when run.json was last written */
    int64_t evaluated;   /* images, in this part of the run's evaluations, */
    double evaluating;   /* and seconds for them */
    bool finishing;      /* all iterations are done: the training set is evaluated */
    int64_t to_evaluate; /* images that the evaluation now has before it */
};

/* From state.iteration to state.end.  SKL_OK: the end is reached and saved; SKL_INTERRUPTED: a signal came, nothing
 * saved yet, or `awaited`; SKL_FAILED. */
int skl_training_loop(struct skl_training *t, struct skl_err *err);
/* Saves the state now.  scheduled: this checkpoint stays until two newer ones exist. */
int skl_training_save(struct skl_training *t, bool scheduled, struct skl_err *err);
/* Are the logs what this run wrote?  SKL_DATA: another process changed one; SKL_BUSY: it has taken the run over.
 * whole: byte by byte. */
int skl_training_check_logs(const struct skl_training *t, bool whole, struct skl_err *err);
/* skl_evaluate, with its time measured and a sign of life to whoever waits. */
bool skl_training_evaluate(struct skl_training *t, enum skl_part part, struct skl_evaluation *out);
double skl_training_seconds(const struct skl_training *t);
double skl_training_speed(const struct skl_training *t); /* images a second in iterations of this part; NaN at first */
#endif
