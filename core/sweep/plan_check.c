/* plan_check.c - a sweep that has begun keeps its plan. */
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/say.h"
#include "core/config/registry.h"
#include "core/run/folder.h"
#include "core/sweep/jobs.h"
#include "core/sweep/plan_file.h"
#include "core/sweep/plan_lock.h"
#include "core/run/longer.h"
#include "core/run/config_file.h"

/* likely: where it stands as long as nobody edits the experiment. */
static const struct skl_plan_run *planned(const struct skl_plan *plan, const char *dir, int likely)
{
    if (likely < plan->count && !strcmp(plan->run[likely].dir, dir)) return &plan->run[likely];
    for (int i = 0; i < plan->count; i++)
        if (!strcmp(plan->run[i].dir, dir)) return &plan->run[i];
    return NULL;
}

/* A run whose process has claimed its folder may have looked at the plan already (plan_lock.h). */
static int look_for_begun(const struct skl_run_list *old, const char *folder, bool *begun, struct skl_err *err)
{
    int status = SKL_OK;
    *begun = skl_presence_any(folder);
    for (int i = 0; i < old->count && !*begun && !status; i++) {
        char *run = skl_path(folder, old->run[i].dir), *record = skl_path(run, SKL_FILE_RECORD);
        struct skl_run_state s;
        status = skl_is_there(record, begun, err);
        if (*begun && !skl_run_state_read(run, &s, NULL) && s.code == SKL_CAUSE_REFUSED && !*s.config_hash)
            *begun = false; /* it never was */
        if (!status && !*begun) *begun = skl_claim_holder(run, NULL) == SKL_HOLDER_LIVE;
        free(record);
        free(run);
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

/* Were the settings that it was planned with these, but for fewer iterations?  What the run has done is looked at by
 * skl_longer_look. */
static bool is_longer(const struct skl_plan_run *run, const struct skl_listed_run *before)
{
    struct skl_experiment shorter;
    skl_experiment_copy(&run->exp, &shorter);
    shorter.train.iterations = before->iterations;
    skl_experiment_hash(&shorter);
    const bool same = !strcmp(shorter.hash, before->hash);
    skl_experiment_release(&shorter);
    return same && before->iterations < run->exp.train.iterations;
}

/* More iterations were asked for, but they move other settings too. */
static int not_longer(const struct skl_plan_run *run, const char *folder, const char *there, struct skl_err *err)
{
    struct skl_plan before;
    struct skl_err why = {0};
    int status = SKL_OK;
    if (skl_plan_load_text("plan.json", there, run->exp.seed, &before, NULL)) return SKL_OK;
    if (before.run[0].exp.train.iterations != run->exp.train.iterations &&
        skl_longer_check(&before.run[0].exp, &run->exp, &why))
        status = skl_fail(err, SKL_USAGE, "%s/%s cannot go on to %lld iterations: %s", folder, run->dir,
                          (long long)run->exp.train.iterations, why.text);
    skl_plan_release(&before);
    return status;
}

/* What differs, key by key: all runs of a setting differ in the seed alone, and plan.json keeps one of each. */
static int changed(const struct skl_plan *plan, const char *folder, const struct skl_listed_run *first, int count,
                   bool extend, struct skl_err *err)
{
    const struct skl_plan_run *run = NULL;
    for (int i = 0; i < plan->count && !run; i++)
        if (!strcmp(plan->run[i].setting, first->setting)) run = &plan->run[i];
    char *there = skl_run_list_settings(folder, first->setting), *here = run ? skl_plan_emit(plan, run) : NULL;
    char *diff = there && here ? skl_config_file_diff(there, here) : skl_strdup("");
    int status = extend && there && run ? not_longer(run, folder, there, err) : SKL_OK;
    if (!status) {
        status = skl_fail(err, SKL_USAGE, "%s: %d run%s planned with other settings; %s: %s", folder, count,
                          count > 1 ? "s were" : " was", first->dir, *diff ? diff : "its hash is another");
        skl_advise(err, SKL_OTHER_SETTINGS_ADVICE);
    }
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
        if (!there || !strcmp(there, here) || (o->redo && skl_plan_matches(run, o->redo))) continue;
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
    return skl_fail(err, SKL_USAGE, "%s was planned with %d run%s, now there %s %d more: --extend adds %s", folder,
                    old->count, SKL_S(old->count), count > 1 ? "are" : "is", count, count > 1 ? "them" : "it");
}

static int compare(const struct skl_plan *plan, const struct skl_run_list *old, const char *folder,
                   const struct skl_sweep_options *o, struct skl_err *err)
{
    const struct skl_listed_run *lacking = NULL, *other = NULL;
    int lacking_count = 0, other_count = 0;
    for (int i = 0; i < old->count; i++) {
        const struct skl_plan_run *run = planned(plan, old->run[i].dir, i);
        bool differs = run && strcmp(run->exp.hash, old->run[i].hash) && !(o->redo && skl_plan_matches(run, o->redo));
        if (!run && !lacking_count++) lacking = &old->run[i];
        if (differs && !(o->extend && is_longer(run, &old->run[i])) && !other_count++) other = &old->run[i];
    }
    if (lacking) return lacks(folder, lacking, lacking_count, err);
    if (other) return changed(plan, folder, other, other_count, o->extend, err);
    if (rebuilt(plan, folder, old, o, err)) return SKL_USAGE;
    if (plan->count == old->count) return SKL_OK;
    if (!o->extend) return added(plan, folder, old, err);
    skl_say("%s: %d run%s as before, %d added\n", folder, old->count, SKL_S(old->count), plan->count - old->count);
    return SKL_OK;
}

/* Without a list (it was moved away): the first run in the folder that this plan does not have. */
struct unlisted {
    const struct skl_plan *plan;
    char *lacking;
};

static int look_below(struct unlisted *u, const char *folder, const char *dir, int depth, struct skl_err *err);

static int look_for_unlisted(struct unlisted *u, const char *folder, const char *dir, int depth, struct skl_err *err)
{
    char *path = skl_path(folder, dir), *record = skl_path(path, SKL_FILE_RECORD);
    bool is_run;
    int status = skl_is_there(record, &is_run, err);
    if (!status && is_run && !planned(u->plan, dir, 0)) u->lacking = skl_strdup(dir);
    if (!status && !u->lacking && depth > 0) status = look_below(u, folder, dir, depth, err);
    free(record);
    free(path);
    return status;
}

static int look_below(struct unlisted *u, const char *folder, const char *dir, int depth, struct skl_err *err)
{
    char **names, *path = skl_path(folder, dir);
    int count, status = skl_list(path, &names, &count, err);
    for (int i = 0; i < count && !status && !u->lacking; i++) {
        char *inner = skl_path(dir, names[i]), *below = skl_path(folder, inner);
        struct skl_seen seen;
        status = skl_look(below, &seen, err);
        if (!status && names[i][0] != '.' && seen.kind == SKL_FOLDER)
            status = look_for_unlisted(u, folder, inner, depth - 1, err);
        free(inner);
        free(below);
    }
    if (count) skl_list_free(names, count);
    free(path);
    return status;
}

/* Damaged is not absent: what the runs were planned with would be forgotten. */
static int mend(const char *folder, struct skl_err *err)
{
    struct skl_err why = *err;
    return skl_fail(
        err, why.status,
        "%.800s: put a copy of it back, or move it away: then the experiment becomes the plan anew, if it has "
        "the runs that are in %s",
        why.text, folder);
}

static int check_unlisted(const struct skl_plan *plan, const char *folder, struct skl_err *err)
{
    enum { DEEPEST = 4 };
    struct unlisted u = {.plan = plan};
    bool there;
    int status = skl_is_there(folder, &there, err);
    if (status || !there) return status;
    status = look_for_unlisted(&u, folder, "", DEEPEST, err);
    if (!status && u.lacking)
        status =
            skl_fail(err, SKL_USAGE,
                     "%s holds %s, which the experiment does not have: put it back into the experiment, move the run "
                     "away, or give the experiment another 'name:'",
                     folder, u.lacking);
    free(u.lacking);
    return status;
}

int skl_plan_check(const struct skl_plan *plan, const char *folder, const struct skl_sweep_options *options,
                   struct skl_err *err)
{
    struct skl_run_list old;
    char *path = skl_path(folder, SKL_FILE_PLAN);
    struct skl_err own = {0};
    bool there, begun;
    if (!err) err = &own;
    int status = skl_is_there(path, &there, err);
    free(path);
    if (status || !there) return status ? status : check_unlisted(plan, folder, err);
    status = skl_run_list_read(folder, &old, err);
    if (!status && old.seal == SKL_SEAL_BROKEN) {
        status = skl_fail(err, SKL_DATA, "%s/plan.json was edited since it was written: its seal is broken", folder);
        skl_run_list_release(&old);
    }
    if (status) return mend(folder, err);
    status = look_for_begun(&old, folder, &begun, err);
    if (!status && begun) status = compare(plan, &old, folder, options, err);
    skl_run_list_release(&old);
    return status;
}
