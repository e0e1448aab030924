/* jobs.c - which runs a sweep has, and what their folders say of them. */
#include "core/sweep/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/run/claim.h"
#include "core/sweep/plan_file.h"
#include "core/run/longer.h"
#include "core/run/config_file.h"

/* A run of a sweep that ended by itself stays failed until --retry failed; one that was killed from outside, or found
 * the disk full, is resumed by the next sweep; so is one that was refused: that may ask differently. */
static bool retryable(const struct skl_run_state *state)
{
    return state->code == SKL_CAUSE_KILLED || state->code == SKL_CAUSE_STORAGE || state->code == SKL_CAUSE_REFUSED;
}

const char *skl_sweep_state(const char *folder, const struct skl_run_state *state)
{
    return !state->complete && skl_claim_holder(folder, NULL) == SKL_HOLDER_LIVE ? "running" : state->state;
}

static bool belongs(const struct skl_job *j, const struct skl_run_state *s)
{
    return !s->config_hash[0] || !strcmp(s->config_hash, j->run->exp.hash);
}

/* Finished, failed or neither, by what run.json says. */
enum skl_job_status skl_job_recorded(const struct skl_job *j, const struct skl_run_state *s)
{
    if (!belongs(j, s)) return SKL_JOB_WAITING;
    if (s->complete)
        return !strcmp(s->state, "diverged")  ? SKL_JOB_DIVERGED
               : !strcmp(s->state, "stopped") ? SKL_JOB_STOPPED
                                              : SKL_JOB_DONE;
    if (!strcmp(s->state, "paused")) return SKL_JOB_PAUSED;
    if (!strcmp(s->state, "failed")) return SKL_JOB_FAILED;
    return SKL_JOB_WAITING;
}

int skl_job_read(const struct skl_job *j, struct skl_run_state *s, struct skl_err *err)
{
    *s = (struct skl_run_state){0};
    return skl_run_state_read(j->folder, s, err);
}

/* Another run in this one's folder: what differs, once for the first of them. */
static int check_settings(const struct skl_driver *d, struct skl_err *err)
{
    int others = 0, status = SKL_OK;
    for (int i = 0; i < d->count; i++) {
        struct skl_job *j = &d->job[i];
        struct skl_run_state s;
        if (j->redo || skl_job_read(j, &s, NULL) || !strcmp(s.state, "waiting") || belongs(j, &s)) continue;
        struct skl_shorter shorter;
        struct skl_err ignored = {0};
        if (d->options->extend && !skl_longer_look(d->plan, j->run, j->folder, &shorter, &ignored)) continue;
        if (others++) continue;
        status = d->options->extend ? skl_longer_look(d->plan, j->run, j->folder, &shorter, err)
                                    : skl_config_file_check(d->plan, j->run, j->folder, err);
        if (!status)
            status = skl_fail(err, SKL_USAGE, "%s: run.json says that other settings were trained here", j->folder);
    }
    if (others > 1) skl_context(err, "%d runs are in the way; the first", others);
    if (others && !d->options->extend) skl_advise(err, SKL_OTHER_SETTINGS_ADVICE);
    return status;
}

/* A run that cannot be read at all is left to its own process, which says what is wrong. */
static void initial_states(struct skl_driver *d)
{
    for (int i = 0; i < d->count; i++) {
        struct skl_job *j = &d->job[i];
        struct skl_run_state s;
        if (j->redo || skl_job_read(j, &s, NULL)) continue;
        j->status = skl_job_recorded(j, &s);
        j->first = j->iteration = s.iteration;
        if (skl_job_is_finished(j)) skl_leftovers_remove(j->folder, false);
        if (j->status != SKL_JOB_FAILED) continue;
        snprintf(j->cause, sizeof j->cause, "%s", s.cause);
        j->code = s.code;
        if (d->options->retry_failed || retryable(&s)) j->status = SKL_JOB_WAITING;
    }
}

bool skl_job_is_free(const struct skl_job *j)
{
    return (j->status == SKL_JOB_WAITING || j->status == SKL_JOB_PAUSED) &&
           skl_claim_holder(j->folder, NULL) != SKL_HOLDER_LIVE;
}

static bool fits_any(const struct skl_plan *plan, const char *pattern)
{
    for (int i = 0; i < plan->count; i++)
        if (skl_plan_matches(&plan->run[i], pattern)) return true;
    return false;
}

