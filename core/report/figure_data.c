#include "core/report/figure_data.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/report/legend.h"

enum { AUTO_ROWS = 100, AUTO_MAX = 9 };

static bool matches(const struct skl_result_setting *s, const char *only)
{
    return !only || fnmatch(only, s->path, 0) == 0 || fnmatch(only, s->path + s->within, 0) == 0 ||
           fnmatch(only, s->variant, 0) == 0;
}

bool skl_drawing_wants(const struct skl_results *r, int i, const char *only)
{
    return i == r->baseline || matches(&r->setting[i], only);
}

int skl_drawing_style(const struct skl_results *r, int i) { return i == r->baseline ? 0 : i < r->baseline ? i + 1 : i; }

static int window_of(int rows, int smooth)
{
    if (smooth != SKL_SMOOTH_AUTO) return smooth;
    int window = rows / AUTO_ROWS;
    return window < 1 ? 1 : window > AUTO_MAX ? AUTO_MAX : window;
}

/* Training curves are means over a few batches and rough; test curves are exact and drawn as they are. */
static void make_curve(const struct skl_result_setting *s, int metric, int smooth, struct skl_drawn_curve *c)
{
    struct skl_series *series = skl_alloc_array((size_t)s->runs + 1, sizeof *series);
    bool rough = metric == SKL_TRAIN_LOSS || metric == SKL_TRAIN_ERROR;
    for (int i = 0; i < s->runs; i++) {
        const struct skl_series *raw = &s->run[i].curve[metric];
        series[i] = *raw;
        if (!rough || raw->n == 0) continue;
        series[i].y = skl_alloc_array((size_t)raw->n, sizeof *series[i].y);
        skl_running_median(raw->y, raw->n, window_of(raw->n, smooth), series[i].y);
    }
    c->metric = metric;
    skl_band_over(series, s->runs, &c->band);
    for (int i = 0; i < s->runs; i++)
        if (series[i].y != s->run[i].curve[metric].y) free(series[i].y);
    free(series);
}

static bool stopped(const struct skl_result_run *run, int metric)
{
    return run->curve[metric].n > 0 &&
           (!strcmp(run->state, "diverged") || !strcmp(run->state, "failed") || !strcmp(run->state, "stopped"));
}

static void name_files(struct skl_drawn_curve *c, const struct skl_drawn_setting *d)
{
    const char *metric = skl_metric_table[c->metric].name;
    if (c->band.n) c->file = skl_format("data/%s.%s.csv", d->slug, metric);
    for (int i = 0; i < c->band.n && !c->edges; i++)
        if (c->band.seeds[i] > 1) c->edges = skl_format("data/%s.%s.band.csv", d->slug, metric);
    for (int i = 0; i < d->setting->runs && !c->stops; i++)
        if (stopped(&d->setting->run[i], c->metric)) c->stops = skl_format("data/%s.%s.stops.csv", d->slug, metric);
}

static void add_setting(struct skl_drawing *d, const struct skl_results *r, int i, const struct skl_figure_options *o)
{
    struct skl_drawn_setting *set = &d->set[d->count];
    *set = (struct skl_drawn_setting){.setting = &r->setting[i]};
    set->style = skl_drawing_style(r, i);
    set->slug = skl_legend_slug(r, i);
    make_curve(set->setting, SKL_TRAIN_LOSS, o->smooth, &set->left);
    make_curve(set->setting, o->metric, o->smooth, &set->right);
    name_files(&set->left, set);
    name_files(&set->right, set);
    const struct skl_drawn_curve *curves[] = {&set->left, &set->right};
    for (int k = 0; k < 2; k++)
        if (curves[k]->band.n) d->x_end = fmax(d->x_end, curves[k]->band.x[curves[k]->band.n - 1]);
    d->count++;
}

static void release_curve(struct skl_drawn_curve *c)
{
    skl_band_release(&c->band);
    free(c->file);
    free(c->edges);
    free(c->stops);
}

static void release_setting(struct skl_drawn_setting *set)
{
    free(set->slug);
    release_curve(&set->left);
    release_curve(&set->right);
}

static bool has_rows(const struct skl_result_setting *s, const struct skl_figure_options *o)
{
    for (int i = 0; i < s->runs; i++)
        if (s->run[i].curve[SKL_TRAIN_LOSS].n || s->run[i].curve[o->metric].n) return true;
    return false;
}

