#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/config/forms.h"
#include "core/base/grow.h"
#include "core/config/keys.h"
#include "core/config/pictures.h"
#include "core/config/model.h"
#include "core/config/registry.h"
#include "core/config/tree.h"
#include "core/config/tryout.h"
#include "core/variant/descriptor.h"

enum { MAX_PAPERS = 64 }; /* each run keeps a copy */

/* ---- model.shortcut ---- */

int skl_check_shortcut_type(const struct skl_ynode *type, const struct skl_shortcut **found, struct skl_err *err)
{
    if (type->kind != SKL_YSCALAR)
        return skl_tree_fail(type, true, err, "model.shortcut.type must be a shortcut's name");
    *found = skl_registry_find(type->text);
    if (*found) return SKL_OK;
    const char *near = skl_nearest(type->text, skl_registry_names());
    if (near) return skl_tree_fail(type, true, err, "unknown shortcut '%.80s' (did you mean '%s'?)", type->text, near);
    char *all = skl_join_words(skl_registry_names());
    skl_tree_fail(type, true, err, "unknown shortcut '%.80s'; there are: %s", type->text, all);
    free(all);
    return SKL_USAGE;
}

static int foreign_option(const struct skl_ynode *node, const struct skl_shortcut *s, struct skl_err *err)
{
    if (!s->params || !s->params->name)
        return skl_tree_fail(node, false, err, "shortcut '%s' has no option '%.80s'; it has none", s->name, node->key);
    const char *names[64] = {"type"};
    char *all = skl_strdup("");
    int n = 1;
    for (const struct skl_param *p = s->params; p->name; p++) {
        if (n < 63) names[n++] = p->name;
        all = skl_append(all, "%s%s", *all ? ", " : "", p->name);
    }
    const char *near = skl_nearest(node->key, names);
    skl_tree_fail(node, false, err, "shortcut '%s' has no option '%.80s'%s%s%s; it has: %s", s->name, node->key,
                  near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "", all);
    free(all);
    return SKL_USAGE;
}

static int read_option(const struct skl_ynode *node, const struct skl_shortcut *s, void *opts, struct skl_err *err)
{
    for (const struct skl_param *p = s->params; p && p->name; p++) {
        if (strcmp(p->name, node->key) != 0) continue;
        struct skl_key key = skl_key_of_param(p);
        char *name = skl_format("model.shortcut.%s", p->name);
        int status = skl_key_read(&key, name, node, opts, err);
        free(name);
        return status;
    }
    return foreign_option(node, s, err);
}

/* A plug-in's own code runs in a child first. */
static int check_options(const struct skl_shortcut *s, const void *opts, struct skl_err *why)
{
    if (*skl_registry_sha256(s)) return skl_tryout_options(s, opts, why);
    return s->check && s->check(opts, why) ? SKL_USAGE : SKL_OK;
}

static const struct skl_param *find_option(const struct skl_shortcut *s, const char *name)
{
    for (const struct skl_param *p = s->params; p && p->name; p++)
        if (!strcmp(p->name, name)) return p;
    return NULL;
}

