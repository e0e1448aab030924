#include "core/base/sort.h"
#include "core/report/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define BETA_TERMS 1000
#define BISECTIONS 200

static double quantile_of_sorted(const double *v, int n, double q)
{
    double h = (n - 1) * q;
    int i = (int)h;
    return i + 1 < n ? v[i] + (h - i) * (v[i + 1] - v[i]) : v[n - 1];
}

double skl_quantile(const double *v, int n, double q)
{
    SKL_CHECK(q >= 0 && q <= 1);
    if (n <= 0) return NAN;
    double *sorted = skl_alloc_array((size_t)n, sizeof *sorted);
    memcpy(sorted, v, (size_t)n * sizeof *sorted);
    skl_sort_numbers(sorted, (size_t)n);
    double result = quantile_of_sorted(sorted, n, q);
    free(sorted);
    return result;
}

double skl_median(const double *v, int n) { return skl_quantile(v, n, 0.5); }

double skl_mean(const double *v, int n)
{
    if (n <= 0) return NAN;
    double sum = 0;
    for (int i = 0; i < n; i++) sum += v[i];
    return sum / n;
}

double skl_sd(const double *v, int n)
{
    if (n < 2) return NAN;
    double mean = skl_mean(v, n), sum = 0;
    for (int i = 0; i < n; i++) sum += (v[i] - mean) * (v[i] - mean);
    return sqrt(sum / (n - 1));
}

/* The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method. */
static double beta_fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m <= BETA_TERMS; m++) {
        double change = 1;
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int half = 0; half < 2; half++) {
            double term = half ? odd : even;
            d = 1 + term * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + term / c;
            if (fabs(c) < tiny) c = tiny;
            change = c * d;
            value *= change;
        }
        if (fabs(change - 1) < 1e-15) break;
    }
    return value;
}

/* The regularized incomplete beta function I_x(a, b); y = 1 - x, given apart because it may be tiny. */
static double incomplete_beta(double x, double y, double a, double b)
{
    if (x <= 0) return 0;
    if (y <= 0) return 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(y, b, a) / b;
}

/* P(T > t) for t >= 0, without cancellation far out in the tail. */
static double t_tail(double t, double df)
{
    double all = df + t * t;
    return 0.5 * incomplete_beta(df / all, t * t / all, df / 2, 0.5);
}

double skl_t_cdf(double t, double df)
{
    SKL_CHECK(df > 0);
    return t >= 0 ? 1 - t_tail(t, df) : t_tail(-t, df);
}

double skl_t_quantile(double p, double df)
{
    SKL_CHECK(p > 0 && p < 1 && df > 0);
    if (p < 0.5) return -skl_t_quantile(1 - p, df);
    double tail = 1 - p, low = 0, high = 1;
    while (t_tail(high, df) > tail && high < 1e300) high *= 2;
    for (int i = 0; i < BISECTIONS && high - low > 1e-15 * high; i++) {
        double middle = low + (high - low) / 2;
        if (t_tail(middle, df) > tail)
            low = middle;
        else
            high = middle;
    }
    return low + (high - low) / 2;
}

struct skl_interval skl_mean_interval(const double *v, int n, double level)
{
    SKL_CHECK(level > 0 && level < 1);
    struct skl_interval r = {.n = n, .mean = skl_mean(v, n), .sd = skl_sd(v, n), .low = NAN, .high = NAN};
    if (n < 2) return r;
    double half = skl_t_quantile(0.5 + level / 2, n - 1) * r.sd / sqrt(n);
    r.low = r.mean - half;
    r.high = r.mean + half;
    return r;
}

struct skl_interval skl_paired_interval(const double *a, const double *b, int n, double level)
{
    double *difference = skl_alloc_array(n > 0 ? (size_t)n : 1, sizeof *difference);
    for (int i = 0; i < n; i++) difference[i] = a[i] - b[i];
    struct skl_interval r = skl_mean_interval(difference, n, level);
    free(difference);
    return r;
}

double skl_interval_p(const struct skl_interval *interval)
{
    if (interval->n < 2 || !(interval->sd > 0)) return NAN;
    return 2 * t_tail(fabs(interval->mean) / interval->sd * sqrt(interval->n), interval->n - 1);
}

void skl_holm(const double *p, int n, double *out)
{
    double *sorted = skl_alloc_array(n > 0 ? (size_t)n : 1, sizeof *sorted);
    double *adjusted = skl_alloc_array(n > 0 ? (size_t)n : 1, sizeof *adjusted);
    int tests = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(p[i])) sorted[tests++] = p[i];
    skl_sort_numbers(sorted, (size_t)tests);
    for (int i = 0; i < tests; i++) {
        double own = fmin(1, (tests - i) * sorted[i]);
        adjusted[i] = i > 0 ? fmax(own, adjusted[i - 1]) : own;
    }
    for (int i = 0; i < n; i++) {
        int first = 0;
        while (first < tests && sorted[first] != p[i]) first++;
        out[i] = first < tests ? adjusted[first] : NAN;
    }
    free(sorted);
    free(adjusted);
}

