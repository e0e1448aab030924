/* watch.c - how far a sweep's runs are, and what became of them. */
#include "core/base/clock.h"
#include "core/base/say.h"
#include "core/sweep/jobs.h"

#include <math.h>
#include <string.h>

#define PLAIN_SECONDS 30.0 /* between a run's lines where there is no terminal */

bool skl_job_is_finished(const struct skl_job *j)
{
    return j->status == SKL_JOB_DONE || j->status == SKL_JOB_DIVERGED || j->status == SKL_JOB_STOPPED;
}

int skl_jobs_finished(const struct skl_driver *d)
{
    int n = 0;
    for (int i = 0; i < d->count; i++) n += skl_job_is_finished(&d->job[i]);
    return n;
}

int skl_jobs_counted(const struct skl_driver *d, enum skl_job_status status)
{
    int n = 0;
    for (int i = 0; i < d->count; i++) n += d->job[i].status == status;
    return n;
}

/* What the run reports; before its first report the last row of an earlier process's train.csv says nothing new. */
static void look(struct skl_job *j)
{
    char text[128];
    long long iteration;
    struct skl_row row;
    double speed, left;
    if (!skl_child_progress(&j->child, text)) return;
    if (strcmp(text, j->report)) j->silent = 0;
    memcpy(j->report, text, sizeof j->report);
    if (sscanf(text, "%lld %lf %lf %lf %*d %lf", &iteration, &row.loss, &row.error, &speed, &left) != 5) return;
    j->left = left;
    if (iteration < 0) return;
    row.iteration = j->iteration = iteration;
    j->row = row;
    j->images_per_second = speed;
}

/* What is left, at the speed of this sweep so far; not less than a run says for itself. */
static double time_left(const struct skl_driver *d)
{
    double done = 0, left = 0, longest = 0;
    for (int i = 0; i < d->count; i++) {
        const struct skl_job *j = &d->job[i];
        if (j->status == SKL_JOB_RUNNING) longest = fmax(longest, j->left);
        if (j->started > 0) done += (double)(j->iteration - j->first);
        if (j->status == SKL_JOB_WAITING || j->status == SKL_JOB_RUNNING || j->status == SKL_JOB_PAUSED)
            left += (double)(j->run->exp.train.iterations - j->iteration);
    }
    return done > 0 ? fmax(longest, left * (skl_seconds() - d->started) / done) : NAN;
}

static void describe(const struct skl_job *j, char *text, size_t size)
{
    int64_t all = j->run->exp.train.iterations;
    char left[32];
    if (j->row.iteration < 0) {
        snprintf(text, size, "starting");
        return;
    }
    int n = snprintf(text, size, "%lld/%lld  loss %.3f  error %.1f %%", (long long)j->iteration, (long long)all,
                     j->row.loss, j->row.error);
    if (j->images_per_second > 0 && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, "  %.0f images/s  %s left", j->images_per_second,
                 skl_duration(j->left, left));
}

static void draw(struct skl_driver *d)
{
    char bar[64], text[160], left[32];
    int finished = skl_jobs_finished(d), failed = skl_jobs_counted(d, SKL_JOB_FAILED),
        elsewhere = skl_jobs_counted(d, SKL_JOB_ELSEWHERE);
    double whole = 0, done = 0;
    for (int i = 0; i < d->count; i++) {
        const struct skl_job *j = &d->job[i];
        double n = (double)j->run->exp.train.iterations;
        whole += n;
        done += skl_job_is_finished(j) ? n : j->status == SKL_JOB_FAILED ? 0 : (double)j->iteration;
    }
    int width = 0;
    for (int i = 0; i < d->count; i++)
        if (d->job[i].status == SKL_JOB_RUNNING && (int)strlen(d->job[i].run->dir) > width)
            width = (int)strlen(d->job[i].run->dir);
    skl_display_begin(&d->display);
    skl_display_row(&d->display, "%s %s  %d of %d run%s finished, %d failed  %s left%s", d->plan->name,
                    skl_bar(whole > 0 ? done / whole : 0, 20, bar), finished, d->count, SKL_S(d->count), failed,
                    skl_duration(time_left(d), left),
                    d->stopping                ? "  stopping"
                    : elsewhere && !d->running ? "  waiting for other processes"
                                               : "");
    for (int i = 0; i < d->count; i++) {
        const struct skl_job *j = &d->job[i];
        if (j->status != SKL_JOB_RUNNING) continue;
        describe(j, text, sizeof text);
        skl_display_row(&d->display, "  %s %-*s  %s",
                        skl_bar((double)j->iteration / (double)j->run->exp.train.iterations, 10, bar), width,
                        j->run->dir, text);
    }
    skl_display_show(&d->display);
}

static void print_plain(struct skl_driver *d, double now)
{
    char text[160], left[32];
    for (int i = 0; i < d->count; i++) {
        struct skl_job *j = &d->job[i];
        if (j->status != SKL_JOB_RUNNING || now - j->said < PLAIN_SECONDS) continue;
        j->said = now;
        describe(j, text, sizeof text);
        skl_display_line(&d->display, SKL_PLAIN, "running", "%s  %s; %d of %d run%s finished, %s left", j->run->dir,
                         text, skl_jobs_finished(d), d->count, SKL_S(d->count), skl_duration(time_left(d), left));
    }
}

void skl_jobs_watch(struct skl_driver *d)
{
    double now = skl_seconds();
    for (int i = 0; i < d->count; i++)
        if (d->job[i].status == SKL_JOB_RUNNING) look(&d->job[i]);
    if (d->display.live)
        draw(d);
    else
        print_plain(d, now);
}

static void print_indented(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        skl_say("  | %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

void skl_jobs_summary(const struct skl_driver *d)
{
    int failed = skl_jobs_counted(d, SKL_JOB_FAILED), done = skl_jobs_counted(d, SKL_JOB_DONE),
        diverged = skl_jobs_counted(d, SKL_JOB_DIVERGED), stopped = skl_jobs_counted(d, SKL_JOB_STOPPED),
        paused = skl_jobs_counted(d, SKL_JOB_PAUSED);
    for (int i = 0; i < d->count; i++) {
        const struct skl_job *j = &d->job[i];
        if (j->status != SKL_JOB_FAILED) continue;
        skl_say("\nfailed: %s\n  %s\n", j->folder, j->cause);
        if (j->tail && strchr(j->tail, '\n')) print_indented(j->tail);
    }
    skl_say("%s: %d of %d run%s done", d->plan->name, done, d->count, SKL_S(d->count));
    if (diverged) skl_say(", %d diverged", diverged);
    if (stopped) skl_say(", %d stopped by halving", stopped);
    if (paused) skl_say(", %d paused at a rung", paused);
    if (failed) skl_say(", %d failed", failed);
    skl_say("; results in %s/%s\n", d->options->results, d->plan->name);
}
