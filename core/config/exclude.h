/* exclude.h - combinations of grid and zip that are left out: mappings of keys to values, all of which must be met. */
#ifndef SKL_EXCLUDE_H
#define SKL_EXCLUDE_H
#include <stdbool.h>
#include "core/config/layers.h"
#include "core/config/tree.h"

struct skl_exclude {
    const struct skl_ynode *node; /* the mapping */
    struct skl_entry *entry;
    int count;
    bool met; /* by one combination at least */
};
struct skl_excludes {
    struct skl_exclude *item;
    int count;
};
/* list: NULL is none.  Unknown keys, options that no shortcut (or not the one that type: names) has, values out of
 * range: SKL_USAGE. */
int skl_excludes_read(const struct skl_ynode *list, struct skl_excludes *excludes, struct skl_err *err);
/* Is the combination left out?  Marks all mappings that it meets. */
bool skl_excludes_match(struct skl_excludes *excludes, const struct skl_ynode *tree);
/* After the last combination: one that was never met is a mistake, unless the command line changed what it is about. */
int skl_excludes_check(const struct skl_excludes *excludes, const struct skl_layers *layers, struct skl_err *err);
void skl_excludes_release(struct skl_excludes *excludes);
#endif