int skl_drawing_make(const struct skl_results *r, const struct skl_figure_options *o, struct skl_drawing *d,
                     struct skl_err *err)
{
    *d = (struct skl_drawing){.set = skl_alloc_array((size_t)r->settings, sizeof *d->set),
                              .x = o->images ? "images" : "iteration"};
    bool matched = false, rows = false, right = false;
    int most = o->headline ? SKL_HEADLINE_SETTINGS : SKL_DRAWN_SETTINGS;
    add_setting(d, r, r->baseline, o);
    d->wanted = 1;
    for (int i = 0; i < r->settings; i++) {
        matched |= matches(&r->setting[i], o->only);
        if (i == r->baseline || !matches(&r->setting[i], o->only) || !has_rows(&r->setting[i], o)) continue;
        if (++d->wanted > most) continue;
        add_setting(d, r, i, o);
    }
    for (int i = 0; i < d->count; i++) right |= d->set[i].right.band.n > 0;
    for (int i = 0; i < d->count; i++) rows |= d->set[i].left.band.n || right;
    /* Before the first test a figure of test errors shows the training losses; what was never asked for is a
     * mistake. */
    bool asked = right || o->metric == SKL_TEST_ERROR;
    if (matched && rows && asked) return SKL_OK;
    skl_drawing_release(d);
    if (matched && rows)
        return skl_fail(err, SKL_DATA, "%s: no run has a %s with rows for --metric %s", r->folder,
                        skl_metric_table[o->metric].file, skl_metric_table[o->metric].name);
    if (!matched) return skl_fail(err, SKL_USAGE, "--only '%s' matches no variant of %s", o->only, r->folder);
    return skl_fail(err, SKL_DATA, "%s: no run has rows to draw yet; 'skiplab status' says how far they are",
                    r->folder);
}

static int write_text(const char *folder, const char *file, const char *text, size_t n, struct skl_err *err)
{
    char *path = skl_path(folder, file);
    int status = skl_file_write_quick(path, text, n, err);
    free(path);
    return status;
}

static int write_band(const struct skl_drawn_curve *c, const char *x, const char *folder, struct skl_err *err)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fprintf(out, "%s,seeds,median,low,high\n", x);
    const struct skl_band *b = &c->band;
    for (int i = 0; i < b->n; i++)
        fprintf(out, "%.9g,%d,%.9g,%.9g,%.9g\n", b->x[i], b->seeds[i], b->median[i], b->low[i], b->high[i]);
    skl_text_close(&t);
    int status = write_text(folder, c->file, t.text, t.n, err);
    free(t.text);
    return status;
}

void skl_limits_add(struct skl_limits *limits, double at, bool log)
{
    for (int i = 0; i < limits->count; i++)
        if (limits->y[i].at == at && limits->y[i].log == log) return;
    if (limits->count == (int)(sizeof limits->y / sizeof *limits->y)) return;
    limits->y[limits->count].at = at;
    limits->y[limits->count++].log = log;
}

struct place {
    double at; /* between two rows, 0 to 1 */
    bool log;
};

static double lifted_log(double v) { return log(fmax(v, 1e-12)); } /* as positive() in plots/style.gp */

/* Where a line from a to b meets a limit; outside 0 to 1 where it does not. */
static struct place crossing(double a, double b, double limit, bool log_axis)
{
    if (!log_axis) return (struct place){(limit - a) / (b - a), false};
    return (struct place){(log(limit) - lifted_log(a)) / (lifted_log(b) - lifted_log(a)), true};
}

static double value_at(struct place p, double a, double b)
{
    if (!p.log) return a + p.at * (b - a);
    return exp(lifted_log(a) + p.at * (lifted_log(b) - lifted_log(a)));
}

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* Rows between row i and the next one: where an edge crosses a limit of y, and at the limits of x. */
static void put_rows_between(FILE *out, const struct skl_band *b, int i, const struct skl_limits *l)
{
    struct place at[2 * sizeof l->y / sizeof *l->y + 2];
    double step = b->x[i + 1] - b->x[i];
    int n = 0, kept = 0;
    for (int k = 0; k < l->count; k++) {
        at[n++] = crossing(b->low[i], b->low[i + 1], l->y[k].at, l->y[k].log);
        at[n++] = crossing(b->high[i], b->high[i + 1], l->y[k].at, l->y[k].log);
    }
    at[n++] = (struct place){(l->x_min - b->x[i]) / step, false};
    at[n++] = (struct place){(l->x_max - b->x[i]) / step, false};
    for (int k = 0; k < n; k++)
        if (at[k].at > 0 && at[k].at < 1) at[kept++] = at[k];
    qsort(at, (size_t)kept, sizeof *at, by_place);
    for (int k = 0; k < kept; k++) {
        double x = b->x[i] + at[k].at * step;
        bool again = k > 0 && at[k].at == at[k - 1].at;
        if (x >= l->x_min && x <= l->x_max && !again)
            fprintf(out, "%.9g,%.9g,%.9g\n", x, value_at(at[k], b->low[i], b->low[i + 1]),
                    value_at(at[k], b->high[i], b->high[i + 1]));
    }
}