static int no_such_option(const struct skl_ynode *node, const char *name, const char *type, struct skl_err *err)
{
    if (type) return skl_tree_fail(node, false, err, "shortcut '%.80s' has no option '%.80s'", type, name);
    const char **names = skl_registry_options(), *near = skl_nearest(name, names);
    free(names);
    return skl_tree_fail(node, false, err, "no shortcut has an option '%.80s'%s%s%s", name,
                         near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

int skl_check_option(const struct skl_ynode *node, const char *name, const char *type, struct skl_err *err)
{
    _Alignas(16) char scratch[SKL_OPTS_MAX];
    int status = SKL_USAGE;
    bool found = false;
    for (int i = 0; i < skl_registry_count() && status; i++) {
        const struct skl_shortcut *s = skl_registry_get(i);
        const struct skl_param *p = type && strcmp(s->name, type) ? NULL : find_option(s, name);
        if (!p) continue;
        struct skl_key key = skl_key_of_param(p);
        found = true;
        status = skl_key_read(&key, name, node, scratch, err);
    }
    return found ? status : no_such_option(node, name, type, err);
}

char *skl_default_option(const struct skl_ynode *type, const char *name)
{
    const struct skl_shortcut *s = skl_registry_find(type ? type->text : "identity");
    const struct skl_param *p = s ? find_option(s, name) : NULL;
    if (!p) return NULL;
    struct skl_key key = skl_key_of_param(p);
    return skl_key_default(&key);
}

int skl_read_shortcut(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    if (node->kind != SKL_YMAP)
        return skl_tree_fail(node, true, err, "model.shortcut must be a mapping like {type: identity}");
    const struct skl_ynode *type = skl_yaml_get(node, "type");
    int status = type ? skl_check_shortcut_type(type, &exp->model.shortcut, err) : SKL_OK;
    if (status) return status;
    const struct skl_shortcut *s = exp->model.shortcut;
    skl_shortcut_defaults(s, exp->model.shortcut_opts);
    for (const struct skl_ynode *c = node->child; c; c = c->next) {
        if (c == type) continue;
        status = read_option(c, s, exp->model.shortcut_opts, err);
        if (status) return status;
    }
    struct skl_err why = {0};
    status = check_options(s, exp->model.shortcut_opts, &why);
    return status ? skl_tree_fail(node, false, err, "%s", why.text) : SKL_OK;
}

char *skl_write_shortcut(const struct skl_experiment *exp, bool exact)
{
    const struct skl_shortcut *s = exp->model.shortcut;
    char *text = skl_format("{type: %s", s->name);
    for (const struct skl_param *p = s->params; p && p->name; p++) {
        struct skl_key key = skl_key_of_param(p);
        char *value = skl_key_write(&key, exp->model.shortcut_opts, exact);
        text = skl_append(text, ", %s: %s", p->name, value);
        free(value);
    }
    return skl_append(text, "}");
}

/* ---- model.shortcut_at ---- */

int skl_read_shortcut_at(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    struct skl_model_config *m = &exp->model;
    m->shortcut_same_shape = node->kind == SKL_YSCALAR && strcmp(node->text, "same_shape") == 0;
    if (m->shortcut_same_shape || (node->kind == SKL_YSCALAR && strcmp(node->text, "all") == 0)) return SKL_OK;
    int convs;
    long long from = 0, to = 0, units = skl_model_units(m, &convs);
    if (node->kind != SKL_YLIST || skl_tree_count(node) != 2 || skl_yaml_int(node->child, &from) ||
        skl_yaml_int(node->child->next, &to))
        return skl_tree_fail(node, true, err, "model.shortcut_at must be all, same_shape, or [from, to]");
    if (from < 0 || to < from || to >= units)
        return skl_tree_fail(node, true, err,
                             "model.shortcut_at [%lld, %lld] must lie in [0, %lld], the units of depth %d", from, to,
                             units - 1, m->depth);
    m->shortcut_from = (int)from;
    m->shortcut_to = (int)to;
    return SKL_OK;
}

char *skl_write_shortcut_at(const struct skl_experiment *exp, bool exact)
{
    const struct skl_model_config *m = &exp->model;
    if (m->shortcut_same_shape) return skl_strdup("same_shape");
    if (m->shortcut_to == INT_MAX) return skl_strdup("all");
    return skl_format("[%d, %d]", m->shortcut_from, m->shortcut_to);
}

/* ---- data.size ---- */

static int read_folder_size(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    long long size = 0;
    if (node->kind != SKL_YSCALAR || skl_yaml_int(node, &size) || size < 16 || size > 1024)
        return skl_tree_fail(node, true, err, "data.size must be a whole number from 16 to 1024");
    exp->data.size = (int)size;
    return SKL_OK;
}

/* Sets of 28x28 pixels are padded to 32.  A synthetic set has the size it is given; here it may be halved. */
int skl_read_size(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    if (skl_is_folder(&exp->data)) return read_folder_size(node, exp, err);
    bool synthetic = strcmp(exp->data.dataset, "synthetic") == 0;
    int own = synthetic ? exp->data.synthetic.size : 32;
    long long size = 0;
    if (node->kind != SKL_YSCALAR || skl_yaml_int(node, &size) || (size != own && size * 2 != own))
        return skl_tree_fail(node, true, err, "data.size must be %d or %d%s", own, own / 2,
                             synthetic ? ", the size of the synthetic images or half of it" : "");
    exp->data.size = synthetic && size == own ? 0 : (int)size;
    return SKL_OK;
}

char *skl_write_size(const struct skl_experiment *exp, bool exact)
{
    return exp->data.size ? skl_format("%d", exp->data.size) : NULL;
}

/* ---- train.lr_drops.at ---- */

/* "50%" of the iterations, rounded to the nearest. */
static int read_drop(const struct skl_ynode *node, int64_t iterations, int64_t *at)
{
    long long whole = 0;
    if (node->kind != SKL_YSCALAR) return 1;
    if (skl_yaml_int(node, &whole) == 0 && whole >= 0 && whole <= 1000000000) {
        *at = whole;
        return 0;
    }
    size_t n = strlen(node->text);
    if (n < 2 || n > 32 || node->text[n - 1] != '%') return 1;
    char digits[40];
    memcpy(digits, node->text, n - 1);
    digits[n - 1] = 0;
    struct skl_ynode number = {.kind = SKL_YSCALAR, .text = digits};
    double percent = 0;
    if (skl_yaml_real(&number, &percent) || !(percent >= 0 && percent <= 100)) return 1;
    *at = llround(percent / 100 * (double)iterations);
    return 0;
}

int skl_read_drops(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    int64_t *at = exp->train.lr_drops.at;
    int count = 0;
    const struct skl_ynode *item = node->kind == SKL_YSCALAR ? node : node->child;
    if (node->kind == SKL_YMAP) return skl_tree_fail(node, true, err, "train.lr_drops.at must be a list of iterations");
    for (; item; item = item == node ? NULL : item->next) {
        if (count == SKL_MAX_DROPS)
            return skl_tree_fail(item, true, err, "train.lr_drops.at has more than %d drops", SKL_MAX_DROPS);
        if (read_drop(item, exp->train.iterations, &at[count]))
            return skl_tree_fail(item, true, err, "a drop must be an iteration or a percentage like 50%%, not '%.80s'",
                                 item->kind == SKL_YSCALAR ? item->text : "a list or mapping");
        if (count && at[count] < at[count - 1])
            return skl_tree_fail(item, true, err, "train.lr_drops.at must ascend: %lld comes after %lld",
                                 (long long)at[count], (long long)at[count - 1]);
        count++;
    }
    exp->train.lr_drops.count = count;
    return SKL_OK;
}

char *skl_write_drops(const struct skl_experiment *exp, bool exact)
{
    char *text = skl_strdup("[");
    for (int i = 0; i < exp->train.lr_drops.count; i++)
        text = skl_append(text, "%s%lld", i ? ", " : "", (long long)exp->train.lr_drops.at[i]);
    return skl_append(text, "]");
}

/* ---- paper ---- */

int skl_read_paper(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    if (node->kind != SKL_YMAP)
        return skl_tree_fail(node, true, err, "paper must be a mapping like {test_error: 6.61}");
    if (skl_tree_count(node) > MAX_PAPERS)
        return skl_tree_fail(node, true, err, "paper has more than %d figures", MAX_PAPERS);
    static const char *const read[] = {"test_error", NULL}; /* by reports; other words are for people */
    for (const struct skl_ynode *c = node->child; c; c = c->next) {
        if (c->kind != SKL_YSCALAR) return skl_tree_fail(c, true, err, "paper.%.80s must be text or a number", c->key);
        const char *near = strlen(c->key) > 7 && strcmp(c->key, read[0]) ? skl_nearest(c->key, read) : NULL;
        if (near) return skl_tree_fail(c, false, err, "paper.%.80s: did you mean '%s'?", c->key, near);
    }
    return SKL_OK;
}
