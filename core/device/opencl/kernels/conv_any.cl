/* conv_any.cl - a convolution of any size, stride and channels, forward or the data's gradient, as a matrix product:
 * rows are the output's pixels of all images, the sum goes over r = (tap, source channel).
 *
 * -D: NT output channels a work-group (16, 32, 64);  QUAD 1: the output's channels are a multiple of 4. */
#define ITEMS 256
#define QUADS (NT / 4)
#define ROWS (ITEMS / QUADS) /* of items; each makes 4 pixels of 4 channels */
#define MT (4 * ROWS)
#define RB 16
#define X_ROW (MT + 4)
#define W_ROW (NT + 4)
#define TILES (RB * (X_ROW + W_ROW))
#define ROOM (TILES > 4 * SUMS_NUMBERS * ITEMS ? TILES : 4 * SUMS_NUMBERS * ITEMS)

struct shape {
    int h, w, c, oh, ow, oc, size, stride, back;
};

/* Where the taps of output pixel m begin: its image, and the source's row and column of tap 0; image -1: no such
 * pixel. */
static int4 pixel_place(const struct shape *s, int m, int end)
{
    const int x = m % s->ow, y = m / s->ow % s->oh, pad = s->size / 2;
    if (m >= end) return (int4)(-1, 0, 0, 0);
    if (s->back) return (int4)(m / (s->ow * s->oh), y + pad, x + pad, 0);
    return (int4)(m / (s->ow * s->oh), y * s->stride - pad, x * s->stride - pad, 0);
}

static float source_value(const struct operand *l, const struct shape *s, int4 place, int a, int b, int c)
{
    int y = s->back ? place.y - a : place.y + a, x = s->back ? place.z - b : place.z + b;
    if (s->back && s->stride > 1) {
        if (y % s->stride != 0 || x % s->stride != 0) return 0;
        y /= s->stride, x /= s->stride;
    }
    if (place.x < 0 || y < 0 || y >= s->h || x < 0 || x >= s->w) return 0;
    return load_value1(l, (((ulong)place.x * s->h + y) * s->w + x) * s->c + c, c);
}

/* xt[r][pixel]: 16 items read along the channels of a pixel. */
static void fill_source(const struct operand *l, const struct shape *s, int r0, int sum, __local const int4 *place,
                        __local float *xt)
{
    const int t = get_local_id(0), lane = t % RB, r = r0 + lane, tap = r / s->c, c = r % s->c;
    const int a = tap / s->size, b = tap % s->size;
    for (int m = t / RB; m < MT; m += ITEMS / RB)
        xt[lane * X_ROW + m] = r < sum ? source_value(l, s, place[m], a, b, c) : 0;
}
/* wt[r][k]. */
static void fill_weights(__global const float *w, const struct shape *s, int r0, int sum, int k0, __local float *wt)
{
    for (int i = get_local_id(0); i < RB * NT; i += ITEMS) {
        const int lane = s->back ? i % RB : i / NT, k = k0 + (s->back ? i / RB : i % NT), r = r0 + lane;
        float v = 0;
        if (r < sum && k < s->oc)
            v = s->back ? w[((ulong)(r / s->c) * s->oc + k) * s->c + r % s->c] : w[(ulong)r * s->oc + k];
        wt[lane * W_ROW + k - k0] = v;
    }
}

static void store_pixels(const struct result *s, const struct shape *shape, int m0, int end, int k, const float4 sum[4],
                         struct share4 *share)
{
#if QUAD
    if (k < shape->oc)
        UNROLLED
        for (int p = 0; p < 4; p++)
            if (m0 + p < end) store_value4(s, (ulong)(m0 + p) * shape->oc + k, k, sum[p], share);
#else
    struct share1 one[4] = {NO_SHARE, NO_SHARE, NO_SHARE, NO_SHARE};
    UNROLLED
    for (int p = 0; p < 4; p++) {
        float v[4];
        vstore4(sum[p], 0, v);
        UNROLLED
        for (int j = 0; j < 4; j++)
            if (m0 + p < end && k + j < shape->oc)
                store_value1(s, (ulong)(m0 + p) * shape->oc + k + j, k + j, v[j], &one[j]);
    }
    share->sum = (float4)(one[0].sum, one[1].sum, one[2].sum, one[3].sum);
    share->dot = (float4)(one[0].dot, one[1].dot, one[2].dot, one[3].dot);
    share->dot2 = (float4)(one[0].dot2, one[1].dot2, one[2].dot2, one[3].dot2);
    share->pivot = (float4)(one[0].pivot, one[1].pivot, one[2].pivot, one[3].pivot);
    share->count = one[0].count;
#endif
}

static void put_group(const struct result *s, const struct shape *shape, int k, struct sums4 r)
{
#if QUAD
    if (k < shape->oc) put_sums4(s, get_group_id(0), shape->oc, k, r);
#else
    float a[4], b[4], n[4], pivot[4];
    vstore4(r.a, 0, a), vstore4(r.b, 0, b), vstore4(r.n, 0, n), vstore4(r.pivot, 0, pivot);
    UNROLLED
    for (int j = 0; j < 4; j++) {
        const struct sums1 one = {a[j], b[j], n[j], pivot[j]};
        if (k + j < shape->oc) put_sums1(s, get_group_id(0), shape->oc, k + j, one);
    }
#endif
}

KERNEL(ITEMS)
conv_any(OPERAND_PARAMS(l_), TENSOR(w), RESULT_PARAMS(s_), int h, int width, int c, int oh, int ow, int oc, int size,
         int stride, int back, int pixels, int span)
{
    __local float room[ROOM] __attribute__((aligned(16)));
    __local int4 place[MT];
    const int g = BN_GROUP, end = (g + 1) * pixels;
    const struct operand l = OPERAND(l_, g * c);
    const struct result s = RESULT(s_, g * oc);
    const struct shape shape = {h, width, c, oh, ow, oc, size, stride, back};
    const int t = get_local_id(0), quad = t % QUADS, row = t / QUADS;
    const int m0 = g * pixels + IN_GROUP * MT, k0 = get_group_id(1) * NT;
    const int all = size * size * c;
    __local float *xt = room, *wt = room + RB * X_ROW;
    float4 sum[4] = {0, 0, 0, 0};
    for (int m = t; m < MT; m += ITEMS) place[m] = pixel_place(&shape, m0 + m, end);
    for (int r0 = 0; r0 < all; r0 += RB) {
        barrier(CLK_LOCAL_MEM_FENCE);
        fill_source(&l, &shape, r0, all, place, xt);
        fill_weights(AT(w), &shape, r0, all, k0, wt);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int r = 0; r < RB; r++) {
            const float4 x = *(__local const float4 *)(xt + r * X_ROW + row * 4);
            const float4 v = *(__local const float4 *)(wt + r * W_ROW + quad * 4);
            sum[0] = fma(v, x.x, sum[0]), sum[1] = fma(v, x.y, sum[1]);
            sum[2] = fma(v, x.z, sum[2]), sum[3] = fma(v, x.w, sum[3]);
        }
    }
    struct share4 share = NO_SHARE;
    store_pixels(&s, &shape, m0 + row * 4, end, k0 + quad * 4, sum, &share);
#if SUMS
    __local float4 *red = (__local float4 *)room;
    join_rows4(SUMS == STATISTICS, red, ITEMS, ROWS, QUADS, row, quad, sums_of4(&share));
    if (t >= QUADS) return;
    put_group(&s, &shape, k0 + t * 4, sums_at4(red, ITEMS, t));
#endif
}
