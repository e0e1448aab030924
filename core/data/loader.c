#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/data/augment.h"
#include "core/data/dataset.h"

/* An epoch's permutation; epoch -1: none yet. */
struct order {
    int64_t epoch;
    uint32_t *image;
};
struct draw {
    int64_t epoch;
    int image;
};
struct ticket {
    uint64_t bits;
    uint32_t image;
};

struct skl_loader {
    const struct skl_dataset *set;
    struct skl_pool *pool;
    uint64_t seed;
    int batch, pad, cutout;
    double mixup;
    bool flip, shuffle, halve;
    struct skl_norm norm;
    struct order order[2]; /* of the epochs with even and with odd number: a batch may straddle two */
    struct ticket *ticket; /* [train.count], for sorting */
    struct draw *draw;     /* [batch]: what the mini-batch consists of */
    float *scratch;        /* [threads][size, size, channels]: before 2x2 means */
};

/* Permutations */

static int by_bits(const void *a, const void *b)
{
    const struct ticket *s = a, *t = b;
    if (s->bits != t->bits) return s->bits < t->bits ? -1 : 1;
    return (s->image > t->image) - (s->image < t->image);
}

static const uint32_t *epoch_order(struct skl_loader *l, int64_t epoch)
{
    struct order *o = &l->order[epoch & 1];
    if (o->epoch == epoch) return o->image;
    const int count = l->set->train.count;
    const uint64_t key = skl_rng_key(l->seed, SKL_RNG_SHUFFLE, (uint64_t)epoch, 0);
    for (int i = 0; i < count; i++)
        l->ticket[i] = (struct ticket){l->shuffle ? skl_rng_bits(key, (uint64_t)i) : 0, (uint32_t)i};
    if (l->shuffle) qsort(l->ticket, (size_t)count, sizeof *l->ticket, by_bits);
    for (int i = 0; i < count; i++) o->image[i] = l->ticket[i].image;
    o->epoch = epoch;
    return o->image;
}

/* Mini-batches */

struct job {
    struct skl_loader *l;
    const struct skl_images *from;
    int first;
    float *images;
    int32_t *labels;
};

static size_t image_floats(const struct skl_loader *l)
{
    const size_t size = (size_t)skl_loader_size(l);
    return size * size * (size_t)l->norm.channels;
}

static void make_image(struct skl_loader *l, const struct skl_images *from, int image, struct skl_crop crop, int worker,
                       float *out)
{
    const size_t pixels = (size_t)from->size * from->size * from->channels;
    float *whole = l->halve ? l->scratch + (size_t)worker * pixels : out;
    skl_augment(&l->norm, from->pixels + (size_t)image * pixels, crop.dy, crop.dx, crop.flip, whole);
    if (l->halve) skl_halve(whole, from->size, from->channels, out);
}

static void train_task(void *arg, int i, int worker)
{
    const struct job *job = arg;
    struct skl_loader *l = job->l;
    const struct draw *d = &l->draw[i];
    struct skl_crop crop = skl_crop_draw(l->seed, d->epoch, d->image, l->pad);
    crop.flip = crop.flip && l->flip;
    float *out = job->images + (size_t)i * image_floats(l);
    make_image(l, job->from, d->image, crop, worker, out);
    if (l->cutout) skl_cutout(l->seed, d->epoch, d->image, l->cutout, skl_loader_size(l), l->norm.channels, out);
    job->labels[i] = job->from->labels[d->image];
}

void skl_loader_train(struct skl_loader *l, int64_t iteration, float *images, int32_t *labels)
{
    const int count = l->set->train.count;
    SKL_CHECK(iteration >= 0);
    for (int i = 0; i < l->batch; i++) {
        const int64_t position = iteration * l->batch + i, epoch = position / count;
        l->draw[i] = (struct draw){epoch, (int)epoch_order(l, epoch)[position % count]};
    }
    struct job job = {l, &l->set->train, 0, images, labels};
    skl_parallel(l->pool, l->batch, train_task, &job);
}

/* Images i and k - i (modulo the batch) are a pair, for a k drawn anew each iteration.  The batch is in random order,
 * so that any two meet as often as any other two. */
