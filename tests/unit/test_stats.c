/* Statistics against figures made elsewhere: quantiles, sd and intervals by numpy; Student's t by integrating its
 * density numerically, the familiar values of printed tables among them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/report/stats.h"

static const double original[] = {6.61, 6.43, 6.99, 6.52, 6.75}, gated[] = {8.70, 9.81, 8.12, 8.95, 9.02};

static void close_to(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * fmax(1, fabs(expected)))) fail_msg("%.17g is not %.17g", got, expected);
}

static void quantiles(void **state)
{
    static const double q[] = {0, .1, .25, .5, .8, 1}, expected[] = {6.43, 6.466, 6.52, 6.61, 6.798, 6.99};
    for (int i = 0; i < 6; i++) close_to(skl_quantile(original, 5, q[i]), expected[i], 1e-14);
    close_to(skl_median(original, 4), 6.565, 1e-14);
    close_to(skl_median(original, 1), 6.61, 0);
    assert_true(isnan(skl_median(original, 0)));
}

static void mean_and_sd(void **state)
{
    close_to(skl_mean(original, 5), 6.66, 1e-14);
    close_to(skl_sd(original, 5), 0.21908902300206665, 1e-13);
    assert_true(isnan(skl_sd(original, 1)));
    assert_true(isnan(skl_mean(original, 0)));
}

static void student(void **state)
{
    static const struct {
        double p, df, t;
    } row[] = {
        {.95, 1, 6.313751515},  {.95, 2, 2.91998558},    {.95, 4, 2.131846786},    {.95, 30, 1.697260887},
        {.975, 1, 12.70620474}, {.975, 2, 4.30265273},   {.975, 3, 3.182446305},   {.975, 4, 2.776445105},
        {.975, 9, 2.262157163}, {.975, 30, 2.042272456}, {.975, 2.5, 3.574654842}, {.995, 1, 63.65674116},
        {.995, 3, 5.84090931},  {.995, 4, 4.604094871},  {.995, 30, 2.749995654},  {.995, 2.5, 7.163728139},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        close_to(skl_t_quantile(row[i].p, row[i].df), row[i].t, 1e-9);
        close_to(skl_t_quantile(1 - row[i].p, row[i].df), -row[i].t, 1e-9);
        close_to(skl_t_cdf(row[i].t, row[i].df), row[i].p, 1e-9);
    }
    close_to(skl_t_cdf(1, 1), 0.75, 1e-14);
    close_to(skl_t_cdf(2, 4), 0.941941738242, 1e-11);
    close_to(skl_t_cdf(-0.3, 7), 1 - 0.613554974799, 1e-11);
    close_to(skl_t_cdf(0, 3), 0.5, 1e-15);
    close_to(skl_t_quantile(0.5, 3), 0, 1e-12);
    /* Far out, where 1 - p cancels: for one degree of freedom t is a tangent. */
    close_to(skl_t_quantile(0.9999, 1), 3183.098757, 1e-9);
    close_to(skl_t_quantile(0.975, 1e6), 1.959966, 1e-6); /* the normal distribution's, nearly */
}

static void intervals(void **state)
{
    struct skl_interval a = skl_mean_interval(original, 5, 0.95), d = skl_paired_interval(gated, original, 5, 0.95);
    close_to(a.low, 6.387965047736698, 1e-10);
    close_to(a.high, 6.932034952263301, 1e-10);
    close_to(d.mean, 2.26, 1e-12);
    close_to(d.sd, 0.8045495634204279, 1e-12);
    close_to(d.low, 1.2610197723303016, 1e-10);
    close_to(d.high, 3.258980227669697, 1e-10);
    struct skl_interval one = skl_mean_interval(original, 1, 0.95);
    assert_true(isnan(one.low) && isnan(one.high) && one.mean == 6.61);
}

static void running_median(void **state)
{
    /* A spike goes, a step stays where it is, the ends stay what they are. */
    static const double v[] = {5, 1, 1, 90, 1, 1, 7, 7, 7, 8};
    static const double three[] = {5, 1, 1, 1, 1, 1, 7, 7, 7, 8}, five[] = {5, 1, 1, 1, 1, 7, 7, 7, 7, 8};
    double out[10];
    skl_running_median(v, 10, 3, out);
    for (int i = 0; i < 10; i++) close_to(out[i], three[i], 0);
    skl_running_median(v, 10, 4, out); /* counts as 5 */
    for (int i = 0; i < 10; i++) close_to(out[i], five[i], 0);
    skl_running_median(v, 10, 1, out);
    for (int i = 0; i < 10; i++) close_to(out[i], v[i], 0);
    skl_running_median(v, 0, 5, out);
}

static double xa[] = {0, 100, 200, 300}, ya[] = {4, 3, 2, 1}, xb[] = {0, 100, 150}, yb[] = {6, 5, 1}, xc[] = {0, 200},
              yc[] = {5, 9};
static const struct skl_series three_curves[] = {{4, xa, ya}, {3, xb, yb}, {2, xc, yc}, {0, NULL, NULL}};

static void value_between_rows(void **state)
{
    close_to(skl_series_at(&three_curves[0], 100), 3, 0);
    close_to(skl_series_at(&three_curves[0], 175), 2.25, 1e-15);
    close_to(skl_series_at(&three_curves[0], 300), 1, 0);
    assert_true(isnan(skl_series_at(&three_curves[0], -1)));
    assert_true(isnan(skl_series_at(&three_curves[0], 300.5)));
    assert_true(isnan(skl_series_at(&three_curves[0], NAN)));
    assert_true(isnan(skl_series_at(&three_curves[3], 0)));
}

/* Curves of different lengths, one with rows of its own at 150, one without a row at 100. */
static void band(void **state)
{
    static const double x[] = {0, 100, 150, 200, 300}, median[] = {5, 5, 2.5, 5.5, 1}, low[] = {4, 3, 1, 2, 1},
                        high[] = {6, 7, 8, 9, 1};
    static const int seeds[] = {3, 3, 3, 2, 1};
    struct skl_band b;
    skl_band_over(three_curves, 4, &b);
    assert_int_equal(b.n, 5);
    for (int i = 0; i < 5; i++) {
        close_to(b.x[i], x[i], 0);
        close_to(b.median[i], median[i], 1e-15);
        close_to(b.low[i], low[i], 1e-15);
        close_to(b.high[i], high[i], 1e-15);
        assert_int_equal(b.seeds[i], seeds[i]);
    }
    skl_band_release(&b);
    skl_band_over(three_curves + 3, 1, &b);
    assert_int_equal(b.n, 0);
    skl_band_release(&b);
    skl_band_over(NULL, 0, &b);
    assert_int_equal(b.n, 0);
    skl_band_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles), cmocka_unit_test(mean_and_sd),    cmocka_unit_test(student),
        cmocka_unit_test(intervals), cmocka_unit_test(running_median), cmocka_unit_test(value_between_rows),
        cmocka_unit_test(band),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
