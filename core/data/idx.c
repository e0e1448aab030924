#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/fs.h"
#include "core/data/sets.h"

enum { SIDE = 28, PADDED = 32, MAX_IMAGES = 300000, DEFLATE_RATIO = 1032, BLOCK = 64 };

static uint32_t big_endian(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Reads n bytes or says that the file is too short. */
static int read_all(struct skl_stream *s, void *to, size_t n, const char *what, struct skl_err *err)
{
    size_t got;
    int status = skl_stream_read(s, to, n, &got, err);
    if (status == SKL_OK && got < n)
        status = skl_fail(err, SKL_DATA, "%s: truncated in %s; get the file again", s->path, what);
    return status;
}

/* Magic number, then `dims` sizes. */
static int read_header(struct skl_stream *s, int dims, uint32_t *dim, struct skl_err *err)
{
    uint8_t head[16];
    int status = read_all(s, head, 4 + 4 * (size_t)dims, "its header", err);
    if (status) return status;
    uint32_t magic = 0x0800u + (uint32_t)dims;
    if (big_endian(head) != magic)
        return skl_fail(err, SKL_DATA,
                        "%s: expected the magic number 0x%08" PRIx32 " (IDX, unsigned bytes, %d dimension%s), "
                        "found 0x%08" PRIx32,
                        s->path, magic, dims, dims > 1 ? "s" : "", big_endian(head));
    for (int d = 0; d < dims; d++) dim[d] = big_endian(head + 4 + 4 * d);
    if (dim[0] < 1 || dim[0] > MAX_IMAGES)
        return skl_fail(err, SKL_DATA, "%s: expected 1 to %d entries, the header says %" PRIu32, s->path, MAX_IMAGES,
                        dim[0]);
    return SKL_OK;
}

/* Reads the file through and keeps nothing: it must hold exactly what its header promises. */
static int check_body(struct skl_stream *s, size_t header, size_t body, const char *what, struct skl_err *err)
{
    int64_t most = s->gzip ? s->file_bytes * DEFLATE_RATIO : s->file_bytes;
    if (most < (int64_t)(header + body))
        return skl_fail(err, SKL_DATA,
                        "%s: truncated: the header promises %zu bytes, a file of %" PRId64 " bytes cannot hold "
                        "them; get the file again",
                        s->path, header + body, s->file_bytes);
    const size_t step = (size_t)BLOCK * SIDE * SIDE;
    uint8_t *block = skl_alloc(step);
    int status = SKL_OK;
    for (size_t n; body > 0 && status == SKL_OK; body -= n) {
        n = body < step ? body : step;
        status = read_all(s, block, n, what, err);
    }
    free(block);
    return status ? status : skl_stream_end(s, err);
}

/* How many images the file holds; everything but their pixels is checked. */
static int check_images(const char *path, int *count, struct skl_err *err)
{
    struct skl_stream s = {0};
    uint32_t dim[3] = {0};
    int status = skl_stream_open(&s, path, err);
    if (status == SKL_OK) status = read_header(&s, 3, dim, err);
    if (status == SKL_OK && (dim[1] != SIDE || dim[2] != SIDE))
        status = skl_fail(err, SKL_DATA, "%s: expected images of %dx%d, found %" PRIu32 "x%" PRIu32, path, SIDE, SIDE,
                          dim[1], dim[2]);
    if (status == SKL_OK) status = check_body(&s, 16, (size_t)dim[0] * SIDE * SIDE, "the images", err);
    skl_stream_close(&s);
    *count = (int)dim[0];
    return status;
}

static int check_labels(const char *path, const char *images, int count, struct skl_err *err)
{
    struct skl_stream s = {0};
    uint32_t n = 0;
    int status = skl_stream_open(&s, path, err);
    if (status == SKL_OK) status = read_header(&s, 1, &n, err);
    if (status == SKL_OK && n != (uint32_t)count)
        status = skl_fail(err, SKL_DATA, "%s: expected %d labels, one for each image of %s, found %" PRIu32, path,
                          count, images, n);
    if (status == SKL_OK) status = check_body(&s, 8, n, "the labels", err);
    skl_stream_close(&s);
    return status;
}

static int read_labels(struct skl_stream *s, int classes, struct skl_images *out, struct skl_err *err)
{
    const size_t n = (size_t)out->count;
    uint32_t dim;
    uint8_t *bytes = skl_alloc(n);
    int status = read_header(s, 1, &dim, err);
    if (status == SKL_OK) status = read_all(s, bytes, n, "the labels", err);
    out->labels = skl_alloc_array(n, sizeof *out->labels);
    for (size_t i = 0; i < n && status == SKL_OK; i++) {
        if (bytes[i] >= classes)
            status = skl_fail(err, SKL_DATA, "%s: label %zu (from 0): expected 0 to %d, found %d", s->path, i,
                              classes - 1, bytes[i]);
        out->labels[i] = bytes[i];
    }
    free(bytes);
    return status;
}

static void pad_image(const uint8_t *in, uint8_t *out)
{
    const int margin = (PADDED - SIDE) / 2;
    for (int y = 0; y < SIDE; y++) memcpy(out + (y + margin) * PADDED + margin, in + y * SIDE, SIDE);
}

static int read_images(struct skl_stream *s, struct skl_images *out, struct skl_err *err)
{
    uint32_t dim[3];
    int status = read_header(s, 3, dim, err);
    if (status) return status;
    out->pixels = skl_alloc_array((size_t)out->count, PADDED * PADDED);
    uint8_t *block = skl_alloc(BLOCK * SIDE * SIDE);
    for (int i = 0; i < out->count && status == SKL_OK; i += BLOCK) {
        int n = out->count - i < BLOCK ? out->count - i : BLOCK;
        status = read_all(s, block, (size_t)n * SIDE * SIDE, "the images", err);
        for (int k = 0; k < n && status == SKL_OK; k++)
            pad_image(block + k * SIDE * SIDE, out->pixels + (size_t)(i + k) * PADDED * PADDED);
    }
    free(block);
    return status;
}

int skl_idx_read(const char *images, const char *labels, int classes, struct skl_images *out, struct skl_err *err)
{
    struct skl_stream s = {0};
    *out = (struct skl_images){.size = PADDED, .channels = 1};
    int status = check_images(images, &out->count, err);
    if (status == SKL_OK) status = check_labels(labels, images, out->count, err);
    if (status == SKL_OK) status = skl_stream_open(&s, labels, err);
    if (status == SKL_OK) status = read_labels(&s, classes, out, err);
    skl_stream_close(&s);
    if (status == SKL_OK) status = skl_stream_open(&s, images, err);
    if (status == SKL_OK) status = read_images(&s, out, err);
    skl_stream_close(&s);
    return status;
}

/* The name as published is the one that a message is about where neither form is there. */
static int pick(const char *folder, const char *name, char **path, struct skl_err *err)
{
    int status = skl_set_file(folder, name, path, err);
    if (!status && !*path) *path = skl_path(folder, name);
    return status;
}

int skl_idx_open(const struct skl_set *set, const struct skl_data_config *cfg, const char *folder, bool published,
                 struct skl_dataset *out, struct skl_err *err)
{
    /* No SHA-256 here: packages compress the files anew, and the gzip CRC finds accidents. */
    struct skl_images *part[2] = {&out->train, &out->test};
    int status = SKL_OK;
    for (int p = 0; p < 2 && status == SKL_OK; p++) {
        char *images = NULL, *labels = NULL;
        status = pick(folder, set->files[2 * p].name, &images, err);
        if (status == SKL_OK) status = pick(folder, set->files[2 * p + 1].name, &labels, err);
        if (status == SKL_OK) status = skl_idx_read(images, labels, set->classes, part[p], err);
        free(images);
        free(labels);
    }
    return status;
}
