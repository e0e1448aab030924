#include <dirent.h>
#include <time.h>
#include "tests/unit/scratch.h"
#include "core/base/fs.h"
#include "core/config/plan.h"

static void put(const char *name, const char *text) { put_file(in_scratch(name), text, strlen(text)); }

/* Loads scratch/t.yaml of this text with up to two overrides. */
static int try_load(const char *text, const char *one, const char *two, struct skl_plan *plan, struct skl_err *err)
{
    char *list[] = {(char *)one, (char *)two};
    put("t.yaml", text);
    *err = (struct skl_err){0};
    return skl_plan_load(in_scratch("t.yaml"), list, !!one + !!two, plan, err);
}

static struct skl_plan load(const char *text, const char *one, const char *two)
{
    struct skl_plan plan;
    struct skl_err err;
    if (try_load(text, one, two, &plan, &err)) fail_msg("refused: %s\n%s", err.text, text);
    return plan;
}

static void refused(const char *text, const char *one, const char *message)
{
    struct skl_plan plan;
    struct skl_err err;
    if (try_load(text, one, NULL, &plan, &err) == SKL_OK) fail_msg("accepted with %s:\n%s", one, text);
    assert_int_equal(err.status, SKL_USAGE);
    assert_contains(err.text, message);
}

/* The folders of all runs, one a line. */
static void assert_runs(const char *text, const char *one, const char *expected)
{
    struct skl_plan plan = load(text, one, NULL);
    char *got = skl_strdup("");
    for (int i = 0; i < plan.count; i++) {
        char *longer = skl_format("%s%s\n", got, plan.run[i].dir);
        free(got);
        got = longer;
    }
    assert_string_equal(got, expected);
    free(got);
    skl_plan_release(&plan);
}

/* ---- precedence ---- */

static void later_layers_win(void **state)
{
    static const char *const layers[] = {"train: {lr: 1}\n", "train: {lr: 2}\n", "set: {train.lr: 3}",
                                         "grid: {train.lr: [4]}", "train.lr=5"};
    for (int n = 0; n <= 5; n++) { /* the first n layers are there */
        put("base.yaml", n > 0 ? layers[0] : "model: {}\n");
        char *text = skl_format("include: base.yaml\n%svariants:\n  - {name: a%s%s%s%s}\n", n > 1 ? layers[1] : "",
                                n > 2 ? ", " : "", n > 2 ? layers[2] : "", n > 3 ? ", " : "", n > 3 ? layers[3] : "");
        struct skl_plan plan = load(text, n > 4 ? layers[4] : NULL, NULL);
        assert_int_equal(plan.count, 1);
        assert_true(plan.run[0].exp.train.lr == (n ? n : 0.1));
        skl_plan_release(&plan);
        free(text);
    }
}

static void a_mapping_replaces_a_leaf_does_not(void **state)
{
    static const char text[] = "model: {depth: 20, shortcut: {type: exclusive_gating, gate_bias: -3}}\n"
                               "train: {lr: 0.5, warmup: {lr: 0.02, iterations: 400}}\n"
                               "variants:\n"
                               "  - {name: whole, set: {train.warmup: {iterations: 100}}}\n"
                               "  - {name: leaf, set: {train.warmup.iterations: 100}}\n"
                               "  - {name: nested, set: {train: {warmup: {iterations: 100}}}}\n"
                               "  - {name: type, set: {model.shortcut: {type: identity}}}\n"
                               "  - {name: option, set: {model.shortcut.gate_init: zero}}\n";
    struct skl_plan plan = load(text, NULL, NULL);
    const double lr[] = {0.01, 0.02, 0.01, 0.02, 0.02};
    for (int i = 0; i < 5; i++) {
        assert_true(plan.run[i].exp.train.warmup.lr == lr[i]);
        assert_true(plan.run[i].exp.train.warmup.iterations == (i < 3 ? 100 : 400));
        assert_true(plan.run[i].exp.train.lr == 0.5); /* the section is merged */
        assert_int_equal(plan.run[i].exp.model.depth, 20);
    }
    assert_string_equal(plan.run[3].exp.model.shortcut->name, "identity");
    assert_string_equal(plan.run[4].exp.model.shortcut->name, "exclusive_gating");
    skl_plan_release(&plan);
    refused("model: {shortcut: {type: exclusive_gating, gate_bias: -3}}\n", "model.shortcut.type=identity",
            "t.yaml:1:44: shortcut 'identity' has no option 'gate_bias'");
}

