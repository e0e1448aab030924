/* The table's vector operations.  load_rows and store_rows are templates: `ask` is a set of flags that the compiler
 * sees as a constant, so that every combination the nets use gets a loop of its own without a branch in it. */
#include <math.h>
#include "core/device/cpu/kernels/rows.h"

/* ---- load_rows ---- */
enum { SCALE = 1, ADD = 2, ADD_SCALE = 4, KEEP = 8, RELU = 16, OUT = 32 };

static int load_ask(const struct skl_kernel_operand *l)
{
    return (l->scale ? SCALE : 0) | (l->add ? ADD : 0) | (l->add && l->add_scale ? ADD_SCALE : 0) |
           (l->add && l->keep ? KEEP : 0) | (l->relu ? RELU : 0) | (l->out ? OUT : 0);
}

/* v + add_scale * keep * add[e..e+n) */
INLINE vf with_added(vf v, const float *add, vf add_scale, const uint8_t *keep, size_t e, int n, int ask)
{
    vf a = vf_load_n(add + e, n);
    if (ask & KEEP) a = vf_where(vm_keep(keep, e, n), a);
    return ask & ADD_SCALE ? vf_fma(add_scale, a, v) : v + a;
}

/* Channels [ch, ch + n) of all pixels; n <= LANES. */
INLINE void load_channels(const struct skl_kernel_operand *job, size_t first, int pixels, int c, int ch, int n,
                          float *dst, int ask)
{
    const struct skl_kernel_operand copy = *job,
                                    *l = &copy; /* no store can change it, so its pointers stay in registers */
    const vf scale = ask & SCALE ? vf_load_n(l->scale + ch, n) : vf_zero();
    const vf shift = ask & SCALE ? vf_load_n(l->shift + ch, n) : vf_zero();
    const vf add_scale = ask & ADD_SCALE ? vf_load_n(l->add_scale + ch, n) : vf_zero();
    size_t e = first * (size_t)c + (size_t)ch;
    dst += ch;
#pragma GCC unroll 2
    for (int p = 0; p < pixels; p++, e += (size_t)c, dst += c) {
        vf v = vf_load_n(l->x + e, n);
        if (ask & SCALE) v = vf_fma(scale, v, shift);
        if (ask & ADD) v = with_added(v, l->add, add_scale, l->keep, e, n, ask);
        if (ask & RELU) v = vf_relu(v);
        vf_store_n(dst, v, n);
    }
}

INLINE const float *load_template(const struct skl_kernel_operand *l, size_t first, int pixels, int c, float *buffer,
                                  int ask)
{
    float *dst = ask & OUT ? l->out + first * (size_t)c : buffer;
    int ch = 0;
    for (; ch + LANES <= c; ch += LANES) load_channels(l, first, pixels, c, ch, LANES, dst, ask);
    if (ch < c) load_channels(l, first, pixels, c, ch, c - ch, dst, ask);
    return dst;
}

#define LOAD(name, ask) \
    static const float *load_##name(const struct skl_kernel_operand *l, size_t first, int pixels, int c, \
                                    float *buffer) \
    { \
        return load_template(l, first, pixels, c, buffer, ask); \
    }
/* What the nets ask for; anything else takes load_any, whose branches are in the loop. */
#define LOADS(X) \
    X(relu, RELU) \
    X(bn, SCALE) \
    X(bn_relu, SCALE | RELU) \
    X(bn_relu_out, SCALE | RELU | OUT) \
    X(bn_add, SCALE | ADD) \
    X(bn_add_relu, SCALE | ADD | RELU) \
    X(bn_add_relu_out, SCALE | ADD | RELU | OUT) \
    X(bn_gradient, SCALE | ADD | ADD_SCALE) \
    X(scaled_relu_out, SCALE | ADD | ADD_SCALE | RELU | OUT) \
    X(dropped, SCALE | ADD | ADD_SCALE | KEEP) \
    X(dropped_relu_out, SCALE | ADD | ADD_SCALE | KEEP | RELU | OUT)
LOADS(LOAD)
LOAD(any, load_ask(l))

static const float *load_raw(const struct skl_kernel_operand *l, size_t first, int pixels, int c, float *buffer)
{
    return l->x + first * (size_t)c;
}

skl_load_fn *skl_pick_load(const struct skl_kernel_operand *l)
{
#define CASE(name, ask) \
    case ask: \
        return load_##name;
    switch (load_ask(l)) {
    case 0:
        return load_raw;
        LOADS(CASE)
    default:
        return load_any;
    }
#undef CASE
}

