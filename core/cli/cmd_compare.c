/* cmd_compare.c - skiplab compare: what differs between two runs or two sweeps. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/place.h"
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/io/json.h"
#include "core/report/compare.h"
#include "core/report/text.h"
#include "core/run/folder.h"

static bool as_json;

/* The figures that are put side by side. */
struct figure {
    const char *key, *label;
    int decimals;
    double (*of)(const struct skl_run_record *);
};
#define FIGURE(field) \
    static double get_##field(const struct skl_run_record *r) { return (double)r->field; }
FIGURE(iteration)
FIGURE(test_error)
FIGURE(test_loss)
FIGURE(validation_error)
FIGURE(train_error)
FIGURE(train_loss)
FIGURE(parameters)
FIGURE(images_per_second)
FIGURE(seconds)
static const struct figure figures[] = {
    {"iteration", "iterations done", 0, get_iteration},
    {"test_error", "test error, %", 2, get_test_error},
    {"test_loss", "test loss", 4, get_test_loss},
    {"validation_error", "validation error, %", 2, get_validation_error},
    {"train_error", "training error, %", 2, get_train_error},
    {"train_loss", "training loss", 4, get_train_loss},
    {"parameters", "parameters", 0, get_parameters},
    {"images_per_second", "images/s", 0, get_images_per_second},
    {"seconds", "seconds", 1, get_seconds},
};
enum { FIGURES = sizeof figures / sizeof *figures };

/* ---- text ---- */

static void print_clean(const char *fmt, const char *text)
{
    char *clean = skl_text_clean(text ? text : "(absent)");
    skl_print(fmt, clean);
    free(clean);
}

static void print_figure(const struct figure *f, const struct skl_run_record *a, const struct skl_run_record *b)
{
    double x = f->of(a), y = f->of(b);
    if (isnan(x) && isnan(y)) return;
    char cell[3][40] = {"", "", ""};
    if (isfinite(x)) snprintf(cell[0], sizeof cell[0], "%.*f", f->decimals, x);
    if (isfinite(y)) snprintf(cell[1], sizeof cell[1], "%.*f", f->decimals, y);
    if (isfinite(x - y)) snprintf(cell[2], sizeof cell[2], "%+.*f", f->decimals, y - x);
    skl_print("%-22s %14s %14s %14s\n", f->label, cell[0], cell[1], x == y ? "" : cell[2]);
}

static void print_match(const char *name, const struct skl_log_match *m, const char *unit)
{
    if (!m->in_a && !m->in_b) return;
    skl_print("%-22s ", name);
    if (!m->in_a || !m->in_b)
        skl_print("only in %s\n", m->in_a ? "A" : "B");
    else if (m->same)
        skl_print("the same %s, %d row%s\n", unit, m->equal_rows, SKL_S(m->equal_rows));
    else if (m->equal_to < 0)
        skl_print("differ from the first row\n");
    else
        skl_print("the same up to iteration %lld (%d row%s)%s\n", (long long)m->equal_to, m->equal_rows,
                  SKL_S(m->equal_rows), m->other < 0 ? "" : ", then different");
}

static void print_settings(const struct skl_pair_of_runs *p)
{
    skl_print("\nSettings                       A -> B\n");
    if (p->settings == 0) skl_print("(no difference)\n");
    for (int i = 0; i < p->settings; i++) {
        print_clean("%-30s ", p->setting[i].key);
        print_clean("%s -> ", p->setting[i].a);
        print_clean("%s\n", p->setting[i].b);
    }
}

static void print_circumstance(const char *name, const char *a, const char *b)
{
    if (!strcmp(a, b)) return;
    skl_print("%-22s ", name);
    print_clean("%s -> ", a);
    print_clean("%s\n", b);
}

static void print_pair(const struct skl_pair_of_runs *p)
{
    print_settings(p);
    skl_print("\n%-22s %14s %14s %14s\n", "Results", "A", "B", "B - A");
    skl_print("%-22s %14s %14s\n", "state", p->a.state, p->b.state);
    for (int i = 0; i < FIGURES; i++) print_figure(&figures[i], &p->a, &p->b);
    skl_print("\n");
    for (int k = 0; k < SKL_LOGS; k++) print_match(skl_log_name[k], &p->log[k], "bytes");
    print_match("weights", &p->weights, "hashes");
    if (p->checkpoints) skl_print("%-22s %s\n", SKL_FILE_LAST, p->same_checkpoint ? "the same bytes" : "different");
    skl_print("\n");
    print_circumstance("version", p->a.version, p->b.version);
    print_circumstance("commit", p->a.commit, p->b.commit);
    print_circumstance("host", p->a.host, p->b.host);
    print_circumstance("numerics", p->a.numerics, p->b.numerics);
    print_circumstance("data", p->a.data, p->b.data);
    print_circumstance("plug-in", p->a.plugin_sha256, p->b.plugin_sha256);
}

