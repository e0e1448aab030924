/* rows.h - load_rows and store_rows as functions specialised for what one job asks of them.
 * A convolution picks once a chunk and then calls through the pointer, row after row. */
#ifndef SKL_ROWS_H
#define SKL_ROWS_H
#include "core/device/cpu/kernels/kernels.h"
#include "core/device/cpu/kernels/simd.h"

/* Loads `pixels` pixels from number `first` on and returns where they stand: in the tensor x itself if nothing is asked
 * for, in l->out if that is wanted, else in `buffer`. */
typedef const float *skl_load_fn(const struct skl_kernel_operand *l, size_t first, int pixels, int c, float *buffer);
/* Stores pixels that were made at place_at. */
typedef void skl_store_fn(const struct skl_kernel_result *s, size_t first, int pixels, int c, const float *src,
                          struct skl_sums *sums);

#define skl_pick_load SKL_NAME(skl_pick_load)
#define skl_pick_store SKL_NAME(skl_pick_store)
skl_load_fn *skl_pick_load(const struct skl_kernel_operand *l);
skl_store_fn *skl_pick_store(const struct skl_kernel_result *s);

/* Loads to `dst`, wherever else they stand. */
INLINE void load_into(skl_load_fn *load, const struct skl_kernel_operand *l, size_t first, int pixels, int c,
                      float *dst)
{
    const float *loaded = load(l, first, pixels, c, dst);
    if (loaded != dst) memcpy(dst, loaded, sizeof *dst * (size_t)pixels * (size_t)c);
}

/* Whether a result takes the values as they are. */
INLINE bool keeps_values(const struct skl_kernel_result *s) { return !s->add && !s->mask; }

/* Where values that are to be stored must be made: in their place if they stay as they are, else in `buffer`. */
INLINE float *place_at(const struct skl_kernel_result *s, size_t first, int c, float *buffer)
{
    return keeps_values(s) ? s->y + first * (size_t)c : buffer;
}

#define skl_sum_partials SKL_NAME(skl_sum_partials)
/* skl_conv_kernel.reduce for a partial gradient that has the weights' own layout. */
void skl_sum_partials(const struct skl_conv_shape *s, const float *partial, int chunks, size_t stride, int c0, int c1,
                      bool accumulate, float *dw);
#endif
