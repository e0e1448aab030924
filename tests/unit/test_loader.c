#include <math.h>
#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "tests/unit/scratch.h"

/* 10 images of 8x8x3, the last 3 held out: small enough to compute everything again the slow way. */
enum { ALL = 10, COUNT = 7, SIZE = 8, CHANNELS = 3, PIXELS = SIZE * SIZE * CHANNELS, SEED = 42, BATCH_MAX = 32 };

static uint8_t pixels[ALL * PIXELS];
static int32_t labels[ALL];
static struct skl_dataset set;
static float got[BATCH_MAX * PIXELS], again[BATCH_MAX * PIXELS];
static int32_t got_labels[BATCH_MAX];

static int fill(void **state)
{
    for (int i = 0; i < ALL; i++) labels[i] = 100 + i;
    for (int i = 0; i < ALL * PIXELS; i++) pixels[i] = (uint8_t)skl_rng_bits(7, (uint64_t)i);
    set = (struct skl_dataset){.name = "test", .classes = 200};
    set.train = (struct skl_images){COUNT, SIZE, CHANNELS, pixels, labels};
    set.validation = (struct skl_images){ALL - COUNT, SIZE, CHANNELS, pixels + COUNT * PIXELS, labels + COUNT};
    set.test = (struct skl_images){ALL, SIZE, CHANNELS, pixels, labels};
    return 0;
}

static struct skl_data_config config(int pad, bool flip)
{
    return (struct skl_data_config){.dataset = "test", .augment = {.pad = pad, .flip = flip}, .shuffle = true};
}

static void train(const struct skl_data_config *cfg, int batch, int64_t iteration, int threads, float *images)
{
    struct skl_pool *pool = skl_pool_new(threads);
    struct skl_loader *loader;
    struct skl_err err;
    assert_int_equal(skl_loader_new(&set, cfg, SEED, batch, pool, &loader, &err), SKL_OK);
    skl_loader_train(loader, iteration, images, got_labels);
    skl_loader_free(loader);
    skl_pool_free(pool);
}

static uint64_t ticket(int64_t epoch, int image)
{
    return skl_rng_bits(skl_rng_key(SEED, SKL_RNG_SHUFFLE, (uint64_t)epoch, 0), (uint64_t)image);
}

/* The image at one position of the stream: the one with as many smaller tickets as its place in the epoch. */
static int image_at(int64_t position)
{
    const int64_t epoch = position / COUNT;
    for (int i = 0; i < COUNT; i++) {
        int smaller = 0;
        for (int k = 0; k < COUNT; k++)
            smaller += ticket(epoch, k) < ticket(epoch, i) || (ticket(epoch, k) == ticket(epoch, i) && k < i);
        if (smaller == position % COUNT) return i;
    }
    fail();
    return -1;
}

static double mean_at(int at)
{
    double sum = 0;
    for (int i = 0; i < COUNT; i++) sum += pixels[i * PIXELS + at];
    return sum / COUNT / 255.0;
}

/* Within the square around a centre that is drawn by the third number of the image's key? */
static bool cut_out(uint64_t key, int side, int y, int x)
{
    const uint64_t bits = skl_rng_bits(key, 2);
    const int cy = (int)(((bits >> 32) * SIZE) >> 32), cx = (int)(((bits & 0xffffffff) * SIZE) >> 32);
    return y >= cy - side / 2 && y < cy - side / 2 + side && x >= cx - side / 2 && x < cx - side / 2 + side;
}

/* Pixel (y, x, c) of an image after crop, flip and cutout, minus the mean image: the design's rule, one pixel at a
 * time. */
static double augmented(int image, int64_t epoch, const struct skl_data_config *cfg, int y, int x, int c)
{
    const uint64_t key = skl_rng_key(SEED, SKL_RNG_AUGMENT, (uint64_t)epoch, (uint64_t)image);
    const uint64_t bits = skl_rng_bits(key, 0), places = (uint64_t)(2 * cfg->augment.pad + 1);
    const int dy = (int)(((bits >> 32) * places) >> 32) - cfg->augment.pad;
    const int dx = (int)(((bits & 0xffffffff) * places) >> 32) - cfg->augment.pad;
    if (cut_out(key, cfg->augment.cutout, y, x)) return 0;
    if (cfg->augment.flip && skl_rng_bits(key, 1) >> 63) x = SIZE - 1 - x;
    y += dy;
    x += dx;
    if (y < 0 || y >= SIZE || x < 0 || x >= SIZE) return 0;
    const int at = (y * SIZE + x) * CHANNELS + c;
    return pixels[image * PIXELS + at] / 255.0 - (cfg->normalize == SKL_NORM_PIXEL_MEAN ? mean_at(at) : 0);
}

