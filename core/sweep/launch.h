/* launch.h - a sweep for schedulers that skiplab does not know: a line of shell a run, for others to run. */
#ifndef SKL_LAUNCH_H
#define SKL_LAUNCH_H
#include "core/sweep/driver.h"

/* Prints on standard output, for each run that is neither finished nor held by a process, the line `form`, with {} as
 * the command that trains it, quoted as one word of the shell, and {#} as its place in the plan, from 1.  The plan is
 * written before.  SKL_USAGE: no {} in it, a line feed somewhere, or --redo. */
int skl_sweep_launch(const struct skl_plan *plan, const struct skl_sweep_options *options, const char *form,
                     struct skl_err *err);
#endif
