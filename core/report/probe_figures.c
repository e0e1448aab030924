/* probe_figures.c - figures of probed runs: over the units at both ends of training, and the direct term over all of
 * it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/run/record.h"
#include "core/report/probe_data.h"
#include "core/report/sheet.h"
#include "core/report/templates.h"
#include "core/report/text.h"

#define RESPONSES_LINEAR 20.0 /* up to here their axis is linear, as in the paper; nets that fail go far beyond */
#define LEAST_SHOWN 1e-12     /* on a logarithmic axis; what is less stands on its floor */
enum { MAX_PANELS = 2, X_INTERVALS = 7 };

struct kind {
    const char *stem, *label;
    size_t profile; /* in struct skl_probed */
    const char *caption, *in_words;
};
#define PROFILE(field) offsetof(struct skl_probed, field)
static const struct kind direct = {
    "probe-direct", "‖direct term‖ / ‖∂E/∂x_L‖", PROFILE(direct),
    "What of the gradient at the net's end comes down to a unit along the shortcuts alone, equations (8) and (10): the "
    "norm of the direct term over that of ∂E/∂x_L, at the input of every unit. Lines: median over the seeds; bands: "
    "least to greatest. The lowest line of the axis stands for zero.",
    "Direct gain at the first unit"};
static const struct kind others[] = {
    {"probe-gradient", "RMS of ∂E/∂x_l", PROFILE(gradient),
     "The whole gradient at the input of every unit. With batch norm it grows towards the first units in all these "
     "nets, "
     "so its size does not tell apart those that train: the direct term does.",
     "RMS of the gradient at the first unit"},
    {"probe-sum", "‖ΣF‖ / ‖x_L‖", PROFILE(sum),
     "Equation (7): the norm of the sum of all branches from a unit on, over that of the net's last signal x_L.",
     "Sum of all branches over the last signal"},
};
static const struct kind responses = {
    "responses", "Standard deviation", PROFILE(responses),
    "Layer responses as in Figure 7 of the first paper: standard deviation of what each 3×3 layer gives, after batch "
    "norm and before ReLU or addition, at the newest probe; left in the order of the layers, right by size.",
    "Response of the last layer"};

struct line { /* a setting in a figure */
    const struct skl_drawn_setting *set;
    const struct skl_probed *probed;
    const struct skl_profile *profile; /* [2] */
};
struct panel {
    int when;
    bool sorted;
    const char *title;
};
struct plot {
    const struct kind *kind;
    struct line *line;
    int lines;
    struct panel panel[MAX_PANELS];
    int panels;
    int width;                         /* units or layers; 0: not the same in all */
    bool layers, linear, floor, below; /* floor: something is zero or too small to show; below: some of it not zero */
    struct skl_scale y;
};

static const struct skl_profile *profiles_of(const struct skl_probed *p, const struct kind *kind)
{
    return (const struct skl_profile *)((const char *)p + kind->profile);
}

/* ---- what is drawn ---- */

static void take_lines(const struct skl_sheet *s, const struct skl_probed *probed, struct plot *p)
{
    p->line = skl_alloc_array((size_t)s->drawing.count, sizeof *p->line);
    for (int i = 0; i < s->drawing.count; i++) {
        const struct skl_profile *profile = profiles_of(&probed[i], p->kind);
        int n = profile[SKL_AT_END].n;
        if (n == 0) continue;
        p->width = p->lines == 0 || p->width == n ? n : 0;
        p->line[p->lines++] = (struct line){&s->drawing.set[i], &probed[i], profile};
    }
}

