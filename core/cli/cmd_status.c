/* cmd_status.c - skiplab status: which runs are done, running, failed, waiting. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cmd.h"
#include "core/sweep/display.h"
#include "core/sweep/driver.h"
#include "core/sweep/plan_file.h"
#include "core/train/run.h"

static bool as_json;

struct row {
    const struct skl_listed_run *run;
    struct skl_run_state state;
    char word[16];
    int64_t iteration;
    double left;
};

static const char *const words[] = {"running", "interrupted", "waiting", "failed", "unreadable", "diverged", "done"};
enum { WORDS = sizeof words / sizeof *words };

static struct row look(const char *folder, const struct skl_listed_run *run)
{
    struct row r = {.run = run, .left = NAN};
    char *dir = skl_format("%s/%s", folder, run->dir);
    struct skl_err err = {0};
    struct skl_row last;
    if (skl_run_state_read(dir, &r.state, &err)) {
        snprintf(r.word, sizeof r.word, "unreadable");
        snprintf(r.state.cause, sizeof r.state.cause, "%.255s", err.text);
    } else {
        snprintf(r.word, sizeof r.word, "%s", skl_sweep_state(dir, &r.state));
    }
    r.iteration = r.state.iteration;
    if (!strcmp(r.word, "running") && skl_last_row(dir, &last) && last.iteration > r.iteration)
        r.iteration = last.iteration;
    if (!r.state.complete && r.state.images_per_second > 0)
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

static json_t *real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static void print_json(const struct skl_run_list *list, const struct row *row)
{
    json_t *runs = json_array(), *counts = json_object();
    for (int i = 0; i < list->count; i++) {
        const struct row *r = &row[i];
        json_t *cause = *r->state.cause ? json_string(r->state.cause) : json_null();
        json_array_append_new(runs, json_pack("{s:s, s:s, s:s, s:I, s:s, s:o, s:I, s:I, s:o, s:o, s:o}", "run",
                                              r->run->dir, "setting", r->run->setting, "variant", r->run->variant,
                                              "seed", (json_int_t)r->run->seed, "state", r->word, "cause",
                                              cause ? cause : json_null(), "iteration", (json_int_t)r->iteration,
                                              "iterations", (json_int_t)r->run->iterations, "images_per_second",
                                              real(r->state.images_per_second), "test_error_final",
                                              real(r->state.test_error_final), "seconds_left", real(r->left)));
    }
    for (int i = 0; i < WORDS; i++)
        json_object_set_new(counts, words[i], json_integer(count(row, list->count, words[i])));
    json_t *root = json_pack("{s:i, s:s, s:i, s:o, s:o}", "schema_version", 1, "name", list->name ? list->name : "",
                             "count", list->count, "states", counts, "runs", runs);
    SKL_CHECK(root);
    char *text = json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    SKL_CHECK(text);
    puts(text);
    free(text);
    json_decref(root);
}

static void print_row(const struct row *r)
{
    char left[32], note[320] = "";
    if (*r->state.cause)
        snprintf(note, sizeof note, "  %s", r->state.cause);
    else if (isfinite(r->state.test_error_final))
        snprintf(note, sizeof note, "  test error %.2f %%", r->state.test_error_final);
    else if (!strcmp(r->word, "running") && isfinite(r->left))
        snprintf(note, sizeof note, "  %.0f images/s, %s left", r->state.images_per_second,
                 skl_duration(r->left, left));
    printf("%-12s %8lld/%-8lld %s%s\n", r->word, (long long)r->iteration, (long long)r->run->iterations, r->run->dir,
           note);
}

static void print_text(const struct skl_run_list *list, const struct row *row)
{
    const char *comma = "";
    for (int w = 0; w < WORDS; w++)
        for (int i = 0; i < list->count; i++)
            if (!strcmp(row[i].word, words[w])) print_row(&row[i]);
    printf("\n%d runs: ", list->count);
    for (int w = WORDS - 1; w >= 0; w--) {
        int n = count(row, list->count, words[w]);
        if (n) printf("%s%d %s", comma, n, words[w]);
        if (n) comma = ", ";
    }
    putchar('\n');
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_run_list list;
    int status = skl_run_list_read(argv[0], &list, err);
    if (status) return skl_context(err, "status");
    struct row *row = skl_alloc_array((size_t)list.count + 1, sizeof *row);
    for (int i = 0; i < list.count; i++) row[i] = look(argv[0], &list.run[i]);
    if (as_json)
        print_json(&list, row);
    else
        print_text(&list, row);
    free(row);
    skl_run_list_release(&list);
    return SKL_OK;
}

static const struct skl_option status_options[] = {
    {"json", SKL_OPT_FLAG, NULL, "for programs: {name, count, states: {done: N, ...}, runs: [{run, state, ...}, ...]}",
     &as_json, 0, 0},
    {0},
};

const struct skl_command skl_cmd_status = {
    .name = "status",
    .summary = "show which runs of a sweep are done, running, failed or waiting",
    .usage = "RESULTS/NAME",
    .description = "Reads files only, so it may be asked at any time, from another machine too.\n",
    .examples = "skiplab status results/quickstart\n"
                "skiplab status results/quickstart --json\n",
    .options = status_options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
