/* norm.cl - batch norms and their like from a layer's partial sums [parts][SUMS_NUMBERS][c]: one group a channel. */
#define ITEMS 64

static struct sums1 part_sums(__global const float *part, ulong i, int channels, int c, int statistics)
{
    __global const float *p = part + i * SUMS_NUMBERS * channels + c;
    const struct sums1 r = {p[0], p[channels], p[2 * channels], statistics ? p[3 * channels] : 0};
    return r;
}

/* The parts of channel c joined in a fixed order; every item gets it. */
static struct sums1 whole(__global const float *part, int parts, int channels, int c, int statistics,
                          __local float *red)
{
    const int t = get_local_id(0);
    struct sums1 r = {0, 0, 0, 0};
    for (int i = t; i < parts; i += ITEMS)
        r = joined1(statistics, r, part_sums(part, i, channels, c, statistics));
    join_rows1(statistics, red, ITEMS, ITEMS, 1, t, 0, r);
    return sums_at1(red, ITEMS, 0);
}

/* to[j] of `to_parts` joins its share of the `parts`: where there are too many for one group. */
KERNEL(256)
squeeze(TENSOR(part), int parts, int channels, int statistics, TENSOR(to), int to_parts)
{
    const int j = get_group_id(0), c = get_group_id(1) * 256 + get_local_id(0);
    const int first = (int)((long)parts * j / to_parts), end = (int)((long)parts * (j + 1) / to_parts);
    if (c >= channels) return;
    struct sums1 r = {0, 0, 0, 0};
    for (int i = first; i < end; i++)
        r = joined1(statistics, r, part_sums(AT(part), i, channels, c, statistics));
    __global float *o = AT(to) + (ulong)j * SUMS_NUMBERS * channels + c;
    o[0] = r.a, o[channels] = r.b, o[2 * channels] = r.n;
    if (statistics) o[3 * channels] = r.pivot;
}

/* The mean is pivot + distance. */
static void apply(__global const float *gamma, __global const float *beta, int c, float pivot, float distance,
                  float variance, __global float *to_mean, __global float *spread, __global float *scale,
                  __global float *shift)
{
    const float rstd = 1 / sqrt(variance + 1e-5f), factor = gamma[c] * rstd;
    to_mean[c] = pivot + distance;
    spread[c] = rstd;
    scale[c] = factor;
    shift[c] = fma(-pivot, factor, fma(-distance, factor, beta[c]));
}

KERNEL(ITEMS)
bn_forward(TENSOR(part), int parts, int channels, TENSOR(gamma), TENSOR(beta), TENSOR(bias), int biased,
           TENSOR(running_mean), TENSOR(running_var), float remember, float fresh, TENSOR(mean), TENSOR(spread),
           TENSOR(scale), TENSOR(shift), STOP)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    const struct sums1 s = whole(AT(part), parts, channels, c, 1, red);
    if (get_local_id(0) != 0) return;
    const float variance = s.b / s.n, seen = s.pivot + (biased ? s.a + AT(bias)[c] : s.a);
    apply(AT(gamma), AT(beta), c, s.pivot, s.a, variance, AT(mean), AT(spread), AT(scale), AT(shift));
    if (STOPPED) return;
    __global float *rm = AT(running_mean) + c, *rv = AT(running_var) + c;
    *rm = fma(remember, *rm, fresh * seen);
    *rv = fma(remember, *rv, fresh * (s.n > 1 ? s.b / (s.n - 1) : variance));
}

KERNEL(ITEMS)
bn_recall(int channels, TENSOR(gamma), TENSOR(beta), TENSOR(bias), int biased, TENSOR(running_mean),
          TENSOR(running_var), TENSOR(mean), TENSOR(spread), TENSOR(scale), TENSOR(shift))
{
    const int c = get_global_id(0);
    if (c >= channels) return;
    const float m = AT(running_mean)[c] - (biased ? AT(bias)[c] : 0);
    apply(AT(gamma), AT(beta), c, m, 0, AT(running_var)[c], AT(mean), AT(spread), AT(scale), AT(shift));
}

static void give(__global float *to, float v, int accumulate) { *to = accumulate ? *to + v : v; }

/* With x^ = (y - mean) rstd and m elements a channel:
 * dbeta = sum g, dgamma = sum g x^, dy = gamma rstd (g - dbeta/m - x^ dgamma/m) = c1 g + c2 y + c3. */