static void take_panels(const struct skl_probed *probed, int count, struct plot *p)
{
    double end = 0;
    bool start = false;
    for (int i = 0; i < count; i++) end = fmax(end, probed[i].end);
    for (int i = 0; i < p->lines; i++) start = start || p->line[i].profile[SKL_AT_START].n > 0;
    if (p->layers) {
        p->panel[p->panels++] = (struct panel){SKL_AT_END, false, "(a) in the order of the layers"};
        p->panel[p->panels++] = (struct panel){SKL_AT_END, true, "(b) by size"};
        return;
    }
    if (start) p->panel[p->panels++] = (struct panel){SKL_AT_START, false, "(a) before training"};
    if (end > 0) p->panel[p->panels++] = (struct panel){SKL_AT_END, false, "(b) at the newest probe"};
}

/* true if no run that is drawn has more to come. */
static bool all_finished(const struct plot *p)
{
    for (int i = 0; i < p->lines; i++)
        for (int k = 0; k < p->line[i].set->setting->runs; k++) {
            if (!skl_state_is_end(p->line[i].set->setting->run[k].state)) return false;
        }
    return true;
}

static void take_scale(struct plot *p)
{
    double low = INFINITY, high = 0;
    for (int i = 0; i < p->lines; i++)
        for (int k = 0; k < p->panels; k++) {
            const struct skl_profile *f = &p->line[i].profile[p->panel[k].when];
            for (int u = 0; u < f->n; u++) {
                if (!isfinite(f->high[u]) || !isfinite(f->low[u])) continue;
                high = fmax(high, f->high[u]);
                if (f->low[u] > 0) low = fmin(low, f->low[u]);
                p->floor = p->floor || f->low[u] < LEAST_SHOWN;
                p->below = p->below || (f->low[u] > 0 && f->low[u] < LEAST_SHOWN);
            }
        }
    p->linear = p->layers && high <= RESPONSES_LINEAR;
    if (p->linear)
        p->y = skl_scale_linear(1.05 * high);
    else
        p->y = high > LEAST_SHOWN ? skl_scale_log(fmin(fmax(low, LEAST_SHOWN), high), high)
                                  : skl_scale_log(LEAST_SHOWN, 1);
    p->floor = p->floor && !p->linear;
}

/* ---- data ---- */

