/* rows.h - load_rows and store_rows as functions specialised for what one job asks of them.
 * A convolution picks once a chunk and then calls through the pointer, row after row. */
#ifndef SKL_ROWS_H
#define SKL_ROWS_H
#include "core/kernels/kernels.h"
#include "core/kernels/simd.h"

typedef void skl_load_fn(const struct skl_load *l, size_t first, int pixels, int c, float *dst);
typedef void skl_store_fn(const struct skl_store *s, size_t first, int pixels, int c, const float *src, struct skl_sums *sums);

#define skl_pick_load SKL_NAME(skl_pick_load)
#define skl_pick_store SKL_NAME(skl_pick_store)
#define skl_load_raw SKL_NAME(skl_load_raw)
skl_load_fn *skl_pick_load(const struct skl_load *l);
skl_load_fn skl_load_raw;      /* what is picked where the load is the tensor x itself */
#define skl_store_raw SKL_NAME(skl_store_raw)
skl_store_fn *skl_pick_store(const struct skl_store *s);
skl_store_fn skl_store_raw;    /* what is picked where values are stored as they are */

/* The pixels from number `first` on: where they stand, or loaded into `buffer`. */
INLINE const float *rows_at(skl_load_fn *load, const struct skl_load *l, size_t first, int pixels, int c, float *buffer)
{
    if (load == skl_load_raw) return l->x + first * (size_t)c;
    load(l, first, pixels, c, buffer);
    return buffer;
}

/* Where to make values that are then to be stored: in their place, or in `buffer`; store_at stores the latter. */
INLINE float *place_at(skl_store_fn *store, const struct skl_store *s, size_t first, int c, float *buffer)
{
    return store == skl_store_raw ? s->y + first * (size_t)c : buffer;
}

INLINE void store_at(skl_store_fn *store, const struct skl_store *s, size_t first, int pixels, int c, const float *src, struct skl_sums *sums)
{
    if (store != skl_store_raw) store(s, first, pixels, c, src, sums);
}

#define skl_sum_partials SKL_NAME(skl_sum_partials)
/* skl_conv_kernel.reduce for a partial gradient that has the weights' own layout. */
void skl_sum_partials(const struct skl_conv_shape *s, const float *partial, int chunks, size_t stride,
                      int c0, int c1, bool accumulate, float *dw);
#endif
