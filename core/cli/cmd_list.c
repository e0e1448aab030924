/* cmd_list.c - skiplab list: all sweeps below a folder. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/fs.h"
#include "core/base/place.h"
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/io/json.h"
#include "core/run/folder.h"
#include "core/run/record.h"
#include "core/sweep/driver.h"
#include "core/sweep/plan_file.h"

static bool as_json;

/* What is said of a sweep.  changed: the newest run.json, seconds since 1970; else plan.json's.  problem: "" or why it
 * cannot be read. */
struct listed {
    char *name, *note;
    int runs, done, running, failed;
    int64_t changed;
    char problem[256];
};

static int64_t changed_at(const char *folder, const char *file)
{
    char *path = skl_path(folder, file);
    struct skl_seen seen = {0};
    const int status = skl_look(path, &seen, NULL);
    free(path);
    return status || seen.kind != SKL_FILE ? 0 : seen.modified;
}

static void count_run(struct listed *l, const char *folder, const struct skl_listed_run *run)
{
    char *dir = skl_path(folder, run->dir);
    struct skl_run_state s = {0};
    const int64_t at = changed_at(dir, SKL_FILE_RECORD);
    const bool unread = skl_run_state_read(dir, &s, NULL) != SKL_OK;
    const char *word = unread ? "failed" : skl_sweep_state(dir, &s);
    l->runs++;
    l->done += s.complete;
    l->running += !strcmp(word, "running");
    l->failed += !strcmp(word, "failed");
    if (at > l->changed) l->changed = at;
    free(dir);
}

/* The first line of the notes, or the label. */
static char *note_of(const struct skl_run_list *list)
{
    const char *note = list->notes ? list->notes : list->label ? list->label : "";
    return skl_format("%.*s", (int)strcspn(note, "\n"), note);
}

static struct listed look(const char *folder, const char *name)
{
    struct listed l = {.name = skl_strdup(name), .changed = changed_at(folder, SKL_FILE_PLAN)};
    struct skl_run_list list;
    struct skl_err err = {0};
    if (skl_run_list_read(folder, &list, &err)) {
        snprintf(l.problem, sizeof l.problem, "%.255s", err.text);
        l.note = skl_strdup("");
        return l;
    }
    for (int i = 0; i < list.count; i++) count_run(&l, folder, &list.run[i]);
    l.note = note_of(&list);
    skl_run_list_release(&list);
    return l;
}

static const char *state_of(const struct listed *l)
{
    if (*l->problem) return "unreadable";
    if (l->running) return "running";
    if (l->done == l->runs) return "done";
    return l->failed ? "failed" : l->done ? "unfinished" : "waiting";
}

static void print_line(const struct listed *l)
{
    char date[32] = "-";
    const time_t at = (time_t)l->changed;
    struct tm day;
    if (at && gmtime_r(&at, &day)) strftime(date, sizeof date, "%Y-%m-%d %H:%MZ", &day);
    skl_print("%-24s  %-10s  %5d/%-5d  %-17s  %s\n", l->name, state_of(l), l->done, l->runs, date,
              *l->problem ? l->problem : l->note);
}

static json_t *object(const struct listed *l)
{
    json_t *o = json_pack("{s:o, s:s, s:i, s:i, s:i, s:i, s:I, s:o}", "name", skl_json_text(l->name), "state",
                          state_of(l), "runs", l->runs, "done", l->done, "running", l->running, "failed", l->failed,
                          "changed", (json_int_t)l->changed, "note", skl_json_text(l->note));
    SKL_CHECK(o);
    if (*l->problem) json_object_set_new(o, "problem", skl_json_text(l->problem));
    return o;
}

/* What cannot be looked at, such as a link, is told and hides no other. */
static void tell(const char *results, const char *name, json_t *sweeps)
{
    char *folder = skl_path(results, name), *plan = skl_path(folder, SKL_FILE_PLAN);
    bool there = false;
    if (skl_is_there(plan, &there, NULL) || there) {
        struct listed l = look(folder, name);
        json_array_append_new(sweeps, object(&l));
        if (!as_json) print_line(&l);
        free(l.name), free(l.note);
    }
    free(plan), free(folder);
}

static int run(int argc, char **argv, struct skl_err *err)
{
    const char *results = argc ? argv[0] : "results";
    char **names;
    int count;
    skl_root_add(results);
    int status = skl_list(results, &names, &count, err);
    if (status) return skl_context(err, "list");
    char *plan = skl_path(results, "plan.json");
    struct skl_seen seen;
    const bool sweep = !skl_look(plan, &seen, NULL) && seen.kind == SKL_FILE;
    free(plan);
    json_t *sweeps = json_array();
    for (int i = 0; i < count; i++) tell(results, names[i], sweeps);
    skl_list_free(names, count);
    if (as_json)
        skl_json_print(json_pack("{s:i, s:O}", "schema_version", 1, "sweeps", sweeps));
    else if (!json_array_size(sweeps) && sweep)
        status = skl_fail(err, SKL_DATA, "%s is a sweep itself: 'skiplab status %s', or list the folder that it is in",
                          results, results);
    else if (!json_array_size(sweeps))
        status = skl_fail(err, SKL_DATA, "%s holds no sweep: none of its folders has a plan.json", results);
    json_decref(sweeps);
    return status;
}

static const struct skl_option list_options[] = {
    {"json", SKL_OPT_FLAG, NULL,
     "for programs: {sweeps: [{name, state, runs, done, running, failed, changed, note}, ...]}", &as_json, 0, 0},
    {0},
};

const struct skl_command skl_cmd_list = {
    .name = "list",
    .summary = "all sweeps of a folder: state, date, note",
    .usage = "[RESULTS]",
    .description =
        "A line a sweep below RESULTS (default: results): its state, how many of its runs are done, when one of\n"
        "them last changed (UTC), and the first line of the experiment's notes, or its label. Reads files only.\n",
    .examples = "skiplab list\n"
                "skiplab list results --json\n",
    .options = list_options,
    .min_args = 0,
    .max_args = 1,
    .words = {SKL_WORD_FOLDER},
    .run = run,
};
