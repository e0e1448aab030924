/* audit.h - is a run's folder what its run.json says it is?  Reads every result file and computes its hash anew;
 * trains nothing (verify.h does), writes nothing. */
#ifndef SKL_AUDIT_H
#define SKL_AUDIT_H
#include <stdint.h>
#include "core/base/err.h"

enum skl_fault {
    SKL_MISSING,  /* a run was not started, or a recorded file is gone */
    SKL_EDITED,   /* bytes that are not the recorded ones, files that contradict each other */
    SKL_STALE,    /* of other settings than the plan's */
    SKL_HALF_DONE /* not trained to its end */
};
struct skl_audit {
    int runs, faults;
    int64_t files, bytes;   /* read and hashed */
    int lacking;            /* runs whose settings could not be hashed anew: their plug-in was not given; */
    char lacking_why[1024]; /* what to give for the first of them */
    int unsealed;           /* runs whose run.json is of a version that did not seal it */
    /* Called for each fault: the folder or file, and one line that says what is wrong. */
    void (*tell)(void *context, enum skl_fault kind, const char *path, const char *text);
    /* Called for what is no fault but was not looked at; may be NULL. */
    void (*note)(void *context, const char *path, const char *text);
    /* Called for each run that has begun; may be NULL. */
    void (*begun)(void *context, struct skl_audit *a, const char *folder, const char *data);
    void *context;
};
extern const char *const skl_fault_name[]; /* "missing", "edited", "stale", "half-done" */

/* Calls tell() and counts the fault. */
void skl_audit_tell(struct skl_audit *a, enum skl_fault kind, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Calls note(). */
void skl_audit_note(const struct skl_audit *a, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* One run's folder.  hash: the one the plan gives it; NULL: there is no plan. */
void skl_audit_run(struct skl_audit *a, const char *folder, const char *hash);
#endif
