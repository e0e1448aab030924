#include <stdlib.h>
#include <string.h>
#include "core/data/fold.h"
#include "core/data/pictures/listing.h"
#include "core/data/sets.h"

static int folder_shape(const struct skl_data_config *cfg, int *size, int *channels, int *classes, struct skl_err *err)
{
    *size = cfg->size;
    *channels = 3;
    *classes = cfg->classes;
    return *classes ? SKL_OK : skl_listing_classes(cfg->path, classes, err);
}

int skl_dataset_shape(const struct skl_data_config *cfg, int *size, int *channels, int *classes, struct skl_err *err)
{
    const struct skl_set *set;
    int status = skl_set_find(cfg->dataset, &set, err);
    if (status) return status;
    if (set->pictures) return folder_shape(cfg, size, channels, classes, err);
    bool computed = set->files[0].name == NULL;
    if (computed) status = skl_synthetic_check(cfg, err);
    if (status) return status;
    int own = computed ? cfg->synthetic.size : set->size;
    *channels = computed ? cfg->synthetic.channels : set->channels;
    *classes = computed ? cfg->synthetic.classes : set->classes;
    *size = cfg->size ? cfg->size : own;
    if (*size != own && *size * 2 != own)
        return skl_fail(err, SKL_USAGE, "data.size: %d: %s has images of %d; give %d, or %d (2x2 means)", *size,
                        set->name, own, own, own / 2);
    return SKL_OK;
}

static uint64_t fold_images(uint64_t h, const struct skl_images *im)
{
    const int32_t shape[4] = {im->count, im->size, im->channels, 0};
    h = skl_fold(h, shape, sizeof shape);
    h = skl_fold(h, im->pixels, (size_t)im->count * im->size * im->size * im->channels);
    return skl_fold(h, im->labels, (size_t)im->count * sizeof *im->labels);
}

static int take_first(struct skl_images *im, int wanted, const char *key, const char *name, struct skl_err *err)
{
    if (wanted < 0 || wanted > im->count)
        return skl_fail(err, SKL_USAGE, "data.%s: %d: %s has %d", key, wanted, name, im->count);
    if (wanted > 0) im->count = wanted;
    return SKL_OK;
}

/* Cuts to train_images and test_images, then holds out the last images of the training set. */
static int split(const struct skl_data_config *cfg, struct skl_dataset *set, struct skl_err *err)
{
    int status = take_first(&set->train, cfg->train_images, "train_images", cfg->dataset, err);
    if (status == SKL_OK) status = take_first(&set->test, cfg->test_images, "test_images", cfg->dataset, err);
    if (status) return status;
    if (cfg->validation < 0 || cfg->validation >= set->train.count)
        return skl_fail(err, SKL_USAGE, "data.validation: %d: it must leave at least one of the %d training images",
                        cfg->validation, set->train.count);
    set->train.count -= cfg->validation;
    const struct skl_images *t = &set->train;
    set->validation = *t;
    set->validation.count = cfg->validation;
    if (t->pixels) set->validation.pixels += (size_t)t->count * t->size * t->size * t->channels;
    set->validation.labels += t->count;
    set->validation.first = t->count;
    return SKL_OK;
}

int skl_dataset_open(const struct skl_data_config *cfg, struct skl_dataset *set, struct skl_err *err)
{
    memset(set, 0, sizeof *set);
    const struct skl_set *row;
    char *folder = NULL;
    bool published = false;
    int size, channels;
    int status = skl_set_find(cfg->dataset, &row, err);
    if (status == SKL_OK) status = skl_dataset_shape(cfg, &size, &channels, &set->classes, err);
    if (status == SKL_OK && row->files[0].name) status = skl_set_locate(row, cfg->path, &folder, &published, err);
    if (status == SKL_OK) status = row->read(row, cfg, folder, published, set, err);
    if (status == SKL_OK) {
        set->name = skl_strdup(cfg->dataset);
        if (!set->listing) set->fingerprint = fold_images(fold_images(0, &set->train), &set->test);
        status = split(cfg, set, err);
    }
    free(folder);
    if (status) skl_dataset_release(set);
    return status;
}

void skl_dataset_release(struct skl_dataset *set)
{
    free(set->name);
    if (set->listing) {
        skl_listing_release(set->listing);
        free(set->listing);
        set->train.labels = set->test.labels = NULL; /* were the listing's */
    }
    free(set->train.pixels); /* validation is its tail */
    free(set->train.labels);
    free(set->test.pixels);
    free(set->test.labels);
    memset(set, 0, sizeof *set);
}
