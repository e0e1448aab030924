/* report_rows.c - the statistics of a study's rows; the rules are in report.h. */
#include "core/base/grow.h"
#include "core/base/sort.h"
#include "core/report/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 0.95         /* of the interval */
#define INSIDE_SD 2.2      /* of |median - paper| in sd over the seeds (docs/report.md) */
#define MOST_OF_CHANCE 0.9 /* no limit is higher: a net that guesses failed */
enum { LEAST_RANKED = 3 };

const char *const skl_verdict_words[] = {"", "other protocol", "undecided", "inside", "outside"};

/* ---- medians ---- */

/* Of values that may be infinite, NaNs left out. */
static struct skl_spread spread(double *v, int n)
{
    int k = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(v[i])) v[k++] = v[i];
    skl_sort_numbers(v, (size_t)k);
    if (k == 0) return (struct skl_spread){0, NAN, NAN, NAN};
    return (struct skl_spread){k, skl_sorted_median(v, (size_t)k), v[0], v[k - 1]};
}

static double error_of(const struct skl_report_run *r) { return r->error; }
static double best_of(const struct skl_report_run *r) { return r->best; }
static double top5_of(const struct skl_report_run *r) { return r->top5; }
static double train_error_of(const struct skl_report_run *r) { return r->train_error; }
static double train_loss_of(const struct skl_report_run *r) { return r->train_loss; }
static double reached_of(const struct skl_report_run *r) { return r->reached; }
static double speed_of(const struct skl_report_run *r) { return r->record.images_per_second; }
static double hours_of(const struct skl_report_run *r) { return r->record.seconds / 3600; }

/* Over the finished runs of a row. */
static struct skl_spread over(const struct skl_report_row *row, double (*value)(const struct skl_report_run *))
{
    double *v = skl_alloc_array((size_t)row->runs + 1, sizeof *v);
    int n = 0;
    for (int i = 0; i < row->runs; i++)
        if (row->run[i].finished) v[n++] = value(&row->run[i]);
    struct skl_spread result = spread(v, n);
    free(v);
    return result;
}

/* ---- iterations to a training error ---- */

/* The first row of train.csv at or below the level; row 0 is one mini-batch before any update. */
static double reached(const struct skl_report_run *r, double level)
{
    const struct skl_series *s = &r->run->curve[SKL_TRAIN_ERROR];
    for (int i = 0; i < s->n; i++)
        if (s->x[i] > 0 && s->y[i] <= level) return s->x[i];
    return INFINITY;
}

static bool all_reach(const struct skl_report_row *row, double level)
{
    int n = 0;
    for (int i = 0; i < row->runs; i++) {
        if (!row->run[i].finished || row->run[i].diverged) continue;
        if (!isfinite(reached(&row->run[i], level))) return false;
        n++;
    }
    return n > 0;
}

static void set_level(struct skl_study *s, double asked)
{
    static const double levels[] = {1, 2, 5, 10, 20, 50};
    s->level = asked;
    for (size_t i = 0; i < sizeof levels / sizeof *levels && isnan(s->level); i++)
        if (all_reach(&s->row[s->results.baseline], levels[i])) s->level = levels[i];
    if (isnan(s->level)) s->level = 50;
    for (int i = 0; i < s->results.settings; i++)
        for (int k = 0; k < s->row[i].runs; k++) s->row[i].run[k].reached = reached(&s->row[i].run[k], s->level);
}

/* ---- fail ---- */

static bool is_cifar10(const struct skl_report_row *row)
{
    const char *set = skl_facts_get(&row->facts, "data.dataset");
    return set && !strcmp(set, "cifar10");
}

static void set_limit(struct skl_study *s, struct skl_report_row *row)
{
    double base = s->row[s->results.baseline].error.median, most = MOST_OF_CHANCE * row->chance;
    if (is_cifar10(row) || s->fail_times <= 0)
        row->limit = s->fail_above;
    else
        row->limit = isnan(base) ? most : fmin(most, s->fail_times * base);
    if (row->facts.count == 0) return;
    if (is_cifar10(row))
        s->cifar10 = true;
    else
        s->elsewhere = true;
}

