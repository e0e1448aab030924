/* view.h - inside core/data: which part of a picture an image is, and the image made of it. */
#ifndef SKL_VIEW_H
#define SKL_VIEW_H
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/config/experiment.h"

/* The part [w, h] at (x, y) of the picture is resized to [across, down], and the window of the image's size is cut out
 * of that at (left, top), then mirrored. */
struct skl_view {
    int x, y, w, h, across, down, left, top;
    bool flip;
};
/* Of training image number `image` in an epoch: by cfg->augment, a function of seed, epoch and image. */
struct skl_view skl_view_draw(const struct skl_data_config *cfg, uint64_t seed, int64_t epoch, int image, int width,
                              int height);
/* A test image: the shorter side resized, crop 0 is the centre; with ten crops 1 to 4 are the corners (top left and
 * right, bottom left and right) and 5 to 9 the mirror images of 0 to 4. */
struct skl_view skl_view_test(const struct skl_data_config *cfg, int crop, int width, int height);
/* What is added to red, green and blue (0 to 255) of a training image. */
void skl_colour_draw(const struct skl_data_config *cfg, uint64_t seed, int64_t epoch, int image, double rgb[3]);

struct skl_picture;
/* out [size, size, 3].  A JPEG at least 4 times as large as needed is reduced while it is decoded.
 * SKL_DATA: damaged. */
int skl_view_make(struct skl_picture *p, const struct skl_view *v, int size, uint8_t *out, struct skl_err *err);
#endif