static void include_chain(void **state)
{
    skl_mkdirs(in_scratch("sub"), NULL);
    put("sub/deep.yaml",
        "model: {depth: 32, width: 8, shortcut: {type: dropout, rate: 0.25}}\nseeds: 2\nlabel: deep\n");
    put("sub/middle.yaml", "include: deep.yaml\nmodel: {depth: 44}\n");
    struct skl_plan plan = load("include: sub/middle.yaml\nmodel: {shortcut: {type: identity}}\n", NULL, NULL);
    assert_int_equal(plan.count, 2);
    assert_string_equal(plan.name, "t");
    assert_string_equal(plan.label, "deep");
    assert_int_equal(plan.run[0].exp.model.depth, 44);
    assert_int_equal(plan.run[0].exp.model.width, 8);
    assert_string_equal(plan.run[0].exp.model.shortcut->name, "identity");
    skl_plan_release(&plan);
    put("sub/deep.yaml", "model:\n  depth: x\n");
    /* the place is kept, and what a later layer hides is checked too */
    refused("include: sub/middle.yaml\n", NULL, "sub/deep.yaml:2:10: model.depth must be");
    refused("variants: [{name: a, set: {train.lr: x}, grid: {train.lr: [1]}}]\n", NULL,
            "t.yaml:1:38: train.lr must be");
}

static void sections_are_merged(void **state)
{
    put("base.yaml", "model: {depth: 20, width: 8}\ndata: {dataset: mnist, size: 16, augment: {pad: 2}}\ntrain: {lr: "
                     "1, batch: 8}\n");
    struct skl_plan plan =
        load("include: base.yaml\nmodel: {depth: 32}\ndata: {augment: {flip: false}}\ntrain: {batch: 4}\n"
             "variants: [{name: a, set: {data: {shuffle: false}}}]\n",
             "train={log_every: 5}", "data={}");
    const struct skl_experiment *e = &plan.run[0].exp;
    assert_true(e->model.depth == 32 && e->model.width == 8 && e->train.lr == 1 && e->train.batch == 4);
    assert_true(e->train.log_every == 5 && e->data.size == 16 && !e->data.shuffle && !e->data.augment.flip);
    assert_int_equal(e->data.augment.pad, 4); /* a mapping inside a section is replaced */
    skl_plan_release(&plan);
}

static void include_limits(void **state)
{
    put("a.yaml", "include: b.yaml\n");
    put("b.yaml", "include: ./a.yaml\n");
    refused("include: a.yaml\n", NULL, "b.yaml:1:10: ");
    refused("include: a.yaml\n", NULL, "includes itself");
    put("i9.yaml", "model: {depth: 20}\n");
    for (int i = 8; i >= 1; i--) {
        char *name = skl_format("i%d.yaml", i), *text = skl_format("include: i%d.yaml\n", i + 1);
        put(name, text);
        free(name);
        free(text);
    }
    struct skl_plan plan = load("include: i2.yaml\n", NULL, NULL);
    assert_int_equal(plan.run[0].exp.model.depth, 20);
    skl_plan_release(&plan);
    refused("include: i1.yaml\n", NULL, "i8.yaml:1:10: includes go deeper than 8 files");
}

static void overrides(void **state)
{
    static const char text[] = "model: {depth: 20}\ntrain: {warmup: {lr: 0.05, iterations: 9}}\nseeds: 3\n";
    struct skl_plan plan = load(text, "train.iterations=10", "seeds=[7, 9]");
    assert_int_equal(plan.count, 2);
    assert_string_equal(plan.run[1].dir, "identity/seed-9");
    assert_int_equal(plan.run[0].exp.train.iterations, 10);
    skl_plan_release(&plan);
    plan = load(text, "train.warmup={iterations: 5}", "name=other");
    assert_string_equal(plan.name, "other");
    assert_true(plan.run[0].exp.train.warmup.lr == 0.01 && plan.run[0].exp.train.warmup.iterations == 5);
    skl_plan_release(&plan);
    plan = load(text, "train.lr=0.2", "train.lr=0.3"); /* the later one */
    assert_true(plan.run[0].exp.train.lr == 0.3);
    skl_plan_release(&plan);
    refused(text, "train.iteratons=3",
            "override 'train.iteratons=3': unknown key 'iteratons' (did you mean 'iterations'?)");
    refused(text, "train.iterations=many", "override 'train.iterations=many': train.iterations must be a whole number");
    refused(text, "train.iterations=", "override 'train.iterations=': train.iterations must be");
    refused(text, "train.iterations", "write it as key=value");
    refused(text, "=3", "write it as key=value");
    refused(text, "train.lr=[1", "override 'train.lr=[1':");
    refused(text, "train..lr=1", "'train..lr' is no key");
    refused(text, "model.depth=21", "override 'model.depth=21': model.depth must be 6n+2");
    refused(text, "include=x.yaml", "'include' cannot be set on the command line");
    refused(text, "plugins=[x.so]", "'plugins' cannot be set on the command line");
    refused(text, "model.depth.x=3", "override 'model.depth.x=3': 'depth' is a value");
    refused("grid: {train: [1]}\n", "train={lr: 1}", "train");
    refused(text, "seeds=0", "override 'seeds=0': seeds must be");
}

