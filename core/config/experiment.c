#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/config/experiment.h"
#include "core/config/forms.h"
#include "core/config/keys.h"
#include "core/config/pictures.h"
#include "core/config/model.h"
#include "core/config/registry.h"
#include "core/config/tree.h"
#include "core/variant/descriptor.h"

void skl_experiment_defaults(struct skl_experiment *exp)
{
    memset(exp, 0, sizeof *exp);
    for (int i = 0; i < skl_key_count(); i++)
        if (!(skl_key_get(i)->flags & SKL_KEY_PLAN)) skl_key_set_default(skl_key_get(i), exp);
    exp->seed = 1;
    exp->model.shortcut_to = INT_MAX;
    exp->model.shortcut = skl_registry_find("identity");
    SKL_CHECK(exp->model.shortcut != NULL);
    skl_shortcut_defaults(exp->model.shortcut, exp->model.shortcut_opts);
}

void skl_experiment_copy(const struct skl_experiment *from, struct skl_experiment *to)
{
    *to = *from;
    to->name = from->name ? skl_strdup(from->name) : NULL;
    to->label = from->label ? skl_strdup(from->label) : NULL;
    to->variant = from->variant ? skl_strdup(from->variant) : NULL;
    to->data.dataset = from->data.dataset ? skl_strdup(from->data.dataset) : NULL;
    to->data.path = from->data.path ? skl_strdup(from->data.path) : NULL;
    to->train.init_from = from->train.init_from ? skl_strdup(from->train.init_from) : NULL;
}

void skl_experiment_release(struct skl_experiment *exp)
{
    free(exp->name);
    free(exp->label);
    free(exp->variant);
    free(exp->data.dataset);
    free(exp->data.path);
    free(exp->train.init_from);
    memset(exp, 0, sizeof *exp);
}

/* ---- plain keys ---- */

/* Reads the keys of one mapping.  Keys of the whole file are looked at by plan.c, forms afterwards. */
static int read_level(const struct skl_ynode *map, const char *prefix, struct skl_experiment *exp, struct skl_err *err)
{
    int status = SKL_OK;
    for (const struct skl_ynode *c = map->child; c && !status; c = c->next) {
        char *path = *prefix ? skl_format("%s.%s", prefix, c->key) : skl_strdup(c->key);
        const struct skl_key *key = skl_key_find(path);
        if (key && !(key->flags & SKL_KEY_VARIANT)) {
            if (key->kind != SKL_KEY_FORM && !(key->flags & SKL_KEY_PLAN))
                status = skl_key_read(key, path, c, exp, err);
        } else if (!skl_key_is_section(path)) {
            status = skl_key_unknown(c, prefix, err);
        } else if (c->kind != SKL_YMAP) {
            status = skl_tree_fail(c, true, err, "%s must be a mapping of keys%s", path,
                                   c->kind == SKL_YSCALAR && !*c->text ? "; leave it out if it has none" : "");
        } else {
            status = read_level(c, path, exp, err);
        }
        free(path);
    }
    return status;
}

int skl_experiment_check_keys(const struct skl_ynode *tree, struct skl_err *err)
{
    struct skl_experiment scratch;
    skl_experiment_defaults(&scratch);
    int status = read_level(tree, "", &scratch, err);
    skl_experiment_release(&scratch);
    const struct skl_ynode *type = skl_tree_get(tree, "model.shortcut.type");
    const struct skl_shortcut *found;
    return status || !type ? status : skl_check_shortcut_type(type, &found, err);
}

/* ---- what spans keys ---- */

