/* record.h - run.json: what may differ between two identical runs (times, host, threads, state) and the final figures.
 * Keys are sorted; written whole, atomically.  The keys are described in docs/results.md. */
#ifndef SKL_RECORD_H
#define SKL_RECORD_H
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "core/base/err.h"

struct skl_record {
    json_t *json;
    char *path;
    int desk; /* of the run's claim (core/run/claim.h) */
};

/* Takes over what an earlier part of the same run wrote (start, seconds, resumes); an absent or damaged file: empty.
 * SKL_DATA: it may be there and cannot be read; empty too, and not to be written. */
int skl_record_open(struct skl_record *r, const char *folder, int desk, struct skl_err *err);
void skl_record_text(struct skl_record *r, const char *key, const char *value); /* NULL: null */
void skl_record_integer(struct skl_record *r, const char *key, int64_t value);
void skl_record_real(struct skl_record *r, const char *key, double value); /* not finite: null */
void skl_record_flag(struct skl_record *r, const char *key, bool value);
void skl_record_time(struct skl_record *r, const char *key); /* now, UTC, ISO 8601 */
double skl_record_get_real(const struct skl_record *r, const char *key, double otherwise);
bool skl_record_get_flag(const struct skl_record *r, const char *key);
/* "files": {name: {bytes, sha256}} of every result file that exists in the folder, run.json excepted. */
int skl_record_files(struct skl_record *r, const char *folder, struct skl_err *err);
int skl_record_write(const struct skl_record *r, struct skl_err *err);
void skl_record_close(struct skl_record *r);
/* The result files of a run's folder, run.json excepted; NULL-terminated. */
extern const char *const skl_result_files[];
#endif
