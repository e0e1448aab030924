/* jpeg_write.h - inside core/data: an image as JPEG. */
#ifndef SKL_JPEG_WRITE_H
#define SKL_JPEG_WRITE_H
#include <stddef.h>
#include <stdint.h>

/* pixels [height, width, channels], channels 1 or 3; quality 1 to 100.  *n bytes, malloc'd. */
unsigned char *skl_jpeg_write(const uint8_t *pixels, int width, int height, int channels, int quality, size_t *n);
#endif
