#include "core/data/pictures/supply.h"

#include <stdlib.h>

#include "core/base/fs.h"
#include "core/data/pictures/listing.h"
#include "core/data/pictures/picture.h"
#include "core/data/pictures/view.h"

struct skl_supply {
    const struct skl_listing *listing;
    const struct skl_data_config *cfg;
    uint64_t seed;
    struct skl_ahead *ahead;
};

static int make_from(const struct skl_supply *s, const struct skl_item *item, const char *path, const void *data,
                     size_t n, uint8_t *to, struct skl_err *err)
{
    struct skl_picture p = {0};
    int status = skl_picture_open(&p, data, n, path, err);
    if (!status) {
        const struct skl_view view = item->epoch < 0
                                         ? skl_view_test(s->cfg, item->crop, p.width, p.height)
                                         : skl_view_draw(s->cfg, s->seed, item->epoch, item->image, p.width, p.height);
        status = skl_view_make(&p, &view, s->cfg->size, to, err);
    }
    skl_picture_close(&p);
    return status;
}

int skl_supply_make(const struct skl_supply *s, const struct skl_item *item, uint8_t *to, struct skl_err *err)
{
    char *path = skl_listing_path(s->listing, item->part, item->image), *data;
    size_t n;
    int status = skl_file_read(path, SKL_PICTURE_FILE, &data, &n, err);
    if (!status) status = make_from(s, item, path, data, n, to, err);
    free(data);
    free(path);
    return status;
}

static int make(void *supply, const struct skl_item *item, uint8_t *to, struct skl_err *err)
{
    return skl_supply_make(supply, item, to, err);
}

struct skl_supply *skl_supply_new(const struct skl_listing *l, const struct skl_data_config *cfg, uint64_t seed,
                                  int threads, int batch)
{
    struct skl_supply *s = skl_alloc(sizeof *s);
    *s = (struct skl_supply){.listing = l, .cfg = cfg, .seed = seed};
    s->ahead = skl_ahead_new(threads, 2 * batch, (size_t)cfg->size * (size_t)cfg->size * 3, make, s);
    return s;
}

void skl_supply_free(struct skl_supply *s)
{
    if (!s) return;
    skl_ahead_free(s->ahead);
    free(s);
}

int skl_supply_take(struct skl_supply *s, const struct skl_item *item, int n, int count, const uint8_t **image,
                    struct skl_err *err)
{
    return skl_ahead_take(s->ahead, item, n, count, image, err);
}
