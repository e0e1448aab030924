#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/data/augment.h"
#include "core/data/dataset.h"
#include "core/data/normalise.h"
#include "core/data/pictures/supply.h"
#include "core/data/pictures/view.h"

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
    struct skl_normaliser norm;
    struct order order[2]; /* of the epochs with even and with odd number: a batch may straddle two */
    struct ticket *ticket; /* [train.count], for sorting */
    struct draw *draw;     /* [batch]: what the mini-batch consists of */
    float *scratch;        /* [threads][size, size, channels]: before 2x2 means */

    /* a folder of pictures; NULL for images in memory */
    const struct skl_data_config *cfg;
    struct skl_supply *supply;
    struct skl_item *item; /* [2 * batch]: now, and what comes next */
    const uint8_t **ready; /* [batch] */
    struct skl_err why;    /* the first picture that could not be read */
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

static void small_image(const struct job *job, const struct draw *d, int worker, float *out)
{
    struct skl_loader *l = job->l;
    struct skl_crop crop = skl_crop_draw(l->seed, d->epoch, d->image, l->pad);
    crop.flip = crop.flip && l->flip;
    make_image(l, job->from, d->image, crop, worker, out);
}

/* The crop is in the bytes; colours go on after the normalisation. */
static void picture(const struct skl_loader *l, const uint8_t *bytes, const struct draw *d, float *out)
{
    double add[3];
    skl_augment(&l->norm, bytes, 0, 0, false, out);
    if (!d || l->cfg->augment.colour == SKL_COLOUR_NONE) return;
    skl_colour_draw(l->cfg, l->seed, d->epoch, d->image, add);
    for (size_t k = 0, n = image_floats(l); k < n; k++) out[k] += (float)add[k % 3] * l->norm.scale[k % 3];
}

static void train_task(void *arg, int i, int worker)
{
    const struct job *job = arg;
    struct skl_loader *l = job->l;
    const struct draw *d = &l->draw[i];
    float *out = job->images + (size_t)i * image_floats(l);
    if (l->supply)
        picture(l, l->ready[i], d, out);
    else
        small_image(job, d, worker, out);
    if (l->cutout) skl_cutout(l->seed, d->epoch, d->image, l->cutout, skl_loader_size(l), l->norm.channels, out);
    job->labels[i] = job->from->labels[d->image];
}

static struct draw draw_at(struct skl_loader *l, int64_t position)
{
    const int count = l->set->train.count;
    return (struct draw){position / count, (int)epoch_order(l, position / count)[position % count]};
}

static struct skl_item item_of(const struct skl_images *from, int64_t epoch, int image, int crop)
{
    return (struct skl_item){.epoch = epoch, .part = from->part, .image = from->first + image, .crop = crop};
}

static void take(struct skl_loader *l, int n, int count)
{
    struct skl_err err = {0};
    if (skl_supply_take(l->supply, l->item, n, count, l->ready, &err) && !l->why.status) l->why = err;
}

