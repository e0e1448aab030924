/* norm.cl - batch norms and their like from a layer's partial sums [groups][parts][SUMS_NUMBERS][c]: one work-group a
 * channel.
 *
 * -DSIDE: so many batch-norm groups are joined at a time, by ROWS items each; what all groups change, gradients and
 * running statistics, one item changes in the groups' order. */
#ifndef SIDE
#define SIDE 1
#endif
#define ROWS 64
#define ITEMS (SIDE * ROWS)

static struct sums1 part_sums(__global const float *part, ulong i, int channels, int c, int statistics)
{
    __global const float *p = part + i * SUMS_NUMBERS * channels + c;
    const struct sums1 r = {p[0], p[channels], p[2 * channels], statistics ? p[3 * channels] : 0};
    return r;
}

/* The parts of channel c joined in a fixed order, group by group from g0 on: sums_at1(red, ITEMS, g - g0). */
static void join_groups(__global const float *part, int parts, int groups, int g0, int channels, int c, int statistics,
                        __local float *red)
{
    const int t = get_local_id(0), column = t % SIDE, row = t / SIDE, g = g0 + column;
    struct sums1 r = {0, 0, 0, 0};
    if (g < groups)
        for (int i = row; i < parts; i += ROWS)
            r = joined1(statistics, r, part_sums(part, (ulong)g * parts + i, channels, c, statistics));
    join_rows1(statistics, red, ITEMS, ROWS, SIDE, row, column, r);
}
/* Every item: the group that it finishes, g; -1: none.  And item 0: all groups of this round. */
#define FINISHES(g0) (get_local_id(0) < SIDE && g0 + (int)get_local_id(0) < groups ? g0 + (int)get_local_id(0) : -1)
#define EACH_GROUP(g, g0) for (int g = g0; get_local_id(0) == 0 && g < min(groups, g0 + SIDE); g++)

/* to[j] of `to_parts` joins its share of the `parts`, group by group: where there are too many for one work-group. */
KERNEL(256)
squeeze(TENSOR(part), int parts, int channels, int statistics, TENSOR(to), int to_parts)
{
    const int j = get_group_id(0), c = get_group_id(1) * 256 + get_local_id(0), g = get_group_id(2);
    const int first = (int)((long)parts * j / to_parts), end = (int)((long)parts * (j + 1) / to_parts);
    if (c >= channels) return;
    struct sums1 r = {0, 0, 0, 0};
    for (int i = first; i < end; i++)
        r = joined1(statistics, r, part_sums(AT(part), (ulong)g * parts + i, channels, c, statistics));
    __global float *o = AT(to) + ((ulong)g * to_parts + j) * SUMS_NUMBERS * channels + c;
    o[0] = r.a, o[channels] = r.b, o[2 * channels] = r.n;
    if (statistics) o[3 * channels] = r.pivot;
}

/* The mean is pivot + distance; at: where the group's vectors have this channel. */
static void apply(float gamma, float beta, float pivot, float distance, float variance, int at, __global float *to_mean,
                  __global float *spread, __global float *scale, __global float *shift)
{
    const float rstd = 1 / sqrt(variance + 1e-5f), factor = gamma * rstd;
    to_mean[at] = pivot + distance;
    spread[at] = rstd;
    scale[at] = factor;
    shift[at] = fma(-pivot, factor, fma(-distance, factor, beta));
}

KERNEL(ITEMS)
bn_forward(TENSOR(part), int parts, int channels, int groups, TENSOR(gamma), TENSOR(beta), TENSOR(bias), int biased,
           TENSOR(running_mean), TENSOR(running_var), float remember, float fresh, TENSOR(mean), TENSOR(spread),
           TENSOR(scale), TENSOR(shift), STOP)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    for (int g0 = 0; g0 < groups; g0 += SIDE) {
        join_groups(AT(part), parts, groups, g0, channels, c, 1, red);
        const int mine = FINISHES(g0);
        if (mine >= 0) {
            const struct sums1 s = sums_at1(red, ITEMS, mine - g0);
            apply(AT(gamma)[c], AT(beta)[c], s.pivot, s.a, s.b / s.n, mine * channels + c, AT(mean), AT(spread),
                  AT(scale), AT(shift));
        }
        EACH_GROUP(g, g0)
        {
            if (STOPPED) break;
            const struct sums1 s = sums_at1(red, ITEMS, g - g0);
            const float seen = s.pivot + (biased ? s.a + AT(bias)[c] : s.a);
            __global float *rm = AT(running_mean) + c, *rv = AT(running_var) + c;
            *rm = fma(remember, *rm, fresh * seen);
            *rv = fma(remember, *rv, fresh * (s.n > 1 ? s.b / (s.n - 1) : s.b / s.n));
        }
    }
}

KERNEL(ITEMS)
bn_recall(int channels, TENSOR(gamma), TENSOR(beta), TENSOR(bias), int biased, TENSOR(running_mean),
          TENSOR(running_var), TENSOR(mean), TENSOR(spread), TENSOR(scale), TENSOR(shift))
{
    const int c = get_global_id(0);
    if (c >= channels) return;
    const float m = AT(running_mean)[c] - (biased ? AT(bias)[c] : 0);
    apply(AT(gamma)[c], AT(beta)[c], m, 0, AT(running_var)[c], c, AT(mean), AT(spread), AT(scale), AT(shift));
}

static void give(__global float *to, float v, int accumulate) { *to = accumulate ? *to + v : v; }

/* With x^ = (y - mean) rstd and m elements a channel:
 * dbeta = sum g, dgamma = sum g x^, dy = gamma rstd (g - dbeta/m - x^ dgamma/m) = c1 g + c2 y + c3. */
