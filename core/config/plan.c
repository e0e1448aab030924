#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/config/axes.h"
#include "core/config/figure_words.h"
#include "core/config/keys.h"
#include "core/config/plan.h"
#include "core/config/settings.h"
#include "core/config/tree.h"

enum { MAX_SEEDS = 1000 };

/* ---- keys of the whole file ---- */

/* The file's name without folder and extension. */
static int name_from_stem(const char *path, char **name, struct skl_err *err)
{
    const char *slash = strrchr(path, '/'), *stem = slash ? slash + 1 : path, *dot = strrchr(stem, '.');
    if (!strncmp(path, "/dev/", 5) || !strncmp(path, "/proc/", 6)) /* another number next time */
        return skl_fail(err, SKL_USAGE, "%s:1:1: an experiment that comes through a pipe needs a key name:", path);
    *name = skl_format("%.*s", dot ? (int)(dot - stem) : (int)strlen(stem), stem);
    if (skl_name_valid(*name)) return SKL_OK;
    return skl_fail(err, SKL_USAGE, "%s:1:1: '%s' cannot name a folder: give the file a key name:", path, *name);
}

static int read_texts(const struct skl_ynode *root, struct skl_plan *plan, struct skl_err *err)
{
    const struct skl_ynode *label = skl_yaml_get(root, "label"), *baseline = skl_yaml_get(root, "baseline");
    if (label && label->kind != SKL_YSCALAR)
        return skl_tree_fail(label, true, err, "label must be text, in quotes%s",
                             label->line ? "" : " of its own: 'label=\"...\"'");
    if (label && *label->text) plan->label = skl_strdup(label->text);
    const struct skl_ynode *notes = skl_yaml_get(root, "notes");
    if (notes && notes->kind != SKL_YSCALAR)
        return skl_tree_fail(notes, true, err, "notes must be text, in quotes or a block after 'notes: |'");
    if (notes && *notes->text) plan->notes = skl_strdup(notes->text);
    return baseline ? skl_read_name(baseline, "baseline", &plan->baseline, err) : SKL_OK;
}

static int read_report(const struct skl_ynode *root, struct skl_plan *plan, struct skl_err *err)
{
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        if (!(key->flags & SKL_KEY_PLAN) || key->kind == SKL_KEY_FORM) continue;
        const struct skl_ynode *node = skl_tree_get(root, key->path);
        skl_key_set_default(key, plan);
        int status = node ? skl_key_read(key, key->path, node, plan, err) : SKL_OK;
        if (status) return status;
    }
    return SKL_OK;
}

static int read_seed(const struct skl_ynode *node, struct seeds *seeds, struct skl_err *err)
{
    long long seed = 0;
    if (node->kind != SKL_YSCALAR || skl_yaml_int(node, &seed) || seed < 0)
        return skl_tree_fail(node, true, err, "a seed must be a whole number from 0");
    for (int i = 0; i < seeds->count; i++)
        if (seeds->seed[i] == (uint64_t)seed) return skl_tree_fail(node, true, err, "seed %lld is there twice", seed);
    if (seeds->count == MAX_SEEDS) return skl_tree_fail(node, true, err, "more than %d seeds", MAX_SEEDS);
    seeds->seed[seeds->count++] = (uint64_t)seed;
    return SKL_OK;
}

static int read_seeds(const struct skl_ynode *node, struct seeds *seeds, struct skl_err *err)
{
    seeds->seed = skl_alloc_array(MAX_SEEDS, sizeof *seeds->seed);
    long long count = 1;
    if (node && node->kind == SKL_YLIST) {
        int status = node->child ? SKL_OK : skl_tree_fail(node, true, err, "the list of seeds is empty");
        for (const struct skl_ynode *c = node->child; c && !status; c = c->next) status = read_seed(c, seeds, err);
        return status;
    }
    if (node && (node->kind != SKL_YSCALAR || skl_yaml_int(node, &count) || count < 1 || count > MAX_SEEDS))
        return skl_tree_fail(node, true, err, "seeds must be a list of whole numbers, or a count from 1 to %d",
                             MAX_SEEDS);
    for (long long i = 1; i <= count; i++) seeds->seed[seeds->count++] = (uint64_t)i;
    return SKL_OK;
}

static int read_header(const char *path, const struct skl_ynode *root, struct skl_plan *plan, struct seeds *seeds,
                       struct skl_err *err)
{
    const struct skl_ynode *name = skl_yaml_get(root, "name");
    int status = name ? skl_read_name(name, "name", &plan->name, err) : name_from_stem(path, &plan->name, err);
    if (!status) status = read_texts(root, plan, err);
    if (!status) status = read_report(root, plan, err);
    if (!status) status = read_seeds(skl_yaml_get(root, "seeds"), seeds, err);
    return status;
}

