/* legend.h - what a figure says about a setting: names that fit, final values, file names. */
#ifndef SKL_LEGEND_H
#define SKL_LEGEND_H
#include "core/report/collect.h"

/* "6.61 %, n = 5" - the median of the last values of the runs that are done, how many these are (if the setting has
 * more than one run), and how many others there are: "6.61 %, n = 4, 1 diverged".  With none done: "diverged",
 * "so far 9.30 %, 2 running" or "no rows yet".  malloc'd. */
char *skl_legend_outcome(const struct skl_result_setting *s, int metric);

/* A file name of [A-Za-z0-9._+-] made from a setting's folder, at most 90 long; equal folders give equal names, and
 * different folders of one collection different ones.  malloc'd. */
char *skl_legend_slug(const struct skl_results *r, int setting);
#endif
