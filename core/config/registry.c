#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/config/plugin.h"
#include "core/config/registry.h"
#include "core/variant/descriptor.h"

#define SKL_BUILTIN_ITEM(id) extern const struct skl_shortcut skl_shortcut_##id;
#include "shortcut_list.h"
#undef SKL_BUILTIN_ITEM

static const struct skl_shortcut *const builtin[] = {
#define SKL_BUILTIN_ITEM(id) &skl_shortcut_##id,
#include "shortcut_list.h"
#undef SKL_BUILTIN_ITEM
    NULL,
};

enum { BUILTINS = sizeof builtin / sizeof *builtin - 1, MAX_PLUGINS = 64 };
static struct {
    const struct skl_shortcut *shortcut;
    char sha256[65], *path; /* path: absolute; NULL: it was in memory already */
} plugin[MAX_PLUGINS];
static int plugins;

int skl_registry_count(void) { return BUILTINS + plugins; }

const struct skl_shortcut *skl_registry_get(int i) { return i < BUILTINS ? builtin[i] : plugin[i - BUILTINS].shortcut; }

const struct skl_shortcut *skl_registry_find(const char *name)
{
    for (int i = 0; i < skl_registry_count(); i++)
        if (strcmp(skl_registry_get(i)->name, name) == 0) return skl_registry_get(i);
    return NULL;
}

const char *const *skl_registry_names(void)
{
    static const char *names[BUILTINS + MAX_PLUGINS + 1];
    int n = skl_registry_count();
    for (int i = 0; i < n; i++) names[i] = skl_registry_get(i)->name;
    names[n] = NULL;
    return names;
}

const char **skl_registry_options(void)
{
    size_t count = 0;
    for (int i = 0; i < skl_registry_count(); i++)
        for (const struct skl_param *p = skl_registry_get(i)->params; p && p->name; p++) count++;
    const char **names = skl_alloc_array(count + 1, sizeof *names);
    count = 0;
    for (int i = 0; i < skl_registry_count(); i++)
        for (const struct skl_param *p = skl_registry_get(i)->params; p && p->name; p++) names[count++] = p->name;
    return names;
}

/* ---- plug-ins ---- */

int skl_registry_add(const struct skl_shortcut *s, const char *origin, const char *sha256, struct skl_err *err)
{
    const char *why = skl_shortcut_unsound(s);
    if (why) return skl_fail(err, SKL_USAGE, "%s: %s", origin, why);
    const struct skl_shortcut *other = skl_registry_find(s->name);
    if (other == s) return SKL_OK;
    if (other) return skl_fail(err, SKL_USAGE, "%s: a shortcut named '%s' is there already", origin, s->name);
    if (plugins == MAX_PLUGINS) return skl_fail(err, SKL_USAGE, "more than %d plug-ins", MAX_PLUGINS);
    snprintf(plugin[plugins].sha256, sizeof plugin[0].sha256, "%s", sha256);
    plugin[plugins++].shortcut = s;
    return SKL_OK;
}

/* The copy becomes an entry of its own, with the place it came from. */
static int add_copy(struct skl_plugin_copy *copy, const char *path, const struct skl_shortcut **shortcut,
                    struct skl_err *err)
{
    char sha256[65], *origin = skl_format("plug-in '%s'", path);
    memcpy(sha256, copy->sha256, sizeof sha256);
    int before = plugins, status = skl_plugin_load(copy, path, shortcut, err);
    if (!status) status = skl_registry_add(*shortcut, origin, sha256, err);
    if (!status && plugins > before) plugin[before].path = realpath(path, NULL);
    free(origin);
    return status;
}

int skl_registry_load_one(const char *path, const struct skl_shortcut **shortcut, struct skl_err *err)
{
    struct skl_plugin_copy copy;
    int status = skl_plugin_copy(path, &copy, err);
    if (status) return status;
    for (int i = 0; i < plugins; i++) {
        if (strcmp(plugin[i].sha256, copy.sha256)) continue;
        *shortcut = plugin[i].shortcut;
        skl_plugin_drop(&copy);
        return SKL_OK;
    }
    return add_copy(&copy, path, shortcut, err);
}

int skl_registry_load(const char *path, struct skl_err *err)
{
    const struct skl_shortcut *shortcut;
    return skl_registry_load_one(path, &shortcut, err);
}

int skl_registry_ask(const char *path, struct skl_err *err)
{
    char *absolute = realpath(path, NULL);
    int status =
        absolute ? skl_registry_load(absolute, err) : skl_fail(err, SKL_USAGE, "cannot find the plug-in '%s'", path);
    free(absolute);
    return status;
}

static int find_plugin(const struct skl_shortcut *s)
{
    for (int i = 0; i < plugins; i++)
        if (plugin[i].shortcut == s) return i;
    return -1;
}

const char *skl_registry_sha256(const struct skl_shortcut *s)
{
    int i = find_plugin(s);
    return i < 0 ? "" : plugin[i].sha256;
}

const char *skl_registry_path(const struct skl_shortcut *s)
{
    int i = find_plugin(s);
    return i < 0 ? NULL : plugin[i].path;
}