static int downward(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

static char *data_file(const struct plot *p, const struct line *l, int panel)
{
    return skl_format("data/%s.%s.%d.csv", l->set->slug, p->kind->stem, panel + 1);
}

/* Where unit or layer i of n stands on the axis. */
static double place(const struct plot *p, int i, int n)
{
    return p->width == 0 ? (i + 0.5) / n : p->layers ? i + 1 : i;
}

static int write_profile(const struct skl_sheet *s, const struct plot *p, const struct line *l, int panel,
                         struct skl_err *err)
{
    const struct skl_profile *f = &l->profile[p->panel[panel].when];
    char *file = data_file(p, l, panel);
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs("at,value,low,high\n", out);
    double *sorted = skl_alloc_array((size_t)f->n + 1, sizeof *sorted);
    memcpy(sorted, f->value, (size_t)f->n * sizeof *sorted);
    if (p->panel[panel].sorted) qsort(sorted, (size_t)f->n, sizeof *sorted, downward);
    for (int i = 0; i < f->n; i++) {
        double low = p->panel[panel].sorted ? sorted[i] : f->low[i],
               high = p->panel[panel].sorted ? sorted[i] : f->high[i];
        if (isfinite(sorted[i]) && isfinite(low) && isfinite(high))
            fprintf(out, "%.9g,%.9g,%.9g,%.9g\n", place(p, i, f->n), sorted[i], low, high);
    }
    skl_text_close(&t);
    int status = skl_sheet_data(s, file, t.text, t.n, err);
    free(sorted);
    free(file);
    return status;
}

/* ---- scripts ---- */

/* The stages lie at the same places in all nets that are drawn. */
static bool same_stages(const struct plot *p)
{
    const struct skl_probed *first = p->line[0].probed;
    for (int i = 1; i < p->lines; i++) {
        const struct skl_probed *own = p->line[i].probed;
        if (own->stages != first->stages) return false;
        for (int k = 0; k < own->stages; k++)
            if ((int64_t)own->stage_start[k] * first->units != (int64_t)first->stage_start[k] * own->units)
                return false;
    }
    return true;
}

/* Where they begin, and where the last ends; '' where that cannot be said for all.  Layers: one is before all units,
 * which have the same number of them. */
static void put_stages(struct skl_script *t, const struct plot *p)
{
    const struct skl_probed *first = p->line[0].probed;
    const int layers = p->width - 1, units = first->units;
    const bool fits = p->width == 0 || (p->layers ? units && layers % units == 0 : p->width == units);
    const bool known = units > 0 && fits && same_stages(p);
    fputs("STAGES = '", t->out);
    for (int k = 0; k <= first->stages && first->stages && known; k++) {
        const double start = first->stage_start[k];
        fprintf(t->out, "%s%.6g", k ? " " : "",
                p->width == 0 ? start / units
                : p->layers   ? 1.5 + start * (layers / units)
                              : start - 0.5);
    }
    fputs("'\n", t->out);
}

static void put_x_axis(struct skl_script *t, const struct plot *p)
{
    const int n = p->width;
    const double first = p->layers ? 0.5 : -0.5, step = n ? skl_nice_step(n, X_INTERVALS) : 0;
    if (n == 0)
        fputs("X_LABEL = 'Place in the net (0: first unit, 1: last)'\nX_MIN = 0\nX_MAX = 1\nX_STEP = 0.2\n", t->out);
    else
        fprintf(t->out, "X_LABEL = '%s'\nX_MIN = %.1f\nX_MAX = %.1f\nX_STEP = %.1f\n", p->layers ? "3×3 layer" : "Unit",
                first, first + n, step < 1 ? 1 : step);
    put_stages(t, p);
}

static void put_y_axis(struct skl_script *t, const struct plot *p)
{
    fprintf(t->out, "Y_LABEL = '%s'\nY_LOG = %d\nY_MIN = %.9g\nY_MAX = %.9g\nY_TICS = '%s'\n", p->kind->label, p->y.log,
            p->y.min, p->y.max, p->y.tics);
    fprintf(t->out, "FLOOR_LABEL = '%s'\n", !p->floor ? "" : p->below ? "< 10⁻¹²" : "0");
}

/* "Direct gain at the first unit, before training and at the newest probe: original 0.167 and 0.42; ..." */
static char *in_words(const struct plot *p)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fprintf(out, "%s%s:", p->kind->in_words,
            p->panels < 2 || p->layers ? "" : ", before training and at the newest probe");
    for (int i = 0; i < p->lines; i++) {
        fprintf(out, "%s %s", i ? ";" : "", p->line[i].set->setting->label);
        for (int k = 0; k < (p->layers ? 1 : p->panels); k++) {
            const struct skl_profile *f = &p->line[i].profile[p->panel[k].when];
            double value = f->n ? f->value[p->layers ? f->n - 1 : 0] : NAN;
            if (isfinite(value))
                fprintf(out, "%s%.3g", k ? " and " : " ", value);
            else
                fprintf(out, "%snot known", k ? " and " : " ");
        }
    }
    fputc('.', out);
    return skl_text_close(&t);
}

