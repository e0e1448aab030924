/* by_setting.c - final values against a setting that is a number: a line for what else is the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/sort.h"
#include "core/report/facts.h"
#include "core/report/sheet.h"
#include "core/report/templates.h"
#include "core/report/text.h"
#include "core/report/label.h"
#include "core/run/folder.h"
#include "core/run/record.h"

enum { LEAST_POINTS = 3, MAX_GROUPS = 12, MAX_SAID = 12 };
#define LOG_FROM 5.0   /* greatest over least value of a setting from which its axis is logarithmic */
#define TIC_ROOM 0.055 /* between labels, as part of the axis */

struct point {
    double x, median, low, high;
    const struct skl_result_setting *setting;
    int style;
    int seeds;
    bool unfinished; /* no seed is done: what they have reached so far */
};
struct group {
    char *path;        /* its settings' without the key */
    char *name, *file; /* file: below the figures' folder */
    struct point *point;
    int points;
};
struct dial { /* a setting that varies */
    char *key;
    struct group *group;
    int groups;
};
struct dials {
    struct dial *dial;
    int count;
};

/* ---- what the settings' folders say ---- */

/* "k1=v1,k2=v2" of "VARIANT/k1=v1,k2=v2"; "" where there is none. */
static const char *pairs_of(const struct skl_result_setting *s)
{
    const char *slash = strchr(s->path, '/');
    return slash ? slash + 1 : "";
}

/* VARIANT and the pairs but the one at `skip`. */
static char *group_path(const struct skl_result_setting *s, const char *skip)
{
    const char *pairs = pairs_of(s), *rest = skip + strcspn(skip, ",");
    if (skip == pairs && *rest) rest++; /* the comma goes with the first pair, else with the one before it */
    return skl_format("%.*s%s", (int)(skip - s->path - (skip != pairs)), s->path, rest);
}

/* Its key and number; false: the value is no number. */
static bool numeric_pair(const char *p, char **key, double *x)
{
    size_t n = strcspn(p, ","), k = strcspn(p, "=");
    if (k == 0 || k + 1 >= n) return false;
    char *value = skl_format("%.*s", (int)(n - k - 1), p + k + 1), *end;
    *x = strtod(value, &end);
    bool number = !*end && isfinite(*x);
    free(value);
    if (number) *key = skl_format("%.*s", (int)k, p);
    return number;
}

/* ---- values ---- */

static double chance_of(const struct skl_result_run *run)
{
    char *path = skl_path(run->folder, SKL_FILE_CONFIG);
    struct skl_facts facts = {0};
    struct skl_run_record record;
    const int64_t classes = skl_run_record_read(run->folder, &record, NULL) ? 0 : record.classes;
    double chance = skl_facts_read(path, &facts, NULL) ? NAN : skl_facts_chance(&facts, classes);
    skl_run_record_release(&record);
    skl_facts_release(&facts);
    free(path);
    return chance;
}

/* A diverged run counts with chance where errors are drawn, as in the report. */
static double final_value(const struct skl_result_run *run, int metric)
{
    if (!strcmp(run->state, "done")) return skl_result_last(run, metric);
    bool error = *skl_metric_table[metric].unit;
    return error && run->folder && !strcmp(run->state, "diverged") ? chance_of(run) : NAN;
}

static bool fill_point(struct point *p, const struct skl_result_setting *s, int metric)
{
    double *v = skl_alloc_array((size_t)s->runs + 1, sizeof *v);
    int n = 0;
    for (int i = 0; i < s->runs; i++) {
        v[n] = final_value(&s->run[i], metric);
        n += !isnan(v[n]);
    }
    p->unfinished = n == 0;
    for (int i = 0; i < s->runs && p->unfinished; i++) {
        v[n] = strcmp(s->run[i].state, "diverged") ? skl_result_last(&s->run[i], metric) : NAN;
        n += !isnan(v[n]);
    }
    p->seeds = n;
    p->median = skl_median(v, n);
    p->low = skl_quantile(v, n, 0);
    p->high = skl_quantile(v, n, 1);
    free(v);
    return n > 0;
}

/* ---- collecting ---- */

/* Takes key. */
static struct dial *find_dial(struct dials *d, char *key)
{
    for (int i = 0; i < d->count; i++)
        if (!strcmp(d->dial[i].key, key)) {
            free(key);
            return &d->dial[i];
        }
    struct dial *dial = SKL_ADD(d->dial, d->count);
    dial->key = key;
    return dial;
}

/* Takes path. */
static struct group *find_group(struct dial *d, char *path, const char *called)
{
    for (int i = 0; i < d->groups; i++)
        if (!strcmp(d->group[i].path, path)) {
            free(path);
            return &d->group[i];
        }
    struct group *group = SKL_ADD(d->group, d->groups);
    group->path = path;
    group->name = called ? skl_label_as(called, path) : skl_label(path);
    return group;
}