/* Ranks from 1, their mean where values are equal. */
static void ranks(const double *v, int n, double *rank)
{
    for (int i = 0; i < n; i++) {
        int below = 0, equal = 0;
        for (int j = 0; j < n; j++) {
            below += v[j] < v[i];
            equal += v[j] == v[i];
        }
        rank[i] = below + (equal + 1) / 2.0;
    }
}

double skl_spearman(const double *a, const double *b, int n)
{
    if (n < 2) return NAN;
    double *ra = skl_alloc_array((size_t)n, sizeof *ra), *rb = skl_alloc_array((size_t)n, sizeof *rb);
    double middle = (n + 1) / 2.0, ab = 0, aa = 0, bb = 0;
    ranks(a, n, ra);
    ranks(b, n, rb);
    for (int i = 0; i < n; i++) {
        ab += (ra[i] - middle) * (rb[i] - middle);
        aa += (ra[i] - middle) * (ra[i] - middle);
        bb += (rb[i] - middle) * (rb[i] - middle);
    }
    free(ra);
    free(rb);
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

void skl_running_median(const double *v, int n, int window, double *out)
{
    SKL_CHECK(window >= 1 && out != v);
    for (int i = 0; i < n; i++) {
        int reach = window / 2;
        if (reach > i) reach = i;
        if (reach > n - 1 - i) reach = n - 1 - i;
        out[i] = skl_median(v + i - reach, 2 * reach + 1);
    }
}

static double between(const struct skl_series *s, int right, double x)
{
    double x0 = s->x[right - 1], x1 = s->x[right], y0 = s->y[right - 1], y1 = s->y[right];
    return y0 + (y1 - y0) * ((x - x0) / (x1 - x0));
}

double skl_series_at(const struct skl_series *s, double x)
{
    if (s->n == 0 || !(x >= s->x[0] && x <= s->x[s->n - 1])) return NAN;
    int low = 0, high = s->n - 1; /* the first row at or after x */
    while (low < high) {
        int middle = (low + high) / 2;
        if (s->x[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return s->x[low] == x ? s->y[low] : between(s, low, x);
}

void skl_series_release(struct skl_series *s)
{
    free(s->x);
    free(s->y);
    *s = (struct skl_series){0};
}

/* Every x of every curve, ascending, once. */
static int merged_x(const struct skl_series *series, int count, double **x)
{
    size_t total = 0;
    for (int s = 0; s < count; s++) total += (size_t)series[s].n;
    *x = skl_alloc_array(total ? total : 1, sizeof **x);
    size_t n = 0, distinct = 0;
    for (int s = 0; s < count; s++)
        for (int i = 0; i < series[s].n; i++) (*x)[n++] = series[s].x[i];
    skl_sort_numbers(*x, total);
    for (size_t i = 0; i < total; i++)
        if (i == 0 || (*x)[i] != (*x)[i - 1]) (*x)[distinct++] = (*x)[i];
    return (int)distinct;
}

void skl_band_over(const struct skl_series *series, int count, struct skl_band *band)
{
    *band = (struct skl_band){0};
    band->n = merged_x(series, count, &band->x);
    size_t n = band->n ? (size_t)band->n : 1;
    band->median = skl_alloc_array(n, sizeof *band->median);
    band->low = skl_alloc_array(n, sizeof *band->low);
    band->high = skl_alloc_array(n, sizeof *band->high);
    band->seeds = skl_alloc_array(n, sizeof *band->seeds);
    double *here = skl_alloc_array(count ? (size_t)count : 1, sizeof *here);
    int *row = skl_alloc_array(count ? (size_t)count : 1, sizeof *row); /* the first at or after x, a curve */
    for (int i = 0; i < band->n; i++) {
        double x = band->x[i];
        int k = 0;
        for (int s = 0; s < count; s++) {
            while (row[s] < series[s].n && series[s].x[row[s]] < x) row[s]++;
            if (row[s] == series[s].n) continue;
            if (series[s].x[row[s]] == x)
                here[k++] = series[s].y[row[s]];
            else if (row[s] > 0)
                here[k++] = between(&series[s], row[s], x);
        }
        skl_sort_numbers(here, (size_t)k);
        band->seeds[i] = k;
        band->median[i] = quantile_of_sorted(here, k, 0.5);
        band->low[i] = here[0];
        band->high[i] = here[k - 1];
    }
    free(here);
    free(row);
}

void skl_band_release(struct skl_band *band)
{
    free(band->x);
    free(band->median);
    free(band->low);
    free(band->high);
    free(band->seeds);
    *band = (struct skl_band){0};
}
