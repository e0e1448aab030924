/* load_rows, store_rows and the other vector operations of one table, against the same formulas in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/device/cpu/kernels/reference.h"
#include "tests/kernels/harness.h"

static const double epsilon = 0x1p-24; /* half a unit in the last place, relative */
enum { TENSOR_PIXELS = 47 };

static bool kept(const uint8_t *keep, size_t i) { return !keep || (keep[i / 8] >> (i % 8) & 1); }

/* A tensor of pixels x c, one of channels, one of keep bits; NULL where not wanted. */
static float *tensor(bool wanted, size_t n, enum data kind)
{
    if (!wanted) return NULL;
    float *p = guarded_floats(n);
    fill(p, n, kind);
    return p;
}

static uint8_t *some_bits(bool wanted, size_t n)
{
    if (!wanted) return NULL;
    uint8_t *bits = guarded(n / 8);
    for (size_t i = 0; i < n / 8; i++) bits[i] = (uint8_t)random_bits();
    return bits;
}

static double term(const float *add, const float *scale, const uint8_t *keep, size_t i, int ch)
{
    return add && kept(keep, i) ? (scale ? (double)scale[ch] : 1) * add[i] : 0;
}

static void copy(float *to, const float *from, size_t n) { memcpy(to, from, n * sizeof *to); }

/* ---- load_rows ---- */

static void expect_loaded(const struct skl_kernels *kernels, const struct skl_kernel_operand *l, const float *x0,
                          const float *add0, int first, int pixels, int c, const float *dst)
{
    for (int p = 0; p < pixels; p++)
        for (int ch = 0; ch < c; ch++) {
            const size_t i = (size_t)(first + p) * (size_t)c + (size_t)ch;
            const double scaled = l->scale ? (double)l->scale[ch] * x0[i] : x0[i], shift = l->scale ? l->shift[ch] : 0;
            const double added = term(add0, l->add_scale, l->keep, i, ch);
            double want = scaled + shift + added, got = dst[p * c + ch];
            if (l->relu && want < 0) want = 0;
            /* three roundings at most, each of a partial sum */
            CHECK(fabs(got - want) <= 3 * epsilon * (fabs(scaled) + fabs(shift) + fabs(added)) + 1e-44,
                  "%s load: pixel %d channel %d of %d: %g, not %g", kernels->level, p, ch, c, got, want);
            CHECK(!l->out || l->out[i] == dst[p * c + ch], "%s load: out differs from dst", kernels->level);
        }
}

enum {
    WITH_SCALE = 1,
    WITH_ADD = 2,
    WITH_ADD_SCALE = 4,
    WITH_KEEP = 8,
    WITH_RELU = 16,
    WITH_OUT = 32,
    OUT_IS_X = 64,
    OUT_IS_ADD = 128,
    LOAD_ASKS = 256
};

static void check_load(const struct skl_kernels *kernels, int ask, int first, int pixels, int c, enum data kind)
{
    const size_t n = (size_t)TENSOR_PIXELS * (size_t)c;
    float *x = tensor(true, n, kind), *add = tensor(ask & WITH_ADD, n, kind),
          *out = tensor(ask & WITH_OUT, n, DATA_NORMAL);
    float *scale = tensor(ask & WITH_SCALE, (size_t)c, DATA_NORMAL), *shift = tensor(ask & WITH_SCALE, (size_t)c, kind);
    float *add_scale = tensor(ask & WITH_ADD_SCALE, (size_t)c, DATA_NORMAL);
    uint8_t *keep = some_bits(ask & WITH_KEEP, n);
    float *x0 = tensor(true, n, kind), *add0 = tensor(add, n, kind), *dst = guarded_floats((size_t)(pixels * c));
    copy(x0, x, n);
    if (add) copy(add0, add, n);
    struct skl_kernel_operand l = {.x = x,
                                   .scale = scale,
                                   .shift = shift,
                                   .add = add,
                                   .add_scale = add_scale,
                                   .keep = keep,
                                   .relu = ask & WITH_RELU,
                                   .out = ask & OUT_IS_X     ? x
                                          : ask & OUT_IS_ADD ? add
                                                             : out};
    fill_nan(dst, (size_t)(pixels * c));
    if (kind == DATA_ZEROS && add) /* sums that are exactly zero */
        for (size_t i = 0; i < n; i += 3) x[i] = x0[i] = -(add[i] = add0[i] = 0.5f);
    kernels->load_rows(&l, (size_t)first, pixels, c, dst);
    expect_loaded(kernels, &l, x0, add0, first, pixels, c, dst);
    if (l.out) {
        const float *before = ask & OUT_IS_X ? x0 : ask & OUT_IS_ADD ? add0 : NULL;
        for (size_t i = 0; before && i < n; i++)
            if (i < (size_t)(first * c) || i >= (size_t)((first + pixels) * c))
                CHECK(l.out[i] == before[i], "%s load: wrote another pixel", kernels->level);
    }
    void *all[] = {x, add, out, scale, shift, add_scale, keep, x0, add0, dst};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
}

