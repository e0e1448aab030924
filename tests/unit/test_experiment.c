#include <limits.h>
#include "tests/unit/scratch.h"
#include "core/base/fs.h"
#include "core/config/keys.h"
#include "core/config/model.h"
#include "core/config/plan.h"
#include "core/config/registry.h"

/* Loads a file of this text; the message of a refusal is left in err. */
static int load(const char *text, struct skl_plan *plan, struct skl_err *err)
{
    const char *path = in_scratch("t.yaml");
    put_file(path, text, strlen(text));
    *err = (struct skl_err){0};
    return skl_plan_load(path, NULL, 0, plan, err);
}

static struct skl_plan must_load(const char *text)
{
    struct skl_plan plan;
    struct skl_err err;
    if (load(text, &plan, &err)) fail_msg("refused: %s\n%s", err.text, text);
    return plan;
}

/* ---- what is refused, where and how ---- */

struct bad {
    const char *text, *place, *message;
};
static const struct bad bad[] = {
    /* keys */
    {"model:\n  dpeth: 20\n", "2:3", "unknown key 'dpeth' (did you mean 'depth'?)"},
    {"modle: {depth: 20}\n", "1:1", "unknown key 'modle' (did you mean 'model'?)"},
    {"depth: 20\n", "1:1", "unknown key 'depth' (did you mean 'model.depth'?)"},
    {"qqqq: 20\n", "1:1", "unknown key 'qqqq'; the file has: name, label"},
    {"data:\n  augment:\n    zzzzzz: 3\n", "3:5", "unknown key 'zzzzzz'; data.augment has: pad, flip"},
    {"train: {lr_drops: {att: [1]}}\n", "1:20", "unknown key 'att' (did you mean 'at'?)"},
    {"report: {fail: 3}\n", "1:10", "unknown key 'fail' (did you mean 'fail_above'?)"},
    {"model: {depth: 20}\ntrain: {lr: 1}\nmodel: {width: 4}\n", "3:1", "doubled key 'model'"},
    {"train:\n  lr: 1\n  lr: 2\n", "3:3", "doubled key 'lr'"},
    {"model: {depth: 20}\nmodel.depth: 32\n", "2:1", "'model.depth' is given twice"},
    {".depth: 3\n", "1:1", "'.depth' is no key"},
    {"model..depth: 3\n", "1:1", "'model..depth' is no key"},
    {"seed: 3\n", "1:1", "unknown key 'seed' (did you mean 'seeds'?)"},
    /* shape of the file */
    {"- model\n", "1:1", "an experiment file is a mapping"},
    {"20\n", "1:1", "an experiment file is a mapping"},
    {"model:\n", "1:7", "model must be a mapping of keys; leave it out"},
    {"model: 20\n", "1:8", "model must be a mapping of keys"},
    {"train: {warmup: 400}\n", "1:17", "train.warmup must be a mapping of keys"},
    {"data: [cifar10]\n", "1:7", "data must be a mapping of keys"},
    {"model: {depth: *x}\n", "1:16", "aliases"},
    {"model: &m {depth: 20}\n", "1:8", "anchors"},
    {"model: {depth: !!int 20}\n", "1:16", "tags"},
    {"model: {depth: 20\n", "2:1", "flow mapping"},
    {"model:\n\tdepth: 20\n", "2:1", "a tab"},
    {"", "1:1", "empty"},
    /* types */
    {"model: {depth: twenty}\n", "1:16", "model.depth must be a whole number from 4 to 10000, not 'twenty'"},
    {"model: {depth: \"20\"}\n", "1:16", "not \"20\" (write it without quotes)"},
    {"model: {depth: [20]}\n", "1:16", "not a list"},
    {"model: {depth: {n: 20}}\n", "1:16", "not a mapping"},
    {"model: {depth: }\n", "1:16", "not nothing"},
    {"model: {depth: 20.0}\n", "1:16", "a whole number"},
    {"model: {depth: 0x14}\n", "1:16", "a whole number"},
    {"model: {depth: 99999999999999999999}\n", "1:16", "a whole number"},
    {"train: {iterations: 1e3}\n", "1:21", "train.iterations must be a whole number"},
    {"train: {lr: .nan}\n", "1:13", "train.lr must be a number from 0 to 1000, not '.nan'"},
    {"train: {lr: nan}\n", "1:13", "not 'nan'"},
    {"train: {lr: .inf}\n", "1:13", "not '.inf'"},
    {"train: {lr: 1e999}\n", "1:13", "not '1e999'"},
    {"train: {lr: 0.1 # no\n  x}\n", "2:3", ""},
    {"train: {lr: 0,1}\n", "1:15", ""},
    {"data: {augment: {flip: yes}}\n", "1:24", "data.augment.flip must be true or false, not 'yes'"},
    {"data: {shuffle: 1}\n", "1:17", "data.shuffle must be true or false"},
    {"data: {path: [a]}\n", "1:14", "data.path must be text, not a list"},
    {"label: [a]\n", "1:8", "label must be text"},
    /* ranges and choices */
    {"model: {width: 0}\n", "1:16", "model.width must be a whole number from 1 to 1024, not '0'"},
    {"train: {momentum: 1.5}\n", "1:19", "train.momentum must be a number from 0 to 1"},
    {"train: {lr: -0.1}\n", "1:13", "train.lr must be a number from 0 to 1000"},
    {"train: {iterations: 0}\n", "1:21", "from 1 to"},
    {"train: {log_every: 0}\n", "1:20", "train.log_every"},
    {"train: {batch: 64, bn_batch: 0}\n", "1:30", "train.bn_batch"},
    {"give_up: {train_error_above: 101}\n", "1:30", "give_up.train_error_above"},
    {"report: {fail_above: -1}\n", "1:22", "report.fail_above"},
    {"model: {order: orignal}\n", "1:16", "(did you mean 'original'?)"},
    {"model: {projection: C}\n", "1:21", "model.projection must be one of A, B"},
    {"data: {dataset: cifar}\n", "1:17", "(did you mean 'cifar10'?)"},
    {"data: {dataset: imagenet}\n", "1:17", "one of cifar10, cifar100, fashion-mnist, mnist, folder, synthetic"},
    {"data: {size: 24}\n", "1:14", "data.size must be 32 or 16"},
    {"train: {conv: fft}\n", "1:15", "one of auto, winograd4"},
    /* shortcuts */
    {"model: {shortcut: identity}\n", "1:19", "a mapping like {type: identity}"},
    {"model: {shortcut: {type: identty}}\n", "1:26", "unknown shortcut 'identty' (did you mean 'identity'?)"},
    {"model: {shortcut: {type: bar_code}}\n", "1:26", "there are: identity, constant_scaling"},
    {"model: {shortcut: {type: [a]}}\n", "1:26", "must be a shortcut's name"},
    {"model: {shortcut: {type: identity, gate_bias: -6}}\n", "1:36",
     "'identity' has no option 'gate_bias'; it has none"},
    {"model: {shortcut: {gate_bias: -6}}\n", "1:20", "'identity' has no option"},
    {"model: {shortcut: {type: dropout, rat: 1}}\n", "1:35", "(did you mean 'rate'?); it has: rate, inverted"},
    {"model: {shortcut: {type: dropout, gate_bias: 1}}\n", "1:35", "no option 'gate_bias'; it has: rate, inverted"},
    {"model: {shortcut: {type: dropout, rate: 2}}\n", "1:41", "model.shortcut.rate must be a number from 0 to"},
    {"model: {shortcut: {type: dropout, rate: .nan}}\n", "1:41", "not '.nan'"},
    {"model: {shortcut: {type: dropout, inverted: 1}}\n", "1:45", "true or false"},
    {"model: {shortcut: {type: exclusive_gating, gate_init: one}}\n", "1:55", "one of he, zero"},
    {"model: {shortcut_at: some}\n", "1:22", "all, same_shape, or [from, to]"},
    {"model: {depth: 20, shortcut_at: [0, 9]}\n", "1:33", "[0, 8], the units of depth 20"},
    {"model: {shortcut_at: [5, 3]}\n", "1:22", "[5, 3]"},
    {"model: {shortcut_at: [1, 2, 3]}\n", "1:22", "[from, to]"},
    /* what spans keys */
    {"model: {depth: 21}\n", "1:16", "6n+2 with basic blocks, not 21; nearest: 20 or 26"},
    {"model: {depth: 20}\nvariants: [{name: a, set: {model.block: bottleneck, model.depth: 32}}]\n", "2:66",
     "9n+2 with bottleneck blocks, not 32; nearest: 29 or 38"},
    {"model: {block: bottleneck, depth: 8}\n", "1:35", "9n+2"},
    {"train: {batch: 100, bn_batch: 64}\n", "1:31", "train.bn_batch 64 must divide train.batch 100"},
    {"train: {lr_drops: {at: [3, 2]}}\n", "1:28", "must ascend: 2 comes after 3"},
    {"train: {lr_drops: {at: [75%, 50%]}}\n", "1:30", "must ascend"},
    {"train: {lr_drops: {at: [101%]}}\n", "1:25", "not '101%'"},
    {"train: {lr_drops: {at: [half]}}\n", "1:25", "not 'half'"},
    {"train: {lr_drops: {at: {a: 1}}}\n", "1:24", "must be a list"},
    {"train: {lr_drops: {at: [-1]}}\n", "1:25", "not '-1'"},
    {"train: {lr_drops: {at: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}}\n", "1:64", "more than 16 drops"},
    {"train: {lr_drops: {factor: 0.5}}\n", "1:20", "needs train.lr_drops.at"},
    {"train: {warmup: {lr: 0.5}}\n", "1:18", "needs train.warmup.iterations"},
    {"data: {dataset: synthetic, validation: 2048}\n", "1:40", "leaves nothing of 2048"},
    {"data: {dataset: synthetic, train_images: 4000}\n", "1:42", "more than data.synthetic.train 2048"},
    {"data: {dataset: synthetic, test_images: 513}\n", "1:41", "more than data.synthetic.test 512"},
    {"data: {dataset: synthetic, size: 16, synthetic: {size: 8}}\n", "1:34",
     "data.size must be 8 or 4, the size of the synthetic images or half"},
    {"data: {dataset: synthetic, synthetic: {size: 30}}\n", "1:46", "a multiple of 4, not 30"},
    /* the whole file */
    {"name: a b\n", "1:7", "name must be 1 to 64 letters"},
    {"name: ../x\n", "1:7", "name must be"},
    {"name: -x\n", "1:7", "beginning with a letter or digit"},
    {"name: \"\"\n", "1:7", "name must be"},
    {"name: a1234567890123456789012345678901234567890123456789012345678901234\n", "1:7", "1 to 64"},
    {"seeds: []\n", "1:8", "empty"},
    {"seeds: 0\n", "1:8", "a count from 1"},
    {"seeds: many\n", "1:8", "a list of whole numbers, or a count"},
    {"seeds: [1, -2]\n", "1:12", "a whole number from 0"},
    {"seeds: [1, 2, 1]\n", "1:15", "seed 1 is there twice"},
    {"baseline: orignal\nvariants: [{name: original}]\n", "1:11",
     "no variant is named 'orignal' (did you mean 'original'?)"},
    {"include: [a]\n", "1:10", "the path of one file"},
    {"include: nowhere.yaml\n", "1:10", "cannot find the included file"},
    {"include: t.yaml\n", "1:10", "includes itself"},
    {"plugins: my.so\n", "1:10", "plugins must be a list"},
    {"plugins: [nowhere.so]\n", "1:11", "cannot find the plug-in"},
    /* variants */
    {"variants: {name: a}\n", "1:11", "variants must be a list"},
    {"variants: []\n", "1:11", "variants must be a list"},
    {"variants: [a]\n", "1:12", "a variant must be a mapping"},
    {"variants:\n  - set: {model.depth: 20}\n", "2:5", "needs a name"},
    {"variants:\n  - nam: a\n", "2:5", "unknown key 'nam' (did you mean 'name'?)"},
    {"variants:\n  - {name: a}\n  - {name: a}\n", "3:12", "a second variant named 'a'"},
    {"model: {family: imagenet}\n", "1:17",
     "model.family imagenet needs model.depth, 18, 34, 50, 101 or 152, or model.units"},
    {"model: {family: imagenet, depth: 20}\n", "1:34",
     "model.depth must be 18, 34, 50, 101 or 152 in model.family imagenet, not 20"},
    {"model: {family: imagenet, depth: 50, block: basic}\n", "1:45",
     "model.block contradicts model.depth 50, whose blocks are bottleneck"},
    {"model: {family: alexnet}\n", "1:17", "model.family must be one of cifar, imagenet"},
    {"model: {units: 3}\n", "1:16", "model.units must be a list of 1 to 5 numbers"},
    {"model: {units: []}\n", "1:16", "model.units must be a list of 1 to 5 numbers"},
    {"model: {units: [1, 1, 1, 1, 1, 1]}\n", "1:16", "model.units must be a list of 1 to 5 numbers"},
    {"model: {units: [1, 0]}\n", "1:20", "model.units: a stage has from 1 to 1000 units"},
    {"model: {units: [1, x]}\n", "1:20", "model.units: a stage has from 1 to 1000 units"},
    {"model: {units: [1000, 1000, 1000, 1000, 1000], block: bottleneck}\n", "1:16", "model.units make 15002 layers"},
    {"model: {units: [1, 1], depth: 8}\n", "1:31", "model.depth 8 contradicts model.units, which make 6 layers"},
    {"model: {stride_in: 1x1}\n", "1:20", "model.stride_in 1x1 needs bottleneck blocks"},
    {"model: {units: [2, 2], shortcut_at: [2, 4]}\n", "1:37", "must lie in [0, 3]"},
    {"variants:\n  - name: figures\n", "2:11", "taken by the sweep's own files"},
    {"variants:\n  - name: plan.json\n", "2:11", "taken by the sweep's own files"},
    {"variants:\n  - name: a/b\n", "2:11", "a variant's name must be"},
    {"variants:\n  - name: a\n    set: 3\n", "3:10", "set must be a mapping"},
    {"variants:\n  - name: a\n    set: {model.dpeth: 3}\n", "3:11", "unknown key 'dpeth' (did you mean 'depth'?)"},
    {"variants:\n  - name: a\n    set: {seeds: 3}\n", "3:11", "'seeds' belongs to the whole file"},
    {"variants:\n  - name: a\n    set: {report.fail_above: 3}\n", "3:11", "belongs to the whole file"},
    {"variants:\n  - name: a\n    set: {model.depth: 20, model: {depth: 32}}\n", "3:36",
     "'model.depth' is given twice"},
    {"model: {depth: 20}\nvariants:\n  - name: a\n    set: {model.depth.x: 32}\n", "4:26", "not a mapping"},
    {"variants:\n  - name: a\n    set: {model: 3}\n", "3:18", "model must be a mapping"},
    {"variants:\n  - name: a\n    set: {model.shortcut.rate: 0.1}\n", "3:11", "'identity' has no option 'rate'"},
    {"variants:\n  - name: a\n    paper: 6.61\n", "3:12", "paper must be a mapping"},
    {"variants:\n  - name: a\n    paper: {test_error: [1]}\n", "3:25", "paper.test_error must be text"},
    {"variants:\n  - name: a\n    grid: [1]\n", "3:11", "grid must be a mapping"},
    {"variants:\n  - name: a\n    grid: {train.lr: 0.1}\n", "3:22", "train.lr must be a list"},
    {"variants:\n  - name: a\n    grid: {train.lr: []}\n", "3:22", "is empty"},
    {"variants:\n  - name: a\n    grid: {train.lr: [[1]]}\n", "3:23", "single values"},
    {"variants:\n  - name: a\n    grid: {train.lr: [0.1, x]}\n", "3:28", "train.lr must be a number"},
    {"variants:\n  - name: a\n    grid: {train.lrr: [0.1]}\n", "3:12", "unknown key 'lrr' (did you mean 'lr'?)"},
    {"variants:\n  - name: a\n    grid: {train.lr: [1, 1.0]}\n", "2:5", "two runs would share the folder 'a/lr=1'"},
    {"variants:\n  - name: a\n    grid: {train.lr: [1]}\n    zip: {train.lr: [2]}\n", "4:11", "in grid or zip already"},
    {"variants:\n  - name: a\n    zip: {train.lr: [1, 2], train.batch: [1]}\n", "3:42", "equally long"},
    {"variants:\n  - name: a\n    grid: {seeds: [1]}\n", "3:12", "belongs to the whole file"},
    {"variants:\n  - name: a\n    exclude: {train.lr: 1}\n", "3:14", "exclude must be a list"},
    {"variants:\n  - name: a\n    exclude: [{}]\n", "3:15", "mappings of keys"},
    {"variants:\n  - name: a\n    exclude: [{train.lrr: 1}]\n", "3:16", "unknown key 'train.lrr'"},
    {"variants:\n  - name: a\n    exclude: [{train.lr: 0.1}]\n", "1:1", "no runs are left"},
    {"seeds: 1000\ngrid: {train.batch: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]}\n",
     "1:1", "more than 20000 runs"},
};

