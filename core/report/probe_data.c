#include "core/report/probe_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/io/csv.h"
#include "core/run/folder.h"

/* One column of one file: value[probes][width]. */
struct grid {
    int probes, width;
    double *iteration, *value;
};

/* Rows of one probe: how often the first iteration stands there, the index counting up from `first`. */
static int width_of(const struct skl_table *t, int at, int index, int first)
{
    int n = 0;
    while (n < t->rows && t->value[n * t->columns + at] == t->value[at] &&
           t->value[n * t->columns + index] == first + n)
        n++;
    return n;
}

static bool whole_probe(const struct skl_table *t, int row, int width, int at, int index, int first)
{
    if (row + width > t->rows) return false;
    for (int i = 0; i < width; i++) {
        const double *cell = &t->value[(row + i) * t->columns];
        if (cell[at] != t->value[row * t->columns + at] || cell[index] != first + i) return false;
    }
    return true;
}

static void take_grid(const struct skl_table *t, const char *index_name, const char *column, int first, struct grid *g)
{
    int at = skl_table_column(t, "iteration"), index = skl_table_column(t, index_name),
        from = skl_table_column(t, column);
    *g = (struct grid){0};
    if (at < 0 || index < 0 || from < 0 || t->rows == 0) return;
    g->width = width_of(t, at, index, first);
    if (g->width == 0) return;
    g->iteration = skl_alloc_array((size_t)t->rows, sizeof *g->iteration);
    g->value = skl_alloc_array((size_t)t->rows, sizeof *g->value);
    for (int row = 0; whole_probe(t, row, g->width, at, index, first); row += g->width) {
        g->iteration[g->probes] = t->value[row * t->columns + at];
        for (int i = 0; i < g->width; i++) g->value[g->probes * g->width + i] = t->value[(row + i) * t->columns + from];
        g->probes++;
    }
}

static void release_grid(struct grid *g)
{
    free(g->iteration);
    free(g->value);
}

/* ---- over the seeds ---- */

static bool usable(const struct grid *g, int width) { return g->probes > 0 && g->width == width; }

/* The first run's that has one. */
static int common_width(const struct grid *g, int runs)
{
    for (int i = 0; i < runs; i++)
        if (g[i].probes > 0) return g[i].width;
    return 0;
}

static void take_profile(const struct grid *g, int runs, int when, struct skl_profile *p)
{
    int width = common_width(g, runs), found = 0;
    double *v = skl_alloc_array((size_t)runs + 1, sizeof *v);
    *p = (struct skl_profile){0};
    p->value = skl_alloc_array((size_t)width + 1, sizeof *p->value);
    p->low = skl_alloc_array((size_t)width + 1, sizeof *p->low);
    p->high = skl_alloc_array((size_t)width + 1, sizeof *p->high);
    for (int u = 0; u < width; u++) {
        int n = 0;
        for (int i = 0; i < runs; i++) {
            if (!usable(&g[i], width) || (when == SKL_AT_START && g[i].iteration[0] != 0)) continue;
            v[n] = g[i].value[(when == SKL_AT_START ? 0 : g[i].probes - 1) * width + u];
            n += !isnan(v[n]);
        }
        p->value[u] = skl_median(v, n);
        p->low[u] = skl_quantile(v, n, 0);
        p->high[u] = skl_quantile(v, n, 1);
        found += n > 0;
    }
    p->n = found ? width : 0;
    free(v);
}

static void take_profiles(const struct grid *g, int runs, struct skl_profile p[2])
{
    take_profile(g, runs, SKL_AT_START, &p[SKL_AT_START]);
    take_profile(g, runs, SKL_AT_END, &p[SKL_AT_END]);
}

/* The probe nearest to an iteration that the run has reached, -1: none within reach. */
static int nearest(const struct grid *g, double iteration, double reach)
{
    int best = 0;
    for (int k = 1; k < g->probes; k++)
        if (fabs(g->iteration[k] - iteration) < fabs(g->iteration[best] - iteration)) best = k;
    return fabs(g->iteration[best] - iteration) <= reach ? best : -1;
}

