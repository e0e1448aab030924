#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/config/forms.h"
#include "core/config/keys.h"
#include "core/config/model.h"
#include "core/config/paths.h"
#include "core/config/pictures.h"
#include "core/config/plan.h"
#include "core/config/registry.h"
#include "core/config/tree.h"

static const char *const families[] = {"cifar", "imagenet", NULL};
static const char *const strides[] = {"3x3", "1x1", NULL};
static const char *const blocks[] = {"basic", "bottleneck", NULL};
static const char *const orders[] = {"original",         "bn_after_add", "relu_before_add",
                                     "relu_only_preact", "full_preact",  NULL};
static const char *const projections[] = {"A", "B", NULL};
static const char *const datasets[] = {"cifar10", "cifar100", "fashion-mnist", "mnist", "folder", "synthetic", NULL};
static const char *const normalizations[] = {"pixel_mean", "channel", "none", NULL};
static const char *const schedules[] = {"step", "cosine", "linear", "one_cycle", "constant", NULL};
static const char *const warmup_shapes[] = {"flat", "linear", NULL};
static const char *const halved_by[] = {"validation", "train", NULL};
static const char *const colours[] = {"none", "pca", NULL};
static const char *const momentum_forms[] = {"torch", "caffe", NULL};
static const char *const decays[] = {"all", "weights", NULL};
static const char *const inits[] = {"he_fan_in", "he_fan_out", NULL};
static const char *const fc_inits[] = {"uniform", "he", "normal_0.01", NULL};
static const char *const convs[] = {"auto", "winograd4", "winograd2", "direct", "gemm", NULL};

/* The path is the field: struct members are named as the YAML keys. */
#define KIND(base, field) \
    _Generic(((base *)0)->field, bool: SKL_KEY_BOOL, int: SKL_KEY_INT, int64_t: SKL_KEY_INT64,         \
             double: SKL_KEY_REAL, char *: SKL_KEY_TEXT)
#define KEY(field, flags_, def_, min_, max_, help_) \
    { \
        .path = #field, .help = help_, .kind = KIND(struct skl_experiment, field), .flags = flags_, \
        .offset = offsetof(struct skl_experiment, field), .def = def_, .min = min_, .max = max_ \
    }
#define CHOICE(field, def_, choices_, help_) CHOICE_OF(field, SKL_KEY_HASHED, def_, choices_, help_)
#define CHOICE_OF(field, flags_, def_, choices_, help_) \
    { \
        .path = #field, .help = help_, .kind = SKL_KEY_CHOICE, .flags = flags_, \
        .offset = offsetof(struct skl_experiment, field), .def = def_, .choices = choices_ \
    }
#define TEXT(field, flags_, def_, choices_, help_) \
    { \
        .path = #field, .help = help_, .kind = KIND(struct skl_experiment, field), .flags = flags_, \
        .offset = offsetof(struct skl_experiment, field), .def_text = def_, .choices = choices_ \
    }
#define FORM(path_, flags_, def_, form_, read_, write_, help_) \
    { \
        .path = path_, .help = help_, .kind = SKL_KEY_FORM, .flags = flags_, .def_text = def_, .form = form_, \
        .read = read_, .write = write_ \
    }
#define PLAN_REAL(field, def_, min_, max_, help_) \
    { \
        .path = #field, .help = help_, .kind = KIND(struct skl_plan, field), .flags = SKL_KEY_PLAN, \
        .offset = offsetof(struct skl_plan, field), .def = def_, .min = min_, .max = max_ \
    }
#define FIGURE(field, choices_, form_, takes_, help_) \
    { \
        .path = "figure." #field, .help = help_, .kind = SKL_KEY_TEXT, .flags = SKL_KEY_PLAN | SKL_KEY_SHOWN, \
        .offset = offsetof(struct skl_plan, figure.field), .choices = choices_, .form = form_, .takes = takes_ \
    }
#define WHOLE_FILE(path_, def_, form_, help_) FORM(path_, SKL_KEY_PLAN, def_, form_, NULL, NULL, help_)
#define OF_VARIANT(path_, def_, form_, help_) \
    FORM("variants." path_, SKL_KEY_PLAN | SKL_KEY_VARIANT, def_, form_, NULL, NULL, help_)