/* "" or what is wrong with how the file was refused; malloc'd. */
static char *misjudged(const struct bad *b)
{
    struct skl_plan plan;
    struct skl_err err;
    int status = load(b->text, &plan, &err);
    if (status == SKL_OK) {
        skl_plan_release(&plan);
        return skl_strdup("it was accepted");
    }
    char *start = skl_format("%s:%s: ", in_scratch("t.yaml"), b->place);
    bool right = status == SKL_USAGE && err.status == SKL_USAGE && strncmp(err.text, start, strlen(start)) == 0 &&
                 strstr(err.text, b->message) && !strchr(err.text, '\n') && !plan.run;
    char *text = right ? skl_strdup("") : skl_format("status %d: %s", status, err.text);
    free(start);
    return text;
}

static void malformed_files(void **state)
{
    int wrong = 0;
    assert_true(sizeof bad / sizeof *bad >= 60);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = misjudged(&bad[i]);
        if (*text) print_error("%s\nwanted %s: %s\ngot    %s\n\n", bad[i].text, bad[i].place, bad[i].message, text);
        wrong += *text != 0;
        free(text);
    }
    assert_int_equal(wrong, 0);
}

static void absent_file(void **state)
{
    struct skl_plan plan;
    struct skl_err err = {0};
    assert_int_equal(skl_plan_load(in_scratch("none.yaml"), NULL, 0, &plan, &err), SKL_USAGE);
    assert_contains(err.text, "none.yaml");
    assert_int_equal(skl_plan_load(scratch, NULL, 0, &plan, &err), SKL_USAGE);
}