KERNEL(ITEMS)
bn_backward(TENSOR(part), int parts, int channels, int second, float count, TENSOR(factor), int scaled, TENSOR(gamma),
            TENSOR(mean), TENSOR(spread), TENSOR(c1), TENSOR(c2), TENSOR(c3), TENSOR(dgamma), TENSOR(dbeta),
            int accumulate)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    const struct sums1 s = whole(AT(part), parts, channels, c, 0, red);
    if (get_local_id(0) != 0) return;
    const float f = scaled ? AT(factor)[c] : 1, rstd = AT(spread)[c], g = AT(gamma)[c] * rstd;
    const float db = f * s.a, dg = f * rstd * (second ? s.n : s.b), k2 = -g * rstd * dg / count;
    AT(c1)[c] = f * g;
    AT(c2)[c] = k2;
    AT(c3)[c] = fma(-k2, AT(mean)[c], -g * db / count);
    give(AT(dgamma) + c, dg, accumulate);
    give(AT(dbeta) + c, db, accumulate);
}

KERNEL(ITEMS)
bias_backward(TENSOR(part), int parts, int channels, TENSOR(factor), int scaled, TENSOR(dbias), int accumulate)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    const struct sums1 s = whole(AT(part), parts, channels, c, 0, red);
    if (get_local_id(0) == 0) give(AT(dbias) + c, scaled ? AT(factor)[c] * s.a : s.a, accumulate);
}

KERNEL(ITEMS)
blend(int channels, TENSOR(a), TENSOR(b), TENSOR(f_scale), TENSOR(f_shift), TENSOR(h_scale), TENSOR(h_shift), int f_bn,
      int h_bn, TENSOR(scale), TENSOR(shift), TENSOR(add_scale))
{
    const int c = get_global_id(0);
    if (c >= channels) return;
    const float x = AT(a)[c], y = AT(b)[c];
    AT(scale)[c] = f_bn ? y * AT(f_scale)[c] : y;
    AT(shift)[c] = (f_bn ? y * AT(f_shift)[c] : 0) + (h_bn ? x * AT(h_shift)[c] : 0);
    AT(add_scale)[c] = h_bn ? x * AT(h_scale)[c] : x;
}

/* sum g v for v = gamma x^ + beta, from sum g and sum g (raw - mean). */
static float through(float sum, float dot, __global const float *gamma, __global const float *beta,
                     __global const float *spread, int c, int bn)
{
    return bn ? fma(gamma[c] * spread[c], dot, beta[c] * sum) : dot;
}
KERNEL(ITEMS)
coef_sums(TENSOR(part), int parts, int channels, TENSOR(f_gamma), TENSOR(f_beta), TENSOR(f_spread), int f_bn,
          TENSOR(h_gamma), TENSOR(h_beta), TENSOR(h_spread), int h_bn, TENSOR(d))
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    const struct sums1 s = whole(AT(part), parts, channels, c, 0, red);
    if (get_local_id(0) != 0) return;
    AT(d)[c] = through(s.a, s.n, AT(h_gamma), AT(h_beta), AT(h_spread), c, h_bn);
    AT(d)[channels + c] = through(s.a, s.b, AT(f_gamma), AT(f_beta), AT(f_spread), c, f_bn);
}
/* The same from a merge's own sums (merge.cl): of dh, dy h, dy f. */
KERNEL(ITEMS)
merge_coefs(TENSOR(part), int parts, int channels, TENSOR(d))
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    const struct sums1 s = whole(AT(part), parts, channels, c, 0, red);
    if (get_local_id(0) != 0) return;
    AT(d)[c] = s.b;
    AT(d)[channels + c] = s.n;
}
/* One number for all channels: d[0] and d[channels] become the totals where asked for. */
KERNEL(ITEMS)
coef_total(TENSOR(d), int channels, int a_one, int b_one)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int t = get_local_id(0);
    struct sums1 r = {0, 0, 0, 0};
    for (int c = t; c < channels; c += ITEMS) r.a += AT(d)[c], r.b += AT(d)[channels + c];
    join_rows1(0, red, ITEMS, ITEMS, 1, t, 0, r);
    if (t != 0) return;
    if (a_one) AT(d)[0] = red[0];
    if (b_one) AT(d)[channels] = red[ITEMS];
}
