/* export.h - all curves of a sweep for other programs. */
#ifndef SKL_REPORT_EXPORT_H
#define SKL_REPORT_EXPORT_H
#include "core/report/collect.h"

/* One CSV file in long form: variant,setting,seed,state,metric,iteration,value, a row a value. */
int skl_export_csv(const struct skl_results *results, const char *file, struct skl_err *err);
/* FOLDER/SETTING/seed-N/events.out.tfevents.0.skiplab, TensorBoard's event files: a scalar a value, its tag the metric.
 * The step is the iteration; wall times are the iterations as seconds, so that equal results give equal bytes. */
int skl_export_tensorboard(const struct skl_results *results, const char *folder, struct skl_err *err);
#endif
