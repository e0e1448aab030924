#include "core/data/pictures/picture.h"

#include <string.h>
#include <strings.h>

const char *const skl_odd_name[SKL_ODDS] = {"grey",
                                            "CMYK",
                                            "alpha",
                                            "palette",
                                            "16 bits",
                                            "EXIF orientation (ignored)",
                                            "progressive or interlaced",
                                            "damaged (decodes)",
                                            "ending of the other format"};

/* What else people have in such folders, by its first bytes. */
static const char *guess(const uint8_t *b, size_t n)
{
    static const struct {
        const char *start, *what;
    } known[] = {{"GIF8", "a GIF"},           {"BM", "a BMP"},         {"RIFF", "a WebP"},
                 {"II*", "a TIFF"},           {"MM", "a TIFF"},        {"<!", "a page of HTML"},
                 {"<html", "a page of HTML"}, {"\x1f\x8b", "gzipped"}, {"\x89PNG", "a damaged PNG"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= strlen(known[i].start) && !memcmp(b, known[i].start, strlen(known[i].start))) return known[i].what;
    return NULL;
}

static int check_size(const struct skl_picture *p, struct skl_err *err)
{
    if (p->width > 0 && p->height > 0 && p->width <= SKL_PICTURE_SIDE && p->height <= SKL_PICTURE_SIDE &&
        (int64_t)p->width * p->height <= SKL_PICTURE_PIXELS)
        return SKL_OK;
    return skl_fail(err, SKL_DATA, "%s: %dx%d pixels: from 1 to %d million are read", p->name, p->width, p->height,
                    SKL_PICTURE_PIXELS / 1000000);
}

int skl_picture_open(struct skl_picture *p, const void *data, size_t n, const char *name, struct skl_err *err)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff}, png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    p->name = name;
    p->odd = 0;
    p->jpeg = NULL;
    p->png = NULL;
    int status;
    if (n == 0)
        status = skl_fail(err, SKL_DATA, "%s: is empty", name);
    else if (n >= sizeof jpeg && !memcmp(data, jpeg, sizeof jpeg))
        status = skl_jpeg_open(p, data, n, err);
    else if (n >= sizeof png && !memcmp(data, png, sizeof png))
        status = skl_png_open(p, data, n, err);
    else {
        const char *what = guess(data, n);
        status = skl_fail(err, SKL_DATA, "%s: neither JPEG nor PNG%s%s", name, what ? ", but " : "", what ? what : "");
    }
    if (!status) status = check_size(p, err);
    const char *dot = strrchr(name, '.');
    if (!status && dot && !strcasecmp(dot, ".png") == !!p->jpeg) p->odd |= SKL_ODD_NAME;
    return status;
}

int skl_picture_read(struct skl_picture *p, int shrink, struct skl_region r, skl_row_fn *row, void *context,
                     struct skl_err *err)
{
    SKL_CHECK(shrink == 1 || p->jpeg);
    SKL_CHECK(r.x >= 0 && r.y >= 0 && r.w > 0 && r.h > 0);
    SKL_CHECK(r.x + r.w <= (p->width + shrink - 1) / shrink && r.y + r.h <= (p->height + shrink - 1) / shrink);
    return p->jpeg ? skl_jpeg_read(p, shrink, r, row, context, err) : skl_png_read(p, r, row, context, err);
}

void skl_picture_close(struct skl_picture *p)
{
    if (p->jpeg) skl_jpeg_close(p);
    if (p->png) skl_png_close(p);
}
