/* store.cl - writing through a store, and one item's share of the sums. */
struct N(share) {
    REAL sum, dot, dot2, pivot; /* statistics of y: sum and dot of y - pivot, the item's first value */
    int count;
};
#define NO_SHARE \
    { \
        0, 0, 0, 0, 0 \
    }

static void N(add_share)(const struct store *s, ulong i, int c, REAL v, struct N(share) *share)
{
#if SUMS == STATISTICS
    if (share->count++ == 0) share->pivot = v;
    const REAL d = v - share->pivot;
    share->sum += d;
    share->dot = fma(d, d, share->dot);
#else
    REAL p = GET(s->partner, i);
    if (s->flags & STORE_PIVOT) p -= GET(s->pivot, c);
    share->sum += v;
    share->dot = fma(v, p, share->dot);
    if (!(s->flags & STORE_PARTNER2)) return;
    p = GET(s->partner2, i);
    if (s->flags & STORE_PIVOT2) p -= GET(s->pivot2, c);
    share->dot2 = fma(v, p, share->dot2);
#endif
}

static void N(store_value)(const struct store *s, ulong i, int c, REAL v, struct N(share) *share)
{
    if (s->flags & STORE_ADD) {
        REAL a = GET(s->add, i);
        if (s->flags & STORE_KEEP) a = select((REAL)0, a, N(kept)(s->keep, i));
        v = s->flags & STORE_ADD_SCALE ? fma(GET(s->add_scale, c), a, v) : v + a;
    }
    if (s->flags & STORE_GATE) {
        REAL g = GET(s->gate, i);
        if (s->flags & STORE_GATE_SCALE) g = fma(GET(s->gate_scale, c), g, GET(s->gate_shift, c));
        v = select((REAL)0, v, g > 0.0f);
    }
    PUT(s->y, i, v);
#if SUMS
    N(add_share)(s, i, c, v, share);
#endif
}

/* Three numbers a channel: sum, dot, dot2, or for statistics mean, squared distances from it, count. */
struct N(three) {
    REAL a, b, n;
};
static struct N(three) N(three_of)(const struct N(share) *share)
{
    struct N(three) r = {share->sum, share->dot, share->dot2};
#if SUMS == STATISTICS
    const float n = share->count;
    const REAL shift = n > 0 ? share->sum / n : (REAL)0;
    r.a = share->pivot + shift;
    r.b = fmax(share->dot - share->sum * shift, (REAL)0) + (share->dot - share->dot); /* not a number stays so */
    r.n = n;
#endif
    return r;
}
/* Statistics by Chan, Golub and LeVeque, 1979. */
static struct N(three) N(joined)(int statistics, struct N(three) x, struct N(three) y)
{
    struct N(three) r = {x.a + y.a, x.b + y.b, x.n + y.n};
    if (!statistics) return r;
    const REAL d = y.a - x.a, f = y.n / fmax(r.n, 1.0f);
    r.a = select(fma(d, f, x.a), y.a, x.n == 0.0f);
    r.b = r.b + select(d * d * (x.n * f), (REAL)0, x.n == 0.0f || y.n == 0.0f);
    r.a = select(r.a, x.a, y.n == 0.0f);
    return r;
}

/* Joins the shares of `rows` rows (a power of two) of `width` columns of items: red[row * width + column], in three arrays
 * of `stride`.  All items of the group call it; row 0's columns hold the result.  (Nothing is carried over a barrier in a
 * variable: pocl 3.1 loses what began as a constant.) */
static void N(join_rows)(int statistics, __local REAL *red, int stride, int rows, int width, int row, int column,
                         struct N(three) mine)
{
    __local REAL *a = red, *b = red + stride, *n = red + 2 * stride;
    const int at = row * width + column;
    barrier(CLK_LOCAL_MEM_FENCE);
    a[at] = mine.a, b[at] = mine.b, n[at] = mine.n;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_rows = rows / 2; half_rows > 0; half_rows /= 2) {
        if (row < half_rows) {
            const int to = at + half_rows * width;
            const struct N(three) x = {a[at], b[at], n[at]}, y = {a[to], b[to], n[to]}, r = N(joined)(statistics, x, y);
            a[at] = r.a, b[at] = r.b, n[at] = r.n;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
static void N(put_three)(const struct store *s, ulong group, int channels, int c, struct N(three) r)
{
    __global float *to = s->part + group * 3 * channels + c;
    PUT(to, 0, r.a);
    PUT(to, channels, r.b);
    PUT(to, 2 * channels, r.n);
}