/* ---- values ---- */

static void defaults(void **state)
{
    struct skl_plan plan = must_load("model: {}\n");
    const struct skl_experiment *e = &plan.run[0].exp;
    assert_int_equal(plan.count, 1);
    assert_string_equal(plan.name, "t");
    assert_string_equal(plan.run[0].dir, "identity/seed-1");
    assert_int_equal(e->model.depth, 110);
    assert_int_equal(e->model.width, 16);
    assert_int_equal(e->model.order, SKL_ORIGINAL);
    assert_string_equal(e->model.shortcut->name, "identity");
    assert_true(e->model.shortcut_from == 0 && e->model.shortcut_to == INT_MAX && !e->model.shortcut_same_shape);
    assert_false(e->has_data);
    assert_string_equal(e->data.dataset, "cifar10");
    assert_null(e->data.path);
    assert_true(e->data.augment.pad == 4 && e->data.augment.flip && e->data.shuffle);
    assert_true(e->train.iterations == 64000 && e->train.batch == 128 && e->train.bn_batch == 128);
    assert_true(e->train.lr == 0.1 && e->train.momentum == 0.9 && e->train.weight_decay == 0.0001);
    assert_true(e->train.warmup.iterations == 0 && e->train.lr_drops.count == 0 && e->train.lr_drops.factor == 0.1);
    assert_true(e->give_up.iteration == 0 && e->probe.every == 0 && plan.report.fail_above == 20);
    assert_int_equal(e->seed, 1);
    skl_plan_release(&plan);
}

