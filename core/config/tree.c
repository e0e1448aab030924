#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/grow.h"
#include "core/config/tree.h"

enum { MAX_KEYS = 2000 }; /* of one layer: far above any experiment, and quadratic work stays small */

int skl_tree_fail(const struct skl_ynode *node, bool at_value, struct skl_err *err, const char *fmt, ...)
{
    char text[900];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (node->line == 0) return skl_fail(err, SKL_USAGE, "%s: %s", node->file, text);
    int line = at_value ? node->value_line : node->line, column = at_value ? node->value_column : node->column;
    return skl_fail(err, SKL_USAGE, "%s:%d:%d: %s", node->file, line, column, text);
}

void skl_tree_mark_override(struct skl_ynode *node, const char *name)
{
    node->file = name;
    node->line = node->column = node->value_line = node->value_column = 0;
    for (struct skl_ynode *c = node->child; c; c = c->next) skl_tree_mark_override(c, name);
}

struct skl_ynode *skl_tree_new(void)
{
    struct skl_ynode *node = skl_alloc(sizeof *node);
    node->kind = SKL_YMAP;
    node->file = "defaults";
    return node;
}

int skl_tree_count(const struct skl_ynode *node)
{
    int n = 0;
    for (const struct skl_ynode *c = node->child; c; c = c->next) n++;
    return n;
}

static struct skl_ynode *find_child(const struct skl_ynode *map, const char *key, size_t n)
{
    if (map->kind != SKL_YMAP) return NULL;
    for (struct skl_ynode *c = map->child; c; c = c->next)
        if (strlen(c->key) == n && memcmp(c->key, key, n) == 0) return c;
    return NULL;
}

static const struct skl_ynode *descend(const struct skl_ynode *tree, const char *path, bool whole)
{
    while (*path) {
        size_t n = strcspn(path, ".");
        const struct skl_ynode *child = find_child(tree, path, n);
        if (!child) return whole ? NULL : tree;
        tree = child;
        path += n + (path[n] == '.');
    }
    return tree;
}

struct skl_ynode *skl_tree_get(const struct skl_ynode *tree, const char *path)
{
    return (struct skl_ynode *)descend(tree, path, true);
}

const struct skl_ynode *skl_tree_place(const struct skl_ynode *tree, const char *path)
{
    return descend(tree, path, false);
}

static void append(struct skl_ynode *map, struct skl_ynode *node)
{
    struct skl_ynode **end = &map->child;
    while (*end) end = &(*end)->next;
    *end = node;
    node->next = NULL;
}

void skl_tree_remove(struct skl_ynode *tree, const char *key)
{
    for (struct skl_ynode **c = &tree->child; *c; c = &(*c)->next) {
        if (strcmp((*c)->key, key) != 0) continue;
        struct skl_ynode *dead = *c;
        *c = dead->next;
        dead->next = NULL;
        skl_yaml_free(dead);
        return;
    }
}

/* A copy of value under another key, with the key's place taken from `place`. */
static struct skl_ynode *keyed_copy(const struct skl_ynode *value, const char *key, const struct skl_ynode *place)
{
    struct skl_ynode *copy = skl_yaml_copy(value);
    free(copy->key);
    copy->key = skl_strdup(key);
    copy->file = place->file;
    copy->line = place->line;
    copy->column = place->column;
    return copy;
}

/* The mapping `key` (n bytes) of map, made if absent. */
static int step_into(struct skl_ynode **map, const char *key, size_t n, const struct skl_ynode *place,
                     struct skl_err *err)
{
    struct skl_ynode *child = find_child(*map, key, n);
    if (child && child->kind != SKL_YMAP)
        return skl_tree_fail(place, false, err, "'%s' is a value and has no keys of its own", child->key);
    if (!child) {
        child = skl_tree_new();
        child->key = skl_format("%.*s", (int)n, key);
        child->file = place->file;
        child->line = place->line;
        child->column = place->column;
        child->value_line = place->value_line;
        child->value_column = place->value_column;
        append(*map, child);
    }
    *map = child;
    return SKL_OK;
}

int skl_tree_set(struct skl_ynode *tree, const char *path, const struct skl_ynode *value, const struct skl_ynode *place,
                 struct skl_err *err)
{
    const char *last = strrchr(path, '.');
    last = last ? last + 1 : path;
    for (const char *p = path; p < last;) {
        size_t n = strcspn(p, ".");
        int status = step_into(&tree, p, n, place, err);
        if (status) return status;
        p += n + 1;
    }
    struct skl_ynode *copy = keyed_copy(value, last, place);
    for (struct skl_ynode **c = &tree->child; *c; c = &(*c)->next) {
        if (strcmp((*c)->key, last) != 0) continue;
        struct skl_ynode *old = *c;
        copy->next = old->next;
        *c = copy;
        old->next = NULL;
        skl_yaml_free(old);
        return SKL_OK;
    }
    append(tree, copy);
    return SKL_OK;
}

