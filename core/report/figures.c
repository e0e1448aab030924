#include "core/report/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/report/figure_data.h"
#include "core/report/gnuplot.h"
#include "core/report/legend.h"
#include "core/report/sheet.h"
#include "core/report/templates.h"
#include "core/report/text.h"

enum { TWO_COLUMNS_UP_TO = 8 };

#define MAX_RISE 20.0    /* of a curve above the others, as far as an axis of its own follows it */
#define MAX_LOG_RISE 4.0 /* of curves above what the settings start with, as far as a shared axis follows them */
#define MAX_RANGE 1e7    /* of a logarithmic axis */

void skl_figure_options_take(struct skl_figure_options *o, const struct skl_figure_words *w)
{
    if (w->metric) o->metric = skl_metric_find(w->metric);
    if (w->width) o->page = (enum skl_page)(1 + skl_figure_find(skl_figure_widths, w->width));
    if (w->legend) o->legend = skl_figure_find(skl_figure_legends, w->legend);
    if (w->font) skl_figure_font(w->font, o->font, &o->points);
    if (w->xlim) skl_figure_iterations(w->xlim, &o->x_min, &o->x_max);
    if (w->ylim) skl_figure_values(w->ylim, &o->y_min, &o->y_max);
}

unsigned skl_figures_metrics(const struct skl_figure_options *o) { return 1u << SKL_TRAIN_LOSS | 1u << o->metric; }

/* ---- scales ---- */

/* The median over the settings of the value that they start with in the picture; NaN: none does. */
static double start_of(const struct skl_sheet *s, bool right)
{
    double *start = skl_alloc_array((size_t)s->drawing.count, sizeof *start);
    int n = 0;
    for (int i = 0; i < s->drawing.count; i++) {
        const struct skl_band *b = right ? &s->drawing.set[i].right.band : &s->drawing.set[i].left.band;
        int first = 0;
        while (first < b->n && b->x[first] < s->x.min) first++;
        if (first < b->n) start[n++] = b->median[first];
    }
    double median = skl_median(start, n);
    free(start);
    return median;
}

/* From the lowest to the highest edge of the bands, but for the hundredth part at either end and what is beyond all
 * measure: a run that blows up or sinks to nothing shall not press the others together. */
static struct skl_scale log_scale(const struct skl_sheet *s, bool right)
{
    double low = INFINITY, high = 0;
    for (int i = 0; i < s->drawing.count; i++) {
        const struct skl_drawn_curve *c = right ? &s->drawing.set[i].right : &s->drawing.set[i].left;
        low = fmin(low, skl_drawn_quantile(c, -1, 0.01, s->x.min, s->x.max, 0));
        high = fmax(high, skl_drawn_quantile(c, 1, 0.99, s->x.min, s->x.max, 0));
    }
    double start = start_of(s, right);
    if (start > 0) high = fmin(high, MAX_LOG_RISE * start);
    if (low > high) low = start; /* all blow up at once: where they begin is shown */
    low = fmax(low, high / MAX_RANGE);
    return high > 0 && low <= high ? skl_scale_log(low, high) : skl_scale_log(0.001, 1);
}

/* A linear axis shows a curve's lower four fifths, as the first iterations are high and soon over. */
static double height(const struct skl_sheet *s, const struct skl_drawn_setting *d)
{
    return skl_drawn_quantile(&d->right, 0, 0.8, s->x.min, s->x.max, -INFINITY);
}

/* What the user asked for; false: nothing. */
static bool asked_scale(const struct skl_sheet *s, struct skl_scale *scale)
{
    const struct skl_figure_options *o = s->options;
    if (!(o->y_max > 0)) return false;
    *scale = skl_scale_linear(o->y_max - o->y_min); /* its step */
    const double step = scale->step, first = ceil(o->y_min / step - 1e-9) * step;
    scale->min = o->y_min, scale->max = o->y_max;
    int n = 0;
    for (double t = first; t <= o->y_max * (1 + 1e-9) && n < (int)sizeof scale->tics - 32; t += step)
        n += snprintf(scale->tics + n, sizeof scale->tics - (size_t)n, "%s%.9g", n ? " " : "", t);
    return true;
}

static bool percent(const struct skl_sheet *s) { return *skl_metric_table[s->options->metric].unit; }