/* ---- store_rows ---- */

enum {
    WITH_MASK = 16,
    WITH_MASK_SCALE = 32,
    WITH_STATISTICS = 64,
    WITH_PARTNER = 128,
    WITH_PARTNER2 = 256,
    WITH_PIVOT = 512,
    Y_IS_ADD = 1024,
    MASK_IS_PARTNER = 2048,
    STORE_ASKS = 4096
};

struct sums_of {
    double sum, dot, dot2, sum_size, dot_size, dot2_size;
};

static void expect_sums(const struct skl_kernels *kernels, const struct skl_kernel_result *s,
                        const struct skl_sums *sums, const struct skl_sums *before, int first, int pixels, int c)
{
    CHECK(sums->count == before->count + pixels, "%s store: count", kernels->level);
    for (int ch = 0; ch < c; ch++) {
        struct sums_of want = {0};
        for (int p = 0; p < pixels; p++) {
            const size_t i = (size_t)(first + p) * (size_t)c + (size_t)ch;
            double v = s->y[i], d = v, d2 = 0;
            if (!s->partner)
                v -= sums->pivot[ch], d = v;
            else
                d = (double)s->partner[i] - (s->pivot ? s->pivot[ch] : 0);
            if (s->partner2) d2 = (double)s->partner2[i] - (s->pivot2 ? s->pivot2[ch] : 0);
            want.sum += v, want.dot += v * d, want.dot2 += v * d2;
            want.sum_size += fabs(v), want.dot_size += fabs(v * d), want.dot2_size += fabs(v * d2);
        }
        const double slack = epsilon * (pixels + 4); /* a float sum of so many terms, at the worst */
        CHECK(fabs(sums->sum[ch] - before->sum[ch] - want.sum) <=
                  slack * want.sum_size + 1e-14 * fabs(before->sum[ch]) + 1e-40,
              "%s store: sum of channel %d of %d: %g, not %g", kernels->level, ch, c, sums->sum[ch] - before->sum[ch],
              want.sum);
        CHECK(fabs(sums->dot[ch] - before->dot[ch] - want.dot) <=
                  slack * want.dot_size + 1e-14 * fabs(before->dot[ch]) + 1e-40,
              "%s store: dot of channel %d of %d: %g, not %g", kernels->level, ch, c, sums->dot[ch] - before->dot[ch],
              want.dot);
        CHECK(!s->partner2 || fabs(sums->dot2[ch] - before->dot2[ch] - want.dot2) <=
                                  slack * want.dot2_size + 1e-14 * fabs(before->dot2[ch]) + 1e-40,
              "%s store: dot2 of channel %d of %d", kernels->level, ch, c);
    }
}

static void expect_stored(const struct skl_kernels *kernels, const struct skl_kernel_result *s, const float *add0,
                          const float *y0, int first, int pixels, int c, const float *src)
{
    for (int p = 0; p < TENSOR_PIXELS; p++)
        for (int ch = 0; ch < c; ch++) {
            const size_t i = (size_t)p * (size_t)c + (size_t)ch;
            if (p < first || p >= first + pixels) {
                CHECK(s->y[i] == y0[i], "%s store: wrote another pixel", kernels->level);
                continue;
            }
            const double v = src[(p - first) * c + ch], added = term(add0, s->add_scale, s->keep, i, ch);
            const double scaled = s->mask ? (s->mask_scale ? (double)s->mask_scale[ch] : 1) * s->mask[i] : 1;
            const double shift = s->mask && s->mask_scale ? s->mask_shift[ch] : 0;
            const bool near = s->mask_scale && fabs(scaled + shift) <= 2 * epsilon * (fabs(scaled) + fabs(shift)) &&
                              scaled + shift != 0;
            const double want = scaled + shift > 0 ? v + added : 0, got = s->y[i];
            CHECK(near || fabs(got - want) <= 2 * epsilon * (fabs(v) + fabs(added)) + 1e-44,
                  "%s store: pixel %d channel %d of %d: %g, not %g", kernels->level, p, ch, c, got, want);
        }
}