static void judge_runs(struct skl_report_row *row)
{
    for (int i = 0; i < row->runs; i++) {
        struct skl_report_run *r = &row->run[i];
        r->failed = r->finished && (r->diverged || r->stopped || r->error > row->limit);
        row->finished += r->finished;
        row->valued += r->finished && !isnan(r->error);
        row->failed += r->failed;
        row->diverged += r->diverged;
        row->stopped += r->stopped;
        row->halved += !strcmp(r->run->state, "stopped");
    }
    row->fail = row->error.n > 0 && row->error.median > row->limit;
}

static void take_rule(struct skl_study *s)
{
    s->fail_above = 20;
    s->fail_times = 3;
    for (int i = 0; i < s->results.settings; i++) {
        const struct skl_facts *facts = &s->row[i].facts;
        if (facts->count == 0) continue;
        s->fail_above = skl_facts_real(facts, "report.fail_above", 20);
        s->fail_times = skl_facts_real(facts, "report.fail_times_baseline", 3);
        return;
    }
}

/* ---- against the baseline ---- */

static const struct skl_report_run *of_seed(const struct skl_report_row *row, uint64_t seed)
{
    for (int i = 0; i < row->runs; i++)
        if (row->run[i].run->seed == seed) return &row->run[i];
    return NULL;
}

static bool counted(const struct skl_report_run *r) { return r && r->finished && !isnan(r->error); }

static void compare(const struct skl_report_row *base, struct skl_report_row *row)
{
    double *a = skl_alloc_array((size_t)row->runs + 1, sizeof *a),
           *b = skl_alloc_array((size_t)row->runs + 1, sizeof *b);
    int n = 0;
    bool failed = false;
    row->difference_low = row->difference_high = row->p = row->p_holm = NAN;
    for (int i = 0; i < row->runs && row != base; i++) {
        const struct skl_report_run *r = &row->run[i], *other = of_seed(base, r->run->seed);
        if (!counted(r) || !counted(other)) continue;
        a[n] = r->error;
        b[n] = other->error;
        row->difference_low = fmin(row->difference_low, a[n] - b[n]);
        row->difference_high = fmax(row->difference_high, a[n] - b[n]);
        failed = failed || r->failed || other->failed;
        n++;
    }
    /* One pair is no mean; where a run failed the differences are those of two kinds of outcome. */
    row->difference = skl_paired_interval(a, b, failed || n < 2 ? 0 : n, LEVEL);
    row->p = skl_interval_p(&row->difference);
    row->difference.n = n;
    free(a);
    free(b);
}

static void adjust(struct skl_study *s)
{
    int n = s->results.settings;
    double *p = skl_alloc_array((size_t)n, sizeof *p), *holm = skl_alloc_array((size_t)n, sizeof *holm);
    for (int i = 0; i < n; i++) p[i] = s->row[i].p;
    skl_holm(p, n, holm);
    for (int i = 0; i < n; i++) s->row[i].p_holm = holm[i];
    free(p);
    free(holm);
}

/* ---- beside the paper ---- */

static enum skl_verdict verdict(const struct skl_report_row *row)
{
    if (isnan(row->paper) && !row->paper_fails) return SKL_NO_VERDICT;
    if (!skl_row_follows_paper(row)) return SKL_OTHER_PROTOCOL;
    if (row->valued < row->runs || row->valued == 0) return SKL_UNDECIDED;
    if (row->paper_fails || row->fail) return row->paper_fails == row->fail ? SKL_INSIDE : SKL_OUTSIDE;
    if (row->valued < 2) return SKL_UNDECIDED;
    double *v = skl_alloc_array((size_t)row->runs, sizeof *v);
    for (int i = 0; i < row->runs; i++) v[i] = row->run[i].error;
    double sd = skl_sd(v, row->runs);
    free(v);
    return fabs(row->error.median - row->paper) <= INSIDE_SD * sd ? SKL_INSIDE : SKL_OUTSIDE;
}

