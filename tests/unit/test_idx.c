#include <sys/stat.h>
#include "core/base/fs.h"
#include "core/data/sets.h"
#include "tests/unit/packed.h"

enum { N = 3, IMAGE_BYTES = 16 + N * 784, LABEL_BYTES = 8 + N };

static uint8_t images[IMAGE_BYTES], labels[LABEL_BYTES];
static const char *images_path, *labels_path;

static void big_endian(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(v >> (24 - 8 * i));
}

static int fresh(void **state)
{
    if (scratch_make(state)) return -1;
    images_path = strdup(in_scratch("images"));
    labels_path = strdup(in_scratch("labels"));
    big_endian(images, 0x803);
    big_endian(images + 4, N);
    big_endian(images + 8, 28);
    big_endian(images + 12, 28);
    for (int i = 0; i < N * 784; i++) images[16 + i] = (uint8_t)(i * 7 + i / 784 + 1);
    big_endian(labels, 0x801);
    big_endian(labels + 4, N);
    for (int i = 0; i < N; i++) labels[8 + i] = (uint8_t)(9 - i);
    put_file(images_path, images, sizeof images);
    put_file(labels_path, labels, sizeof labels);
    return 0;
}

static int done(void **state)
{
    free((char *)images_path);
    free((char *)labels_path);
    return scratch_remove(state);
}

static int read_both(struct skl_err *err)
{
    struct skl_images im;
    *err = (struct skl_err){0};
    int rc = skl_idx_read(images_path, labels_path, 10, &im, err);
    free(im.pixels);
    free(im.labels);
    return rc;
}

/* The reader refuses the pair, names `file` and says `words`. */
#define assert_refused(file, words) \
    do { \
        struct skl_err err_; \
        assert_int_equal(read_both(&err_), SKL_DATA); \
        if (!strstr(err_.text, file) || !strstr(err_.text, words)) fail_msg("message: %s", err_.text); \
    } while (0)

static void check_content(void)
{
    struct skl_images im;
    struct skl_err err;
    assert_int_equal(skl_idx_read(images_path, labels_path, 10, &im, &err), SKL_OK);
    assert_int_equal(im.count, N);
    assert_int_equal(im.size, 32);
    assert_int_equal(im.channels, 1);
    for (int i = 0; i < N; i++) {
        assert_int_equal(im.labels[i], 9 - i);
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < 32; x++) {
                int inside = y >= 2 && y < 30 && x >= 2 && x < 30;
                int expected = inside ? images[16 + i * 784 + (y - 2) * 28 + x - 2] : 0;
                assert_int_equal(im.pixels[i * 1024 + y * 32 + x], expected);
            }
    }
    free(im.pixels);
    free(im.labels);
}

static void reads_plain_and_gzipped(void **state)
{
    check_content();
    put_gzip(images_path, images, sizeof images);
    put_gzip(labels_path, labels, sizeof labels);
    check_content();
}

static void refuses_wrong_headers(void **state)
{
    images[2] = 0x0d; /* floats */
    put_file(images_path, images, sizeof images);
    assert_refused(images_path, "0x00000d03");
    images[2] = 8;
    big_endian(images + 8, 27);
    put_file(images_path, images, sizeof images);
    assert_refused(images_path, "expected images of 28x28, found 27x28");
    big_endian(images + 8, 28);
    big_endian(images + 4, 0);
    put_file(images_path, images, sizeof images);
    assert_refused(images_path, "the header says 0");
    put_file(images_path, labels, sizeof labels);
    assert_refused(images_path, "truncated in its header");
}

static void refuses_foreign_labels(void **state)
{
    labels[8 + 1] = 10;
    put_file(labels_path, labels, sizeof labels);
    assert_refused(labels_path, "label 1 (from 0): expected 0 to 9, found 10");
    big_endian(labels + 4, N - 1);
    put_file(labels_path, labels, sizeof labels - 1);
    assert_refused(labels_path, "expected 3 labels");
}

static void refuses_every_truncation(void **state)
{
    for (size_t n = 0; n < sizeof images; n += n < 40 ? 1 : 97) {
        put_file(images_path, images, n);
        assert_refused(images_path, "truncated");
    }
    put_file(images_path, images, sizeof images);
    for (size_t n = 0; n < sizeof labels; n++) {
        put_file(labels_path, labels, n);
        assert_refused(labels_path, "truncated");
    }
}

static bool same_labels(void)
{
    struct skl_images im;
    struct skl_err err;
    bool same = skl_idx_read(images_path, labels_path, 10, &im, &err) == SKL_OK;
    for (int i = 0; i < N && same; i++) same = im.labels[i] == 9 - i;
    free(im.pixels);
    free(im.labels);
    return same;
}

