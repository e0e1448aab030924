/* picture.h - what the targets jpeg and png share: a file of one format, read whole and as an image. */
#ifndef FUZZ_PICTURE_H
#define FUZZ_PICTURE_H
#include <stdbool.h>
#include "core/data/pictures/picture.h"
#include "core/data/pictures/view.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_SIDE = 8, FUZZ_PIXELS = 1 << 18 };

struct fuzz_rows {
    int next, bytes;
    unsigned sum;
};

static void fuzz_row(void *context, int y, const uint8_t *rgb)
{
    struct fuzz_rows *r = context;
    FUZZ_CHECK(y == r->next++);
    for (int i = 0; i < r->bytes; i++) r->sum += rgb[i];
}

/* The first byte: bits 0 and 1 how it is reduced (JPEG), bit 2 a part of it, bit 3 made an image. */
static void fuzz_picture(const uint8_t *data, size_t n, bool jpeg)
{
    if (n < 1 || n > 1 << 19) return;
    const int how = data[0];
    char *file = fuzz_copy(data + 1, n - 1);
    struct skl_picture p = {.turned_wanted = true};
    struct skl_err err = {0};
    int status = skl_picture_open(&p, file, n - 1, "x", &err);
    if (!status) FUZZ_CHECK(p.width > 0 && p.height > 0 && (int64_t)p.width * p.height <= SKL_PICTURE_PIXELS);
    const bool small = !status && (int64_t)p.width * p.height <= FUZZ_PIXELS,
               mine = !status && (p.jpeg != NULL) == jpeg;
    if (small && mine && how & 8) {
        const struct skl_data_config cfg = {.size = FUZZ_SIDE, .augment.area = {how & 4 ? 0.08 : 0, 1}};
        const struct skl_view v = skl_view_draw(&cfg, 1, 2, how, p.width, p.height);
        uint8_t image[FUZZ_SIDE * FUZZ_SIDE * 3];
        status = skl_view_make(&p, &v, FUZZ_SIDE, image, &err);
    } else if (small && mine) {
        const int shrink = jpeg ? 1 << (how & 3) : 1, w = (p.width + shrink - 1) / shrink,
                  h = (p.height + shrink - 1) / shrink;
        struct skl_region r = {0, 0, w, h};
        if (how & 4) r = (struct skl_region){w / 3, h / 3, (w + 1) / 2, (h + 1) / 2};
        struct fuzz_rows rows = {.next = r.y, .bytes = 3 * r.w};
        status = skl_picture_read(&p, shrink, r, fuzz_row, &rows, &err);
        if (!status) FUZZ_CHECK(rows.next == r.y + r.h);
    }
    if (status) {
        fuzz_check_error(status, &err);
        FUZZ_CHECK(status == SKL_DATA && !strncmp(err.text, "x: ", 3));
    }
    skl_picture_close(&p);
    free(file);
}
#endif