static void derived_values(void **state)
{
    struct skl_plan plan = must_load("train: {iterations: 300, batch: 32, bn_batch: 64, lr: -0.0,\n"
                                     "        lr_drops: {at: [10, 50%, 75%, 99.9%]}}\n"
                                     "model: {depth: 20, shortcut_at: [3, 5]}\n");
    const struct skl_experiment *e = &plan.run[0].exp;
    assert_int_equal(e->train.bn_batch, 32); /* not below batch: one group */
    assert_int_equal(e->train.lr_drops.count, 4);
    assert_true(e->train.lr_drops.at[1] == 150 && e->train.lr_drops.at[2] == 225 && e->train.lr_drops.at[3] == 300);
    assert_true(e->model.shortcut_from == 3 && e->model.shortcut_to == 5);
    skl_plan_release(&plan);
    plan = must_load("model: {shortcut_at: same_shape}\ntrain: {lr_drops: {at: 50%}}\n");
    assert_true(plan.run[0].exp.model.shortcut_same_shape);
    assert_int_equal(plan.run[0].exp.train.lr_drops.at[0], 32000);
    skl_plan_release(&plan);
}

static void sizes(void **state)
{
    static const struct {
        const char *data;
        int size;
    } cases[] = {
        {"dataset: cifar10", 32},
        {"dataset: mnist, size: 32", 32},
        {"dataset: mnist, size: 16", 16},
        {"dataset: synthetic", 0},
        {"dataset: synthetic, size: 32", 0},
        {"dataset: synthetic, size: 16", 16},
        {"dataset: synthetic, synthetic: {size: 8}", 0},
        {"dataset: synthetic, size: 4, synthetic: {size: 8}", 4},
        {"dataset: synthetic, size: 16, synthetic: {size: 16}", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = skl_format("data: {%s}\n", cases[i].data);
        struct skl_plan plan = must_load(text);
        assert_int_equal(plan.run[0].exp.data.size, cases[i].size);
        assert_true(plan.run[0].exp.has_data);
        skl_plan_release(&plan);
        free(text);
    }
}

/* The gate's options struct is private to its file: read it back through the rows. */
static double option(const struct skl_experiment *e, const char *name)
{
    for (const struct skl_param *p = e->model.shortcut->params; p->name; p++) {
        if (strcmp(p->name, name) != 0) continue;
        const void *field = e->model.shortcut_opts + p->offset;
        return p->type == SKL_BOOL   ? *(const bool *)field
               : p->type == SKL_REAL ? *(const double *)field
                                     : *(const int *)field;
    }
    fail_msg("no option %s", name);
    return 0;
}

static void shortcut_options(void **state)
{
    struct skl_plan plan = must_load("model: {shortcut: {type: exclusive_gating, gate_init: zero, gate_bn: true}}\n");
    const struct skl_experiment *e = &plan.run[0].exp;
    assert_true(option(e, "gate_bias") == -6 && option(e, "gate_init") == 1);
    assert_true(option(e, "gate_bn") == 1 && option(e, "bias_decay") == 0);
    skl_plan_release(&plan);
}

/* ---- stages ---- */

static void stages_are(const char *text, int depth, int block, int width, const char *units)
{
    struct skl_plan plan = must_load(text);
    const struct skl_model_config *m = &plan.run[0].exp.model;
    int unit[SKL_MAX_STAGES], n = skl_model_stages(m, unit);
    char *said = skl_strdup("");
    for (int i = 0; i < n; i++) {
        char *longer = skl_format("%s%s%d", said, i ? " " : "", unit[i]);
        free(said);
        said = longer;
    }
    if (m->depth != depth || m->block != block || m->width != width || strcmp(said, units))
        fail_msg("%s is depth %d, block %d, width %d, units %s", text, m->depth, m->block, m->width, said);
    free(said);
    skl_plan_release(&plan);
}

static void stages(void **state)
{
    stages_are("model: {depth: 20}\n", 20, SKL_BASIC, 16, "3 3 3");
    stages_are("model: {family: cifar, units: [1, 2]}\n", 8, SKL_BASIC, 16, "1 2");
    stages_are("model: {family: imagenet, depth: 18}\n", 18, SKL_BASIC, 64, "2 2 2 2");
    stages_are("model: {family: imagenet, depth: 34, block: basic}\n", 34, SKL_BASIC, 64, "3 4 6 3");
    stages_are("model: {family: imagenet, depth: 50, width: 8}\n", 50, SKL_BOTTLENECK, 8, "3 4 6 3");
    stages_are("model: {family: imagenet, depth: 101}\n", 101, SKL_BOTTLENECK, 64, "3 4 23 3");
    stages_are("model: {family: imagenet, depth: 152}\n", 152, SKL_BOTTLENECK, 64, "3 8 36 3");
    stages_are("model: {family: imagenet, units: [3, 4, 6, 3]}\n", 34, SKL_BASIC, 64, "3 4 6 3");
    stages_are("model: {family: imagenet, units: [1], block: bottleneck, depth: 5}\n", 5, SKL_BOTTLENECK, 64, "1");
}

/* One net, one hash; and what a run writes of itself is read back as the same net. */
static void one_net_one_hash(void **state)
{
    static const char *const pairs[][2] = {
        {"model: {depth: 20}\n", "model: {family: cifar, units: [3, 3, 3], stride_in: 3x3}\n"},
        {"model: {family: imagenet, depth: 50}\n",
         "model: {family: imagenet, block: bottleneck, units: [3, 4, 6, 3]}\n"},
        {"model: {family: imagenet, units: [1, 2, 3, 4, 5]}\n",
         "model: {depth: 32, width: 64, family: imagenet, units: [1, 2, 3, 4, 5]}\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct skl_plan a = must_load(pairs[i][0]), b = must_load(pairs[i][1]);
        assert_string_equal(a.run[0].exp.hash, b.run[0].exp.hash);
        char *text = skl_plan_emit(&a, &a.run[0]);
        struct skl_plan again = must_load(text);
        assert_string_equal(again.run[0].exp.hash, a.run[0].exp.hash);
        free(text);
        skl_plan_release(&a), skl_plan_release(&b), skl_plan_release(&again);
    }
    struct skl_plan a = must_load("model: {depth: 29, block: bottleneck}\n"),
                    b = must_load("model: {depth: 29, block: bottleneck, stride_in: 1x1}\n");
    assert_string_not_equal(a.run[0].exp.hash, b.run[0].exp.hash);
    skl_plan_release(&a), skl_plan_release(&b);
}

/* ---- hash ---- */

static const char small[] = "model: {depth: 20, shortcut: {type: exclusive_gating, gate_bias: -6.5}}\n"
                            "data: {dataset: fashion-mnist, size: 16}\n"
                            "train: {iterations: 300, batch: 64, lr: 0.1, lr_drops: {at: [50%]}}\n"
                            "seeds: [7]\n";

/* A changed hash means that no finished run is found again: change it on purpose only. */
static void golden_hash(void **state)
{
    struct skl_plan plan = must_load(small);
    const struct skl_experiment *e = &plan.run[0].exp;
    char *text = skl_experiment_canonical(e), hex[65];
    assert_contains(text, "seed=7\nmodel.depth=20\n");
    assert_contains(text, "\nmodel.shortcut={type: exclusive_gating, gate_bias: -6.5, gate_init: he, gate_bn: false, "
                          "bias_decay: false}\n");
    assert_contains(text, "\ntrain.lr=0.10000000000000001\n");
    assert_contains(text, "\ntrain.lr_drops.at=[150]\n");
    skl_sha256_hex(text, strlen(text), hex);
    assert_string_equal(hex, e->hash);
    if (strcmp(e->hash, "4882062c060d599d5a50f04f35f16035291a5a051d2e8520e5bd84298e5bab1a") != 0)
        fail_msg("hash %s of\n%s", e->hash, text);
    free(text);
    skl_plan_release(&plan);
}

static void same_hash(const char *more, bool same)
{
    struct skl_plan a = must_load(small);
    char *path = skl_strdup(in_scratch("t.yaml")), *list[] = {(char *)more};
    struct skl_plan b;
    struct skl_err err = {0};
    if (skl_plan_load(path, list, 1, &b, &err)) fail_msg("%s", err.text);
    if ((strcmp(a.run[0].exp.hash, b.run[0].exp.hash) == 0) != same) fail_msg("%s", more);
    skl_plan_release(&a);
    skl_plan_release(&b);
    free(path);
}

static void what_the_hash_covers(void **state)
{
    static const char *const no[] = {"name=other",
                                     "label=x",
                                     "paper.test_error=5",
                                     "probe.every=10",
                                     "data.path=/x",
                                     "train.checkpoint_every=7",
                                     "report.fail_above=30",
                                     "train.bn_batch=64",
                                     "train.lr=1e-1",
                                     "train.lr_drops.at=[150]",
                                     "data.augment.cutout=0",
                                     "data.augment.mixup=0",
                                     "train.schedule=step",
                                     "train.warmup.shape=flat",
                                     "train.nesterov=false",
                                     "train.label_smoothing=0",
                                     "variants=[{name: x}]"};
    static const char *const yes[] = {"seeds=[8]",
                                      "train.log_every=7",
                                      "train.test_every=7",
                                      "train.lr=0.1000000001",
                                      "model.shortcut.gate_bias=-6",
                                      "give_up.iteration=5",
                                      "data.test_images=10",
                                      "train.conv=gemm",
                                      "model.width=8",
                                      "data.size=32",
                                      "data.augment.cutout=4",
                                      "data.augment.mixup=0.2",
                                      "train={lr_drops: {at: []}, schedule: constant}",
                                      "train.warmup={iterations: 5, shape: linear}",
                                      "train.nesterov=true",
                                      "train.label_smoothing=0.1",
                                      "train.lr_drops.factor=0.2"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) same_hash(no[i], true);
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) same_hash(yes[i], false);
}

/* ---- the table ---- */

static void table_is_sound(void **state)
{
    struct skl_experiment e;
    skl_experiment_defaults(&e);
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *k = skl_key_get(i);
        assert_ptr_equal(skl_key_find(k->path), k); /* no path twice */
        assert_true(k->help && *k->help);
        bool number = k->kind == SKL_KEY_INT || k->kind == SKL_KEY_INT64 || k->kind == SKL_KEY_REAL;
        if (number && !k->def_text && !(k->min <= k->def && k->def <= k->max)) fail_msg("%s: default", k->path);
        if (k->kind == SKL_KEY_INT) assert_true(k->max <= INT_MAX);
        if (k->kind == SKL_KEY_CHOICE) assert_true(k->choices && k->choices[(int)k->def]);
        if (k->kind == SKL_KEY_FORM) assert_true(k->form && *k->form);
        if (k->flags & SKL_KEY_HASHED) assert_false(k->flags & SKL_KEY_PLAN);
        if (k->kind == SKL_KEY_FORM && k->flags & SKL_KEY_HASHED)
            assert_true(k->write && (k->read || !strcmp(k->path, "model.units")));
        if (skl_key_is_section(k->path)) fail_msg("%s is a key and a section", k->path);
    }
    skl_experiment_release(&e);
}

