/* plan_file.c - the list of a sweep's runs, beside their results. */
#include "core/sweep/plan_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/bounds.h"
#include "core/config/figure_words.h"
#include "core/config/registry.h"
#include "core/run/folder.h"

enum { SCHEMA = 1 };

/* ---- reading ---- */

static char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? skl_strdup(s) : NULL;
}

/* A folder of the list is joined to paths: it must stay below the sweep's. */
static bool inside(const char *dir)
{
    if (!dir || !*dir || *dir == '/') return false;
    for (const char *part = dir; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        if (strcspn(part, "/") == 0 || (strcspn(part, "/") == 2 && !strncmp(part, "..", 2))) return false;
    return true;
}

/* The set that settings name, as skl_plan_emit writes them; "": cannot be told. */
static char *set_of(const json_t *settings, const char *setting)
{
    static const char key[] = "\n  dataset: ";
    const char *text = setting ? json_string_value(json_object_get(settings, setting)) : NULL;
    const char *at = text ? strstr(text, key) : NULL;
    return at ? skl_format("%.*s", (int)strcspn(at + sizeof key - 1, "\n"), at + sizeof key - 1) : skl_strdup("");
}

static bool read_run(const json_t *item, const json_t *settings, struct skl_listed_run *r)
{
    const char *hash = json_string_value(json_object_get(item, "hash"));
    r->dir = text_of(item, "run");
    r->setting = text_of(item, "setting");
    r->variant = text_of(item, "variant");
    r->paper = text_of(item, "paper");
    r->set = set_of(settings, r->setting);
    r->seed = (uint64_t)json_integer_value(json_object_get(item, "seed"));
    r->iterations = json_integer_value(json_object_get(item, "iterations"));
    r->batch = (int)json_integer_value(json_object_get(item, "batch"));
    if (hash) snprintf(r->hash, sizeof r->hash, "%s", hash);
    return inside(r->dir) && r->setting && r->variant && hash && r->batch > 0;
}

static void read_plugins(const json_t *plugins, struct skl_run_list *list)
{
    const char *name;
    json_t *sha256;
    list->plugin = skl_alloc_array(json_object_size(plugins) + 1, sizeof *list->plugin);
    json_object_foreach((json_t *)(uintptr_t)plugins, name, sha256)
    {
        struct skl_listed_plugin *p = &list->plugin[list->plugins++];
        const char *text = json_string_value(sha256);
        p->name = skl_strdup(name);
        snprintf(p->sha256, sizeof p->sha256, "%s", text ? text : "");
    }
}

static void read_data(const json_t *data, struct skl_run_list *list)
{
    const char *set;
    json_t *fingerprint;
    list->data = skl_alloc_array(json_object_size(data) + 1, sizeof *list->data);
    json_object_foreach((json_t *)(uintptr_t)data, set, fingerprint)
    {
        struct skl_listed_data *d = &list->data[list->sets++];
        const char *text = json_string_value(fingerprint);
        d->set = skl_strdup(set);
        snprintf(d->fingerprint, sizeof d->fingerprint, "%s", text ? text : "");
    }
}

const char *skl_run_list_data(const struct skl_run_list *list, const char *set)
{
    for (int i = 0; i < list->sets; i++)
        if (!strcmp(list->data[i].set, set)) return list->data[i].fingerprint;
    return NULL;
}

const struct skl_listed_run *skl_run_list_find(const struct skl_run_list *list, const char *dir)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->run[i].dir, dir)) return &list->run[i];
    return NULL;
}

const char *skl_run_list_plugin(const struct skl_run_list *list, const char *name)
{
    for (int i = 0; i < list->plugins; i++)
        if (!strcmp(list->plugin[i].name, name)) return list->plugin[i].sha256;
    return NULL;
}