static struct skl_sums new_sums(int c)
{
    struct skl_sums s = {.pivot = guarded_floats((size_t)c),
                         .sum = guarded(sizeof(double) * (size_t)c),
                         .dot = guarded(sizeof(double) * (size_t)c),
                         .dot2 = guarded(sizeof(double) * (size_t)c)};
    fill_nan(s.pivot, (size_t)c);
    for (int i = 0; i < c; i++) s.sum[i] = s.dot[i] = s.dot2[i] = 0;
    return s;
}

static void free_sums(struct skl_sums *s)
{
    guarded_free(s->pivot);
    guarded_free(s->sum);
    guarded_free(s->dot);
    guarded_free(s->dot2);
}

static void copy_sums(struct skl_sums *to, const struct skl_sums *from, int c)
{
    to->count = from->count;
    for (int i = 0; i < c; i++) to->sum[i] = from->sum[i], to->dot[i] = from->dot[i], to->dot2[i] = from->dot2[i];
}

static void check_store(const struct skl_kernels *kernels, int ask, int first, int pixels, int c, enum data kind)
{
    const size_t n = (size_t)TENSOR_PIXELS * (size_t)c;
    const bool partners = ask & WITH_PARTNER;
    float *add = tensor(ask & WITH_ADD, n, kind), *add_scale = tensor(ask & WITH_ADD_SCALE, (size_t)c, DATA_NORMAL);
    float *mask = tensor(ask & WITH_MASK, n, DATA_ZEROS),
          *mask_scale = tensor(ask & WITH_MASK_SCALE, (size_t)c, DATA_NORMAL);
    float *mask_shift = tensor(ask & WITH_MASK_SCALE, (size_t)c, DATA_ZEROS),
          *partner = tensor(partners && !(ask & MASK_IS_PARTNER), n, kind);
    float *partner2 = tensor(ask & WITH_PARTNER2, n, kind), *pivot = tensor(ask & WITH_PIVOT, (size_t)c, kind),
          *pivot2 = tensor(ask & WITH_PIVOT, (size_t)c, kind);
    float *own_y = tensor(!(ask & Y_IS_ADD), n, DATA_NORMAL), *src = tensor(true, (size_t)(pixels * c), kind);
    uint8_t *keep = some_bits(ask & WITH_KEEP, n);
    struct skl_kernel_result s = {.y = ask & Y_IS_ADD ? add : own_y,
                                  .add = add,
                                  .add_scale = add_scale,
                                  .keep = keep,
                                  .mask = mask,
                                  .mask_scale = mask_scale,
                                  .mask_shift = mask_shift,
                                  .sums = ask & (WITH_STATISTICS | WITH_PARTNER),
                                  .partner = ask & MASK_IS_PARTNER ? mask : partner,
                                  .pivot = pivot,
                                  .partner2 = partner2,
                                  .pivot2 = pivot2};
    float *add0 = tensor(add, n, kind), *y0 = tensor(true, n, kind);
    struct skl_sums sums = new_sums(c), before = new_sums(c);
    if (mask && mask_scale) /* the edge itself: 0.5 * 2 - 1 */
        for (int ch = 0; ch < c; ch += 2)
            mask_scale[ch] = 0.5f, mask_shift[ch] = -1, mask[(size_t)(first * c + ch)] = 2;
    if (add) copy(add0, add, n);
    copy(y0, s.y, n);
    const int half = pixels / 2; /* two calls, as a chunk's rows come one after the other */
    const struct {
        int from, count;
        const float *src;
    } call[2] = {{first, half, src}, {first + half, pixels - half, src + half * c}};
    for (int i = 0; i < 2; i++) {
        copy_sums(&before, &sums, c);
        kernels->store_rows(&s, (size_t)call[i].from, call[i].count, c, call[i].src, s.sums ? &sums : NULL);
        if (s.sums) expect_sums(kernels, &s, &sums, &before, call[i].from, call[i].count, c);
    }
    expect_stored(kernels, &s, add0, y0, first, pixels, c, src);
    for (int ch = 0; s.sums && !s.partner && pixels > 0 && ch < c; ch++)
        CHECK(sums.pivot[ch] == s.y[first * c + ch], "%s store: the pivot is not the first pixel", kernels->level);
    void *all[] = {add,   add_scale, mask,  mask_scale, mask_shift, partner, partner2,
                   pivot, pivot2,    own_y, src,        keep,       add0,    y0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
    free_sums(&sums);
    free_sums(&before);
}

static bool load_makes_sense(int ask, int c)
{
    if (ask & (WITH_ADD_SCALE | WITH_KEEP | OUT_IS_ADD) && !(ask & WITH_ADD)) return false;
    if (ask & (OUT_IS_X | OUT_IS_ADD) && ask & WITH_OUT) return false;
    return !(ask & OUT_IS_X && ask & OUT_IS_ADD) && !(ask & WITH_KEEP && c % 8 != 0);
}

static bool store_makes_sense(int ask, int c)
{
    if (ask & (WITH_ADD_SCALE | WITH_KEEP | Y_IS_ADD) && !(ask & WITH_ADD)) return false;
    if (ask & (WITH_MASK_SCALE | MASK_IS_PARTNER) && !(ask & WITH_MASK)) return false;
    if (ask & (WITH_PARTNER2 | WITH_PIVOT | MASK_IS_PARTNER) && !(ask & WITH_PARTNER)) return false;
    return !(ask & WITH_STATISTICS && ask & WITH_PARTNER) && !(ask & 8 && c % 8 != 0);
}

static void check_rows(const struct skl_kernels *kernels)
{
    static const int channels[] = {1, 3, 4, 8, 10, 16, 24, 40, 64}, counts[] = {1, 2, 7, 32};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        const int c = channels[i];
        for (int ask = 0; ask < LOAD_ASKS; ask++)
            if (load_makes_sense(ask, c))
                check_load(kernels, ask, random_below(10), counts[random_below(4)], c,
                           (enum data)random_below(DATA_KINDS));
        for (int ask = 0; ask < STORE_ASKS; ask++)
            if (store_makes_sense(ask, c))
                check_store(kernels, ask, random_below(10), counts[random_below(4)], c,
                            (enum data)random_below(DATA_KINDS));
    }
}

