/* state.h - checkpoints: everything a run needs to go on as if it had never stopped.
 *
 * Random numbers are functions of the iteration, so a checkpoint holds tensors (weights, running statistics,
 * momentum), the iteration, the sums since the last row of train.csv and the lengths of the logs; nothing in it
 * depends on time, host or threads.
 *
 * Two generations stay: last.safetensors and prev.safetensors.  One made by a signal (not `scheduled`) is replaced by
 * the next one instead of becoming prev, so that an interrupted run ends with the same two files as any other. */
#ifndef SKL_STATE_H
#define SKL_STATE_H
#include <stdbool.h>
#include <stdint.h>
#include "core/train/weights.h"

enum skl_outcome { SKL_RUNNING, SKL_STOPPED, SKL_DIVERGED }; /* stopped: the give_up rule */
enum skl_log { SKL_LOG_TRAIN, SKL_LOG_TEST, SKL_LOG_VALIDATION, SKL_LOGS };

struct skl_state {
    int64_t iteration; /* iterations done */
    int64_t end;       /* iterations at which the run ends: fewer than planned once it stopped or diverged */
    int64_t tested;    /* iterations done at the last row of test.csv and validation.csv */
    enum skl_outcome outcome;
    double loss_sum;           /* since the last row of train.csv: sum of the mini-batches' mean losses, */
    int64_t errors, count;     /* images misclassified, mini-batches */
    int64_t length[SKL_LOGS];  /* bytes of train.csv, test.csv, validation.csv, */
    char digest[SKL_LOGS][65]; /* and their SHA-256; "": not recorded */
    bool scheduled;            /* false: made by a signal */
};

/* What a checkpoint must agree with; the texts stand in its metadata. */
struct skl_identity {
    const char *config_hash, *numerics;
    int64_t iterations; /* of the experiment */
    char data[17];      /* fingerprint of the data set in hex */
};

/* Writes last.safetensors; the former one becomes prev.safetensors if `rotate`.  At every instant last.safetensors is
 * whole.  The tensors are taken from the net now.  desk: the run's claim's (core/run/claim.h). */
int skl_state_save(const char *folder, int desk, struct skl_snapshot *snapshot, const struct skl_state *state,
                   const struct skl_identity *identity, bool rotate, struct skl_err *err);

/* Where the newest whole checkpoint stands. */
struct skl_resume {
    bool found, from_prev;
    bool other_numerics; /* its numerics key is not this session's (allowed by the caller) */
    char warning[1024];  /* why last.safetensors was passed over; "" otherwise */
};
/* Fills net and state from last, else prev.  No checkpoint at all: found is false and nothing is touched.
 * SKL_DATA: none of those that exist is whole, or the data set is another.  SKL_USAGE: another config, or another
 * numerics key without allow_other_numerics. */
int skl_state_load(const char *folder, struct skl_net *net, struct skl_state *state,
                   const struct skl_identity *identity, bool allow_other_numerics, struct skl_resume *resume,
                   struct skl_err *err);
/* Fills net and state from one file; other numerics are refused. */
int skl_state_load_file(const char *path, struct skl_net *net, struct skl_state *state,
                        const struct skl_identity *identity, struct skl_err *err);
/* Weights and statistics alone, for whoever trains nothing: id->numerics is not looked at. */
int skl_state_load_weights(const char *path, struct skl_net *net, struct skl_state *state,
                           const struct skl_identity *identity, struct skl_err *err);
/* The metadata alone (from a file already read): SKL_DATA where it is no checkpoint. */
int skl_state_parse(const struct skl_st *file, const char *path, struct skl_state *state, struct skl_err *err);
/* Does it fit an experiment of so many iterations?  A checkpoint of a right digest may say anything all the same. */
int skl_state_check(const struct skl_state *state, int64_t iterations, const char *path, struct skl_err *err);
extern const char *const skl_log_name[SKL_LOGS];
#endif
