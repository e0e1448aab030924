/* cmd_status.c - skiplab status: which runs are done, running, failed, waiting. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/place.h"
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/io/json.h"
#include "core/run/folder.h"
#include "core/sweep/display.h"
#include "core/sweep/overview.h"

static bool as_json;

static json_t *queued(const struct skl_overview_run *r)
{
    const struct skl_queued *q = r->queued;
    return q ? json_pack("{s:s, s:s, s:s}", "job", q->job, "state", q->state, "reason", q->reason) : json_null();
}

static json_t *run_json(const struct skl_overview_run *r)
{
    json_t *cause = *r->state.cause ? json_string(r->state.cause) : json_null();
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "run", r->run->dir, "setting",
        r->run->setting, "variant", r->run->variant, "seed", (json_int_t)r->run->seed, "state", r->word, "cause",
        cause ? cause : json_null(), "iteration", (json_int_t)r->iteration, "iterations", (json_int_t)r->iterations,
        "images_per_second", skl_json_real(r->state.images_per_second), "test_error_final",
        skl_json_real(r->state.test_error_final), "seconds_left", skl_json_real(r->left), "train_loss",
        skl_json_real(r->last.loss), "train_error", skl_json_real(r->last.error), "slurm", queued(r));
    SKL_CHECK(o);
    if (r->log) json_object_set_new(o, "slurm_log", json_string(r->log));
    return o;
}

/* What is said of a sweep as a whole. */
static json_t *sweep_json(const struct skl_overview *s)
{
    json_t *counts = json_object();
    for (int i = 0; skl_overview_words[i]; i++)
        json_object_set_new(counts, skl_overview_words[i],
                            json_integer(skl_overview_counted(s, skl_overview_words[i])));
    return json_pack("{s:s, s:i, s:f, s:o, s:o}", "name", s->list.name ? s->list.name : "", "count", s->count, "done",
                     skl_overview_done(s), "seconds_left", skl_json_real(skl_overview_left(s)), "states", counts);
}

static void print_object(json_t *root)
{
    json_object_set_new(root, "schema_version", json_integer(1));
    skl_json_print(root);
}

static void print_json(const struct skl_overview *s)
{
    json_t *runs = json_array(), *root = sweep_json(s);
    for (int i = 0; i < s->count; i++) json_array_append_new(runs, run_json(&s->run[i]));
    json_object_set_new(root, "runs", runs);
    print_object(root);
}

/* "loss 0.371  error 12.1 %  144 images/s  11 min left", as far as it is known; malloc'd. */
static char *figures_of(const struct skl_overview_run *r)
{
    char left[32];
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    if (!isnan(r->last.loss)) fprintf(out, "  loss %.3f  error %.1f %%", r->last.loss, r->last.error);
    if (r->state.images_per_second > 0) fprintf(out, "  %.0f images/s", r->state.images_per_second);
    if (r->state.complete && isfinite(r->state.test_error_final))
        fprintf(out, "  test error %.2f %%", r->state.test_error_final);
    if (!strcmp(r->word, "running") && isfinite(r->left)) fprintf(out, "  %s left", skl_duration(r->left, left));
    if (*r->state.cause) fprintf(out, "  %s", r->state.cause);
    if (r->queued) fprintf(out, "  Slurm job %s: %s", r->queued->job, r->queued->state);
    if (r->queued && *r->queued->reason) fprintf(out, " (%s)", r->queued->reason);
    if (r->log) fprintf(out, "  not in Slurm's queue any more, see %s", r->log);
    return skl_text_close(&t);
}

static int digits(int64_t n) { return snprintf(NULL, 0, "%lld", (long long)n); }

/* With a bar on a terminal; elsewhere plain words. */
static void print_row(struct skl_display *d, const struct skl_overview_run *r, int width)
{
    char bar[64] = "", *figures = figures_of(r);
    double whole = r->iterations > 0 ? (double)r->iterations : 1;
    if (d->live) skl_bar(r->state.complete ? 1 : (double)r->iteration / whole, 10, bar);
    skl_display_line(d, skl_overview_colour(r->word), r->word, "%s%s%-*s  %*lld/%lld%s", bar, d->live ? "  " : "",
                     width, r->run->dir, digits(r->iterations), (long long)r->iteration, (long long)r->iterations,
                     figures);
    free(figures);
}

