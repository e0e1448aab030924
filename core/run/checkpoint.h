/* checkpoint.h - what a checkpoint says besides its tensors: its metadata, without the net (core/train/state.h). */
#ifndef SKL_RUN_CHECKPOINT_H
#define SKL_RUN_CHECKPOINT_H
#include <stdbool.h>
#include <stdint.h>
#include "core/io/safetensors.h"

/* stopped: give_up.iteration; halved: give_up.halving */
enum skl_outcome { SKL_RUNNING, SKL_STOPPED, SKL_DIVERGED, SKL_HALVED, SKL_OUTCOMES };
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

/* The metadata alone (from a file already read): SKL_DATA where it is no checkpoint. */
int skl_state_parse(const struct skl_st *file, const char *path, struct skl_state *state, struct skl_err *err);
/* Does it fit an experiment of so many iterations?  A checkpoint of a right digest may say anything all the same. */
int skl_state_check(const struct skl_state *state, int64_t iterations, const char *path, struct skl_err *err);
extern const char *const skl_log_name[SKL_LOGS];

enum { SKL_STATE_METAS = 13 + SKL_LOGS };
/* m: [SKL_STATE_METAS]; each value is malloc'd. */
void skl_state_fill_meta(struct skl_st_meta *m, const struct skl_state *state, const struct skl_identity *identity);
/* SKL_DATA: the file is no checkpoint, as this key is missing or wrong. */
int skl_state_bad_meta(const char *path, const char *key, struct skl_err *err);
#endif
