/* plan_check.c - a sweep that has begun keeps its plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/say.h"
#include "core/config/registry.h"
#include "core/sweep/jobs.h"
#include "core/sweep/plan_file.h"
#include "core/train/settings.h"

/* likely: where it stands as long as nobody edits the experiment. */
static const struct skl_plan_run *planned(const struct skl_plan *plan, const char *dir, int likely)
{
    if (likely < plan->count && !strcmp(plan->run[likely].dir, dir)) return &plan->run[likely];
    for (int i = 0; i < plan->count; i++)
        if (!strcmp(plan->run[i].dir, dir)) return &plan->run[i];
    return NULL;
}

static int look_for_begun(const struct skl_run_list *old, const char *folder, bool *begun, struct skl_err *err)
{
    int status = SKL_OK;
    *begun = false;
    for (int i = 0; i < old->count && !*begun && !status; i++) {
        char *path = skl_format("%s/%s/run.json", folder, old->run[i].dir);
        status = skl_is_there(path, begun, err);
        free(path);
    }
    return status;
}

static int lacks(const char *folder, const struct skl_listed_run *first, int count, struct skl_err *err)
{
    return skl_fail(err, SKL_USAGE,
                    "%s: the experiment no longer has %s%s: put it back (--only chooses among runs), or give the "
                    "experiment another 'name:'",
                    folder, first->dir, count > 1 ? " and others" : "");
}

/* What differs, key by key: all runs of a setting differ in the seed alone, and plan.json keeps one of each. */
static int changed(const struct skl_plan *plan, const char *folder, const struct skl_listed_run *first, int count,
                   struct skl_err *err)
{
    const struct skl_plan_run *run = NULL;
    for (int i = 0; i < plan->count && !run; i++)
        if (!strcmp(plan->run[i].setting, first->setting)) run = &plan->run[i];
    char *there = skl_run_list_settings(folder, first->setting), *here = run ? skl_plan_emit(plan, run) : NULL;
    char *diff = there && here ? skl_settings_diff(there, here) : skl_strdup("");
    int status = skl_fail(err, SKL_USAGE, "%s: %d run%s planned with other settings; %s: %s", folder, count,
                          count > 1 ? "s were" : " was", first->dir, *diff ? diff : "its hash is another");
    skl_advise(err, SKL_OTHER_SETTINGS_ADVICE);
    free(diff);
    free(there);
    free(here);
    return status;
}

/* Seeds of two builds would be taken for seeds of one variant. */
static int rebuilt(const struct skl_plan *plan, const char *folder, const struct skl_run_list *old,
                   const struct skl_sweep_options *o, struct skl_err *err)
{
    for (int i = 0; i < plan->count && !o->allow_other_numerics; i++) {
        const struct skl_plan_run *run = &plan->run[i];
        const struct skl_shortcut *s = run->exp.model.shortcut;
        const char *there = skl_run_list_plugin(old, s->name), *here = skl_registry_sha256(s);
        if (!there || !strcmp(there, here) || (o->redo && skl_sweep_matches(run, o->redo))) continue;
        return skl_fail(err, SKL_USAGE,
                        "%s was begun with another build of the plug-in '%s' (SHA-256 %s; here: %s): give that one, "
                        "or the experiment another 'name:', or throw its runs away with --redo 'PATTERN'",
                        folder, s->name, there, *here ? here : "built in");
    }
    return SKL_OK;
}

static int added(const struct skl_plan *plan, const char *folder, const struct skl_run_list *old, struct skl_err *err)
{
    int count = plan->count - old->count;
    return skl_fail(err, SKL_USAGE, "%s was planned with %d runs, now there %s %d more: --extend adds %s", folder,
                    old->count, count > 1 ? "are" : "is", count, count > 1 ? "them" : "it");
}

static int compare(const struct skl_plan *plan, const struct skl_run_list *old, const char *folder,
                   const struct skl_sweep_options *o, struct skl_err *err)
{
    const struct skl_listed_run *lacking = NULL, *other = NULL;
    int lacking_count = 0, other_count = 0;
    for (int i = 0; i < old->count; i++) {
        const struct skl_plan_run *run = planned(plan, old->run[i].dir, i);
        bool differs = run && strcmp(run->exp.hash, old->run[i].hash) && !(o->redo && skl_sweep_matches(run, o->redo));
        if (!run && !lacking_count++) lacking = &old->run[i];
        if (differs && !other_count++) other = &old->run[i];
    }
    if (lacking) return lacks(folder, lacking, lacking_count, err);
    if (other) return changed(plan, folder, other, other_count, err);
    if (rebuilt(plan, folder, old, o, err)) return SKL_USAGE;
    if (plan->count == old->count) return SKL_OK;
    if (!o->extend) return added(plan, folder, old, err);
    skl_say("%s: %d runs as before, %d added\n", folder, old->count, plan->count - old->count);
    return SKL_OK;
}

int skl_plan_check(const struct skl_plan *plan, const char *folder, const struct skl_sweep_options *options,
                   struct skl_err *err)
{
    struct skl_run_list old;
    if (skl_run_list_read(folder, &old, NULL)) return SKL_OK; /* none yet, or damaged: it is written anew */
    bool begun;
    int status = look_for_begun(&old, folder, &begun, err);
    if (!status && begun) status = compare(plan, &old, folder, options, err);
    skl_run_list_release(&old);
    return status;
}
