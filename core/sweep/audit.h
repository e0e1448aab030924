/* audit.h - is a folder of results what its plan.json and run.json files say it is? */
#ifndef SKL_SWEEP_AUDIT_H
#define SKL_SWEEP_AUDIT_H
#include "core/run/audit.h"

/* folder: a sweep's (it has a plan.json), one run's, or one that holds sweeps.  Faults are told, not returned.
 * SKL_DATA: there are no results, or a plan.json cannot be read. */
int skl_audit(struct skl_audit *a, const char *folder, struct skl_err *err);
#endif
