#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/config/axes.h"
#include "core/config/exclude.h"
#include "core/config/keys.h"
#include "core/config/settings.h"
#include "core/config/tree.h"

enum { MAX_FOLDER = 255 }; /* bytes of one folder's name on every file system we know */

/* One variant while it is unrolled. */
struct variant {
    const struct skl_layers *layers;
    char *name;                     /* NULL: named after the shortcut */
    const struct skl_ynode *node;   /* entry of `variants`; NULL: a file without variants */
    struct skl_excludes *file, own; /* exclude: */
    struct skl_axes axes;
};

/* ---- one entry of `variants` ---- */

static int check_set(const struct skl_ynode *set, struct skl_err *err)
{
    if (set->kind != SKL_YMAP) return skl_tree_fail(set, true, err, "set must be a mapping of keys to values");
    struct skl_entry *entry;
    int count, status = skl_tree_flatten(set, &entry, &count, err);
    for (int i = 0; i < count && !status; i++) status = skl_check_run_key(entry[i].path, entry[i].node, err);
    skl_tree_entries_free(entry, count);
    return status ? status : skl_check_layer(set, err);
}

/* The results folder holds these beside the variants' folders. */
static bool is_reserved(const char *name)
{
    static const char *const taken[] = {"figures",     "plan.json",    "report.html", "report.md",  "report.tex",
                                        "summary.csv", "summary.json", "runs.csv",    "curves.csv", NULL};
    for (const char *const *t = taken; *t; t++)
        if (strcmp(*t, name) == 0) return true;
    return false;
}

static int read_variant_name(struct variant *v, struct skl_err *err)
{
    const struct skl_ynode *name = skl_yaml_get(v->node, "name");
    if (!name) return skl_tree_fail(v->node, true, err, "this variant needs a name:");
    int status = skl_read_name(name, "a variant's name", &v->name, err);
    if (!status && is_reserved(v->name))
        status = skl_tree_fail(name, true, err, "'%s' is taken by the sweep's own files", v->name);
    return status;
}

/* Keys known, name valid, set and paper well formed. */
static int check_variant(struct variant *v, struct skl_err *err)
{
    if (v->node->kind != SKL_YMAP) return skl_tree_fail(v->node, true, err, "a variant must be a mapping with a name");
    for (const struct skl_ynode *c = v->node->child; c; c = c->next) {
        char *path = skl_format("variants.%s", c->key);
        bool known = skl_key_find(path) != NULL;
        free(path);
        if (!known && (strchr(c->key, '.') || skl_tree_is_section(c)))
            return skl_tree_fail(c, false, err, "'%.80s' belongs under set:, as set: {%.80s: ...}", c->key, c->key);
        if (!known) return skl_key_unknown(c, "variants", err);
    }
    const struct skl_ynode *set = skl_yaml_get(v->node, "set"), *label = skl_yaml_get(v->node, "label");
    int status = read_variant_name(v, err);
    if (!status && label && label->kind != SKL_YSCALAR)
        status = skl_tree_fail(label, true, err, "a variant's label must be text, in quotes");
    return status || !set ? status : check_set(set, err);
}

static int add_axes(struct variant *v, const struct skl_ynode *map, struct skl_err *err)
{
    int status = SKL_OK;
    for (const struct skl_ynode *c = map->child; c && !status; c = c->next) {
        bool zip = strcmp(c->key, "zip") == 0;
        if (zip || strcmp(c->key, "grid") == 0) status = skl_axes_add(&v->axes, c, zip, v->layers, err);
    }
    return status;
}

/* ---- one combination ---- */

static int set_axes(const struct variant *v, int index, struct skl_ynode *tree, struct skl_err *err)
{
    for (int a = 0; a < v->axes.count; a++)
        for (int k = 0; k < v->axes.axis[a].key_count; k++) {
            const struct skl_axis_key *key = &v->axes.axis[a].key[k];
            int status = skl_tree_set(tree, key->path, skl_axes_item(&v->axes, a, k, index), key->place, err);
            if (status) return status;
        }
    return SKL_OK;
}