static int write_edges(const struct skl_drawn_curve *c, const char *x, const char *folder, const struct skl_limits *l,
                       struct skl_err *err)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fprintf(out, "%s,low,high\n", x);
    const struct skl_band *b = &c->band;
    for (int i = 0; i < b->n; i++) {
        if (b->x[i] >= l->x_min && b->x[i] <= l->x_max)
            fprintf(out, "%.9g,%.9g,%.9g\n", b->x[i], b->low[i], b->high[i]);
        if (i + 1 < b->n) put_rows_between(out, b, i, l);
    }
    skl_text_close(&t);
    int status = write_text(folder, c->edges, t.text, t.n, err);
    free(t.text);
    return status;
}

static int write_stops(const struct skl_drawn_curve *c, const struct skl_result_setting *s, const char *x,
                       const char *folder, struct skl_err *err)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fprintf(out, "%s,value\n", x);
    for (int i = 0; i < s->runs; i++) {
        const struct skl_series *curve = &s->run[i].curve[c->metric];
        if (stopped(&s->run[i], c->metric)) fprintf(out, "%.9g,%.9g\n", curve->x[curve->n - 1], curve->y[curve->n - 1]);
    }
    skl_text_close(&t);
    int status = write_text(folder, c->stops, t.text, t.n, err);
    free(t.text);
    return status;
}

int skl_drawing_write(const struct skl_drawing *d, const char *folder, const struct skl_limits *left,
                      const struct skl_limits *right, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < d->count; i++) {
        const struct skl_drawn_curve *curves[] = {&d->set[i].left, &d->set[i].right};
        const struct skl_limits *limits[] = {left, right};
        int distinct = curves[1]->metric == curves[0]->metric ? 1 : 2;
        for (int k = 0; k < distinct && !status; k++) {
            if (curves[k]->file) status = write_band(curves[k], d->x, folder, err);
            if (curves[k]->edges && !status) status = write_edges(curves[k], d->x, folder, limits[k], err);
            if (curves[k]->stops && !status) status = write_stops(curves[k], d->set[i].setting, d->x, folder, err);
        }
    }
    return status;
}

void skl_drawing_release(struct skl_drawing *d)
{
    for (int i = 0; i < d->count; i++) release_setting(&d->set[i]);
    free(d->set);
    *d = (struct skl_drawing){0};
}

/* Where the line runs through x, between its rows; NaN: it does not. */
static double line_at(const struct skl_band *b, const double *values, double x)
{
    int i = 0;
    while (i + 1 < b->n && b->x[i + 1] < x) i++;
    if (i + 1 >= b->n || x < b->x[i]) return NAN;
    return values[i] + (x - b->x[i]) / (b->x[i + 1] - b->x[i]) * (values[i + 1] - values[i]);
}

double skl_drawn_quantile(const struct skl_drawn_curve *c, int edge, double q, double x_min, double x_max, double above)
{
    const struct skl_band *b = &c->band;
    const double *values = edge < 0 ? b->low : edge > 0 ? b->high : b->median;
    double *kept = skl_alloc_array((size_t)b->n + 2, sizeof *kept);
    int n = 0, rows = 0;
    for (int i = 0; i < b->n; i++) {
        const bool inside = b->x[i] >= x_min && b->x[i] <= x_max;
        rows += inside;
        if (inside && values[i] > above) kept[n++] = values[i];
    }
    const double ends[] = {line_at(b, values, x_min), line_at(b, values, x_max)};
    for (int k = 0; k < 2 && rows == 0; k++)
        if (ends[k] > above) kept[n++] = ends[k];
    double result = skl_quantile(kept, n, q);
    free(kept);
    return result;
}