/* Every length is refused; every flipped bit too, unless it means nothing (the fill of the last deflated byte). */
static void refuses_every_damage_to_gzip(void **state)
{
    put_gzip(labels_path, labels, sizeof labels);
    char *gz;
    size_t n;
    int harmless = 0;
    struct skl_err err;
    assert_int_equal(skl_file_read(labels_path, 1 << 20, &gz, &n, &err), SKL_OK);
    for (size_t cut = 0; cut < n; cut++) {
        put_file(labels_path, gz, cut);
        assert_int_equal(read_both(&err), SKL_DATA);
    }
    for (size_t bit = 10 * 8; bit < n * 8; bit++) {
        gz[bit / 8] ^= (char)(1 << bit % 8);
        put_file(labels_path, gz, n);
        if (read_both(&err) == SKL_OK) {
            harmless++;
            assert_true(same_labels());
        }
        gz[bit / 8] ^= (char)(1 << bit % 8);
    }
    put_file(labels_path, gz, n);
    assert_true(same_labels());
    assert_true(harmless < 8);
    free(gz);
}

static void refuses_trailing_bytes(void **state)
{
    append_file(images_path, "x", 1);
    assert_refused(images_path, "trailing");
    put_gzip(images_path, images, sizeof images);
    append_file(images_path, "x", 1); /* after the gzip stream */
    assert_refused(images_path, "trailing");
    gzFile f = gzopen(images_path, "wb");
    gzwrite(f, images, sizeof images);
    gzwrite(f, "x", 1); /* inside it */
    gzclose(f);
    assert_refused(images_path, "trailing");
}

static void reads_several_members(void **state)
{
    char part[4096];
    const size_t cuts[] = {0, 7, 16, 1000, sizeof images};
    snprintf(part, sizeof part, "%s.part", images_path);
    unlink(images_path);
    for (size_t i = 1; i < sizeof cuts / sizeof *cuts; i++) {
        char gz[8192];
        put_gzip(part, images + cuts[i - 1], cuts[i] - cuts[i - 1]);
        FILE *f = fopen(part, "rb");
        assert_non_null(f);
        size_t n = fread(gz, 1, sizeof gz, f);
        fclose(f);
        append_file(images_path, gz, n);
        put_gzip(part, "", 0); /* an empty one between */
        f = fopen(part, "rb");
        n = fread(gz, 1, sizeof gz, f);
        fclose(f);
        append_file(images_path, gz, n);
    }
    check_content();
    append_file(images_path, "\x1f\x8b", 2); /* a third that breaks off */
    assert_refused(images_path, "truncated");
}

static void reads_padded_files(void **state)
{
    static const uint8_t zeros[(1 << 16) + 1];
    append_file(images_path, zeros, 512);
    check_content();
    put_gzip(images_path, images, sizeof images);
    append_file(images_path, zeros, 1 << 16);
    check_content();
    append_file(images_path, zeros, 1);
    assert_refused(images_path, "trailing");
    put_file(images_path, images, sizeof images);
    append_file(images_path, zeros, sizeof zeros);
    assert_refused(images_path, "trailing");
}

/* In a child: 0 if the pair is refused with these words. */
static const char *wanted_words;
static int refused_in_child(void)
{
    struct skl_err err;
    if (read_both(&err) == SKL_DATA && strstr(err.text, wanted_words)) return 0;
    fprintf(stderr, "wanted '%s': %s\n", wanted_words, err.text);
    return 1;
}

static void assert_refused_in_little(const char *words)
{
    wanted_words = words;
    in_little(refused_in_child, 64, 2);
}

/* Files of some MB that inflate to gigabytes, with honest and dishonest headers. */
static void refuses_bombs(void **state)
{
    enum { MANY = 262144, ALL = 196 }; /* images and their MiB */
    big_endian(images + 4, MANY);      /* promised in a file of a few KB */
    put_gzip(images_path, images, sizeof images);
    assert_refused_in_little("cannot hold");
    put_bomb(images_path, images, 16, ALL - 1); /* kept but for the last MiB */
    assert_refused_in_little("truncated");
    put_bomb(images_path, images, 16, ALL + 1);
    assert_refused_in_little("trailing");
    put_bomb(images_path, images, 16, ALL); /* kept, but there are three labels */
    assert_refused_in_little("expected 262144 labels");
    for (int count = N; count <= 60000; count += 60000 - N) {
        big_endian(images + 4, (uint32_t)count);
        put_bomb(images_path, images, 16, 10000);
        assert_refused_in_little("trailing");
    }
    big_endian(images + 4, N);
    put_file(images_path, images, sizeof images);
    put_bomb(labels_path, labels, sizeof labels, 10000);
    assert_refused_in_little("trailing");
    put_bomb(images_path, "", 0, 10000);
    assert_refused_in_little("magic number");
}

