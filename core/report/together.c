#include "core/report/together.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/twins.h"
#include "core/report/facts.h"
#include "core/run/folder.h"
#include "core/run/record.h"

/* The settings of the first run that has any; empty: none has begun. */
static void read_facts(const struct skl_result_setting *s, struct skl_facts *facts)
{
    *facts = (struct skl_facts){0};
    for (int i = 0; i < s->runs && facts->count == 0; i++) {
        if (!s->run[i].folder) continue;
        char *path = skl_path(s->run[i].folder, SKL_FILE_CONFIG);
        skl_facts_release(facts);
        if (skl_facts_read(path, facts, NULL)) skl_facts_release(facts);
        free(path);
    }
}

/* ---- images ---- */

static double batch_of(const struct skl_result_setting *s)
{
    if (s->batch > 0) return s->batch;
    struct skl_facts facts;
    read_facts(s, &facts);
    const double batch = skl_facts_real(&facts, "train.batch", 0);
    skl_facts_release(&facts);
    return batch;
}

int skl_results_by_images(struct skl_results *r, struct skl_err *err)
{
    for (int i = 0; i < r->settings; i++) {
        struct skl_result_setting *s = &r->setting[i];
        const double batch = batch_of(s);
        bool rows = false;
        for (int k = 0; k < s->runs; k++)
            for (int m = 0; m < SKL_METRICS; m++) {
                struct skl_series *curve = &s->run[k].curve[m];
                rows = rows || curve->n > 0;
                for (int j = 0; j < curve->n; j++) curve->x[j] *= batch;
            }
        if (rows && !(batch >= 1))
            return skl_fail(err, SKL_DATA, "%s/%s: neither plan.json nor a run's config.yaml says its train.batch",
                            r->folder, s->path);
    }
    return SKL_OK;
}

/* ---- are they comparable? ---- */

/* What test errors are of, one "key value" a line; "" where no run has begun. */
static char *test_set_of(const struct skl_results *r)
{
    static const char *const keys[] = {"data.dataset", "data.test_images", "data.classes"};
    static const char *const made[] = {"data.synthetic.test", "data.synthetic.size", "data.synthetic.channels",
                                       "data.synthetic.classes"};
    char *text = skl_strdup("");
    for (int i = 0; i < r->settings && !*text; i++) {
        struct skl_facts facts;
        read_facts(&r->setting[i], &facts);
        const char *set = skl_facts_get(&facts, keys[0]);
        for (size_t k = 0; k < sizeof keys / sizeof *keys && set; k++) {
            const char *value = skl_facts_get(&facts, keys[k]);
            text = skl_append(text, "%s %s\n", keys[k], value ? value : "0");
        }
        for (size_t k = 0; k < sizeof made / sizeof *made && set && !strcmp(set, "synthetic"); k++) {
            const char *value = skl_facts_get(&facts, made[k]);
            text = skl_append(text, "%s %s\n", made[k], value ? value : "");
        }
        skl_facts_release(&facts);
    }
    return text;
}

/* The fingerprint of the images that some run was trained with; "": not known. */
static char *fingerprint_of(const struct skl_results *r)
{
    for (int i = 0; i < r->settings; i++)
        for (int k = 0; k < r->setting[i].runs; k++) {
            struct skl_run_record record;
            if (!r->setting[i].run[k].folder) continue;
            if (skl_run_record_read(r->setting[i].run[k].folder, &record, NULL)) continue;
            char *data = skl_strdup(record.data);
            skl_run_record_release(&record);
            if (*data) return data;
            free(data);
        }
    return skl_strdup("");
}