static void print_text(const struct skl_overview *s)
{
    char bar[64];
    int width = 0;
    struct skl_display d;
    skl_display_start(&d, stdout);
    for (int i = 0; i < s->count; i++)
        if ((int)strlen(s->run[i].run->dir) > width) width = (int)strlen(s->run[i].run->dir);
    for (int w = 0; skl_overview_words[w]; w++)
        for (int i = 0; i < s->count; i++)
            if (!strcmp(s->run[i].word, skl_overview_words[w])) print_row(&d, &s->run[i], width);
    skl_print("\n%s%s", d.live ? skl_bar(skl_overview_done(s), 20, bar) : "", d.live ? "  " : "");
    char *counts = skl_overview_counts(s);
    skl_print("%s\n", counts);
    free(counts);
}

/* ---- sweeps ---- */

/* A line, or an object, for one sweep of several. */
static void tell_sweep(const char *folder, const char *name, json_t *list)
{
    struct skl_overview s;
    struct skl_err err = {0};
    int status = skl_overview_open(folder, &s, &err);
    if (as_json) {
        json_t *o = status ? json_pack("{s:o}", "problem", skl_json_text(err.text)) : sweep_json(&s);
        json_object_set_new(o, "folder", skl_json_text(folder));
        json_array_append_new(list, o);
    } else if (status) {
        skl_print("%-24s  %s\n", name, err.text);
    } else {
        char *counts = skl_overview_counts(&s);
        skl_print("%-24s  %s\n", name, counts);
        free(counts);
    }
    if (!status) skl_overview_close(&s);
}

/* The sweeps in a folder of sweeps; *found: how many. */
static int tell_sweeps(const char *folder, int *found, struct skl_err *err)
{
    char **names;
    int count, status = skl_list(folder, &names, &count, err);
    json_t *list = json_array();
    *found = 0;
    for (int i = 0; i < count; i++) {
        char *path = skl_path(folder, names[i]), *plan = skl_path(path, SKL_FILE_PLAN);
        bool is_sweep;
        const bool hidden = skl_is_there(plan, &is_sweep, NULL); /* such as a link: told, and hides no other */
        if ((hidden || is_sweep) && ++*found) tell_sweep(path, names[i], list);
        free(plan);
        free(path);
    }
    skl_list_free(names, count);
    if (!status && as_json && *found) print_object(json_pack("{s:O}", "sweeps", list));
    json_decref(list);
    return status;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_overview s;
    char *plan = skl_path(argv[0], SKL_FILE_PLAN);
    bool is_sweep;
    skl_root_add(argv[0]);
    int found = 0, status = skl_is_there(plan, &is_sweep, err);
    struct skl_seen seen = {0};
    free(plan);
    if (!status && !is_sweep) status = skl_look(argv[0], &seen, err);
    if (!status && seen.kind == SKL_FOLDER) status = tell_sweeps(argv[0], &found, err);
    if (!status && !found && seen.kind == SKL_FOLDER)
        status = skl_fail(err, SKL_DATA, "%s is no sweep and holds none: there is no plan.json", argv[0]);
    if (!status && !found) status = skl_overview_open(argv[0], &s, err);
    if (status) return skl_context(err, "status");
    if (found) return SKL_OK;
    if (as_json)
        print_json(&s);
    else
        print_text(&s);
    skl_overview_close(&s);
    return SKL_OK;
}

static const struct skl_option status_options[] = {
    {"json", SKL_OPT_FLAG, NULL,
     "for programs: {name, count, done, seconds_left, states: {done: N, ...}, runs: [{run, state, ...}, ...]}",
     &as_json, 0, 0},
    {0},
};

const struct skl_command skl_cmd_status = {
    .name = "status",
    .summary = "show which runs of a sweep are done, running, failed or waiting",
    .usage = "RESULTS/NAME | RESULTS",
    .description =
        "A line a run: how far it is, loss and error of its last row of train.csv, images/s, time left, the final\n"
        "test error, or why it ended; and the time left of the whole sweep, if it goes on with as many runs at a\n"
        "time as now. Reads files only, so it may be asked at any time, from another machine too. Where the runs were\n"
        "submitted with --slurm, it also asks squeue and tells each run's job.\n"
        "Of a folder that holds sweeps: a line a sweep.\n",
    .examples = "skiplab status results/quickstart\n"
                "skiplab status results/quickstart --json\n"
                "skiplab status results\n",
    .options = status_options,
    .min_args = 1,
    .max_args = 1,
    .words = {SKL_WORD_FOLDER},
    .run = run,
};
