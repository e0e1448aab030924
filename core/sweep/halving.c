#include "core/base/sort.h"
#include "core/sweep/halving.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/io/csv.h"
#include "core/run/folder.h"
#include "core/run/record.h"
#include "core/sweep/plan_file.h"

struct setting {
    const char *name;
    int *run, runs; /* indices into the list */
    bool in;        /* not stopped yet */
    double value;   /* at the rung that is looked at */
};
struct skl_halving {
    struct skl_run_list list;
    struct setting *setting; /* in the plan's order */
    int settings, rungs;
    int64_t every;
    double keep, *value; /* of run i at rung k: value[i * rungs + k]; NaN: it has not come */
    const char *what;
};

/* ---- what the logs say ---- */

static struct setting *setting_of(struct skl_halving *h, const char *name)
{
    for (int i = 0; i < h->settings; i++)
        if (!strcmp(h->setting[i].name, name)) return &h->setting[i];
    struct setting *s = &h->setting[h->settings++];
    s->name = name;
    s->run = skl_alloc_array((size_t)h->list.count, sizeof *s->run);
    return s;
}

/* Its rows at rungs that it has left a checkpoint at. */
static void take_rows(struct skl_halving *h, const char *path, int64_t until, double *value)
{
    struct skl_table t;
    if (skl_table_read(path, &t, NULL)) return;
    const int error = skl_table_column(&t, "error");
    for (int64_t i = 0; i < (int64_t)t.rows && error >= 0; i++) {
        const double *row = &t.value[(size_t)i * (size_t)t.columns];
        const double at = row[0] / (double)h->every;
        if (row[0] <= (double)until && at >= 1 && at <= h->rungs && at == floor(at)) value[(int)at - 1] = row[error];
    }
    skl_table_release(&t);
}

static void take_run(struct skl_halving *h, const char *folder, const char *log, const struct skl_listed_run *run,
                     double *value)
{
    char *dir = skl_path(folder, run->dir), *path = skl_path(dir, log);
    struct skl_run_state s;
    for (int k = 0; k < h->rungs; k++) value[k] = NAN;
    if (!skl_run_state_read(dir, &s, NULL) && !strcmp(s.config_hash, run->hash)) {
        take_rows(h, path, s.iteration, value);
        /* One that ended by itself comes to no rung after that. */
        for (int k = 0; k < h->rungs; k++)
            if (s.complete && (isnan(value[k]) || (k + 1) * h->every > s.iteration)) value[k] = INFINITY;
    }
    free(path);
    free(dir);
}

int skl_halving_read(const char *folder, const struct skl_experiment *rule, struct skl_halving **halving,
                     struct skl_err *err)
{
    const bool by_validation = rule->give_up.halving.by == SKL_BY_VALIDATION;
    struct skl_halving *h = *halving = skl_alloc(sizeof *h);
    *h = (struct skl_halving){.every = rule->give_up.halving.every,
                              .keep = rule->give_up.halving.keep,
                              .what = by_validation ? "validation error" : "training error"};
    int status = skl_run_list_read(folder, &h->list, err);
    if (status) return status;
    const size_t n = (size_t)h->list.count + 1;
    h->rungs = (int)((rule->train.iterations - 1) / h->every);
    h->value = skl_alloc_array(n * (size_t)(h->rungs + 1), sizeof *h->value);
    h->setting = skl_alloc_array(n, sizeof *h->setting);
    for (int i = 0; i < h->list.count; i++) {
        struct setting *s = setting_of(h, h->list.run[i].setting);
        s->run[s->runs++] = i;
        take_run(h, folder, by_validation ? SKL_FILE_VALIDATION : SKL_FILE_TRAIN, &h->list.run[i],
                 &h->value[(size_t)i * (size_t)h->rungs]);
    }
    return SKL_OK;
}

void skl_halving_release(struct skl_halving *h)
{
    if (!h) return;
    for (int i = 0; i < h->settings; i++) free(h->setting[i].run);
    skl_run_list_release(&h->list);
    free(h->setting);
    free(h->value);
    free(h);
}

/* ---- what follows ---- */

/* The median over its seeds; *lacking: a run that has not come, else as it was. */
static double median_at(const struct skl_halving *h, const struct setting *s, int rung, const char **lacking)
{
    double *v = skl_alloc_array((size_t)s->runs, sizeof *v);
    for (int i = 0; i < s->runs; i++) {
        v[i] = h->value[(size_t)s->run[i] * (size_t)h->rungs + (size_t)rung];
        if (isnan(v[i]) && !*lacking) *lacking = h->list.run[s->run[i]].dir;
    }
    skl_sort_numbers(v, (size_t)s->runs);
    const double middle = skl_sorted_median(v, (size_t)s->runs);
    free(v);
    return middle;
}

/* How many of those that are in stand before this one. */
static int place_of(const struct skl_halving *h, const struct setting *s)
{
    int before = 0;
    for (const struct setting *o = h->setting; o < h->setting + h->settings; o++)
        before += o->in && (o->value < s->value || (o->value == s->value && o < s));
    return before;
}

static char *describe(const struct skl_halving *h, const struct setting *s, int in, int kept)
{
    char *value = isfinite(s->value) ? skl_format("%.2f %%", s->value) : skl_strdup("none, as runs ended before");
    char *text = skl_format("%s %s (median of %d run%s), place %d of %d, %d go%s on", h->what, value, s->runs,
                            s->runs == 1 ? "" : "s", place_of(h, s) + 1, in, kept, kept == 1 ? "es" : "");
    free(value);
    return text;
}

/* The values at a rung of those that are still in; how many they are.  *kept: how many of them go on.  *lacking: a run
 * that has not come, and then nothing is decided. */
static int climb(const struct skl_halving *h, int rung, const char **lacking, int *kept)
{
    int in = 0;
    for (int i = 0; i < h->settings; i++) in += h->setting[i].in;
    for (int i = 0; i < h->settings && in > 1; i++)
        if (h->setting[i].in) h->setting[i].value = median_at(h, &h->setting[i], rung, lacking);
    *kept = (int)fmax(1, ceil(h->keep * in - 1e-9));
    return in;
}

static void cut(const struct skl_halving *h, int kept)
{
    bool *stays = skl_alloc_array((size_t)h->settings + 1, sizeof *stays);
    for (int i = 0; i < h->settings; i++) stays[i] = h->setting[i].in && place_of(h, &h->setting[i]) < kept;
    for (int i = 0; i < h->settings; i++) h->setting[i].in = stays[i];
    free(stays);
}

enum skl_rung skl_halving_ask(const struct skl_halving *h, const char *setting, int64_t iteration, char **why)
{
    const int last = (int)(iteration / h->every) - 1;
    const struct setting *own = NULL;
    for (int i = 0; i < h->settings; i++) {
        h->setting[i].in = true;
        if (!strcmp(h->setting[i].name, setting)) own = &h->setting[i];
    }
    for (int k = 0; k <= last && own; k++) {
        const char *lacking = NULL;
        int kept, in = climb(h, k, &lacking, &kept);
        if (in <= 1) break;
        if (lacking) {
            if (why) *why = skl_strdup(lacking);
            return SKL_RUNG_WAIT;
        }
        if (why && place_of(h, own) >= kept) *why = describe(h, own, in, kept);
        cut(h, kept);
        if (!own->in) return SKL_RUNG_STOP;
    }
    return SKL_RUNG_GO_ON;
}
