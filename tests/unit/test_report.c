/* The report and the comparison.  Expected statistics were computed with numpy 1.24 from the same errors: median, mean,
 * std(ddof=1); paired intervals as mean -/+ 2.7764451051977987 std/sqrt(5) (t with 4 degrees of freedom); p from the
 * closed forms of Student's t in 40 decimal digits, F(t) = 1/2 + t / (2 sqrt(2 + t^2)) for 2 degrees of freedom and,
 * with q = 1 + t^2/4, F(t) = 1/2 + 3/8 t / sqrt(q) (1 - t^2 / (12 q)) for 4; rank correlations as corrcoef of mean
 * ranks. */
#include "tests/unit/results.h"

#include <jansson.h>

#include "core/report/compare.h"
#include "core/report/columns.h"
#include "core/report/report.h"
#include "core/report/report_doc.h"

static void close_to(double value, double expected, double tolerance, int line)
{
    if (!(fabs(value - expected) <= tolerance * fabs(expected)))
        fail_msg("line %d: %.15g, not %.15g", line, value, expected);
}
#define CLOSE(value, expected) close_to(value, expected, 1e-10, __LINE__)

/* ---- results to report ---- */

static const struct {
    const char *setting, *paper;
    double error[5];
} rows[] = {
    {"original", "6.61", {6.61, 6.43, 6.72, 6.55, 6.80}},
    {"gate/gate_bias=-6", "8.70", {8.70, 8.91, 8.44, 9.05, 8.62}},
    {"half", "12.35", {12.10, 12.61, 12.35, 12.90, 11.98}},
    {"conv", "12.22", {11.0, 11.1, 10.9, 11.05, 10.95}},
    {"mixed", "9.81", {7.1, 24, 7.4, 30, 7.2}},
    {"plain", "fail", {25, 31, INFINITY, 22, 28}},
};
enum { ORIGINAL, GATE, HALF, CONV, MIXED, PLAIN, ROWS };

static void make_table(const char *sweep)
{
    char plan[4096] = "{\"baseline\": \"original\", \"label\": \"Table <1>\", \"runs\": [";
    for (int i = 0; i < ROWS; i++) {
        char extra[200];
        snprintf(extra, sizeof extra, "variants:\n  - {name: x, paper: {test_error: %s}}\n", rows[i].paper);
        struct fixture f = {sweep, rows[i].setting, extra, "cifar10", 110};
        put_runs(&f, rows[i].error, 5);
        for (int k = 1; k <= 5; k++)
            snprintf(plan + strlen(plan), sizeof plan - strlen(plan),
                     "%s{\"setting\": \"%s\", \"seed\": %d, \"paper\": \"%s\", \"iterations\": 64000}",
                     i + k > 1 ? ", " : "", rows[i].setting, k, rows[i].paper);
    }
    strcat(plan, "]}");
    char path[600];
    snprintf(path, sizeof path, "%s/plan.json", in_scratch(sweep));
    put_text(path, plan);
}

static struct skl_report_options options = {.level = NAN, .version = "9.9", .commit = "abc"};

static struct skl_report read_report(const char *sweep)
{
    struct skl_report report;
    struct skl_err err = {0};
    char *folder = skl_strdup(in_scratch(sweep));
    if (skl_report_read(&folder, 1, &options, &report, &err)) fail_msg("%s", err.text);
    free(folder);
    return report;
}

/* ---- statistics ---- */

static void adjusted_p(void **state)
{
    const double p[] = {0.01, 0.04, NAN, 0.03, 0.005}, equal[] = {0.5, 0.02, 0.02};
    double out[5];
    skl_holm(p, 5, out);
    CLOSE(out[0], 0.03);
    CLOSE(out[1], 0.06);
    assert_true(isnan(out[2]));
    CLOSE(out[3], 0.06);
    CLOSE(out[4], 0.02);
    skl_holm(equal, 3, out);
    CLOSE(out[0], 0.5);
    CLOSE(out[1], 0.06);
    CLOSE(out[2], 0.06);
}