/* docs/experiment-file.md has the row of every key, as the table says it. */
static void documentation(void **state)
{
    char *page;
    size_t n;
    struct skl_err err;
    assert_int_equal(skl_file_read(SOURCE_ROOT "/docs/experiment-file.md", 1 << 20, &page, &n, &err), SKL_OK);
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *k = skl_key_get(i);
        char *def = skl_key_default(k), *range = skl_key_range(k);
        char *row = skl_format("| `%s` | %s | %s | %s |\n", k->path, def ? def : "", range, k->help);
        if (!strstr(page, row)) fail_msg("docs/experiment-file.md needs this row:\n%s", row);
        free(row);
        free(range);
        free(def);
    }
    free(page);
}

/* Every example in the page loads, but those that name other files. */
static void documented_examples(void **state)
{
    char *page;
    size_t n;
    struct skl_err err;
    int examples = 0;
    assert_int_equal(skl_file_read(SOURCE_ROOT "/docs/experiment-file.md", 1 << 20, &page, &n, &err), SKL_OK);
    for (char *p = page; (p = strstr(p, "```yaml\n")); examples++) {
        p += strlen("```yaml\n");
        char *end = strstr(p, "```");
        assert_non_null(end);
        *end = 0;
        if (!strstr(p, "include:") && !strstr(p, "plugins:")) {
            struct skl_plan plan = must_load(p);
            skl_plan_release(&plan);
        }
        p = end + 1;
    }
    assert_true(examples >= 10);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_files),
        cmocka_unit_test(absent_file),
        cmocka_unit_test(defaults),
        cmocka_unit_test(derived_values),
        cmocka_unit_test(sizes),
        cmocka_unit_test(shortcut_options),
        cmocka_unit_test(stages),
        cmocka_unit_test(one_net_one_hash),
        cmocka_unit_test(golden_hash),
        cmocka_unit_test(what_the_hash_covers),
        cmocka_unit_test(table_is_sound),
        cmocka_unit_test(documentation),
        cmocka_unit_test(documented_examples),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
