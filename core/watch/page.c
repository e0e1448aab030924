#include "core/watch/page.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/say.h"
#include "core/report/figures.h"
#include "core/report/legend.h"

enum {
    LEAST_PICTURE = 10,
    LEAST_WIDTH = 44,
    LEAST_TABLE = 6,
    HIGHEST_PICTURE = 36,
    CURVES = 35,
    BAR = 10,
    MOST_LABEL = 60
};

/* ---- lines ---- */

struct paper {
    struct skl_text text;
    FILE *out;
    const struct skl_window *view;
    int lines;
};

/* The end of the first `columns` characters. */
static const char *cut(const char *text, int columns)
{
    for (; *text && columns > 0; columns--) text = skl_utf8_next(text);
    return text;
}

__attribute__((format(printf, 3, 4))) static void put(struct paper *p, enum skl_colour colour, const char *fmt, ...)
{
    static const char *const codes[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m"};
    va_list args;
    if (p->view->rows && p->lines >= p->view->rows) return;
    va_start(args, fmt);
    char *text = skl_vformat_visible(fmt, args);
    va_end(args);
    const bool painted = p->view->colour && colour != SKL_PLAIN;
    const int n = (int)(cut(text, p->view->columns) - text);
    fprintf(p->out, "%s%.*s%s\n", painted ? codes[colour] : "", n, text, painted ? "\033[0m" : "");
    free(text);
    p->lines++;
}

/* ---- the curves ---- */

static bool has_rows(const struct skl_results *r, int metric)
{
    for (int i = 0; i < r->settings; i++)
        for (int k = 0; k < r->setting[i].runs; k++)
            if (r->setting[i].run[k].curve[metric].n) return true;
    return false;
}

/* Of more settings than a picture holds: the baseline and those that the table shows.  index: which they are. */
static struct skl_results chosen(const struct skl_results *r, int first, int *index)
{
    struct skl_results some = *r;
    const bool all = r->settings <= CURVES;
    const int from = all ? 0 : first, to = all || first + CURVES - 1 > r->settings ? r->settings : first + CURVES - 1;
    int n = 0;
    if (r->baseline < from) index[n++] = r->baseline;
    for (int i = from; i < to; i++) index[n++] = i;
    if (r->baseline >= to) index[n++] = r->baseline;
    some.setting = skl_alloc_array((size_t)n + 1, sizeof *some.setting);
    some.settings = n;
    for (int i = 0; i < n; i++) {
        some.setting[i] = r->setting[index[i]];
        if (index[i] == r->baseline) some.baseline = i;
    }
    return some;
}

static void draw(struct skl_watched *w, int first, int metric, int columns, int rows)
{
    struct skl_figure_options o = {.metric = metric, .legend = SKL_LEGEND_NONE, .columns = columns, .rows = rows};
    struct skl_err err = {0};
    int *index = skl_alloc_array((size_t)w->results.settings + 1, sizeof *index);
    struct skl_results some = chosen(&w->results, first, index);
    char *sign = skl_alloc((size_t)some.settings + 1), *picture = NULL;
    int status = w->scratch ? SKL_OK : skl_scratch_make(&w->scratch, &err);
    if (!status) status = skl_figure_text(&some, w->scratch, &o, &picture, sign, &err);
    memset(w->sign, ' ', (size_t)w->results.settings);
    for (int i = 0; !status && i < some.settings; i++) w->sign[index[i]] = sign[i];
    free(w->picture);
    w->picture = status ? skl_format("no curves: %s\n", err.text) : picture;
    free(some.setting);
    free(sign);
    free(index);
    w->stale = false;
    w->drawn_first = first, w->drawn_metric = metric, w->drawn_columns = columns, w->drawn_rows = rows;
}

static void put_picture(struct paper *p, struct skl_watched *w, const struct skl_window *v, int rows)
{
    const int metric = has_rows(&w->results, v->metric) ? v->metric : SKL_TRAIN_LOSS,
              first = w->results.settings > CURVES ? v->first : 0;
    const bool any = has_rows(&w->results, metric);
    if (any && (w->stale || first != w->drawn_first || metric != w->drawn_metric || v->columns != w->drawn_columns ||
                rows != w->drawn_rows || !w->picture))
        draw(w, first, metric, v->columns, rows);
    const char *line = any ? w->picture : "no rows yet\n";
    const int before = p->lines;
    for (const char *end; *line && p->lines < before + rows; line = end + (*end == '\n')) {
        end = strchrnul(line, '\n');
        int n = (int)(end - line);
        while (n > 0 && line[n - 1] == ' ') n--;
        put(p, SKL_PLAIN, "%.*s", n, line);
    }
    while (v->rows && p->lines < before + rows) put(p, SKL_PLAIN, "%s", "");
}

/* ---- the table ---- */

/* What is done of each setting's runs, as a part of their iterations. */
static double *parts_done(const struct skl_watched *w)
{
    const size_t settings = (size_t)w->results.settings;
    double *part = skl_alloc_array(settings + 1, sizeof *part), *whole = skl_alloc_array(settings + 1, sizeof *whole);
    for (int i = 0; i < w->overview.count; i++) {
        const struct skl_overview_run *run = &w->overview.run[i];
        const double n = (double)run->iterations;
        if (!w->result[i]) continue;
        whole[w->setting[i]] += n;
        part[w->setting[i]] += run->state.complete ? n : fmin((double)run->iteration, n);
    }
    for (size_t s = 0; s < settings; s++) part[s] = whole[s] > 0 ? part[s] / whole[s] : 0;
    free(whole);
    return part;
}

static int characters(const char *text)
{
    int n = 0;
    for (const char *p = text; *p; n++) p = skl_utf8_next(p);
    return n;
}

/* The name, or its beginning and "…"; malloc'd. */
static char *shortened(const char *name, int columns)
{
    char *clean = skl_visible(name);
    if (characters(clean) <= columns) return clean;
    char *cut_short = skl_format("%.*s…", (int)(cut(clean, columns - 1) - clean), clean);
    free(clean);
    return cut_short;
}

static int label_width(const struct skl_results *r, int columns)
{
    int width = 7;
    for (int i = 0; i < r->settings; i++) {
        char *label = shortened(r->setting[i].label, MOST_LABEL);
        const int n = characters(label);
        if (n > width) width = n;
        free(label);
    }
    const int most = columns - BAR - 36 > 12 ? columns - BAR - 36 : 12;
    return width < most ? width : most;
}

/* What one looks for first: something failed, something runs; else it is as good as done, or waits. */
static enum skl_colour colour_of(const struct skl_result_setting *s)
{
    int failed = 0, running = 0, done = 0;
    for (int k = 0; k < s->runs; k++) {
        failed += !strcmp(s->run[k].state, "failed") || !strcmp(s->run[k].state, "unreadable");
        running += !strcmp(s->run[k].state, "running");
        done += !strcmp(s->run[k].state, "done");
    }
    return failed ? SKL_RED : running ? SKL_PLAIN : done == s->runs ? SKL_GREEN : SKL_DIM;
}

static void put_table(struct paper *p, const struct skl_watched *w, const struct skl_window *v, int rows)
{
    const struct skl_results *r = &w->results;
    const int width = label_width(r, v->columns), end = v->first + rows < r->settings ? v->first + rows : r->settings;
    double *part = parts_done(w);
    char bar[64];
    put(p, SKL_DIM, "   %-*s  %-*s  %s", width, "setting", BAR + 2, "done", "test error, runs");
    for (int i = v->first; i < end; i++) {
        const struct skl_result_setting *s = &r->setting[i];
        char *outcome = skl_legend_outcome(s, SKL_TEST_ERROR), *label = shortened(s->label, width);
        put(p, colour_of(s), "%c%c %-*s  %s  %s", w->sign[i], w->sign[i], width, label, skl_bar(part[i], BAR, bar),
            outcome);
        free(outcome);
        free(label);
    }
    free(part);
}

/* ---- all of it ---- */

static void put_head(struct paper *p, const struct skl_watched *w)
{
    char bar[64], *counts = skl_overview_counts(&w->overview);
    const char *name = w->overview.list.name ? w->overview.list.name : w->overview.folder;
    const int room = p->view->columns - characters(name) - characters(counts) - 6, cells = room < 20 ? room : 20;
    if (cells > 0) /* the time that is left, at the end, is worth more */
        put(p, SKL_PLAIN, "%s  %s  %s", name, skl_bar(skl_overview_done(&w->overview), cells, bar), counts);
    else
        put(p, SKL_PLAIN, "%s  %s", name, counts);
    free(counts);
}

static void put_foot(struct paper *p, const struct skl_watched *w, const struct skl_window *v, int table)
{
    const int all = w->results.settings, end = v->first + table < all ? v->first + table : all;
    const bool both = has_rows(&w->results, SKL_TEST_ERROR); /* else the training loss is all there is */
    const char *key = both ? "   m: " : "", *other = !both                         ? ""
                                                     : v->metric == SKL_TRAIN_LOSS ? "test error"
                                                                                   : "training loss";
    if (w->problem)
        put(p, SKL_RED, "left out: %s", w->problem);
    else if (table < all)
        put(p, SKL_DIM, "q: end%s%s   arrows: settings %d-%d of %d", key, other, v->first + 1, end, all);
    else
        put(p, SKL_DIM, "q: end%s%s", key, other);
}

/* Rows of the table, its head among them: a third of the window, more where the picture would be too high. */
static int table_rows(const struct skl_watched *w, const struct skl_window *v)
{
    const int all = w->results.settings + 1, left = v->rows - 2;
    if (!v->rows) return all;
    if (v->columns < LEAST_WIDTH || left < LEAST_PICTURE + LEAST_TABLE) return left > 1 ? left : 1;
    const int third = left / 3 > LEAST_TABLE ? left / 3 : LEAST_TABLE, most = left - LEAST_PICTURE;
    const int rows = left - HIGHEST_PICTURE > third ? left - HIGHEST_PICTURE : third;
    return all < rows ? all : rows < most ? rows : most;
}

int skl_page_step(const struct skl_watched *w, const struct skl_window *v)
{
    const int step = table_rows(w, v) - 1;
    return step > 1 ? step : 1;
}

char *skl_page(struct skl_watched *w, struct skl_window *v, size_t *n)
{
    struct paper p = {.view = v};
    const int table = table_rows(w, v), last = w->results.settings - (table - 1);
    const int picture = !v->rows ? SKL_PAGE_PICTURE : v->rows - 2 - table;
    if (v->first > last) v->first = last;
    if (v->first < 0) v->first = 0;
    p.out = skl_text_open(&p.text);
    put_head(&p, w);
    if (picture >= LEAST_PICTURE) put_picture(&p, w, v, picture);
    put_table(&p, w, v, table - 1);
    while (v->rows && p.lines < v->rows - 1) put(&p, SKL_PLAIN, "%s", "");
    if (v->live)
        put_foot(&p, w, v, table - 1);
    else if (w->problem)
        put(&p, SKL_RED, "left out: %s", w->problem);
    char *text = skl_text_close(&p.text);
    *n = p.text.n;
    return text;
}