static void p_of_an_interval(void **state)
{
    const double d[] = {1.25, 0.5, 2.0}, far[] = {8.0, 8.0001, 7.9999}, same[] = {1, 1, 1};
    struct skl_interval i = skl_mean_interval(d, 3, 0.95);
    CLOSE(skl_interval_p(&i), 0.101973489866125);
    i = skl_mean_interval(far, 3, 0.95);
    close_to(skl_interval_p(&i), 5.2083333329e-11, 1e-6, __LINE__);
    i = skl_mean_interval(same, 3, 0.95);
    assert_true(isnan(skl_interval_p(&i)));
    i = skl_mean_interval(d, 1, 0.95);
    assert_true(isnan(skl_interval_p(&i)));
}

static void rank_correlation(void **state)
{
    const double a[] = {1, 2, 2, 3, 7, 7, 9}, b[] = {5, 1, 4, 4, 8, 6, 20}, down[] = {9, 8, 7, 6, 5, 4, 3};
    CLOSE(skl_spearman(a, b, 7), 0.743150541460294);
    CLOSE(skl_spearman(b, a, 7), 0.743150541460294);
    CLOSE(skl_spearman(down, (const double[]){1, 2, 3, 4, 5, 6, 7}, 7), -1);
    assert_true(isnan(skl_spearman(a, (const double[]){1, 1, 1, 1, 1, 1, 1}, 7)));
    assert_true(isnan(skl_spearman(a, b, 1)));
}

static void rows_of_the_table(void **state)
{
    struct skl_report report = read_report("table");
    const struct skl_report_row *row = report.study[0].row;
    assert_int_equal(report.warnings, 0);
    CLOSE(row[ORIGINAL].error.median, 6.61);
    CLOSE(row[ORIGINAL].error.low, 6.43);
    CLOSE(row[ORIGINAL].error.high, 6.80);
    CLOSE(row[ORIGINAL].mean, 6.622);
    CLOSE(row[ORIGINAL].sd, 0.144464528518);
    CLOSE(row[ORIGINAL].best.median, 6.36);
    assert_int_equal(row[ORIGINAL].error.n, 5);
    assert_int_equal(row[ORIGINAL].parameters, 1727962);
    CLOSE(row[ORIGINAL].speed.median, 300);
    CLOSE(row[ORIGINAL].hours.median, 2);
    CLOSE(row[MIXED].error.median, 7.4);
    assert_false(row[MIXED].fail);
    assert_int_equal(row[MIXED].failed, 2);
    assert_true(isnan(row[MIXED].mean)); /* of two kinds of outcome */
    CLOSE(row[PLAIN].error.median, 28);
    CLOSE(row[PLAIN].error.high, 90); /* diverged: at chance, not dropped */
    assert_true(row[PLAIN].fail);
    assert_int_equal(row[PLAIN].failed, 5);
    assert_int_equal(row[PLAIN].diverged, 1);
    char *remark = skl_row_remark(&report.study[0], &row[PLAIN]);
    assert_string_equal(remark, "5 of 5 over the limit; 1 diverged");
    free(remark);
    skl_report_release(&report);
}

static void differences_from_the_baseline(void **state)
{
    struct skl_report report = read_report("table");
    const struct skl_report_row *row = report.study[0].row;
    CLOSE(row[GATE].difference.mean, 2.122);
    CLOSE(row[GATE].difference.low, 1.67221589296);
    CLOSE(row[GATE].difference.high, 2.57178410704);
    CLOSE(row[GATE].difference_low, 1.72);
    CLOSE(row[GATE].difference_high, 2.5);
    CLOSE(row[GATE].p, 0.000196128593017);
    CLOSE(row[HALF].p, 1.21447258965e-05);
    CLOSE(row[CONV].p, 1.49207353918e-06);
    CLOSE(row[GATE].p_holm, 0.000196128593017); /* three comparisons: the others have failed runs */
    CLOSE(row[HALF].p_holm, 2.42894517929e-05);
    CLOSE(row[CONV].p_holm, 4.47622061754e-06);
    for (int i = MIXED; i <= PLAIN; i++) {
        assert_true(isnan(row[i].difference.mean) && isnan(row[i].difference.low) && isnan(row[i].p));
        assert_int_equal(row[i].difference.n, 5);
    }
    CLOSE(row[MIXED].difference_low, 0.4);
    CLOSE(row[PLAIN].difference_high, 83.28);
    assert_int_equal(row[ORIGINAL].difference.n, 0);
    skl_report_release(&report);
}