static int check_baseline(const struct skl_ynode *root, const struct skl_plan *plan, const struct settings *settings,
                          struct skl_err *err)
{
    if (!plan->baseline) return SKL_OK;
    const char **names = skl_alloc_array((size_t)settings->count + 1, sizeof *names);
    bool found = false;
    for (int i = 0; i < settings->count; i++) {
        names[i] = settings->item[i].exp.variant;
        found = found || strcmp(names[i], plan->baseline) == 0;
    }
    const char *near = found ? NULL : skl_nearest(plan->baseline, names), *first = names[0];
    free(names);
    if (found) return SKL_OK;
    return skl_tree_fail(skl_yaml_get(root, "baseline"), true, err, "no variant is named '%s'%s%s%s", plan->baseline,
                         near ? " (did you mean '" : "; the first is '", near ? near : first, near ? "'?)" : "'");
}

/* ---- runs ---- */

static struct skl_pair *copy_pairs(const struct skl_pair *from, int count)
{
    if (!count) return NULL;
    struct skl_pair *to = skl_alloc_array((size_t)count, sizeof *to);
    for (int i = 0; i < count; i++)
        to[i] = (struct skl_pair){skl_strdup(from[i].key), skl_strdup(from[i].value), from[i].quoted};
    return to;
}

static void make_run(struct skl_plan *plan, const struct setting *s, uint64_t seed, struct skl_plan_run *run)
{
    run->setting = skl_strdup(s->folder);
    run->dir = skl_format("%s/seed-%llu", s->folder, (unsigned long long)seed);
    run->label = s->label ? skl_strdup(s->label) : NULL;
    run->papers = copy_pairs(s->papers, run->paper_count = s->paper_count);
    run->axis = copy_pairs(s->axis, run->axis_count = s->axis_count);
    for (int i = 0; i < run->paper_count; i++)
        if (strcmp(run->papers[i].key, "test_error") == 0) run->paper = skl_strdup(run->papers[i].value);
    skl_experiment_copy(&s->exp, &run->exp);
    run->exp.name = skl_strdup(plan->name);
    run->exp.label = plan->label ? skl_strdup(plan->label) : NULL;
    run->exp.seed = seed;
    skl_experiment_hash(&run->exp);
}

static int read_order(const struct skl_ynode *root, bool *by_variant, struct skl_err *err)
{
    const struct skl_ynode *order = skl_yaml_get(root, "order");
    const bool text = order && order->kind == SKL_YSCALAR;
    *by_variant = text && !strcmp(order->text, "variants");
    if (!order || *by_variant || (text && !strcmp(order->text, "seeds"))) return SKL_OK;
    return skl_tree_fail(order, true, err, "order must be seeds or variants");
}

/* Seed by seed, so that every variant shows early; or setting by setting. */
static void make_runs(struct skl_plan *plan, const struct settings *settings, const struct seeds *seeds,
                      bool by_variant)
{
    const int count = seeds->count * settings->count, inner = by_variant ? seeds->count : settings->count;
    plan->run = skl_alloc_array((size_t)count, sizeof *plan->run);
    for (int i = 0; i < count; i++) {
        const int setting = by_variant ? i / inner : i % inner, seed = by_variant ? i % inner : i / inner;
        make_run(plan, &settings->item[setting], seeds->seed[seed], &plan->run[plan->count++]);
    }
}

static void hash_plan(struct skl_plan *plan)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    for (int i = 0; i < plan->count; i++) fprintf(out, "%s %s\n", plan->run[i].dir, plan->run[i].exp.hash);
    skl_text_close(&t);
    skl_sha256_hex(t.text, t.n, plan->hash);
    free(t.text);
}

/* Settings are ranked by one rule, at the same iterations. */
static int check_halving(const struct skl_layers *layers, const struct settings *settings, struct skl_err *err)
{
    const struct skl_experiment *first = &settings->item[0].exp;
    for (int i = 1; i < settings->count; i++) {
        const struct skl_experiment *exp = &settings->item[i].exp;
        const bool same_rule = exp->give_up.halving.every == first->give_up.halving.every &&
                               exp->give_up.halving.keep == first->give_up.halving.keep &&
                               exp->give_up.halving.by == first->give_up.halving.by;
        const bool halving = exp->give_up.halving.every || first->give_up.halving.every;
        if (!halving || (same_rule && exp->train.iterations == first->train.iterations)) continue;
        return skl_tree_fail(skl_tree_place(layers->root, "give_up.halving.every"), true, err,
                             "give_up.halving ranks all settings of the sweep: %s must be the same in all, unlike in "
                             "'%s' and '%s'",
                             same_rule ? "train.iterations" : "give_up.halving", settings->item[0].folder,
                             settings->item[i].folder);
    }
    return SKL_OK;
}

static int make_plan(const char *path, const struct skl_layers *layers, struct skl_plan *plan, struct skl_err *err)
{
    struct seeds seeds = {0};
    struct settings settings = {0};
    int status = read_header(path, layers->root, plan, &seeds, err);
    if (!status) status = skl_settings_read(layers, SKL_PLAN_MAX_RUNS / seeds.count, &settings, err);
    if (!status) status = check_baseline(layers->root, plan, &settings, err);
    if (!status) status = check_halving(layers, &settings, err);
    bool by_variant = false;
    if (!status) status = read_order(layers->root, &by_variant, err);
    if (!status) {
        make_runs(plan, &settings, &seeds, by_variant);
        hash_plan(plan);
    }
    skl_settings_release(&settings);
    free(seeds.seed);
    return status;
}

