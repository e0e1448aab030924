/* probing.h - probe.csv, sums.csv and responses.csv of a run: the net probed every probe.every iterations
 * (core/nn/probe.h, docs/probe.md).
 *
 * The mini-batch is the same in every probe and for every variant: the first training images in the order of the files,
 * clean.  Nothing that a later iteration reads changes, so a run with probes has the bytes of one without; and a
 * checkpoint does not know of them: how far the files count is read from their rows. */
#ifndef SKL_PROBING_H
#define SKL_PROBING_H
#include <stdbool.h>
#include <jansson.h>
#include "core/io/csv.h"
#include "core/train/session.h"

enum { SKL_PROBE_LOGS = 3 };
struct skl_probing {
    struct skl_csv csv[SKL_PROBE_LOGS]; /* path NULL: no probe asked for */
    int64_t every, last;                /* last: iterations done at the newest rows, -1: none yet */
    int n;
    float *images;
    int32_t *labels;
};
/* Opens the files in FOLDER if the experiment asks for them and keeps whole probes up to `iteration`. */
int skl_probing_open(struct skl_probing *p, struct skl_session *s, const char *folder, int desk, int64_t iteration,
                     struct skl_err *err);
/* After n iterations of `end`: at n = 0, at multiples of probe.every and at the end, if not done already. */
bool skl_probing_due(const struct skl_probing *p, int64_t n, int64_t end);
/* A row a unit, a unit and a 3x3 layer. */
int skl_probing_rows(struct skl_probing *p, struct skl_session *s, int64_t iteration, struct skl_err *err);
int skl_probing_sync(struct skl_probing *p, struct skl_err *err);
/* What was written up to a checkpoint, for run.json: {"last": iteration, NAME: {bytes, sha256}, ...}; NULL: no
 * probe. */
json_t *skl_probing_note(const struct skl_probing *p);
/* Before skl_probing_open at a checkpoint of `iteration`: do the files fit the note of that moment or an earlier one?
 * SKL_DATA: rows were edited or lost since.  note may be NULL. */
int skl_probing_compare(const char *folder, const json_t *note, int64_t iteration, struct skl_err *err);
/* skl_csv_check of all files. */
int skl_probing_check(const struct skl_probing *p, bool whole, struct skl_err *err);
void skl_probing_close(struct skl_probing *p);
#endif
