/* PNG by libspng. */
#include <stdlib.h>
#include <string.h>

#include <spng.h>

#include "core/data/pictures/picture.h"

enum { CHUNK_MAX = 8 << 20, CHUNKS_MAX = 32 << 20 };

static int damaged(const struct skl_picture *p, int error, struct skl_err *err)
{
    if (error == SPNG_IO_EOF || error == SPNG_EOF || error == SPNG_EIDAT_TOO_SHORT)
        return skl_fail(err, SKL_DATA, "%s: truncated: the PNG breaks off", p->name);
    return skl_fail(err, SKL_DATA, "%s: damaged PNG: %s", p->name, spng_strerror(error));
}

int skl_png_open(struct skl_picture *p, const uint8_t *data, size_t n, struct skl_err *err)
{
    struct spng_ihdr head;
    p->png = spng_ctx_new(0);
    if (!p->png) skl_die("out of memory");
    int error = spng_set_chunk_limits(p->png, CHUNK_MAX, CHUNKS_MAX);
    if (!error) error = spng_set_png_buffer(p->png, data, n);
    if (!error) error = spng_get_ihdr(p->png, &head);
    if (error) return damaged(p, error, err);
    p->width = head.width > INT32_MAX ? INT32_MAX : (int)head.width;
    p->height = head.height > INT32_MAX ? INT32_MAX : (int)head.height;
    if (head.color_type == SPNG_COLOR_TYPE_GRAYSCALE || head.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA)
        p->odd |= SKL_ODD_GREY;
    if (head.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA || head.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA)
        p->odd |= SKL_ODD_ALPHA;
    if (head.color_type == SPNG_COLOR_TYPE_INDEXED) p->odd |= SKL_ODD_PALETTE;
    if (head.bit_depth == 16) p->odd |= SKL_ODD_16_BITS;
    if (head.interlace_method) p->odd |= SKL_ODD_PASSES;
    return SKL_OK;
}

static void over_white(const uint8_t *rgba, int n, uint8_t *rgb)
{
    for (int i = 0; i < n; i++, rgba += 4)
        for (int c = 0; c < 3; c++) *rgb++ = (uint8_t)((rgba[c] * rgba[3] + 255 * (255 - rgba[3]) + 127) / 255);
}

struct rows {
    struct skl_region r;
    size_t channels;
    uint8_t *rgb; /* [w], where there is alpha */
    skl_row_fn *row;
    void *context;
};

static void hand_over(const struct rows *to, int y, const uint8_t *line)
{
    const uint8_t *from = line + (size_t)to->r.x * to->channels;
    if (to->channels == 4) over_white(from, to->r.w, to->rgb);
    to->row(to->context, y, to->channels == 4 ? to->rgb : from);
}

/* All passes of an interlaced picture are needed for its first row. */
static int read_interlaced(struct spng_ctx *png, const struct rows *to, int format, size_t line)
{
    size_t bytes;
    int error = spng_decoded_image_size(png, format, &bytes);
    if (error) return error;
    if (bytes > SKL_PICTURE_MEMORY) return SPNG_EMEM;
    uint8_t *all = skl_alloc(bytes);
    error = spng_decode_image(png, all, bytes, format, SPNG_DECODE_TRNS);
    for (int y = to->r.y; y < to->r.y + to->r.h && !error; y++) hand_over(to, y, all + (size_t)y * line);
    free(all);
    return error;
}

static int read_plain(struct spng_ctx *png, const struct rows *to, int format, size_t line)
{
    uint8_t *one = skl_alloc(line);
    int error = spng_decode_image(png, NULL, 0, format, SPNG_DECODE_TRNS | SPNG_DECODE_PROGRESSIVE);
    for (int y = 0; y < to->r.y + to->r.h && !error; y++) {
        error = spng_decode_row(png, one, line);
        if (error == SPNG_EOI) error = 0; /* the last row */
        if (!error && y >= to->r.y) hand_over(to, y, one);
    }
    free(one);
    return error;
}

int skl_png_read(struct skl_picture *p, struct skl_region r, skl_row_fn *row, void *context, struct skl_err *err)
{
    struct spng_trns trns;
    const int none = spng_get_trns(p->png, &trns);
    if (none && none != SPNG_ECHUNKAVAIL) return damaged(p, none, err);
    if (!none) p->odd |= SKL_ODD_ALPHA;
    const bool alpha = p->odd & SKL_ODD_ALPHA;
    struct rows to = {.r = r, .channels = alpha ? 4 : 3, .row = row, .context = context};
    const int format = alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
    const size_t line = (size_t)p->width * to.channels;
    if (alpha) to.rgb = skl_alloc((size_t)r.w * 3);
    const int error =
        p->odd & SKL_ODD_PASSES ? read_interlaced(p->png, &to, format, line) : read_plain(p->png, &to, format, line);
    free(to.rgb);
    if (error == SPNG_EMEM)
        return skl_fail(err, SKL_DATA, "%s: an interlaced PNG that needs more than %d MiB", p->name,
                        SKL_PICTURE_MEMORY >> 20);
    return error ? damaged(p, error, err) : SKL_OK;
}

void skl_png_close(struct skl_picture *p)
{
    spng_ctx_free(p->png);
    p->png = NULL;
}
