/* figure.h - how figures are to look, as people write it: the section `figure:` of an experiment file, "figure" in
 * plan.json and the options of skiplab plot take the same words.  They are no settings: no run and no hash knows
 * them. */
#ifndef SKL_FIGURE_H
#define SKL_FIGURE_H
#include <stdbool.h>

struct skl_figure_words {
    char *metric, *width, *legend, *font, *xlim, *ylim; /* NULL: not given */
};
extern const char *const skl_figure_metrics[]; /* these three NULL-terminated */
extern const char *const skl_figure_widths[];
extern const char *const skl_figure_legends[];

int skl_figure_find(const char *const *words, const char *word); /* where it stands; -1: nowhere */

/* "A:B", 0 <= A < B.  An empty A is 0; an empty B is 0 too, which stands for "as far as it goes". */
bool skl_figure_iterations(const char *text, double *min, double *max);
bool skl_figure_values(const char *text, double *min, double *max); /* B must be given */
enum { SKL_FONT_NAME_MAX = 64 };
/* "NAME", "NAME,POINTS" or ",POINTS": *points 0 and name "" where they are not given.  A name has letters, digits,
 * blanks and + - . in it, so that it can be written into any script or picture as it is. */
bool skl_figure_font(const char *text, char name[SKL_FONT_NAME_MAX], double *points);

#endif