/* Base, then set and paper, then grid and zip. */
static int lay_variant(const struct variant *v, int index, struct skl_ynode *tree, struct skl_err *err)
{
    const struct skl_ynode *set = v->node ? skl_yaml_get(v->node, "set") : NULL;
    const struct skl_ynode *paper = v->node ? skl_yaml_get(v->node, "paper") : NULL;
    int status = set ? skl_tree_merge(tree, set, err) : SKL_OK;
    if (!status && paper) status = skl_tree_set(tree, "paper", paper, paper, err);
    return status ? status : set_axes(v, index, tree, err);
}

static int lay_overrides(const struct skl_layers *layers, struct skl_ynode *tree, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < layers->override_count && !status; i++) status = skl_tree_merge(tree, layers->override[i], err);
    return status;
}

static struct skl_pair pair(const char *key, const struct skl_ynode *node)
{
    return (struct skl_pair){skl_strdup(key), skl_strdup(node->text), node->quoted};
}

static void keep_pairs(const struct variant *v, int index, const struct skl_ynode *tree, struct setting *s)
{
    const struct skl_ynode *paper = skl_yaml_get(tree, "paper");
    s->papers = skl_alloc_array(paper ? (size_t)skl_tree_count(paper) : 0, sizeof *s->papers);
    for (const struct skl_ynode *c = paper ? paper->child : NULL; c; c = c->next)
        if (*c->text) s->papers[s->paper_count++] = pair(c->key, c); /* "": no figure for this one */
    int keys = 0;
    for (int a = 0; a < v->axes.count; a++) keys += v->axes.axis[a].key_count;
    s->axis = skl_alloc_array((size_t)keys, sizeof *s->axis);
    for (int a = 0; a < v->axes.count; a++)
        for (int k = 0; k < v->axes.axis[a].key_count; k++) {
            const char *path = v->axes.axis[a].key[k].path;
            if (!skl_is_paper_key(path)) s->axis[s->axis_count++] = pair(path, skl_axes_item(&v->axes, a, k, index));
        }
}

static int resolve(const struct variant *v, int index, const struct skl_ynode *tree, struct setting *s,
                   struct skl_err *err)
{
    int status = skl_experiment_read(tree, &s->exp, err);
    if (status) return status;
    s->exp.variant = skl_strdup(v->name ? v->name : s->exp.model.shortcut->name);
    char *keys = skl_axes_folder(&v->axes, index);
    s->folder = skl_format("%s%s%s", s->exp.variant, *keys ? "/" : "", keys);
    const struct skl_ynode *label = v->node ? skl_yaml_get(v->node, "label") : NULL;
    if (label && *label->text) s->label = skl_strdup(label->text);
    s->place = v->node ? v->node : v->layers->root;
    if (strlen(keys) > MAX_FOLDER)
        status = skl_tree_fail(s->place, true, err, "the folder's name would be longer than %d bytes: %.60s...",
                               MAX_FOLDER, keys);
    free(keys);
    keep_pairs(v, index, tree, s);
    return status;
}

static struct setting *new_setting(struct settings *settings)
{
    if ((settings->count & (settings->count - 1)) == 0) { /* full at powers of two */
        size_t room = settings->count ? 2 * (size_t)settings->count : 1;
        struct setting *grown = skl_alloc_array(room, sizeof *grown);
        if (settings->count) memcpy(grown, settings->item, (size_t)settings->count * sizeof *grown);
        free(settings->item);
        settings->item = grown;
    }
    return &settings->item[settings->count++];
}

/* ---- all combinations, or a sample of them ---- */

struct sample {
    int count; /* 0: all */
    uint64_t seed;
};

static int read_sample(const struct skl_ynode *root, struct sample *sample, struct skl_err *err)
{
    const struct skl_ynode *node = skl_yaml_get(root, "sample"), *count = node, *seed = NULL;
    long long n = 0, s = 1;
    *sample = (struct sample){0};
    if (!node) return SKL_OK;
    if (node->kind == SKL_YMAP) {
        count = skl_yaml_get(node, "settings"), seed = skl_yaml_get(node, "seed");
        if (!count || skl_tree_count(node) != 1 + (seed != NULL)) count = node;
    }
    if (count->kind != SKL_YSCALAR || skl_yaml_int(count, &n) || n < 1 || n > SKL_PLAN_MAX_RUNS ||
        (seed && (seed->kind != SKL_YSCALAR || skl_yaml_int(seed, &s) || s < 0)))
        return skl_tree_fail(node, true, err, "sample must be a whole number from 1, or {settings: N, seed: N}");
    *sample = (struct sample){(int)n, (uint64_t)s};
    return SKL_OK;
}

