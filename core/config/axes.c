#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/config/axes.h"
#include "core/base/grow.h"
#include "core/config/keys.h"
#include "core/config/paths.h"
#include "core/config/tree.h"

enum { MAX_KEYS = 64 }; /* of one variant */

bool skl_is_paper_key(const char *path) { return strncmp(path, "paper", 5) == 0 && (!path[5] || path[5] == '.'); }

int skl_check_run_key(const char *path, const struct skl_ynode *node, struct skl_err *err)
{
    if (!skl_is_plan_key(path)) return SKL_OK;
    return skl_tree_fail(node, false, err, "'%s' belongs to the whole file, not to a variant", path);
}

/* ---- reading ---- */

/* A path among the values names a folder of results and stands in config.yaml as it is. */
static int check_paths(const struct skl_entry *e, struct skl_err *err)
{
    const struct skl_key *key = skl_key_find(e->path);
    if (!key || !(key->flags & SKL_KEY_PATH)) return SKL_OK;
    for (const struct skl_ynode *c = e->node->child; c; c = c->next)
        if (*c->text != '/' && !skl_stands_among_results(c->file))
            return skl_tree_fail(c, true, err, "%s must be absolute in grid and zip, not '%.80s'", e->path, c->text);
    return SKL_OK;
}

static int check_list(const struct skl_entry *e, struct skl_err *err)
{
    if (e->node->kind != SKL_YLIST)
        return skl_tree_fail(e->node, true, err, "%s must be a list of values here", e->path);
    if (!e->node->child) return skl_tree_fail(e->node, true, err, "the list of %s is empty", e->path);
    for (const struct skl_ynode *c = e->node->child; c; c = c->next)
        if (c->kind != SKL_YSCALAR)
            return skl_tree_fail(c, true, err, "grid and zip take single values: write a variant for each %s", e->path);
    return check_paths(e, err);
}

static int check_once(const struct skl_axes *axes, const struct skl_entry *e, struct skl_err *err)
{
    for (int a = 0; a < axes->count; a++)
        for (int k = 0; k < axes->axis[a].key_count; k++)
            if (strcmp(axes->axis[a].key[k].path, e->path) == 0)
                return skl_tree_fail(e->node, false, err, "'%s' is in grid or zip already", e->path);
    return SKL_OK;
}

static struct skl_axis *new_axis(struct skl_axes *axes, int keys)
{
    struct skl_axis *grown = skl_alloc_array((size_t)axes->count + 1, sizeof *grown);
    if (axes->count) memcpy(grown, axes->axis, (size_t)axes->count * sizeof *grown);
    free(axes->axis);
    axes->axis = grown;
    grown[axes->count].key = skl_alloc_array((size_t)keys, sizeof *grown->key);
    return &grown[axes->count++];
}

static void add_key(struct skl_axis *axis, const struct skl_entry *e)
{
    axis->values = skl_tree_count(e->node);
    axis->key[axis->key_count++] = (struct skl_axis_key){skl_strdup(e->path), e->node, e->node};
}

static int add_zip(struct skl_axes *axes, const struct skl_entry *entry, int count, const struct skl_layers *layers,
                   struct skl_err *err)
{
    int left = 0; /* keys that still tell runs apart */
    for (int i = 0; i < count; i++) {
        int n = skl_tree_count(entry[i].node), first = skl_tree_count(entry[0].node);
        if (n != first)
            return skl_tree_fail(entry[i].node, true, err, "lists in zip must be equally long: %s has %d, %s has %d",
                                 entry[i].path, n, entry[0].path, first);
        left += !skl_is_paper_key(entry[i].path) && !skl_layers_overridden(layers, entry[i].path);
    }
    if (left == 0 && layers->override_count) return SKL_OK;
    struct skl_axis *axis = new_axis(axes, count);
    for (int i = 0; i < count; i++)
        if (!skl_layers_overridden(layers, entry[i].path)) add_key(axis, &entry[i]);
    return SKL_OK;
}