/* A variance from the sums of many rows must survive a mean 10^5 deviations away. */
static void check_statistics(const struct skl_kernels *kernels)
{
    enum { C = 16, PIXELS = 4096, ROW = 128 };
    float *src = tensor(true, (size_t)C * PIXELS, DATA_OFFSET), *y = tensor(true, (size_t)C * PIXELS, DATA_NORMAL);
    struct skl_kernel_result s = {.y = y, .sums = true};
    struct skl_sums sums = new_sums(C);
    for (int p = 0; p < PIXELS; p += ROW) kernels->store_rows(&s, (size_t)p, ROW, C, src + p * C, &sums);
    for (int ch = 0; ch < C; ch++) {
        double mean = 0, variance = 0;
        for (int p = 0; p < PIXELS; p++) mean += (double)src[p * C + ch] / PIXELS;
        for (int p = 0; p < PIXELS; p++) variance += (src[p * C + ch] - mean) * (src[p * C + ch] - mean) / PIXELS;
        const double shifted = sums.sum[ch] / PIXELS, got = sums.dot[ch] / PIXELS - shifted * shifted;
        CHECK(fabs(got - variance) <= 1e-5 * variance, "%s: variance %g, not %g", kernels->level, got, variance);
    }
    free_sums(&sums);
    guarded_free(src);
    guarded_free(y);
}

/* Not a number must not be hidden by a ReLU: divergence has to reach the loss. */
static void check_nan(const struct skl_kernels *kernels)
{
    float x[16], dst[16];
    fill_nan(x, 16);
    kernels->load_rows(&(struct skl_kernel_operand){.x = x, .relu = true}, 0, 1, 16, dst);
    for (int i = 0; i < 16; i++) CHECK(isnan(dst[i]), "%s: relu(nan) = %g", kernels->level, (double)dst[i]);
    kernels->sigmoid(16, x, dst);
    for (int i = 0; i < 16; i++) CHECK(isnan(dst[i]), "%s: sigmoid(nan) = %g", kernels->level, (double)dst[i]);
}