/* The whole file; NULL: *status. */
static json_t *read_root(const char *path, enum skl_seal *seal, int *status, struct skl_err *err)
{
    json_t *root;
    *status = skl_json_read(path, SKL_LIMIT_PLAN, SKL_LIMIT_PLAN_VALUES, &root, seal, err);
    const json_t *runs = json_object_get(root, "runs");
    if (!*status && (!json_is_array(runs) || json_integer_value(json_object_get(root, "schema_version")) != SCHEMA))
        *status = skl_fail(err, SKL_DATA, "%s: not the list of a sweep's runs, or one of another version", path);
    if (!*status && json_array_size(runs) > SKL_PLAN_MAX_RUNS)
        *status = skl_fail(err, SKL_DATA, "%s: it lists %zu runs, a plan has at most %d", path, json_array_size(runs),
                           SKL_PLAN_MAX_RUNS);
    if (!*status) return root;
    json_decref(root);
    return NULL;
}

int skl_run_list_read(const char *folder, struct skl_run_list *list, struct skl_err *err)
{
    *list = (struct skl_run_list){0};
    char *path = skl_path(folder, SKL_FILE_PLAN);
    int status;
    json_t *root = read_root(path, &list->seal, &status, err);
    const json_t *runs = json_object_get(root, "runs");
    list->name = text_of(root, "name");
    list->label = text_of(root, "label");
    list->notes = text_of(root, "notes");
    list->baseline = text_of(root, "baseline");
    read_plugins(json_object_get(root, "plugins"), list);
    read_data(json_object_get(root, "data"), list);
    list->knows_data = json_is_object(json_object_get(root, "data"));
    list->run = skl_alloc_array(json_array_size(runs) + 1, sizeof *list->run);
    for (size_t i = 0; i < json_array_size(runs) && !status; i++)
        if (!read_run(json_array_get(runs, i), json_object_get(root, "settings"), &list->run[list->count++]))
            status = skl_fail(err, SKL_DATA, "%s: run %zu of the list is incomplete", path, i + 1);
    json_decref(root);
    free(path);
    if (status) skl_run_list_release(list);
    return status;
}

void skl_run_list_release(struct skl_run_list *list)
{
    for (int i = 0; i < list->count; i++) {
        struct skl_listed_run *r = &list->run[i];
        free(r->dir);
        free(r->setting);
        free(r->variant);
        free(r->paper);
        free(r->set);
    }
    for (int i = 0; i < list->plugins; i++) free(list->plugin[i].name);
    for (int i = 0; i < list->sets; i++) free(list->data[i].set);
    free(list->data);
    free(list->plugin);
    free(list->run);
    free(list->name);
    free(list->label);
    free(list->notes);
    free(list->baseline);
    *list = (struct skl_run_list){0};
}

char *skl_run_list_settings(const char *folder, const char *setting)
{
    char *path = skl_path(folder, SKL_FILE_PLAN), *found = NULL;
    json_t *root;
    if (!skl_json_read(path, SKL_LIMIT_PLAN, SKL_LIMIT_PLAN_VALUES, &root, NULL, NULL))
        found = text_of(json_object_get(root, "settings"), setting);
    json_decref(root);
    free(path);
    return found;
}

/* ---- writing ---- */

static json_t *optional(const char *text) { return text ? json_string(text) : json_null(); }

static json_t *pack_run(const char *dir, const char *setting, const char *variant, uint64_t seed, const char *hash,
                        const char *paper, int64_t iterations, int batch)
{
    json_t *run = json_pack("{s:s, s:s, s:s, s:I, s:s, s:o, s:I, s:i}", "run", dir, "setting", setting, "variant",
                            variant, "seed", (json_int_t)seed, "hash", hash, "paper", optional(paper), "iterations",
                            (json_int_t)iterations, "batch", batch);
    SKL_CHECK(run);
    return run;
}

/* A setting's runs differ in the seed alone: the first stands for all. */
static json_t *pack_settings(const struct skl_plan *plan)
{
    json_t *settings = json_object();
    for (int i = 0; i < plan->count; i++) {
        if (json_object_get(settings, plan->run[i].setting)) continue;
        char *text = skl_plan_emit(plan, &plan->run[i]);
        json_object_set_new(settings, plan->run[i].setting, json_string(text));
        free(text);
    }
    return settings;
}