static void refuses_what_is_no_file(void **state)
{
    unlink(images_path);
    assert_refused(images_path, "No such file");
    mkfifo(images_path, 0600);
    assert_refused(images_path, "regular file");
    unlink(images_path);
    mkdir(images_path, 0700);
    assert_refused(images_path, "it is a folder");
    rmdir(images_path);
}

/* A whole set through skl_dataset_open(): four files, the first N images, the last ones held out. */
static void opens_a_set(void **state)
{
    put_gzip(in_scratch("train-images-idx3-ubyte.gz"), images, sizeof images);
    put_file(in_scratch("train-labels-idx1-ubyte"), labels, sizeof labels);
    put_gzip(in_scratch("t10k-images-idx3-ubyte.gz"), images, sizeof images);
    put_gzip(in_scratch("t10k-labels-idx1-ubyte.gz"), labels, sizeof labels);
    struct skl_data_config cfg = {.dataset = "mnist", .path = scratch, .test_images = 2, .validation = 1};
    struct skl_dataset set;
    struct skl_err err;
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_OK);
    assert_int_equal(set.classes, 10);
    assert_int_equal(set.train.count, 2);
    assert_int_equal(set.test.count, 2);
    assert_int_equal(set.validation.count, 1);
    assert_int_equal(set.validation.labels[0], 7);
    assert_memory_equal(set.validation.pixels + 2 * 32 + 2, images + 16 + 2 * 784, 28);
    uint64_t fingerprint = set.fingerprint;
    skl_dataset_release(&set);
    images[16 + 1000] ^= 1;
    put_file(in_scratch("t10k-images-idx3-ubyte.gz"), images, sizeof images);
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_OK);
    assert_true(set.fingerprint != fingerprint);
    skl_dataset_release(&set);
    cfg.validation = 3;
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_USAGE);
    assert_non_null(strstr(err.text, "data.validation: 3"));
    cfg.validation = 0;
    cfg.train_images = 4;
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_USAGE);
    assert_non_null(strstr(err.text, "data.train_images: 4: mnist has 3"));
    cfg.train_images = 0;
    unlink(in_scratch("t10k-labels-idx1-ubyte.gz"));
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_DATA);
    assert_non_null(strstr(err.text, in_scratch("t10k-labels-idx1-ubyte.gz")));
}

static void names_the_places_it_looked_in(void **state)
{
    setenv("XDG_DATA_HOME", scratch, 1);
    struct skl_data_config cfg = {.dataset = "mnist"};
    struct skl_dataset set;
    struct skl_err err;
    if (!access("/usr/share/datasets/mnist", F_OK)) skip();
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_DATA);
    assert_non_null(strstr(err.text, "/usr/share/datasets/mnist"));
    assert_non_null(strstr(err.text, in_scratch("skiplab/mnist")));
    assert_non_null(strstr(err.text, "`skiplab data fetch mnist`"));
    cfg.path = scratch;
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_DATA);
    assert_non_null(strstr(err.text, "train-images-idx3-ubyte.gz"));
    cfg.dataset = "minst";
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_USAGE);
    assert_non_null(strstr(err.text, "did you mean 'mnist'?"));
}

static void reads_the_package(void **state)
{
    if (access("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz", F_OK)) skip();
    struct skl_data_config cfg = {.dataset = "fashion-mnist"};
    struct skl_dataset set;
    struct skl_err err;
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_OK);
    assert_int_equal(set.train.count, 60000);
    assert_int_equal(set.test.count, 10000);
    int per_class[10] = {0};
    for (int i = 0; i < set.train.count; i++) per_class[set.train.labels[i]]++;
    for (int c = 0; c < 10; c++) assert_int_equal(per_class[c], 6000);
    skl_dataset_release(&set);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(reads_plain_and_gzipped),
        TEST(refuses_wrong_headers),
        TEST(refuses_foreign_labels),
        TEST(refuses_every_truncation),
        TEST(refuses_every_damage_to_gzip),
        TEST(refuses_trailing_bytes),
        TEST(reads_several_members),
        TEST(reads_padded_files),
        TEST(refuses_bombs),
        TEST(refuses_what_is_no_file),
        TEST(opens_a_set),
        TEST(names_the_places_it_looked_in),
        cmocka_unit_test(reads_the_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
