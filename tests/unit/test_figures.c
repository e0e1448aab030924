/* Results become figures: what is read, what stands in the scripts and data, what hostile names may not do. */
#include "tests/unit/scratch.h"

#include <ctype.h>
#include <math.h>
#include <sys/stat.h>

#include "core/base/fs.h"
#include "core/report/figure_data.h"
#include "core/report/figures.h"
#include "core/report/gnuplot.h"
#include "core/report/label.h"
#include "core/report/legend.h"
#include "core/report/scale.h"
#include "core/report/text.h"

/* As a folder that somebody made by hand: no %XX, everything a shell or gnuplot could take for an order. */
#define HOSTILE "`touch pwned`'; system('touch pwned'); $(touch pwned) {+Symbol a} & _^@x \\"

static const char test_rows[] = "iteration,epoch,loss,error,weights\n0,0,2.3,90,00\n100,1,0.9,30,11\n200,2,0.4,10,22\n";

static void put_text(const char *path, const char *text) { put_file(path, text, strlen(text)); }

/* results/setting/seed-N with a training curve of `rows` rows from start to 0.01. */
static void put_run(const char *results, const char *setting, int seed, const char *run_state, int rows, double start)
{
    char folder[400], path[440], train[4096] = "iteration,epoch,lr,loss,error\n";
    snprintf(folder, sizeof folder, "%s/%s/seed-%d", in_scratch(results), setting, seed);
    assert_int_equal(skl_mkdirs(folder, NULL), SKL_OK);
    for (int i = 0; i < rows; i++)
        snprintf(train + strlen(train), sizeof train - strlen(train), "%d,%d,0.1,%.9g,%d\n", i * 20, i,
                 start * pow(0.01 / start, i / 10.0), 90 - 8 * i);
    snprintf(path, sizeof path, "%s/train.csv", folder);
    put_text(path, train);
    snprintf(path, sizeof path, "%s/test.csv", folder);
    put_text(path, test_rows);
    snprintf(path, sizeof path, "%s/run.json", folder);
    snprintf(train, sizeof train, "{\"state\": \"%s\", \"cause\": \"\", \"iterations\": 200}", run_state);
    put_text(path, train);
}

static void make_results(void)
{
    put_run("sweep", "gates/gate_bias=-6", 1, "done", 11, 2.0);
    put_run("sweep", "gates/gate_bias=-6", 2, "running", 4, 2.2);
    put_run("sweep", "original", 2, "done", 11, 2.4);
    put_run("sweep", "original", 10, "done", 11, 2.0);
    put_run("sweep", "original", 1, "done", 11, 2.8);
    put_run("sweep", "plain", 1, "diverged", 6, 2.0);
    put_run("sweep", "we%20ird%27", 1, "done", 11, 2.0);
    put_run("sweep", HOSTILE, 1, "done", 11, 2.0);
    put_text(in_scratch("sweep/plan.json"),
             "{\"schema_version\": 1, \"name\": \"sweep\", \"label\": \"The `label`, 100% 'mine'\", \"baseline\": "
             "\"original\","
             " \"runs\": [{\"setting\": \"plain\", \"seed\": 1, \"paper\": \"fail\", \"iterations\": 200},"
             " {\"setting\": \"plain\", \"seed\": 2, \"paper\": \"fail\", \"iterations\": 200},"
             " {\"setting\": \"original\", \"seed\": 1, \"paper\": \"6.61\", \"iterations\": 200}]}");
}

static struct skl_results read_results(const char *name)
{
    struct skl_results r;
    struct skl_err err = {0};
    if (skl_results_read(in_scratch(name), 1u << SKL_TRAIN_LOSS | 1u << SKL_TEST_ERROR, &r, &err))
        fail_msg("%s", err.text);
    return r;
}

static int setting_of(const struct skl_results *r, const char *path)
{
    for (int i = 0; i < r->settings; i++)
        if (!strcmp(r->setting[i].path, path)) return i;
    fail_msg("no setting '%s'", path);
    return -1;
}