static void add_setting(struct dials *dials, const struct skl_result_setting *setting, int style, int metric)
{
    struct point point = {.setting = setting, .style = style};
    bool known = false;
    for (const char *p = pairs_of(setting); *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
        char *key;
        if (!numeric_pair(p, &key, &point.x)) continue;
        known = known || fill_point(&point, setting, metric);
        struct group *g = find_group(find_dial(dials, key), group_path(setting, p), setting->called);
        if (!known) continue;
        *SKL_ADD(g->point, g->points) = point;
    }
}

static int by_x(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    return (p->x > q->x) - (p->x < q->x);
}

static void release_group(struct group *g)
{
    free(g->path);
    free(g->name);
    free(g->file);
    free(g->point);
}

/* Lines of two points stand beside those of three; a figure needs one of three. */
static bool keep_lines(struct dial *d)
{
    int kept = 0, most = 0;
    for (int i = 0; i < d->groups; i++) {
        struct group *g = &d->group[i];
        if (g->points < 2 || kept == MAX_GROUPS) {
            release_group(g);
            continue;
        }
        qsort(g->point, (size_t)g->points, sizeof *g->point, by_x);
        if (g->points > most) most = g->points;
        d->group[kept++] = *g;
    }
    d->groups = kept;
    return most >= LEAST_POINTS;
}

static void release_dials(struct dials *d)
{
    for (int i = 0; i < d->count; i++) {
        for (int k = 0; k < d->dial[i].groups; k++) release_group(&d->dial[i].group[k]);
        free(d->dial[i].group);
        free(d->dial[i].key);
    }
    free(d->dial);
}

/* ---- the axes ---- */

struct axis {
    double min, max;
    bool log;
    char tics[256];
};

static void add_tic(struct axis *a, double x, double *last)
{
    double place = a->log ? log(x / a->min) / log(a->max / a->min) : (x - a->min) / (a->max - a->min);
    size_t used = strlen(a->tics);
    if (place - *last < TIC_ROOM) return;
    *last = place;
    snprintf(a->tics + used, sizeof a->tics - used, "%s%.6g", used ? " " : "", x);
}

/* Ticks stand at the values that were tried, where their labels find room. */
static struct axis x_axis(const struct dial *d)
{
    struct axis a = {.min = INFINITY, .max = -INFINITY};
    double *x = NULL, last = -1;
    int n = 0;
    for (int i = 0; i < d->groups; i++)
        for (int k = 0; k < d->group[i].points; k++) *SKL_ADD(x, n) = d->group[i].point[k].x;
    skl_sort_numbers(x, (size_t)n);
    a.log = x[0] > 0 && x[n - 1] / x[0] >= LOG_FROM;
    double margin = a.log ? pow(x[n - 1] / x[0], 0.05) : 0.05 * (x[n - 1] - x[0]);
    a.min = a.log ? x[0] / margin : x[0] - margin;
    a.max = a.log ? x[n - 1] * margin : x[n - 1] + margin;
    for (int i = 0; i < n; i++) add_tic(&a, x[i], &last);
    free(x);
    return a;
}

/* ---- the figure ---- */

static bool holds(const struct dial *d, const struct skl_result_setting *setting)
{
    for (int i = 0; i < d->groups; i++)
        for (int k = 0; k < d->group[i].points; k++)
            if (d->group[i].point[k].setting == setting) return true;
    return false;
}

static int write_group(const struct skl_sheet *s, const struct group *g, struct skl_err *err)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs("value,seeds,median,low,high,style,unfinished\n", out);
    for (int i = 0; i < g->points; i++) {
        const struct point *p = &g->point[i];
        fprintf(out, "%.9g,%d,%.9g,%.9g,%.9g,%d,%d\n", p->x, p->seeds, p->median, p->low, p->high, p->style,
                p->unfinished);
    }
    skl_text_close(&t);
    return skl_sheet_data(s, g->file, t.text, t.n, err);
}

/* "exclusive-gating: 0 40.1 %, -6 14.4 %; ..." */
static char *in_words(const struct skl_sheet *s, const struct dial *d)
{
    const struct skl_metric_info *m = &skl_metric_table[s->options->metric];
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    char *key = skl_label_key(d->key);
    fprintf(out, "%s at the end against %s, median over the seeds.", m->label, key);
    free(key);
    for (int i = 0; i < d->groups; i++) {
        fprintf(out, " %s:", d->group[i].name);
        for (int k = 0; k < d->group[i].points && k < MAX_SAID; k++)
            fprintf(out, "%s %.6g gives %.4g%s%s", k ? "," : "", d->group[i].point[k].x, d->group[i].point[k].median,
                    *m->unit ? " " : "", m->unit);
        fputs(d->group[i].points > MAX_SAID ? " and so on." : ".", out);
    }
    return skl_text_close(&t);
}