/* ---- the others ---- */

static void check_keep_bits(const struct skl_kernels *kernels)
{
    static const double rates[] = {0, 0.25, 0.5, 0.9, 1};
    for (int i = 0; i < 40; i++) {
        const uint64_t key = random_bits(),
                       first = (i % 4 == 0 ? UINT64_C(0x3fffffff0) : (uint64_t)random_below(1000)) * 8;
        const size_t n = (size_t)(8 * (1 + random_below(60)));
        uint8_t *bits = guarded(n / 8);
        kernels->keep_bits(key, rates[i % 5], first, n, bits);
        for (size_t j = 0; j < n; j++) {
            const uint64_t e = first + j;
            const bool want = skl_philox(key, 0, e / 4).v[e % 4] >= rates[i % 5] * 4294967296.0;
            CHECK(kept(bits, j) == want, "%s keep_bits: element %zu", kernels->level, j);
        }
        guarded_free(bits);
    }
}

static void check_sigmoid(const struct skl_kernels *kernels)
{
    enum { N = 4001 };
    float *x = guarded_floats(N), *y = guarded_floats(N);
    for (int i = 0; i < N; i++) x[i] = (float)(i < 2001 ? (i - 1000) * 0.087 : random_normal() * (i % 2 ? 1 : 1e-3));
    x[0] = -INFINITY, x[1] = INFINITY, x[2] = -200, x[3] = 200, x[4] = -0.0f;
    kernels->sigmoid(N, x, y);
    for (int i = 0; i < N; i++) {
        const double want = 1 / (1 + exp(-(double)x[i]));
        CHECK(fabs(y[i] - want) <= 4 * epsilon * want + 1e-37, "%s sigmoid(%g) = %.9g, not %.9g", kernels->level,
              (double)x[i], (double)y[i], want);
    }
    kernels->sigmoid(N, x, x);
    CHECK(memcmp(x, y, N * sizeof *x) == 0, "%s sigmoid: in place differs", kernels->level);
    guarded_free(x);
    guarded_free(y);
}

static void check_sgd(const struct skl_kernels *kernels)
{
    enum { N = 37 };
    for (int form = 0; form < 4; form++) {
        const bool caffe = form & 1, nesterov = form & 2;
        float *w = tensor(true, N, DATA_NORMAL), *g = tensor(true, N, DATA_NORMAL), *v = tensor(true, N, DATA_NORMAL),
              w0[N], v0[N];
        copy(w0, w, N);
        copy(v0, v, N);
        kernels->sgd(N, w, g, v, 0.1f, 0.9f, 1e-4f, caffe, nesterov);
        for (int i = 0; i < N; i++) {
            const double d = g[i] + (double)1e-4f * w0[i], took = caffe ? (double)0.1f * d : d,
                         want_v = (double)0.9f * v0[i] + took, step = nesterov ? (double)0.9f * want_v + took : want_v;
            const double want_w = w0[i] - (caffe ? step : (double)0.1f * step);
            CHECK(fabs(v[i] - want_v) <= 4 * epsilon * (fabs((double)v0[i]) + fabs(d)), "%s sgd: v", kernels->level);
            CHECK(fabs(w[i] - want_w) <= 8 * epsilon * (fabs((double)w0[i]) + fabs((double)v0[i]) + fabs(d)),
                  "%s sgd: w", kernels->level);
        }
        guarded_free(w);
        guarded_free(g);
        guarded_free(v);
    }
}

static void check_pool(const struct skl_kernels *kernels)
{
    for (int i = 0; i < 20; i++) {
        const int pixels = 1 + random_below(64), c = 1 + random_below(70);
        float *x = tensor(true, (size_t)(pixels * c), DATA_NORMAL), *y = guarded_floats((size_t)c);
        kernels->pool(pixels, c, x, y);
        for (int ch = 0; ch < c; ch++) {
            double sum = 0, size = 0;
            for (int p = 0; p < pixels; p++) sum += x[p * c + ch], size += fabs((double)x[p * c + ch]);
            CHECK(fabs(y[ch] - sum / pixels) <= epsilon * (pixels + 2) * size / pixels,
                  "%s pool: %d pixels, channel %d of %d", kernels->level, pixels, ch, c);
        }
        guarded_free(x);
        guarded_free(y);
    }
}