/* Lines first .. first + count. */
static int write_plot(struct skl_sheet *s, const struct plot *p, const char *stem, int first, int count,
                      struct skl_err *err)
{
    static const char *const arrays[] = {"LABEL", "STYLE", "LINE", NULL};
    struct skl_script t;
    int status = SKL_OK;
    char **label = skl_alloc_array((size_t)count, sizeof *label),
         *title = skl_text_fit(s->results->label ? s->results->label : "", s->room.title);
    const int legend = s->room.units[p->panels - 1];
    for (int i = 0; i < count; i++)
        label[i] = skl_text_fit(
            p->line[first + i].set->setting->label,
            skl_sheet_name_room(s, skl_sheet_in_corner(s, count) ? s->room.panel_legend * 3 / 2 : s->room.units[0],
                                count));
    skl_script_open(&t, stem);
    skl_script_text(&t, "TITLE", title);
    put_x_axis(&t, p);
    put_y_axis(&t, p);
    fprintf(t.out, "PANELS = %d\nLINES = %d\nKEY_ROWS = %d\narray PANEL[PANELS]\n", p->panels, count,
            skl_sheet_key_rows(label, count, legend));
    skl_script_legend(&t, s, count);
    for (int k = 0; k < p->panels; k++)
        skl_script_item(&t, "PANEL", k + 1,
                        p->panel[k].when == SKL_AT_END && !p->layers && all_finished(p) ? "(b) after training"
                                                                                        : p->panel[k].title);
    skl_script_arrays(&t, "PANELS*LINES", arrays);
    for (int k = 0; k < p->panels; k++)
        for (int i = 0; i < count; i++) {
            const struct line *l = &p->line[first + i];
            bool there = l->profile[p->panel[k].when].n > 0;
            char *file = data_file(p, l, k);
            int at = k * count + i + 1;
            skl_script_item(&t, "LABEL", at, label[i]);
            skl_script_item(&t, "LINE", at, there ? file : NULL);
            fprintf(t.out, "STYLE[%d] = %d\n", at, l->set->style);
            if (there && !status) status = write_profile(s, p, l, k, err);
            free(file);
        }
    for (int i = 0; i < count; i++) free(label[i]);
    free(label);
    free(title);
    int written =
        skl_script_close(&t, s, skl_template_units, skl_strdup(p->kind->caption), in_words(p), status ? NULL : err);
    return status ? status : written;
}

static int draw_profiles(struct skl_sheet *s, const struct skl_probed *probed, const struct kind *kind,
                         struct skl_err *err)
{
    struct plot p = {.kind = kind, .layers = kind == &responses};
    int status = SKL_OK, pages = 0;
    take_lines(s, probed, &p);
    take_panels(probed, s->drawing.count, &p);
    take_scale(&p);
    for (int i = 0; i < p.lines && p.panels && !status; i += SKL_SHEET_CURVES) {
        int count = p.lines - i < SKL_SHEET_CURVES ? p.lines - i : SKL_SHEET_CURVES;
        char *stem = ++pages == 1 ? skl_strdup(kind->stem) : skl_format("%s-%d", kind->stem, pages);
        status = write_plot(s, &p, stem, i, count, err);
        free(stem);
    }
    free(p.line);
    return status;
}

/* ---- the map ---- */

static double least_of(const struct skl_probed *probed, int count)
{
    double least = 1;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < probed[i].columns * probed[i].units; k++)
            if (probed[i].map[k] > 0) least = fmin(least, probed[i].map[k]);
    return skl_scale_log(fmax(least, LEAST_SHOWN), 1).min;
}

static int write_map_data(const struct skl_sheet *s, const struct skl_probed *p, const char *file, struct skl_err *err)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs("at,unit,value\n", out);
    for (int c = 0; c < p->columns; c++)
        for (int u = 0; u < p->units; u++)
            fprintf(out, "%.9g,%d,%.9g\n", p->end * c / (p->columns - 1), u, p->map[c * p->units + u]);
    skl_text_close(&t);
    return skl_sheet_data(s, file, t.text, t.n, err);
}

/* The maps' names and data. */
static int put_maps(struct skl_script *t, const struct skl_sheet *s, const struct skl_probed *probed, const int *which,
                    int count, struct skl_err *err)
{
    int status = SKL_OK, lines = 1;
    for (int i = 0; i < count; i++) {
        const struct skl_probed *p = &probed[which[i]];
        const struct skl_drawn_setting *set = &s->drawing.set[which[i]];
        char *name = skl_text_wrap(set->setting->label, s->room.map_title),
             *file = skl_format("data/%s.probe-map.csv", set->slug);
        if (strchr(name, '\n')) lines = 2;
        skl_script_item(t, "LABEL", i + 1, name);
        skl_script_item(t, "MAP", i + 1, file);
        fprintf(t->out, "UNITS[%d] = %d\nSTEPS[%d] = %d\nX_MAX[%d] = %.1f\n", i + 1, p->units, i + 1, p->columns, i + 1,
                p->end);
        if (!status) status = write_map_data(s, p, file, err);
        free(name);
        free(file);
    }
    fprintf(t->out, "LABEL_LINES = %d\n", lines);
    return status;
}