static double top_for(const struct skl_sheet *s, double highest)
{
    double top = skl_scale_linear(1.15 * highest).max;
    return percent(s) && top > 60 ? 100 : top;
}

static bool outlier(const struct skl_sheet *s, const struct skl_drawn_setting *d)
{
    double base = height(s, &s->drawing.set[0]), own = height(s, d);
    return isfinite(base) && own > 2.5 * base;
}

static void set_scales(struct skl_sheet *s)
{
    const struct skl_figure_options *o = s->options;
    const double x_max = o->x_max > 0 ? o->x_max : s->drawing.x_end;
    s->x = o->images ? skl_scale_images(o->x_min, x_max) : skl_scale_iterations(o->x_min, x_max);
    s->left = log_scale(s, false);
    double highest = 0;
    for (int i = 0; i < s->drawing.count; i++)
        if (!outlier(s, &s->drawing.set[i])) highest = fmax(highest, height(s, &s->drawing.set[i]));
    s->shared_top = top_for(s, highest);
}

/* A variant that is far above the baseline has an axis of its own, so that the others are not pressed together. */
static struct skl_scale right_scale(const struct skl_sheet *s, const struct skl_drawn_setting *d)
{
    struct skl_scale asked;
    if (asked_scale(s, &asked)) return asked;
    double own = top_for(s, fmax(height(s, d), height(s, &s->drawing.set[0])));
    return skl_scale_linear(outlier(s, d) ? fmin(own, MAX_RISE * s->shared_top) : s->shared_top);
}

static bool any_outlier(const struct skl_sheet *s)
{
    for (int i = 1; i < s->drawing.count; i++)
        if (outlier(s, &s->drawing.set[i])) return true;
    return false;
}

/* Of a picture of all variants. */
static struct skl_scale curves_scale(const struct skl_sheet *s, int metric)
{
    struct skl_scale asked;
    if (metric == s->options->metric && asked_scale(s, &asked)) return asked;
    if (metric == SKL_TRAIN_LOSS) return s->left;
    if (!any_outlier(s)) return skl_scale_linear(s->shared_top);
    struct skl_scale scale = log_scale(s, true);
    if (percent(s) && scale.max > 50) scale = skl_scale_log(scale.min, 100);
    return scale;
}

static void add_limits(struct skl_limits *limits, const struct skl_scale *scale)
{
    if (scale->log || scale->min != 0) skl_limits_add(limits, scale->min, scale->log);
    skl_limits_add(limits, scale->max, scale->log);
}

static int write_data(const struct skl_sheet *s, struct skl_err *err)
{
    struct skl_limits left = {.x_min = s->x.min, .x_max = s->x.max}, right = left;
    struct skl_scale all = curves_scale(s, s->options->metric);
    add_limits(&left, &s->left);
    add_limits(&right, &all);
    for (int i = 0; i < s->drawing.count; i++) {
        struct skl_scale own = right_scale(s, &s->drawing.set[i]);
        add_limits(&right, &own);
    }
    return skl_drawing_write(&s->drawing, s->folder, &left, &right, err);
}

/* ---- scripts ---- */

/* A line of one row cannot be seen: "|data/a.test_error.csv|" is drawn as a dot. */
static void put_single_rows(struct skl_script *t, const struct skl_sheet *s)
{
    char *files = skl_strdup("");
    for (int i = 0; i < s->drawing.count; i++) {
        const struct skl_drawn_curve *curves[] = {&s->drawing.set[i].left, &s->drawing.set[i].right};
        for (int k = 0; k < 2; k++)
            if (curves[k]->band.n == 1) files = skl_append(files, "|%s|", curves[k]->file);
    }
    skl_script_text(t, "SINGLE", files);
    free(files);
}

static void put_axis(struct skl_script *t, const struct skl_sheet *s)
{
    fprintf(t->out, "X_UNIT = %.1f\nX_LABEL = '%s'\nX_MIN = %.1f\nX_MAX = %.1f\nX_STEP = %.1f\n", s->x.unit, s->x.label,
            s->x.min, s->x.max, s->x.step);
    if (s->options->images) fputs("X_COLUMN = 'images'\n", t->out);
    put_single_rows(t, s);
}