KERNEL(ITEMS)
bn_backward(TENSOR(part), int parts, int channels, int groups, int second, float count, TENSOR(factor), int scaled,
            TENSOR(gamma), TENSOR(mean), TENSOR(spread), TENSOR(c1), TENSOR(c2), TENSOR(c3), TENSOR(dgamma),
            TENSOR(dbeta), int accumulate)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    for (int g0 = 0; g0 < groups; g0 += SIDE) {
        join_groups(AT(part), parts, groups, g0, channels, c, 0, red);
        const int mine = FINISHES(g0), at = mine * channels + c;
        if (mine >= 0) {
            const struct sums1 s = sums_at1(red, ITEMS, mine - g0);
            const float f = scaled ? AT(factor)[at] : 1, rstd = AT(spread)[at], k = AT(gamma)[c] * rstd;
            const float db = f * s.a, dg = f * rstd * (second ? s.n : s.b), k2 = -k * rstd * dg / count;
            AT(c1)[at] = f * k;
            AT(c2)[at] = k2;
            AT(c3)[at] = fma(-k2, AT(mean)[at], -k * db / count);
        }
        EACH_GROUP(g, g0)
        {
            const struct sums1 s = sums_at1(red, ITEMS, g - g0);
            const float f = scaled ? AT(factor)[g * channels + c] : 1, rstd = AT(spread)[g * channels + c];
            give(AT(dgamma) + c, f * rstd * (second ? s.n : s.b), accumulate || g > 0);
            give(AT(dbeta) + c, f * s.a, accumulate || g > 0);
        }
    }
}

KERNEL(ITEMS)
bias_backward(TENSOR(part), int parts, int channels, int groups, TENSOR(factor), int scaled, TENSOR(dbias),
              int accumulate)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    for (int g0 = 0; g0 < groups; g0 += SIDE) {
        join_groups(AT(part), parts, groups, g0, channels, c, 0, red);
        EACH_GROUP(g, g0)
        {
            const float sum = sums_at1(red, ITEMS, g - g0).a;
            give(AT(dbias) + c, scaled ? AT(factor)[g * channels + c] * sum : sum, accumulate || g > 0);
        }
    }
}

KERNEL(ITEMS)
blend(int channels, int count, TENSOR(a), TENSOR(b), TENSOR(f_scale), TENSOR(f_shift), TENSOR(h_scale), TENSOR(h_shift),
      int f_bn, int h_bn, int h_same, TENSOR(scale), TENSOR(shift), TENSOR(add_scale))
{
    const int c = get_global_id(0), hc = h_same ? c % channels : c;
    if (c >= count) return;
    const float x = AT(a)[c], y = AT(b)[c];
    AT(scale)[c] = f_bn ? y * AT(f_scale)[c] : y;
    AT(shift)[c] = (f_bn ? y * AT(f_shift)[c] : 0) + (h_bn ? x * AT(h_shift)[hc] : 0);
    AT(add_scale)[c] = h_bn ? x * AT(h_scale)[hc] : x;
}

/* sum g v for v = gamma x^ + beta, from sum g and sum g (raw - mean). */
static float through(float sum, float dot, __global const float *gamma, __global const float *beta, float rstd, int c)
{
    return fma(gamma[c] * rstd, dot, beta[c] * sum);
}
KERNEL(ITEMS)
coef_sums(TENSOR(part), int parts, int channels, int groups, TENSOR(f_gamma), TENSOR(f_beta), TENSOR(f_spread),
          int f_bn, TENSOR(h_gamma), TENSOR(h_beta), TENSOR(h_spread), int h_bn, TENSOR(d))
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    for (int g0 = 0; g0 < groups; g0 += SIDE) {
        join_groups(AT(part), parts, groups, g0, channels, c, 0, red);
        const int mine = FINISHES(g0), at = mine * channels + c;
        if (mine >= 0) {
            const struct sums1 s = sums_at1(red, ITEMS, mine - g0);
            __global float *to = AT(d) + 2 * mine * channels;
            to[c] = h_bn ? through(s.a, s.n, AT(h_gamma), AT(h_beta), AT(h_spread)[at], c) : s.n;
            to[channels + c] = f_bn ? through(s.a, s.b, AT(f_gamma), AT(f_beta), AT(f_spread)[at], c) : s.b;
        }
    }
}
/* The same from a merge's own sums (merge.cl): of dh, dy h, dy f. */
KERNEL(ITEMS)
merge_coefs(TENSOR(part), int parts, int channels, int groups, TENSOR(d))
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int c = get_group_id(0);
    for (int g0 = 0; g0 < groups; g0 += SIDE) {
        join_groups(AT(part), parts, groups, g0, channels, c, 0, red);
        const int mine = FINISHES(g0);
        if (mine >= 0) {
            const struct sums1 s = sums_at1(red, ITEMS, mine - g0);
            AT(d)[2 * mine * channels + c] = s.b;
            AT(d)[(2 * mine + 1) * channels + c] = s.n;
        }
    }
}
/* One number for all channels: d[0] and d[channels] of each group become the totals where asked for. */
KERNEL(ROWS)
coef_total(TENSOR(d), int channels, int a_one, int b_one)
{
    __local float red[SUMS_NUMBERS * ROWS];
    __global float *of = AT(d) + 2 * (int)get_group_id(0) * channels;
    const int t = get_local_id(0);
    struct sums1 r = {0, 0, 0, 0};
    for (int c = t; c < channels; c += ROWS) r.a += of[c], r.b += of[channels + c];
    join_rows1(0, red, ROWS, ROWS, 1, t, 0, r);
    if (t != 0) return;
    if (a_one) of[0] = red[0];
    if (b_one) of[channels] = red[ROWS];
}