double skl_loader_mix(struct skl_loader *l, int64_t iteration, float *images, const int32_t *labels, int32_t *others)
{
    if (!(l->mixup > 0)) return 0;
    const size_t floats = image_floats(l);
    const float share = (float)skl_mix_draw(skl_rng_key(l->seed, SKL_RNG_MIXUP, (uint64_t)iteration, 0), l->mixup);
    const uint64_t key = skl_rng_key(l->seed, SKL_RNG_MIXUP, (uint64_t)iteration, 1);
    const int n = l->batch, k = (int)(skl_rng_bits(key, 0) % (uint64_t)n);
    for (int i = 0; i < n; i++) {
        const int partner = (k - i + n) % n;
        others[i] = labels[partner];
        if (i < partner) skl_mix_pair(floats, share, images + (size_t)i * floats, images + (size_t)partner * floats);
    }
    return share;
}

static void clean_task(void *arg, int i, int worker)
{
    const struct job *job = arg;
    make_image(job->l, job->from, job->first + i, (struct skl_crop){0}, worker,
               job->images + (size_t)i * image_floats(job->l));
    job->labels[i] = job->from->labels[job->first + i];
}

void skl_loader_clean(struct skl_loader *l, enum skl_part part, int first, int n, float *images, int32_t *labels)
{
    const struct skl_images *parts[] = {&l->set->train, &l->set->validation, &l->set->test};
    const struct skl_images *from = parts[part];
    SKL_CHECK(first >= 0 && n >= 0 && first <= from->count - n);
    struct job job = {l, from, first, images, labels};
    skl_parallel(l->pool, n, clean_task, &job);
}

/* Normalisation.  Sums are of integers, so neither order nor number of threads can show. */

enum { CHUNKS = 16, CHANNELS_MAX = 3 };
struct sums {
    const struct skl_images *im;
    size_t pixels;                            /* of one image */
    uint64_t *sum;                            /* [CHUNKS][pixels] */
    uint64_t (*histogram)[CHANNELS_MAX][256]; /* [CHUNKS] */
};

static void add_up_pixels(void *arg, int chunk, int worker)
{
    const struct sums *s = arg;
    const int64_t count = s->im->count, first = count * chunk / CHUNKS, end = count * (chunk + 1) / CHUNKS;
    uint64_t *sum = s->sum + (size_t)chunk * s->pixels;
    uint16_t *some = skl_alloc_array(s->pixels, sizeof *some);
    for (int64_t i = first; i < end;) {
        const int64_t stop = i + 257 < end ? i + 257 : end; /* 257 * 255 is the largest number of 16 bits */
        memset(some, 0, s->pixels * sizeof *some);
        for (; i < stop; i++) {
            const uint8_t *p = s->im->pixels + (size_t)i * s->pixels;
            for (size_t k = 0; k < s->pixels; k++) some[k] = (uint16_t)(some[k] + p[k]);
        }
        for (size_t k = 0; k < s->pixels; k++) sum[k] += some[k];
    }
    free(some);
}

static void pixel_mean(struct skl_loader *l)
{
    const struct skl_images *im = &l->set->train;
    struct sums s = {.im = im, .pixels = (size_t)im->size * im->size * im->channels};
    s.sum = skl_alloc_array(CHUNKS * s.pixels, sizeof *s.sum);
    skl_parallel(l->pool, CHUNKS, add_up_pixels, &s);
    for (size_t k = 0; k < s.pixels; k++) {
        uint64_t sum = 0;
        for (size_t c = 0; c < CHUNKS; c++) sum += s.sum[c * s.pixels + k];
        l->norm.shift[k] = (float)((double)sum / (255.0 * im->count));
    }
    free(s.sum);
}

static void count_values(void *arg, int chunk, int worker)
{
    const struct sums *s = arg;
    const int64_t count = s->im->count;
    const size_t channels = (size_t)s->im->channels;
    const uint8_t *p = s->im->pixels + (size_t)(count * chunk / CHUNKS) * s->pixels;
    const uint8_t *end = s->im->pixels + (size_t)(count * (chunk + 1) / CHUNKS) * s->pixels;
    for (; p < end; p += channels)
        for (size_t c = 0; c < channels; c++) s->histogram[chunk][c][p[c]]++;
}

