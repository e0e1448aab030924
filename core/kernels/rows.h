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
skl_load_fn *skl_pick_load(const struct skl_load *l);
skl_store_fn *skl_pick_store(const struct skl_store *s);

#define skl_sum_partials SKL_NAME(skl_sum_partials)
/* skl_conv_kernel.reduce for a partial gradient that has the weights' own layout. */
void skl_sum_partials(const struct skl_conv_shape *s, const float *partial, int chunks, size_t stride,
                      int c0, int c1, bool accumulate, float *dw);
#endif
