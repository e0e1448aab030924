/* store.cl - a result takes a value, and one item's share of the sums. */
struct N(share) {
    REAL sum, dot, dot2, pivot; /* statistics of y: sum and dot of y - pivot, the item's first value */
    int count;
};
#define NO_SHARE \
    { \
        0, 0, 0, 0, 0 \
    }

static void N(add_share)(const struct result *s, ulong i, int c, REAL v, struct N(share) *share)
{
#if SUMS == STATISTICS
    if (share->count++ == 0) share->pivot = v;
    const REAL d = v - share->pivot;
    share->sum += d;
    share->dot = fma(d, d, share->dot);
#else
    REAL p = GET(s->partner, i);
    if (s->flags & RESULT_PIVOT) p -= GET(s->pivot, c);
    share->sum += v;
    share->dot = fma(v, p, share->dot);
    if (!(s->flags & RESULT_PARTNER2)) return;
    p = GET(s->partner2, i);
    if (s->flags & RESULT_PIVOT2) p -= GET(s->pivot2, c);
    share->dot2 = fma(v, p, share->dot2);
#endif
}

static void N(store_value)(const struct result *s, ulong i, int c, REAL v, struct N(share) *share)
{
    if (s->flags & RESULT_ADD) {
        REAL a = GET(s->add, i);
        if (s->flags & RESULT_KEEP) a = select((REAL)0, a, N(kept)(s->keep, i));
        v = s->flags & RESULT_ADD_SCALE ? fma(GET(s->add_scale, c), a, v) : v + a;
    }
    if (s->flags & RESULT_MASK) {
        REAL m = GET(s->mask, i);
        if (s->flags & RESULT_MASK_SCALE) m = fma(GET(s->mask_scale, c), m, GET(s->mask_shift, c));
        v = select((REAL)0, v, m > 0.0f);
    }
    PUT(s->y, i, v);
#if SUMS
    N(add_share)(s, i, c, v, share);
#endif
}

/* Four numbers a channel (SUMS_NUMBERS): sum, dot, dot2, 0; or for statistics the mean's distance from a pivot, squared
 * distances from the mean, count, and the pivot.  Pivot and distance are never added up before the end: float32 cannot
 * hold a mean that is many times the deviation well enough for the distances between means. */
struct N(sums) {
    REAL a, b, n, pivot;
};
static struct N(sums) N(sums_of)(const struct N(share) *share)
{
    struct N(sums) r = {share->sum, share->dot, share->dot2, 0};
#if SUMS == STATISTICS
    const float n = share->count;
    r.a = n > 0 ? share->sum / n : (REAL)0;
    r.b = fmax(share->dot - share->sum * r.a, (REAL)0) + (share->dot - share->dot); /* not a number stays so */
    r.n = n;
    r.pivot = share->pivot;
#endif
    return r;
}
/* Statistics by Chan, Golub and LeVeque, 1979; the pivots' difference comes first, it is all but exact. */
static struct N(sums) N(joined)(int statistics, struct N(sums) x, struct N(sums) y)
{
    struct N(sums) r = {x.a + y.a, x.b + y.b, x.n + y.n, 0};
    if (!statistics) return r;
    const REAL d = (y.pivot - x.pivot) + (y.a - x.a), f = y.n / fmax(r.n, 1.0f);
    r.pivot = select(x.pivot, y.pivot, x.n == 0.0f);
    r.a = select(fma(d, f, x.a), y.a, x.n == 0.0f);
    r.b = r.b + select(d * d * (x.n * f), (REAL)0, x.n == 0.0f || y.n == 0.0f);
    r.a = select(r.a, x.a, y.n == 0.0f);
    return r;
}

static struct N(sums) N(sums_at)(__local const REAL *red, int stride, int at)
{
    const struct N(sums) r = {red[at], red[stride + at], red[2 * stride + at], red[3 * stride + at]};
    return r;
}
static void N(keep_sums)(__local REAL *red, int stride, int at, struct N(sums) r)
{
    red[at] = r.a, red[stride + at] = r.b, red[2 * stride + at] = r.n, red[3 * stride + at] = r.pivot;
}
/* Joins the shares of `rows` rows (a power of two) of `width` columns of items: red[row * width + column], in
 * SUMS_NUMBERS arrays of `stride`.  All items of the group call it; row 0's columns hold the result.  (Nothing is
 * carried over a barrier in a variable: pocl 3.1 loses what began as a constant.) */
static void N(join_rows)(int statistics, __local REAL *red, int stride, int rows, int width, int row, int column,
                         struct N(sums) mine)
{
    const int at = row * width + column;
    barrier(CLK_LOCAL_MEM_FENCE);
    N(keep_sums)(red, stride, at, mine);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_rows = rows / 2; half_rows > 0; half_rows /= 2) {
        if (row < half_rows) {
            const struct N(sums) x = N(sums_at)(red, stride, at), y = N(sums_at)(red, stride, at + half_rows * width);
            N(keep_sums)(red, stride, at, N(joined)(statistics, x, y));
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
static void N(put_sums)(const struct result *s, ulong group, int channels, int c, struct N(sums) r)
{
    __global float *to = s->part + group * SUMS_NUMBERS * channels + c;
    PUT(to, 0, r.a);
    PUT(to, channels, r.b);
    PUT(to, 2 * channels, r.n);
#if SUMS == STATISTICS
    PUT(to, 3 * channels, r.pivot);
#endif
}