static bool takes_iterations(const char *text) { return skl_figure_iterations(text, &(double){0}, &(double){0}); }
static bool takes_values(const char *text) { return skl_figure_values(text, &(double){0}, &(double){0}); }
static bool takes_font(const char *text) { return skl_figure_font(text, (char[SKL_FONT_NAME_MAX]){0}, &(double){0}); }

#define H SKL_KEY_HASHED
#define LATER (SKL_KEY_HASHED | SKL_KEY_LATER)
#define BILLION 1e9
#define MANY_IMAGES 1e7

static const struct skl_key keys[] = {
    WHOLE_FILE("name", "the file's stem", "a name of letters, digits, '.', '_', '-', at most 64 long",
               "folder of the sweep below results/"),
    WHOLE_FILE("label", NULL, "text", "title in figures and reports"),
    WHOLE_FILE("notes", NULL, "text", "what the study is for: stands in reports and in skiplab list"),
    WHOLE_FILE("include", NULL, "a path, relative to this file", "an experiment file this one is laid over"),
    WHOLE_FILE("plugins", NULL, "a list of paths, relative to this file", "shortcut plug-ins to load"),

    CHOICE_OF(
        model.family, LATER, SKL_CIFAR, families,
        "cifar: 3x3 stem, three stages; imagenet: 7x7 stem of stride 2, 3x3 max pooling of stride 2, four stages"),
    KEY(model.depth, H, 110, 4, 10000,
        "weighted layers: 6n+2 with basic blocks, 9n+2 with bottlenecks; imagenet: 18, 34, 50, 101, 152"),
    FORM("model.units", LATER, "as the depth says", "a list of 1 to 5 numbers", NULL, skl_write_units,
         "the units of each stage, instead of a depth"),
    KEY(model.width, H, 16, 1, 1024,
        "channels of the first stage (a bottleneck's inner ones), imagenet: 64 if not given; each next one has 2x"),
    CHOICE(model.block, SKL_BASIC, blocks,
           "two 3x3 convolutions, or 1x1, 3x3, 1x1 to 4x the width; imagenet: from 50 layers on bottleneck by itself"),
    CHOICE_OF(model.stride_in, LATER, SKL_STRIDE_IN_3X3, strides,
              "the convolution in which a bottleneck halves the size; the first paper's: 1x1"),
    CHOICE(model.order, SKL_ORIGINAL, orders, "where activations and batch norms stand in a unit"),
    CHOICE(model.projection, SKL_PROJECTION_A, projections,
           "x where a unit changes the shape: A every second pixel and zero channels, B strided 1x1 convolution"),
    FORM("model.shortcut", H, "{type: identity}", "a mapping of type: and the type's options", skl_read_shortcut,
         skl_write_shortcut, "what stands on the shortcut path, and its options"),
    FORM("model.shortcut_at", H, "all", "all, same_shape, or [from, to] (units from 0, both included)",
         skl_read_shortcut_at, skl_write_shortcut_at, "the units the shortcut stands in; the others have identity"),

    TEXT(data.dataset, H, "cifar10", datasets, "the images"),
    TEXT(data.path, SKL_KEY_PATH, NULL, NULL,
         "folder of the data set's files, relative to the experiment file; absent: the usual places"),
    FORM("data.size", H, "the set's own (32)",
         "32 or 16; of a synthetic set its own size or half of it; of a folder 16 to 1024, 224", skl_read_size,
         skl_write_size, "side of the images; 16: means of 2x2 pixels after padding and cropping"),
    KEY(data.classes, LATER, 0, 0, 32767, "dataset folder: how many there must be; 0: as many as there are"),
    KEY(data.train_images, H, 0, 0, MANY_IMAGES, "the first N training images only; 0: all"),
    KEY(data.test_images, H, 0, 0, MANY_IMAGES, "the first N test images only; 0: all"),
    KEY(data.synthetic.train, H, 2048, 1, 1e6, "dataset synthetic: training images"),
    KEY(data.synthetic.test, H, 512, 1, 1e6, "dataset synthetic: test images"),
    KEY(data.synthetic.size, H, 32, 4, 256, "dataset synthetic: side of the images, a multiple of 4"),
    KEY(data.synthetic.channels, H, 3, 1, 3, "dataset synthetic: channels"),
    KEY(data.synthetic.classes, H, 10, 2, 1000, "dataset synthetic: classes"),
    KEY(data.test_resize, LATER, 0, 0, 4096,
        "dataset folder: shorter side a test picture is resized to before it is cropped; 0: 8/7 of size"),
    FORM("data.test_crops", LATER, "1", "1 or 10", skl_read_test_crops, skl_write_test_crops,
         "dataset folder: the centre alone; or centre and corners and their mirror images, chances averaged"),
    KEY(data.validation, H, 0, 0, MANY_IMAGES, "the last N training images are held out, results in validation.csv"),
    CHOICE(data.normalize, SKL_NORM_PIXEL_MEAN, normalizations,
           "subtract the mean image; or mean and deviation of each channel; or nothing"),
    KEY(data.augment.pad, H, 4, 0, 16, "random crops of the image padded by so many pixels; 0: none"),
    KEY(data.augment.flip, H, true, 0, 1, "random horizontal flips"),
    KEY(data.augment.cutout, LATER, 0, 0, 256, "a square of so many pixels, anywhere, is set to 0; 0: none"),
    KEY(data.augment.mixup, LATER, 0, 0, 4, "images mixed in pairs by a share of Beta(mixup, mixup); 0: none"),
    FORM("data.augment.resize", LATER, "[8/7, 15/7] of size", "a list of two whole numbers, size to 4096, ascending",
         skl_read_resize, skl_write_resize, "dataset folder: shorter side before cropping, a whole number between"),
    FORM("data.augment.crop", LATER, "data.size", "data.size", skl_read_crop, skl_write_crop,
         "dataset folder: side of the crop, as the papers write it"),
    FORM("data.augment.area", LATER, NULL, "a list of two numbers above 0, at most 1, ascending", skl_read_area,
         skl_write_area, "dataset folder, instead of resize: part of the picture that is cropped"),
    FORM("data.augment.aspect", LATER, "[0.75, 1.3333]", "a list of two numbers from 0.1 to 10, ascending",
         skl_read_aspect, skl_write_aspect, "with area: width over height of that part"),
    CHOICE_OF(data.augment.colour, LATER, SKL_COLOUR_NONE, colours,
              "dataset folder: colours moved along ImageNet's principal components"),
    KEY(data.shuffle, H, true, 0, 1, "a new order each epoch"),

    KEY(train.iterations, H, 64000, 1, BILLION, "mini-batches"),
    KEY(train.batch, H, 128, 1, 65536, "images a mini-batch"),
    {.path = "train.bn_batch",
     .kind = SKL_KEY_INT,
     .flags = H,
     .offset = offsetof(struct skl_experiment, train.bn_batch),
     .def = 0,
     .min = 1,
     .max = 1e6,
     .def_text = "train.batch",
     .help = "images one batch-norm statistic is over; divides batch, or is not below it"},
    KEY(train.lr, H, 0.1, 0, 1000, "learning rate"),
    CHOICE_OF(train.schedule, LATER, SKL_STEP, schedules,
              "the rate after the warm-up: lr and its drops; half a cosine or a line down to 0; up and down; lr"),
    KEY(train.warmup.lr, H, 0.01, 0, 1000, "learning rate of the first iterations (one_cycle: default lr / 25)"),
    KEY(train.warmup.iterations, H, 0, 0, BILLION,
        "how many they are; 0: no warm-up (one_cycle: default 30% of iterations)"),
    CHOICE_OF(train.warmup.shape, LATER, SKL_WARMUP_FLAT, warmup_shapes,
              "the warm-up: warmup.lr throughout, or a line from there to lr"),
    FORM("train.lr_drops.at", H, "[]", "a list of iterations or percents like 50%, ascending, at most 16",
         skl_read_drops, skl_write_drops, "iterations from which the learning rate is multiplied by factor"),
    KEY(train.lr_drops.factor, H, 0.1, 0, 1, "the factor of one drop"),
    KEY(train.momentum, H, 0.9, 0, 1, "momentum"),
    CHOICE(train.momentum_form, SKL_MOMENTUM_TORCH, momentum_forms,
           "torch: v = m v + g, w -= lr v; caffe: v = m v + lr g, w -= v"),
    KEY(train.nesterov, LATER, false, 0, 1, "Nesterov's momentum: w takes m v + g (caffe: m v + lr g) in place of v"),
    KEY(train.label_smoothing, LATER, 0, 0, 0.99, "share of the target that all classes get alike, as in PyTorch"),
    KEY(train.weight_decay, H, 0.0001, 0, 10, "added to the gradient: weight_decay * w"),
    CHOICE(train.weight_decay_on, SKL_DECAY_ALL, decays, "every parameter, or weights only (no batch norm, no biases)"),
    CHOICE(train.init, SKL_HE_FAN_IN, inits, "He normal initial weights over fan-in or fan-out"),
    CHOICE(train.fc_init, SKL_FC_UNIFORM, fc_inits, "last layer: uniform 1/sqrt(fan-in), He normal, or normal 0.01"),
    TEXT(
        train.init_from, LATER | SKL_KEY_PATH, NULL, NULL,
        "safetensors file whose weights the run begins with, relative to the experiment file; FILE:partial: what fits"),
    CHOICE(train.conv, 0, convs, "convolution algorithm"),
    KEY(train.log_every, H, 100, 1, BILLION, "iterations a row of train.csv"),
    KEY(train.test_every, H, 1000, 1, BILLION, "iterations between evaluations: rows of test.csv"),
    KEY(train.checkpoint_every, 0, 1000, 1, BILLION, "iterations between checkpoints"),
    KEY(train.keep_every, 0, 0, 0, BILLION, "iterations between checkpoints that stay, kept-N.safetensors; 0: none"),

    KEY(give_up.iteration, H, 0, 0, BILLION, "at this iteration a hopeless run stops; 0: never"),
    KEY(give_up.train_error_above, H, 80, 0, 100, "hopeless: training error above this, in %"),
    KEY(give_up.halving.every, LATER, 0, 0, BILLION,
        "at each multiple of so many iterations the worse settings of the sweep stop; 0: never"),
    KEY(give_up.halving.keep, LATER, 0.5, 0, 1, "the part of the settings that goes on, rounded up; at least one does"),
    CHOICE_OF(
        give_up.halving.by, LATER, SKL_BY_VALIDATION, halved_by,
        "which error the settings are ranked by: of the held out images, or of the mini-batches since the last row"),
    KEY(probe.every, 0, 0, 0, BILLION, "iterations between rows of probe.csv, sums.csv, responses.csv; 0: no probe"),

    PLAN_REAL(report.fail_above, 20, 0, 100, "CIFAR-10: test error in % above which the report says \"fail\""),
    PLAN_REAL(report.fail_times_baseline, 3, 0, 1000,
              "other data: \"fail\" above so many times the baseline's error; 0: fail_above holds there too"),

    FIGURE(metric, skl_figure_metrics, NULL, NULL,
           "drawn against the training loss, where it is not the test error; train_loss: that alone"),
    FIGURE(width, skl_figure_widths, NULL, NULL,
           "the place the figures are for: a column, two of them, a slide; absent: as wide as they need"),
    FIGURE(legend, skl_figure_legends, NULL, NULL,
           "where the names stand: below the picture (above a panel), in a corner of it, nowhere"),
    FIGURE(font, NULL, "NAME, NAME,POINTS or ,POINTS: letters, digits, blanks, + - .; 5 to 24 points", takes_font,
           "letters of the figures; absent: Helvetica, the size as the width wants it"),
    FIGURE(xlim, NULL, "two iterations A:B with A < B, such as 30000:64000 or :5000", takes_iterations,
           "the iterations to show"),
    FIGURE(ylim, NULL, "two values A:B with A < B, such as 5:15 or :20", takes_values,
           "the values of the metric to show, on a linear axis"),

    WHOLE_FILE("baseline", NULL, "a variant's name", "the variant the others are compared with"),
    WHOLE_FILE("seeds", "[1]", "a list of whole numbers, or a count N for 1 to N", "each setting runs once a seed"),
    WHOLE_FILE("order", "seeds", "seeds or variants",
               "seeds: every setting with the first seed, then the next; variants: every seed of the first setting"),
    WHOLE_FILE("sample", NULL, "a whole number, or {settings: N, seed: N}",
               "so many settings of a variant's grid and zip, drawn by seed (default 1), the same for everyone"),
    WHOLE_FILE("variants", "one, named after the shortcut", "a list of mappings", "the settings to compare"),
    OF_VARIANT("name", NULL, "a name like the sweep's", "folder of the variant's runs"),
    OF_VARIANT("label", NULL, "text", "what the variant is called in figures and tables"),
    OF_VARIANT("set", NULL, "a mapping of dotted keys to values", "settings of this variant"),
    OF_VARIANT("grid", NULL, "a mapping of dotted keys to lists of scalars", "every combination of the values"),
    OF_VARIANT("zip", NULL, "a mapping of dotted keys to lists of scalars, all of one length",
               "the lists side by side: first with first, second with second"),
    OF_VARIANT("exclude", NULL, "a list of mappings of dotted keys to values",
               "combinations that match all keys of one mapping are left out"),
    OF_VARIANT("paper", NULL, "a mapping of words to text", "published figures: test_error is set beside ours"),
    WHOLE_FILE("grid", NULL, "as in a variant", "a grid over all variants"),
    WHOLE_FILE("zip", NULL, "as in a variant", "lists side by side, for all variants"),
    WHOLE_FILE("exclude", NULL, "as in a variant", "combinations no variant runs"),
    FORM("paper", 0, NULL, "a mapping of words to text", skl_read_paper, NULL,
         "published figures, where there is no list of variants"),
};

