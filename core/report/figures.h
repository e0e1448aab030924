/* figures.h - the figures of a sweep, written to a folder as gnuplot scripts with their data, drawn as SVG, PDF, PNG.
 *
 *   panels.*            every variant against the baseline, a panel each, as in Figure 3 of the second paper: training
 *                       loss dashed on the left, logarithmic axis, test error solid on the right one
 *   panel-VARIANT.*     the same panels one by one, where there are no more than 24
 *   training-loss.*     all variants in one picture
 *   test-error.*        likewise
 *   by-KEY.*            the final values against a setting that is a number: error against gate_bias, against depth
 *   probe-direct.*      where runs were probed: the direct term of equations (8) and (10), unit by unit, at both ends
 *                       of training; probe-map.*: over all of it; probe-gradient.*: the whole gradient; probe-sum.*:
 *                       the sum of the branches, equation (7); responses.*: the first paper's layer responses
 *   NAME.gp             draws NAME again, in that folder: gnuplot NAME.gp (a copy draws its own name)
 *   style.gp            the look of all of them
 *   data/VARIANT.METRIC.csv          iteration,seeds,median,low,high: the statistics over the seeds, the line
 *   data/VARIANT.METRIC.band.csv     iteration,low,high as they are drawn, with rows where they leave the picture
 *   data/VARIANT.METRIC.stops.csv    iteration,value: where runs diverged or failed
 *   data/by-KEY.N.csv                value,seeds,median,low,high,style,unfinished: the N-th line
 *   data/VARIANT.FIGURE.N.csv        at,value,low,high: the N-th panel, over units or layers; probe-map: at,unit,value
 *
 * A variant has the same colour and dashes in all of them.  More than 24 panels (on a page fewer), or 35 curves, go on
 * in panels-2, test-error-2 and so on, each with the baseline; after SKL_DRAWN_SETTINGS they end, but for by-KEY.  A
 * metric other than test_error has its name in the files' names. */
#ifndef SKL_FIGURES_H
#define SKL_FIGURES_H
#include <stdbool.h>
#include "core/report/collect.h"

enum { SKL_SMOOTH_AUTO = 0, SKL_HEADLINE_SETTINGS = 25, SKL_DRAWN_SETTINGS = 73 };
/* How large a picture is made, and its letters: as wide as it needs (letters of 10 points), a column of 3.4 inches (8
 * points), two of them, 6.6 inches (8 points in panels and over units), or a slide, 9 inches (16 points, 12 there). */
enum skl_page { SKL_PAGE_FREE, SKL_PAGE_COLUMN, SKL_PAGE_TWO_COLUMNS, SKL_PAGE_SLIDE };
/* Where a legend stands, in the order of skl_figure_legends: below a picture and above a panel; the names alone in a
 * corner, where there are no more than SKL_CORNER_ROWS, else below; or nowhere. */
enum skl_legend { SKL_LEGEND_BELOW, SKL_LEGEND_NONE = 5 };
enum { SKL_CORNER_ROWS = 8 };
struct skl_figure_options {
    enum skl_page page;
    int metric;          /* drawn against the training loss; SKL_TRAIN_LOSS: that alone, no panels */
    const char *only;    /* a pattern (fnmatch) for "VARIANT[/k1=v1,...]" or VARIANT; the baseline stays. NULL: all */
    double x_min, x_max; /* iterations; x_max 0: as far as the curves go */
    double y_min, y_max; /* of the metric's axis, linear then; y_max 0: what fits the curves */
    int legend;
    char font[SKL_FONT_NAME_MAX]; /* "": the usual one */
    double points;                /* size of its letters; 0: as the page wants it */
    int smooth;                   /* training curves: running median over so many rows, 1 none;
                                    SKL_SMOOTH_AUTO: a hundredth of the rows, at most 9 */
    int jobs;                     /* pictures drawn at a time */
    bool images;                  /* curves are over images seen (together.h); x_min, x_max too.  Else iterations */
    bool together;                /* several sweeps: training-loss and the metric alone */
    bool headline;     /* only panels, training-loss and test-error, of the first SKL_HEADLINE_SETTINGS settings */
    bool terminal;     /* draw the pictures of all variants as text on stdout instead */
    int columns, rows; /* its size in characters */
};
struct skl_figure {
    char *stem;          /* its name without an ending */
    char *caption, *alt; /* what it shows, and that in words with the numbers; NULL: left to the report */
};
struct skl_figures {
    struct skl_figure *figure; /* in the order above */
    int count;
    char *warning;     /* the first file that could not be read and is left out; NULL: none */
    int drawn, wanted; /* settings in the curves' pictures, of those that `only` chooses and that have rows */
};

/* Puts the words that are given, which must be well-formed (figure.h), into the options. */
void skl_figure_options_take(struct skl_figure_options *o, const struct skl_figure_words *words);
/* The metrics that these options need, for skl_results_read(). */
unsigned skl_figures_metrics(const struct skl_figure_options *o);
/* folder is made where it is missing.  SKL_USAGE: `only` matches nothing, or no curve is within x_min to x_max;
 * SKL_DATA: no rows to draw; SKL_FAILED: cannot write, or gnuplot is absent or fails, after all scripts and data were
 * written (figures is filled then too). */
int skl_figures_draw(const struct skl_results *results, const char *folder, const struct skl_figure_options *o,
                     struct skl_figures *figures, struct skl_err *err);
/* The one picture of the metric's curves as text, `columns` by `rows` characters, of up to 35 settings; folder, for
 * gnuplot alone, is made where it is missing.  text: malloc'd, lines that end with '\n'.  sign: of each setting the
 * character that its curve is drawn with, ' ' of those that have none.  Errors as above. */
int skl_figure_text(const struct skl_results *results, const char *folder, const struct skl_figure_options *o,
                    char **text, char *sign, struct skl_err *err);
void skl_figures_release(struct skl_figures *figures);
#endif