static bool same_difference(const struct skl_difference *x, const struct skl_difference *y)
{
    return !strcmp(x->key, y->key) && !strcmp(x->a ? x->a : "", y->a ? y->a : "") &&
           !strcmp(x->b ? x->b : "", y->b ? y->b : "");
}

/* How many pairs differ in just this way; 0: an earlier pair said so already. */
static int count_alike(const struct skl_comparison *c, int first, const struct skl_difference *d)
{
    int count = 0;
    for (int i = 0; i < c->pairs; i++)
        for (int k = 0; k < c->pair[i].settings; k++)
            if (same_difference(&c->pair[i].setting[k], d)) {
                if (i < first) return 0;
                count++;
            }
    return count;
}

static void print_all_settings(const struct skl_comparison *c)
{
    int found = 0;
    skl_print("\nSettings                       A -> B\n");
    for (int i = 0; i < c->pairs; i++) {
        for (int k = 0; k < c->pair[i].settings; k++) {
            const struct skl_difference *d = &c->pair[i].setting[k];
            int alike = count_alike(c, i, d);
            if (alike == 0) continue;
            print_clean("%-30s ", d->key);
            print_clean("%s -> ", d->a);
            print_clean("%s", d->b);
            skl_print("   (%d of %d runs)\n", alike, c->pairs);
            found++;
        }
    }
    if (found == 0) skl_print("(no difference)\n");
}

static const char *short_match(const struct skl_log_match *m, char text[32])
{
    if (!m->in_a || !m->in_b) return "-";
    if (m->same) return "same";
    snprintf(text, 32, "to %lld", (long long)m->equal_to);
    return m->equal_to < 0 ? "different" : text;
}

static void print_names(const char *where, char *const *name, int count)
{
    for (int i = 0; i < count; i++) {
        skl_print("only in %s: ", where);
        print_clean("%s\n", name[i]);
    }
}

static void print_sweeps(const struct skl_comparison *c)
{
    print_all_settings(c);
    skl_print("\n%10s %10s %10s %10s %10s %10s  %s\n", "A, %", "B, %", "B - A", SKL_FILE_TRAIN, "weights", "last",
              "test error of");
    for (int i = 0; i < c->pairs; i++) {
        const struct skl_pair_of_runs *p = &c->pair[i];
        char cell[3][40] = {"-", "-", ""}, text[2][32];
        if (isfinite(p->a.test_error)) snprintf(cell[0], sizeof cell[0], "%.2f", p->a.test_error);
        if (isfinite(p->b.test_error)) snprintf(cell[1], sizeof cell[1], "%.2f", p->b.test_error);
        double d = p->b.test_error - p->a.test_error;
        if (isfinite(d)) snprintf(cell[2], sizeof cell[2], "%+.2f", d);
        skl_print("%10s %10s %10s %10s %10s %10s  ", cell[0], cell[1], cell[2], short_match(&p->log[0], text[0]),
                  short_match(&p->weights, text[1]),
                  !p->checkpoints      ? "-"
                  : p->same_checkpoint ? "same"
                                       : "different");
        print_clean("%s\n", p->name);
    }
    print_names("A", c->only_a, c->only_as);
    print_names("B", c->only_b, c->only_bs);
    skl_print(
        "\n%d run%s in both, %d of them identical (settings, logs, last checkpoint); %d only in A, %d only in B\n",
        c->pairs, SKL_S(c->pairs), c->identical, c->only_as, c->only_bs);
}

/* ---- JSON ---- */

static json_t *json_text(const char *text)
{
    if (!text) return json_null();
    char *clean = skl_text_clean(text);
    json_t *value = json_string(clean);
    free(clean);
    return value;
}

