/* examine.h - every picture of a folder read, for `skiplab data check`. */
#ifndef SKL_EXAMINE_H
#define SKL_EXAMINE_H
#include "core/base/parallel.h"
#include "core/data/pictures/listing.h"
#include "core/data/pictures/picture.h"

struct skl_examination {
    struct skl_listing listing;
    int64_t pictures;    /* all */
    int *width, *height; /* [pictures], train's before val's, in the listing's order; 0: cannot be read */
    int64_t odd[SKL_ODDS];
    char *odd_example[SKL_ODDS]; /* the first one's path */
    char **bad;                  /* lines: "path: what is wrong"; faults of the listing first, then pictures by path */
    int bads;
};
/* tell (done, all) is called now and then.  Bad files are no error; SKL_DATA: nothing can be listed. */
int skl_examine(const char *path, struct skl_pool *pool, void (*tell)(int64_t done, int64_t all),
                struct skl_examination *e, struct skl_err *err);
void skl_examination_release(struct skl_examination *e);
#endif