/* ---- grid, zip, exclude ---- */

static void grid_is_a_product(void **state)
{
    assert_runs("model: {depth: 20}\nseeds: [5, 3]\n"
                "variants:\n"
                "  - {name: b}\n"
                "  - {name: a, grid: {model.width: [4, 8], train.lr: [0.1, 1e-2]}}\n",
                NULL,
                "b/seed-5\na/width=4,lr=0.1/seed-5\na/width=4,lr=0.01/seed-5\na/width=8,lr=0.1/seed-5\na/"
                "width=8,lr=0.01/seed-5\n"
                "b/seed-3\na/width=4,lr=0.1/seed-3\na/width=4,lr=0.01/seed-3\na/width=8,lr=0.1/seed-3\na/"
                "width=8,lr=0.01/seed-3\n");
    assert_runs("grid: {model: {depth: [20, 32], width: [4]}}\n", NULL,
                "identity/depth=20,width=4/seed-1\nidentity/depth=32,width=4/seed-1\n");
    assert_runs("grid: {model.shortcut.type: [identity, dropout]}\n", NULL,
                "identity/type=identity/seed-1\ndropout/type=dropout/seed-1\n");
}

static void zip_runs_lists_side_by_side(void **state)
{
    static const char text[] = "model: {depth: 20, shortcut: {type: exclusive_gating}}\n"
                               "variants:\n"
                               "  - name: a\n"
                               "    zip: {model.shortcut.gate_bias: [0, -6.50], paper.test_error: [fail, 8.70]}\n"
                               "    grid: {train.lr: [1, 2]}\n"
                               "    paper: {test_error: 1, remark: \"b_g\"}\n";
    assert_runs(text, NULL,
                "a/gate_bias=0,lr=1/seed-1\na/gate_bias=0,lr=2/seed-1\n"
                "a/gate_bias=-6.5,lr=1/seed-1\na/gate_bias=-6.5,lr=2/seed-1\n");
    struct skl_plan plan = load(text, NULL, NULL);
    assert_string_equal(plan.run[0].paper, "fail");
    assert_string_equal(plan.run[2].paper, "8.70");
    assert_int_equal(plan.run[0].paper_count, 2);
    assert_int_equal(plan.run[0].axis_count, 2);
    assert_string_equal(plan.run[2].axis[0].key, "model.shortcut.gate_bias");
    assert_string_equal(plan.run[2].axis[0].value, "-6.50");
    assert_string_equal(plan.run[2].setting, "a/gate_bias=-6.5,lr=1");
    skl_plan_release(&plan);
}

