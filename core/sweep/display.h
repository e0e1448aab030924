/* display.h - what a sweep shows on stderr while it runs.
 *
 * On a terminal: lines that stay, and below them a block that is drawn anew (a line a running run, one for all).
 * Elsewhere, and where TERM is "dumb": lines only.  Colour unless NO_COLOR is set. */
#ifndef SKL_DISPLAY_H
#define SKL_DISPLAY_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "core/base/err.h"
#include "core/base/grow.h"

enum skl_colour { SKL_PLAIN, SKL_GREEN, SKL_YELLOW, SKL_RED, SKL_DIM };
struct skl_display {
    FILE *out;
    bool live, colour;
    int width, height; /* of the block: columns, rows at most */
    int drawn;         /* rows of the block that stand on the terminal */
    struct skl_text block;
    FILE *next; /* the block being written */
};

void skl_display_start(struct skl_display *d, FILE *out);
/* A line that stays: a coloured word, then the rest. */
void skl_display_line(struct skl_display *d, enum skl_colour colour, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The live block: begin, rows (cut at the terminal's width; those that do not fit its height are left out), show.
 * Nothing happens where not live. */
void skl_display_begin(struct skl_display *d);
void skl_display_row(struct skl_display *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skl_display_show(struct skl_display *d);
/* Wipes the live block away. */
void skl_display_end(struct skl_display *d);

/* "45 s", "12 min", "3 h 05 min", "2 d 4 h"; "?" where not finite. */
const char *skl_duration(double seconds, char text[32]);
/* "[####----]" of `cells` cells. */
const char *skl_bar(double fraction, int cells, char text[64]);
/* "1.2 GB" */
const char *skl_bytes(double bytes, char text[32]);

struct skl_row { /* of train.csv */
    int64_t iteration;
    double loss, error;
};
/* The last whole row of the run's train.csv; loss and error NaN: there is none.  SKL_DATA: it cannot be read. */
int skl_last_row(const char *run_folder, struct skl_row *row, struct skl_err *err);
#endif