static void check_batch(const struct skl_data_config *cfg, int batch, int64_t iteration)
{
    train(cfg, batch, iteration, 2, got);
    for (int b = 0; b < batch; b++) {
        const int64_t position = iteration * batch + b;
        const int image = cfg->shuffle ? image_at(position) : (int)(position % COUNT);
        assert_int_equal(got_labels[b], labels[image]);
        for (int i = 0; i < PIXELS; i++) {
            const double e =
                augmented(image, position / COUNT, cfg, i / CHANNELS / SIZE, i / CHANNELS % SIZE, i % CHANNELS);
            if (fabs(got[b * PIXELS + i] - e) > 2e-7)
                fail_msg("image %d of the batch, element %d: %.9g, expected %.9g", b, i, got[b * PIXELS + i], e);
        }
    }
}

static void follows_the_stream(void **state)
{
    const struct skl_data_config cfg = config(0, false);
    for (int t = 0; t < 9; t++) check_batch(&cfg, 3, t); /* batches that straddle epochs */
    check_batch(&cfg, COUNT, 5);
    check_batch(&cfg, 25, 3); /* larger than the set: five epochs in one batch */
}

static void keeps_the_file_order(void **state)
{
    struct skl_data_config cfg = config(0, false);
    cfg.shuffle = false;
    for (int t = 0; t < 4; t++) check_batch(&cfg, 4, t);
}

static void crops_and_flips(void **state)
{
    for (int pad = 0; pad <= SIZE; pad += pad < 3 ? 1 : 5)
        for (int flip = 0; flip < 2; flip++) {
            const struct skl_data_config cfg = config(pad, flip);
            for (int t = 0; t < 5; t++) check_batch(&cfg, 20, t);
        }
}

static void cuts_squares_out(void **state)
{
    for (int side = 1; side <= 3 * SIZE; side += side < 5 ? 1 : 7) {
        struct skl_data_config cfg = config(1, true);
        cfg.augment.cutout = side;
        for (int t = 0; t < 5; t++) check_batch(&cfg, 20, t);
    }
}

/* ---- mixup ---- */

static struct skl_loader *mixing(double alpha, int batch, struct skl_pool *pool)
{
    struct skl_data_config cfg = config(2, true);
    struct skl_loader *loader;
    cfg.augment.mixup = alpha;
    assert_int_equal(skl_loader_new(&set, &cfg, SEED, batch, pool, &loader, NULL), SKL_OK);
    return loader;
}

/* The mini-batch of an iteration, in `again` without mixup and in `got` with it. */
static double mixed(struct skl_loader *loader, int64_t iteration, int32_t *others)
{
    skl_loader_train(loader, iteration, got, got_labels);
    memcpy(again, got, sizeof got);
    return skl_loader_mix(loader, iteration, got, got_labels, others);
}

/* Each image has a partner whose partner it is, gives it a share and takes as much. */
static void mixes_pairs(void **state)
{
    enum { BATCH = 7 };
    int32_t others[BATCH];
    struct skl_pool *pool = skl_pool_new(2);
    struct skl_loader *loader = mixing(0.4, BATCH, pool), *off = mixing(0, BATCH, pool);
    for (int t = 0; t < 20; t++) {
        const float share = (float)mixed(loader, t, others);
        assert_true(share > 0 && share <= 0.5f);
        for (int i = 0; i < BATCH; i++) {
            int partner = 0; /* a batch is the whole set: each label is there once */
            while (got_labels[partner] != others[i]) partner++;
            assert_int_equal(others[partner], got_labels[i]);
            for (int p = 0; p < PIXELS; p++)
                assert_float_equal(got[i * PIXELS + p],
                                   (1 - share) * again[i * PIXELS + p] + share * again[partner * PIXELS + p], 1e-7);
        }
    }
    assert_true(mixed(off, 3, others) == 0);
    assert_memory_equal(got, again, sizeof got);
    skl_loader_free(loader);
    skl_loader_free(off);
    skl_pool_free(pool);
}

/* The share is the smaller part of Beta(a, a): its moments, and whom one meets. */
static void draws_shares_and_partners(void **state)
{
    enum { BATCH = 7, DRAWS = 3000 };
    static const double alphas[] = {0.001, 0.2, 1, 2, 4};
    int32_t others[BATCH];
    struct skl_pool *pool = skl_pool_new(1);
    for (size_t a = 0; a < sizeof alphas / sizeof *alphas; a++) {
        struct skl_loader *loader = mixing(alphas[a], BATCH, pool);
        double sum = 0;
        int met[BATCH] = {0};
        for (int t = 0; t < DRAWS; t++) {
            const double m = mixed(loader, t, others), off = m - 0.5;
            assert_true(m >= 0 && m <= 0.5);
            sum += off * off;
            met[others[0] - 100]++;
        }
        const double variance = 0.25 / (2 * alphas[a] + 1), got_variance = sum / DRAWS;
        if (fabs(got_variance / variance - 1) > 0.1) fail_msg("%g: %g, not %g", alphas[a], got_variance, variance);
        for (int i = 0; i < BATCH; i++) assert_in_range(met[i], DRAWS / BATCH / 2, DRAWS / BATCH * 2);
        skl_loader_free(loader);
    }
    skl_pool_free(pool);
}