static void load_rows(const struct skl_kernel_operand *l, size_t first, int pixels, int c, float *dst)
{
    load_into(skl_pick_load(l), l, first, pixels, c, dst);
}

/* ---- store_rows ---- */
enum { MASK = 16, MASK_SCALE = 32, STATISTICS = 64, PARTNER = 128, PARTNER2 = 256 }; /* and ADD, ADD_SCALE, KEEP */

static int store_ask(const struct skl_kernel_result *s)
{
    return (s->add ? ADD : 0) | (s->add && s->add_scale ? ADD_SCALE : 0) | (s->add && s->keep ? KEEP : 0) |
           (s->mask ? MASK : 0) | (s->mask && s->mask_scale ? MASK_SCALE : 0) |
           (!s->sums      ? 0
            : !s->partner ? STATISTICS
            : s->partner2 ? PARTNER | PARTNER2
                          : PARTNER);
}

/* A channel vector's constants and running sums; the sums are floats over one call and double beyond it. */
struct store_state {
    vf add_scale, mask_scale, mask_shift, pivot, pivot2;
    vf sum, dot, dot2;
};

INLINE vf store_value(const struct skl_kernel_result *s, const struct store_state *t, const float *src, size_t e, int n,
                      int ask)
{
    vf v = vf_load_n(src, n);
    if (ask & ADD) v = with_added(v, s->add, t->add_scale, s->keep, e, n, ask);
    if (ask & MASK) {
        vf g = vf_load_n(s->mask + e, n);
        if (ask & MASK_SCALE) g = vf_fma(t->mask_scale, g, t->mask_shift);
        v = vf_where(vm_greater(g, vf_zero()), v);
    }
    return v;
}

INLINE void store_pixel(const struct skl_kernel_result *s, struct store_state *t, const float *src, size_t e, int n,
                        int ask)
{
    vf v = store_value(s, t, src, e, n, ask);
    if (ask & (ADD | MASK)) vf_store_n(s->y + e, v, n); /* else it stands there already: place_at */
    if (ask & STATISTICS) v -= t->pivot;
    if (ask & (STATISTICS | PARTNER)) t->sum += v;
    if (ask & STATISTICS) t->dot = vf_fma(v, v, t->dot);
    if (ask & PARTNER) t->dot = vf_fma(v, vf_load_n(s->partner + e, n) - t->pivot, t->dot);
    if (ask & PARTNER2) t->dot2 = vf_fma(v, vf_load_n(s->partner2 + e, n) - t->pivot2, t->dot2);
}

INLINE void add_lanes(double *total, vf a, int n)
{
    float lane[LANES];
    vf_store(lane, a);
    for (int i = 0; i < n; i++) total[i] += (double)lane[i];
}

INLINE vf load_or_zero(const float *p, int ch, int n) { return p ? vf_load_n(p + ch, n) : vf_zero(); }

/* Channels [ch, ch + n) of all pixels.  Even and odd pixels have sums of their own: two shorter chains of additions. */
INLINE void store_channels(const struct skl_kernel_result *job, size_t first, int pixels, int c, int ch, int n,
                           const float *src, struct skl_sums *sums, int ask)
{
    const struct skl_kernel_result copy = *job, *s = &copy; /* as in load_channels */
    const size_t step = (size_t)c;
    size_t e = first * step + (size_t)ch;
    struct store_state even = {0}, odd;
    src += ch;
    if (ask & ADD_SCALE) even.add_scale = vf_load_n(s->add_scale + ch, n);
    if (ask & MASK_SCALE) {
        even.mask_scale = vf_load_n(s->mask_scale + ch, n);
        even.mask_shift = vf_load_n(s->mask_shift + ch, n);
    }
    if (ask & PARTNER) even.pivot = load_or_zero(s->pivot, ch, n);
    if (ask & PARTNER2) even.pivot2 = load_or_zero(s->pivot2, ch, n);
    if (ask & STATISTICS) {
        if (sums->count == 0) vf_store_n(sums->pivot + ch, store_value(s, &even, src, e, n, ask), n);
        even.pivot = vf_load_n(sums->pivot + ch, n);
    }
    odd = even;
    int p = 0;
    for (; p + 2 <= pixels; p += 2, e += 2 * step, src += 2 * step) {
        store_pixel(s, &even, src, e, n, ask);
        store_pixel(s, &odd, src + step, e + step, n, ask);
    }
    if (p < pixels) store_pixel(s, &even, src, e, n, ask);
    if (ask & (STATISTICS | PARTNER)) {
        add_lanes(sums->sum + ch, even.sum + odd.sum, n);
        add_lanes(sums->dot + ch, even.dot + odd.dot, n);
    }
    if (ask & PARTNER2) add_lanes(sums->dot2 + ch, even.dot2 + odd.dot2, n);
}