/* ---- panels ---- */

enum { LEAST_FOR_OUTCOME = 1500 };

/* "NAME (OUTCOME)", or the name alone where the outcome is NULL or there is hardly room, at most `width` wide; the
 * outcome may take three quarters of it. */
static char *joined_label(const char *name, const char *outcome, int width, int name_width)
{
    if (!outcome || width < LEAST_FOR_OUTCOME) return skl_text_fit(name, width < name_width ? width : name_width);
    int room = width - skl_text_width(" ()");
    char *end = skl_text_fit(outcome, room * 3 / 4);
    int left = room - skl_text_width(end);
    char *start = skl_text_fit(name, left < name_width ? left : name_width);
    char *label = skl_format("%s (%s)", start, end);
    free(start);
    free(end);
    return label;
}

/* "b_g = −6 (8.70 %, n = 5)": the variant, or its options where the other curve is of the same variant. */
static char *short_label(const struct skl_sheet *s, const struct skl_drawn_setting *d,
                         const struct skl_drawn_setting *other)
{
    const struct skl_result_setting *set = d->setting;
    bool same = other != d && !strcmp(set->variant, other->setting->variant);
    const char *variant = set->called ? set->called : set->variant;
    const char *name = same && strlen(set->label) > strlen(variant) + 2 ? set->label + strlen(variant) + 2 : variant;
    char *outcome = skl_sheet_in_corner(s, 2) ? NULL : skl_legend_outcome(set, s->options->metric);
    char *label = joined_label(name, outcome, s->room.panel_legend, s->room.short_name);
    free(outcome);
    return label;
}

/* letter < 0: no tag, and no title where the legend says it all. */
static char *panel_title(const struct skl_sheet *s, const struct skl_drawn_setting *d, int letter)
{
    const char *name = d->setting->label;
    if (letter < 0 && s->options->legend != SKL_LEGEND_NONE &&
        !strcmp(name, d->setting->called ? d->setting->called : d->setting->variant) &&
        skl_text_width(name) <= s->room.short_name)
        return skl_strdup("");
    char *tag = letter < 0    ? skl_strdup("")
                : letter < 26 ? skl_format("(%c) ", 'a' + letter)
                              : skl_format("(%d) ", letter + 1);
    char *text = skl_format("%s%s", tag, name), *wrapped = skl_text_wrap(text, s->room.panel_title);
    free(tag);
    free(text);
    return wrapped;
}

static void put_panel(struct skl_script *t, const struct skl_sheet *s, int i, const struct skl_drawn_setting *d,
                      const char *title)
{
    struct skl_scale right = right_scale(s, d);
    char *label = short_label(s, d, &s->drawing.set[0]);
    skl_script_item(t, "TITLE", i, title);
    skl_script_item(t, "LABEL", i, label);
    skl_script_item(t, "LEFT", i, d->left.file);
    skl_script_item(t, "RIGHT", i, d->right.file);
    skl_script_item(t, "LEFT_BAND", i, d->left.edges);
    skl_script_item(t, "RIGHT_BAND", i, d->right.edges);
    skl_script_item(t, "LEFT_STOPS", i, d->left.stops);
    skl_script_item(t, "RIGHT_STOPS", i, d->right.stops);
    fprintf(t->out, "STYLE[%d] = %d\nRIGHT_MIN[%d] = %.9g\nRIGHT_MAX[%d] = %.9g\nRIGHT_STEP[%d] = %.9g\n", i, d->style,
            i, right.min, i, right.max, i, right.step);
    free(label);
}

/* The baseline's curves; none where the one panel is the baseline's own. */
static void put_baseline(struct skl_script *t, const struct skl_sheet *s, const struct skl_drawn_setting *first)
{
    const struct skl_drawn_setting *base = &s->drawing.set[0];
    bool own = first == base;
    char *label = short_label(s, base, first);
    skl_script_text(t, "BASE_LABEL", own ? NULL : label);
    skl_script_text(t, "BASE_LEFT", own ? NULL : base->left.file);
    skl_script_text(t, "BASE_RIGHT", own ? NULL : base->right.file);
    skl_script_text(t, "BASE_LEFT_BAND", own ? NULL : base->left.edges);
    skl_script_text(t, "BASE_RIGHT_BAND", own ? NULL : base->right.edges);
    skl_script_text(t, "BASE_LEFT_STOPS", own ? NULL : base->left.stops);
    skl_script_text(t, "BASE_RIGHT_STOPS", own ? NULL : base->right.stops);
    free(label);
}

