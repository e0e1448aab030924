#include "core/base/twins.h"

#include <search.h>
#include <stdlib.h>

#include "core/base/fs.h"

struct known {
    uint64_t device, inode;
    char *path;
};

static int by_place(const void *a, const void *b)
{
    const struct known *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

int skl_twins_look(struct skl_twins *t, const char *path, const char **twin, struct skl_err *err)
{
    struct skl_seen seen;
    *twin = NULL;
    int status = skl_look(path, &seen, err);
    if (status || seen.kind == SKL_ABSENT) return status;
    struct known *known = skl_alloc(sizeof *known), **found = NULL;
    *known = (struct known){seen.device, seen.inode, skl_strdup(path)};
    found = tsearch(known, &t->tree, by_place);
    SKL_CHECK(found);
    if (*found == known) return SKL_OK;
    *twin = (*found)->path;
    free(known->path);
    free(known);
    return SKL_OK;
}

static void forget(void *known)
{
    free(((struct known *)known)->path);
    free(known);
}

void skl_twins_release(struct skl_twins *t)
{
    tdestroy(t->tree, forget);
    t->tree = NULL;
}
