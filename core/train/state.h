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
#include "core/run/checkpoint.h"
#include "core/train/weights.h"

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
#endif
