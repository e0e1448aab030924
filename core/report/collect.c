#include "core/report/collect.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/bounds.h"
#include "core/base/twins.h"
#include "core/config/figure_words.h"
#include "core/config/plan.h"
#include "core/io/csv.h"
#include "core/io/json.h"
#include "core/io/yaml.h"
#include "core/report/label.h"
#include "core/run/folder.h"
#include "core/run/record.h"

enum { MAX_DEPTH = 4, MAX_RUNS = 1000000 }; /* VARIANT/k=v/seed-N is 3 deep */
#define MAX_ITERATION 0x1p53                /* beyond it a double misses whole numbers */

struct walk {
    struct skl_results *results;
    unsigned metrics;
    struct skl_twins twins;
};

const struct skl_metric_info skl_metric_table[SKL_METRICS] = {
    [SKL_TRAIN_LOSS] = {"train_loss", SKL_FILE_TRAIN, "loss", "Training loss", ""},
    [SKL_TRAIN_ERROR] = {"train_error", SKL_FILE_TRAIN, "error", "Training error", "%"},
    [SKL_TEST_LOSS] = {"test_loss", SKL_FILE_TEST, "loss", "Test loss", ""},
    [SKL_TEST_ERROR] = {"test_error", SKL_FILE_TEST, "error", "Test error", "%"},
    [SKL_VALIDATION_LOSS] = {"validation_loss", SKL_FILE_VALIDATION, "loss", "Validation loss", ""},
    [SKL_VALIDATION_ERROR] = {"validation_error", SKL_FILE_VALIDATION, "error", "Validation error", "%"},
};

const char *const *skl_metric_names(void) { return skl_figure_metrics; }

int skl_metric_find(const char *name)
{
    for (int m = 0; m < SKL_METRICS; m++)
        if (!strcmp(skl_metric_table[m].name, name)) return m;
    return -1;
}

static void warn(struct skl_results *r, const char *text) { *SKL_ADD(r->warning, r->warnings) = skl_strdup(text); }

/* ---- settings and runs by name: a tree, since there may be many thousands ---- */

struct leaf {
    char *path; /* of the setting, borrowed */
    uint64_t seed;
    bool is_run;
    int setting, run; /* indices */
};

static int by_leaf(const void *a, const void *b)
{
    const struct leaf *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    if (order) return order;
    if (x->is_run != y->is_run) return x->is_run ? 1 : -1;
    return (x->seed > y->seed) - (x->seed < y->seed);
}

/* The leaf with this key, or a new one: *found tells. */
static struct leaf *find_leaf(struct skl_results *r, struct leaf key, bool *found)
{
    struct leaf **at = tfind(&key, &r->index, by_leaf);
    *found = at != NULL;
    if (at) return *at;
    struct leaf *leaf = skl_alloc(sizeof *leaf);
    *leaf = key;
    return leaf;
}

static void keep_leaf(struct skl_results *r, struct leaf *leaf) { SKL_CHECK(tsearch(leaf, &r->index, by_leaf)); }

static int find_setting(struct skl_results *r, const char *path)
{
    bool found;
    struct leaf *leaf = find_leaf(r, (struct leaf){.path = (char *)(uintptr_t)path}, &found);
    if (found) return leaf->setting;
    leaf->setting = r->settings;
    struct skl_result_setting *s = SKL_ADD(r->setting, r->settings);
    *s = (struct skl_result_setting){
        .path = skl_strdup(path),
        .name = skl_label_plain(path, strlen(path)),
        .label = skl_label(path),
        .variant = skl_label_plain(path, strcspn(path, "/")),
    };
    leaf->path = s->path;
    keep_leaf(r, leaf);
    return leaf->setting;
}

