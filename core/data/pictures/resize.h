/* resize.h - inside core/data: bilinear resizing with the filter as wide as the reduction (antialiased), in Pillow's
 * arithmetic: 22-bit weights, first along the rows, rounded to 8 bits, then along the columns. */
#ifndef SKL_RESIZE_H
#define SKL_RESIZE_H
#include <stdint.h>

/* One axis: what of the source each of `count` results is made of. */
struct skl_taps {
    int count, room; /* weights a result, at most */
    int *first, *n;  /* [count]: source positions */
    int32_t *weight; /* [count][room], sum about 2^22 */
};
/* The results from..from + count of `size` that the source's part [low, high) becomes; nothing outside of [min, max) is
 * looked at.  mirrored: in the opposite order. */
void skl_taps_make(struct skl_taps *t, double low, double high, int min, int max, int size, int from, int count,
                   int mirrored);
void skl_taps_free(struct skl_taps *t);
/* The source positions [*first, *end) that are needed. */
void skl_taps_span(const struct skl_taps *t, int *first, int *end);

/* One row: out [count] pixels of 3 bytes from a row whose pixel 0 is source position `start`. */
void skl_resize_row(const struct skl_taps *x, const uint8_t *row, int start, uint8_t *out);
/* Columns: out [y->count][row bytes] from rows [end - start][row bytes] of such rows, the first at `start`. */
void skl_resize_columns(const struct skl_taps *y, const uint8_t *rows, int start, int bytes, uint8_t *out);
#endif
