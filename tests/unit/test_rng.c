#include "tests/unit/scratch.h"
#include "core/base/rng.h"
#include <float.h>
#include <math.h>

/* Known answers published with Random123 (kat_vectors, philox4x32 with 10 rounds). */
static void philox_known_answers(void **state)
{
    static const struct {
        uint64_t key, hi, lo;
        uint32_t want[4];
    } cases[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct skl_u32x4 x = skl_philox(cases[i].key, cases[i].hi, cases[i].lo);
        assert_memory_equal(x.v, cases[i].want, sizeof x.v);
    }
}

/* From a second implementation, in Python: these numbers may never change, or old results cannot be repeated. */
static void derived_numbers_stay(void **state)
{
    static const struct {
        uint64_t seed, a, b;
        enum skl_purpose purpose;
        uint64_t key, bits;
        double uniform, normal[3];
    } cases[] = {
        {1,
         0,
         0,
         SKL_RNG_INIT,
         0xfd0fda2c07333aad,
         0xc9faa7b3b66affd9,
         0.7889809430838958,
         {-0.7461623681911396, 1.066055407097922, -0.3698223724260852}},
        {1,
         0,
         0,
         SKL_RNG_SHUFFLE,
         0xa1b585be9f6267a4,
         0xbb92deeef2350a87,
         0.7327098210682444,
         {-0.030869627832704475, -0.28660287007886315, 0.6460921879606786}},
        {42,
         7,
         123456789012345,
         SKL_RNG_AUGMENT,
         0x99a334fd96938ae,
         0x9550b22b9adc996b,
         0.5832625729043336,
         {0.838358468580826, 0.997516548064072, -0.33918016371350995}},
        {UINT64_MAX,
         UINT64_MAX,
         5,
         SKL_RNG_PROBE,
         0x6e0287e037d9af7e,
         0x52df1d997fdde4bc,
         0.32371697423501855,
         {0.20090021563973828, -0.08311089972664076, -0.04327971467750366}},
    };
    static const uint64_t index[3] = {0, 1, (uint64_t)1 << 40};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t key = skl_rng_key(cases[i].seed, cases[i].purpose, cases[i].a, cases[i].b);
        assert_true(key == cases[i].key);
        assert_true(skl_rng_bits(key, 9) == cases[i].bits);
        assert_true(skl_rng_uniform(key, 9) == cases[i].uniform);
        for (int j = 0; j < 3; j++) {
            double x = skl_rng_normal(key, index[j]), want = cases[i].normal[j];
            assert_true(fabs(x - want) <= 1e-14 * fabs(want)); /* Python's log is libm's */
        }
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Every argument counts: 4 seeds x 6 purposes x 20 x 20 counters give that many keys. */
static void keys_differ(void **state)
{
    static uint64_t keys[4 * 6 * 20 * 20];
    size_t n = 0;
    for (uint64_t seed = 0; seed < 4; seed++)
        for (int purpose = SKL_RNG_INIT; purpose <= SKL_RNG_PROBE; purpose++)
            for (uint64_t a = 0; a < 20; a++)
                for (uint64_t b = 0; b < 20; b++) keys[n++] = skl_rng_key(seed, (enum skl_purpose)purpose, a, b);
    qsort(keys, n, sizeof *keys, by_value);
    for (size_t i = 1; i < n; i++) assert_true(keys[i - 1] != keys[i]);
}

/* 256 bins, 2^18 draws: chi-square has mean 255 and standard deviation 22.6; 400 is 6.4 of those away. */
static void uniform_is_uniform(void **state)
{
    enum { DRAWS = 1 << 18, BINS = 256 };
    int bin[BINS] = {0};
    double sum = 0, chi = 0;
    uint64_t key = skl_rng_key(5, SKL_RNG_SYNTHETIC, 0, 0);
    for (uint64_t i = 0; i < DRAWS; i++) {
        double x = skl_rng_uniform(key, i);
        assert_true(x >= 0 && x < 1);
        bin[(int)(x * BINS)]++;
        sum += x;
    }
    for (int i = 0; i < BINS; i++) chi += (bin[i] - DRAWS / BINS) * (double)(bin[i] - DRAWS / BINS) / (DRAWS / BINS);
    assert_true(fabs(sum / DRAWS - 0.5) < 5 * sqrt(1.0 / 12 / DRAWS));
    assert_true(chi > 150 && chi < 400);
}

/* Mean, variance, skewness, kurtosis within 5 standard errors; the share beyond 1, 2, 3 sigma likewise. */
static void normal_is_normal(void **state)
{
    enum { DRAWS = 400000 };
    static const double beyond[3] = {0.31731051, 0.04550026, 0.00269980};
    double m[5] = {0}, n = DRAWS;
    int outside[3] = {0};
    uint64_t key = skl_rng_key(6, SKL_RNG_INIT, 1, 0);
    for (uint64_t i = 0; i < DRAWS; i++) {
        double x = skl_rng_normal(key, i), power = 1;
        for (int k = 1; k <= 4; k++) m[k] += power *= x;
        for (int k = 0; k < 3; k++) outside[k] += fabs(x) > k + 1;
    }
    assert_true(fabs(m[1] / n) < 5 / sqrt(n));
    assert_true(fabs(m[2] / n - 1) < 5 * sqrt(2 / n));
    assert_true(fabs(m[3] / n) < 5 * sqrt(15 / n));
    assert_true(fabs(m[4] / n - 3) < 5 * sqrt(96 / n));
    for (int k = 0; k < 3; k++)
        assert_true(fabs(outside[k] / n - beyond[k]) < 5 * sqrt(beyond[k] * (1 - beyond[k]) / n));
}

/* Neighbouring indices, and the same index under neighbouring keys, must not correlate. */
static void neighbours_do_not_correlate(void **state)
{
    enum { DRAWS = 100000 };
    double serial = 0, across = 0;
    uint64_t key = skl_rng_key(7, SKL_RNG_SHORTCUT, 3, 4), other = skl_rng_key(7, SKL_RNG_SHORTCUT, 3, 5);
    for (uint64_t i = 0; i < DRAWS; i++) {
        serial += skl_rng_normal(key, i) * skl_rng_normal(key, i + 1);
        across += skl_rng_normal(key, i) * skl_rng_normal(other, i);
    }
    assert_true(fabs(serial / DRAWS) < 5 / sqrt(DRAWS));
    assert_true(fabs(across / DRAWS) < 5 / sqrt(DRAWS));
}

static double log_error(double x)
{
    long double want = logl(x);
    return want == 0 ? fabs(skl_log(x)) : (double)fabsl((skl_log(x) - want) / want);
}

static void log_is_accurate(void **state)
{
    double worst = 0;
    for (double x = 0.4; x < 2.5; x += 3.1e-6) worst = fmax(worst, log_error(x));
    for (double x = DBL_MIN / 1e10; x < DBL_MAX / 1.01; x *= 1.0071) worst = fmax(worst, log_error(x));
    for (double d = 0.25; d > 1e-17; d /= 2) worst = fmax(worst, fmax(log_error(1 + d), log_error(1 - d)));
    if (worst >= 1e-15) fail_msg("relative error %g", worst);
    assert_true(skl_log(1) == 0);
    assert_true(fabs(skl_log(DBL_MAX) - 709.782712893384) < 1e-12);
    assert_true(fabs(skl_log(4.9406564584124654e-324) + 744.4400719213812) < 1e-12);
}

/* Published FNV-1a vectors. */
static void hash_of_names(void **state)
{
    assert_true(skl_hash_name("") == 0xcbf29ce484222325);
    assert_true(skl_hash_name("a") == 0xaf63dc4c8601ec8c);
    assert_true(skl_hash_name("foobar") == 0x85944171f73967e8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers), cmocka_unit_test(derived_numbers_stay),
        cmocka_unit_test(keys_differ),          cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(normal_is_normal),     cmocka_unit_test(neighbours_do_not_correlate),
        cmocka_unit_test(log_is_accurate),      cmocka_unit_test(hash_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
