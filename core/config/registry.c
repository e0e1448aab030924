#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/config/plugin.h"
#include "core/config/registry.h"

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
static const struct skl_shortcut *plugin[MAX_PLUGINS];
static char plugin_sha256[MAX_PLUGINS][65];
static int plugins;
static char *asked[MAX_PLUGINS + 1];

int skl_registry_count(void) { return BUILTINS + plugins; }

const struct skl_shortcut *skl_registry_get(int i) { return i < BUILTINS ? builtin[i] : plugin[i - BUILTINS]; }

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

void skl_shortcut_defaults(const struct skl_shortcut *s, void *opts)
{
    memset(opts, 0, SKL_OPTS_MAX);
    for (const struct skl_param *p = s->params; p && p->name; p++) {
        void *field = (char *)opts + p->offset;
        if (p->type == SKL_BOOL)
            *(bool *)field = p->def != 0;
        else if (p->type == SKL_REAL)
            *(double *)field = p->def;
        else
            *(int *)field = (int)p->def;
    }
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
    snprintf(plugin_sha256[plugins], sizeof plugin_sha256[0], "%s", sha256);
    plugin[plugins++] = s;
    return SKL_OK;
}

int skl_registry_load_one(const char *path, const struct skl_shortcut **shortcut, struct skl_err *err)
{
    char sha256[65];
    int status = skl_plugin_open(path, shortcut, sha256, err);
    if (status) return status;
    char *origin = skl_format("plug-in '%s'", path);
    status = skl_registry_add(*shortcut, origin, sha256, err);
    free(origin);
    return status;
}

int skl_registry_load(const char *path, struct skl_err *err)
{
    const struct skl_shortcut *shortcut;
    return skl_registry_load_one(path, &shortcut, err);
}

int skl_registry_ask(const char *path, struct skl_err *err)
{
    char *absolute = realpath(path, NULL);
    int at = 0, status = absolute ? skl_registry_load(absolute, err)
                                  : skl_fail(err, SKL_USAGE, "cannot find the plug-in '%s'", path);
    while (asked[at] && absolute && strcmp(asked[at], absolute)) at++;
    if (status || asked[at])
        free(absolute);
    else
        asked[at] = absolute;
    return status;
}

const char *skl_registry_asked(int i) { return asked[i]; }

const char *skl_registry_sha256(const struct skl_shortcut *s)
{
    for (int i = 0; i < plugins; i++)
        if (plugin[i] == s) return plugin_sha256[i];
    return "";
}

/* What a variant's check() calls, built in or not. */
int skl_refuse(struct skl_err *err, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return skl_fail(err, SKL_USAGE, "%s", text);
}

/* ---- the table checks itself ---- */

static bool is_word(const char *s)
{
    return s && *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

static size_t field_size(const struct skl_param *p)
{
    return p->type == SKL_BOOL ? sizeof(bool) : p->type == SKL_REAL ? sizeof(double) : sizeof(int);
}

static const char *unsound_param(const struct skl_shortcut *s, const struct skl_param *p)
{
    static char text[160];
    const char *why = NULL;
    if (!is_word(p->name)) return "an option's name has characters other than a-z, 0-9 and _";
    if (!p->help || !*p->help) why = "has no help";
    if (strcmp(p->name, "type") == 0) why = "cannot be called type";
    if (!(p->min <= p->max) || !(p->def >= p->min && p->def <= p->max)) why = "has a default outside its range";
    if (!isfinite(p->min) || !isfinite(p->max)) why = "has no finite range";
    if (p->offset + field_size(p) > s->opts_size) why = "lies outside the options struct";
    if (p->type == SKL_CHOICE && (!p->choices || !p->choices[0])) why = "has no choices";
    for (const struct skl_param *q = s->params; q < p; q++)
        if (strcmp(p->name, q->name) == 0) why = "is there twice";
    if (!why) return NULL;
    snprintf(text, sizeof text, "option '%.60s' %s", p->name, why);
    return text;
}

const char *skl_shortcut_unsound(const struct skl_shortcut *s)
{
    if (s->abi != SKL_SHORTCUT_ABI || s->size != sizeof *s) return "built for another interface";
    if (!is_word(s->name)) return "the name has characters other than a-z, 0-9 and _";
    if (!s->summary || !*s->summary || !s->formula || !*s->formula || !s->source || !*s->source)
        return "summary, formula and source must be given";
    if (!s->on_shortcut || !*s->on_shortcut || !s->on_residual || !*s->on_residual)
        return "on_shortcut and on_residual must be given";
    if (!s->affine == !(s->forward && s->backward))
        return "exactly one of affine and forward with backward must be given";
    if (!s->forward != !s->backward) return "forward and backward go together";
    if (s->affine_grad && !s->affine) return "affine_grad without affine";
    if (s->flags & ~(uint32_t)(SKL_MIXES_IMAGES | SKL_SURROGATE_GRAD | SKL_PER_PIXEL)) return "unknown flags";
    if ((s->flags & SKL_MIXES_IMAGES) && (s->flags & SKL_PER_PIXEL))
        return "SKL_MIXES_IMAGES and SKL_PER_PIXEL do not go together";
    if ((s->flags & SKL_PER_PIXEL) && s->affine) return "SKL_PER_PIXEL without forward and backward";
    if (s->opts_size > SKL_OPTS_MAX) return "the options struct is too large";
    for (const struct skl_param *p = s->params; p && p->name; p++) {
        const char *why = unsound_param(s, p);
        if (why) return why;
    }
    return NULL;
}
