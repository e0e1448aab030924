#include <string.h>
#include "core/base/rng.h"
#include "core/data/augment.h"

struct skl_crop skl_crop_draw(uint64_t seed, int64_t epoch, int image, int pad)
{
    uint64_t key = skl_rng_key(seed, SKL_RNG_AUGMENT, (uint64_t)epoch, (uint64_t)image);
    uint64_t bits = skl_rng_bits(key, 0), places = 2 * (uint64_t)pad + 1;
    return (struct skl_crop){.dy = (int)((bits >> 32) * places >> 32) - pad,
                             .dx = (int)((bits & 0xffffffffu) * places >> 32) - pad,
                             .flip = skl_rng_bits(key, 1) >> 63};
}

static void normalise(const uint8_t *restrict in, const float *restrict scale, const float *restrict shift, int n,
                      float *restrict out)
{
    for (int i = 0; i < n; i++) out[i] = (float)in[i] * scale[i] - shift[i];
}

/* n pixels, the first to the place before `out`, the next to its left. */
static inline void normalise_mirrored(const uint8_t *restrict in, const float *restrict scale,
                                      const float *restrict shift, int n, int channels, float *restrict out)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < channels; c++)
            out[c - (i + 1) * channels] =
                (float)in[i * channels + c] * scale[i * channels + c] - shift[i * channels + c];
}

static void mirrored(const uint8_t *in, const float *scale, const float *shift, int n, int channels, float *out)
{
    if (channels == 3)
        normalise_mirrored(in, scale, shift, n, 3, out); /* the compiler unrolls these two */
    else if (channels == 1)
        normalise_mirrored(in, scale, shift, n, 1, out);
    else
        normalise_mirrored(in, scale, shift, n, channels, out);
}

void skl_augment(const struct skl_normaliser *norm, const uint8_t *image, int dy, int dx, bool flip, float *out)
{
    const int size = norm->size, channels = norm->channels, row = size * channels;
    const int sx = dx > 0 ? dx : 0;           /* first source column */
    const int n = size - (dx < 0 ? -dx : dx); /* columns that lie inside */
    const int left = sx - dx;                 /* columns of zeros before them */
    for (int y = 0; y < size; y++, out += row) {
        const int sy = y + dy;
        memset(out, 0, sizeof *out * (size_t)row);
        if (sy < 0 || sy >= size || n <= 0) continue;
        const int from = sy * row + sx * channels;
        if (flip)
            mirrored(image + from, norm->scale, norm->shift + from, n, channels, out + (size - left) * channels);
        else
            normalise(image + from, norm->scale, norm->shift + from, n * channels, out + left * channels);
    }
}

/* Bits 0 and 1 of this key are the crop and the flip. */
void skl_cutout(uint64_t seed, int64_t epoch, int image, int side, int size, int channels, float *pixels)
{
    const uint64_t bits = skl_rng_bits(skl_rng_key(seed, SKL_RNG_AUGMENT, (uint64_t)epoch, (uint64_t)image), 2);
    const int top = (int)((bits >> 32) * (uint64_t)size >> 32) - side / 2,
              left = (int)((bits & 0xffffffffu) * (uint64_t)size >> 32) - side / 2;
    const int from = left > 0 ? left : 0, to = left + side < size ? left + side : size;
    for (int y = top > 0 ? top : 0; y < top + side && y < size; y++)
        memset(pixels + (y * size + from) * channels, 0, sizeof *pixels * (size_t)((to - from) * channels));
}

void skl_halve(const float *in, int size, int channels, float *out)
{
    const int half = size / 2, row = size * channels;
    for (int y = 0; y < half; y++)
        for (int x = 0; x < half; x++)
            for (int c = 0; c < channels; c++) {
                const float *p = in + 2 * y * row + 2 * x * channels + c;
                *out++ = ((p[0] + p[channels]) + (p[row] + p[row + channels])) * 0.25f;
            }
}

/* Johnk: of u^(1/alpha) and v^(1/alpha), together below 1, each one's part of their sum.  As logarithms, since with a
 * small alpha both are next to nothing; the smaller part is 1 / (1 + the larger over the smaller). */
double skl_mix_draw(uint64_t key, double alpha)
{
    for (uint64_t attempt = 0;; attempt++) {
        const double u = skl_log(1 - skl_rng_uniform(key, 2 * attempt)) / alpha,
                     v = skl_log(1 - skl_rng_uniform(key, 2 * attempt + 1)) / alpha;
        if (skl_exp64(u) + skl_exp64(v) <= 1) return 1 / (1 + skl_exp64(u > v ? u - v : v - u));
    }
}

void skl_mix_pair(size_t floats, float share, float *a, float *b)
{
    for (size_t i = 0; i < floats; i++) {
        const float x = a[i], y = b[i];
        a[i] = (1 - share) * x + share * y;
        b[i] = (1 - share) * y + share * x;
    }
}
