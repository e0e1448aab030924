/* watch.h - shows a sweep, or one run, while it goes on.  Nothing is written into results but the report of _html. */
#ifndef SKL_WATCH_H
#define SKL_WATCH_H
#include "core/base/err.h"
#include "core/report/report.h"

/* A live page on the terminal, until the sweep has ended, 'q' or a signal, which then ends the process; where stdout is
 * no terminal, the page once.  SKL_DATA: no sweep and no run, or it cannot be read. */
int skl_watch(const char *folder, struct skl_err *err);
/* Writes the sweep's report every so many seconds while there is something new, and once more, without reloading, at
 * the end of the sweep or at a signal, which then ends the process. */
int skl_watch_html(const char *folder, double every, struct skl_report_options *options, struct skl_err *err);
#endif
