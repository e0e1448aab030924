/* axes.h - grid and zip: the keys a variant sweeps, and the folder's name that follows from them. */
#ifndef SKL_AXES_H
#define SKL_AXES_H
#include "core/config/layers.h"

struct skl_axis_key {
    char *path;
    const struct skl_ynode *place, *list; /* borrowed from the layers */
};
/* One axis: a key of `grid`, or all keys of one `zip` side by side. */
struct skl_axis {
    struct skl_axis_key *key;
    int key_count, values;
};
struct skl_axes {
    struct skl_axis *axis;
    int count;
};

/* Adds the axes of a mapping of keys to lists.  Keys the command line sets are left out. */
int skl_axes_add(struct skl_axes *axes, const struct skl_ynode *node, bool zip, const struct skl_layers *layers,
                 struct skl_err *err);
void skl_axes_release(struct skl_axes *axes);
/* Number of combinations, at most limit + 1. */
int skl_axes_combinations(const struct skl_axes *axes, int limit);
/* The item of a key in combination number `index`; the last axis varies fastest. */
const struct skl_ynode *skl_axes_item(const struct skl_axes *axes, int axis, int key, int index);
/* "k1=v1,k2=v2" of a combination, "" without keys; malloc'd. */
char *skl_axes_folder(const struct skl_axes *axes, int index);
bool skl_is_paper_key(const char *path);
/* A key of one run, or an error at the node. */
int skl_check_run_key(const char *path, const struct skl_ynode *node, struct skl_err *err);
#endif