INLINE void store_template(const struct skl_kernel_result *s, size_t first, int pixels, int c, const float *src,
                           struct skl_sums *sums, int ask)
{
    int ch = 0;
    if (pixels <= 0) return;
    for (; ch + LANES <= c; ch += LANES) store_channels(s, first, pixels, c, ch, LANES, src, sums, ask);
    if (ch < c) store_channels(s, first, pixels, c, ch, c - ch, src, sums, ask);
    if (ask & (STATISTICS | PARTNER)) sums->count += pixels;
}

#define STORE(name, ask) \
    static void store_##name(const struct skl_kernel_result *s, size_t first, int pixels, int c, const float *src, \
                             struct skl_sums *sums) \
    { \
        store_template(s, first, pixels, c, src, sums, ask); \
    }
#define STORES(X) \
    X(add, ADD) \
    X(mask, MASK) \
    X(add_mask, ADD | MASK) \
    X(statistics, STATISTICS) \
    X(add_statistics, ADD | STATISTICS) \
    X(scaled_statistics, ADD | ADD_SCALE | STATISTICS) \
    X(bn_mask_sums, MASK | MASK_SCALE | PARTNER) \
    X(sums, PARTNER) \
    X(add_sums, ADD | PARTNER) \
    X(mask_sums, MASK | PARTNER) \
    X(mask_two_sums, MASK | PARTNER | PARTNER2) \
    X(add_mask_sums, ADD | MASK | PARTNER) \
    X(add_mask_two_sums, ADD | MASK | PARTNER | PARTNER2) \
    X(scaled_mask_sums, ADD | ADD_SCALE | MASK | PARTNER) \
    X(dropped_mask_sums, ADD | ADD_SCALE | KEEP | MASK | PARTNER)
STORES(STORE)
STORE(any, store_ask(s))

static void store_raw(const struct skl_kernel_result *s, size_t first, int pixels, int c, const float *src,
                      struct skl_sums *sums)
{
}

skl_store_fn *skl_pick_store(const struct skl_kernel_result *s)
{
#define CASE(name, ask) \
    case ask: \
        return store_##name;
    switch (store_ask(s)) {
    case 0:
        return store_raw;
        STORES(CASE)
    default:
        return store_any;
    }
#undef CASE
}

static void store_rows(const struct skl_kernel_result *s, size_t first, int pixels, int c, const float *src,
                       struct skl_sums *sums)
{
    float *y = s->y + first * (size_t)c;
    if (keeps_values(s) && y != src) memcpy(y, src, sizeof *src * (size_t)pixels * (size_t)c);
    skl_pick_store(s)(s, first, pixels, c, keeps_values(s) ? y : src, sums);
}

/* ---- random masks: the same bits as skl_philox, LANES64 counters at a time ---- */
struct philox {
    vu c0, c1, c2, c3;
};

INLINE struct philox philox_round(struct philox c, uint32_t k0, uint32_t k1)
{
    vu p0 = vu_mul32(c.c0, (vu){0} + 0xD2511F53u), p1 = vu_mul32(c.c2, (vu){0} + 0xCD9E8D57u);
    return (struct philox){(p1 >> 32) ^ c.c1 ^ (uint64_t)k0, p1 & 0xffffffffu, (p0 >> 32) ^ c.c3 ^ (uint64_t)k1,
                           p0 & 0xffffffffu};
}

INLINE struct philox philox(uint64_t key, uint64_t counter)
{
    vu lane = {0};
    for (int i = 0; i < LANES64; i++) lane[i] = counter + (uint64_t)i;
    struct philox c = {lane & 0xffffffffu, lane >> 32, (vu){0}, (vu){0}};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int i = 0; i < 10; i++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) c = philox_round(c, k0, k1);
    return c;
}

