#include "core/data/pictures/jpeg_write.h"

#include <stdio.h>

#include <jpeglib.h>

#include "core/base/err.h"

/* The library's only reason here is want of memory. */
static void end(j_common_ptr c)
{
    char why[JMSG_LENGTH_MAX];
    c->err->format_message(c, why);
    skl_die("cannot write a JPEG: %s", why);
}

unsigned char *skl_jpeg_write(const uint8_t *pixels, int width, int height, int channels, int quality, size_t *n)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    unsigned long bytes = 0;
    c.err = jpeg_std_error(&errors);
    errors.error_exit = end;
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &bytes);
    c.image_width = (JDIMENSION)width;
    c.image_height = (JDIMENSION)height;
    c.input_components = channels;
    c.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, quality, TRUE);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)c.next_scanline * (size_t)width * (size_t)channels);
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    *n = bytes;
    return out;
}