static json_t *json_match(const struct skl_log_match *m)
{
    if (!m->in_a && !m->in_b) return json_null();
    return json_pack("{s:b, s:b, s:b, s:i, s:o, s:o}", "in_a", m->in_a, "in_b", m->in_b, "same", m->same, "equal_rows",
                     m->equal_rows, "equal_to_iteration", m->equal_to < 0 ? json_null() : json_integer(m->equal_to),
                     "differs_at_iteration", m->other < 0 ? json_null() : json_integer(m->other));
}

static json_t *json_pair(const struct skl_pair_of_runs *p)
{
    json_t *settings = json_array(), *results = json_object(), *logs = json_object();
    for (int i = 0; i < p->settings; i++)
        json_array_append_new(settings, json_pack("{s:o, s:o, s:o}", "key", json_text(p->setting[i].key), "a",
                                                  json_text(p->setting[i].a), "b", json_text(p->setting[i].b)));
    for (int i = 0; i < FIGURES; i++) {
        double x = figures[i].of(&p->a), y = figures[i].of(&p->b);
        json_object_set_new(results, figures[i].key,
                            json_pack("{s:o, s:o, s:o}", "a", skl_json_real(x), "b", skl_json_real(y), "difference",
                                      skl_json_real(y - x)));
    }
    for (int k = 0; k < SKL_LOGS; k++) json_object_set_new(logs, skl_log_name[k], json_match(&p->log[k]));
    json_t *o =
        json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "run", json_text(p->name), "identical", p->identical,
                  "settings", settings, "results", results, "logs", logs, "weights", json_match(&p->weights),
                  "same_checkpoint", p->checkpoints ? json_boolean(p->same_checkpoint) : json_null(), "state_a",
                  json_text(p->a.state), "state_b", json_text(p->b.state));
    SKL_CHECK(o);
    return o;
}

static void print_json(const struct skl_comparison *c, const char *a, const char *b)
{
    json_t *pairs = json_array(), *only_a = json_array(), *only_b = json_array();
    for (int i = 0; i < c->pairs; i++) json_array_append_new(pairs, json_pair(&c->pair[i]));
    for (int i = 0; i < c->only_as; i++) json_array_append_new(only_a, json_text(c->only_a[i]));
    for (int i = 0; i < c->only_bs; i++) json_array_append_new(only_b, json_text(c->only_b[i]));
    json_t *root = json_pack("{s:i, s:o, s:o, s:s, s:i, s:o, s:o, s:o}", "schema_version", 1, "a", json_text(a), "b",
                             json_text(b), "kind", c->sweeps ? "sweeps" : "runs", "identical", c->identical, "runs",
                             pairs, "only_a", only_a, "only_b", only_b);
    skl_json_print(root);
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_comparison c;
    skl_root_add(argv[0]);
    skl_root_add(argv[1]);
    int status = skl_compare(argv[0], argv[1], &c, err);
    if (status) return skl_context(err, "compare");
    if (as_json) {
        print_json(&c, argv[0], argv[1]);
    } else {
        print_clean("A  %s\n", argv[0]);
        print_clean("B  %s\n", argv[1]);
        if (c.sweeps)
            print_sweeps(&c);
        else
            print_pair(&c.pair[0]);
    }
    skl_comparison_release(&c);
    return SKL_OK;
}

static const struct skl_option compare_options[] = {
    {"json", SKL_OPT_FLAG, NULL,
     "for programs: {kind, identical, runs: [{run, settings: [{key, a, b}], results, logs, weights, ...}], only_a, "
     "only_b}",
     &as_json, 0, 0},
    {0},
};

const struct skl_command skl_cmd_compare = {
    .name = "compare",
    .summary = "show what differs between two runs or two sweeps: settings and results",
    .usage = "A B",
    .description =
        "A and B are two folders of runs (results/NAME/VARIANT/seed-N), or two of sweeps (results/NAME), whose runs "
        "of\n"
        "the same variant and seed are then compared. Shown are the settings that differ, key by key, the final\n"
        "figures side by side, whether the logs are the same bytes and the weights' hashes the same, and up to\n"
        "which iteration. It says what differs with exit code 0 in any case; --json has \"identical\".\n",
    .examples = "skiplab compare results/quickstart/original/seed-1 results/quickstart/dropout/seed-1\n"
                "skiplab compare results/quickstart other/quickstart --json\n",
    .options = compare_options,
    .min_args = 2,
    .max_args = 2,
    .words = {SKL_WORD_FOLDER, SKL_WORD_FOLDER},
    .run = run,
};
