/* twins.h - is what is about to be read the same file or folder as one that was read before?  Hard links, bind mounts
 * and links above a root give one thing two names; counted twice it would be two seeds that agree. */
#ifndef SKL_TWINS_H
#define SKL_TWINS_H
#include "core/base/err.h"

struct skl_twins {
    void *tree;
};
/* *twin: the first path that means the same as this one, owned by t; NULL: it is new (and remembered) or absent. */
int skl_twins_look(struct skl_twins *t, const char *path, const char **twin, struct skl_err *err);
void skl_twins_release(struct skl_twins *t);
#endif