static int title_lines(char *const *title, int count)
{
    int lines = 0;
    for (int i = 0; i < count; i++) {
        int here = !*title[i] ? 0 : strchr(title[i], '\n') ? 2 : 1;
        if (here > lines) lines = here;
    }
    return lines;
}

/* Panels of the settings set[first .. first + count); letter: of the first, -1 for a panel on its own. */
static int write_panels(struct skl_sheet *s, const char *stem, int first, int count, int letter, struct skl_err *err)
{
    static const char *const arrays[] = {"TITLE",      "LABEL",      "LEFT",        "RIGHT", "LEFT_BAND",
                                         "RIGHT_BAND", "LEFT_STOPS", "RIGHT_STOPS", "STYLE", "RIGHT_MIN",
                                         "RIGHT_MAX",  "RIGHT_STEP", NULL};
    struct skl_script t;
    skl_script_open(&t, stem);
    char **title = skl_alloc_array((size_t)count, sizeof *title);
    for (int i = 0; i < count; i++) title[i] = panel_title(s, &s->drawing.set[first + i], letter < 0 ? -1 : letter + i);
    int columns = count == 1 ? 1 : s->room.columns ? s->room.columns : count <= TWO_COLUMNS_UP_TO ? 2 : 3;
    put_axis(&t, s);
    fprintf(t.out, "PANELS = %d\nCOLUMNS = %d\nROWS = %d\nTITLE_LINES = %d\n", count, columns,
            (count + columns - 1) / columns, title_lines(title, count));
    skl_script_metric(&t, "LEFT_LABEL", SKL_TRAIN_LOSS);
    skl_script_metric(&t, "RIGHT_LABEL", s->options->metric);
    fprintf(t.out, "LEFT_MIN = %.9g\nLEFT_MAX = %.9g\nLEFT_TICS = '%s'\n", s->left.min, s->left.max, s->left.tics);
    skl_script_legend(&t, s, 2);
    put_baseline(&t, s, &s->drawing.set[first]);
    skl_script_arrays(&t, "PANELS", arrays);
    for (int i = 0; i < count; i++) put_panel(&t, s, i + 1, &s->drawing.set[first + i], title[i]);
    for (int i = 0; i < count; i++) free(title[i]);
    free(title);
    return skl_script_close(&t, s, skl_template_panels, NULL, NULL, err);
}

/* The metric's part of a file name: "" for the usual one. */
static char *metric_suffix(int metric)
{
    char *suffix = metric == SKL_TEST_ERROR ? skl_strdup("") : skl_format("-%s", skl_metric_table[metric].name);
    for (char *p = suffix; *p; p++)
        if (*p == '_') *p = '-';
    return suffix;
}

static int write_all_panels(struct skl_sheet *s, struct skl_err *err)
{
    int status = SKL_OK, first = s->drawing.count > 1 ? 1 : 0, pages = 0;
    char *suffix = metric_suffix(s->options->metric);
    const int most = s->room.panels;
    for (int i = first; i < s->drawing.count && s->drawing.count > 2 && !status; i += most) {
        int count = s->drawing.count - i < most ? s->drawing.count - i : most;
        char *stem = ++pages == 1 ? skl_format("panels%s", suffix) : skl_format("panels%s-%d", suffix, pages);
        status = write_panels(s, stem, i, count, i - first, err);
        free(stem);
    }
    bool alone = !s->options->headline && s->drawing.count - first <= SKL_SHEET_PANELS;
    for (int i = first; i < s->drawing.count && !status && alone; i++) {
        char *stem = skl_format("panel-%s%s", s->drawing.set[i].slug, suffix);
        status = write_panels(s, stem, i, 1, -1, err);
        free(stem);
    }
    free(suffix);
    return status;
}

/* ---- all variants in one picture ---- */

