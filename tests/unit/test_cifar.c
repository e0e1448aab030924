#include <sys/stat.h>
#include "core/base/fs.h"
#include "core/data/sets.h"
#include "tests/unit/packed.h"

enum { SMALL = 4, PIXELS = 3072, RECORDS = 10000 };

/* Records whose bytes say where they are: label, then planes of red, green, blue. */
static uint8_t *make_records(int records, int label_bytes)
{
    const size_t bytes = (size_t)label_bytes + PIXELS;
    uint8_t *file = skl_alloc_array((size_t)records, bytes);
    for (int r = 0; r < records; r++) {
        uint8_t *record = file + (size_t)r * bytes;
        record[0] = (uint8_t)(r % 10);
        if (label_bytes == 2) record[1] = (uint8_t)(r % 100);
        for (int i = 0; i < PIXELS; i++) record[label_bytes + i] = (uint8_t)(i / 1024 * 80 + i % 1024 % 79 + r % 3);
    }
    return file;
}

static uint8_t pixels[SMALL * PIXELS];
static int32_t labels[SMALL];

static int read_small(const char *path, int label_bytes, const char *sha, struct skl_err *err)
{
    *err = (struct skl_err){0};
    return skl_cifar_read(path, SMALL, label_bytes, sha, pixels, labels, err);
}

static void turns_planes_into_pixels(void **state)
{
    struct skl_err err;
    for (int label_bytes = 1; label_bytes <= 2; label_bytes++) {
        uint8_t *file = make_records(SMALL, label_bytes);
        const size_t bytes = (size_t)label_bytes + PIXELS;
        put_file(in_scratch("small"), file, SMALL * bytes);
        assert_int_equal(read_small(in_scratch("small"), label_bytes, NULL, &err), SKL_OK);
        for (int r = 0; r < SMALL; r++) {
            assert_int_equal(labels[r], r);
            for (int i = 0; i < PIXELS; i++)
                assert_int_equal(pixels[r * PIXELS + i],
                                 file[(size_t)r * bytes + (size_t)label_bytes + (size_t)(i % 3 * 1024 + i / 3)]);
        }
        free(file);
    }
}

static void refuses_wrong_sizes(void **state)
{
    const char *path = in_scratch("small");
    struct skl_err err;
    uint8_t *file = make_records(SMALL + 1, 1);
    const size_t right = SMALL * 3073, sizes[] = {0, 1, 3073, right - 1, right + 1, right + 3073};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        put_file(path, file, sizes[k]);
        assert_int_equal(read_small(path, 1, NULL, &err), SKL_DATA);
        assert_contains(err.text, path);
        assert_contains(err.text, "expected 12292 bytes (4 records of 3073)");
    }
    unlink(path);
    assert_int_equal(read_small(path, 1, NULL, &err), SKL_DATA);
    file[0] = 0x1f; /* the right size, but gzip's first bytes */
    file[1] = 0x8b;
    put_file(path, file, right);
    assert_int_equal(read_small(path, 1, NULL, &err), SKL_DATA);
    free(file);
}

static void refuses_every_foreign_label(void **state)
{
    const char *path = in_scratch("small");
    struct skl_err err;
    uint8_t *file = make_records(SMALL, 1);
    for (int label = 0; label < 256; label++) {
        file[3 * 3073] = (uint8_t)label;
        put_file(path, file, SMALL * 3073);
        assert_int_equal(read_small(path, 1, NULL, &err), label < 10 ? SKL_OK : SKL_DATA);
        if (label >= 10) assert_contains(err.text, "record 3 (from 0): expected a label of 0 to 9, found ");
    }
    free(file);
    file = make_records(SMALL, 2);
    for (int label = 0; label < 256; label++) {
        file[3074] = (uint8_t)label;
        file[3075] = 0;
        put_file(path, file, SMALL * 3074);
        assert_int_equal(read_small(path, 2, NULL, &err), label < 20 ? SKL_OK : SKL_DATA);
        file[3074] = 0;
        file[3075] = (uint8_t)label;
        put_file(path, file, SMALL * 3074);
        assert_int_equal(read_small(path, 2, NULL, &err), label < 100 ? SKL_OK : SKL_DATA);
    }
    free(file);
}