/* What fails may fail for want of a plug-in that was not loaded: its shortcut is unknown. */
static int tell_withheld(struct skl_layers *layers, struct skl_err *err)
{
    struct skl_err why = *err;
    layers->lacking = true;
    return skl_fail(
        err, why.status,
        "%s: its plug-in '%.200s' is not loaded, since a run's own file names it, or one among results: give "
        "it with --plugin FILE (without: %.400s)",
        layers->root->file, layers->withheld, why.text);
}

static int load(const char *path, const char *text, enum skl_trust trust, char *const *overrides, int count,
                struct skl_plan *plan, bool *lacking, struct skl_err *err)
{
    struct skl_layers layers;
    memset(plan, 0, sizeof *plan);
    int status = skl_layers_read(path, text, trust, overrides, count, &layers, err);
    if (!status) status = make_plan(path, &layers, plan, err);
    if (status && layers.withheld) status = tell_withheld(&layers, err);
    *lacking = layers.lacking;
    skl_layers_release(&layers);
    if (status) skl_plan_release(plan);
    return status;
}

int skl_plan_load(const char *path, char *const *overrides, int overrides_count, struct skl_plan *plan,
                  struct skl_err *err)
{
    struct skl_err own;
    bool lacking;
    return load(path, NULL, SKL_NAMED, overrides, overrides_count, plan, &lacking, err ? err : &own);
}

int skl_plan_load_recorded(const char *path, bool any_build, struct skl_plan *plan, struct skl_err *err)
{
    struct skl_err own;
    bool lacking;
    if (!err) err = &own;
    int status = load(path, NULL, any_build ? SKL_ANY_BUILD : SKL_RECORDED, NULL, 0, plan, &lacking, err);
    if (status == SKL_USAGE && !lacking) err->status = status = SKL_DATA;
    return status;
}

int skl_plan_load_text(const char *name, const char *text, uint64_t seed, struct skl_plan *plan, struct skl_err *err)
{
    bool lacking;
    char *seeds = skl_format("seeds=[%llu]", (unsigned long long)seed), *overrides[] = {seeds};
    int status = load(name, text, SKL_RECORDED, overrides, 1, plan, &lacking, err);
    if (status == SKL_USAGE && !lacking) err->status = status = SKL_DATA;
    free(seeds);
    return status;
}

static void free_pairs(struct skl_pair *pair, int count)
{
    for (int i = 0; i < count; i++) {
        free(pair[i].key);
        free(pair[i].value);
    }
    free(pair);
}

void skl_plan_release(struct skl_plan *plan)
{
    for (int i = 0; i < plan->count; i++) {
        struct skl_plan_run *run = &plan->run[i];
        free(run->dir);
        free(run->setting);
        free(run->paper);
        free(run->label);
        free_pairs(run->papers, run->paper_count);
        free_pairs(run->axis, run->axis_count);
        skl_experiment_release(&run->exp);
    }
    free(plan->run);
    free(plan->name);
    free(plan->label);
    free(plan->notes);
    free(plan->baseline);
    skl_figure_release(&plan->figure);
    memset(plan, 0, sizeof *plan);
}

/* ---- what never happens ---- */

/* Adds "; KEY N" for what lies beyond. */
static char *add_beyond(char *text, const char *key, int64_t at, int64_t iterations)
{
    if (at < iterations) return text;
    if (!*key) return skl_append(text, ", %lld", (long long)at);
    return skl_append(text, "%s%s %lld", *text ? "; " : "", key, (long long)at);
}

static char *beyond_end(const struct skl_train_config *t, int64_t give_up, int64_t halving)
{
    char *text = skl_strdup("");
    for (int i = 0; i < t->lr_drops.count; i++)
        text = add_beyond(text, *text ? "" : "train.lr_drops.at", t->lr_drops.at[i], t->iterations);
    text = add_beyond(text, "the end of train.warmup.iterations", t->warmup.iterations, t->iterations);
    text = add_beyond(text, "give_up.iteration", give_up, t->iterations);
    return add_beyond(text, "give_up.halving.every", halving, t->iterations);
}

char *skl_plan_beyond_end(const struct skl_plan_run *run, int count)
{
    char *first = NULL;
    long long iterations = 0;
    int found = 0;
    for (int i = 0; i < count; i++) {
        const struct skl_experiment *exp = &run[i].exp;
        char *text = beyond_end(&exp->train, exp->give_up.iteration, exp->give_up.halving.every);
        if (*text && !found++) {
            first = text;
            iterations = (long long)exp->train.iterations;
        } else {
            free(text);
        }
    }
    if (!found) return NULL;
    char *note = skl_format("after the last of %lld iterations, so that it never happens: %s", iterations, first);
    free(first);
    return found == count ? note : skl_append(note, " (%d of %d runs)", found, count);
}

bool skl_plan_matches(const struct skl_plan_run *run, const char *pattern)
{
    return !fnmatch(pattern, run->dir, 0) || !fnmatch(pattern, run->setting, 0);
}