static char *long_label(const struct skl_sheet *s, const struct skl_drawn_setting *d, int metric, int names)
{
    char *outcome = skl_sheet_in_corner(s, names) ? NULL : skl_legend_outcome(d->setting, metric);
    char *label =
        joined_label(d->setting->label, outcome, skl_sheet_name_room(s, s->room.legend, names), s->room.legend);
    free(outcome);
    return label;
}

static void put_curve(struct skl_script *t, int i, const struct skl_drawn_setting *d, bool right, const char *label)
{
    const struct skl_drawn_curve *c = right ? &d->right : &d->left;
    skl_script_item(t, "LABEL", i, label);
    skl_script_item(t, "CURVE", i, c->file);
    skl_script_item(t, "BAND", i, c->edges);
    skl_script_item(t, "STOPS", i, c->stops);
    fprintf(t->out, "STYLE[%d] = %d\n", i, d->style);
}

/* The baseline and the settings set[first .. first + count). */
static int write_curves(struct skl_sheet *s, const char *stem, int metric, int first, int count, struct skl_err *err)
{
    static const char *const arrays[] = {"LABEL", "CURVE", "BAND", "STOPS", "STYLE", NULL};
    struct skl_script t;
    skl_script_open(&t, stem);
    char **label = skl_alloc_array((size_t)count + 1, sizeof *label);
    for (int i = 0; i <= count; i++)
        label[i] = long_label(s, &s->drawing.set[i ? first + i - 1 : 0], metric, count + 1);
    char *title = skl_text_fit(s->results->label ? s->results->label : "", s->room.title);
    struct skl_scale y = curves_scale(s, metric);
    put_axis(&t, s);
    skl_script_text(&t, "TITLE", title);
    skl_script_metric(&t, "Y_LABEL", metric);
    fprintf(t.out, "Y_LOG = %d\nY_MIN = %.9g\nY_MAX = %.9g\nY_TICS = '%s'\nCURVES = %d\nKEY_ROWS = %d\n", y.log, y.min,
            y.max, y.tics, count + 1, skl_sheet_key_rows(label, count + 1, s->room.legend));
    skl_script_legend(&t, s, count + 1);
    skl_script_arrays(&t, "CURVES", arrays);
    for (int i = 0; i <= count; i++)
        put_curve(&t, i + 1, &s->drawing.set[i ? first + i - 1 : 0], metric != SKL_TRAIN_LOSS, label[i]);
    for (int i = 0; i <= count; i++) free(label[i]);
    free(label);
    free(title);
    return skl_script_close(&t, s, skl_template_curves, NULL, NULL, err);
}

static int write_all_curves(struct skl_sheet *s, int metric, struct skl_err *err)
{
    int status = SKL_OK, pages = 0, i = 1;
    char *name = skl_strdup(skl_metric_table[metric].label);
    for (char *p = name; *p; p++) *p = *p == ' ' ? '-' : (char)(*p | 0x20);
    do {
        int count = s->drawing.count - i < SKL_SHEET_CURVES - 1 ? s->drawing.count - i : SKL_SHEET_CURVES - 1;
        char *stem = ++pages == 1 ? skl_format("%s", metric == SKL_TRAIN_LOSS ? "training-loss" : name)
                                  : skl_format("%s-%d", name, pages);
        status = write_curves(s, stem, metric, i, count, err);
        free(stem);
        i += count;
    } while (i < s->drawing.count && !status);
    free(name);
    return status;
}

/* ---- all of it ---- */

/* Does some curve run through the iterations to show?  Its ends may lie outside. */
static int check_limits(const struct skl_sheet *s, struct skl_err *err)
{
    const struct skl_figure_options *o = s->options;
    double end = o->x_max > 0 ? o->x_max : INFINITY;
    if (o->x_min == 0 && o->x_max == 0) return SKL_OK;
    for (int i = 0; i < s->drawing.count; i++) {
        const struct skl_band *bands[] = {&s->drawing.set[i].left.band, &s->drawing.set[i].right.band};
        for (int k = 0; k < 2; k++)
            if (bands[k]->n && bands[k]->x[0] < end && bands[k]->x[bands[k]->n - 1] > o->x_min) return SKL_OK;
    }
    return skl_fail(err, SKL_USAGE, "--xlim leaves nothing to show: the curves end at %s %.9g",
                    s->options->images ? "image" : "iteration", s->drawing.x_end);
}