/* A new run waits until more is known. */
static struct skl_result_run *find_run(struct skl_results *r, const char *path, uint64_t seed)
{
    int setting = find_setting(r, path);
    struct skl_result_setting *s = &r->setting[setting];
    bool found;
    struct leaf *leaf = find_leaf(r, (struct leaf){.path = s->path, .seed = seed, .is_run = true}, &found);
    if (found) return &s->run[leaf->run];
    leaf->run = s->runs;
    r->runs++;
    keep_leaf(r, leaf);
    struct skl_result_run *run = SKL_ADD(s->run, s->runs);
    *run = (struct skl_result_run){.seed = seed, .state = "waiting"};
    return run;
}

/* "seed-N" with N a plain decimal number. */
static bool seed_of(const char *name, uint64_t *seed)
{
    if (strncmp(name, "seed-", 5) || !isdigit((unsigned char)name[5])) return false;
    char *end;
    errno = 0;
    *seed = strtoull(name + 5, &end, 10);
    return *end == 0 && errno == 0;
}

void skl_result_add(struct skl_series *s, double x, double y)
{
    if (!(x >= 0 && x <= MAX_ITERATION) || !isfinite(y) || (s->n > 0 && x <= s->x[s->n - 1])) return;
    s->x = skl_grow(s->x, (size_t)s->n, sizeof *s->x);
    s->y = skl_grow(s->y, (size_t)s->n, sizeof *s->y);
    s->x[s->n] = x;
    s->y[s->n++] = y;
}

static void take_series(const struct skl_table *t, int x, int y, struct skl_series *s)
{
    for (int i = 0; i < t->rows; i++) skl_result_add(s, t->value[i * t->columns + x], t->value[i * t->columns + y]);
}

/* The curves that stand in one of the run's tables, as far as `metrics` asks for them. */
static int read_table(struct skl_result_run *run, const char *file, unsigned metrics, struct skl_err *err)
{
    char *path = skl_path(run->folder, file);
    struct skl_table t;
    bool there;
    int status = skl_is_there(path, &there, err);
    if (!status && there) status = skl_table_read(path, &t, err);
    if (!status && there) {
        int x = skl_table_column(&t, "iteration");
        for (int m = 0; m < SKL_METRICS && status == SKL_OK; m++) {
            if (!(metrics >> m & 1) || strcmp(skl_metric_table[m].file, file)) continue;
            int y = skl_table_column(&t, skl_metric_table[m].column);
            if (x < 0 || y < 0)
                status = skl_fail(err, SKL_DATA, "%s: no column '%s'; is it a table of skiplab's?", path,
                                  x < 0 ? "iteration" : skl_metric_table[m].column);
            else
                take_series(&t, x, y, &run->curve[m]);
        }
        skl_table_release(&t);
    }
    free(path);
    return status;
}

static void read_curves(struct skl_results *r, struct skl_result_run *run, unsigned metrics)
{
    static const char *const files[] = {SKL_FILE_TRAIN, SKL_FILE_TEST, SKL_FILE_VALIDATION};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        unsigned here = 0;
        for (int m = 0; m < SKL_METRICS; m++)
            if (!strcmp(skl_metric_table[m].file, files[f])) here |= metrics & 1u << m;
        struct skl_err err = {0};
        if (here && read_table(run, files[f], here, &err)) warn(r, err.text);
    }
}

static void mark_unreadable(struct skl_results *r, struct skl_result_run *run, const char *why)
{
    snprintf(run->state, sizeof run->state, "unreadable");
    snprintf(run->cause, sizeof run->cause, "%.255s", why);
    warn(r, why);
}

static void read_state(struct skl_results *r, struct skl_result_run *run)
{
    struct skl_err err = {0};
    struct skl_run_record record;
    if (skl_run_record_read(run->folder, &record, &err)) {
        mark_unreadable(r, run, err.text);
    } else if (*record.state) {
        snprintf(run->state, sizeof run->state, "%s", record.state);
    } else if (record.there) {
        skl_fail(&err, SKL_DATA, "%s/%s: no \"state\" in it; its curves are drawn as those of an unfinished run",
                 run->folder, SKL_FILE_RECORD);
        warn(r, err.text);
    }
    run->gave_up = record.code == SKL_CAUSE_GAVE_UP;
    if (record.there) snprintf(run->cause, sizeof run->cause, "%s", record.cause);
    if (record.iterations > 0) run->iterations = record.iterations;
    skl_run_record_release(&record);
}