static void exclude_drops_combinations(void **state)
{
    static const char text[] =
        "train: {momentum: 0.5}\n"
        "variants:\n"
        "  - name: a\n"
        "    grid: {model.depth: [20, 32], train.lr: [0.1, 0.01], model.order: [original, full_preact]}\n"
        "    exclude:\n"
        "      - {model.depth: 20, train.lr: 1e-1}\n"
        "      - {train: {lr: 0.01}, model.order: full_preact, train.momentum: 0.5}\n"
        "      - {model.width: 16, model.depth: 32, model.order: original}\n";
    assert_runs(text, NULL, "a/depth=20,lr=0.01,order=original/seed-1\na/depth=32,lr=0.1,order=full_preact/seed-1\n");
    /* the file's own excludes hold for every variant; what cannot run may be excluded */
    assert_runs("grid: {model.depth: [20, 21]}\nexclude: [{model.depth: 21}]\nvariants: [{name: a}, {name: b}]\n", NULL,
                "a/depth=20/seed-1\nb/depth=20/seed-1\n");
    /* one that nothing meets is a mistake, unless the command line took away what it is about */
    static const char in_vain[] = "grid: {model.depth: [20, 32]}\nexclude: [{model.depth: 32, train.momentum: 0.6}]\n";
    refused(in_vain, NULL, "2:11: exclude: no combination has all of these, from model.depth: 32");
    assert_runs(in_vain, "model.depth=20", "identity/seed-1\n");
    assert_runs(in_vain, "grid={train.lr: [1]}", "identity/lr=1/seed-1\n");
    /* each variant's own must be met there, the file's anywhere; options have their shortcut's defaults */
    refused("exclude: [{model.depth: 20}]\nvariants: [{name: a, grid: {model.depth: [20, 32]}}, {name: b, "
            "exclude: [{model.depth: 20}]}]\n",
            NULL, "2:74: exclude: no combination has model.depth: 20");
    assert_runs("model.shortcut: {type: exclusive_gating}\ngrid: {model.depth: [20, 32]}\n"
                "exclude: [{model.shortcut.gate_bias: -6, model.depth: 20}]\n",
                NULL, "exclusive_gating/depth=32/seed-1\n");
}

static void an_override_takes_its_key_out(void **state)
{
    static const char text[] = "variants:\n"
                               "  - {name: a, grid: {model.depth: [20, 32], train.lr: [1, 2]}}\n"
                               "  - name: b\n"
                               "    zip: {model.depth: [20, 32], paper.test_error: [8.75, 7.51]}\n";
    assert_runs(text, "model.depth=44", "a/lr=1/seed-1\na/lr=2/seed-1\nb/seed-1\n");
    assert_runs(text, "model={depth: 44}", "a/lr=1/seed-1\na/lr=2/seed-1\nb/seed-1\n");
    assert_runs(text, "train={lr: 3}", "a/depth=20/seed-1\na/depth=32/seed-1\nb/depth=20/seed-1\nb/depth=32/seed-1\n");
    struct skl_plan plan = load(text, "model.depth=44", NULL);
    for (int i = 0; i < plan.count; i++) assert_int_equal(plan.run[i].exp.model.depth, 44);
    assert_null(plan.run[2].paper); /* the figures were for other settings */
    skl_plan_release(&plan);
}

static void folder_names(void **state)
{
    assert_runs("grid: {train.lr: [0.1], train.warmup.lr: [0.10000000001], train.warmup.iterations: [1000000000]}\n",
                NULL, "identity/train.lr=0.1,warmup.lr=0.1,iterations=1e%2B09/seed-1\n");
    assert_runs("data: {dataset: mnist}\ngrid: {data.path: [\"/a b/ü=,%\", \"/08\", '/x']}\n", NULL,
                "identity/path=%2Fa%20b%2F%C3%BC%3D%2C%25/seed-1\nidentity/path=%2F08/seed-1\n"
                "identity/path=%2Fx/seed-1\n");
    refused("data: {dataset: mnist}\ngrid: {data.path: [/a, b]}\n", NULL, "must be absolute in grid and zip, not 'b'");
    assert_runs("grid: {train.lr_drops.at: [50%]}\nseeds: [0, 9223372036854775807]\n", NULL,
                "identity/at=50%25/seed-0\nidentity/at=50%25/seed-9223372036854775807\n");
    char *text = skl_format("grid: {data.path: [/%0300d]}\n", 1);
    refused(text, NULL, "longer than 255 bytes");
    free(text);
}

static void variant_names(void **state)
{
    assert_true(skl_name_valid("a") && skl_name_valid("0.5_x-Y"));
    assert_false(skl_name_valid("") || skl_name_valid(".a") || skl_name_valid("-a") || skl_name_valid("_a"));
    assert_false(skl_name_valid("a b") || skl_name_valid("a/b") || skl_name_valid("ä"));
    char name[70] = {0};
    memset(name, 'x', 65);
    assert_false(skl_name_valid(name));
    name[64] = 0;
    assert_true(skl_name_valid(name));
}

/* ---- config.yaml ---- */