static void verdicts(void **state)
{
    struct skl_report report = read_report("table");
    const struct skl_study *s = &report.study[0];
    assert_null(s->protocol);
    assert_int_equal(s->row[ORIGINAL].verdict, SKL_INSIDE);
    assert_int_equal(s->row[GATE].verdict, SKL_INSIDE);
    assert_int_equal(s->row[HALF].verdict, SKL_INSIDE);
    assert_int_equal(s->row[CONV].verdict, SKL_OUTSIDE);
    assert_int_equal(s->row[PLAIN].verdict, SKL_INSIDE); /* fail = fail */
    assert_int_equal(s->ranked, 5);
    CLOSE(s->rank_correlation, 0.9);
    assert_int_equal(s->compared, 6);
    assert_int_equal(s->both_fail, 1);
    assert_int_equal(s->both_train, 5);
    skl_report_release(&report);
}

static void other_protocols(void **state)
{
    struct fixture a = {"other", "original", "variants:\n  - {name: x, paper: {test_error: 6.61}}\n", "cifar10", 56};
    struct fixture b = {"other", "b", "variants:\n  - {name: x, paper: {test_error: fail}}\n", "cifar10", 110};
    put_runs(&a, (const double[]){7, 7.1}, 2);
    put_runs(&b, (const double[]){50, 8, 51}, 3);
    struct skl_report report = read_report("other");
    const struct skl_study *s = &report.study[0];
    assert_int_equal(s->results.baseline, 1);
    assert_int_equal(s->row[1].verdict, SKL_OTHER_PROTOCOL);
    assert_int_equal(s->row[0].verdict, SKL_INSIDE);
    assert_contains(s->protocol, "depth");
    assert_true(isnan(s->rank_correlation)); /* one number is no order */
    assert_int_equal(s->keys, 1);
    assert_string_equal(s->key[0].name, "depth");
    skl_report_release(&report);
}

static void seeds_that_are_not_finished(void **state)
{
    struct fixture a = {"part", "original", "", "cifar10", 110}, b = {"part", "b", "", "cifar10", 110};
    put_runs(&a, (const double[]){7, 7.5, 8}, 3);
    put_run(&b, 1, "done", 9, "");
    put_run(&b, 2, "running", 60, "");
    put_run(&b, 3, "failed", 70, "killed by signal 9");
    struct skl_report report = read_report("part");
    const struct skl_report_row *row = &report.study[0].row[0];
    assert_string_equal(row->setting->name, "b");
    assert_int_equal(row->valued, 1);
    assert_false(row->fail); /* what is not finished says nothing yet */
    CLOSE(row->error.median, 9);
    assert_int_equal(row->difference.n, 1);
    assert_true(isnan(row->difference.mean) && isnan(row->p) && isnan(row->sd));
    char *remark = skl_row_remark(&report.study[0], row);
    assert_string_equal(remark, "unfinished: 1 running, 1 failed");
    free(remark);
    skl_report_release(&report);
}

