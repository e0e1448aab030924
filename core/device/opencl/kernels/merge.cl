/* merge.cl - how shortcut and branch meet, as a pass of its own: a variant's formula (formula_forward, formula_backward
 * stand before this text), or -DAFFINE=1: y = a h + b f.  Work-groups as in map.cl. */
#define ITEMS 256
#ifndef AFFINE
#define AFFINE 0
#endif

static uint random_word(ulong key, ulong e)
{
    const uint4 c = philox(key, e / 4);
    const int w = e % 4;
    return w == 0 ? c.x : w == 1 ? c.y : w == 2 ? c.z : c.w;
}

struct coefficients {
    __global const float *a, *b;
    int a_span, b_span;
    ulong key, limit, first; /* the mask: element `first` of the mini-batch is this tensor's first */
    int image_pixels;
};
#define COEF_PARAMS TENSOR(a), TENSOR(b), int a_span, int b_span, ulong key, ulong limit, ulong first, int image_pixels
#define COEF(skip) \
    { \
        AT(a) + (a_span == SPAN_IMAGE ? 0 : skip), AT(b) + (b_span == SPAN_IMAGE ? 0 : skip), a_span, b_span, key, \
            limit, first, image_pixels \
    }
static float coef_a(const struct coefficients *k, int pixel, int c)
{
    return k->a[k->a_span == SPAN_IMAGE ? pixel / k->image_pixels : c];
}
static float coef_b(const struct coefficients *k, int pixel, int c)
{
    return k->b[k->b_span == SPAN_IMAGE ? pixel / k->image_pixels : c];
}
static float mask_of(const struct coefficients *k, ulong i)
{
    return k->a_span != SPAN_MASK || random_word(k->key, k->first + i) >= k->limit ? 1 : 0;
}

/* h as the variant sees it: loaded, and through the sigmoid where that is declared (sigmoid 1) and not yet done. */
static float seen_h(const struct operand *h, ulong at, int c, int sigmoid)
{
    const float v = load_value1(h, at, c);
    return sigmoid ? skl_sigmoid(v) : v;
}

/* sigmoid 2: what goes through it is left at h.x, for backward. */
KERNEL(ITEMS)
merge_forward(TENSOR(x), OPERAND_PARAMS(l_), OPERAND_PARAMS(x_), RESULT_PARAMS(s_), int sigmoid, int relu, int pixels,
              int c, int lanes, int per, float8 numbers, COEF_PARAMS, int span)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int g = BN_GROUP;
    const struct operand h = OPERAND(l_, g * c), f = OPERAND(x_, g * c);
    const struct result s = RESULT(s_, g * c);
    const struct coefficients k = COEF(g * c);
    const int t = get_local_id(0), lane = t % lanes, row = t / lanes, ch = get_group_id(1) * lanes + lane;
    const int start = g * pixels + IN_GROUP * per, end = min((g + 1) * pixels, start + per);
    float p[8];
    vstore8(numbers, 0, p);
    struct share1 share = NO_SHARE;
    if (ch < c)
        for (int pixel = start + row; pixel < end; pixel += ITEMS / lanes) {
            const ulong at = (ulong)pixel * c + ch;
            const float hv = seen_h(&h, at, ch, sigmoid), fv = load_value1(&f, at, ch);
            if (sigmoid == 2) ((__global float *)h.x)[at] = hv;
#if AFFINE
            float y = fma(coef_b(&k, pixel, ch), fv, coef_a(&k, pixel, ch) * mask_of(&k, at) * hv);
#else
            float y = formula_forward(p, AT(x)[at], hv, fv);
#endif
            if (relu && y <= 0) y = 0;
            store_value1(&s, at, ch, y, &share);
        }
#if SUMS
    join_rows1(1, red, ITEMS, ITEMS / lanes, lanes, row, lane, sums_of1(&share));
    if (row == 0 && ch < c) put_sums1(&s, get_group_id(0), c, ch, sums_at1(red, ITEMS, lane));
#endif
}

/* layers: h comes out of layers, dh is written; else h is x and dh belongs to dx.  -DMORE=1: sums of dh, and in way 1
 * of dy h and dy f, go to `part`. */
KERNEL(ITEMS)
merge_backward(TENSOR(x), TENSOR(dy), OPERAND_PARAMS(l_), OPERAND_PARAMS(x_), RESULT_PARAMS(s_), TENSOR(dx), TENSOR(dh),
               int to_dx, int layers, TENSOR(part), int sigmoid, int pixels, int c, int lanes, int per, float8 numbers,
               COEF_PARAMS, int span)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int g = BN_GROUP;
    const struct operand h = OPERAND(l_, g * c), f = OPERAND(x_, g * c);
    const struct result s = RESULT(s_, g * c);
    const struct coefficients k = COEF(g * c);
    const int t = get_local_id(0), lane = t % lanes, row = t / lanes, ch = get_group_id(1) * lanes + lane;
    const int start = g * pixels + IN_GROUP * per, end = min((g + 1) * pixels, start + per);
    float p[8];
    vstore8(numbers, 0, p);
    struct share1 share = NO_SHARE;
    struct sums1 other = {0, 0, 0, 0};
    if (ch < c)
        for (int pixel = start + row; pixel < end; pixel += ITEMS / lanes) {
            const ulong at = (ulong)pixel * c + ch;
            const float hv = seen_h(&h, at, ch, sigmoid == 1), fv = load_value1(&f, at, ch), dyv = AT(dy)[at];
            float dxv = 0, dhv, dfv;
#if AFFINE
            const float m = mask_of(&k, at);
            dhv = coef_a(&k, pixel, ch) * m * dyv;
            dfv = coef_b(&k, pixel, ch) * dyv;
            other.b = fma(dyv * m, hv, other.b);
            other.n = fma(dyv, fv, other.n);
#else
            formula_backward(p, AT(x)[at], hv, fv, dyv, &dxv, &dhv, &dfv);
#endif
            if (sigmoid) dhv *= hv * (1 - hv);
            other.a += dhv;
            if (to_dx) AT(dx)[at] = layers ? dxv : dxv + dhv;
            if (layers) AT(dh)[at] = dhv;
            store_value1(&s, at, ch, dfv, &share);
        }
#if SUMS
    join_rows1(0, red, ITEMS, ITEMS / lanes, lanes, row, lane, sums_of1(&share));
    if (row == 0 && ch < c) put_sums1(&s, get_group_id(0), c, ch, sums_at1(red, ITEMS, lane));
#endif
#if MORE
    join_rows1(0, red, ITEMS, ITEMS / lanes, lanes, row, lane, other);
    __global float *to = AT(part) + (ulong)get_group_id(0) * SUMS_NUMBERS * c + ch;
    if (row == 0 && ch < c) to[0] = red[lane], to[c] = red[ITEMS + lane], to[2 * c] = red[2 * ITEMS + lane];
#endif
}
