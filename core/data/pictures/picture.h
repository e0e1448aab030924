/* picture.h - inside core/data: one JPEG or PNG in memory becomes rows of pixels.
 *
 * What Pillow makes of the same file and convert("RGB"), but alpha over white and the high bytes of 16 bits.  The bytes
 * count as hostile: sides, pixels, memory and passes over the picture are bounded before anything is decoded. */
#ifndef SKL_PICTURE_H
#define SKL_PICTURE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/err.h"

enum {
    SKL_PICTURE_SIDE = 65500,       /* pixels; JPEG has no more */
    SKL_PICTURE_PIXELS = 100000000, /* of one picture */
    SKL_PICTURE_FILE = 128 << 20,   /* bytes */
    SKL_PICTURE_MEMORY = 256 << 20  /* bytes, for a picture that comes in several passes */
};
/* What is told of a picture beside its size; bits. */
enum skl_odd {
    SKL_ODD_GREY = 1,
    SKL_ODD_CMYK = 2,
    SKL_ODD_ALPHA = 4,
    SKL_ODD_PALETTE = 8,
    SKL_ODD_16_BITS = 16,
    SKL_ODD_TURNED = 32,   /* EXIF says so; not heeded */
    SKL_ODD_PASSES = 64,   /* progressive or interlaced */
    SKL_ODD_DAMAGED = 128, /* decoded as far as it goes, with a warning of the decoder; known after reading */
    SKL_ODD_NAME = 256     /* PNG under a JPEG's name, or the other way round */
};
enum { SKL_ODDS = 9 };
extern const char *const skl_odd_name[SKL_ODDS];

struct skl_jpeg;
struct spng_ctx;
struct skl_picture {
    const char *name; /* for messages; borrowed, as the bytes are */
    int width, height;
    unsigned odd;
    bool turned_wanted;    /* look for EXIF */
    struct skl_jpeg *jpeg; /* one of the two */
    struct spng_ctx *png;
};
struct skl_region {
    int x, y, w, h;
};
typedef void skl_row_fn(void *context, int y, const uint8_t *rgb);

/* Reads the header.  SKL_DATA: neither JPEG nor PNG, damaged, too large.  Close it in every case. */
int skl_picture_open(struct skl_picture *p, const void *data, size_t n, const char *name, struct skl_err *err);
/* Once: the rows of a region, top to bottom, [w] pixels of 3 bytes each.  shrink 2, 4, 8: of a JPEG reduced while it is
 * decoded, to sides of (side + shrink - 1) / shrink; the region is in its pixels.  SKL_DATA: damaged, within or before
 * the region. */
int skl_picture_read(struct skl_picture *p, int shrink, struct skl_region r, skl_row_fn *row, void *context,
                     struct skl_err *err);
void skl_picture_close(struct skl_picture *p);

/* ---- jpeg.c, png.c ---- */
int skl_jpeg_open(struct skl_picture *p, const uint8_t *data, size_t n, struct skl_err *err);
int skl_jpeg_read(struct skl_picture *p, int shrink, struct skl_region r, skl_row_fn *row, void *context,
                  struct skl_err *err);
void skl_jpeg_close(struct skl_picture *p);
int skl_png_open(struct skl_picture *p, const uint8_t *data, size_t n, struct skl_err *err);
int skl_png_read(struct skl_picture *p, struct skl_region r, skl_row_fn *row, void *context, struct skl_err *err);
void skl_png_close(struct skl_picture *p);
#endif