static json_t *pack_plugins(const struct skl_plan *plan)
{
    json_t *plugins = json_object();
    for (int i = 0; i < plan->count; i++) {
        const struct skl_shortcut *s = plan->run[i].exp.model.shortcut;
        const char *sha256 = skl_registry_sha256(s);
        if (*sha256 && !json_object_get(plugins, s->name)) json_object_set_new(plugins, s->name, json_string(sha256));
    }
    return plugins;
}

/* NULL: the experiment has no such section. */
static json_t *pack_figure(const struct skl_plan *plan)
{
    struct skl_figure_words words = plan->figure;
    json_t *figure = NULL;
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        const char *word = key->flags & SKL_KEY_SHOWN ? *skl_figure_word(&words, key) : NULL;
        if (!word) continue;
        if (!figure) figure = json_object();
        json_object_set_new(figure, strchr(key->path, '.') + 1, json_string(word));
    }
    return figure;
}

/* Borrows data; NULL: none. */
static char *format_list(const struct skl_plan *plan, json_t *data)
{
    json_t *runs = json_array();
    for (int i = 0; i < plan->count; i++) {
        const struct skl_plan_run *r = &plan->run[i];
        json_t *run = pack_run(r->dir, r->setting, r->exp.variant, r->exp.seed, r->exp.hash, r->paper,
                               r->exp.train.iterations, r->exp.train.batch);
        if (r->label) json_object_set_new(run, "label", json_string(r->label));
        json_array_append_new(runs, run);
    }
    json_t *root = json_pack("{s:i, s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "schema_version", SCHEMA, "name", plan->name,
                             "label", optional(plan->label), "baseline", optional(plan->baseline), "hash", plan->hash,
                             "runs", runs, "settings", pack_settings(plan), "plugins", pack_plugins(plan));
    SKL_CHECK(root);
    if (plan->notes) json_object_set_new(root, "notes", json_string(plan->notes));
    json_t *figure = pack_figure(plan);
    if (figure) json_object_set_new(root, "figure", figure);
    if (data) json_object_set(root, "data", data);
    char *text = skl_json_seal(root);
    json_decref(root);
    return text;
}

/* What would be written, if it is not there already; NULL: it is. */
static char *news(const char *path, const struct skl_plan *plan, bool keep_data)
{
    char *old = NULL;
    size_t n = 0;
    int status;
    json_t *root = read_root(path, NULL, &status, NULL);
    json_t *data = root && keep_data ? json_incref(json_object_get(root, "data")) : json_object();
    char *text = format_list(plan, data); /* none: the plan is older than this key, its runs know */
    json_decref(data);
    json_decref(root);
    bool same = !skl_file_read(path, SKL_LIMIT_PLAN, &old, &n, NULL) && n == strlen(text) && !memcmp(old, text, n);
    free(old);
    if (!same) return text;
    free(text);
    return NULL;
}

bool skl_run_list_is(const char *folder, const struct skl_plan *plan)
{
    char *path = skl_path(folder, SKL_FILE_PLAN), *text = news(path, plan, true);
    bool same = !text;
    free(text);
    free(path);
    return same;
}

int skl_run_list_write(const char *folder, int desk, const struct skl_plan *plan, bool keep_data, struct skl_err *err)
{
    char *path = skl_path(folder, SKL_FILE_PLAN), *text = news(path, plan, keep_data);
    int status = text ? skl_file_write_at(desk, path, text, strlen(text), err) : SKL_OK;
    free(text);
    free(path);
    return status;
}

int skl_run_list_add_data(const char *folder, int desk, const char *set, const char *fingerprint, struct skl_err *err)
{
    char *path = skl_path(folder, SKL_FILE_PLAN);
    int status;
    json_t *root = read_root(path, NULL, &status, err);
    if (root) {
        if (!json_is_object(json_object_get(root, "data"))) json_object_set_new(root, "data", json_object());
        json_object_set_new(json_object_get(root, "data"), set, json_stringn(fingerprint, strnlen(fingerprint, 16)));
        char *text = skl_json_seal(root);
        status = skl_file_write_at(desk, path, text, strlen(text), err);
        free(text);
        json_decref(root);
    }
    free(path);
    return status;
}
