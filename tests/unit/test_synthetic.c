#include <math.h>
#include "core/base/fs.h"
#include "core/data/dataset.h"
#include "tests/unit/scratch.h"

static struct skl_data_config config(int train, int size, int channels, int classes)
{
    return (struct skl_data_config){.dataset = "synthetic", .synthetic = {train, 300, size, channels, classes}};
}

static void open_set(const struct skl_data_config *cfg, struct skl_dataset *set)
{
    struct skl_err err;
    assert_int_equal(skl_dataset_open(cfg, set, &err), SKL_OK);
}

static void is_the_same_everywhere(void **state)
{
    const struct skl_data_config cfg = config(100, 32, 3, 10);
    struct skl_dataset a, b;
    open_set(&cfg, &a);
    open_set(&cfg, &b);
    assert_memory_equal(a.train.pixels, b.train.pixels, 100 * 3072);
    assert_true(a.fingerprint == b.fingerprint);
    char hex[65];
    skl_sha256_hex(a.train.pixels, 100 * 3072, hex);
    assert_string_equal(hex, "601002d8a8a064e6483f365dbd730620366e5fb218a768282e5e2766cd05c868"); /* on every machine */
    skl_dataset_release(&a);
    skl_dataset_release(&b);
}

/* An image depends on its number alone, so a larger set begins with the smaller one. */
static void grows_at_the_end(void **state)
{
    const struct skl_data_config small = config(40, 16, 1, 4), large = config(90, 16, 1, 4);
    struct skl_dataset a, b;
    open_set(&small, &a);
    open_set(&large, &b);
    assert_memory_equal(a.train.pixels, b.train.pixels, 40 * 256);
    for (int i = 0; i < 40; i++)
        for (int k = 0; k < b.test.count; k++)
            assert_memory_not_equal(a.train.pixels + i * 256, b.test.pixels + k * 256, 256);
    skl_dataset_release(&a);
    skl_dataset_release(&b);
}

static void has_the_shape_asked_for(void **state)
{
    for (int size = 4; size <= 40; size += 12)
        for (int channels = 1; channels <= 3; channels++) {
            const struct skl_data_config cfg = config(23, size, channels, 7);
            struct skl_dataset set;
            struct skl_err err;
            int s, c, k;
            assert_int_equal(skl_dataset_shape(&cfg, &s, &c, &k, &err), SKL_OK);
            assert_true(s == size && c == channels && k == 7);
            open_set(&cfg, &set);
            assert_true(set.train.size == size && set.train.channels == channels && set.classes == 7);
            assert_true(set.train.count == 23 && set.test.count == 300);
            for (int i = 0; i < 23; i++) assert_in_range(set.train.labels[i], 0, 6);
            skl_dataset_release(&set);
        }
}

/* Mean squared differences of pixels at some distances: features that a convolution could find. */
enum { FEATURES = 12 };
static void features(const uint8_t *im, int size, int channels, double f[FEATURES])
{
    static const int dy[FEATURES] = {0, 1, 1, 1, 0, 2, 2, 2, 0, 4, 3, 3},
                     dx[FEATURES] = {1, 0, 1, -1, 2, 0, 2, -2, 4, 0, 3, -3};
    for (int k = 0; k < FEATURES; k++) {
        double sum = 0;
        for (int y = 4; y < size - 4; y++)
            for (int x = 4; x < size - 4; x++)
                for (int c = 0; c < channels; c++) {
                    double d = im[(y * size + x) * channels + c] - im[((y + dy[k]) * size + x + dx[k]) * channels + c];
                    sum += d * d;
                }
        f[k] = log(sum + 1);
    }
    for (int k = 0; k < FEATURES; k += 4) { /* mirror images alike: sum and difference of the two diagonals' roles */
        double a = f[k + 2], b = f[k + 3];
        f[k + 2] = (a + b) / 2;
        f[k + 3] = fabs(a - b);
    }
}

static void raw(const uint8_t *im, int n, double *f)
{
    for (int i = 0; i < n; i++) f[i] = im[i];
}

/* Error in % of "the class with the nearest mean" on the test images. */
static double nearest_mean_error(const struct skl_dataset *set, int n, bool use_pixels)
{
    const int pixels = set->train.size * set->train.size * set->train.channels;
    double *mean = skl_alloc_array((size_t)set->classes * (size_t)n, sizeof *mean),
           *f = skl_alloc_array((size_t)n, sizeof *f);
    int wrong = 0;
    for (int part = 0; part < 2; part++) {
        const struct skl_images *im = part ? &set->test : &set->train;
        for (int i = 0; i < im->count; i++) {
            if (use_pixels)
                raw(im->pixels + (size_t)i * (size_t)pixels, n, f);
            else
                features(im->pixels + (size_t)i * (size_t)pixels, im->size, im->channels, f);
            if (part == 0) {
                for (int k = 0; k < n; k++) mean[im->labels[i] * n + k] += f[k] * set->classes / im->count;
                continue;
            }
            int best = 0;
            double least = INFINITY;
            for (int c = 0; c < set->classes; c++) {
                double distance = 0;
                for (int k = 0; k < n; k++) distance += (f[k] - mean[c * n + k]) * (f[k] - mean[c * n + k]);
                if (distance < least) least = distance, best = c;
            }
            wrong += best != im->labels[i];
        }
    }
    free(mean);
    free(f);
    return 100.0 * wrong / set->test.count;
}

static void can_be_learned_but_not_from_the_mean_image(void **state)
{
    const struct skl_data_config cfg = config(1000, 32, 3, 10);
    struct skl_dataset set;
    open_set(&cfg, &set);
    double simple = nearest_mean_error(&set, 3072, true), oriented = nearest_mean_error(&set, FEATURES, false);
    print_message("nearest mean: pixels %.1f %% wrong, differences of neighbours %.1f %%, chance 90 %%\n", simple,
                  oriented);
    assert_true(simple > 65);
    assert_true(oriented < 60);
    skl_dataset_release(&set);
}

static void refuses_impossible_sets(void **state)
{
    struct skl_dataset set;
    struct skl_err err;
    const struct {
        struct skl_data_config cfg;
        const char *words;
    } cases[] = {
        {config(0, 32, 3, 10), "data.synthetic.train: 0"},     {config(10, 30, 3, 10), "data.synthetic.size: 30"},
        {config(10, 32, 4, 10), "data.synthetic.channels: 4"}, {config(10, 32, 3, 1), "data.synthetic.classes: 1"},
        {config(10, 1 << 20, 3, 10), "data.synthetic.size: "}, {config(1000000, 256, 3, 10), "GB"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int size, channels, classes;
        assert_int_equal(skl_dataset_shape(&cases[k].cfg, &size, &channels, &classes, &err), SKL_USAGE);
        assert_int_equal(skl_dataset_open(&cases[k].cfg, &set, &err), SKL_USAGE);
        assert_contains(err.text, cases[k].words);
    }
    struct skl_data_config cfg = config(10, 32, 3, 10);
    cfg.size = 24;
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_USAGE);
    assert_contains(err.text, "data.size: 24");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_same_everywhere),  cmocka_unit_test(grows_at_the_end),
        cmocka_unit_test(has_the_shape_asked_for), cmocka_unit_test(can_be_learned_but_not_from_the_mean_image),
        cmocka_unit_test(refuses_impossible_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