/* Mean and standard deviation of each channel, over all images; a channel of one value is only centred. */
static void channel_norm(struct skl_loader *l)
{
    const struct skl_images *im = &l->set->train;
    SKL_CHECK(im->channels <= CHANNELS_MAX);
    struct sums s = {.im = im, .pixels = (size_t)im->size * im->size * im->channels};
    s.histogram = skl_alloc_array(CHUNKS, sizeof *s.histogram);
    skl_parallel(l->pool, CHUNKS, count_values, &s);
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
        for (int k = c; k < im->size * im->channels; k += im->channels) l->norm.scale[k] = (float)(1.0 / spread);
        for (size_t k = (size_t)c; k < s.pixels; k += (size_t)im->channels) l->norm.shift[k] = (float)(mean / spread);
    }
    free(s.histogram);
}

static void normalisation(struct skl_loader *l, int rule)
{
    const struct skl_images *im = &l->set->train;
    const size_t row = (size_t)im->size * im->channels;
    l->norm = (struct skl_norm){.size = im->size, .channels = im->channels};
    l->norm.scale = skl_alloc_array(row, sizeof *l->norm.scale);
    l->norm.shift = skl_alloc_array(row * im->size, sizeof *l->norm.shift);
    for (size_t k = 0; k < row; k++) l->norm.scale[k] = 1.0f / 255.0f;
    if (rule == SKL_NORM_PIXEL_MEAN) pixel_mean(l);
    if (rule == SKL_NORM_CHANNEL) channel_norm(l);
}

/* Life */

int skl_loader_new(const struct skl_dataset *set, const struct skl_data_config *cfg, uint64_t seed, int batch,
                   struct skl_pool *pool, struct skl_loader **loader, struct skl_err *err)
{
    const struct skl_images *im = &set->train;
    *loader = NULL;
    if (batch < 1 || im->count < 1)
        return skl_fail(err, SKL_USAGE, "train.batch: %d of %d training images: both must be at least 1", batch,
                        im->count);
    if (cfg->augment.pad < 0 || cfg->augment.pad > im->size)
        return skl_fail(err, SKL_USAGE, "data.augment.pad: %d is not within 0 to %d, the size of the images",
                        cfg->augment.pad, im->size);
    if (cfg->size && cfg->size != im->size && cfg->size * 2 != im->size)
        return skl_fail(err, SKL_USAGE, "data.size: %d: the images are of %d; give %d or %d", cfg->size, im->size,
                        im->size, im->size / 2);
    struct skl_loader *l = skl_alloc(sizeof *l);
    *l = (struct skl_loader){.set = set,
                             .pool = pool,
                             .seed = seed,
                             .batch = batch,
                             .pad = cfg->augment.pad,
                             .flip = cfg->augment.flip,
                             .cutout = cfg->augment.cutout,
                             .mixup = cfg->augment.mixup,
                             .shuffle = cfg->shuffle,
                             .halve = cfg->size && cfg->size != im->size};
    for (int k = 0; k < 2; k++) l->order[k] = (struct order){-1, skl_alloc_array((size_t)im->count, sizeof(uint32_t))};
    l->ticket = skl_alloc_array((size_t)im->count, sizeof *l->ticket);
    l->draw = skl_alloc_array((size_t)batch, sizeof *l->draw);
    normalisation(l, cfg->normalize);
    if (l->halve)
        l->scratch =
            skl_alloc_array((size_t)skl_pool_threads(pool) * im->size * im->size, sizeof(float) * (size_t)im->channels);
    *loader = l;
    return SKL_OK;
}

void skl_loader_free(struct skl_loader *l)
{
    if (!l) return;
    for (int k = 0; k < 2; k++) free(l->order[k].image);
    free(l->ticket);
    free(l->draw);
    free(l->norm.scale);
    free(l->norm.shift);
    free(l->scratch);
    free(l);
}

int skl_loader_size(const struct skl_loader *l) { return l->halve ? l->norm.size / 2 : l->norm.size; }
