/* export.h - a known data set written as a folder of pictures, for trying what is done with folders. */
#ifndef SKL_EXPORT_H
#define SKL_EXPORT_H
#include "core/base/parallel.h"
#include "core/data/dataset.h"

/* DIR/train/CLASS/00001.jpg and DIR/val/CLASS/...: class names begin with the label's number, so that they are numbered
 * as in the set.  Each image is enlarged to a side of 64 to 112 pixels, which one follows from its number.  tell (done,
 * all) is called now and then.  SKL_FAILED: cannot be written, DIR exists.  SKL_USAGE: a class would have no picture.
 * DIR appears whole or not at all: until then it is DIR.part. */
int skl_export(const struct skl_dataset *set, const char *folder, struct skl_pool *pool,
               void (*tell)(int64_t done, int64_t all), struct skl_err *err);
#endif
