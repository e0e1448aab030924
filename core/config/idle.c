/* What an experiment says without effect: keys that belong to another data set, or to a rule that is off. */
#include <stdlib.h>
#include <string.h>
#include "core/base/grow.h"
#include "core/config/keys.h"
#include "core/config/pictures.h"
#include "core/config/plan.h"

typedef bool is_idle(const struct skl_experiment *exp);

static bool is_synthetic(const struct skl_experiment *exp) { return strcmp(exp->data.dataset, "synthetic") == 0; }
static bool is_folder(const struct skl_experiment *exp) { return skl_is_folder(&exp->data); }
static bool not_folder(const struct skl_experiment *exp) { return !skl_is_folder(&exp->data); }
static bool no_warmup(const struct skl_experiment *exp) { return !exp->train.warmup.iterations; }
static bool no_momentum(const struct skl_experiment *exp) { return exp->train.momentum == 0; }
static bool no_give_up(const struct skl_experiment *exp) { return !exp->give_up.iteration; }
static bool no_halving(const struct skl_experiment *exp) { return !exp->give_up.halving.every; }

/* Which keys, when, and whose they are.  `data.synthetic` says that by its name. */
static const struct idle {
    const char *key;
    is_idle *idle;
    const char *whose;
} table[] = {
    {"data.classes", not_folder, "of dataset: folder"},
    {"data.test_resize", not_folder, "of dataset: folder"},
    {"data.test_crops", not_folder, "of dataset: folder"},
    {"data.augment.resize", not_folder, "of dataset: folder"},
    {"data.augment.area", not_folder, "of dataset: folder"},
    {"data.augment.aspect", not_folder, "of dataset: folder"},
    {"data.augment.colour", not_folder, "of dataset: folder"},
    {"data.augment.pad", is_folder, "not of dataset: folder"},
    {"data.path", is_synthetic, "not of dataset: synthetic"},
    {"train.warmup.shape", no_warmup, "of train.warmup.iterations above 0"},
    {"train.nesterov", no_momentum, "of train.momentum above 0"},
    {"give_up.train_error_above", no_give_up, "of give_up.iteration above 0"},
    {"give_up.halving.keep", no_halving, "of give_up.halving.every above 0"},
    {"give_up.halving.by", no_halving, "of give_up.halving.every above 0"},
};
enum { ROWS = sizeof table / sizeof *table };

static const struct idle *row_of(const char *path)
{
    for (int i = 0; i < ROWS; i++)
        if (!strcmp(path, table[i].key)) return &table[i];
    return NULL;
}

/* Where some run heeds the key, the others of the plan may have it. */
static bool heeded(const struct idle *row, const struct skl_plan_run *run, int count)
{
    for (int i = 0; i < count; i++)
        if (!row->idle(&run[i].exp)) return true;
    return false;
}

/* A config.yaml has every default; and a padding of 0 says what is so. */
static bool is_said(const struct skl_key *key, const struct skl_experiment *exp, const struct skl_experiment *defaults)
{
    char *value = skl_key_write(key, exp, true), *usual = skl_key_write(key, defaults, true);
    const bool none = !strcmp(key->path, "data.augment.pad") && exp->data.augment.pad == 0;
    const bool said = value && strcmp(value, usual ? usual : "") && !none;
    free(value);
    free(usual);
    return said;
}

static bool said_by_any(const struct skl_key *key, const struct skl_plan_run *run, int count,
                        const struct skl_experiment *defaults)
{
    for (int i = 0; i < count; i++)
        if ((run[i].exp.has_data || strncmp(key->path, "data.", 5)) && is_said(key, &run[i].exp, defaults)) return true;
    return false;
}

char *skl_plan_idle(const struct skl_plan_run *run, int count)
{
    struct skl_experiment defaults;
    char *text = NULL;
    const char *whose = NULL;
    skl_experiment_defaults(&defaults);
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        const struct idle *row = row_of(key->path);
        if (!row || heeded(row, run, count) || !said_by_any(key, run, count, &defaults)) continue;
        const bool next = whose && strcmp(whose, row->whose);
        if (next) text = skl_append(text, " (%s)", whose);
        text = text ? skl_append(text, ", %s", key->path) : skl_format("without effect: %s", key->path);
        whose = row->whose;
    }
    skl_experiment_release(&defaults);
    return whose ? skl_append(text, " (%s)", whose) : text;
}
