#include "core/run/longer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/config/keys.h"
#include "core/config/registry.h"
#include "core/run/folder.h"
#include "core/run/config_file.h"

#define INSTEAD "train.init_from begins another run with its weights"

static bool same_drops(const struct skl_train_config *a, const struct skl_train_config *b)
{
    return a->lr_drops.count == b->lr_drops.count &&
           !memcmp(a->lr_drops.at, b->lr_drops.at, (size_t)a->lr_drops.count * sizeof *a->lr_drops.at);
}

static int check_rates(const struct skl_train_config *before, const struct skl_train_config *now, struct skl_err *err)
{
    if (now->schedule != SKL_STEP && now->schedule != SKL_CONSTANT)
        return skl_fail(err, SKL_USAGE,
                        "train.schedule: %s ends with the last iteration, so that a longer run has other learning "
                        "rates from the start: " INSTEAD,
                        skl_key_find("train.schedule")->choices[now->schedule]);
    if (!same_drops(before, now))
        return skl_fail(err, SKL_USAGE,
                        "train.lr_drops.at has other iterations in a longer run, as percents have: " INSTEAD
                        ", or give the drops by iteration");
    return SKL_OK;
}

/* A row or a checkpoint that came since it was the end. */
static int check_due(const struct skl_experiment *before, struct skl_err *err)
{
    const struct skl_train_config *t = &before->train;
    const struct {
        const char *key;
        int64_t every;
    } due[] = {{"train.log_every", t->log_every},
               {"train.test_every", t->test_every},
               {"train.checkpoint_every", t->checkpoint_every},
               {"probe.every", before->probe.every}};
    for (size_t i = 0; i < sizeof due / sizeof *due; i++)
        if (due[i].every && t->iterations % due[i].every)
            return skl_fail(err, SKL_USAGE,
                            "%s: %lld does not divide the %lld iterations that it has, and a longer run has nothing "
                            "due there: " INSTEAD,
                            due[i].key, (long long)due[i].every, (long long)t->iterations);
    return SKL_OK;
}

int skl_longer_check(const struct skl_experiment *before, const struct skl_experiment *now, struct skl_err *err)
{
    struct skl_experiment as_before;
    if (now->train.iterations <= before->train.iterations)
        return skl_fail(err, SKL_USAGE, "train.iterations: %lld are not more than the %lld that it has",
                        (long long)now->train.iterations, (long long)before->train.iterations);
    int status = check_rates(&before->train, &now->train, err);
    if (status) return status;
    skl_experiment_copy(now, &as_before);
    as_before.train.iterations = before->train.iterations;
    skl_experiment_hash(&as_before);
    const bool same = !strcmp(as_before.hash, before->hash);
    skl_experiment_release(&as_before);
    if (!same) return skl_fail(err, SKL_USAGE, "more than train.iterations differs");
    if (*skl_registry_sha256(now->model.shortcut))
        return skl_fail(err, SKL_USAGE, "its shortcut is a plug-in, which may look at train.iterations: " INSTEAD);
    return check_due(before, err);
}

int skl_longer_look(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder,
                    struct skl_shorter *there, struct skl_err *err)
{
    struct skl_plan before;
    struct skl_err why = {0};
    *there = (struct skl_shorter){0};
    int status = skl_config_file_check(plan, run, folder, err);
    if (status != SKL_USAGE) return status;
    char *path = skl_path(folder, SKL_FILE_CONFIG);
    const int unread = skl_plan_load_recorded(path, true, &before, NULL);
    free(path);
    if (unread) return status;
    const struct skl_experiment *old = &before.run[0].exp;
    if (!skl_longer_check(old, &run->exp, &why)) {
        there->iterations = old->train.iterations;
        snprintf(there->hash, sizeof there->hash, "%s", old->hash);
        status = SKL_OK;
    } else {
        status = skl_fail(err, SKL_USAGE, "%s cannot go on to %lld iterations: %s", folder,
                          (long long)run->exp.train.iterations, why.text);
    }
    skl_plan_release(&before);
    return status;
}
