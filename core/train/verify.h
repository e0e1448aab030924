/* verify.h - is a run what it says it is?  Trains again from its older checkpoint to its newer one and compares. */
#ifndef SKL_VERIFY_H
#define SKL_VERIFY_H
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"

struct skl_replayed {
    int64_t from, to;  /* iterations done in the older and the newer checkpoint; from 0: initial weights */
    int rows;          /* of the CSVs between them, written again */
    bool same;         /* every parameter, statistic, momentum and row, bit for bit */
    char differs[112]; /* the first that is not: a tensor's name, or "the row of iteration 12 in test.csv" */
    char weights[17];  /* hash of the replayed weights, as in test.csv */
};
/* Replays from prev.safetensors (from the initial weights where there is none) to last.safetensors.  Writes nothing.
 * SKL_DATA: a file is missing or damaged, or the data set is another; SKL_USAGE: other numerics, so the bits could not
 * agree; SKL_BUSY: the run is being trained. */
int skl_verify(const char *folder, int threads, bool quiet, struct skl_replayed *found, struct skl_err *err);
#endif