static void put_baseline(struct skl_script *t, const struct skl_sheet *s, const struct dial *d)
{
    const struct skl_result_setting *base = s->drawing.set[0].setting;
    struct point p = {.setting = base};
    bool own = !holds(d, base) && fill_point(&p, base, s->options->metric);
    char *name = skl_text_fit(base->label, skl_sheet_name_room(s, s->room.legend, d->groups + 1));
    skl_script_text(t, "BASE_LABEL", own ? name : NULL);
    fprintf(t->out, "BASE_MEDIAN = %.9g\nBASE_LOW = %.9g\nBASE_HIGH = %.9g\n", own ? p.median : 0, own ? p.low : 0,
            own ? p.high : 0);
    free(name);
}

static double highest(const struct skl_sheet *s, const struct dial *d)
{
    const struct skl_result_setting *base = s->drawing.set[0].setting;
    struct point p = {0};
    double high = !holds(d, base) && fill_point(&p, base, s->options->metric) ? p.high : 0;
    for (int i = 0; i < d->groups; i++)
        for (int k = 0; k < d->group[i].points; k++) high = fmax(high, d->group[i].point[k].high);
    return high;
}

/* A file name of what may stand in a key. */
static char *stem_of(const struct skl_sheet *s, const char *key)
{
    char *stem = skl_format("by-%.60s%s%s", key, s->options->metric == SKL_TEST_ERROR ? "" : "-",
                            s->options->metric == SKL_TEST_ERROR ? "" : skl_metric_table[s->options->metric].name);
    for (char *p = stem; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", *p)) *p = '-';
    return stem;
}

static int draw(struct skl_sheet *s, struct dial *d, struct skl_err *err)
{
    static const char *const arrays[] = {"LABEL", "LINE", NULL};
    struct skl_scale y = skl_scale_linear(1.05 * highest(s, d));
    struct axis x = x_axis(d);
    struct skl_script t;
    char *stem = stem_of(s, d->key), *title = skl_text_fit(s->results->label ? s->results->label : "", s->room.title);
    char *key = skl_label_key(d->key);
    int status = SKL_OK;
    if (*skl_metric_table[s->options->metric].unit && y.max > 100) y.max = 100;
    skl_script_open(&t, stem);
    skl_script_text(&t, "TITLE", title);
    skl_script_text(&t, "X_LABEL", key);
    skl_script_metric(&t, "Y_LABEL", s->options->metric);
    fprintf(t.out, "X_LOG = %d\nX_MIN = %.9g\nX_MAX = %.9g\nX_TICS = '%s'\nY_MAX = %.9g\nY_STEP = %.9g\nLINES = %d\n",
            x.log, x.min, x.max, x.tics, y.max, y.step, d->groups);
    put_baseline(&t, s, d);
    skl_script_legend(&t, s, d->groups + 1);
    skl_script_arrays(&t, "LINES", arrays);
    for (int i = 0; i < d->groups; i++) {
        struct group *g = &d->group[i];
        char *label = skl_text_fit(g->name, skl_sheet_name_room(s, s->room.legend, d->groups + 1));
        g->file = skl_format("data/%s.%d.csv", stem, i + 1);
        skl_script_item(&t, "LABEL", i + 1, label);
        skl_script_item(&t, "LINE", i + 1, g->file);
        if (!status) status = write_group(s, g, err);
        free(label);
    }
    char *caption =
        skl_format("%s at the end against %s: median over the seeds, bars from the least to the greatest. A "
                   "point has its variant's colour; hollow ones are not finished.",
                   skl_metric_table[s->options->metric].label, key);
    int written = skl_script_close(&t, s, skl_template_settings, caption, in_words(s, d), status ? NULL : err);
    free(stem);
    free(title);
    free(key);
    return status ? status : written;
}

int skl_draw_by_setting(struct skl_sheet *s, struct skl_err *err)
{
    struct dials dials = {0};
    int status = SKL_OK;
    const struct skl_results *r = s->results;
    for (int i = 0; i < r->settings; i++)
        if (skl_drawing_wants(r, i, s->options->only))
            add_setting(&dials, &r->setting[i], skl_drawing_style(r, i), s->options->metric);
    for (int i = 0; i < dials.count && !status; i++)
        if (keep_lines(&dials.dial[i])) status = draw(s, &dials.dial[i], err);
    release_dials(&dials);
    return status;
}
