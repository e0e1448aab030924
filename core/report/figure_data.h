/* figure_data.h - the curves of a figure: which settings, their lines and bands, and the files gnuplot reads. */
#ifndef SKL_FIGURE_DATA_H
#define SKL_FIGURE_DATA_H
#include "core/report/figures.h"

struct skl_drawn_curve {
    int metric;
    struct skl_band band; /* n = 0: no rows */
    char *file;           /* "data/NAME.csv" below the figures' folder; NULL: no rows */
    char *edges;          /* the band's; NULL: never more than one seed */
    char *stops;          /* NULL: no run diverged or failed */
};
/* Where axes end.  gnuplot's integers overflow where a band runs far out of a picture, and it fills the wrong places;
 * so a band gets rows of its own where an edge crosses one of these limits, and the templates cut it off there. */
struct skl_limits {
    double x_min, x_max;
    struct {
        double at;
        bool log;
    } y[16]; /* log: the axis is, and edges are straight on it */
    int count;
};
struct skl_drawn_setting {
    const struct skl_result_setting *setting;
    int style; /* 0 the baseline, the others in the results' order, whatever `only` leaves out */
    char *slug;
    struct skl_drawn_curve left, right; /* training loss; the metric */
};
struct skl_drawing {
    struct skl_drawn_setting *set; /* [0] is the baseline; the others have rows to draw */
    int count;
    int wanted;    /* settings that could be drawn; count stops at a limit */
    const char *x; /* "iteration", or "images" */
    double x_end;  /* the last of all curves */
};

/* Is this setting to be drawn, by `only` and as the baseline?  The style that it has in every figure. */
bool skl_drawing_wants(const struct skl_results *r, int setting, const char *only);
int skl_drawing_style(const struct skl_results *r, int setting);

int skl_drawing_make(const struct skl_results *r, const struct skl_figure_options *o, struct skl_drawing *d,
                     struct skl_err *err);
/* Writes the data files below `folder`, which has a folder data/. */
int skl_drawing_write(const struct skl_drawing *d, const char *folder, const struct skl_limits *left,
                      const struct skl_limits *right, struct skl_err *err);
void skl_limits_add(struct skl_limits *limits, double at, bool log); /* once each; what finds no room is left out */
void skl_drawing_release(struct skl_drawing *d);

/* Quantile q of a band's line (edge 0), lower (-1) or upper (1) edge within x_min..x_max, of the values above `above`;
 * where no row stands there, of what runs through.  NaN if there are none. */
double skl_drawn_quantile(const struct skl_drawn_curve *c, int edge, double q, double x_min, double x_max,
                          double above);
#endif