int skl_key_count(void) { return (int)(sizeof keys / sizeof *keys); }
const struct skl_key *skl_key_get(int i) { return &keys[i]; }

const struct skl_key *skl_key_find(const char *path)
{
    for (int i = 0; i < skl_key_count(); i++)
        if (strcmp(keys[i].path, path) == 0) return &keys[i];
    return NULL;
}

bool skl_key_is_section(const char *path)
{
    size_t n = strlen(path);
    for (int i = 0; i < skl_key_count(); i++)
        if (strncmp(keys[i].path, path, n) == 0 && keys[i].path[n] == '.' && !(keys[i].flags & SKL_KEY_VARIANT))
            return true;
    return false;
}

/* ---- unknown keys ---- */

/* The keys that may stand in the section, NULL-terminated, malloc'd texts. */
static char **names_in(const char *prefix)
{
    char **names = skl_alloc_array((size_t)skl_key_count() + 1, sizeof *names);
    size_t n = strlen(prefix);
    int count = 0;
    for (int i = 0; i < skl_key_count(); i++) {
        const char *p = keys[i].path;
        if (n && (strncmp(p, prefix, n) != 0 || p[n] != '.')) continue;
        if (n) p += n + 1;
        char *name = skl_format("%.*s", (int)strcspn(p, "."), p);
        if (count && strcmp(names[count - 1], name) == 0)
            free(name);
        else
            names[count++] = name;
    }
    return names;
}