/* The place in row order of the first largest of the window's pixels (core/device/device.h). */
static int first_largest(const float *const rows[3], int w, int c, int ox, int ch)
{
    int best = -1;
    float most = 0;
    for (int k = 0; k < 9; k++) {
        const int x = 2 * ox - 1 + k % 3;
        if (!rows[k / 3] || x < 0 || x >= w) continue;
        const float v = rows[k / 3][x * c + ch];
        if (best >= 0 && (isnan(most) || !(isnan(v) || v > most))) continue;
        best = k, most = v;
    }
    return best;
}

/* Few different values, so that many are equal; some are no numbers. */
static void check_max_pool_row(const struct skl_kernels *kernels, int w, int c, int missing)
{
    const int ow = (w + 1) / 2;
    const size_t in = (size_t)(w * c), out = (size_t)(ow * c);
    float *row[3], *y = guarded_floats(out), *dx = guarded_floats(in), *dy[2];
    uint8_t *chosen[2];
    for (int i = 0; i < 3; i++) {
        row[i] = guarded_floats(in);
        for (size_t e = 0; e < in; e++)
            row[i][e] = random_below(40) ? (float)(random_below(5) - 2) : random_below(2) ? NAN : -INFINITY;
    }
    const float *rows[3] = {missing & 1 ? NULL : row[0], row[1], missing & 2 ? NULL : row[2]};
    for (int i = 0; i < 2; i++)
        dy[i] = tensor(true, out, DATA_NORMAL), chosen[i] = guarded(out), memset(chosen[i], 77, out);
    kernels->max_pool(rows, w, c, y, NULL);
    kernels->max_pool(rows, w, c, y, chosen[0]);
    for (size_t e = 0; e < out; e++) {
        const int ox = (int)e / c, ch = (int)e % c, want = first_largest(rows, w, c, ox, ch);
        const float value = rows[want / 3][(2 * ox - 1 + want % 3) * c + ch];
        CHECK(chosen[0][e] == want && memcmp(&y[e], &value, sizeof value) == 0,
              "%s max_pool: w %d, channel %d of %d: %g, chosen %d, not %d", kernels->level, w, ch, c, (double)y[e],
              chosen[0][e], want);
        chosen[1][e] = (uint8_t)random_below(9);
        while ((chosen[1][e] % 3 == 0 && ox == 0) || 2 * ox - 1 + chosen[1][e] % 3 >= w) chosen[1][e] = 4;
    }
    /* the first as its row 2, the second as its row 0, as an odd input row is seen */
    const struct skl_pooled_row pooled[2] = {{dy[0], chosen[0], 2}, {dy[1], chosen[1], 0}};
    fill_nan(dx, in);
    kernels->max_unpool(pooled, 2, w, c, dx);
    for (size_t e = 0; e < in; e++) {
        float want = 0;
        for (int r = 0; r < 2; r++)
            for (int ox = 0; ox < ow; ox++) {
                const int at = ox * c + (int)e % c, k = pooled[r].chosen[at];
                if (k / 3 == pooled[r].i && 2 * ox - 1 + k % 3 == (int)e / c) want += pooled[r].dy[at];
            }
        CHECK(dx[e] == want, "%s max_unpool: w %d, element %zu: %g, not %g", kernels->level, w, e, (double)dx[e],
              (double)want);
    }
    void *all[] = {row[0], row[1], row[2], y, dx, dy[0], dy[1], chosen[0], chosen[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
}

static void check_max_pool(const struct skl_kernels *kernels)
{
    for (int i = 0; i < 24; i++)
        check_max_pool_row(kernels, 1 + i % 9, i % 3 ? 1 + random_below(150) : 64 * (1 + i % 2), i % 4);
}

void check_vector(const struct skl_kernels *kernels)
{
    check_rows(kernels);
    check_statistics(kernels);
    check_nan(kernels);
    check_keep_bits(kernels);
    check_sigmoid(kernels);
    check_sgd(kernels);
    check_pool(kernels);
    check_max_pool(kernels);
}