static void take_map(const struct grid *g, int runs, struct skl_probed *p)
{
    int most = 0;
    for (int i = 0; i < runs; i++)
        if (usable(&g[i], p->units) && g[i].probes > most) most = g[i].probes;
    if (most < 2 || !(p->end > 0)) return;
    p->columns = most < SKL_MAP_COLUMNS ? most : SKL_MAP_COLUMNS;
    p->map = skl_alloc_array((size_t)p->columns * (size_t)p->units, sizeof *p->map);
    double *v = skl_alloc_array((size_t)runs + 1, sizeof *v), step = p->end / (p->columns - 1);
    for (int c = 0; c < p->columns; c++)
        for (int u = 0; u < p->units; u++) {
            int n = 0;
            for (int i = 0; i < runs; i++) {
                int k = usable(&g[i], p->units) ? nearest(&g[i], c * step, step) : -1;
                if (k < 0) continue;
                v[n] = g[i].value[k * p->units + u];
                n += !isnan(v[n]);
            }
            p->map[c * p->units + u] = skl_median(v, n);
        }
    free(v);
}

/* ---- the files ---- */

struct wanted {
    const char *column;
    struct grid *grid; /* one a run */
};

static void read_file(const struct skl_result_setting *s, const char *file, const char *index, int first,
                      const struct wanted *wanted, int count, struct skl_probed *p)
{
    for (int i = 0; i < s->runs; i++) {
        bool left_out = !s->run[i].folder || !strcmp(s->run[i].state, "unreadable"), there = false;
        char *path = left_out ? NULL : skl_path(s->run[i].folder, file);
        struct skl_table t;
        struct skl_err err = {0};
        if (path && !skl_is_there(path, &there, &err) && there && !skl_table_read(path, &t, &err)) {
            for (int k = 0; k < count; k++) take_grid(&t, index, wanted[k].column, first, &wanted[k].grid[i]);
            skl_table_release(&t);
        }
        if (err.status && !p->warning) p->warning = skl_strdup(err.text);
        free(path);
    }
}

/* Where the column `stage` changes. */
static void take_stages(const struct grid *g, int runs, struct skl_probed *p)
{
    const double *stage = NULL;
    for (int i = 0; i < runs && !stage; i++)
        if (usable(&g[i], p->units)) stage = g[i].value;
    for (int u = 0; u < p->units && stage; u++) {
        if (u > 0 && stage[u] == stage[u - 1]) continue;
        if (isnan(stage[u]) || p->stages == SKL_STAGES_SHOWN) {
            p->stages = 0;
            return;
        }
        p->stage_start[p->stages++] = u;
    }
    p->stage_start[p->stages] = p->units;
}

static void take_units(const struct grid *direct, int runs, struct skl_probed *p)
{
    p->units = common_width(direct, runs);
    for (int i = 0; i < runs; i++)
        if (usable(&direct[i], p->units)) p->end = fmax(p->end, direct[i].iteration[direct[i].probes - 1]);
    take_map(direct, runs, p);
}

void skl_probed_read(const struct skl_result_setting *s, struct skl_probed *p)
{
    enum { DIRECT, GRADIENT, STAGE, SUM, RESPONSE, KINDS };
    static const char *const columns[KINDS] = {"direct_gain", "gradient_rms", "stage", "sum_share", "std"};
    struct skl_profile *profile[KINDS] = {p->direct, p->gradient, NULL, p->sum, p->responses};
    struct wanted wanted[KINDS];
    *p = (struct skl_probed){0};
    for (int k = 0; k < KINDS; k++)
        wanted[k] = (struct wanted){columns[k], skl_alloc_array((size_t)s->runs + 1, sizeof *wanted[k].grid)};
    read_file(s, SKL_FILE_PROBE, "unit", 0, &wanted[DIRECT], 3, p);
    read_file(s, SKL_FILE_SUMS, "unit", 0, &wanted[SUM], 1, p);
    read_file(s, SKL_FILE_RESPONSES, "layer", 1, &wanted[RESPONSE], 1, p);
    take_units(wanted[DIRECT].grid, s->runs, p);
    take_stages(wanted[STAGE].grid, s->runs, p);
    for (int k = 0; k < KINDS; k++) {
        if (profile[k]) take_profiles(wanted[k].grid, s->runs, profile[k]);
        for (int i = 0; i < s->runs; i++) release_grid(&wanted[k].grid[i]);
        free(wanted[k].grid);
    }
}

static void release_profiles(struct skl_profile p[2])
{
    for (int i = 0; i < 2; i++) {
        free(p[i].value);
        free(p[i].low);
        free(p[i].high);
    }
}

void skl_probed_release(struct skl_probed *p)
{
    release_profiles(p->direct);
    release_profiles(p->gradient);
    release_profiles(p->sum);
    release_profiles(p->responses);
    free(p->map);
    free(p->warning);
    *p = (struct skl_probed){0};
}
