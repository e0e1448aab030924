#include <stdlib.h>
#include <string.h>
#include "core/base/fs.h"
#include "core/config/experiment.h"
#include "core/config/keys.h"
#include "core/config/layers.h"
#include "core/config/paths.h"
#include "core/config/registry.h"
#include "core/config/tree.h"

enum { MAX_INCLUDES = 8 };

static void append(char ***list, int *count, char *text)
{
    char **grown = skl_alloc_array((size_t)*count + 1, sizeof *grown);
    if (*count) memcpy(grown, *list, (size_t)*count * sizeof *grown);
    free(*list);
    *list = grown;
    grown[(*count)++] = text;
}

/* Keeps a text for as long as the layers live. */
static const char *keep(struct skl_layers *l, char *text)
{
    append(&l->text, &l->text_count, text);
    return text;
}

bool skl_is_plan_key(const char *path)
{
    size_t n = strcspn(path, ".");
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        if (strncmp(key->path, path, n) == 0 && (key->path[n] == 0 || key->path[n] == '.'))
            return key->flags & SKL_KEY_PLAN;
    }
    return false;
}

/* ---- include ---- */

struct chain {
    const char *path;
    const struct chain *up;
    bool closed; /* it, or one that includes it, may not ask for plug-ins */
};               /* the files being read, innermost first */

static int chain_fails(const struct chain *chain, const char *path, const struct skl_ynode *node, struct skl_err *err)
{
    int depth = 0;
    char *real = realpath(path, NULL);
    if (!real) return skl_tree_fail(node, true, err, "cannot find the included file '%s'", path);
    int status = SKL_OK;
    for (; chain && !status; chain = chain->up, depth++) {
        char *other = realpath(chain->path, NULL);
        if (other && strcmp(other, real) == 0) status = skl_tree_fail(node, true, err, "'%s' includes itself", path);
        free(other);
    }
    free(real);
    if (!status && depth > MAX_INCLUDES)
        status = skl_tree_fail(node, true, err, "includes go deeper than %d files", MAX_INCLUDES);
    return status;
}

static int read_file(struct skl_layers *l, const char *path, const struct chain *up, struct skl_ynode *tree,
                     struct skl_err *err);

static int read_include(struct skl_layers *l, const struct skl_ynode *node, const struct chain *chain,
                        struct skl_ynode *tree, struct skl_err *err)
{
    if (node->kind != SKL_YSCALAR || !*node->text)
        return skl_tree_fail(node, true, err, "include must be the path of one file");
    const char *path = keep(l, skl_path_beside(chain->path, node->text));
    int status = chain_fails(chain, path, node, err);
    return status ? status : read_file(l, path, chain, tree, err);
}

/* ---- plug-ins ---- */

/* {name: N, sha256: S}, as a run's config.yaml has it: one of this name and build must have been given. */
static int check_given(struct skl_layers *l, const struct skl_ynode *node, struct skl_err *err)
{
    const struct skl_ynode *name = skl_yaml_get(node, "name"), *sha256 = skl_yaml_get(node, "sha256");
    if (!name || !sha256 || name->kind != SKL_YSCALAR || sha256->kind != SKL_YSCALAR || skl_tree_count(node) != 2)
        return skl_tree_fail(node, true, err, "a plug-in must be a path, or {name: NAME, sha256: DIGEST}");
    const struct skl_shortcut *s = skl_registry_find(name->text);
    const char *here = s ? skl_registry_sha256(s) : "";
    if (*here && (l->trust == SKL_ANY_BUILD || !strcmp(here, sha256->text))) return SKL_OK;
    l->lacking = true;
    if (*here)
        return skl_tree_fail(node, true, err,
                             "the plug-in '%.80s' given has SHA-256 %s, here the build %.64s is asked for", name->text,
                             here, sha256->text);
    return skl_tree_fail(node, true, err, "it needs the plug-in '%.80s': give it with --plugin FILE (SHA-256 %.64s)",
                         name->text, sha256->text);
}