static void compares_the_digest(void **state)
{
    const char *path = in_scratch("small");
    struct skl_err err;
    uint8_t *file = make_records(SMALL, 1);
    char hex[65];
    skl_sha256_hex(file, SMALL * 3073, hex);
    put_file(path, file, SMALL * 3073);
    assert_int_equal(read_small(path, 1, hex, &err), SKL_OK);
    file[5000] ^= 1; /* one bit of one pixel */
    put_file(path, file, SMALL * 3073);
    assert_int_equal(read_small(path, 1, hex, &err), SKL_DATA);
    assert_contains(err.text, path);
    assert_contains(err.text, "SHA-256");
    free(file);
}

/* All files of a set are one file under several names. */
static void make_set(const char *name, const char *set_folder)
{
    struct skl_err err;
    const struct skl_set *set;
    assert_int_equal(skl_set_find(name, &set, &err), SKL_OK);
    const int label_bytes = set->classes == 100 ? 2 : 1;
    char *inner = skl_path(set_folder, set->folder);
    assert_int_equal(skl_mkdirs(inner, &err), SKL_OK);
    for (const struct skl_file *f = set->files; f->name; f++) {
        char *path = skl_path(inner, f->name);
        const int records = (int)(f->bytes / (label_bytes + PIXELS));
        assert_int_equal(f->bytes, (int64_t)records * (label_bytes + PIXELS));
        char *shared = skl_format("%s/%d-%d", scratch, records, label_bytes);
        if (access(shared, F_OK)) {
            uint8_t *file = make_records(records, label_bytes);
            put_file(shared, file, (size_t)f->bytes);
            free(file);
        }
        assert_int_equal(link(shared, path), 0);
        free(shared);
        free(path);
    }
    free(inner);
}

static void opens_cifar10(void **state)
{
    struct skl_dataset set;
    struct skl_err err;
    make_set("cifar10", in_scratch("own"));
    struct skl_data_config cfg = {.dataset = "cifar10", .path = skl_strdup(in_scratch("own")), .validation = 5000};
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_OK);
    assert_int_equal(set.train.count, 45000);
    assert_int_equal(set.validation.count, 5000);
    assert_int_equal(set.test.count, RECORDS);
    for (int i = 0; i < 45000; i++) assert_int_equal(set.train.labels[i], i % 10);
    assert_int_equal(set.validation.pixels[1], 80 + 45000 % RECORDS % 3); /* green of the first pixel */
    skl_dataset_release(&set);
    char *last = skl_path(cfg.path, "cifar-10-batches-bin/test_batch.bin");
    unlink(last);
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_DATA);
    assert_contains(err.text, last);
    free(last);
    free(cfg.path);
}

/* In the default place only the published bytes are taken. */
static void guards_the_default_place(void **state)
{
    struct skl_dataset set;
    struct skl_err err;
    setenv("XDG_DATA_HOME", scratch, 1);
    if (!access("/usr/share/datasets/cifar10", F_OK)) skip();
    make_set("cifar10", in_scratch("skiplab/cifar10"));
    struct skl_data_config cfg = {.dataset = "cifar10"};
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_DATA);
    assert_contains(err.text, "skiplab/cifar10/cifar-10-batches-bin/data_batch_1.bin: SHA-256");
}

static void opens_cifar100(void **state)
{
    struct skl_dataset set;
    struct skl_err err;
    make_set("cifar100", in_scratch("own"));
    struct skl_data_config cfg = {.dataset = "cifar100", .path = skl_strdup(in_scratch("own/cifar-100-binary"))};
    int size, channels, classes;
    assert_int_equal(skl_dataset_shape(&cfg, &size, &channels, &classes, &err), SKL_OK);
    assert_true(size == 32 && channels == 3 && classes == 100);
    assert_int_equal(skl_dataset_open(&cfg, &set, &err), SKL_OK);
    assert_int_equal(set.train.count, 50000);
    assert_int_equal(set.train.labels[49999], 99);
    assert_int_equal(set.test.count, RECORDS);
    skl_dataset_release(&set);
    free(cfg.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_planes_into_pixels),
        cmocka_unit_test(refuses_wrong_sizes),
        cmocka_unit_test(refuses_every_foreign_label),
        cmocka_unit_test(compares_the_digest),
        cmocka_unit_test(opens_cifar10),
        cmocka_unit_test(guards_the_default_place),
        cmocka_unit_test(opens_cifar100),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