static int make_folders(const char *folder, struct skl_err *err)
{
    char *data = skl_path(folder, "data"), *style = skl_path(folder, "style.gp");
    int status = skl_mkdirs(data, err);
    skl_leftovers_remove(folder, false);
    skl_leftovers_remove(data, false);
    if (!status) status = skl_file_write_quick(style, skl_template_style, strlen(skl_template_style), err);
    free(data);
    free(style);
    return status;
}

static int print_all(const struct skl_sheet *s, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < s->figures->count && !status; i++) {
        const char *stem = s->figures->figure[i].stem;
        if (strncmp(stem, "panel", 5) && strncmp(stem, "probe-map", 9))
            status = skl_gnuplot_print(s->folder, stem, s->options->columns, s->options->rows, err);
    }
    return status;
}

static int draw_all(const struct skl_sheet *s, struct skl_err *err)
{
    const struct skl_figures *f = s->figures;
    const char **stems = skl_alloc_array((size_t)f->count + 1, sizeof *stems);
    for (int i = 0; i < f->count; i++) stems[i] = f->figure[i].stem;
    int status = skl_gnuplot_draw(s->folder, stems, f->count, s->options->jobs, err);
    free(stems);
    return status;
}

int skl_figures_draw(const struct skl_results *results, const char *folder, const struct skl_figure_options *o,
                     struct skl_figures *figures, struct skl_err *err)
{
    struct skl_sheet s = {
        .results = results, .options = o, .folder = folder, .room = skl_sheet_room(o), .figures = figures};
    *figures = (struct skl_figures){0};
    int status = skl_drawing_make(results, o, &s.drawing, err);
    if (status) return status;
    figures->drawn = s.drawing.count;
    figures->wanted = s.drawing.wanted;
    status = check_limits(&s, err);
    if (!status) set_scales(&s);
    if (!status) status = make_folders(folder, err);
    if (!status) status = write_data(&s, err);
    if (!status && o->metric != SKL_TRAIN_LOSS && !o->together) status = write_all_panels(&s, err);
    if (!status) status = write_all_curves(&s, SKL_TRAIN_LOSS, err);
    if (!status && o->metric != SKL_TRAIN_LOSS) status = write_all_curves(&s, o->metric, err);
    if (!status && !o->together) status = skl_draw_by_setting(&s, err);
    if (!status && !o->together && o->metric == SKL_TEST_ERROR) status = skl_draw_probes(&s, err);
    if (!status) status = o->terminal ? print_all(&s, err) : draw_all(&s, err);
    if (!status && !o->terminal) status = skl_sync_all(folder, err);
    skl_drawing_release(&s.drawing);
    return status;
}

int skl_figure_text(const struct skl_results *results, const char *folder, const struct skl_figure_options *o,
                    char **text, char *sign, struct skl_err *err)
{
    static const char signs[] = "*#$%@&="; /* gnuplot's, of its 7 line types */
    struct skl_figures figures = {0};
    struct skl_sheet s = {
        .results = results, .options = o, .folder = folder, .room = skl_sheet_room(o), .figures = &figures};
    int status = skl_drawing_make(results, o, &s.drawing, err);
    if (status) return status;
    set_scales(&s);
    status = make_folders(folder, err);
    if (!status) status = write_data(&s, err);
    const int others = s.drawing.count < SKL_SHEET_CURVES ? s.drawing.count - 1 : SKL_SHEET_CURVES - 1;
    if (!status) status = write_curves(&s, "curves", o->metric, 1, others, err);
    memset(sign, ' ', (size_t)results->settings);
    for (int i = 0; i <= others; i++) sign[s.drawing.set[i].setting - results->setting] = signs[i % 7];
    if (!status) status = skl_gnuplot_lines(folder, "curves", o->columns, o->rows, text, err);
    skl_drawing_release(&s.drawing);
    skl_figures_release(&figures);
    return status;
}

void skl_figures_release(struct skl_figures *figures)
{
    for (int i = 0; i < figures->count; i++) {
        free(figures->figure[i].stem);
        free(figures->figure[i].caption);
        free(figures->figure[i].alt);
    }
    free(figures->warning);
    free(figures->figure);
    *figures = (struct skl_figures){0};
}