static int check_data(const struct skl_ynode *tree, const struct skl_data_config *d, struct skl_err *err)
{
    bool synthetic = strcmp(d->dataset, "synthetic") == 0;
    int train = synthetic ? d->synthetic.train : 0;
    if (synthetic && d->synthetic.size % 4)
        return skl_tree_fail(skl_tree_place(tree, "data.synthetic.size"), true, err,
                             "data.synthetic.size must be a multiple of 4, not %d", d->synthetic.size);
    if (synthetic && d->train_images > train)
        return skl_tree_fail(skl_tree_place(tree, "data.train_images"), true, err,
                             "data.train_images %d is more than data.synthetic.train %d", d->train_images, train);
    if (synthetic && d->test_images > d->synthetic.test)
        return skl_tree_fail(skl_tree_place(tree, "data.test_images"), true, err,
                             "data.test_images %d is more than data.synthetic.test %d", d->test_images,
                             d->synthetic.test);
    if (d->augment.mixup > 0 && d->augment.mixup < 0.001)
        return skl_tree_fail(skl_tree_place(tree, "data.augment.mixup"), true, err,
                             "data.augment.mixup must be 0, or a number from 0.001 to 4, not %g", d->augment.mixup);
    if (d->train_images) train = d->train_images;
    if (train && d->validation >= train)
        return skl_tree_fail(skl_tree_place(tree, "data.validation"), true, err,
                             "data.validation %d leaves nothing of %d training images", d->validation, train);
    return SKL_OK;
}

/* PyTorch's OneCycleLR: up over 30 % of the iterations, from a 25th of the peak. */
static void complete_one_cycle(const struct skl_ynode *tree, struct skl_train_config *t)
{
    if (!skl_tree_get(tree, "train.warmup.iterations")) t->warmup.iterations = llround(0.3 * (double)t->iterations);
    if (!skl_tree_get(tree, "train.warmup.lr")) t->warmup.lr = t->lr / 25;
}

static int check_schedule(const struct skl_ynode *tree, struct skl_train_config *t, struct skl_err *err)
{
    const struct skl_key *schedule = skl_key_find("train.schedule");
    if (t->schedule != SKL_STEP && t->lr_drops.count)
        return skl_tree_fail(skl_tree_place(tree, "train.lr_drops.at"), true, err,
                             "train.lr_drops belongs to train.schedule: step, not to %s: leave it out, or lr_drops: "
                             "{at: []} in a variant",
                             schedule->choices[t->schedule]);
    if (t->schedule == SKL_ONE_CYCLE && t->warmup.shape != SKL_WARMUP_FLAT)
        return skl_tree_fail(skl_tree_place(tree, "train.warmup.shape"), true, err,
                             "train.warmup.shape is not for train.schedule: one_cycle, which rises by half a cosine");
    if (t->schedule == SKL_ONE_CYCLE) complete_one_cycle(tree, t);
    return SKL_OK;
}

static int check_train(const struct skl_ynode *tree, struct skl_train_config *t, struct skl_err *err)
{
    if (t->bn_batch == 0 || t->bn_batch > t->batch) t->bn_batch = t->batch;
    if (t->batch % t->bn_batch != 0)
        return skl_tree_fail(skl_tree_place(tree, "train.bn_batch"), true, err,
                             "train.bn_batch %d must divide train.batch %d", t->bn_batch, t->batch);
    if (skl_tree_get(tree, "train.warmup.lr") && !skl_tree_get(tree, "train.warmup.iterations") &&
        t->schedule != SKL_ONE_CYCLE)
        return skl_tree_fail(skl_tree_place(tree, "train.warmup.lr"), false, err,
                             "train.warmup.lr needs train.warmup.iterations beside it");
    if (skl_tree_get(tree, "train.lr_drops.factor") && !skl_tree_get(tree, "train.lr_drops.at"))
        return skl_tree_fail(skl_tree_place(tree, "train.lr_drops.factor"), false, err,
                             "train.lr_drops.factor needs train.lr_drops.at beside it");
    return check_schedule(tree, t, err);
}

bool skl_experiment_is_rung(const struct skl_experiment *exp, int64_t iteration)
{
    const int64_t every = exp->give_up.halving.every;
    return every > 0 && iteration > 0 && iteration < exp->train.iterations && iteration % every == 0;
}

