#include "core/config/exclude.h"

#include <stdlib.h>
#include <string.h>

#include "core/config/axes.h"
#include "core/config/forms.h"
#include "core/config/keys.h"

enum { MAX_EXCLUDES = 1000 }; /* each is compared with each combination */
#define OPTION "model.shortcut."

/* ---- reading ---- */

/* Could a run have this value? */
static int check_value(const struct skl_exclude *x, const struct skl_entry *e, struct skl_err *err)
{
    const struct skl_key *key = skl_key_find(e->path);
    if (!strcmp(e->path, OPTION "type")) {
        const struct skl_shortcut *found;
        return skl_check_shortcut_type(e->node, &found, err);
    }
    if (!strncmp(e->path, OPTION, strlen(OPTION))) {
        const char *type = NULL;
        for (int i = 0; i < x->count; i++)
            if (!strcmp(x->entry[i].path, OPTION "type")) type = x->entry[i].node->text;
        return skl_check_option(e->node, e->path + strlen(OPTION), type, err);
    }
    if (!key || key->kind == SKL_KEY_FORM) return SKL_OK; /* a form that does not fit is met by no combination */
    struct skl_experiment scratch;
    skl_experiment_defaults(&scratch);
    int status = skl_key_read(key, e->path, e->node, &scratch, err);
    skl_experiment_release(&scratch);
    return status;
}

static int check_entry(const struct skl_exclude *x, const struct skl_entry *e, struct skl_err *err)
{
    int status = skl_check_run_key(e->path, e->node, err);
    if (status) return status;
    if (e->node->kind != SKL_YSCALAR) return skl_tree_fail(e->node, true, err, "exclude takes single values");
    if (!skl_key_find(e->path) && strncmp(e->path, OPTION, strlen(OPTION)) != 0 && !skl_is_paper_key(e->path))
        return skl_path_unknown(e->node, e->path, err);
    return check_value(x, e, err);
}

int skl_excludes_read(const struct skl_ynode *list, struct skl_excludes *excludes, struct skl_err *err)
{
    if (!list) return SKL_OK;
    if (list->kind != SKL_YLIST) return skl_tree_fail(list, true, err, "exclude must be a list of mappings");
    int count = skl_tree_count(list), status = SKL_OK;
    if (count > MAX_EXCLUDES) return skl_tree_fail(list, true, err, "exclude has more than %d entries", MAX_EXCLUDES);
    excludes->item = skl_alloc_array((size_t)count, sizeof *excludes->item);
    for (const struct skl_ynode *c = list->child; c && !status; c = c->next) {
        if (c->kind != SKL_YMAP || !c->child)
            return skl_tree_fail(c, true, err, "exclude must list mappings of keys to values");
        struct skl_exclude *x = &excludes->item[excludes->count++];
        x->node = c;
        status = skl_tree_flatten(c, &x->entry, &x->count, err);
        for (int i = 0; i < x->count && !status; i++) status = check_entry(x, &x->entry[i], err);
    }
    return status;
}

/* ---- comparing ---- */

static bool same_value(const struct skl_ynode *a, const struct skl_ynode *b)
{
    double x, y;
    if (skl_yaml_real(a, &x) == 0 && skl_yaml_real(b, &y) == 0) return x == y;
    return strcmp(a->text, b->text) == 0;
}

/* What a key is where the file does not say: the row's default, of an option the shortcut's. */
static char *default_of(const struct skl_ynode *tree, const char *path)
{
    const struct skl_key *key = skl_key_find(path);
    if (key) return skl_key_default(key);
    if (!strcmp(path, OPTION "type")) return skl_strdup("identity");
    return strncmp(path, OPTION, strlen(OPTION))
               ? NULL
               : skl_default_option(skl_tree_get(tree, OPTION "type"), path + strlen(OPTION));
}

/* The tree has this value at the path, or the key's default is this value. */
static bool has_value(const struct skl_ynode *tree, const struct skl_entry *e)
{
    const struct skl_ynode *node = skl_tree_get(tree, e->path);
    if (node) return node->kind == SKL_YSCALAR && same_value(node, e->node);
    struct skl_ynode def = {.kind = SKL_YSCALAR, .text = default_of(tree, e->path)};
    bool same = def.text && same_value(&def, e->node);
    free(def.text);
    return same;
}

bool skl_excludes_match(struct skl_excludes *excludes, const struct skl_ynode *tree)
{
    bool any = false;
    for (int i = 0; i < excludes->count; i++) {
        struct skl_exclude *x = &excludes->item[i];
        int hits = 0;
        while (hits < x->count && has_value(tree, &x->entry[hits])) hits++;
        if (hits == x->count) any = x->met = true;
    }
    return any;
}

static bool is_overridden(const struct skl_exclude *x, const struct skl_layers *layers)
{
    static const char *const whole[] = {"grid", "zip", "variants"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        const struct skl_ynode *node = skl_yaml_get(layers->root, whole[i]);
        if (node && node->line == 0) return true;
    }
    for (int i = 0; i < x->count; i++)
        if (skl_layers_overridden(layers, x->entry[i].path)) return true;
    return false;
}

int skl_excludes_check(const struct skl_excludes *excludes, const struct skl_layers *layers, struct skl_err *err)
{
    for (int i = 0; i < excludes->count; i++) {
        const struct skl_exclude *x = &excludes->item[i];
        if (x->met || is_overridden(x, layers)) continue;
        return skl_tree_fail(x->node, true, err, "exclude: no combination has %s%.80s: %.80s, so nothing is left out",
                             x->count > 1 ? "all of these, from " : "", x->entry[0].path, x->entry[0].node->text);
    }
    return SKL_OK;
}

void skl_excludes_release(struct skl_excludes *excludes)
{
    for (int i = 0; i < excludes->count; i++) skl_tree_entries_free(excludes->item[i].entry, excludes->item[i].count);
    free(excludes->item);
    *excludes = (struct skl_excludes){0};
}