int skl_axes_add(struct skl_axes *axes, const struct skl_ynode *node, bool zip, const struct skl_layers *layers,
                 struct skl_err *err)
{
    const char *word = zip ? "zip" : "grid";
    if (node->kind != SKL_YMAP) return skl_tree_fail(node, true, err, "%s must be a mapping of keys to lists", word);
    struct skl_entry *entry;
    int count, status = skl_tree_flatten(node, &entry, &count, err), before = 0;
    for (int a = 0; a < axes->count; a++) before += axes->axis[a].key_count;
    if (!status && before + count > MAX_KEYS)
        status = skl_tree_fail(node, true, err, "more than %d keys in grid and zip", MAX_KEYS);
    for (int i = 0; i < count && !status; i++) {
        status = skl_check_run_key(entry[i].path, entry[i].node, err);
        if (!status) status = check_list(&entry[i], err);
        if (!status) status = check_once(axes, &entry[i], err);
        if (!status && !zip && !skl_layers_overridden(layers, entry[i].path)) add_key(new_axis(axes, 1), &entry[i]);
    }
    if (!status && zip && count) status = add_zip(axes, entry, count, layers, err);
    skl_tree_entries_free(entry, count);
    return status;
}

void skl_axes_release(struct skl_axes *axes)
{
    for (int a = 0; a < axes->count; a++) {
        for (int k = 0; k < axes->axis[a].key_count; k++) free(axes->axis[a].key[k].path);
        free(axes->axis[a].key);
    }
    free(axes->axis);
    *axes = (struct skl_axes){0};
}

/* ---- combinations ---- */

int skl_axes_combinations(const struct skl_axes *axes, int limit)
{
    int64_t n = 1;
    for (int a = 0; a < axes->count; a++) {
        n *= axes->axis[a].values;
        if (n > limit) return limit + 1;
    }
    return (int)n;
}

const struct skl_ynode *skl_axes_item(const struct skl_axes *axes, int axis, int key, int index)
{
    for (int a = axes->count - 1; a > axis; a--) index /= axes->axis[a].values;
    index %= axes->axis[axis].values;
    const struct skl_ynode *item = axes->axis[axis].key[key].list->child;
    while (index-- > 0) item = item->next;
    return item;
}

/* ---- folder names ---- */

/* b ends with the parts of a: "lr" in "train.lr" */
static bool ends_with_parts(const char *b, const char *a)
{
    size_t n = strlen(b), m = strlen(a);
    return n >= m && strcmp(b + n - m, a) == 0 && (n == m || b[n - m - 1] == '.');
}

/* The shortest last part of the path that no other key of the axes ends with. */
static const char *short_name(const struct skl_axes *axes, const char *path)
{
    const char *name = path + strlen(path);
    for (;;) {
        while (name > path && name[-1] != '.') name--;
        bool unique = true;
        for (int a = 0; a < axes->count; a++)
            for (int k = 0; k < axes->axis[a].key_count; k++) {
                const char *other = axes->axis[a].key[k].path;
                if (!skl_is_paper_key(other) && strcmp(other, path) != 0 && ends_with_parts(other, name))
                    unique = false;
            }
        if (unique || name == path) return name;
        name--;
    }
}

/* Bytes other than letters, digits, '.', '_' and '-' as %XX. */
static void put_escaped(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.' ||
                     *p == '_' || *p == '-';
        if (plain)
            fputc(*p, out);
        else
            fprintf(out, "%%%02X", *p);
    }
}

static void put_value(FILE *out, const struct skl_ynode *item)
{
    double real;
    char number[64];
    if (skl_yaml_real(item, &real) == 0) {
        snprintf(number, sizeof number, "%.9g", real + 0.0);
        put_escaped(out, number);
    } else {
        put_escaped(out, item->text);
    }
}

char *skl_axes_folder(const struct skl_axes *axes, int index)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    const char *separator = "";
    for (int a = 0; a < axes->count; a++)
        for (int k = 0; k < axes->axis[a].key_count; k++) {
            const char *path = axes->axis[a].key[k].path;
            if (skl_is_paper_key(path)) continue;
            fputs(separator, out);
            put_escaped(out, short_name(axes, path));
            fputc('=', out);
            put_value(out, skl_axes_item(axes, a, k, index));
            separator = ",";
        }
    return skl_text_close(&t);
}
