/* tree.h - layers of settings as trees of YAML nodes.
 * A later layer is put over an earlier one key by key: `model`, `data` and `train` are merged, any other mapping
 * replaces the one below it whole.  Nodes keep the place they came from, so that a message about the merged tree
 * still names the right file, line and column. */
#ifndef SKL_TREE_H
#define SKL_TREE_H
#include "core/io/yaml.h"

/* Node at a dotted path, NULL: absent.  "" is the tree itself. */
struct skl_ynode *skl_tree_get(const struct skl_ynode *tree, const char *path);
/* The node at the path, or else at the longest part of it that is there: a place for a message. */
const struct skl_ynode *skl_tree_place(const struct skl_ynode *tree, const char *path);
/* Puts a copy of `value` at the dotted path; `place` (may be value itself) gives the key's line and column.
 * A value where the path needs a mapping is an error at `place`. */
int skl_tree_set(struct skl_ynode *tree, const char *path, const struct skl_ynode *value, const struct skl_ynode *place,
                 struct skl_err *err);
/* Puts every entry of the mapping `layer` (keys dotted or not) over the tree. */
int skl_tree_merge(struct skl_ynode *tree, const struct skl_ynode *layer, struct skl_err *err);
/* A mapping that is merged key by key: model, data, train. */
bool skl_tree_is_section(const struct skl_ynode *node);
void skl_tree_remove(struct skl_ynode *tree, const char *key);
struct skl_ynode *skl_tree_new(void);             /* an empty mapping */
int skl_tree_count(const struct skl_ynode *node); /* children */

/* One entry of a mapping whose keys may be dotted or nested: its full path. */
struct skl_entry {
    char *path;
    const struct skl_ynode *node;
};
/* Entries of the mapping down to the first node that is no mapping; doubled paths are an error. */
int skl_tree_flatten(const struct skl_ynode *map, struct skl_entry **entries, int *count, struct skl_err *err);
void skl_tree_entries_free(struct skl_entry *entries, int count);

/* A value as one line: a list as "[a, b]", a mapping as "{k: v}"; malloc'd. */
char *skl_tree_text(const struct skl_ynode *node);

/* An error at a node: "file:line:column: ...", or "override 'a=b': ..." for one from the command line. */
int skl_tree_fail(const struct skl_ynode *node, bool at_value, struct skl_err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Marks a node and its children as coming from an override: messages have no line and column. */
void skl_tree_mark_override(struct skl_ynode *node, const char *name);
#endif