struct ticket {
    uint64_t bits;
    int index;
};
static int by_bits(const void *a, const void *b)
{
    const struct ticket *x = a, *y = b;
    if (x->bits != y->bits) return x->bits < y->bits ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* A combination's ticket depends on its folder's name: values that are added to a grid draw tickets of their own, and
 * the others keep theirs.  Of those that are left (keep[i]) the ones with the smallest stay. */
static void draw(const struct variant *v, const struct sample *sample, bool *keep, int combinations)
{
    struct ticket *ticket = skl_alloc_array((size_t)combinations + 1, sizeof *ticket);
    int n = 0;
    for (int i = 0; i < combinations; i++) {
        char *folder = skl_axes_folder(&v->axes, i);
        const uint64_t key = skl_rng_key(sample->seed, SKL_RNG_SAMPLE, skl_hash_name(v->name ? v->name : ""), 0);
        if (keep[i]) ticket[n++] = (struct ticket){skl_rng_bits(key, skl_hash_name(folder)), i};
        free(folder);
    }
    qsort(ticket, (size_t)n, sizeof *ticket, by_bits);
    for (int i = sample->count; i < n; i++) keep[ticket[i].index] = false;
    free(ticket);
}

/* The combination's tree; *left: no exclude takes it away. */
static int try_combination(struct variant *v, int index, struct skl_ynode **tree, bool *left, struct skl_err *err)
{
    *tree = skl_yaml_copy(v->layers->run);
    const int status = lay_variant(v, index, *tree, err);
    const bool in_file = skl_excludes_match(v->file, *tree), in_own = skl_excludes_match(&v->own, *tree);
    *left = !status && !in_file && !in_own;
    return status;
}

/* keep[i]: combination i is in the sample. */
static int take_sample(struct variant *v, const struct sample *sample, bool *keep, int combinations,
                       struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < combinations && !status; i++) {
        struct skl_ynode *tree;
        status = try_combination(v, i, &tree, &keep[i], err);
        skl_yaml_free(tree);
    }
    if (!status) draw(v, sample, keep, combinations);
    return status;
}

static int add_setting(struct variant *v, int index, struct settings *settings, struct skl_err *err)
{
    struct skl_ynode *tree;
    bool left;
    int status = try_combination(v, index, &tree, &left, err);
    if (left) {
        status = lay_overrides(v->layers, tree, err);
        if (!status) status = resolve(v, index, tree, new_setting(settings), err);
    }
    skl_yaml_free(tree);
    return status;
}

static int unroll(struct variant *v, int limit, struct settings *settings, struct skl_err *err)
{
    const struct skl_ynode *place = v->node ? v->node : v->layers->root;
    const int combinations = skl_axes_combinations(&v->axes, limit);
    if (combinations > limit - settings->count)
        return skl_tree_fail(place, true, err, "grid and seeds give more than %d runs", SKL_PLAN_MAX_RUNS);
    struct sample sample;
    int status = read_sample(v->layers->root, &sample, err);
    bool *keep = sample.count ? skl_alloc_array((size_t)combinations + 1, sizeof *keep) : NULL;
    if (keep) status = take_sample(v, &sample, keep, combinations, err);
    for (int i = 0; i < combinations && !status; i++)
        if (!keep || keep[i]) status = add_setting(v, i, settings, err);
    free(keep);
    return status;
}

static int read_variant(const struct skl_layers *layers, const struct skl_ynode *node, int limit,
                        struct skl_excludes *file, struct settings *settings, struct skl_err *err)
{
    struct variant v = {.layers = layers, .node = node, .file = file};
    int status = node ? check_variant(&v, err) : SKL_OK;
    if (!status && node) status = skl_excludes_read(skl_yaml_get(node, "exclude"), &v.own, err);
    if (!status) status = add_axes(&v, layers->root, err);
    if (!status && node) status = add_axes(&v, node, err);
    if (!status) status = unroll(&v, limit, settings, err);
    if (!status) status = skl_excludes_check(&v.own, layers, err);
    skl_excludes_release(&v.own);
    skl_axes_release(&v.axes);
    free(v.name);
    return status;
}

