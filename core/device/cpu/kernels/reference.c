/* The definitions.  Every fast kernel is tested against these; nothing here is meant to be quick. */
#include <math.h>
#include <string.h>
#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/device/cpu/kernels/reference.h"

static bool kept(const uint8_t *keep, size_t i) { return !keep || (keep[i / 8] >> (i % 8) & 1); }

static float added(const float *add, const float *scale, const uint8_t *keep, size_t i, int ch)
{
    if (!add || !kept(keep, i)) return 0.0f;
    return scale ? scale[ch] * add[i] : add[i];
}

void skl_ref_load_rows(const struct skl_kernel_operand *l, size_t first, int pixels, int c, float *dst)
{
    for (int p = 0; p < pixels; p++)
        for (int ch = 0; ch < c; ch++) {
            size_t i = (first + (size_t)p) * (size_t)c + (size_t)ch;
            float v = l->scale ? l->scale[ch] * l->x[i] + l->shift[ch] : l->x[i];
            v += added(l->add, l->add_scale, l->keep, i, ch);
            if (l->relu && v <= 0) v = 0; /* not a number stays so */
            dst[(size_t)p * (size_t)c + (size_t)ch] = v;
            if (l->out) l->out[i] = v;
        }
}

static bool passes(const struct skl_kernel_result *s, size_t i, int ch)
{
    if (!s->mask) return true;
    float v = s->mask_scale ? s->mask_scale[ch] * s->mask[i] + s->mask_shift[ch] : s->mask[i];
    return v > 0;
}

static void add_sums(const struct skl_kernel_result *s, size_t i, int ch, float v, struct skl_sums *sums)
{
    if (!s->partner) {
        double d = (double)v - sums->pivot[ch];
        sums->sum[ch] += d;
        sums->dot[ch] += d * d;
        return;
    }
    sums->sum[ch] += v;
    sums->dot[ch] += (double)v * ((double)s->partner[i] - (s->pivot ? s->pivot[ch] : 0));
    if (s->partner2) sums->dot2[ch] += (double)v * ((double)s->partner2[i] - (s->pivot2 ? s->pivot2[ch] : 0));
}

void skl_ref_store_rows(const struct skl_kernel_result *s, size_t first, int pixels, int c, const float *src,
                        struct skl_sums *sums)
{
    for (int p = 0; p < pixels; p++)
        for (int ch = 0; ch < c; ch++) {
            size_t i = (first + (size_t)p) * (size_t)c + (size_t)ch;
            float v = src[(size_t)p * (size_t)c + (size_t)ch] + added(s->add, s->add_scale, s->keep, i, ch);
            if (!passes(s, i, ch)) v = 0;
            s->y[i] = v;
            if (!s->sums) continue;
            if (!s->partner && sums->count == 0 && p == 0) sums->pivot[ch] = v;
            add_sums(s, i, ch, v, sums);
        }
    if (s->sums) sums->count += pixels;
}

void skl_ref_keep_bits(uint64_t key, double drop, uint64_t first, size_t n, uint8_t *bits)
{
    const double limit = drop * 4294967296.0;
    memset(bits, 0, n / 8);
    for (size_t i = 0; i < n; i++) {
        uint64_t e = first + i;
        if (skl_philox(key, 0, e / 4).v[e % 4] >= limit) bits[i / 8] |= (uint8_t)(1u << (i % 8));
    }
}

void skl_ref_sigmoid(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = (float)(1 / (1 + skl_exp64(-(double)x[i])));
}

void skl_ref_sgd(size_t n, float *w, const float *g, float *v, float lr, float momentum, float weight_decay, bool caffe,
                 bool nesterov)
{
    for (size_t i = 0; i < n; i++) {
        const float g_i = g[i] + weight_decay * w[i], d = caffe ? lr * g_i : g_i;
        v[i] = momentum * v[i] + d;
        const float step = nesterov ? d + momentum * v[i] : v[i];
        w[i] -= caffe ? step : lr * step;
    }
}

void skl_ref_pool(int pixels, int c, const float *x, float *y)
{
    for (int ch = 0; ch < c; ch++) {
        double sum = 0;
        for (int p = 0; p < pixels; p++) sum += x[(size_t)p * (size_t)c + (size_t)ch];
        y[ch] = (float)(sum / pixels);
    }
}

