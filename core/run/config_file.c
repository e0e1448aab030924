#include "core/run/config_file.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/bounds.h"
#include "core/config/tree.h"
#include "core/io/yaml.h"
#include "core/run/folder.h"

enum { MAX_SHOWN = 8 };

/* The settings of a config.yaml by their full keys; root owns what entry points to. */
struct flat {
    struct skl_ynode *root;
    struct skl_entry *entry;
    int count;
};

static struct flat flatten(const char *text)
{
    struct flat f = {0};
    if (skl_yaml_parse(SKL_FILE_CONFIG, text, strlen(text), &f.root, NULL)) return f;
    if (f.root->kind == SKL_YMAP) skl_tree_flatten(f.root, &f.entry, &f.count, NULL);
    return f;
}

static void flat_free(struct flat *f)
{
    skl_tree_entries_free(f->entry, f->count);
    if (f->root) skl_yaml_free(f->root);
}

static const struct skl_ynode *find(const struct flat *f, const char *key)
{
    for (int i = 0; i < f->count; i++)
        if (!strcmp(f->entry[i].path, key)) return f->entry[i].node;
    return NULL;
}

/* variants: the settings of the one that there is stand elsewhere. */
static bool no_setting(const char *key)
{
    static const char *const skip[] = {"name", "label", "baseline", "variants"};
    for (size_t i = 0; i < sizeof skip / sizeof *skip; i++)
        if (!strcmp(key, skip[i])) return true;
    return !strncmp(key, "report.", 7) || !strncmp(key, "paper.", 6);
}

struct diff {
    char *text;
    int shown;
};

/* NULL: the key is absent. */
static void compare(struct diff *d, const char *key, const struct skl_ynode *there, const struct skl_ynode *here)
{
    char *a = there ? skl_tree_text(there) : skl_strdup("absent"),
         *b = here ? skl_tree_text(here) : skl_strdup("absent");
    if ((!there || !here || strcmp(a, b)) && ++d->shown <= MAX_SHOWN)
        d->text = skl_append(d->text, "%s%s: %s there, %s here", *d->text ? "; " : "", key, a, b);
    free(a);
    free(b);
}

char *skl_config_file_diff(const char *there, const char *here)
{
    struct flat a = flatten(there), b = flatten(here);
    struct diff d = {.text = skl_strdup("")};
    for (int i = 0; i < a.count; i++)
        if (!no_setting(a.entry[i].path)) compare(&d, a.entry[i].path, a.entry[i].node, find(&b, a.entry[i].path));
    for (int i = 0; i < b.count; i++)
        if (!no_setting(b.entry[i].path) && !find(&a, b.entry[i].path))
            compare(&d, b.entry[i].path, NULL, b.entry[i].node);
    if (d.shown > MAX_SHOWN) d.text = skl_append(d.text, "; and %d more", d.shown - MAX_SHOWN);
    flat_free(&a);
    flat_free(&b);
    return d.text;
}

static int other_run(const char *folder, const char *path, const struct skl_plan *plan, const struct skl_plan_run *run,
                     struct skl_err *err)
{
    char *there, *here = skl_plan_emit(plan, run);
    size_t n;
    int status = skl_file_read(path, SKL_LIMIT_CONFIG, &there, &n, err);
    if (!status) {
        char *diff = skl_config_file_diff(there, here);
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

int skl_config_file_check(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder,
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

int skl_config_file_write(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder, int desk,
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