static void fail_on_other_data(void **state)
{
    struct fixture a = {"elsewhere", "original", "", "fashion-mnist", 20},
                   b = {"elsewhere", "b", "", "fashion-mnist", 20};
    put_runs(&a, (const double[]){22, 24, 23}, 3);
    put_runs(&b, (const double[]){68, 70, 72}, 3);
    struct skl_report report = read_report("elsewhere");
    const struct skl_study *s = &report.study[0];
    CLOSE(s->row[0].limit, 69); /* three times 23: 20 % is the rule of another set */
    assert_true(s->row[0].fail && !s->row[1].fail && !s->baseline_failed);
    assert_int_equal(s->row[0].failed, 2);
    skl_report_release(&report);
    put_runs(&a, (const double[]){88, 90, 89}, 3);
    report = read_report("elsewhere");
    assert_true(report.study[0].baseline_failed); /* three times that is more than chance */
    CLOSE(report.study[0].row[1].limit, 81);
    skl_report_release(&report);
    struct fixture c = {"elsewhere2", "original", "report: {fail_times_baseline: 0, fail_above: 21}\n", "mnist", 20};
    put_runs(&c, (const double[]){22, 24, 23}, 3);
    report = read_report("elsewhere2");
    CLOSE(report.study[0].row[0].limit, 21);
    skl_report_release(&report);
}

/* Of a folder of pictures run.json says how many classes were counted, settings may, and an older run's do not. */
static void chance_in_a_folder(void **state)
{
    const struct fixture folders[] = {{"classes", "counted", "", "folder", 20, 1000},
                                      {"classes", "said", "", "folder, classes: 200", 20},
                                      {"classes", "unknown", "", "folder", 20},
                                      {"classes", "grey", "", "fashion-mnist", 20}};
    const double chance[] = {99.9, 99.5, 100, 90};
    const int count = sizeof chance / sizeof *chance;
    for (int i = 0; i < count; i++) put_runs(&folders[i], (const double[]){INFINITY, 30}, 2);
    struct skl_report report = read_report("classes");
    assert_int_equal(report.study[0].results.settings, count);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < count; k++) {
            const struct skl_report_row *row = &report.study[0].row[k];
            if (!strcmp(row->setting->path, folders[i].setting)) CLOSE(row->error.high, chance[i]);
        }
    skl_report_release(&report);
}

static void iterations_to_a_training_error(void **state)
{
    struct skl_report report = read_report("table");
    CLOSE(report.study[0].level, 2); /* 1 is never reached; row 0 is one mini-batch before training */
    CLOSE(report.study[0].row[0].reached.median, 64000);
    skl_report_release(&report);
    options.level = 10;
    report = read_report("table");
    CLOSE(report.study[0].row[0].reached.median, 200);
    skl_report_release(&report);
    options.level = 1;
    report = read_report("table");
    assert_true(isinf(report.study[0].row[0].reached.median));
    skl_report_release(&report);
    options.level = NAN;
}

static void selection_by_validation(void **state)
{
    struct fixture f = {"held", "original", "", "cifar10", 110};
    struct skl_report report;
    struct skl_err err = {0};
    put_run(&f, 1, "done", 8, "");
    char *folder = skl_strdup(in_scratch("held"));
    options.by_validation = true;
    assert_int_equal(skl_report_read(&folder, 1, &options, &report, &err), SKL_USAGE);
    assert_contains(err.text, "validation.csv");
    put_text(in_scratch("held/original/seed-1/validation.csv"),
             "iteration,epoch,loss,error,weights\n32000,1,0.5,6,aa\n64000,2,0.4,6.5,bb\n");
    report = read_report("held");
    CLOSE(report.study[0].row[0].error.median, 7.75);
    assert_int_equal(report.study[0].row[0].run[0].selected, 32000);
    skl_report_release(&report);
    options.by_validation = false;
    free(folder);
}

/* ---- files ---- */

/* noinline: gcc 12 takes what it returns for a pointer to a local variable otherwise. */
__attribute__((noinline)) static char *read_all(const char *folder, const char *name)
{
    char *path = skl_path(folder, name), *text = NULL;
    size_t n;
    struct skl_err err = {0};
    if (skl_file_read(path, (size_t)1 << 24, &text, &n, &err)) fail_msg("%s", err.text);
    free(path);
    return text;
}

