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
#include "core/run/record.h"
#include "core/sweep/display.h"
#include "core/sweep/driver.h"
#include "core/sweep/plan_file.h"
#include "core/sweep/slurm.h"

static bool as_json;

struct row {
    const struct skl_listed_run *run;
    struct skl_run_state state;
    char word[16];
    struct skl_row last; /* of train.csv; loss NaN: none */
    int64_t iteration;
    double left;                     /* seconds; NaN: unknown */
    const struct skl_queued *queued; /* what Slurm says of it; NULL: nothing */
    char *log;                       /* what its job wrote that left the queue without finishing it; NULL: none */
};

struct sweep {
    struct skl_run_list list;
    struct skl_queue queue;
    struct row *row; /* one a run of the list */
};

static const char *const words[] = {"running", "interrupted", "waiting", "failed", "unreadable", "diverged", "done"};
enum { WORDS = sizeof words / sizeof *words };

static struct row look(const char *folder, const struct skl_listed_run *run, const struct skl_queue *queue)
{
    struct row r = {.run = run, .left = NAN, .queued = skl_queue_find(queue, run->dir)};
    char *dir = skl_format("%s/%s", folder, run->dir);
    struct skl_err err = {0};
    int status = skl_run_state_read(dir, &r.state, &err), other = skl_last_row(dir, &r.last, status ? NULL : &err);
    if (status || (other && strcmp(r.state.state, "failed"))) { /* a failed one has said itself why */
        snprintf(r.word, sizeof r.word, "unreadable");
        snprintf(r.state.cause, sizeof r.state.cause, "%.255s", err.text);
    } else {
        snprintf(r.word, sizeof r.word, "%s", skl_sweep_state(dir, &r.state));
    }
    const struct skl_queued *gone = r.state.complete ? NULL : skl_queue_gone(queue, run->dir);
    if (gone && strcmp(r.word, "running")) r.log = skl_format("%s/slurm/%s.log", folder, gone->job);
    r.iteration = r.state.iteration;
    if (!strcmp(r.word, "running") && r.last.iteration > r.iteration) r.iteration = r.last.iteration;
    if (r.state.complete)
        r.left = 0;
    else if (!strcmp(r.word, "running") && isfinite(r.state.seconds_left))
        r.left = r.state.seconds_left;
    else if (r.state.images_per_second > 0)
        r.left = (double)(run->iterations - r.iteration) * run->batch / r.state.images_per_second;
    free(dir);
    return r;
}

static int count(const struct row *row, int n, const char *word)
{
    int found = 0;
    for (int i = 0; i < n; i++) found += !strcmp(row[i].word, word);
    return found;
}

/* A run that failed stays so until it is asked for: it is not waited for. */
static bool awaited(const struct row *r)
{
    return !r->state.complete && strcmp(r->word, "failed") && strcmp(r->word, "unreadable");
}

/* Seconds until all runs are finished, as many at a time as run now, at the mean speed so far, tests and checkpoints
 * included.  NaN: nothing was trained yet. */
static double sweep_left(const struct row *row, int n)
{
    double images = 0, seconds = 0, left = 0, longest = 0;
    int running = count(row, n, "running");
    for (int i = 0; i < n; i++) {
        if (!(row[i].state.seconds > 0)) continue;
        seconds += row[i].state.seconds;
        images += (double)row[i].state.iteration * row[i].run->batch;
    }
    for (int i = 0; i < n; i++) {
        double own = (double)(row[i].run->iterations - row[i].iteration) * row[i].run->batch * seconds / images;
        if (!awaited(&row[i])) continue;
        if (!strcmp(row[i].word, "running") && isfinite(row[i].left)) own = row[i].left;
        left += own;
        longest = fmax(longest, own);
    }
    return images > 0 ? fmax(longest, left / (running ? running : 1)) : NAN;
}

/* What is done, as a part of all iterations. */
static double sweep_done(const struct row *row, int n)
{
    double done = 0, all = 0;
    for (int i = 0; i < n; i++) {
        double whole = (double)row[i].run->iterations;
        all += whole;
        done += row[i].state.complete ? whole : fmin(whole, (double)row[i].iteration);
    }
    return all > 0 ? done / all : 0;
}

static json_t *queued(const struct row *r)
{
    const struct skl_queued *q = r->queued;
    return q ? json_pack("{s:s, s:s, s:s}", "job", q->job, "state", q->state, "reason", q->reason) : json_null();
}

static json_t *run_json(const struct row *r)
{
    json_t *cause = *r->state.cause ? json_string(r->state.cause) : json_null();
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "run", r->run->dir, "setting",
        r->run->setting, "variant", r->run->variant, "seed", (json_int_t)r->run->seed, "state", r->word, "cause",
        cause ? cause : json_null(), "iteration", (json_int_t)r->iteration, "iterations",
        (json_int_t)r->run->iterations, "images_per_second", skl_json_real(r->state.images_per_second),
        "test_error_final", skl_json_real(r->state.test_error_final), "seconds_left", skl_json_real(r->left),
        "train_loss", skl_json_real(r->last.loss), "train_error", skl_json_real(r->last.error), "slurm", queued(r));
    SKL_CHECK(o);
    if (r->log) json_object_set_new(o, "slurm_log", json_string(r->log));
    return o;
}