/* One counter gives the bits of 4 elements, so two give a byte. */
static void keep_bits(uint64_t key, double drop, uint64_t first, size_t n, uint8_t *bits)
{
    const vu limit = (vu){0} + (uint64_t)ceil(drop * 4294967296.0);
    const uint64_t counter = first / 4, counters = n / 4;
    for (uint64_t i = 0; i < counters; i += LANES64) {
        struct philox r = philox(key, counter + i);
        vu four = ((vu)(r.c0 >= limit) & 1) | ((vu)(r.c1 >= limit) & 2) | ((vu)(r.c2 >= limit) & 4) |
                  ((vu)(r.c3 >= limit) & 8);
        for (int j = 0; j < LANES64 && i + (uint64_t)j < counters; j += 2)
            *bits++ = (uint8_t)(four[j] | four[j + 1] << 4);
    }
}

/* ---- sigmoid ---- */
/* e^x for x in [-87, 88]: x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its series to r^7 (truncation under 2^-27).
 * ln 2 is split so that n times its high part is exact. */
INLINE vf exp_clamped(vf x)
{
    const float coefficient[] = {1 / 5040.0f, 1 / 720.0f, 1 / 120.0f, 1 / 24.0f, 1 / 6.0f, 0.5f, 1, 1};
    vf n = vf_round(x * vf_set1(1.44269504f));
    vf r = vf_fnma(n, vf_set1(-2.12194440e-4f), vf_fnma(n, vf_set1(0.693359375f), x));
    vf e = vf_set1(coefficient[0]);
    for (int i = 1; i < 8; i++) e = vf_fma(e, r, vf_set1(coefficient[i]));
    return vf_scale2(e, n);
}

INLINE vf sigmoid_vector(vf x)
{
    vf t = vf_min(vf_set1(88), vf_max(vf_set1(-87), -x)); /* not a number stays so: it is the second operand */
    return vf_set1(1) / (vf_set1(1) + exp_clamped(t));
}

static void sigmoid(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) vf_store(y + i, sigmoid_vector(vf_load(x + i)));
    if (i < n) vf_store_n(y + i, sigmoid_vector(vf_load_n(x + i, (int)(n - i))), (int)(n - i));
}

/* ---- SGD, pooling, sums over chunks ---- */
struct rates {
    vf lr, momentum, decay;
    bool caffe, nesterov;
};
INLINE void sgd_vector(float *w, const float *g, float *v, const struct rates *r, int n)
{
    const vf weight = vf_load_n(w, n), full = vf_load_n(g, n) + r->decay * weight, d = r->caffe ? r->lr * full : full;
    const vf velocity = r->momentum * vf_load_n(v, n) + d;
    const vf step = r->nesterov ? d + r->momentum * velocity : velocity;
    vf_store_n(v, velocity, n);
    vf_store_n(w, weight - (r->caffe ? step : r->lr * step), n);
}

static void sgd(size_t n, float *w, const float *g, float *v, float lr, float momentum, float weight_decay, bool caffe,
                bool nesterov)
{
    const struct rates r = {vf_set1(lr), vf_set1(momentum), vf_set1(weight_decay), caffe, nesterov};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) sgd_vector(w + i, g + i, v + i, &r, LANES);
    if (i < n) sgd_vector(w + i, g + i, v + i, &r, (int)(n - i));
}

static void pool(int pixels, int c, const float *x, float *y)
{
    for (int ch = 0; ch < c; ch += LANES) {
        int n = c - ch < LANES ? c - ch : LANES;
        vf sum = vf_zero();
        for (int p = 0; p < pixels; p++) sum += vf_load_n(x + (size_t)p * (size_t)c + ch, n);
        vf_store_n(y + ch, sum / vf_set1((float)pixels), n);
    }
}

/* ---- max pooling: loops that the compiler makes vectors of ---- */
enum { POOLED = 64 }; /* channels at a time */

/* What is larger, or not a number where none was before, takes its place. */
INLINE void look(int n, const float *x, int32_t number, float *most, int32_t *chosen)
{
    for (int i = 0; i < n; i++) {
        const bool takes = (x[i] > most[i]) | ((x[i] != x[i]) & (most[i] == most[i]));
        most[i] = takes ? x[i] : most[i];
        chosen[i] = takes ? number : chosen[i];
    }
}

INLINE void max_pool_block(const float *const rows[3], int left, int w, int c, int n, float *y, uint8_t *chosen)
{
    float most[POOLED];
    int32_t number[POOLED];
    bool begun = false;
    for (int i = 0; i < 3; i++)
        for (int j = 0; rows[i] && j < 3; j++) {
            if (left + j < 0 || left + j >= w) continue;
            const float *x = rows[i] + (size_t)(left + j) * (size_t)c;
            for (int k = 0; !begun && k < n; k++) most[k] = x[k], number[k] = 3 * i + j;
            if (begun) look(n, x, 3 * i + j, most, number);
            begun = true;
        }
    memcpy(y, most, sizeof *y * (size_t)n);
    for (int k = 0; chosen && k < n; k++) chosen[k] = (uint8_t)number[k];
}