/* Folder and log of a run that stand under another run's name too would be two seeds that agree. */
static bool is_twin(struct skl_results *r, struct skl_twins *twins, struct skl_result_run *run)
{
    char *log = skl_path(run->folder, SKL_FILE_TRAIN);
    const char *paths[] = {run->folder, log}, *twin = NULL;
    struct skl_err err = {0};
    for (int i = 0; i < 2 && !twin && !err.status; i++) {
        if (skl_twins_look(twins, paths[i], &twin, &err)) continue;
        if (twin) skl_fail(&err, SKL_DATA, "%s is %s once more", paths[i], twin);
    }
    if (err.status) mark_unreadable(r, run, err.text);
    free(log);
    return err.status;
}

/* A folder called so may be another program's, or what 'export' wrote: a run has one of these. */
static bool holds_run(const char *path)
{
    static const char *const names[] = {SKL_FILE_CONFIG, SKL_FILE_RECORD, SKL_FILE_TRAIN};
    bool there = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !there; i++) {
        char *file = skl_path(path, names[i]);
        there = skl_is_there(file, &there, NULL) || there; /* what cannot be told is told when it is read */
        free(file);
    }
    return there;
}

static void read_run(struct walk *w, const char *path, const char *setting, uint64_t seed, const struct skl_seen *seen)
{
    struct skl_results *r = w->results;
    struct skl_result_run *run = find_run(r, setting, seed);
    struct skl_err err = {0};
    if (seen->kind == SKL_LINK) {
        skl_fail(&err, SKL_DATA, "%s is a link: inside results none is followed", path);
        mark_unreadable(r, run, err.text);
        return;
    }
    free(run->folder);
    run->folder = skl_strdup(path);
    if (is_twin(r, &w->twins, run)) return;
    read_state(r, run);
    read_curves(r, run, w->metrics);
}

/* below: the part of `folder` below the sweep's, "" at the top. */
static void walk(struct walk *w, const char *folder, const char *below, int depth)
{
    int count;
    char **names;
    struct skl_err err = {0};
    if (skl_list(folder, &names, &count, &err)) warn(w->results, err.text);
    for (int i = 0; i < count; i++) {
        char *path = skl_path(folder, names[i]);
        struct skl_seen seen = {0};
        uint64_t seed;
        if (names[i][0] != '.' && skl_look(path, &seen, &err)) warn(w->results, err.text);
        bool folder_or_link = seen.kind == SKL_FOLDER || seen.kind == SKL_LINK;
        if (folder_or_link && *below && seed_of(names[i], &seed) && w->results->runs < MAX_RUNS) {
            if (seen.kind == SKL_LINK || holds_run(path)) read_run(w, path, below, seed, &seen);
        } else if (seen.kind == SKL_FOLDER && depth < MAX_DEPTH) {
            char *deeper = *below ? skl_path(below, names[i]) : skl_strdup(names[i]);
            walk(w, path, deeper, depth + 1);
            free(deeper);
        }
        free(path);
    }
    skl_list_free(names, count);
}

/* A planned run that was not found has not begun, unless the way to it cannot be gone. */
static void look_for_missing(struct skl_results *r)
{
    for (int i = 0; i < r->settings; i++)
        for (int k = 0; k < r->setting[i].runs; k++) {
            struct skl_result_run *run = &r->setting[i].run[k];
            if (run->folder || !strcmp(run->state, "unreadable")) continue;
            char *path = skl_format("%s/%s/seed-%llu", r->folder, r->setting[i].path, (unsigned long long)run->seed);
            struct skl_seen seen;
            struct skl_err err = {0};
            if (skl_look(path, &seen, &err)) mark_unreadable(r, run, err.text);
            free(path);
        }
}

