#include <inttypes.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/base/fs.h"
#include "core/data/sets.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, BLOCK = 50 };

/* Three planes (red, green, blue) become one row-major image of pixels. */
static void interleave(const uint8_t *planes, uint8_t *pixels)
{
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++) pixels[3 * i + c] = planes[c * PLANE + i];
}

static int read_record(const char *path, int number, int label_bytes, const uint8_t *record, uint8_t *pixels,
                       int32_t *label, struct skl_err *err)
{
    const int coarse_classes = 20, classes = label_bytes == 2 ? 100 : 10;
    if (label_bytes == 2 && record[0] >= coarse_classes)
        return skl_fail(err, SKL_DATA, "%s: record %d (from 0): expected a coarse label of 0 to %d, found %d", path,
                        number, coarse_classes - 1, record[0]);
    *label = record[label_bytes - 1];
    if (*label >= classes)
        return skl_fail(err, SKL_DATA, "%s: record %d (from 0): expected a label of 0 to %d, found %d", path, number,
                        classes - 1, *label);
    interleave(record + label_bytes, pixels);
    return SKL_OK;
}

static int read_records(struct skl_stream *s, int records, int label_bytes, SHA256_CTX *sha, uint8_t *pixels,
                        int32_t *labels, struct skl_err *err)
{
    const size_t bytes = (size_t)label_bytes + PIXELS;
    uint8_t *block = skl_alloc(BLOCK * bytes);
    int status = SKL_OK;
    for (int first = 0; first < records && status == SKL_OK; first += BLOCK) {
        int n = records - first < BLOCK ? records - first : BLOCK;
        size_t got;
        status = skl_stream_read(s, block, (size_t)n * bytes, &got, err);
        if (status == SKL_OK && got < (size_t)n * bytes)
            status = skl_fail(err, SKL_DATA, "%s: truncated while it was read", s->path);
        if (status == SKL_OK && sha) SHA256_Update(sha, block, got);
        for (int i = 0; i < n && status == SKL_OK; i++)
            status = read_record(s->path, first + i, label_bytes, block + (size_t)i * bytes,
                                 pixels + (size_t)(first + i) * PIXELS, labels + first + i, err);
    }
    free(block);
    return status;
}

/* The file's size in bytes must be that of `records` records of label_bytes + 3072. */
static int check_size(const char *path, int records, int label_bytes, struct skl_err *err)
{
    const int64_t expected = (int64_t)records * (label_bytes + PIXELS);
    int64_t bytes;
    int fd = skl_open_regular(path, &bytes, err);
    if (fd < 0) return SKL_DATA;
    close(fd);
    if (bytes == expected) return SKL_OK;
    return skl_fail(err, SKL_DATA, "%s: expected %" PRId64 " bytes (%d records of %d), found %" PRId64, path, expected,
                    records, label_bytes + PIXELS, bytes);
}

int skl_cifar_read(const char *path, int records, int label_bytes, const char *sha256, uint8_t *pixels, int32_t *labels,
                   struct skl_err *err)
{
    struct skl_stream s;
    int status = check_size(path, records, label_bytes, err);
    if (status == SKL_OK) status = skl_stream_open(&s, path, err);
    if (status) return status;
    SHA256_CTX sha;
    SHA256_Init(&sha);
    status = read_records(&s, records, label_bytes, sha256 ? &sha : NULL, pixels, labels, err);
    char hex[65];
    if (status == SKL_OK && sha256 && strcmp(SHA256_End(&sha, hex), sha256) != 0)
        status = skl_fail(err, SKL_DATA,
                          "%s: SHA-256 is %.16s..., the published file's is %.16s...: changed or damaged; remove it "
                          "and run `skiplab data fetch`, or give data.path to use files of your own",
                          path, hex, sha256);
    skl_stream_close(&s);
    return status;
}

static void alloc_images(struct skl_images *im, int count)
{
    *im = (struct skl_images){.count = count, .size = SIDE, .channels = 3};
    im->pixels = skl_alloc_array((size_t)count, PIXELS);
    im->labels = skl_alloc_array((size_t)count, sizeof *im->labels);
}

/* The files of the table: the last is the test set, those before it the training set, in order. */
static int read_files(const struct skl_set *set, const char *folder, bool published, int label_bytes,
                      struct skl_dataset *out, struct skl_err *err)
{
    int status = SKL_OK, records[SKL_SET_FILES], files = 0, train = 0;
    for (; set->files[files].name && status == SKL_OK; files++) { /* all sizes before any memory is taken */
        char *path = skl_path(folder, set->files[files].name);
        records[files] = (int)(set->files[files].bytes / (label_bytes + PIXELS));
        train += records[files];
        status = check_size(path, records[files], label_bytes, err);
        free(path);
    }
    if (status) return status;
    alloc_images(&out->train, train - records[files - 1]);
    alloc_images(&out->test, records[files - 1]);
    for (int f = 0, first = 0; f < files && status == SKL_OK; first += records[f++]) {
        struct skl_images *im = f < files - 1 ? &out->train : &out->test;
        if (f == files - 1) first = 0;
        char *path = skl_path(folder, set->files[f].name);
        status = skl_cifar_read(path, records[f], label_bytes, published ? set->files[f].sha256 : NULL,
                                im->pixels + (size_t)first * PIXELS, im->labels + first, err);
        free(path);
    }
    return status;
}

int skl_cifar10_open(const struct skl_set *set, const struct skl_data_config *cfg, const char *folder, bool published,
                     struct skl_dataset *out, struct skl_err *err)
{
    return read_files(set, folder, published, 1, out, err);
}

int skl_cifar100_open(const struct skl_set *set, const struct skl_data_config *cfg, const char *folder, bool published,
                      struct skl_dataset *out, struct skl_err *err)
{
    return read_files(set, folder, published, 2, out, err);
}