/* Every offset and both mirror images come about equally often. */
static void draws_every_crop(void **state)
{
    enum { PAD = 1, EPOCHS = 900 };
    struct skl_data_config cfg = config(PAD, true);
    cfg.normalize = SKL_NORM_NONE;
    struct skl_pool *pool = skl_pool_new(1);
    struct skl_loader *loader;
    struct skl_err err;
    uint8_t one[PIXELS] = {0};
    one[(3 * SIZE + 2) * CHANNELS] = 255; /* where this pixel lands tells offset and flip */
    struct skl_dataset single = {.train = {1, SIZE, CHANNELS, one, labels}};
    assert_int_equal(skl_loader_new(&single, &cfg, SEED, 1, pool, &loader, &err), SKL_OK);
    int hits[SIZE][SIZE] = {0};
    for (int t = 0; t < EPOCHS; t++) {
        skl_loader_train(loader, t, got, got_labels);
        for (int i = 0; i < SIZE * SIZE; i++) hits[i / SIZE][i % SIZE] += got[i * CHANNELS] == 1.0f;
    }
    for (int y = 2; y <= 4; y++)
        for (int x = 1; x <= 3; x++)
            for (int flip = 0; flip < 2; flip++)
                assert_in_range(hits[y][flip ? SIZE - 1 - x : x], 25, 80); /* 50 +- 4.3 sigma */
    skl_loader_free(loader);
    skl_pool_free(pool);
}

static void ignores_the_number_of_threads(void **state)
{
    for (int rule = SKL_NORM_PIXEL_MEAN; rule <= SKL_NORM_NONE; rule++)
        for (int size = SIZE / 2; size <= SIZE; size += SIZE / 2) {
            struct skl_data_config cfg = config(2, true);
            cfg.normalize = rule;
            cfg.size = size;
            memset(got, 0, sizeof got);
            memset(again, 0, sizeof again);
            train(&cfg, BATCH_MAX, 11, 1, got);
            for (int threads = 2; threads <= 3; threads++) {
                train(&cfg, BATCH_MAX, 11, threads, again);
                assert_memory_equal(got, again, sizeof got);
            }
        }
}

/* Iteration t gives the same batch whatever came before it: what resuming relies on. */
static void has_no_memory(void **state)
{
    const struct skl_data_config cfg = config(2, true);
    struct skl_pool *pool = skl_pool_new(2);
    struct skl_loader *loader;
    struct skl_err err;
    assert_int_equal(skl_loader_new(&set, &cfg, SEED, 5, pool, &loader, &err), SKL_OK);
    for (int64_t t = 0; t < 30; t++) skl_loader_train(loader, t * 7 % 30, again, got_labels);
    skl_loader_train(loader, 17, again, got_labels);
    skl_loader_free(loader);
    skl_pool_free(pool);
    train(&cfg, 5, 17, 1, got);
    assert_memory_equal(got, again, 5 * PIXELS * sizeof(float));
}

static void standardises_channels(void **state)
{
    struct skl_data_config cfg = config(0, false);
    cfg.normalize = SKL_NORM_CHANNEL;
    cfg.shuffle = false;
    train(&cfg, COUNT, 0, 2, got);
    for (int c = 0; c < CHANNELS; c++) {
        double sum = 0, squares = 0, n = COUNT * SIZE * SIZE;
        for (int i = c; i < COUNT * PIXELS; i += CHANNELS) sum += got[i];
        for (int i = c; i < COUNT * PIXELS; i += CHANNELS) squares += (got[i] - sum / n) * (got[i] - sum / n);
        assert_true(fabs(sum / n) < 1e-6);
        assert_true(fabs(squares / n - 1) < 1e-6);
    }
}

static void only_divides_without_normalisation(void **state)
{
    struct skl_data_config cfg = config(2, true);
    cfg.normalize = SKL_NORM_NONE;
    for (int t = 0; t < 3; t++) check_batch(&cfg, 4, t);
}