void skl_ref_max_pool(const float *const rows[3], int w, int c, float *y, uint8_t *chosen)
{
    for (int ox = 0; ox < (w + 1) / 2; ox++)
        for (int ch = 0; ch < c; ch++) {
            int best = -1;
            float most = 0;
            for (int k = 0; k < 9; k++) {
                const int x = 2 * ox - 1 + k % 3;
                if (!rows[k / 3] || x < 0 || x >= w) continue;
                const float v = rows[k / 3][(size_t)x * (size_t)c + (size_t)ch];
                if (best < 0 || v > most || (isnan(v) && !isnan(most))) best = k, most = v;
            }
            y[(size_t)ox * (size_t)c + (size_t)ch] = most;
            if (chosen) chosen[(size_t)ox * (size_t)c + (size_t)ch] = (uint8_t)best;
        }
}

void skl_ref_max_unpool(const struct skl_pooled_row *pooled, int count, int w, int c, float *dx)
{
    memset(dx, 0, sizeof *dx * (size_t)w * (size_t)c);
    for (int r = 0; r < count; r++)
        for (int ox = 0; ox < (w + 1) / 2; ox++)
            for (int ch = 0; ch < c; ch++) {
                const size_t at = (size_t)ox * (size_t)c + (size_t)ch;
                if (pooled[r].chosen[at] / 3 != pooled[r].i) continue;
                const int x = 2 * ox - 1 + pooled[r].chosen[at] % 3;
                dx[(size_t)x * (size_t)c + (size_t)ch] += pooled[r].dy[at];
            }
}

double skl_ref_fma_burst(int64_t rounds)
{
    volatile float x = 1;
    for (int64_t i = 0; i < rounds; i++) x = x * 0.999f + 1e-3f;
    return 2.0 * (double)rounds;
}

enum { TAPS = 49 }; /* of the largest convolution, 7x7 */
struct tap {
    size_t in, out, w; /* offsets of x[.][0], y[.][0], w[.][0][0] */
};
/* Fills taps with those of output pixel (oy, ox) whose input pixel lies inside the image; returns their number. */
static int taps_of(const struct skl_conv_shape *s, int oy, int ox, struct tap taps[TAPS])
{
    SKL_CHECK(s->size * s->size <= TAPS);
    int n = 0, ow = (s->w + s->stride - 1) / s->stride;
    for (int a = 0; a < s->size; a++)
        for (int b = 0; b < s->size; b++) {
            int y = oy * s->stride + a - s->size / 2, x = ox * s->stride + b - s->size / 2;
            if (y < 0 || y >= s->h || x < 0 || x >= s->w) continue;
            taps[n++] = (struct tap){(size_t)(y * s->w + x) * (size_t)s->c, (size_t)(oy * ow + ox) * (size_t)s->k,
                                     (size_t)(a * s->size + b) * (size_t)s->c * (size_t)s->k};
        }
    return n;
}

void skl_ref_conv_forward(const struct skl_conv_shape *s, const float *x, const float *w, double *y)
{
    int oh = (s->h + s->stride - 1) / s->stride, ow = (s->w + s->stride - 1) / s->stride;
    struct tap t[TAPS];
    memset(y, 0, sizeof *y * (size_t)oh * (size_t)ow * (size_t)s->k);
    for (int p = 0; p < oh * ow; p++)
        for (int n = taps_of(s, p / ow, p % ow, t); n-- > 0;)
            for (int c = 0; c < s->c; c++)
                for (int k = 0; k < s->k; k++)
                    y[t[n].out + (size_t)k] += (double)x[t[n].in + (size_t)c] * w[t[n].w + (size_t)(c * s->k + k)];
}

/* One tap from input channels to output channels: [c], [k], weights [c][k]. */
static void backward_tap(int channels, int outs, const float *x, const float *w, const float *dy, double *dx,
                         double *restrict dw)
{
    for (int c = 0; c < channels; c++, w += outs, dw += outs) {
        const double xc = x[c];
        double sum = 0;
        for (int k = 0; k < outs; k++) dw[k] += dy[k] * xc;
        for (int k = 0; dx && k < outs; k++) sum += (double)dy[k] * w[k];
        if (dx) dx[c] += sum;
    }
}

void skl_ref_conv_backward(const struct skl_conv_shape *s, const float *x, const float *w, const float *dy, double *dx,
                           double *dw)
{
    int oh = (s->h + s->stride - 1) / s->stride, ow = (s->w + s->stride - 1) / s->stride;
    struct tap t[TAPS];
    if (dx) memset(dx, 0, sizeof *dx * (size_t)s->h * (size_t)s->w * (size_t)s->c);
    for (int p = 0; p < oh * ow; p++)
        for (int n = taps_of(s, p / ow, p % ow, t); n-- > 0;)
            backward_tap(s->c, s->k, x + t[n].in, w + t[n].w, dy + t[n].out, dx ? dx + t[n].in : NULL, dw + t[n].w);
}