static int check_test_sets(const struct skl_results *a, const struct skl_results *b, struct skl_err *err)
{
    char *first = test_set_of(a), *second = test_set_of(b), *left = fingerprint_of(a), *right = fingerprint_of(b);
    int status = SKL_OK;
    const char *p = first, *q = second;
    while (*p && *q && strcspn(p, "\n") == strcspn(q, "\n") && !strncmp(p, q, strcspn(p, "\n"))) {
        p += strcspn(p, "\n") + 1;
        q += strcspn(q, "\n") + 1;
    }
    if (*p && *q)
        status = skl_fail(err, SKL_USAGE,
                          "not one figure: %s has %.*s, %s has %.*s; curves of other test sets say nothing "
                          "beside each other",
                          a->folder, (int)strcspn(p, "\n"), p, b->folder, (int)strcspn(q, "\n"), q);
    else if (*left && *right && strcmp(left, right))
        status =
            skl_fail(err, SKL_USAGE, "not one figure: the images of %s have the fingerprint %s, those of %s have %s",
                     a->folder, left, b->folder, right);
    free(first), free(second), free(left), free(right);
    return status;
}

static int check_rows(const struct skl_results *r, int metric, struct skl_err *err)
{
    for (int i = 0; i < r->settings; i++)
        for (int k = 0; k < r->setting[i].runs; k++)
            if (r->setting[i].run[k].curve[metric].n) return SKL_OK;
    return skl_fail(err, SKL_DATA, "%s: no run has a %s with rows for --metric %s", r->folder,
                    skl_metric_table[metric].file, skl_metric_table[metric].name);
}

static int check(const struct skl_results *sweep, int count, int metric, struct skl_err *err)
{
    struct skl_twins twins = {0};
    int status = SKL_OK;
    for (int i = 0; i < count && !status; i++) {
        const char *twin;
        status = skl_twins_look(&twins, sweep[i].folder, &twin, err);
        if (!status && twin)
            status = skl_fail(err, SKL_USAGE, "%s is %s once more; each sweep is wanted once", sweep[i].folder, twin);
        if (!status) status = check_rows(&sweep[i], metric, err);
        if (!status && i) status = check_test_sets(&sweep[0], &sweep[i], err);
    }
    skl_twins_release(&twins);
    return status;
}

/* ---- one of several ---- */

static char *name_of(const struct skl_results *sweep, int count, int i)
{
    for (int k = 0; k < count; k++) {
        if (k == i || strcmp(sweep[k].name, sweep[i].name)) continue;
        char *folder = skl_strdup(sweep[i].folder);
        size_t n = strlen(folder);
        while (n > 1 && folder[n - 1] == '/') folder[--n] = 0;
        return folder;
    }
    return skl_strdup(sweep[i].name);
}

static void replace(char **text, char *with)
{
    free(*text);
    *text = with;
}

static void take_settings(struct skl_results *from, const char *name, struct skl_results *all)
{
    for (int i = 0; i < from->settings; i++) {
        struct skl_result_setting *s = &all->setting[all->settings++];
        *s = from->setting[i];
        s->within = (int)strlen(name) + 1;
        replace(&s->path, skl_format("%s/%s", name, s->path));
        replace(&s->name, skl_format("%s: %s", name, s->name));
        replace(&s->label, skl_format("%s: %s", name, s->label));
    }
    all->runs += from->runs;
    from->settings = from->runs = 0;
}

int skl_results_join(struct skl_results *sweep, int count, int metric, struct skl_results *all, struct skl_err *err)
{
    *all = (struct skl_results){0};
    int settings = 0, status = check(sweep, count, metric, err);
    if (status) return status;
    for (int i = 0; i < count; i++) settings += sweep[i].settings;
    all->setting = skl_alloc_array((size_t)settings, sizeof *all->setting);
    all->baseline = sweep[0].baseline;
    all->folder = skl_strdup("");
    for (int i = 0; i < count; i++) {
        char *name = name_of(sweep, count, i);
        all->folder = skl_append(all->folder, "%s%s", i ? ", " : "", sweep[i].folder);
        take_settings(&sweep[i], name, all);
        free(name);
    }
    return SKL_OK;
}
