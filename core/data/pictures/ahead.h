/* ahead.h - inside core/data: images made in threads of their own before they are asked for, in bounded memory.
 * Which thread makes an image is free; what it is depends on its item alone. */
#ifndef SKL_PICTURES_AHEAD_H
#define SKL_PICTURES_AHEAD_H
#include <stdint.h>
#include "core/base/err.h"

/* epoch -1: a test image's `crop`. */
struct skl_item {
    int64_t epoch;
    int part, image, crop; /* part and image of the listing */
};
typedef int skl_make_fn(void *context, const struct skl_item *item, uint8_t *to, struct skl_err *err);

struct skl_ahead;
/* Room for `slots` images of so many bytes.  Threads are started at the first skl_ahead_take(). */
struct skl_ahead *skl_ahead_new(int threads, int slots, size_t bytes, skl_make_fn *make, void *context);
void skl_ahead_free(struct skl_ahead *a); /* NULL is well */
/* Waits for the first n of `count` items (at most `slots`); the others are made meanwhile and afterwards.  Which were
 * asked for before, and stand in the same order, are not made again.  image[i]: valid until the next call.  The status
 * is that of the first item, in their order, that could not be made. */
int skl_ahead_take(struct skl_ahead *a, const struct skl_item *item, int n, int count, const uint8_t **image,
                   struct skl_err *err);
#endif