/* Halves are the 2x2 means of the batch that the same settings give at full size. */
static void averages_after_cropping(void **state)
{
    struct skl_data_config cfg = config(3, true);
    train(&cfg, COUNT, 2, 1, again);
    cfg.size = SIZE / 2;
    train(&cfg, COUNT, 2, 2, got);
    const int half = SIZE / 2, row = SIZE * CHANNELS;
    for (int b = 0; b < COUNT; b++)
        for (int y = 0; y < half; y++)
            for (int x = 0; x < half; x++)
                for (int c = 0; c < CHANNELS; c++) {
                    const float *p = again + b * PIXELS + 2 * y * row + 2 * x * CHANNELS + c;
                    const double mean = ((double)p[0] + p[CHANNELS] + p[row] + p[row + CHANNELS]) / 4;
                    assert_true(fabs(got[((b * half + y) * half + x) * CHANNELS + c] - mean) < 2e-7);
                }
}

static void gives_clean_images(void **state)
{
    const struct skl_data_config cfg = config(4, true);
    struct skl_pool *pool = skl_pool_new(3);
    struct skl_loader *loader;
    struct skl_err err;
    assert_int_equal(skl_loader_new(&set, &cfg, SEED, 1, pool, &loader, &err), SKL_OK);
    const struct {
        enum skl_part part;
        int first, n, at;
    } calls[] = {{SKL_PART_TRAIN, 2, 5, 2},
                 {SKL_PART_VALIDATION, 1, 2, COUNT + 1},
                 {SKL_PART_TEST, 0, ALL, 0},
                 {SKL_PART_TEST, 9, 1, 9}};
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
        skl_loader_clean(loader, calls[k].part, calls[k].first, calls[k].n, got, got_labels);
        for (int b = 0; b < calls[k].n; b++) {
            assert_int_equal(got_labels[b], labels[calls[k].at + b]);
            for (int i = 0; i < PIXELS; i++)
                assert_true(fabs(got[b * PIXELS + i] - (pixels[(calls[k].at + b) * PIXELS + i] / 255.0 - mean_at(i))) <
                            2e-7);
        }
    }
    skl_loader_free(loader);
    skl_pool_free(pool);
}

/* Sums of many bright pixels: the mean of white images is white. */
static void sums_do_not_overflow(void **state)
{
    enum { MANY = 20000, SIDE = 4 };
    struct skl_data_config cfg = config(0, false);
    struct skl_dataset white = {
        .train = {MANY, SIDE, 1, skl_alloc(MANY * SIDE * SIDE), skl_alloc(MANY * sizeof(int32_t))}};
    memset(white.train.pixels, 255, MANY * SIDE * SIDE);
    struct skl_pool *pool = skl_pool_new(2);
    struct skl_loader *loader;
    struct skl_err err;
    for (cfg.normalize = SKL_NORM_PIXEL_MEAN; cfg.normalize <= SKL_NORM_CHANNEL; cfg.normalize++) {
        assert_int_equal(skl_loader_new(&white, &cfg, SEED, 1, pool, &loader, &err), SKL_OK);
        skl_loader_train(loader, 5, got, got_labels);
        for (int i = 0; i < SIDE * SIDE; i++) assert_true(fabs(got[i]) < 1e-6);
        skl_loader_free(loader);
    }
    skl_pool_free(pool);
    free(white.train.pixels);
    free(white.train.labels);
}

static void refuses_impossible_settings(void **state)
{
    struct skl_pool *pool = skl_pool_new(1);
    struct skl_loader *loader;
    struct skl_err err;
    struct skl_data_config cfg = config(0, false);
    assert_int_equal(skl_loader_new(&set, &cfg, SEED, 0, pool, &loader, &err), SKL_USAGE);
    cfg.augment.pad = SIZE + 1;
    assert_int_equal(skl_loader_new(&set, &cfg, SEED, 1, pool, &loader, &err), SKL_USAGE);
    assert_contains(err.text, "data.augment.pad: 9");
    cfg.augment.pad = 0;
    cfg.size = SIZE - 1;
    assert_int_equal(skl_loader_new(&set, &cfg, SEED, 1, pool, &loader, &err), SKL_USAGE);
    assert_contains(err.text, "data.size: 7");
    assert_null(loader);
    skl_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_stream),
        cmocka_unit_test(keeps_the_file_order),
        cmocka_unit_test(crops_and_flips),
        cmocka_unit_test(cuts_squares_out),
        cmocka_unit_test(mixes_pairs),
        cmocka_unit_test(draws_shares_and_partners),
        cmocka_unit_test(draws_every_crop),
        cmocka_unit_test(ignores_the_number_of_threads),
        cmocka_unit_test(has_no_memory),
        cmocka_unit_test(standardises_channels),
        cmocka_unit_test(only_divides_without_normalisation),
        cmocka_unit_test(averages_after_cropping),
        cmocka_unit_test(gives_clean_images),
        cmocka_unit_test(sums_do_not_overflow),
        cmocka_unit_test(refuses_impossible_settings),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
