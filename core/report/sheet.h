/* sheet.h - what the figures of one call share, and how their scripts are written; for the files that draw. */
#ifndef SKL_SHEET_H
#define SKL_SHEET_H
#include <stdio.h>
#include "core/base/grow.h"
#include "core/report/figure_data.h"
#include "core/report/scale.h"

enum { SKL_SHEET_CURVES = 35 }; /* in one picture; more go on in another */
enum { SKL_SHEET_PANELS = 24 }; /* up to so many are drawn one by one too */
/* Places for text in the pictures, in hundredths of the font's size. */
enum { SKL_LEGEND_WIDTH = 4600, SKL_LEGEND_ENTRY = 450, SKL_TITLE_WIDTH = 4500 };
struct skl_page_room {
    int legend, title;                         /* of a picture of all variants */
    int panel_title, panel_legend, short_name; /* of a panel */
    int columns;                               /* of panels; 0: by their number */
    int units[2];                              /* legends of figures over units with one panel, with two */
    int map_columns, map_title;                /* of maps; columns 0: by their number */
    int panels, maps;                          /* in one picture, which is to stand on a page */
    int letters[2];                            /* their points: of pictures; of panels */
};

struct skl_sheet {
    const struct skl_results *results;
    const struct skl_figure_options *options;
    const char *folder;
    struct skl_page_room room;
    struct skl_drawing drawing;
    struct skl_scale x, left;
    double shared_top; /* of the right axis */
    struct skl_figures *figures;
};

/* A gnuplot script in the making: variables, then a template.  Users' text goes in through these functions alone. */
struct skl_script {
    const char *stem;
    FILE *out;
    struct skl_text text;
};
void skl_script_open(struct skl_script *s, const char *stem);
void skl_script_text(struct skl_script *s, const char *name, const char *text); /* NULL: '' */
/* NAME[i] = 'text'; line breaks stay. */
void skl_script_item(struct skl_script *s, const char *name, int i, const char *text);
void skl_script_arrays(struct skl_script *s, const char *size, const char *const *names); /* NULL-terminated */
void skl_script_metric(struct skl_script *s, const char *name, int metric);               /* "Test error, %" */
/* Writes FOLDER/STEM.gp and notes the figure.  caption and alt, for the report, are taken; NULL: it has its own. */
int skl_script_close(struct skl_script *s, struct skl_sheet *sheet, const char *template, char *caption, char *alt,
                     struct skl_err *err);

/* What finds room, with the page and the font of these options. */
struct skl_page_room skl_sheet_room(const struct skl_figure_options *o);
/* Do so many names stand in a corner of the picture? */
bool skl_sheet_in_corner(const struct skl_sheet *sheet, int names);
/* LEGEND = where they stand. */
void skl_script_legend(struct skl_script *s, const struct skl_sheet *sheet, int names);
/* How wide a name may be in a legend of this width, where so many stand. */
int skl_sheet_name_room(const struct skl_sheet *sheet, int legend, int names);
/* Rows of a legend that stands below its picture and is so wide. */
int skl_sheet_key_rows(char *const *label, int count, int width);
/* FOLDER/FILE with this text, which is freed. */
int skl_sheet_data(const struct skl_sheet *sheet, const char *file, char *text, size_t n, struct skl_err *err);

/* ---- kinds of figures ---- */
/* Final values against a setting with numbers: by-KEY for each key that has three of them in some variant. */
int skl_draw_by_setting(struct skl_sheet *sheet, struct skl_err *err);
/* probe-direct, probe-map, probe-gradient, probe-sum, responses: where runs were probed. */
int skl_draw_probes(struct skl_sheet *sheet, struct skl_err *err);
#endif
