/* stats.h - what repeated runs say together: order statistics, paired differences, curves over seeds.
 * Inputs are not changed and hold no NaN (leave such values out before).  n = 0 gives NaN. */
#ifndef SKL_STATS_H
#define SKL_STATS_H

/* Quantile q in [0, 1], linear between order statistics: h = (n-1)q ("type 7", the default of numpy and R). */
double skl_quantile(const double *v, int n, double q);
double skl_median(const double *v, int n);
double skl_mean(const double *v, int n);
double skl_sd(const double *v, int n); /* with n-1; NaN for n < 2 */

/* Student's t: P(T <= t) for df > 0 degrees of freedom, and the t with P(T <= t) = p, 0 < p < 1. */
double skl_t_cdf(double t, double df);
double skl_t_quantile(double p, double df);

/* A mean with its two-sided t-interval, mean -/+ t * sd / sqrt(n).  n = 1: low and high are NaN.
 * level: the probability inside, 0.95 for 95 %. */
struct skl_interval {
    int n;
    double mean, sd, low, high;
};
struct skl_interval skl_mean_interval(const double *v, int n, double level);
/* The same for the differences a[i] - b[i].  For one seed all variants see the same initial weights, batches and
 * crops, so a difference within a seed has less noise than a difference of means. */
struct skl_interval skl_paired_interval(const double *a, const double *b, int n, double level);

/* Two-sided p of the paired t-test that differences of this interval have mean 0; NaN for n < 2 and for sd 0. */
double skl_interval_p(const struct skl_interval *interval);
/* Holm's step-down adjustment for `n` tests at once; NaNs are no tests and stay.  out may be p. */
void skl_holm(const double *p, int n, double *out);
/* Spearman's rank correlation, equal values at their mean rank; NaN for n < 2 or where one side is all equal. */
double skl_spearman(const double *a, const double *b, int n);

/* out[i]: the median of v over the `window` rows around i.  Near the ends the window shrinks on both sides alike,
 * so the first and last rows stay what they are.  An even window counts as the next odd one.  out is not v. */
void skl_running_median(const double *v, int n, int window, double *out);

/* A curve: x ascends strictly, all values are finite. */
struct skl_series {
    int n;
    double *x, *y;
};
/* y at x, linear between rows; NaN outside [x[0], x[n-1]]. */
double skl_series_at(const struct skl_series *s, double x);
void skl_series_release(struct skl_series *s);

/* Several curves (one a seed) as median, minimum and maximum.  x: every iteration that any of them has a row for.
 * At each x only the curves count that reach it, as many as seeds[i] says; one that has no row there counts with its
 * value between the neighbouring rows. */
struct skl_band {
    int n;
    double *x, *median, *low, *high;
    int *seeds;
};
void skl_band_over(const struct skl_series *series, int count, struct skl_band *band);
void skl_band_release(struct skl_band *band);
#endif
