/* The data set `folder`: pictures in files. */
#include "core/data/pictures/listing.h"
#include "core/data/sets.h"

static struct skl_images images_of(struct skl_listing *l, int part, int size)
{
    return (struct skl_images){
        .count = l->part[part].count, .size = size, .channels = 3, .labels = l->part[part].label, .part = part};
}

int skl_folder_open(const struct skl_set *set, const struct skl_data_config *cfg, const char *folder, bool published,
                    struct skl_dataset *out, struct skl_err *err)
{
    out->listing = skl_alloc(sizeof *out->listing);
    int status = skl_listing_read(cfg->path, NULL, NULL, out->listing, err);
    if (status) return status;
    out->classes = out->listing->part[SKL_LIST_TRAIN].classes;
    if (cfg->classes && cfg->classes != out->classes)
        return skl_fail(err, SKL_DATA, "%s: %d classes, not the %d of data.classes", cfg->path, out->classes,
                        cfg->classes);
    out->train = images_of(out->listing, SKL_LIST_TRAIN, cfg->size);
    out->test = images_of(out->listing, SKL_LIST_VAL, cfg->size);
    out->fingerprint = out->listing->fingerprint;
    return SKL_OK;
}
