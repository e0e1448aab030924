/* logs.h - train.csv, test.csv and validation.csv as a run writes them: taken up where its checkpoint says that they
 * end, and told to the next checkpoint.  A log that is not open has no path. */
#ifndef SKL_RUN_LOGS_H
#define SKL_RUN_LOGS_H
#include "core/io/csv.h"
#include "core/run/checkpoint.h"

/* FOLDER's log for appending, cut to state's length; desk: of a claim on the folder (claim.h).  SKL_DATA: what stands
 * there is not what state says was written. */
int skl_log_open(struct skl_csv *csv, const char *folder, int desk, enum skl_log log, const char *header,
                 const struct skl_state *state, struct skl_err *err);
/* timing.csv: the rows of iterations up to `iteration`, their length in bytes and the seconds of the last one. */
int skl_timing_until(const char *path, int64_t iteration, int64_t *length, double *seconds, struct skl_err *err);
/* Are those that are open what was written?  whole: byte by byte. */
int skl_logs_check(const struct skl_csv log[SKL_LOGS], bool whole, struct skl_err *err);
/* Makes them durable and puts their lengths and digests into state. */
int skl_logs_mark(struct skl_csv log[SKL_LOGS], struct skl_state *state, struct skl_err *err);
void skl_logs_close(struct skl_csv log[SKL_LOGS]);
#endif
