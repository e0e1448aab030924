/* Built without libspng, which Ubuntu 22.04 does not have: JPEGs alone are read. */
#include "core/data/pictures/picture.h"

int skl_png_open(struct skl_picture *p, const uint8_t *data, size_t n, struct skl_err *err)
{
    return skl_fail(err, SKL_DATA, "%s: a PNG, and this skiplab was built without libspng: make it a JPEG", p->name);
}

int skl_png_read(struct skl_picture *p, struct skl_region r, skl_row_fn *row, void *context, struct skl_err *err)
{
    return skl_png_open(p, NULL, 0, err);
}

void skl_png_close(struct skl_picture *p) {}