/* A key of that name in another section, or an option of a shortcut: "model.depth" for "depth". */
static const char *elsewhere(const char *name)
{
    static char option[128];
    for (int i = 0; i < skl_key_count(); i++) {
        const char *last = strrchr(keys[i].path, '.');
        if (last && strcmp(last + 1, name) == 0) return keys[i].path;
    }
    const char **options = skl_registry_options(), *found = NULL;
    for (int i = 0; options[i] && !found; i++)
        if (strcmp(options[i], name) == 0) found = options[i];
    free(options);
    snprintf(option, sizeof option, "model.shortcut.%.100s", found ? found : "");
    if (found) return option;
    return NULL;
}

int skl_key_unknown(const struct skl_ynode *node, const char *prefix, struct skl_err *err)
{
    char **names = names_in(prefix);
    const char *hint = skl_nearest(node->key, (const char *const *)names);
    if (!hint) hint = elsewhere(node->key);
    if (hint) {
        skl_tree_fail(node, false, err, "unknown key '%.80s' (did you mean '%s'?)", node->key, hint);
    } else {
        char *all = skl_join_words((const char *const *)names);
        skl_tree_fail(node, false, err, "unknown key '%.80s'; %s%s has: %s", node->key, *prefix ? "" : "the file",
                      prefix, all);
        free(all);
    }
    for (char **n = names; *n; n++) free(*n);
    free(names);
    return SKL_USAGE;
}

int skl_path_unknown(const struct skl_ynode *node, const char *path, struct skl_err *err)
{
    const char **names = skl_alloc_array((size_t)skl_key_count() + 1, sizeof *names);
    for (int i = 0; i < skl_key_count(); i++) names[i] = keys[i].path;
    const char *hint = skl_nearest(path, names);
    if (!hint) hint = elsewhere(path);
    free(names);
    return skl_tree_fail(node, false, err, "unknown key '%.80s'%s%s%s", path, hint ? " (did you mean '" : "",
                         hint ? hint : "", hint ? "'?)" : "");
}