static void runs_are_collected(void **state)
{
    struct skl_results r = read_results("sweep");
    assert_string_equal(r.name, "sweep");
    assert_string_equal(r.label, "The `label`, 100% 'mine'");
    assert_int_equal(r.settings, 5);
    assert_int_equal(r.runs, 9);
    assert_int_equal(r.warnings, 0);
    assert_string_equal(r.setting[0].path, "plain"); /* the plan's order, then by name */
    assert_string_equal(r.setting[1].path, "original");
    assert_int_equal(r.baseline, 1);
    assert_string_equal(r.setting[1].paper, "6.61");
    const struct skl_result_setting *s = &r.setting[1];
    assert_int_equal(s->runs, 3);
    assert_true(s->run[0].seed == 1 && s->run[1].seed == 2 && s->run[2].seed == 10);
    assert_int_equal(s->run[0].curve[SKL_TRAIN_LOSS].n, 11);
    assert_int_equal(s->run[0].curve[SKL_TRAIN_ERROR].n, 0); /* not asked for */
    assert_true(skl_result_last(&s->run[0], SKL_TEST_ERROR) == 10);
    assert_string_equal(r.setting[0].run[1].state, "waiting");
    assert_int_equal(r.setting[0].run[1].iterations, 200);
    assert_string_equal(r.setting[setting_of(&r, "gates/gate_bias=-6")].name, "gates, gate_bias=-6");
    assert_string_equal(r.setting[setting_of(&r, "gates/gate_bias=-6")].label, "gates, b_g = −6");
    assert_string_equal(r.setting[setting_of(&r, "gates/gate_bias=-6")].variant, "gates");
    assert_string_equal(r.setting[setting_of(&r, "we%20ird%27")].name, "we ird'");
    skl_results_release(&r);
}

static void results_without_a_plan(void **state)
{
    put_run("unplanned", "b", 1, "done", 3, 2);
    put_run("unplanned", "a/k=10", 1, "done", 3, 2);
    put_run("unplanned", "a/k=9", 1, "done", 3, 2);
    put_text(in_scratch("unplanned/b/seed-1/config.yaml"),
             "label: from the run\nvariants:\n  - name: b\n    paper: {test_error: 8.70}\n");
    struct skl_results r = read_results("unplanned");
    assert_int_equal(r.settings, 3);
    assert_string_equal(r.setting[0].path, "a/k=9"); /* numbers as numbers */
    assert_string_equal(r.setting[1].path, "a/k=10");
    assert_string_equal(r.setting[2].paper, "8.70");
    assert_string_equal(r.label, "from the run");
    assert_int_equal(r.baseline, 0);
    skl_results_release(&r);
    put_text(in_scratch("unplanned/b/seed-1/config.yaml"), "baseline: b\n");
    r = read_results("unplanned");
    assert_int_equal(r.baseline, 2);
    skl_results_release(&r);
}

static void damaged_files_are_named_and_left_out(void **state)
{
    struct skl_err err = {0};
    struct skl_results r;
    put_run("damaged", "a", 1, "done", 3, 2);
    put_run("damaged", "a", 2, "done", 3, 2);
    put_run("damaged", "a", 3, "done", 3, 2);
    put_text(in_scratch("damaged/a/seed-1/train.csv"), "step,value\n1,2\n");
    put_text(in_scratch("damaged/a/seed-2/run.json"), "{\"state\":");
    put_text(in_scratch("damaged/a/seed-3/train.csv"), "iteration,epoch,lr,loss,error\n0,0,1,2,3\n20,0,1,nan,3\n20,0,1,"
                                                       "5,3\n10,0,1,4,3\n40,0,1,inf,3\n60,0,1,1,3\n80,0,1");
    r = read_results("damaged");
    assert_int_equal(r.warnings, 2);
    assert_contains(r.warning[0], "seed-1/train.csv");
    assert_contains(r.warning[1], "seed-2/run.json");
    const struct skl_series *s = &r.setting[0].run[2].curve[SKL_TRAIN_LOSS];
    assert_int_equal(s->n, 3); /* not finite, not ascending and torn rows are left out */
    assert_true(s->x[1] == 20 && s->y[1] == 5 && s->x[2] == 60);
    skl_results_release(&r);
    assert_int_equal(skl_results_read(in_scratch("nowhere"), 1, &r, &err), SKL_DATA);
    assert_int_equal(skl_mkdirs(in_scratch("empty/a"), NULL), SKL_OK);
    assert_int_equal(skl_results_read(in_scratch("empty"), 1, &r, &err), SKL_DATA);
    assert_contains(err.text, "no runs");
}