static void assert_absent(const char *text, const char *part)
{
    if (strstr(text, part)) fail_msg("'%s' is in: %.100s", part, strstr(text, part));
}

static void hostile_names_stay_text(void **state)
{
    struct fixture a = {"hostile", "original", "", "cifar10", 110};
    struct fixture b = {"hostile",
                        "%3D1%2B1%3Cscript%3Ealert(1)%3C%2Fscript%3E\"' | `x` \\input{x} & $(rm) %25s%FF%E2%80%AE", "",
                        "cifar10", 110};
    put_runs(&a, (const double[]){7, 7.5}, 2);
    put_runs(&b, (const double[]){8, 8.1}, 2);
    put_run(&b, 3, "failed", 70, "<img src=x onerror=alert(1)>,\\\"\\n=cmd");
    struct skl_report report = read_report("hostile");
    struct skl_err err = {0};
    char *folder;
    assert_int_equal(skl_report_write(&report, &folder, &err), SKL_OK);
    char *html = read_all(folder, "report.html"), *csv = read_all(folder, "summary.csv"),
         *tex = read_all(folder, "report.tex");
    char *md = read_all(folder, "report.md"), *runs = read_all(folder, "runs.csv");
    assert_absent(html, "<script");
    assert_absent(html, "<img");
    assert_absent(html, "\xff");
    assert_absent(html, "\xe2\x80\xae");
    assert_contains(html, "=1+1&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; | `x` \\input{x} &amp; $(rm) %s??");
    assert_contains(html, "Content-Security-Policy");
    assert_contains(html, "default-src 'none'");
    assert_absent(html, "http://");
    assert_absent(html, "https://");
    assert_absent(md, "<script");
    assert_contains(md, "\\| \\`x\\`");
    assert_absent(tex, "\\input{x}");
    assert_contains(tex, "\\textbackslash{}input\\{x\\} \\& \\$(rm) \\%s");
    assert_contains(csv, "\"'=1+1<script>alert(1)</script>\"\"' | `x`");
    assert_contains(runs, "\"<img src=x onerror=alert(1)>,\"\"?=cmd\"");
    char *const texts[] = {html, csv, tex, md, runs, folder};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
    skl_report_release(&report);
}

static json_t *row_of(json_t *root, int i)
{
    return json_array_get(json_object_get(json_array_get(json_object_get(root, "studies"), 0), "rows"), (size_t)i);
}

static void json_is_json(void **state)
{
    struct skl_report report = read_report("table");
    char *text = skl_summary_json(&report), *again;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    again = json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    assert_int_equal(strncmp(text, again, strlen(again)), 0); /* keys are sorted */
    CLOSE(json_number_value(json_object_get(json_object_get(row_of(root, GATE), "test_error"), "median")), 8.7);
    assert_true(json_is_null(json_object_get(row_of(root, MIXED), "test_error_mean")));
    assert_string_equal(json_string_value(json_object_get(row_of(root, CONV), "verdict")), "outside");
    json_decref(root);
    free(again);
    free(text);
    skl_report_release(&report);
}

/* Cells of one line, quotes undone; returns how many. */
static int split(const char *line, char cell[][200], int limit)
{
    int n = 0;
    while (n < limit) {
        char *o = cell[n++];
        if (*line == '"') {
            for (line++; *line != '"' || line[1] == '"'; line++) {
                *o++ = *line;
                line += *line == '"';
            }
            line++;
        } else {
            while (*line && *line != ',' && *line != '\n') *o++ = *line++;
        }
        *o = 0;
        if (*line++ != ',') break;
    }
    return n;
}

