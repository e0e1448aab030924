/* Convolution of any size, stride and channel count: im2col and one matrix product an image.
 *   forward   y  = cols W            cols [oh*ow][size*size*c], W [size*size*c][k]
 *   backward  dW += cols' dy,  dcols = dy W',  dx = col2im(dcols)
 * The general path, and the one that widths without a kernel of their own take. */
#include <string.h>
#include "core/device/cpu/kernels/conv_gemm.h"

static int out_h(const struct skl_conv_shape *s) { return (s->h + s->stride - 1) / s->stride; }
static int out_w(const struct skl_conv_shape *s) { return (s->w + s->stride - 1) / s->stride; }
static int taps(const struct skl_conv_shape *s) { return s->size * s->size * s->c; }
static bool is_plain(const struct skl_conv_shape *s) { return s->size == 1 && s->stride == 1; } /* cols is x itself */
static size_t in_floats(const struct skl_conv_shape *s) { return (size_t)s->h * (size_t)s->w * (size_t)s->c; }
static size_t out_floats(const struct skl_conv_shape *s) { return (size_t)out_h(s) * (size_t)out_w(s) * (size_t)s->k; }
static size_t col_floats(const struct skl_conv_shape *s)
{
    return (size_t)out_h(s) * (size_t)out_w(s) * (size_t)taps(s);
}

static bool supports(const struct skl_conv_shape *s) { return s->h > 0 && s->w > 0 && s->size % 2 == 1; }
static size_t weight_floats(const struct skl_conv_shape *s) { return (size_t)taps(s) * (size_t)s->k; }
static size_t scratch_floats(const struct skl_conv_shape *s)
{
    return 2 * in_floats(s) + 2 * out_floats(s) + 2 * col_floats(s);
}

static void prepare(const struct skl_conv_shape *s, const float *w, bool backward, int first, int end, float *packed)
{
    const int c0 = backward ? 0 : first, c1 = backward ? s->c : end, k0 = backward ? first : 0,
              k1 = backward ? end : s->k;
    for (int tap = 0; tap < s->size * s->size; tap++)
        for (int c = c0; c < c1; c++) {
            size_t at = ((size_t)tap * (size_t)s->c + (size_t)c) * (size_t)s->k + (size_t)k0;
            memcpy(packed + at, w + at, sizeof *w * (size_t)(k1 - k0));
        }
}

/* The input columns that output column ox's tap b meets: x = ox*stride + b - size/2, inside [0, w). */
static void im2col(const struct skl_conv_shape *s, const float *x, float *cols)
{
    const size_t pixel = (size_t)s->c;
    for (int oy = 0; oy < out_h(s); oy++)
        for (int ox = 0; ox < out_w(s); ox++)
            for (int a = 0; a < s->size; a++)
                for (int b = 0; b < s->size; b++, cols += pixel) {
                    int iy = oy * s->stride + a - s->size / 2, ix = ox * s->stride + b - s->size / 2;
                    if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w)
                        memset(cols, 0, sizeof *cols * pixel);
                    else
                        memcpy(cols, x + (size_t)(iy * s->w + ix) * pixel, sizeof *cols * pixel);
                }
}

static void col2im(const struct skl_conv_shape *s, const float *cols, float *dx)
{
    memset(dx, 0, sizeof *dx * in_floats(s));
    for (int oy = 0; oy < out_h(s); oy++)
        for (int ox = 0; ox < out_w(s); ox++)
            for (int a = 0; a < s->size; a++)
                for (int b = 0; b < s->size; b++, cols += s->c) {
                    int iy = oy * s->stride + a - s->size / 2, ix = ox * s->stride + b - s->size / 2;
                    if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) continue;
                    float *d = dx + (size_t)(iy * s->w + ix) * (size_t)s->c;
                    for (int c = 0; c < s->c; c++) d[c] += cols[c];
                }
}

static void forward(const struct skl_conv_forward *job, int first, int n, struct skl_sums *sums, float *scratch)
{
    const struct skl_conv_shape *s = &job->shape;
    float *x = scratch, *y = x + in_floats(s), *cols = y + out_floats(s);
    const int pixels = s->h * s->w, out_pixels = out_h(s) * out_w(s);
    for (int i = first; i < first + n; i++) {
        job->kernels->load_rows(job->x, (size_t)i * (size_t)pixels, pixels, s->c, x);
        if (!is_plain(s)) im2col(s, x, cols);
        skl_gemm(false, false, out_pixels, s->k, taps(s), is_plain(s) ? x : cols, taps(s), job->packed, s->k, 0, y,
                 s->k);
        job->kernels->store_rows(job->y, (size_t)i * (size_t)out_pixels, out_pixels, s->k, y, sums);
    }
}

static void backward(const struct skl_conv_backward *job, int first, int n, float *dw, struct skl_sums *sums,
                     float *scratch)
{
    const struct skl_conv_shape *s = &job->shape;
    float *x = scratch, *dx = x + in_floats(s), *dy = dx + in_floats(s), *cols = dy + out_floats(s),
          *dcols = cols + col_floats(s);
    const int pixels = s->h * s->w, out_pixels = out_h(s) * out_w(s);
    if (n == 0) memset(dw, 0, sizeof *dw * weight_floats(s));
    for (int i = first; i < first + n; i++) {
        job->kernels->load_rows(job->x, (size_t)i * (size_t)pixels, pixels, s->c, x);
        job->kernels->load_rows(job->dy, (size_t)i * (size_t)out_pixels, out_pixels, s->k, dy);
        if (!is_plain(s)) im2col(s, x, cols);
        skl_gemm(true, false, taps(s), s->k, out_pixels, is_plain(s) ? x : cols, taps(s), dy, s->k, i > first, dw,
                 s->k);
        if (!job->dx) continue;
        skl_gemm(false, true, out_pixels, taps(s), s->k, dy, s->k, job->packed, s->k, 0, is_plain(s) ? dx : dcols,
                 taps(s));
        if (!is_plain(s)) col2im(s, dcols, dx);
        job->kernels->store_rows(job->dx, (size_t)i * (size_t)pixels, pixels, s->c, dx, sums);
    }
}

static void reduce(const struct skl_conv_shape *s, const float *partial, int chunks, size_t stride, int c0, int c1,
                   bool accumulate, float *dw)
{
    for (int tap = 0; tap < s->size * s->size; tap++) {
        const size_t at = ((size_t)tap * (size_t)s->c + (size_t)c0) * (size_t)s->k,
                     count = (size_t)(c1 - c0) * (size_t)s->k;
        for (size_t i = at; i < at + count; i++) {
            float sum = partial[i];
            for (int chunk = 1; chunk < chunks; chunk++) sum += partial[(size_t)chunk * stride + i];
            dw[i] = accumulate ? dw[i] + sum : sum;
        }
    }
}

const struct skl_conv_kernel skl_conv_gemm = {
    .name = "gemm",
    .algo = SKL_CONV_GEMM,
    .level = SKL_CPU_REF,
    .supports = supports,
    .packed_floats = weight_floats,
    .prepare = prepare,
    .scratch_floats = scratch_floats,
    .forward = forward,
    .gradient_floats = weight_floats,
    .backward = backward,
    .reduce = reduce,
};