static int write_map(struct skl_sheet *s, const struct skl_probed *probed, const int *which, int count,
                     const char *stem, struct skl_err *err)
{
    static const char *const arrays[] = {"LABEL", "MAP", "UNITS", "STEPS", "X_MAX", NULL};
    struct skl_script t;
    const int most = s->room.map_columns ? s->room.map_columns
                     : count <= 8        ? 3
                                         : 4,
              columns = count < most ? count : most;
    double end = 0;
    for (int i = 0; i < count; i++) end = fmax(end, probed[which[i]].end);
    struct skl_scale x = skl_scale_iterations(0, end);
    skl_script_open(&t, stem);
    char *title = skl_text_fit(s->results->label ? s->results->label : "", s->room.title);
    skl_script_text(&t, "TITLE", title);
    free(title);
    fprintf(t.out,
            "X_LABEL = '%s'\nX_UNIT = %.1f\nX_STEP = %.1f\nC_LABEL = '%s'\nC_MIN = %.9g\nPANELS = %d\nCOLUMNS = "
            "%d\nROWS = %d\nX_END = %.1f\n",
            x.label, x.unit, 2 * x.step, direct.label, least_of(probed, s->drawing.count), count, columns,
            (count + columns - 1) / columns, end);
    skl_script_arrays(&t, "PANELS", arrays);
    int status = put_maps(&t, s, probed, which, count, err);
    char *caption =
        skl_strdup("The direct term's gain at every unit over all of training: light where the gradient comes "
                   "down along the shortcuts whole, dark where little does, grey where nothing does.");
    char *alt =
        skl_format("Maps of the direct term over units and iterations, one for each of %d variants. The figures at "
                   "both ends of training stand in the figure before.",
                   count);
    int written = skl_script_close(&t, s, skl_template_map, caption, alt, status ? NULL : err);
    return status ? status : written;
}

static int draw_map(struct skl_sheet *s, const struct skl_probed *probed, struct skl_err *err)
{
    int *which = skl_alloc_array((size_t)s->drawing.count, sizeof *which), n = 0, status = SKL_OK, pages = 0;
    for (int i = 0; i < s->drawing.count; i++)
        if (probed[i].columns > 0) which[n++] = i;
    for (int i = 0; i < n && !status; i += s->room.maps) {
        int count = n - i < s->room.maps ? n - i : s->room.maps;
        char *stem = ++pages == 1 ? skl_strdup("probe-map") : skl_format("probe-map-%d", pages);
        status = write_map(s, probed, which + i, count, stem, err);
        free(stem);
    }
    free(which);
    return status;
}

int skl_draw_probes(struct skl_sheet *s, struct skl_err *err)
{
    struct skl_probed *probed = skl_alloc_array((size_t)s->drawing.count, sizeof *probed);
    for (int i = 0; i < s->drawing.count; i++) {
        skl_probed_read(s->drawing.set[i].setting, &probed[i]);
        if (probed[i].warning && !s->figures->warning) s->figures->warning = skl_strdup(probed[i].warning);
    }
    int status = draw_profiles(s, probed, &direct, err);
    if (!status) status = draw_map(s, probed, err);
    for (size_t k = 0; k < sizeof others / sizeof *others && !status; k++)
        status = draw_profiles(s, probed, &others[k], err);
    if (!status) status = draw_profiles(s, probed, &responses, err);
    for (int i = 0; i < s->drawing.count; i++) skl_probed_release(&probed[i]);
    free(probed);
    return status;
}
