/* gnuplot.h - runs gnuplot: without a shell, and without the user's start-up files. */
#ifndef SKL_GNUPLOT_H
#define SKL_GNUPLOT_H
#include <stdbool.h>
#include "core/base/err.h"

bool skl_gnuplot_is_here(void);
/* Draws folder/STEM.gp into folder/STEM.{svg,pdf,png} for each stem, up to `jobs` at a time; a picture appears whole
 * or not at all.  SKL_FAILED: gnuplot is absent (the message names the package) or refuses a script (its message). */
int skl_gnuplot_draw(const char *folder, const char *const *stems, int count, int jobs, struct skl_err *err);
/* Draws one as text; malloc'd.  It may hold whatever the script's texts hold, but for control characters. */
int skl_gnuplot_lines(const char *folder, const char *stem, int columns, int rows, char **text, struct skl_err *err);
/* The same onto stdout. */
int skl_gnuplot_print(const char *folder, const char *stem, int columns, int rows, struct skl_err *err);
#endif