static int load_plugin(struct skl_layers *l, const struct skl_ynode *node, const struct chain *chain,
                       struct skl_err *err)
{
    if (node->kind == SKL_YMAP) return check_given(l, node, err);
    if (node->kind != SKL_YSCALAR || !*node->text) return skl_tree_fail(node, true, err, "a plug-in must be a path");
    if (chain->closed) {
        if (!l->withheld) l->withheld = skl_strdup(node->text);
        return SKL_OK;
    }
    char *path = skl_path_beside(chain->path, node->text), *absolute = realpath(path, NULL);
    int status = absolute ? SKL_OK : skl_tree_fail(node, true, err, "cannot find the plug-in '%s'", path);
    free(path);
    if (!status && skl_registry_load(absolute, err)) {
        struct skl_err why = *err;
        status = skl_tree_fail(node, true, err, "%s", why.text);
    }
    free(absolute);
    return status;
}

static int load_plugins(struct skl_layers *l, const struct skl_ynode *file, const struct chain *chain,
                        struct skl_err *err)
{
    const struct skl_ynode *list = skl_yaml_get(file, "plugins");
    if (!list) return SKL_OK;
    if (list->kind != SKL_YLIST) return skl_tree_fail(list, true, err, "plugins must be a list of paths");
    int status = SKL_OK;
    for (const struct skl_ynode *c = list->child; c && !status; c = c->next) status = load_plugin(l, c, chain, err);
    return status;
}

/* ---- one file ---- */

int skl_check_layer(const struct skl_ynode *layer, struct skl_err *err)
{
    struct skl_ynode *alone = skl_tree_new();
    int status = skl_tree_merge(alone, layer, err);
    if (!status) status = skl_experiment_check_keys(alone, err);
    skl_yaml_free(alone);
    return status;
}

/* Results in an experiment file's place: what stands in that folder instead.  SKL_OK: it is none of ours. */
static int look_for_results(const char *path, struct skl_err *err)
{
    char *config = skl_path(path, "config.yaml"), *plan = skl_path(path, "plan.json");
    struct skl_seen seen;
    int status = SKL_OK;
    if (!skl_look(config, &seen, NULL) && seen.kind == SKL_FILE)
        status = skl_fail(err, SKL_USAGE, "'%s' is a run's folder; its experiment file is %s", path, config);
    else if (!skl_look(plan, &seen, NULL) && seen.kind == SKL_FILE)
        status =
            skl_fail(err, SKL_USAGE, "'%s' is a sweep's folder; give the experiment file that it was made from", path);
    free(config);
    free(plan);
    return status;
}

/* Lays the file, after what it includes, over the tree. */
static int read_file(struct skl_layers *l, const char *path, const struct chain *up, struct skl_ynode *tree,
                     struct skl_err *err)
{
    const bool closed = up ? up->closed : l->trust != SKL_NAMED;
    const struct chain chain = {path, up, closed || skl_stands_among_results(path)};
    struct skl_ynode *file = NULL;
    int status = up || l->given ? SKL_OK : look_for_results(path, err);
    if (status) return status;
    status = !up && l->given ? skl_yaml_parse(path, l->given, strlen(l->given), &file, err)
                             : skl_yaml_read(path, &file, err);
    if (status) return status;
    if (file->kind != SKL_YMAP)
        status = skl_tree_fail(file, true, err, "an experiment file is a mapping, like model: {depth: 20}");
    const struct skl_ynode *include = skl_yaml_get(file, "include");
    if (!status && include) status = read_include(l, include, &chain, tree, err);
    if (!status) status = load_plugins(l, file, &chain, err);
    if (!status) {
        skl_tree_remove(file, "include");
        status = skl_check_layer(file, err);
    }
    if (!status) status = skl_tree_merge(tree, file, err);
    skl_yaml_free(file);
    return status;
}

/* ---- overrides ---- */

/* A shell takes "key={a: b}" apart at the blank, and the value's own quotes away. */
static int not_understood(const char *text, const char *equals, struct skl_err *err)
{
    struct skl_err why = *err;
    const bool cut = strpbrk(equals, "[{") && !strpbrk(equals, "]}");
    return skl_fail(err, why.status,
                    cut ? "%s; give the shell the whole word in quotes: '%.*s={...}'"
                        : "%s; if it is text it wants quotes of its own: '%.*s=\"...\"'",
                    why.text, (int)(equals - text), text);
}