void skl_loader_train(struct skl_loader *l, int64_t iteration, float *images, int32_t *labels)
{
    SKL_CHECK(iteration >= 0);
    for (int i = 0; i < l->batch; i++) l->draw[i] = draw_at(l, iteration * l->batch + i);
    if (l->supply) {
        for (int i = 0; i < 2 * l->batch; i++) {
            const struct draw d = i < l->batch ? l->draw[i] : draw_at(l, iteration * l->batch + i);
            l->item[i] = item_of(&l->set->train, d.epoch, d.image, 0);
        }
        take(l, l->batch, 2 * l->batch);
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
    float *out = job->images + (size_t)i * image_floats(job->l);
    if (job->l->supply)
        picture(job->l, job->l->ready[i], NULL, out);
    else
        make_image(job->l, job->from, job->first + i, (struct skl_crop){0}, worker, out);
    job->labels[i] = job->from->labels[job->first + i];
}

/* And what is asked for next: the other crops of the same images, then the images behind them. */
static void take_clean(struct skl_loader *l, const struct skl_images *from, int crops, int first, int n, int crop)
{
    int count = 0, next = crop + 1 < crops ? first : first + n;
    for (; count < n; count++) l->item[count] = item_of(from, -1, first + count, crop);
    for (int i = 0; i < n && next + i < from->count; i++)
        l->item[count++] = item_of(from, -1, next + i, (crop + 1) % crops);
    take(l, n, count);
}

int skl_loader_crops(const struct skl_loader *l, enum skl_part part)
{
    return l->supply && part != SKL_PART_TRAIN && l->cfg->test_crops ? l->cfg->test_crops : 1;
}

void skl_loader_crop(struct skl_loader *l, enum skl_part part, int first, int n, int crop, float *images,
                     int32_t *labels)
{
    const struct skl_images *parts[] = {&l->set->train, &l->set->validation, &l->set->test};
    const struct skl_images *from = parts[part];
    SKL_CHECK(first >= 0 && n >= 0 && first <= from->count - n && crop < skl_loader_crops(l, part));
    struct job job = {l, from, first, images, labels};
    for (int done = 0; done < n; done += l->supply ? l->batch : n) { /* the supply holds a mini-batch */
        const int some = l->supply && n - done > l->batch ? l->batch : n - done;
        job.first = first + done;
        job.images = images + (size_t)done * image_floats(l);
        job.labels = labels + done;
        if (l->supply) take_clean(l, from, skl_loader_crops(l, part), job.first, some, crop);
        skl_parallel(l->pool, some, clean_task, &job);
    }
}

void skl_loader_clean(struct skl_loader *l, enum skl_part part, int first, int n, float *images, int32_t *labels)
{
    skl_loader_crop(l, part, first, n, 0, images, labels);
}

int skl_loader_sound(const struct skl_loader *l, struct skl_err *err)
{
    if (l->why.status && err) *err = l->why;
    return l->why.status;
}

/* Life */

static int check(const struct skl_images *im, const struct skl_data_config *cfg, int batch, struct skl_err *err)
{
    if (batch < 1 || im->count < 1)
        return skl_fail(err, SKL_USAGE, "train.batch: %d of %d training images: both must be at least 1", batch,
                        im->count);
    if (cfg->augment.pad < 0 || cfg->augment.pad > im->size)
        return skl_fail(err, SKL_USAGE, "data.augment.pad: %d is not within 0 to %d, the size of the images",
                        cfg->augment.pad, im->size);
    if (cfg->size && cfg->size != im->size && cfg->size * 2 != im->size)
        return skl_fail(err, SKL_USAGE, "data.size: %d: the images are of %d; give %d or %d", cfg->size, im->size,
                        im->size, im->size / 2);
    return SKL_OK;
}

static void open_supply(struct skl_loader *l)
{
    l->supply = skl_supply_new(l->set->listing, l->cfg, l->seed, skl_pool_threads(l->pool), l->batch);
    l->item = skl_alloc_array(2 * (size_t)l->batch, sizeof *l->item);
    l->ready = skl_alloc_array((size_t)l->batch, sizeof *l->ready);
}

int skl_loader_new(const struct skl_dataset *set, const struct skl_data_config *cfg, uint64_t seed, int batch,
                   struct skl_pool *pool, struct skl_loader **loader, struct skl_err *err)
{
    const struct skl_images *im = &set->train;
    *loader = NULL;
    int status = check(im, cfg, batch, err);
    if (status) return status;
    struct skl_loader *l = skl_alloc(sizeof *l);
    *l = (struct skl_loader){.set = set,
                             .pool = pool,
                             .cfg = cfg,
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
    if (set->listing) open_supply(l);
    if (l->halve)
        l->scratch =
            skl_alloc_array((size_t)skl_pool_threads(pool) * im->size * im->size, sizeof(float) * (size_t)im->channels);
    status = skl_normaliser_make(&l->norm, im, l->supply, cfg->normalize, pool, err);
    if (status)
        skl_loader_free(l);
    else
        *loader = l;
    return status;
}

void skl_loader_free(struct skl_loader *l)
{
    if (!l) return;
    for (int k = 0; k < 2; k++) free(l->order[k].image);
    free(l->ticket);
    free(l->draw);
    skl_normaliser_free(&l->norm);
    skl_supply_free(l->supply);
    free(l->item);
    free(l->ready);
    free(l->scratch);
    free(l);
}

int skl_loader_size(const struct skl_loader *l) { return l->halve ? l->norm.size / 2 : l->norm.size; }
