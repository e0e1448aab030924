#include "core/data/normalise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/augment.h"

/* Sums are of integers, so neither order nor number of threads can show. */

enum { CHUNKS = 16, CHANNELS_MAX = 3, SAMPLE = 2000 };
struct sums {
    const struct skl_images *im;
    const struct skl_supply *supply;
    int count;     /* images that are looked at */
    size_t pixels; /* of one image */
    struct skl_err err[CHUNKS];
    uint64_t *sum;                            /* [CHUNKS][pixels] */
    uint64_t (*histogram)[CHANNELS_MAX][256]; /* [CHUNKS] */
};

static struct sums sums_over(const struct skl_images *im, const struct skl_supply *supply)
{
    return (struct sums){.im = im,
                         .supply = supply,
                         .count = supply && im->count > SAMPLE ? SAMPLE : im->count,
                         .pixels = (size_t)im->size * (size_t)im->size * (size_t)im->channels};
}

/* The bytes of image i; of a picture made in `room`, NULL: it cannot be read, which is noted for the chunk. */
static const uint8_t *image_at(struct sums *s, int chunk, int64_t i, uint8_t *room)
{
    if (!s->supply) return s->im->pixels + (size_t)i * s->pixels;
    const struct skl_item item = {.epoch = -1, .part = s->im->part, .image = s->im->first + (int)i};
    return skl_supply_make(s->supply, &item, room, &s->err[chunk]) ? NULL : room;
}

static int first_error(const struct sums *s, struct skl_err *err)
{
    for (int c = 0; c < CHUNKS; c++)
        if (s->err[c].status) {
            if (err) *err = s->err[c];
            return s->err[c].status;
        }
    return SKL_OK;
}

static void add_up_pixels(void *arg, int chunk, int worker)
{
    struct sums *s = arg;
    const int64_t count = s->count, first = count * chunk / CHUNKS, end = count * (chunk + 1) / CHUNKS;
    uint64_t *sum = s->sum + (size_t)chunk * s->pixels;
    uint16_t *some = skl_alloc_array(s->pixels, sizeof *some);
    uint8_t *room = s->supply ? skl_alloc(s->pixels) : NULL;
    for (int64_t i = first; i < end && !s->err[chunk].status;) {
        const int64_t stop = i + 257 < end ? i + 257 : end; /* 257 * 255 is the largest number of 16 bits */
        memset(some, 0, s->pixels * sizeof *some);
        for (; i < stop; i++) {
            const uint8_t *p = image_at(s, chunk, i, room);
            for (size_t k = 0; p && k < s->pixels; k++) some[k] = (uint16_t)(some[k] + p[k]);
        }
        for (size_t k = 0; k < s->pixels; k++) sum[k] += some[k];
    }
    free(some);
    free(room);
}

static int pixel_mean(struct skl_normaliser *norm, const struct skl_images *im, const struct skl_supply *supply,
                      struct skl_pool *pool, struct skl_err *err)
{
    struct sums s = sums_over(im, supply);
    s.sum = skl_alloc_array(CHUNKS * s.pixels, sizeof *s.sum);
    skl_parallel(pool, CHUNKS, add_up_pixels, &s);
    for (size_t k = 0; k < s.pixels; k++) {
        uint64_t sum = 0;
        for (size_t c = 0; c < CHUNKS; c++) sum += s.sum[c * s.pixels + k];
        norm->shift[k] = (float)((double)sum / (255.0 * s.count));
    }
    free(s.sum);
    return first_error(&s, err);
}

static void count_values(void *arg, int chunk, int worker)
{
    struct sums *s = arg;
    const int64_t count = s->count, end = count * (chunk + 1) / CHUNKS;
    const size_t channels = (size_t)s->im->channels;
    uint8_t *room = s->supply ? skl_alloc(s->pixels) : NULL;
    for (int64_t i = count * chunk / CHUNKS; i < end && !s->err[chunk].status; i++) {
        const uint8_t *p = image_at(s, chunk, i, room);
        for (size_t k = 0; p && k < s->pixels; k += channels)
            for (size_t c = 0; c < channels; c++) s->histogram[chunk][c][p[k + c]]++;
    }
    free(room);
}

/* Mean and standard deviation of each channel, over all images; a channel of one value is only centred. */
static int channel_norm(struct skl_normaliser *norm, const struct skl_images *im, const struct skl_supply *supply,
                        struct skl_pool *pool, struct skl_err *err)
{
    SKL_CHECK(im->channels <= CHANNELS_MAX);
    struct sums s = sums_over(im, supply);
    s.histogram = skl_alloc_array(CHUNKS, sizeof *s.histogram);
    skl_parallel(pool, CHUNKS, count_values, &s);
    for (int c = 0; c < im->channels; c++) {
        double n = 0, sum = 0, squares = 0;
        for (int chunk = 0; chunk < CHUNKS; chunk++)
            for (int v = 0; v < 256; v++) {
                const double times = (double)s.histogram[chunk][c][v]; /* whole numbers below 2^53: exact */
                n += times;
                sum += times * v;
                squares += times * v * v;
            }
        const double mean = sum / n, variance = squares / n - mean * mean;
        const double spread = variance > 1e-9 ? sqrt(variance) : 255.0;
        for (int k = c; k < im->size * im->channels; k += im->channels) norm->scale[k] = (float)(1.0 / spread);
        for (size_t k = (size_t)c; k < s.pixels; k += (size_t)im->channels) norm->shift[k] = (float)(mean / spread);
    }
    free(s.histogram);
    return first_error(&s, err);
}

int skl_normaliser_make(struct skl_normaliser *norm, const struct skl_images *im, const struct skl_supply *supply,
                        int rule, struct skl_pool *pool, struct skl_err *err)
{
    const size_t row = (size_t)im->size * (size_t)im->channels;
    *norm = (struct skl_normaliser){.size = im->size, .channels = im->channels};
    norm->scale = skl_alloc_array(row, sizeof *norm->scale);
    norm->shift = skl_alloc_array(row * (size_t)im->size, sizeof *norm->shift);
    for (size_t k = 0; k < row; k++) norm->scale[k] = 1.0f / 255.0f;
    if (rule == SKL_NORM_PIXEL_MEAN) return pixel_mean(norm, im, supply, pool, err);
    return rule == SKL_NORM_CHANNEL ? channel_norm(norm, im, supply, pool, err) : SKL_OK;
}

void skl_normaliser_free(struct skl_normaliser *norm)
{
    free(norm->scale);
    free(norm->shift);
}