/* What the settings are ranked by must be there at each rung; rows of all logs too, as a run may end there. */
static int check_halving(const struct skl_ynode *tree, const struct skl_experiment *exp, struct skl_err *err)
{
    enum { MOST_RUNGS = 1000 }; /* whoever ranks keeps a value a run and rung */
    const int64_t every = exp->give_up.halving.every, log = exp->train.log_every, test = exp->train.test_every;
    const bool by_validation = exp->give_up.halving.by == SKL_BY_VALIDATION;
    const struct skl_ynode *place = skl_tree_place(tree, "give_up.halving.every");
    if (!every) return SKL_OK;
    if (by_validation && !exp->data.validation)
        return skl_tree_fail(place, true, err,
                             "give_up.halving ranks by the validation error, but no images are held out: set "
                             "data.validation: 5000 (or give_up.halving.by: train)");
    if ((exp->train.iterations - 1) / every > MOST_RUNGS)
        return skl_tree_fail(place, true, err,
                             "give_up.halving.every %lld ranks more than %d times in train.iterations %lld",
                             (long long)every, MOST_RUNGS, (long long)exp->train.iterations);
    if (every % log || every % test)
        return skl_tree_fail(place, true, err,
                             "give_up.halving.every %lld must be a multiple of train.%s_every %lld, so that a row is "
                             "there to rank by",
                             (long long)every, every % log ? "log" : "test", (long long)(every % log ? log : test));
    return SKL_OK;
}

static int read_forms(const struct skl_ynode *tree, struct skl_experiment *exp, struct skl_err *err)
{
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        const struct skl_ynode *node = key->read ? skl_tree_get(tree, key->path) : NULL;
        int status = node ? key->read(node, exp, err) : SKL_OK;
        if (status) return status;
    }
    return SKL_OK;
}

int skl_experiment_read(const struct skl_ynode *tree, struct skl_experiment *exp, struct skl_err *err)
{
    skl_experiment_defaults(exp);
    int status = read_level(tree, "", exp, err);
    if (!status) status = skl_model_resolve(tree, &exp->model, err);
    if (!status && strcmp(exp->data.dataset, "synthetic") != 0) exp->data.size = skl_is_folder(&exp->data) ? 224 : 32;
    if (!status) status = read_forms(tree, exp, err);
    if (!status) status = check_data(tree, &exp->data, err);
    if (!status) status = skl_check_pictures(tree, &exp->data, err);
    if (!status) status = check_train(tree, &exp->train, err);
    if (!status) status = check_halving(tree, exp, err);
    exp->has_data = skl_tree_get(tree, "data") != NULL;
    if (status) skl_experiment_release(exp);
    return status;
}

/* ---- the hash ---- */

/* Keys that came later are not in it while they have their default: results from before them keep their hash. */
static bool is_hashed(const struct skl_key *key, const char *value, const struct skl_experiment *defaults)
{
    if (!(key->flags & SKL_KEY_LATER)) return true;
    char *usual = skl_key_write(key, defaults, true);
    const bool other = strcmp(value ? value : "", usual ? usual : "") != 0;
    free(usual);
    return other;
}

char *skl_experiment_canonical(const struct skl_experiment *exp)
{
    struct skl_experiment defaults;
    skl_experiment_defaults(&defaults);
    char *text = skl_format("seed=%llu\n", (unsigned long long)exp->seed);
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        if (!(key->flags & SKL_KEY_HASHED)) continue;
        char *value = skl_key_write(key, exp, true);
        if (is_hashed(key, value, &defaults)) text = skl_append(text, "%s=%s\n", key->path, value ? value : "");
        free(value);
    }
    skl_experiment_release(&defaults);
    return text;
}

void skl_experiment_hash(struct skl_experiment *exp)
{
    char *text = skl_experiment_canonical(exp);
    skl_sha256_hex(text, strlen(text), exp->hash);
    free(text);
}