static int by_seed(const void *a, const void *b)
{
    const struct skl_result_run *x = a, *y = b;
    return (x->seed > y->seed) - (x->seed < y->seed);
}

static char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && *text ? skl_strdup(text) : NULL;
}

static void read_figure(struct skl_results *r, const char *path, json_t *figure)
{
    const char *name;
    json_t *word;
    json_object_foreach(figure, name, word)
    {
        const char *text = json_string_value(word);
        struct skl_err err;
        if (text && skl_figure_set(&r->figure, name, text)) continue;
        skl_fail(&err, SKL_DATA, "%s: figure.%.80s: no such key, or not a value of it", path, name);
        warn(r, err.text);
    }
}

/* plan.json, where there is one: all runs in order, those not yet started too. */
static void read_plan(struct skl_results *r, char **baseline)
{
    char *path = skl_path(r->folder, SKL_FILE_PLAN);
    struct skl_err err = {0};
    json_t *root = NULL;
    enum skl_seal seal = SKL_UNSEALED;
    bool there;
    if (skl_is_there(path, &there, &err) ||
        (there && skl_json_read(path, SKL_LIMIT_PLAN, SKL_LIMIT_PLAN_VALUES, &root, &seal, &err)))
        warn(r, err.text);
    r->plan_edited = seal == SKL_SEAL_BROKEN;
    const json_t *runs = json_object_get(root, "runs");
    if (json_array_size(runs) > SKL_PLAN_MAX_RUNS) {
        skl_fail(&err, SKL_DATA, "%s: it lists %zu runs, a plan has at most %d", path, json_array_size(runs),
                 SKL_PLAN_MAX_RUNS);
        warn(r, err.text);
        runs = NULL;
    }
    for (size_t i = 0; i < json_array_size(runs) && r->runs < MAX_RUNS; i++) {
        const json_t *item = json_array_get(runs, i), *seed = json_object_get(item, "seed");
        const char *setting = json_string_value(json_object_get(item, "setting"));
        if (!setting || !*setting || !json_is_integer(seed)) continue;
        find_run(r, setting, (uint64_t)json_integer_value(seed))->iterations =
            json_integer_value(json_object_get(item, "iterations"));
        struct skl_result_setting *s = &r->setting[find_setting(r, setting)];
        if (!s->paper) s->paper = text_of(item, "paper");
        if (!s->batch) s->batch = (int)json_integer_value(json_object_get(item, "batch"));
        char *label = text_of(item, "label");
        if (label && !s->called) {
            for (char *c = label; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
            free(s->label);
            free(s->called);
            s->label = skl_label_as(label, s->path);
            s->called = label, label = NULL;
        }
        free(label);
    }
    r->label = text_of(root, "label");
    r->notes = text_of(root, "notes");
    read_figure(r, path, json_object_get(root, "figure"));
    *baseline = text_of(root, "baseline");
    json_decref(root);
    free(path);
}

void skl_results_figure(const char *folder, struct skl_figure_words *words)
{
    struct skl_results r = {.folder = (char *)(uintptr_t)folder};
    char *path = skl_path(folder, SKL_FILE_PLAN);
    json_t *root = NULL;
    skl_json_read(path, SKL_LIMIT_PLAN, SKL_LIMIT_PLAN_VALUES, &root, NULL, NULL);
    read_figure(&r, path, json_object_get(root, "figure"));
    *words = r.figure;
    for (int i = 0; i < r.warnings; i++) free(r.warning[i]);
    free(r.warning);
    json_decref(root);
    free(path);
}

static const char *scalar(const struct skl_ynode *map, const char *key)
{
    const struct skl_ynode *node = map && map->kind == SKL_YMAP ? skl_yaml_get(map, key) : NULL;
    return node && node->kind == SKL_YSCALAR && *node->text ? node->text : NULL;
}

/* What a run's config.yaml says besides its settings, for runs without a plan.  Nothing here is needed to draw, so a
 * bad file is no error: whoever runs or resumes it will hear of it. */
static void read_config(struct skl_results *r, struct skl_result_setting *s, char **baseline)
{
    if (s->paper || !s->run[0].folder) return;
    char *path = skl_path(s->run[0].folder, SKL_FILE_CONFIG);
    struct skl_ynode *root = NULL;
    if (skl_yaml_read(path, &root, NULL) == SKL_OK) {
        const char *label = scalar(root, "label"), *base = scalar(root, "baseline");
        if (label && !r->label) r->label = skl_strdup(label);
        if (base && !*baseline) *baseline = skl_strdup(base);
        const struct skl_ynode *variants = root->kind == SKL_YMAP ? skl_yaml_get(root, "variants") : NULL;
        const struct skl_ynode *first = variants && variants->kind == SKL_YLIST ? variants->child : NULL;
        const struct skl_ynode *paper = first && first->kind == SKL_YMAP ? skl_yaml_get(first, "paper") : NULL;
        const char *error = scalar(paper, "test_error");
        if (error) s->paper = skl_strdup(error);
        skl_yaml_free(root);
    }
    free(path);
}

static int baseline_of(const struct skl_results *r, const char *wanted)
{
    const char *const names[] = {wanted, "original"};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < r->settings && names[k]; i++)
            if (!strcmp(r->setting[i].variant, names[k])) return i;
    return 0;
}

