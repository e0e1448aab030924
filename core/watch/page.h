/* page.h - a sweep on one page of text: how far it is, the curves, a line a setting.
 * Whatever comes out of files is made visible (core/base/say.h). */
#ifndef SKL_PAGE_H
#define SKL_PAGE_H
#include <stddef.h>
#include "core/watch/follow.h"

enum { SKL_PAGE_WIDTH = 100, SKL_PAGE_PICTURE = 30 }; /* where there is no window */

struct skl_window {
    int columns, rows; /* of the window; rows 0: as many as it takes */
    int first;         /* the first setting of the table; kept within it */
    int metric;        /* of the curves */
    bool colour, live; /* live: with the keys' line */
};
/* The page; malloc'd, lines that end with '\n', as many as the window has; *n: its bytes. */
char *skl_page(struct skl_watched *w, struct skl_window *view, size_t *n);
/* Settings that the table shows at a time. */
int skl_page_step(const struct skl_watched *w, const struct skl_window *view);
#endif
