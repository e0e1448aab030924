/* normalise.h - inside core/data: the constants of the normalisation, from training images. */
#ifndef SKL_NORMALISE_H
#define SKL_NORMALISE_H
#include "core/base/parallel.h"
#include "core/data/augment.h"
#include "core/data/dataset.h"
#include "core/data/pictures/supply.h"

/* rule: enum skl_normalize.  supply: where `im` are pictures, else NULL; of pictures the first 2000, which are of all
 * classes, give the constants, each cropped as for a test.  SKL_DATA: one of them cannot be read. */
int skl_normaliser_make(struct skl_normaliser *norm, const struct skl_images *im, const struct skl_supply *supply,
                        int rule, struct skl_pool *pool, struct skl_err *err);
void skl_normaliser_free(struct skl_normaliser *norm);
#endif