/* What is said of a sweep as a whole. */
static json_t *sweep_json(const struct sweep *s)
{
    json_t *counts = json_object();
    for (int i = 0; i < WORDS; i++)
        json_object_set_new(counts, words[i], json_integer(count(s->row, s->list.count, words[i])));
    return json_pack("{s:s, s:i, s:f, s:o, s:o}", "name", s->list.name ? s->list.name : "", "count", s->list.count,
                     "done", sweep_done(s->row, s->list.count), "seconds_left",
                     skl_json_real(sweep_left(s->row, s->list.count)), "states", counts);
}

static void print_object(json_t *root)
{
    json_object_set_new(root, "schema_version", json_integer(1));
    skl_json_print(root);
}

static void print_json(const struct sweep *s)
{
    json_t *runs = json_array(), *root = sweep_json(s);
    for (int i = 0; i < s->list.count; i++) json_array_append_new(runs, run_json(&s->row[i]));
    json_object_set_new(root, "runs", runs);
    print_object(root);
}

static enum skl_colour colour_of(const char *word)
{
    if (!strcmp(word, "done")) return SKL_GREEN;
    if (!strcmp(word, "waiting")) return SKL_DIM;
    if (!strcmp(word, "failed") || !strcmp(word, "unreadable")) return SKL_RED;
    return strcmp(word, "running") ? SKL_YELLOW : SKL_PLAIN;
}

/* "loss 0.371  error 12.1 %  144 images/s  11 min left", as far as it is known; malloc'd. */
static char *figures_of(const struct row *r)
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
static void print_row(struct skl_display *d, const struct row *r, int width)
{
    char bar[64] = "", *figures = figures_of(r);
    double whole = r->run->iterations > 0 ? (double)r->run->iterations : 1;
    if (d->live) skl_bar(r->state.complete ? 1 : (double)r->iteration / whole, 10, bar);
    skl_display_line(d, colour_of(r->word), r->word, "%s%s%-*s  %*lld/%lld%s", bar, d->live ? "  " : "", width,
                     r->run->dir, digits(r->run->iterations), (long long)r->iteration, (long long)r->run->iterations,
                     figures);
    free(figures);
}

/* "6 runs: 4 done, 2 waiting; 3 min left" */
static void print_counts(const struct sweep *s)
{
    const char *comma = "";
    char left[32];
    double seconds = sweep_left(s->row, s->list.count);
    skl_print("%d run%s: ", s->list.count, SKL_S(s->list.count));
    for (int w = WORDS - 1; w >= 0; w--) {
        int n = count(s->row, s->list.count, words[w]);
        if (n) skl_print("%s%d %s", comma, n, words[w]);
        if (n) comma = ", ";
    }
    if (seconds > 0) skl_print("; %s left", skl_duration(seconds, left));
    skl_print("\n");
}

static void print_text(const struct sweep *s)
{
    char bar[64];
    int width = 0;
    struct skl_display d;
    skl_display_start(&d, stdout);
    for (int i = 0; i < s->list.count; i++)
        if ((int)strlen(s->row[i].run->dir) > width) width = (int)strlen(s->row[i].run->dir);
    for (int w = 0; w < WORDS; w++)
        for (int i = 0; i < s->list.count; i++)
            if (!strcmp(s->row[i].word, words[w])) print_row(&d, &s->row[i], width);
    skl_print("\n%s%s", d.live ? skl_bar(sweep_done(s->row, s->list.count), 20, bar) : "", d.live ? "  " : "");
    print_counts(s);
}

/* ---- sweeps ---- */

static int open_sweep(const char *folder, struct sweep *s, struct skl_err *err)
{
    *s = (struct sweep){0};
    int status = skl_run_list_read(folder, &s->list, err);
    if (status) return status;
    skl_queue_read(folder, &s->queue);
    s->row = skl_alloc_array((size_t)s->list.count + 1, sizeof *s->row);
    for (int i = 0; i < s->list.count; i++) s->row[i] = look(folder, &s->list.run[i], &s->queue);
    return SKL_OK;
}

static void close_sweep(struct sweep *s)
{
    for (int i = 0; i < s->list.count; i++) free(s->row[i].log);
    free(s->row);
    skl_queue_release(&s->queue);
    skl_run_list_release(&s->list);
}

/* A line, or an object, for one sweep of several. */
static void tell_sweep(const char *folder, const char *name, json_t *list)
{
    struct sweep s;
    struct skl_err err = {0};
    int status = open_sweep(folder, &s, &err);
    if (as_json) {
        json_t *o = status ? json_pack("{s:o}", "problem", skl_json_text(err.text)) : sweep_json(&s);
        json_object_set_new(o, "folder", skl_json_text(folder));
        json_array_append_new(list, o);
    } else if (status) {
        skl_print("%-24s  %s\n", name, err.text);
    } else {
        skl_print("%-24s  ", name);
        print_counts(&s);
    }
    if (!status) close_sweep(&s);
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
    struct sweep s;
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
    if (!status && !found) status = open_sweep(argv[0], &s, err);
    if (status) return skl_context(err, "status");
    if (found) return SKL_OK;
    if (as_json)
        print_json(&s);
    else
        print_text(&s);
    close_sweep(&s);
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
