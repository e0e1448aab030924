#include "core/watch/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/run/folder.h"

/* ---- which run of the results is which of the plan ---- */

struct pair {
    char *dir;
    struct skl_result_run *run;
    int setting;
};

static int by_dir(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return strcmp(x->dir, y->dir);
}

static void match(struct skl_watched *w)
{
    struct pair *pair = skl_alloc_array((size_t)w->results.runs + 1, sizeof *pair);
    size_t n = 0;
    for (int i = 0; i < w->results.settings; i++) {
        struct skl_result_setting *s = &w->results.setting[i];
        for (int k = 0; k < s->runs; k++)
            pair[n++] =
                (struct pair){skl_format("%s/seed-%llu", s->path, (unsigned long long)s->run[k].seed), &s->run[k], i};
    }
    qsort(pair, n, sizeof *pair, by_dir);
    for (int i = 0; i < w->overview.count; i++) {
        struct pair key = {.dir = w->overview.run[i].run->dir}, *found = bsearch(&key, pair, n, sizeof *pair, by_dir);
        w->result[i] = found ? found->run : NULL;
        w->setting[i] = found ? found->setting : 0;
    }
    for (size_t i = 0; i < n; i++) free(pair[i].dir);
    free(pair);
}

/* ---- reading ---- */

static void take(struct skl_watched *w, int i)
{
    const struct skl_overview_run *run = &w->overview.run[i];
    struct skl_result_run *result = w->result[i];
    if (!result || run->settled) return;
    if (strcmp(result->state, run->word)) w->stale = true;
    snprintf(result->state, sizeof result->state, "%s", run->word);
    if (strcmp(run->word, "waiting") && skl_follow_run(&w->log[i], run->folder, result, &w->problem)) w->stale = true;
}

/* Why the first run that cannot be read cannot. */
static void note_unreadable(struct skl_watched *w)
{
    for (int i = 0; i < w->overview.count && !w->problem; i++)
        if (!strcmp(w->overview.run[i].word, "unreadable")) w->problem = skl_strdup(w->overview.run[i].state.cause);
}

static bool is_there(const char *folder, const char *file)
{
    char *path = skl_path(folder, file);
    bool there;
    const bool unknown = skl_is_there(path, &there, NULL); /* what cannot be told is told when it is read */
    free(path);
    return unknown || there;
}

bool skl_watch_is_sweep(const char *folder) { return is_there(folder, SKL_FILE_PLAN); }

static struct skl_seen look_at_plan(const char *folder)
{
    char *path = skl_path(folder, SKL_FILE_PLAN);
    struct skl_seen seen = {0};
    if (skl_look(path, &seen, NULL)) seen = (struct skl_seen){0};
    free(path);
    return seen;
}

static int open_sweep(const char *folder, struct skl_watched *w, struct skl_err *err)
{
    w->plan = look_at_plan(folder);
    int status = skl_overview_open(folder, &w->overview, err);
    return status ? status : skl_results_read(folder, 0, &w->results, err);
}

static void open_run(const char *folder, struct skl_watched *w)
{
    w->one_run = true;
    skl_overview_open_run(folder, &w->overview);
    skl_results_of_run(folder, &w->results);
}

int skl_watched_open(const char *folder, struct skl_watched *w, struct skl_err *err)
{
    *w = (struct skl_watched){.stale = true};
    int status = SKL_OK;
    if (skl_watch_is_sweep(folder))
        status = open_sweep(folder, w, err);
    else if (is_there(folder, SKL_FILE_RECORD) || is_there(folder, SKL_FILE_TRAIN))
        open_run(folder, w);
    else
        status = skl_fail(err, SKL_DATA,
                          "%s: neither a sweep (no %s) nor a run (no %s): name a folder such as results/quickstart",
                          folder, SKL_FILE_PLAN, SKL_FILE_RECORD);
    if (status) {
        skl_watched_close(w);
        return status;
    }
    w->result = skl_alloc_array((size_t)w->overview.count + 1, sizeof *w->result);
    w->setting = skl_alloc_array((size_t)w->overview.count + 1, sizeof *w->setting);
    w->log = skl_alloc_array((size_t)w->overview.count + 1, sizeof *w->log);
    w->sign = skl_alloc((size_t)w->results.settings + 1);
    memset(w->sign, ' ', (size_t)w->results.settings);
    if (w->one_run)
        w->result[0] = w->results.setting->run;
    else
        match(w);
    if (w->results.warnings) w->problem = skl_strdup(w->results.warning[0]);
    for (int i = 0; i < w->overview.count; i++) {
        w->log[i].metrics = 1u << SKL_TRAIN_LOSS | 1u << SKL_TEST_ERROR;
        take(w, i);
    }
    note_unreadable(w);
    return SKL_OK;
}

int skl_watched_again(struct skl_watched *w, struct skl_err *err)
{
    const struct skl_seen plan = look_at_plan(w->overview.folder);
    if (!w->one_run &&
        (plan.inode != w->plan.inode || plan.modified != w->plan.modified || plan.size != w->plan.size)) {
        struct skl_watched next; /* a sweep was extended, or begun anew */
        int status = skl_watched_open(w->overview.folder, &next, err);
        if (status) return status;
        next.scratch = w->scratch, w->scratch = NULL;
        skl_watched_close(w);
        *w = next;
        return SKL_OK;
    }
    skl_overview_again(&w->overview);
    for (int i = 0; i < w->overview.count; i++) take(w, i);
    note_unreadable(w);
    return SKL_OK;
}

void skl_watched_close(struct skl_watched *w)
{
    skl_overview_close(&w->overview);
    skl_results_release(&w->results);
    free(w->result);
    free(w->setting);
    free(w->log);
    free(w->problem);
    free(w->picture);
    free(w->sign);
    if (w->scratch) skl_folder_remove(w->scratch);
    free(w->scratch);
    *w = (struct skl_watched){0};
}