/* What emit() writes for a run loads as that one run. */
static void assert_round_trip(const struct skl_plan *plan, const struct skl_plan_run *run)
{
    char *text = skl_plan_emit(plan, run), *again;
    put("config.yaml", text);
    struct skl_plan one;
    struct skl_err err = {0};
    if (skl_plan_load(in_scratch("config.yaml"), NULL, 0, &one, &err)) fail_msg("%s in\n%s", err.text, text);
    assert_int_equal(one.count, 1);
    assert_string_equal(one.run[0].exp.hash, run->exp.hash);
    assert_string_equal(one.run[0].dir, run->dir);
    assert_string_equal(one.name, plan->name);
    assert_int_equal(one.run[0].exp.has_data, run->exp.has_data);
    assert_true(!one.label == !plan->label && (!plan->label || strcmp(one.label, plan->label) == 0));
    assert_true(!one.run[0].paper == !run->paper && (!run->paper || strcmp(one.run[0].paper, run->paper) == 0));
    assert_memory_equal(one.run[0].exp.model.shortcut_opts, run->exp.model.shortcut_opts, SKL_OPTS_MAX);
    assert_memory_equal(&one.run[0].exp.train, &run->exp.train, sizeof run->exp.train);
    again = skl_plan_emit(&one, &one.run[0]);
    assert_string_equal(again, text);
    free(again);
    free(text);
    skl_plan_release(&one);
}

/* Every file in configs/: loads, is named after itself, comes back the same from each run's own config.yaml, and goes
 * seed by seed. */
static int settings_of(const struct skl_plan *plan)
{
    int n = 0;
    while (n < plan->count && plan->run[n].exp.seed == plan->run[0].exp.seed) n++;
    return n;
}

static void check_shipped(const char *folder, const char *file)
{
    char *path = skl_format("%s/%s", folder, file), *stem = skl_format("%.*s", (int)(strlen(file) - 5), file);
    struct skl_plan plan;
    struct skl_err err = {0};
    if (skl_plan_load(path, NULL, 0, &plan, &err)) fail_msg("%s", err.text);
    assert_string_equal(plan.name, stem);
    const int settings = settings_of(&plan);
    for (int i = 0; i < plan.count; i++) {
        assert_round_trip(&plan, &plan.run[i]);
        if (i >= settings) assert_string_equal(plan.run[i].setting, plan.run[i - settings].setting);
    }
    skl_plan_release(&plan);
    free(path), free(stem);
}

static void shipped_experiments(void **state)
{
    char *folder = skl_format("%s/configs", SOURCE_ROOT);
    DIR *dir = opendir(folder);
    int files = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".yaml")) continue;
        check_shipped(folder, e->d_name);
        files++;
    }
    closedir(dir);
    free(folder);
    assert_true(files >= 10);
}

/* The published figures, row by row. */
static void table1_is_the_papers(void **state)
{
    static const struct {
        const char *setting, *paper;
    } rows[] = {
        {"original", "6.61"},
        {"constant-scaling/shortcut_scale=0,residual_scale=1", "fail"},
        {"constant-scaling/shortcut_scale=0.5,residual_scale=1", "fail"},
        {"constant-scaling/shortcut_scale=0.5,residual_scale=0.5", "12.35"},
        {"exclusive-gating/gate_bias=0", "fail"},
        {"exclusive-gating/gate_bias=-1", "fail"},
        {"exclusive-gating/gate_bias=-2", "fail"},
        {"exclusive-gating/gate_bias=-3", "fail"},
        {"exclusive-gating/gate_bias=-4", "fail"},
        {"exclusive-gating/gate_bias=-5", "fail"},
        {"exclusive-gating/gate_bias=-6", "8.70"},
        {"exclusive-gating/gate_bias=-7", "9.81"},
        {"shortcut-only-gating/gate_bias=0", "12.86"},
        {"shortcut-only-gating/gate_bias=-6", "6.91"},
        {"conv1x1", "12.22"},
        {"dropout", "fail"},
    };
    struct skl_plan plan;
    struct skl_err err = {0};
    assert_int_equal(skl_plan_load(SOURCE_ROOT "/configs/table1.yaml", NULL, 0, &plan, &err), SKL_OK);
    for (int i = 0; i < plan.count; i++) {
        const struct skl_train_config *t = &plan.run[i].exp.train;
        assert_string_equal(plan.run[i].setting, rows[i % 16].setting);
        assert_string_equal(plan.run[i].paper, rows[i % 16].paper);
        assert_int_equal(plan.run[i].exp.seed, i / 16 + 1);
        assert_int_equal(plan.run[i].exp.model.depth, 110);
        assert_true(t->iterations == 64000 && t->batch == 128 && t->bn_batch == 64 && t->lr == 0.1);
        assert_true(t->warmup.lr == 0.01 && t->warmup.iterations == 400 && t->momentum == 0.9 &&
                    t->weight_decay == 0.0001);
        assert_true(t->lr_drops.count == 2 && t->lr_drops.at[0] == 32000 && t->lr_drops.at[1] == 48000);
        assert_int_equal(t->momentum_form, SKL_MOMENTUM_CAFFE);
    }
    skl_plan_release(&plan);
}