static void max_pool(const float *const rows[3], int w, int c, float *y, uint8_t *chosen)
{
    for (int ox = 0; ox < (w + 1) / 2; ox++)
        for (int ch = 0; ch < c; ch += POOLED) {
            const float *const at[3] = {rows[0] ? rows[0] + ch : NULL, rows[1] + ch, rows[2] ? rows[2] + ch : NULL};
            const size_t to = (size_t)ox * (size_t)c + (size_t)ch;
            uint8_t *number = chosen ? chosen + to : NULL;
            if (c - ch >= POOLED)
                max_pool_block(at, 2 * ox - 1, w, c, POOLED, y + to, number);
            else
                max_pool_block(at, 2 * ox - 1, w, c, c - ch, y + to, number);
        }
}

static void max_unpool(const struct skl_pooled_row *pooled, int count, int w, int c, float *dx)
{
    memset(dx, 0, sizeof *dx * (size_t)w * (size_t)c);
    for (int r = 0; r < count; r++)
        for (int ox = 0; ox < (w + 1) / 2; ox++)
            for (int j = 0, x = 2 * ox - 1; j < 3; j++, x++) {
                if (x < 0 || x >= w) continue;
                const float *restrict dy = pooled[r].dy + (size_t)ox * (size_t)c;
                const uint8_t *restrict chosen = pooled[r].chosen + (size_t)ox * (size_t)c;
                float *restrict to = dx + (size_t)x * (size_t)c;
                const uint8_t number = (uint8_t)(3 * pooled[r].i + j);
                for (int ch = 0; ch < c; ch++) to[ch] += chosen[ch] == number ? dy[ch] : 0;
            }
}

INLINE void sum_vector(const float *partial, int chunks, size_t stride, bool accumulate, float *dw, int n)
{
    vf sum = vf_load_n(partial, n);
    for (int i = 1; i < chunks; i++) sum += vf_load_n(partial + (size_t)i * stride, n);
    vf_store_n(dw, accumulate ? vf_load_n(dw, n) + sum : sum, n);
}

void skl_sum_partials(const struct skl_conv_shape *s, const float *partial, int chunks, size_t stride, int c0, int c1,
                      bool accumulate, float *dw)
{
    const size_t tap_floats = (size_t)s->c * (size_t)s->k, begin = (size_t)c0 * (size_t)s->k,
                 end = (size_t)c1 * (size_t)s->k;
    for (int tap = 0; tap < s->size * s->size; tap++) {
        size_t i = (size_t)tap * tap_floats + begin, stop = (size_t)tap * tap_floats + end;
        for (; i + LANES <= stop; i += LANES) sum_vector(partial + i, chunks, stride, accumulate, dw + i, LANES);
        if (i < stop) sum_vector(partial + i, chunks, stride, accumulate, dw + i, (int)(stop - i));
    }
}

/* Enough independent chains to hide the latency of a multiply-add on both pipes. */
static double fma_burst(int64_t rounds)
{
    enum { CHAINS = VECTOR_REGISTERS == 32 ? 20 : 12 };
    vf chain[CHAINS];
    const vf a = vf_set1(0.999f), b = vf_set1(1e-3f);
    for (int i = 0; i < CHAINS; i++) chain[i] = vf_set1((float)i);
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 20
        for (int i = 0; i < CHAINS; i++) chain[i] = vf_fma(chain[i], a, b);
    vf sum = vf_zero();
    for (int i = 0; i < CHAINS; i++) sum += chain[i];
    float keep[LANES];
    vf_store(keep, sum);
    __asm__ volatile("" : : "g"(keep) : "memory");
    return 2.0 * CHAINS * LANES * (double)rounds;
}

extern const struct skl_kernels SKL_NAME(skl_table);
const struct skl_kernels SKL_NAME(skl_table) = {
    .level = SKL_LEVEL_TEXT,
    .cpu = SKL_LEVEL_ID,
    .load_rows = load_rows,
    .store_rows = store_rows,
    .keep_bits = keep_bits,
    .sigmoid = sigmoid,
    .sgd = sgd,
    .pool = pool,
    .max_pool = max_pool,
    .max_unpool = max_unpool,
    .fma_burst = fma_burst,
};