static void rank_against_paper(struct skl_study *s)
{
    int n = s->results.settings;
    double *own = skl_alloc_array((size_t)n, sizeof *own), *paper = skl_alloc_array((size_t)n, sizeof *paper);
    for (int i = 0; i < n; i++) {
        const struct skl_report_row *row = &s->row[i];
        if (row->error.n == 0 || (isnan(row->paper) && !row->paper_fails)) continue;
        s->compared++;
        s->both_fail += row->paper_fails && row->fail;
        s->both_train += !row->paper_fails && !row->fail;
        if (isnan(row->paper)) continue;
        own[s->ranked] = row->error.median;
        paper[s->ranked++] = row->paper;
    }
    s->rank_correlation = s->ranked < LEAST_RANKED ? NAN : skl_spearman(own, paper, s->ranked);
    free(own);
    free(paper);
}

/* ---- all of it ---- */

static void set_spreads(struct skl_report_row *row)
{
    row->best = over(row, best_of);
    row->top5 = over(row, top5_of);
    row->train_error = over(row, train_error_of);
    row->train_loss = over(row, train_loss_of);
    row->reached = over(row, reached_of);
    row->speed = over(row, speed_of);
    row->hours = over(row, hours_of);
}

static void set_mean(struct skl_report_row *row)
{
    double *v = skl_alloc_array((size_t)row->runs + 1, sizeof *v);
    int n = 0;
    for (int i = 0; i < row->runs; i++)
        if (counted(&row->run[i])) v[n++] = row->run[i].error;
    row->mean = n < 2 || row->failed ? NAN : skl_mean(v, n);
    row->sd = n < 2 || row->failed ? NAN : skl_sd(v, n);
    free(v);
}

void skl_study_statistics(struct skl_study *s, const struct skl_report_options *o)
{
    int n = s->results.settings;
    struct skl_report_row *base = &s->row[s->results.baseline];
    take_rule(s);
    set_level(s, o->level);
    for (int i = 0; i < n; i++) s->row[i].error = over(&s->row[i], error_of);
    for (int i = 0; i < n; i++) {
        set_limit(s, &s->row[i]);
        judge_runs(&s->row[i]);
        set_spreads(&s->row[i]);
        set_mean(&s->row[i]);
    }
    s->baseline_failed = base->fail;
    for (int i = 0; i < n; i++) compare(base, &s->row[i]);
    adjust(s);
    for (int i = 0; i < n; i++) s->row[i].verdict = verdict(&s->row[i]);
    rank_against_paper(s);
}

/* ---- remarks ---- */

static void say(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(FILE *out, const char *fmt, ...)
{
    va_list args;
    if (ftell(out) > 0) fputs("; ", out);
    va_start(args, fmt);
    vfprintf(out, fmt, args);
    va_end(args);
}

static void say_unfinished(FILE *out, const struct skl_report_row *row)
{
    static const char *const states[] = {"running", "interrupted", "paused", "waiting", "failed", "unreadable"};
    const char *before = "unfinished: ";
    if (row->finished + row->halved == row->runs) return;
    if (ftell(out) > 0) fputs("; ", out);
    for (size_t k = 0; k < sizeof states / sizeof *states; k++) {
        int n = 0;
        for (int i = 0; i < row->runs; i++) n += !strcmp(row->run[i].run->state, states[k]);
        if (n) fprintf(out, "%s%d %s", before, n, states[k]);
        if (n) before = ", ";
    }
}

char *skl_row_remark(const struct skl_study *s, const struct skl_report_row *row)
{
    int other = 0;
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    bool baseline = row == &s->row[s->results.baseline];
    if (baseline) say(out, s->baseline_failed ? "baseline itself did not train" : "baseline");
    if (row->failed) say(out, "%d of %d over the limit", row->failed, row->finished);
    if (row->diverged) say(out, "%d diverged", row->diverged);
    if (row->stopped) say(out, "%d stopped by give_up", row->stopped);
    if (row->valued < row->finished) say(out, "%d without a test error", row->finished - row->valued);
    if (row->halved) say(out, "%d stopped by halving: no result", row->halved);
    say_unfinished(out, row);
    for (int i = 0; i < row->runs; i++) other += row->run[i].record.other_numerics;
    if (other) say(out, "%d resumed under another numerics key", other);
    return skl_text_close(&t);
}