/* Names are there once in each format, and what a page can show has a head. */
static void columns_have_one_name(void **state)
{
    const struct skl_report_column *const tables[] = {skl_setting_columns, skl_run_columns};
    for (int t = 0; t < 2; t++) {
        int heads = 0;
        for (const struct skl_report_column *c = tables[t]; c->key; c++) {
            assert_true(c->is_keys || c->of || c->kind != SKL_IS_NOTHING);
            assert_true(c->csv || c->json || c->head || c->head_of || c->is_keys);
            assert_true(!c->show || c->head || c->head_of);
            heads += c->head || c->head_of;
            for (const struct skl_report_column *d = tables[t]; d < c; d++) {
                assert_string_not_equal(c->key, d->key);
                if (c->csv && d->csv) assert_string_not_equal(c->csv, d->csv);
                if (c->json && d->json) assert_string_not_equal(c->json, d->json);
            }
        }
        assert_true(heads > 10);
    }
}

static void csv_is_csv(void **state)
{
    struct skl_report report = read_report("table");
    char *text = skl_summary_csv(&report), *runs = skl_runs_csv(&report);
    static char head[60][200], cell[60][200];
    int columns = split(text, head, 60), lines = 0;
    for (const char *p = strchr(text, '\n') + 1; *p; p = strchr(p, '\n') + 1) {
        assert_int_equal(split(p, cell, 60), columns);
        for (int i = 0; i < columns && lines == PLAIN; i++) {
            if (!strcmp(head[i], "test_error_median")) assert_string_equal(cell[i], "28");
            if (!strcmp(head[i], "fail")) assert_string_equal(cell[i], "true");
            if (!strcmp(head[i], "difference_mean")) assert_string_equal(cell[i], "");
        }
        lines++;
    }
    assert_int_equal(lines, ROWS);
    columns = split(runs, head, 60);
    for (const char *p = strchr(runs, '\n') + 1; *p; p = strchr(p, '\n') + 1)
        assert_int_equal(split(p, cell, 60), columns);
    free(text);
    free(runs);
    skl_report_release(&report);
}

static void curves_are_all_there(void **state)
{
    struct skl_report report = read_report("other");
    assert_int_equal(skl_curves_csv(&report, in_scratch("curves.csv"), NULL), SKL_OK);
    char *text = read_all(scratch, "curves.csv");
    int lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++) lines++;
    assert_int_equal(lines, 1 + 5 * (4 + 4 + 2 + 2));
    assert_contains(text, "other,b,3,test_error,64000,51\n");
    assert_contains(text, "other,original,1,train_loss,200,0.5\n");
    free(text);
    skl_report_release(&report);
}

static void several_sweeps_in_one_report(void **state)
{
    char *folders[] = {skl_strdup(in_scratch("table")), skl_strdup(in_scratch("elsewhere"))};
    struct skl_report report;
    assert_int_equal(skl_report_read(folders, 2, &options, &report, NULL), SKL_OK);
    options.folder = in_scratch("joint");
    char *folder, *csv, *html;
    assert_int_equal(skl_report_write(&report, &folder, NULL), SKL_OK);
    csv = read_all(folder, "summary.csv");
    html = read_all(folder, "report.html");
    assert_contains(csv, "data.dataset");
    assert_contains(csv, "elsewhere,b,b,");
    assert_contains(html, "<h3>Results</h3>");
    options.folder = NULL;
    free(csv);
    free(html);
    free(folder);
    free(folders[0]);
    free(folders[1]);
    skl_report_release(&report);
}

/* ---- comparisons ---- */

static struct skl_comparison compare(const char *a, const char *b)
{
    struct skl_comparison c;
    struct skl_err err = {0};
    if (skl_compare(in_scratch(a), in_scratch(b), &c, &err)) fail_msg("%s", err.text);
    return c;
}

