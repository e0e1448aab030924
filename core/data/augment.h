/* augment.h - inside core/data: one image from stored bytes to what the net sees. */
#ifndef SKL_AUGMENT_H
#define SKL_AUGMENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* value = pixel * scale - shift.  Images are [size, size, channels]. */
struct skl_normaliser {
    int size, channels;
    float *scale; /* [size * channels]: the same for every row */
    float *shift; /* [size, size, channels] */
};
/* out[y][x] = the normalised image at [y + dy][x + dx], 0 outside it; then mirrored left to right if flip. */
void skl_augment(const struct skl_normaliser *norm, const uint8_t *image, int dy, int dx, bool flip, float *out);
/* Means over 2x2 pixels: in [size, size, channels] to out [size / 2, size / 2, channels]. */
void skl_halve(const float *in, int size, int channels, float *out);
/* The crop and flip of one image in one epoch: offsets within [-pad, pad], each equally likely. */
struct skl_crop {
    int dy, dx;
    bool flip;
};
struct skl_crop skl_crop_draw(uint64_t seed, int64_t epoch, int image, int pad);
/* A square of side `side`, its centre on any pixel of [size, size, channels] with the same chance, is set to 0 as far
 * as it lies inside; which one follows from seed, epoch and image. */
void skl_cutout(uint64_t seed, int64_t epoch, int image, int side, int size, int channels, float *pixels);
/* A number of Beta(alpha, alpha), or 1 minus it, whichever is smaller; 0 < alpha <= 4. */
double skl_mix_draw(uint64_t key, double alpha);
/* Both images, [floats], keep 1 - share of their own and take share of the other's. */
void skl_mix_pair(size_t floats, float share, float *a, float *b);
#endif