int skl_results_read(const char *folder, unsigned metrics, struct skl_results *r, struct skl_err *err)
{
    *r = (struct skl_results){0};
    struct skl_seen seen;
    int status = skl_look(folder, &seen, err);
    if (status) return status;
    if (seen.kind != SKL_FOLDER)
        return skl_fail(err, SKL_DATA, "%s: no such folder; name one below results/, such as results/quickstart",
                        folder);
    r->folder = skl_strdup(folder);
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    const char *start = memrchr(folder, '/', n);
    start = start && n > 1 ? start + 1 : folder;
    r->name = skl_format("%.*s", (int)(folder + n - start), start);
    char *baseline = NULL;
    read_plan(r, &baseline);
    struct walk w = {.results = r, .metrics = metrics};
    walk(&w, folder, "", 1);
    skl_twins_release(&w.twins);
    look_for_missing(r);
    if (r->runs == 0) {
        status = r->warnings
                     ? skl_fail(err, SKL_DATA, "%s", r->warning[0])
                     : skl_fail(err, SKL_DATA,
                                "%s: no runs in it (folders VARIANT/seed-N); start them with 'skiplab sweep'", folder);
        free(baseline);
        skl_results_release(r);
        return status;
    }
    for (int i = 0; i < r->settings; i++) {
        qsort(r->setting[i].run, (size_t)r->setting[i].runs, sizeof *r->setting[i].run, by_seed);
        read_config(r, &r->setting[i], &baseline);
    }
    r->baseline = baseline_of(r, baseline);
    free(baseline);
    return SKL_OK;
}

static void release_run(struct skl_result_run *run)
{
    free(run->folder);
    for (int m = 0; m < SKL_METRICS; m++) skl_series_release(&run->curve[m]);
}

void skl_results_release(struct skl_results *r)
{
    tdestroy(r->index, free);
    for (int i = 0; i < r->settings; i++) {
        struct skl_result_setting *s = &r->setting[i];
        for (int k = 0; k < s->runs; k++) release_run(&s->run[k]);
        free(s->run);
        free(s->path);
        free(s->name);
        free(s->label);
        free(s->called);
        free(s->variant);
        free(s->paper);
    }
    for (int i = 0; i < r->warnings; i++) free(r->warning[i]);
    free(r->warning);
    free(r->setting);
    free(r->folder);
    free(r->name);
    free(r->label);
    free(r->notes);
    skl_figure_release(&r->figure);
    *r = (struct skl_results){0};
}

double skl_result_last(const struct skl_result_run *run, int metric)
{
    const struct skl_series *s = &run->curve[metric];
    return s->n ? s->y[s->n - 1] : NAN;
}