/* ---- all variants ---- */

static int by_name_then_place(const void *a, const void *b)
{
    const struct skl_ynode *x = *(const struct skl_ynode *const *)a, *y = *(const struct skl_ynode *const *)b;
    int order = strcmp(x->text, y->text);
    if (order) return order;
    if (x->value_line != y->value_line) return x->value_line < y->value_line ? -1 : 1;
    return (x->value_column > y->value_column) - (x->value_column < y->value_column);
}

static int check_names(const struct skl_ynode *variants, struct skl_err *err)
{
    const struct skl_ynode **sorted = skl_alloc_array((size_t)skl_tree_count(variants), sizeof *sorted);
    size_t count = 0;
    int status = SKL_OK;
    for (const struct skl_ynode *c = variants->child; c; c = c->next) {
        const struct skl_ynode *name = skl_yaml_get(c, "name");
        if (name && name->kind == SKL_YSCALAR) sorted[count++] = name;
    }
    qsort(sorted, count, sizeof *sorted, by_name_then_place);
    for (size_t i = 1; i < count && !status; i++)
        if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0)
            status = skl_tree_fail(sorted[i], true, err, "a second variant named '%.80s'", sorted[i]->text);
    free(sorted);
    return status;
}

static int by_folder(const void *a, const void *b)
{
    const struct setting *x = *(const struct setting *const *)a, *y = *(const struct setting *const *)b;
    int order = strcmp(x->folder, y->folder);
    return order ? order : (x > y) - (x < y);
}

static int check_folders(const struct settings *settings, struct skl_err *err)
{
    const struct setting **sorted = skl_alloc_array((size_t)settings->count, sizeof *sorted);
    int status = SKL_OK;
    for (int i = 0; i < settings->count; i++) sorted[i] = &settings->item[i];
    qsort(sorted, (size_t)settings->count, sizeof *sorted, by_folder);
    for (int i = 1; i < settings->count && !status; i++)
        if (strcmp(sorted[i - 1]->folder, sorted[i]->folder) == 0)
            status =
                skl_tree_fail(sorted[i]->place, true, err, "two runs would share the folder '%s'", sorted[i]->folder);
    free(sorted);
    return status;
}

int skl_settings_read(const struct skl_layers *layers, int limit, struct settings *settings, struct skl_err *err)
{
    const struct skl_ynode *variants = skl_yaml_get(layers->root, "variants");
    if (variants && (variants->kind != SKL_YLIST || !variants->child))
        return skl_tree_fail(variants, true, err, "variants must be a list of mappings, each with a name");
    if (variants && skl_tree_count(variants) > limit)
        return skl_tree_fail(variants, true, err, "variants and seeds give more than %d runs", SKL_PLAN_MAX_RUNS);
    struct skl_excludes exclude = {0};
    int status = skl_excludes_read(skl_yaml_get(layers->root, "exclude"), &exclude, err);
    if (!status)
        status = variants ? check_names(variants, err) : read_variant(layers, NULL, limit, &exclude, settings, err);
    for (const struct skl_ynode *c = variants ? variants->child : NULL; c && !status; c = c->next)
        status = read_variant(layers, c, limit, &exclude, settings, err);
    if (!status && settings->count == 0)
        status = skl_tree_fail(layers->root, true, err, "no runs are left: exclude drops every combination");
    if (!status) status = skl_excludes_check(&exclude, layers, err);
    skl_excludes_release(&exclude);
    return status ? status : check_folders(settings, err);
}

static void free_pairs(struct skl_pair *p, int count)
{
    for (int i = 0; i < count; i++) {
        free(p[i].key);
        free(p[i].value);
    }
    free(p);
}

void skl_settings_release(struct settings *settings)
{
    for (int i = 0; i < settings->count; i++) {
        struct setting *s = &settings->item[i];
        free(s->folder);
        free(s->label);
        free_pairs(s->papers, s->paper_count);
        free_pairs(s->axis, s->axis_count);
        skl_experiment_release(&s->exp);
    }
    free(settings->item);
    memset(settings, 0, sizeof *settings);
}