static void two_runs(void **state)
{
    struct fixture a = {"one", "v", "seeds: [1]\n", "cifar10", 110},
                   b = {"two", "v", "seeds: [2]\nx: 1\n", "cifar10", 56};
    put_run(&a, 1, "done", 8, "");
    put_run(&b, 1, "done", 9, "");
    put_text(in_scratch("two/v/seed-1/train.csv"),
             "iteration,epoch,lr,loss,error\n0,0,0.1,2.3,8\n100,1,0.1,1.0,40\n200,2,0.1,0.6,9.5\n");
    put_text(in_scratch("one/v/seed-1/last.safetensors"), "same");
    put_text(in_scratch("two/v/seed-1/last.safetensors"), "same");
    struct skl_comparison c = compare("one/v/seed-1", "two/v/seed-1");
    const struct skl_pair_of_runs *p = &c.pair[0];
    assert_int_equal(p->settings, 3);
    assert_string_equal(p->setting[0].key, "model.depth");
    assert_string_equal(p->setting[0].b, "56");
    assert_string_equal(p->setting[1].key, "seeds");
    assert_null(p->setting[2].a); /* x is in B only */
    assert_false(p->log[0].same);
    assert_int_equal(p->log[0].equal_rows, 2);
    assert_int_equal(p->log[0].equal_to, 100);
    assert_int_equal(p->log[0].other, 200);
    assert_false(p->log[2].in_a);
    assert_true(p->weights.same && p->weights.equal_rows == 2); /* hashes, not the errors beside them */
    assert_true(p->same_checkpoint && !p->identical);
    skl_comparison_release(&c);
    put_text(in_scratch("two/v/seed-1/last.safetensors"), "samE");
    c = compare("one/v/seed-1", "two/v/seed-1");
    assert_false(c.pair[0].same_checkpoint);
    skl_comparison_release(&c);
    c = compare("one/v/seed-1", "one/v/seed-1");
    assert_true(c.pair[0].identical && c.pair[0].log[0].same && c.identical == 1);
    assert_int_equal(c.pair[0].log[0].equal_rows, 4);
    skl_comparison_release(&c);
}

static void two_sweeps(void **state)
{
    struct skl_comparison c = compare("other", "part");
    struct skl_err err = {0};
    assert_true(c.sweeps);
    assert_int_equal(c.pairs, 5); /* original: seeds 1, 2; b: 1, 2, 3 */
    assert_int_equal(c.only_as, 0);
    assert_int_equal(c.only_bs, 1);
    assert_string_equal(c.only_b[0], "original/seed-3");
    skl_comparison_release(&c);
    assert_int_equal(skl_compare(in_scratch("other"), in_scratch("one/v/seed-1"), &c, &err), SKL_USAGE);
    assert_int_equal(skl_compare(in_scratch("nowhere"), in_scratch("other"), &c, &err), SKL_DATA);
    put_text(in_scratch("two/v/seed-1/config.yaml"), "- not\n- a mapping\n");
    assert_int_equal(skl_compare(in_scratch("one/v/seed-1"), in_scratch("two/v/seed-1"), &c, &err), SKL_DATA);
    assert_contains(err.text, "config.yaml:1:1");
}

static int make_all(void **state)
{
    if (scratch_make(state)) return -1;
    make_table("table");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adjusted_p),
        cmocka_unit_test(p_of_an_interval),
        cmocka_unit_test(rank_correlation),
        cmocka_unit_test(rows_of_the_table),
        cmocka_unit_test(differences_from_the_baseline),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(other_protocols),
        cmocka_unit_test(seeds_that_are_not_finished),
        cmocka_unit_test(fail_on_other_data),
        cmocka_unit_test(chance_in_a_folder),
        cmocka_unit_test(iterations_to_a_training_error),
        cmocka_unit_test(selection_by_validation),
        cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test(json_is_json),
        cmocka_unit_test(columns_have_one_name),
        cmocka_unit_test(csv_is_csv),
        cmocka_unit_test(curves_are_all_there),
        cmocka_unit_test(several_sweeps_in_one_report),
        cmocka_unit_test(two_runs),
        cmocka_unit_test(two_sweeps),
    };
    return cmocka_run_group_tests_name("report", tests, make_all, scratch_remove);
}