/* What was ranked must stay as it was. */
static int check_halving(const struct skl_driver *d, const char *folder, struct skl_err *err)
{
    const struct skl_sweep_options *o = d->options;
    const bool some = o->redo && skl_sweep_keeps_data(d->plan, o->redo);
    if (!d->plan->run[0].exp.give_up.halving.every || (!o->extend && !some)) return SKL_OK;
    return skl_fail(err, SKL_USAGE,
                    "--%s: the settings of %s were ranked beside each other (give_up.halving): give the experiment "
                    "another 'name:', or begin all anew with --redo '*'",
                    o->extend ? "extend" : "redo", folder);
}

static int select_jobs(struct skl_driver *d, struct skl_err *err)
{
    const struct skl_sweep_options *o = d->options;
    char *sweep = skl_path(o->results, d->plan->name);
    d->job = skl_alloc_array((size_t)d->plan->count + 1, sizeof *d->job);
    for (int i = 0; i < d->plan->count; i++) {
        const struct skl_plan_run *run = &d->plan->run[i];
        if (o->only && !skl_plan_matches(run, o->only)) continue;
        struct skl_job *j = &d->job[d->count++];
        *j = (struct skl_job){.run = run, .folder = skl_path(sweep, run->dir)};
        j->redo = o->redo && skl_plan_matches(run, o->redo);
    }
    free(sweep);
    if (!d->count)
        return skl_fail(err, SKL_USAGE, "--only '%s' fits no run; 'skiplab sweep ... --dry-run' lists them", o->only);
    if (o->redo && !fits_any(d->plan, o->redo))
        return skl_fail(err, SKL_USAGE, "--redo '%s' fits no run; 'skiplab sweep ... --dry-run' lists them", o->redo);
    return SKL_OK;
}

void skl_jobs_release(struct skl_driver *d)
{
    skl_presence_leave(&d->presence);
    for (int i = 0; i < d->count; i++) {
        free(d->job[i].folder);
        free(d->job[i].tail);
    }
    free(d->job);
}

int skl_jobs_look(struct skl_driver *d, const struct skl_plan *plan, const struct skl_sweep_options *options,
                  struct skl_err *err)
{
    *d = (struct skl_driver){.plan = plan, .options = options};
    char *folder = skl_path(options->results, plan->name);
    int status = select_jobs(d, err);
    if (!status) status = check_halving(d, folder, err);
    if (!status) status = skl_plan_check(plan, folder, options, err);
    if (!status) status = check_settings(d, err);
    if (!status) initial_states(d);
    free(folder);
    return status;
}

bool skl_sweep_keeps_data(const struct skl_plan *plan, const char *redo)
{
    for (int i = 0; i < plan->count; i++)
        if (!redo || !skl_plan_matches(&plan->run[i], redo)) return true;
    return false;
}

/* Under the lock: the plan is as it was, becomes this one, or is another's. */
static int decide(struct skl_driver *d, const char *folder, int desk, struct skl_err *err)
{
    int status = skl_plan_check(d->plan, folder, d->options, err);
    if (!status) status = check_settings(d, err);
    if (!status && !skl_run_list_is(folder, d->plan)) skl_presence_clear(folder); /* whoever wakes works on another */
    if (!status)
        status = skl_run_list_write(folder, desk, d->plan, skl_sweep_keeps_data(d->plan, d->options->redo), err);
    return status ? status : skl_presence_enter(folder, &d->presence, err);
}

static int lock_and_decide(struct skl_driver *d, const char *folder, struct skl_err *err)
{
    struct skl_claim *claim;
    int status = skl_mkdirs(folder, err);
    if (!status) status = skl_plan_lock(folder, &claim, err);
    if (status) return status;
    skl_leftovers_remove(folder, false);
    status = decide(d, folder, skl_claim_desk(claim), err);
    skl_plan_unlock(folder, claim);
    return status;
}

int skl_jobs_prepare(struct skl_driver *d, const struct skl_plan *plan, const struct skl_sweep_options *options,
                     struct skl_err *err)
{
    *d = (struct skl_driver){.plan = plan, .options = options};
    char *folder = skl_path(options->results, plan->name);
    int status = select_jobs(d, err);
    if (!status) status = check_halving(d, folder, err);
    if (!status && skl_run_list_is(folder, plan)) initial_states(d);
    /* Where all is done already nothing is touched. */
    if (!status && skl_jobs_finished(d) < d->count) {
        status = lock_and_decide(d, folder, err);
        if (!status) initial_states(d);
    }
    free(folder);
    return status;
}
