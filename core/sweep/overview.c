#include "core/sweep/overview.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/base/say.h"
#include "core/run/folder.h"
#include "core/sweep/driver.h"

const char *const skl_overview_words[] = {"running",    "interrupted", "paused",  "waiting", "failed",
                                          "unreadable", "diverged",    "stopped", "done",    NULL};

static const char *word_of(const char *text)
{
    for (int i = 0; skl_overview_words[i]; i++)
        if (!strcmp(skl_overview_words[i], text)) return skl_overview_words[i];
    return "unreadable";
}

static bool same(const struct skl_seen *a, const struct skl_seen *b)
{
    return a->kind == b->kind && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified == b->modified;
}

/* Is what was read of a finished run still what stands there? */
static bool settled(struct skl_overview_run *r)
{
    char *path = skl_path(r->folder, SKL_FILE_RECORD);
    struct skl_seen seen = {0};
    const bool here = !skl_look(path, &seen, NULL) && seen.kind == SKL_FILE;
    const bool before = here && same(&seen, &r->record);
    r->record = here ? seen : (struct skl_seen){0};
    free(path);
    return before && r->state.complete;
}

static double time_left(const struct skl_overview_run *r)
{
    if (r->state.complete) return 0;
    if (!strcmp(r->word, "running") && isfinite(r->state.seconds_left)) return r->state.seconds_left;
    if (!(r->state.images_per_second > 0) || !r->run->batch) return NAN;
    return (double)(r->iterations - r->iteration) * r->run->batch / r->state.images_per_second;
}

static void look(struct skl_overview_run *r)
{
    struct skl_err err = {0};
    r->settled = settled(r);
    if (r->settled) return;
    r->state = (struct skl_run_state){0};
    int status = skl_run_state_read(r->folder, &r->state, &err),
        other = skl_last_row(r->folder, &r->last, status ? NULL : &err);
    if (status || (other && strcmp(r->state.state, "failed"))) { /* a failed one has said itself why */
        r->word = word_of("unreadable");
        snprintf(r->state.cause, sizeof r->state.cause, "%.255s", err.text);
    } else {
        r->word = word_of(skl_sweep_state(r->folder, &r->state));
    }
    r->iterations = r->run->iterations ? r->run->iterations : r->state.iterations;
    r->iteration = r->state.iteration;
    if (!strcmp(r->word, "running") && r->last.iteration > r->iteration) r->iteration = r->last.iteration;
    r->left = time_left(r);
}

/* ---- all of them ---- */

static void look_at_queue(const struct skl_overview *o, struct skl_overview_run *r)
{
    r->queued = skl_queue_find(&o->queue, r->run->dir);
    const struct skl_queued *gone = r->state.complete ? NULL : skl_queue_gone(&o->queue, r->run->dir);
    if (gone && strcmp(r->word, "running")) r->log = skl_format("%s/slurm/%s.log", o->folder, gone->job);
}

int skl_overview_open(const char *folder, struct skl_overview *o, struct skl_err *err)
{
    *o = (struct skl_overview){0};
    int status = skl_run_list_read(folder, &o->list, err);
    if (status) return status;
    skl_queue_read(folder, &o->queue);
    o->folder = skl_strdup(folder);
    o->count = o->list.count;
    o->run = skl_alloc_array((size_t)o->count + 1, sizeof *o->run);
    for (int i = 0; i < o->count; i++) {
        struct skl_overview_run *r = &o->run[i];
        r->run = &o->list.run[i];
        r->folder = skl_path(folder, r->run->dir);
        look(r);
        look_at_queue(o, r);
    }
    return SKL_OK;
}

void skl_overview_open_run(const char *folder, struct skl_overview *o)
{
    *o = (struct skl_overview){.folder = skl_strdup(folder), .count = 1};
    const char *name = strrchr(folder, '/');
    struct skl_listed_run *run = SKL_ADD(o->list.run, o->list.count);
    run->dir = skl_strdup(name && name[1] ? name + 1 : folder);
    o->list.name = skl_strdup(folder);
    o->run = skl_alloc_array(1, sizeof *o->run);
    o->run->run = run;
    o->run->folder = skl_strdup(folder);
    look(o->run);
}

void skl_overview_again(struct skl_overview *o)
{
    for (int i = 0; i < o->count; i++) look(&o->run[i]);
}

void skl_overview_close(struct skl_overview *o)
{
    for (int i = 0; i < o->count; i++) {
        free(o->run[i].log);
        free(o->run[i].folder);
    }
    free(o->run);
    free(o->folder);
    skl_queue_release(&o->queue);
    skl_run_list_release(&o->list);
    *o = (struct skl_overview){0};
}

/* ---- what they say together ---- */

int skl_overview_counted(const struct skl_overview *o, const char *word)
{
    int found = 0;
    for (int i = 0; i < o->count; i++) found += !strcmp(o->run[i].word, word);
    return found;
}

static bool awaited(const struct skl_overview_run *r)
{
    return !r->state.complete && strcmp(r->word, "failed") && strcmp(r->word, "unreadable");
}

bool skl_overview_ended(const struct skl_overview *o)
{
    for (int i = 0; i < o->count; i++)
        if (awaited(&o->run[i])) return false;
    return true;
}

enum skl_colour skl_overview_colour(const char *word)
{
    if (!strcmp(word, "done")) return SKL_GREEN;
    if (!strcmp(word, "waiting")) return SKL_DIM;
    if (!strcmp(word, "failed") || !strcmp(word, "unreadable")) return SKL_RED;
    return strcmp(word, "running") ? SKL_YELLOW : SKL_PLAIN;
}

double skl_overview_left(const struct skl_overview *o)
{
    double images = 0, seconds = 0, left = 0, longest = 0;
    int running = skl_overview_counted(o, "running");
    for (int i = 0; i < o->count; i++) {
        if (!(o->run[i].state.seconds > 0)) continue;
        seconds += o->run[i].state.seconds;
        images += (double)o->run[i].state.iteration * o->run[i].run->batch;
    }
    for (int i = 0; i < o->count; i++) {
        const struct skl_overview_run *r = &o->run[i];
        double own = (double)(r->iterations - r->iteration) * r->run->batch * seconds / images;
        if (!awaited(r)) continue;
        if (!strcmp(r->word, "running") && isfinite(r->left)) own = r->left;
        left += own;
        longest = fmax(longest, own);
    }
    return images > 0 ? fmax(longest, left / (running ? running : 1)) : NAN;
}

double skl_overview_done(const struct skl_overview *o)
{
    double done = 0, all = 0;
    for (int i = 0; i < o->count; i++) {
        double whole = (double)o->run[i].iterations;
        all += whole;
        done += o->run[i].state.complete ? whole : fmin(whole, (double)o->run[i].iteration);
    }
    return all > 0 ? done / all : 0;
}

char *skl_overview_counts(const struct skl_overview *o)
{
    const char *comma = "";
    char left[32];
    double seconds = skl_overview_left(o);
    char *text = skl_format("%d run%s: ", o->count, SKL_S(o->count));
    int words = 0;
    while (skl_overview_words[words]) words++;
    for (int w = words - 1; w >= 0; w--) {
        int n = skl_overview_counted(o, skl_overview_words[w]);
        if (n) text = skl_append(text, "%s%d %s", comma, n, skl_overview_words[w]);
        if (n) comma = ", ";
    }
    return seconds > 0 ? skl_append(text, "; %s left", skl_duration(seconds, left)) : text;
}