/* "a.b=value" as a mapping of one dotted key. */
static int parse_override(struct skl_layers *l, const char *text, struct skl_ynode **layer, struct skl_err *err)
{
    const char *name = keep(l, skl_format("override '%s'", text)), *equals = strchr(text, '=');
    if (!equals || equals == text) return skl_fail(err, SKL_USAGE, "%s: write it as key=value", name);
    struct skl_ynode *value = NULL;
    if (equals[1]) {
        int status = skl_yaml_parse(name, equals + 1, strlen(equals + 1), &value, err);
        if (status) return not_understood(text, equals, err);
    } else {
        value = skl_alloc(sizeof *value);
        value->kind = SKL_YSCALAR;
        value->text = skl_strdup("");
    }
    free(value->key);
    value->key = skl_format("%.*s", (int)(equals - text), text);
    *layer = skl_tree_new();
    (*layer)->child = value;
    skl_tree_mark_override(*layer, name);
    if (strcmp(value->key, "include") == 0 || strcmp(value->key, "plugins") == 0)
        return skl_tree_fail(value, false, err, "'%s' cannot be set on the command line", value->key);
    return SKL_OK;
}

static int read_overrides(struct skl_layers *l, char *const *overrides, int count, struct skl_err *err)
{
    l->override = skl_alloc_array((size_t)count + 1, sizeof *l->override);
    for (int i = 0; i < count; i++) {
        struct skl_ynode *layer = NULL;
        int status = parse_override(l, overrides[i], &layer, err);
        if (layer) l->override[l->override_count++] = layer;
        if (status) return status;
        if (!skl_is_plan_key(layer->child->key)) continue;
        status = skl_tree_merge(l->root, layer, err);
        if (status) return status;
        skl_yaml_free(l->override[--l->override_count]);
    }
    return SKL_OK;
}

/* path is key or lies below it. */
static bool covers(const char *key, const char *path)
{
    size_t n = strlen(key);
    return strncmp(path, key, n) == 0 && (path[n] == 0 || path[n] == '.');
}

bool skl_layers_overridden(const struct skl_layers *l, const char *path)
{
    for (int i = 0; i < l->override_count; i++) {
        const struct skl_ynode *set = l->override[i]->child;
        if (!covers(set->key, path)) continue;
        if (!skl_tree_is_section(set)) return true;
        if (strcmp(set->key, path) == 0) continue;
        const char *below = path + strlen(set->key) + 1; /* "train={lr: 1}" sets train.lr */
        for (const struct skl_ynode *c = set->child; c; c = c->next)
            if (covers(c->key, below)) return true;
    }
    return false;
}

/* ---- all together ---- */

static int lay(struct skl_layers *l, const char *path, char *const *overrides, int count, struct skl_err *err)
{
    int status = path ? read_file(l, keep(l, skl_strdup(path)), NULL, l->root, err) : SKL_OK;
    if (!status) status = read_overrides(l, overrides, count, err);
    if (!status) status = skl_experiment_check_keys(l->root, err);
    if (status) return status;
    for (const struct skl_ynode *c = l->root->child; c && !status; c = c->next)
        if (!skl_is_plan_key(c->key)) status = skl_tree_set(l->run, c->key, c, c, err);
    return status;
}

int skl_layers_read(const char *path, const char *text, enum skl_trust trust, char *const *overrides, int count,
                    struct skl_layers *l, struct skl_err *err)
{
    *l = (struct skl_layers){.root = skl_tree_new(), .run = skl_tree_new(), .trust = trust, .given = text};
    l->root->file = l->run->file = keep(l, skl_strdup(path ? path : "defaults"));
    l->root->line = l->root->column = l->root->value_line = l->root->value_column = 1;
    return lay(l, path, overrides, count, err);
}

void skl_layers_release(struct skl_layers *l)
{
    skl_yaml_free(l->root);
    skl_yaml_free(l->run);
    for (int i = 0; i < l->override_count; i++) skl_yaml_free(l->override[i]);
    for (int i = 0; i < l->text_count; i++) free(l->text[i]);
    free(l->withheld);
    free(l->override);
    free(l->text);
    memset(l, 0, sizeof *l);
}
