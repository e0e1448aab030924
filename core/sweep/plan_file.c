/* plan_file.c - the list of a sweep's runs, beside their results. */
#include "core/sweep/plan_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/bounds.h"
#include "core/config/registry.h"

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

static bool read_run(const json_t *item, struct skl_listed_run *r)
{
    const char *hash = json_string_value(json_object_get(item, "hash"));
    r->dir = text_of(item, "run");
    r->setting = text_of(item, "setting");
    r->variant = text_of(item, "variant");
    r->paper = text_of(item, "paper");
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

const char *skl_run_list_plugin(const struct skl_run_list *list, const char *name)
{
    for (int i = 0; i < list->plugins; i++)
        if (!strcmp(list->plugin[i].name, name)) return list->plugin[i].sha256;
    return NULL;
}

int skl_run_list_read(const char *folder, struct skl_run_list *list, struct skl_err *err)
{
    *list = (struct skl_run_list){0};
    char *path = skl_path(folder, "plan.json");
    json_t *root;
    int status = skl_json_read(path, SKL_LIMIT_PLAN, SKL_LIMIT_PLAN_VALUES, &root, &list->seal, err);
    const json_t *runs = json_object_get(root, "runs");
    if (!status && (!json_is_array(runs) || json_integer_value(json_object_get(root, "schema_version")) != SCHEMA))
        status = skl_fail(err, SKL_DATA, "%s: not the list of a sweep's runs, or one of another version", path);
    if (!status && json_array_size(runs) > SKL_PLAN_MAX_RUNS)
        status = skl_fail(err, SKL_DATA, "%s: it lists %zu runs, a plan has at most %d", path, json_array_size(runs),
                          SKL_PLAN_MAX_RUNS);
    list->name = text_of(root, "name");
    list->label = text_of(root, "label");
    list->baseline = text_of(root, "baseline");
    read_plugins(json_object_get(root, "plugins"), list);
    list->run = skl_alloc_array(json_array_size(runs) + 1, sizeof *list->run);
    for (size_t i = 0; i < json_array_size(runs) && !status; i++)
        if (!read_run(json_array_get(runs, i), &list->run[list->count++]))
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
    }
    for (int i = 0; i < list->plugins; i++) free(list->plugin[i].name);
    free(list->plugin);
    free(list->run);
    free(list->name);
    free(list->label);
    free(list->baseline);
    *list = (struct skl_run_list){0};
}

char *skl_run_list_settings(const char *folder, const char *setting)
{
    char *path = skl_path(folder, "plan.json"), *found = NULL;
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

static char *format_list(const struct skl_plan *plan)
{
    json_t *runs = json_array();
    for (int i = 0; i < plan->count; i++) {
        const struct skl_plan_run *r = &plan->run[i];
        json_array_append_new(runs, pack_run(r->dir, r->setting, r->exp.variant, r->exp.seed, r->exp.hash, r->paper,
                                             r->exp.train.iterations, r->exp.train.batch));
    }
    json_t *root = json_pack("{s:i, s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "schema_version", SCHEMA, "name", plan->name,
                             "label", optional(plan->label), "baseline", optional(plan->baseline), "hash", plan->hash,
                             "runs", runs, "settings", pack_settings(plan), "plugins", pack_plugins(plan));
    SKL_CHECK(root);
    char *text = skl_json_seal(root);
    json_decref(root);
    return text;
}

int skl_run_list_write(const char *folder, const struct skl_plan *plan, struct skl_err *err)
{
    char *path = skl_path(folder, "plan.json"), *text = format_list(plan), *old = NULL;
    size_t n = 0;
    bool same =
        skl_file_read(path, SKL_LIMIT_PLAN, &old, &n, NULL) == SKL_OK && n == strlen(text) && !memcmp(old, text, n);
    int status = same ? SKL_OK : skl_file_write(path, text, strlen(text), err);
    free(old);
    free(text);
    free(path);
    return status;
}