static void awkward_values_round_trip(void **state)
{
    struct skl_plan plan =
        load("label: \"a: b # \\\"c\\\" \\\\ \\n \\t \\u0085 \\u2028 \\uFEFF \\uFFFE \\uFFFF ü €  \"\n"
             "model: {depth: 20, shortcut: {type: constant_scaling, shortcut_scale: 0.1234567890123456789}, "
             "shortcut_at: [2, 4]}\n"
             "data: {dataset: synthetic, size: 16, path: \"/a b/'c\"}\n"
             "train: {lr: 0.3333333333333333, weight_decay: 1e-300, batch: 48, bn_batch: 16, iterations: 7,\n"
             "        lr_drops: {at: [50%, 60%]}}\n"
             "probe: {every: 3}\ngive_up: {iteration: 5}\nreport: {fail_above: 12.5, fail_times_baseline: 2}\n"
             "variants:\n"
             "  - name: a\n"
             "    grid: {data.path: ['/0.10', \"/x: y\"], train.momentum_form: [torch, caffe]}\n"
             "    zip: {train.momentum: [+.5], train.test_every: [+2]}\n"
             "    paper: {test_error: '12 %', remark: \"-\"}\n"
             "seeds: [0, 9223372036854775807]\n",
             NULL, NULL);
    assert_int_equal(plan.count, 8);
    for (int i = 0; i < plan.count; i++) assert_round_trip(&plan, &plan.run[i]);
    skl_plan_release(&plan);
    plan = load("model: {shortcut_at: same_shape}\n", NULL, NULL); /* no data: none in config.yaml either */
    assert_round_trip(&plan, &plan.run[0]);
    char *text = skl_plan_emit(&plan, &plan.run[0]);
    assert_null(strstr(text, "data:"));
    free(text);
    skl_plan_release(&plan);
}

/* ---- size ---- */

static void plan_hash(void **state)
{
    struct skl_plan a = load("seeds: 2\n", NULL, NULL), b = load("seeds: 2\nlabel: x\n", NULL, NULL),
                    c = load("seeds: 3\n", NULL, NULL);
    assert_string_equal(a.hash, b.hash);
    assert_string_not_equal(a.hash, c.hash);
    skl_plan_release(&a);
    skl_plan_release(&b);
    skl_plan_release(&c);
}

static void many_runs(void **state)
{
    struct skl_plan plan = load(
        "grid: {train.batch: [1,2,3,4,5,6,7,8,9,10], model.width: [1,2,3,4,5,6,7,8,9,10]}\nseeds: 200\n", NULL, NULL);
    assert_int_equal(plan.count, SKL_PLAN_MAX_RUNS);
    assert_string_equal(plan.run[19999].dir, "identity/batch=10,width=10/seed-200");
    skl_plan_release(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_layers_win),
        cmocka_unit_test(a_mapping_replaces_a_leaf_does_not),
        cmocka_unit_test(include_chain),
        cmocka_unit_test(include_limits),
        cmocka_unit_test(sections_are_merged),
        cmocka_unit_test(overrides),
        cmocka_unit_test(grid_is_a_product),
        cmocka_unit_test(zip_runs_lists_side_by_side),
        cmocka_unit_test(exclude_drops_combinations),
        cmocka_unit_test(an_override_takes_its_key_out),
        cmocka_unit_test(folder_names),
        cmocka_unit_test(variant_names),
        cmocka_unit_test(shipped_experiments),
        cmocka_unit_test(table1_is_the_papers),
        cmocka_unit_test(awkward_values_round_trip),
        cmocka_unit_test(plan_hash),
        cmocka_unit_test(many_runs),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