static void outcomes(void **state)
{
    struct skl_results r = read_results("sweep");
    static const struct {
        const char *path, *says;
    } row[] = {
        {"original", "10.00 %, n = 3"},
        {"gates/gate_bias=-6", "10.00 %, n = 1, 1 running"},
        {"plain", "1 diverged, 1 waiting"},
        {"we%20ird%27", "10.00 %"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char *text = skl_legend_outcome(&r.setting[setting_of(&r, row[i].path)], SKL_TEST_ERROR);
        assert_string_equal(text, row[i].says);
        free(text);
    }
    struct skl_result_setting *s = &r.setting[setting_of(&r, "we%20ird%27")];
    strcpy(s->run[0].state, "running");
    char *text = skl_legend_outcome(s, SKL_TRAIN_LOSS);
    assert_string_equal(text, "so far 0.0100, running");
    free(text);
    text = skl_legend_outcome(s, SKL_TEST_LOSS);
    assert_string_equal(text, "running, no rows yet");
    free(text);
    skl_results_release(&r);
}

static void slugs_are_plain_and_distinct(void **state)
{
    static char *const paths[] = {"a/k=-1", "a/k_-1", "-rf", "", "..", "a%20b", HOSTILE, "a/k=-1+2"};
    struct skl_result_setting set[8];
    struct skl_results r = {.setting = set, .settings = 8};
    char *slug[8];
    for (int i = 0; i < 8; i++) set[i].path = paths[i];
    for (int i = 0; i < 8; i++) {
        slug[i] = skl_legend_slug(&r, i);
        assert_true(isalnum((unsigned char)*slug[i]) && strlen(slug[i]) <= 90);
        for (const char *p = slug[i]; *p; p++) assert_true(isalnum((unsigned char)*p) || strchr("._+-", *p));
        for (int k = 0; k < i; k++) assert_string_not_equal(slug[i], slug[k]);
    }
    assert_string_equal(slug[0], "a-k_-1");
    for (int i = 0; i < 8; i++) free(slug[i]);
}

static char *quoted(const char *text)
{
    char *result;
    size_t n;
    FILE *out = open_memstream(&result, &n);
    skl_gnuplot_text(out, text);
    fclose(out);
    return result;
}

static void settings_have_labels(void **state)
{
    static const char *const row[][2] = {
        {"original", "original"},
        {"a%2Cb%2Fc=d", "a,b/c=d"}, /* a variant's name is no setting */
        {"gates/gate_bias=-6", "gates, b_g = −6"},
        {"gates/shortcut.gate_bias=0,lr=0.1", "gates, b_g = 0, lr 0.1"},
        {"scaled/shortcut_scale=0.5,residual_scale=-1e-05", "scaled, shortcut scale 0.5, residual scale −1e-05"},
        {"x/order=full_preact,note=-a%2Cb%3Dc", "x, order full_preact, note -a,b=c"},
        {"x/odd", "x, odd"},
        {"x/", "x"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char *label = skl_label(row[i][0]);
        assert_string_equal(label, row[i][1]);
        free(label);
    }
}

static void text_is_quoted(void **state)
{
    static const char *const row[][2] = {
        {"plain", "'plain'"},
        {"it's `x` \"y\" \\", "'it'.\"'\".'s `x` \"y\" \\'"},
        {"''", "''.\"'\".''.\"'\".''"},
        {"a\nb\tc\x7f", "'a?b?c?'"},
        {"\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6", "'?"
                                                         "?"
                                                         "?"
                                                         "?'"}, /* NEL, line separator, overrides */
        {"\xff\xc0\xaf\xe2\x82 \xed\xa0\x80", "'?"
                                              "?"
                                              "?"
                                              "?"
                                              "? ?"
                                              "?"
                                              "?'"}, /* not UTF-8 */
        {"λ=½ −∂x₂", "'λ=½ −∂x₂'"},
        {"\xf3\xb0\x80\x80", "'?'"}, /* for private use: no font has it, and gnuplot would cover the picture */
        {"", "''"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char *text = quoted(row[i][0]);
        assert_string_equal(text, row[i][1]);
        free(text);
    }
}

/* 'strings' without quotes, joined by "'"; what follows them. */
static const char *skip_string(const char *p)
{
    for (;; p += 5) {
        assert_true(*p == '\'');
        for (p++; *p != '\''; p++) assert_true((unsigned char)*p >= 0x20);
        if (strncmp(++p, ".\"'\".", 5)) return p;
    }
}

/* Any bytes: one line, which ends where we end it. */
static void any_text_is_one_string(void **state)
{
    for (int round = 0; round < 20000; round++) {
        char bytes[24];
        uint32_t x = (uint32_t)round * 2654435761u;
        for (int i = 0; i < 23; i++) bytes[i] = (char)((x = x * 1664525u + 1013904223u) >> 24);
        if (round % 3 == 0) bytes[5] = '\'';
        if (round % 5 == 0) bytes[22] = '\\';
        bytes[23] = 0;
        char *text = quoted(bytes);
        assert_int_equal(*skip_string(text), 0);
        char *fit = skl_text_fit(bytes, 500), *wrapped = skl_text_wrap(bytes, 500);
        assert_true(skl_text_width(fit) <= 500);
        char *second = strchr(bytes, '\n') ? NULL : strchr(wrapped, '\n');
        if (second) {
            *second = 0;
            assert_true(skl_text_width(wrapped) <= 500 && skl_text_width(second + 1) <= 500);
        }
        free(fit);
        free(wrapped);
        free(text);
    }
}

static void text_fits(void **state)
{
    char *s = skl_text_fit("constant-scaling", 10000);
    assert_string_equal(s, "constant-scaling");
    free(s);
    s = skl_text_fit("constant-scaling", 500);
    assert_string_equal(s, "con…ling");
    free(s);
    s = skl_text_wrap("a name", -60); /* no room at all: nothing is read beyond its end */
    assert_string_equal(s, "\n…");
    free(s);
    s = skl_text_wrap("constant-scaling, shortcut_scale=0.5, residual_scale=0.5", 2500);
    assert_string_equal(s, "constant-scaling, shortcut_scale=0.5, \nresidual_scale=0.5");
    free(s);
}

static void scales(void **state)
{
    assert_true(skl_nice_step(64000, 7) == 10000 && skl_nice_step(1, 5) == 0.2 && skl_nice_step(0.03, 6) == 0.005);
    struct skl_scale x = skl_scale_iterations(0, 64000);
    assert_true(x.unit == 10000 && x.step == 10000);
    assert_string_equal(x.label, "Iterations (×10⁴)");
    assert_string_equal(skl_scale_iterations(0, 10000).label, "Iterations (×10³)");
    assert_string_equal(skl_scale_iterations(0, 1500).label, "Iterations");
    assert_true(skl_scale_iterations(0, 0).max == 1);
    struct skl_scale y = skl_scale_linear(13);
    assert_true(y.min == 0 && y.max == 15 && y.step == 5);
    assert_string_equal(y.tics, "0 5 10 15");
    y = skl_scale_log(0.0018, 2.6);
    assert_true(y.min == 0.001 && y.max == 5);
    assert_string_equal(y.tics, "0.001 0.01 0.1 1");
    y = skl_scale_log(6.1, 88);
    assert_string_equal(y.tics, "5 10 20 50 100");
    y = skl_scale_log(1, 1);
    assert_true(y.min < y.max);
    y = skl_scale_log(1e-30, 1e30);
    assert_true(strlen(y.tics) < 120);
}

/* Inlined, gcc 12 takes the result for a pointer into this frame. */
__attribute__((noinline)) static char *read_text(const char *path)
{
    char *text;
    size_t n;
    struct skl_err err = {0};
    if (skl_file_read(path, 1 << 22, &text, &n, &err)) fail_msg("%s", err.text);
    return text;
}

/* Up to the template a script holds nothing but comments of ours, arrays, and names that are set to a number, a
 * string, or two strings and a line break. */
static void check_head(const char *script)
{
    const char *end = strstr(script, "load 'style.gp'"), *p = script;
    assert_non_null(end);
    while (p < end) {
        const char *line_end = strchr(p, '\n');
        size_t name = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789[]");
        if (*p == '#') {
            assert_null(memchr(p, '`', (size_t)(line_end - p)));
        } else if (strncmp(p, "array ", 6) && p != line_end) {
            assert_true(name > 0 && !strncmp(p + name, " = ", 3));
            p += name + 3;
            if (*p == '\'') {
                p = skip_string(p);
                if (!strncmp(p, ".\"\\n\".", 6)) p = skip_string(p + 6);
            } else {
                p += strspn(p, "0123456789.e+-");
            }
            assert_ptr_equal(p, line_end);
        }
        p = line_end + 1;
    }
}

static struct skl_figure_options options(void)
{
    return (struct skl_figure_options){.metric = SKL_TEST_ERROR, .jobs = 2, .smooth = 1};
}

static struct skl_figures draw(const char *name, const struct skl_figure_options *o)
{
    struct skl_results r = read_results(name);
    struct skl_figures f;
    struct skl_err err = {0};
    char *folder = skl_path(r.folder, "figures");
    int status = skl_figures_draw(&r, folder, o, &f, &err);
    if (status) assert_contains(err.text, "gnuplot is not installed");
    for (int i = 0; i < f.count && !status; i++) {
        static const char *const start[] = {".svg", "<?xml", ".pdf", "%PDF", ".png", "\x89PNG"};
        for (int k = 0; k < 6; k += 2) {
            char *path = skl_format("%s/%s%s", folder, f.figure[i].stem, start[k]), *picture = read_text(path);
            assert_memory_equal(picture, start[k + 1], 4);
            free(picture);
            free(path);
        }
    }
    assert_false(!access(in_scratch("sweep/figures/pwned"), F_OK) || !access("pwned", F_OK));
    skl_results_release(&r);
    free(folder);
    return f;
}

static void figures_are_drawn(void **state)
{
    struct skl_figure_options o = options();
    struct skl_figures f = draw("sweep", &o);
    assert_int_equal(f.count, 7); /* panels, four of them alone, the two pictures of all */
    assert_string_equal(f.figure[0].stem, "panels");
    assert_string_equal(f.figure[5].stem, "training-loss");
    assert_string_equal(f.figure[6].stem, "test-error");
    for (int i = 0; i < f.count; i++) {
        char name[200];
        snprintf(name, sizeof name, "sweep/figures/%s.gp", f.figure[i].stem);
        char *script = read_text(in_scratch(name));
        check_head(script);
        free(script);
    }
    char *data = read_text(in_scratch("sweep/figures/data/original.test_error.csv"));
    assert_string_equal(data, "iteration,seeds,median,low,high\n0,3,90,90,90\n100,3,30,30,30\n200,3,10,10,10\n");
    free(data);
    data = read_text(in_scratch("sweep/figures/data/original.train_loss.csv"));
    assert_contains(data, "\n0,3,2.4,2,2.8\n");
    assert_contains(data, "\n200,3,0.01,0.01,0.01\n");
    free(data);
    data = read_text(in_scratch("sweep/figures/data/gates-gate_bias_-6.train_loss.csv"));
    assert_contains(data, "\n0,2,2.1,2,2.2\n");
    assert_contains(data, "\n80,1,"); /* the running one ends at 60 */
    free(data);
    data = read_text(in_scratch("sweep/figures/data/plain.test_error.stops.csv"));
    assert_string_equal(data, "iteration,value\n200,10\n");
    free(data);
    assert_int_equal(count_entries(in_scratch("sweep/figures")), f.count * 4 + 2); /* style.gp, data/ */
    skl_figures_release(&f);
}

/* Rows where an edge meets the limit of a linear and of a logarithmic axis, and at the limits of x. */
static void bands_are_cut_at_the_axes(void **state)
{
    struct skl_results r = read_results("sweep");
    struct skl_figure_options o = options();
    struct skl_drawing d;
    struct skl_err err = {0};
    struct skl_limits all = {.x_max = 1e9}, right = {.x_min = 50, .x_max = 150};
    skl_limits_add(&right, 40, false);
    skl_limits_add(&right, 20, true);
    skl_limits_add(&right, 40, false);
    skl_limits_add(&right, 1000, true);
    assert_int_equal(right.count, 3);
    assert_int_equal(skl_drawing_make(&r, &o, &d, &err), SKL_OK);
    assert_int_equal(skl_mkdirs(in_scratch("cut/data"), &err), SKL_OK);
    assert_int_equal(skl_drawing_write(&d, in_scratch("cut"), &all, &right, &err), SKL_OK);
    char *data = read_text(in_scratch("cut/data/original.test_error.band.csv"));
    assert_string_equal(data,
                        "iteration,low,high\n50,60,60\n83.3333333,40,40\n100,30,30\n136.907025,20,20\n150,20,20\n");
    free(data);
    assert_true(!access(in_scratch("cut/data/original.train_loss.band.csv"), F_OK));
    assert_false(!access(in_scratch("cut/data/plain.train_loss.band.csv"), F_OK)); /* one seed, no band */
    skl_drawing_release(&d);
    skl_results_release(&r);
}

/* The number after "STYLE[i] = " of the entry whose CURVE or LEFT is this file. */
static int style_of(const char *stem, const char *array, const char *slug)
{
    char name[200], wanted[300];
    snprintf(name, sizeof name, "sweep/figures/%s.gp", stem);
    char *script = read_text(in_scratch(name));
    for (int i = 1; i < 10; i++) {
        snprintf(wanted, sizeof wanted, "\n%s[%d] = 'data/%s.train_loss.csv'", array, i, slug);
        if (!strstr(script, wanted)) continue;
        snprintf(wanted, sizeof wanted, "\nSTYLE[%d] = ", i);
        const char *style = strstr(script, wanted);
        assert_non_null(style);
        int value = atoi(style + strlen(wanted));
        free(script);
        return value;
    }
    free(script);
    return -1;
}

static void styles_stay_with_their_variants(void **state)
{
    struct skl_figure_options o = options();
    struct skl_figures f = draw("sweep", &o);
    skl_figures_release(&f);
    int style = style_of("training-loss", "CURVE", "gates-gate_bias_-6");
    assert_true(style > 0);
    assert_int_equal(style_of("training-loss", "CURVE", "original"), 0);
    assert_int_equal(style_of("panels", "LEFT", "gates-gate_bias_-6"), style);
    assert_int_equal(style_of("panel-gates-gate_bias_-6", "LEFT", "gates-gate_bias_-6"), style);
    o.only = "gates*";
    o.x_min = 50;
    o.x_max = 150;
    f = draw("sweep", &o);
    assert_int_equal(f.count, 3); /* one panel needs no picture of panels */
    skl_figures_release(&f);
    assert_int_equal(style_of("training-loss", "CURVE", "gates-gate_bias_-6"), style);
    assert_int_equal(style_of("training-loss", "CURVE", "original"), 0);
    assert_int_equal(style_of("training-loss", "CURVE", "plain"), -1);
}

static void what_cannot_be_drawn_is_said(void **state)
{
    struct skl_results r = read_results("sweep");
    struct skl_figures f;
    struct skl_err err = {0};
    struct skl_figure_options o = options();
    o.only = "nothing";
    assert_int_equal(skl_figures_draw(&r, in_scratch("x"), &o, &f, &err), SKL_USAGE);
    o = options();
    o.metric = SKL_VALIDATION_ERROR;
    assert_int_equal(skl_figures_draw(&r, in_scratch("x"), &o, &f, &err), SKL_DATA);
    assert_contains(err.text, "validation.csv");
    put_text(in_scratch("file"), "");
    o = options();
    assert_int_equal(skl_figures_draw(&r, in_scratch("file"), &o, &f, &err), SKL_FAILED);
    skl_figures_release(&f);
    skl_results_release(&r);
}

static void without_gnuplot_scripts_and_data_stand(void **state)
{
    struct skl_results r = read_results("sweep");
    struct skl_figures f;
    struct skl_err err = {0};
    struct skl_figure_options o = options();
    char *path = skl_strdup(getenv("PATH"));
    setenv("PATH", in_scratch("empty"), 1);
    assert_int_equal(skl_figures_draw(&r, in_scratch("absent"), &o, &f, &err), SKL_FAILED);
    setenv("PATH", path, 1);
    assert_contains(err.text, "gnuplot-nox");
    assert_int_equal(f.count, 7);
    assert_true(!access(in_scratch("absent/panels.gp"), F_OK) &&
                !access(in_scratch("absent/data/original.test_error.csv"), F_OK));
    assert_false(!access(in_scratch("absent/panels.svg"), F_OK));
    free(path);
    skl_figures_release(&f);
    skl_results_release(&r);
}

static void a_refused_script_is_named(void **state)
{
    struct skl_err err = {0};
    const char *const stems[] = {"wrong"};
    put_text(in_scratch("wrong.gp"), "set nonsense\n");
    assert_int_equal(skl_gnuplot_draw(scratch, stems, 1, 1, &err), SKL_FAILED);
    if (strstr(err.text, "not installed")) return;
    assert_contains(err.text, "wrong.gp: gnuplot failed: ");
}

static int set_up(void **state)
{
    if (scratch_make(state)) return -1;
    make_results();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_collected),
        cmocka_unit_test(results_without_a_plan),
        cmocka_unit_test(damaged_files_are_named_and_left_out),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(slugs_are_plain_and_distinct),
        cmocka_unit_test(settings_have_labels),
        cmocka_unit_test(text_is_quoted),
        cmocka_unit_test(any_text_is_one_string),
        cmocka_unit_test(text_fits),
        cmocka_unit_test(scales),
        cmocka_unit_test(figures_are_drawn),
        cmocka_unit_test(bands_are_cut_at_the_axes),
        cmocka_unit_test(styles_stay_with_their_variants),
        cmocka_unit_test(what_cannot_be_drawn_is_said),
        cmocka_unit_test(without_gnuplot_scripts_and_data_stand),
        cmocka_unit_test(a_refused_script_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_remove);
}
