#include "core/run/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/bounds.h"
#include "core/io/yaml.h"
#include "core/run/folder.h"

enum { MAX_KEYS = 512, MAX_SHOWN = 8 };

struct entry {
    char key[128], *value;
};
struct flat {
    struct entry entry[MAX_KEYS];
    int count;
};

static void flatten(const struct skl_ynode *node, const char *key, struct flat *out);

static void add(struct flat *out, const char *key, const char *value)
{
    if (out->count == MAX_KEYS) return;
    struct entry *e = &out->entry[out->count++];
    snprintf(e->key, sizeof e->key, "%s", key);
    e->value = skl_strdup(value);
}

static void flatten_list(const struct skl_ynode *node, const char *key, struct flat *out)
{
    char text[256] = "[";
    size_t n = 1;
    for (const struct skl_ynode *c = node->child; c; c = c->next) {
        if (c->kind != SKL_YSCALAR) return; /* variants: their settings stand elsewhere */
        if (n < sizeof text) n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n > 1 ? ", " : "", c->text);
    }
    if (n < sizeof text) snprintf(text + n, sizeof text - n, "]");
    add(out, key, text);
}

static void flatten(const struct skl_ynode *node, const char *key, struct flat *out)
{
    if (node->kind == SKL_YSCALAR) add(out, key, node->text);
    if (node->kind == SKL_YLIST) flatten_list(node, key, out);
    if (node->kind != SKL_YMAP) return;
    for (const struct skl_ynode *c = node->child; c; c = c->next) {
        char path[128];
        snprintf(path, sizeof path, "%s%s%s", key, *key ? "." : "", c->key);
        flatten(c, path, out);
    }
}

static struct flat *flatten_text(const char *text)
{
    struct flat *out = skl_alloc(sizeof *out);
    struct skl_ynode *root;
    if (skl_yaml_parse(SKL_FILE_CONFIG, text, strlen(text), &root, NULL)) return out;
    flatten(root, "", out);
    skl_yaml_free(root);
    return out;
}

static void flat_free(struct flat *f)
{
    for (int i = 0; i < f->count; i++) free(f->entry[i].value);
    free(f);
}

static const char *find(const struct flat *f, const char *key)
{
    for (int i = 0; i < f->count; i++)
        if (!strcmp(f->entry[i].key, key)) return f->entry[i].value;
    return NULL;
}

static bool no_setting(const char *key)
{
    static const char *const skip[] = {"name", "label", "baseline"};
    for (size_t i = 0; i < sizeof skip / sizeof *skip; i++)
        if (!strcmp(key, skip[i])) return true;
    return !strncmp(key, "report.", 7) || !strncmp(key, "paper.", 6);
}

static void note(char **text, int *shown, const char *key, const char *there, const char *here)
{
    if (++*shown > MAX_SHOWN) return;
    char *longer = skl_format("%s%s%s: %s there, %s here", *text, **text ? "; " : "", key, there ? there : "absent",
                              here ? here : "absent");
    free(*text);
    *text = longer;
}

char *skl_settings_diff(const char *there, const char *here)
{
    struct flat *a = flatten_text(there), *b = flatten_text(here);
    char *text = skl_strdup("");
    int shown = 0;
    for (int i = 0; i < a->count; i++) {
        const char *key = a->entry[i].key, *other = find(b, key);
        if (no_setting(key) || (other && !strcmp(other, a->entry[i].value))) continue;
        note(&text, &shown, key, a->entry[i].value, other);
    }
    for (int i = 0; i < b->count; i++)
        if (!no_setting(b->entry[i].key) && !find(a, b->entry[i].key))
            note(&text, &shown, b->entry[i].key, NULL, b->entry[i].value);
    if (shown > MAX_SHOWN) {
        char *longer = skl_format("%s; and %d more", text, shown - MAX_SHOWN);
        free(text);
        text = longer;
    }
    flat_free(a);
    flat_free(b);
    return text;
}

static int other_run(const char *folder, const char *path, const struct skl_plan *plan, const struct skl_plan_run *run,
                     struct skl_err *err)
{
    char *there, *here = skl_plan_emit(plan, run);
    size_t n;
    int status = skl_file_read(path, SKL_LIMIT_CONFIG, &there, &n, err);
    if (!status) {
        char *diff = skl_settings_diff(there, here);
        status = skl_fail(err, SKL_USAGE,
                          "'%s' holds another run (%s): use another name or --results folder, or move it away", folder,
                          diff);
        free(diff);
        free(there);
    }
    free(here);
    return status;
}

/* A config.yaml that we wrote for a run of which nothing else came binds nobody. */
static int is_binding(const char *folder, const char *path, bool *binding, struct skl_err *err)
{
    static const char *const more[] = {SKL_FILE_RECORD, SKL_FILE_TRAIN, SKL_FILE_LAST, SKL_FILE_PREV, NULL};
    char *text;
    size_t n;
    int status = skl_file_read_if_there(path, SKL_LIMIT_CONFIG, &text, &n, err);
    *binding = text && strncmp(text, skl_plan_heading, strlen(skl_plan_heading));
    for (int i = 0; text && more[i] && !status && !*binding; i++) {
        char *other = skl_path(folder, more[i]);
        status = skl_is_there(other, binding, err);
        free(other);
    }
    free(text);
    return status;
}

int skl_settings_check(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder,
                       struct skl_err *err)
{
    char *path = skl_path(folder, SKL_FILE_CONFIG);
    struct skl_plan there;
    bool binding;
    int status = is_binding(folder, path, &binding, err);
    if (!status && binding) {
        status = skl_plan_load_recorded(path, true, &there, err);
        if (status == SKL_USAGE) {
            status = other_run(folder, path, plan, run, err);
        } else if (status) {
            skl_context(err, "the run's own settings are damaged");
        } else {
            if (there.count != 1 || strcmp(there.run[0].exp.hash, run->exp.hash))
                status = other_run(folder, path, plan, run, err);
            skl_plan_release(&there);
        }
    }
    free(path);
    return status;
}

int skl_settings_write(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder, int desk,
                       struct skl_err *err)
{
    char *path = skl_path(folder, SKL_FILE_CONFIG), *text = skl_plan_emit(plan, run), *there = NULL;
    size_t n;
    int status = SKL_OK;
    status = skl_file_read_if_there(path, SKL_LIMIT_CONFIG, &there, &n, err);
    bool same = there && n == strlen(text) && !memcmp(there, text, n);
    if (!status && !same) status = skl_file_write_at(desk, path, text, strlen(text), err);
    free(there);
    free(text);
    free(path);
    return status;
}
