/* together.h - the curves of several sweeps in one figure, and over what they are drawn. */
#ifndef SKL_TOGETHER_H
#define SKL_TOGETHER_H
#include "core/report/collect.h"

/* Moves the settings of count sweeps into one, in their order: called "SWEEP: VARIANT", their paths "SWEEP/VARIANT...";
 * a name that two sweeps have gives way to their folders as they were given.  The baseline is the first sweep's.  The
 * sweeps are left without settings, still to be released.  SKL_USAGE: a folder stands there twice, or their test sets
 * are not the same, so that a curve says nothing beside another; SKL_DATA: one has no rows of this metric. */
int skl_results_join(struct skl_results *sweep, int count, int metric, struct skl_results *all, struct skl_err *err);
/* Puts the curves over images seen: iterations times the batch.  SKL_DATA: a setting does not say its batch. */
int skl_results_by_images(struct skl_results *results, struct skl_err *err);
#endif
