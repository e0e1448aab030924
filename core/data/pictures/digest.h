/* digest.h - inside core/data and for audits: one hash of all that a folder of pictures holds. */
#ifndef SKL_DIGEST_H
#define SKL_DIGEST_H
#include "core/base/parallel.h"
#include "core/data/pictures/listing.h"

/* The SHA-256 of one line a picture, "train/CLASS/NAME " and the SHA-256 of its bytes, sorted by name, train's first:
 * what `LC_ALL=C` sort, sha256sum and a few cuts give too.  SKL_DATA: a file cannot be read. */
int skl_listing_digest(const struct skl_listing *l, struct skl_pool *pool, char hex[65], struct skl_err *err);
#endif
