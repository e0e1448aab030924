/* supply.h - inside core/data: the images of a folder of pictures, as bytes. */
#ifndef SKL_SUPPLY_H
#define SKL_SUPPLY_H
#include "core/config/experiment.h"
#include "core/data/pictures/ahead.h"

struct skl_listing;
struct skl_supply;
/* l and cfg must outlive it.  batch: the most images that are asked for at once; as many more are made ahead. */
struct skl_supply *skl_supply_new(const struct skl_listing *l, const struct skl_data_config *cfg, uint64_t seed,
                                  int threads, int batch);
void skl_supply_free(struct skl_supply *s); /* NULL is well */
/* One image now, in the caller's thread: to [size, size, 3].  SKL_DATA: the file is named. */
int skl_supply_make(const struct skl_supply *s, const struct skl_item *item, uint8_t *to, struct skl_err *err);
/* n images, and those that follow are begun: see skl_ahead_take(). */
int skl_supply_take(struct skl_supply *s, const struct skl_item *item, int n, int count, const uint8_t **image,
                    struct skl_err *err);
#endif