bool skl_tree_is_section(const struct skl_ynode *node)
{
    const char *k = node->key;
    return node->kind == SKL_YMAP && (strcmp(k, "model") == 0 || strcmp(k, "data") == 0 || strcmp(k, "train") == 0);
}

static int check_path(const struct skl_ynode *node, struct skl_err *err)
{
    const char *k = node->key;
    if (!*k || k[0] == '.' || k[strlen(k) - 1] == '.' || strstr(k, ".."))
        return skl_tree_fail(node, false, err, "'%s' is no key: write it like model.depth", k);
    return SKL_OK;
}

static int flatten(const struct skl_ynode *node, const char *prefix, struct skl_entry **entries, int *count,
                   struct skl_err *err)
{
    for (const struct skl_ynode *c = node->child; c; c = c->next) {
        int status = check_path(c, err);
        if (!status && *count >= MAX_KEYS) status = skl_tree_fail(c, false, err, "more than %d keys", MAX_KEYS);
        if (status) return status;
        char *path = *prefix ? skl_format("%s.%s", prefix, c->key) : skl_strdup(c->key);
        if (c->kind == SKL_YMAP) {
            status = flatten(c, path, entries, count, err);
            free(path);
            if (status) return status;
            continue;
        }
        for (int i = 0; i < *count; i++) {
            if (strcmp((*entries)[i].path, path) != 0) continue;
            status = skl_tree_fail(c, false, err, "'%s' is given twice", path);
            free(path);
            return status;
        }
        struct skl_entry *grown = skl_alloc_array((size_t)*count + 1, sizeof *grown);
        if (*count) memcpy(grown, *entries, (size_t)*count * sizeof *grown);
        free(*entries);
        *entries = grown;
        grown[(*count)++] = (struct skl_entry){path, c};
    }
    return SKL_OK;
}

static void write_value(FILE *out, const struct skl_ynode *node)
{
    if (node->kind == SKL_YSCALAR) {
        fputs(node->text, out);
        return;
    }
    fputc(node->kind == SKL_YLIST ? '[' : '{', out);
    for (const struct skl_ynode *c = node->child; c; c = c->next) {
        if (node->kind == SKL_YMAP) fprintf(out, "%s: ", c->key);
        write_value(out, c);
        if (c->next) fputs(", ", out);
    }
    fputc(node->kind == SKL_YLIST ? ']' : '}', out);
}

char *skl_tree_text(const struct skl_ynode *node)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    write_value(out, node);
    return skl_text_close(&t);
}

int skl_tree_flatten(const struct skl_ynode *map, struct skl_entry **entries, int *count, struct skl_err *err)
{
    *entries = NULL;
    *count = 0;
    int status = flatten(map, "", entries, count, err);
    if (status) {
        skl_tree_entries_free(*entries, *count);
        *entries = NULL;
        *count = 0;
    }
    return status;
}

void skl_tree_entries_free(struct skl_entry *entries, int count)
{
    for (int i = 0; i < count; i++) free(entries[i].path);
    free(entries);
}

static int merge_section(struct skl_ynode *tree, const struct skl_ynode *section, struct skl_err *err)
{
    if (!find_child(tree, section->key, strlen(section->key))) {
        const struct skl_ynode empty = {
            .kind = SKL_YMAP, .value_line = section->value_line, .value_column = section->value_column};
        int status = skl_tree_set(tree, section->key, &empty, section, err);
        if (status) return status;
    }
    for (const struct skl_ynode *c = section->child; c; c = c->next) {
        char *path = skl_format("%s.%s", section->key, c->key);
        int status = skl_tree_set(tree, path, c, c, err);
        free(path);
        if (status) return status;
    }
    return SKL_OK;
}

int skl_tree_merge(struct skl_ynode *tree, const struct skl_ynode *layer, struct skl_err *err)
{
    struct skl_entry *entries;
    int count, status = skl_tree_flatten(layer, &entries, &count, err);
    if (status) return status;
    skl_tree_entries_free(entries, count);
    for (const struct skl_ynode *c = layer->child; c && !status; c = c->next)
        status = skl_tree_is_section(c) ? merge_section(tree, c, err) : skl_tree_set(tree, c->key, c, c, err);
    return status;
}
