/* cmd_summary.c - skiplab summary: what a net consists of and costs; opens no data. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/base/say.h"
#include "core/cli/choose.h"
#include "core/cli/cmd.h"
#include "core/cli/complexity.h"
#include "core/config/model.h"
#include "core/config/plan.h"
#include "core/data/dataset.h"
#include "core/device/choose/devices.h"
#include "core/io/json.h"
#include "core/train/session.h"

static bool json, complexity;

static const struct skl_option options[] = {SKL_RUN_OPTIONS,
                                            SKL_PLUGIN_OPTION,
                                            SKL_DEVICE_OPTION,
                                            {"complexity", SKL_OPT_FLAG, NULL,
                                             "instead of a config: the first paper's nets for ImageNet, and VGG",
                                             &complexity, 0, 0},
                                            {"json", SKL_OPT_FLAG, NULL, "print JSON", &json, 0, 0},
                                            {NULL}};

static int describe(const struct skl_experiment *exp, struct skl_net_options *o, struct skl_net_info *info,
                    struct skl_err *err)
{
    int size, channels, classes, group;
    skl_model_usual_images(&exp->model, &size, &channels, &classes);
    int status = exp->has_data ? skl_dataset_shape(&exp->data, &size, &channels, &classes, err) : SKL_OK;
    if (!status) status = skl_group_size(exp->train.batch, exp->train.bn_batch, &group, err);
    if (status) return status;
    *o = skl_net_options_for(exp, size, channels, classes);
    return skl_net_describe(&exp->model, o, info, err);
}

static bool alike(const struct skl_unit_info *a, const struct skl_unit_info *b)
{
    return a->h == b->h && a->w == b->w && a->c == b->c && a->parameters == b->parameters &&
           a->multiply_adds == b->multiply_adds && a->shortcut_parameters == b->shortcut_parameters &&
           a->shortcut_multiply_adds == b->shortcut_multiply_adds;
}

/* 1.94: what the unit takes of what its branch alone would. */
static double times(int64_t all, int64_t shortcut) { return (double)all / (double)(all - shortcut); }

/* Units alike in one row: "layer1.1-17". */
static void print_units(const struct skl_net_info *info)
{
    skl_print("%-14s %14s %12s %14s %12s %14s\n", "unit", "output", "parameters", "multiply-adds",
              "on shortcut:", "multiply-adds");
    for (int i = 0, last; i < info->units; i = last + 1) {
        const struct skl_unit_info *u = &info->unit[i];
        for (last = i; last + 1 < info->units && alike(u, u + last + 1 - i);) last++;
        char name[64], shape[40];
        snprintf(name, sizeof name, last > i ? "%s-%s" : "%s", u->name, strrchr(info->unit[last].name, '.') + 1);
        snprintf(shape, sizeof shape, "%d x %d x %d", u->h, u->w, u->c);
        skl_print("%-14s %14s %12lld %14lld %12lld %14lld  x %.2f\n", name, shape, (long long)u->parameters,
                  (long long)u->multiply_adds, (long long)u->shortcut_parameters, (long long)u->shortcut_multiply_adds,
                  times(u->multiply_adds, u->shortcut_multiply_adds));
    }
}

static void shortcut_totals(const struct skl_net_info *info, int64_t *parameters, int64_t *multiply_adds)
{
    *parameters = *multiply_adds = 0;
    for (int i = 0; i < info->units; i++) {
        *parameters += info->unit[i].shortcut_parameters;
        *multiply_adds += info->unit[i].shortcut_multiply_adds;
    }
}

static void print_text(const struct skl_experiment *exp, const struct skl_net_options *o,
                       const struct skl_net_info *info)
{
    int64_t parameters, multiply_adds;
    shortcut_totals(info, &parameters, &multiply_adds);
    skl_print("variant        %s (%s)\n", exp->variant, exp->model.shortcut->name);
    skl_print("images         %d x %d, %d channels, %d classes\n", o->size, o->size, o->channels, o->classes);
    skl_print("mini-batch     %d, batch norm over %d\n\n", o->batch, o->group);
    print_units(info);
    skl_print("\nunits          %d\nparameters     %lld, %lld of them on shortcuts\n", info->units,
              (long long)info->parameters, (long long)parameters);
    skl_print(
        "multiply-adds  %lld an image, %lld of them on shortcuts: x %.2f\nmemory         %.1f MiB while training\n",
        (long long)info->multiply_adds, (long long)multiply_adds, times(info->multiply_adds, multiply_adds),
        (double)info->bytes / (1 << 20));
    if (info->memory)
        skl_print("device         %s has %.1f MiB: %s\n", skl_device_used(), (double)info->memory / (1 << 20),
                  info->bytes <= info->memory ? "it fits" : "too little");
}

static json_t *unit_json(const struct skl_unit_info *u)
{
    return json_pack("{s:s, s:[i,i,i], s:I, s:I, s:I, s:I}", "unit", u->name, "output", u->h, u->w, u->c, "parameters",
                     (json_int_t)u->parameters, "multiply_adds", (json_int_t)u->multiply_adds, "shortcut_parameters",
                     (json_int_t)u->shortcut_parameters, "shortcut_multiply_adds",
                     (json_int_t)u->shortcut_multiply_adds);
}

static void print_json(const struct skl_experiment *exp, const struct skl_net_options *o,
                       const struct skl_net_info *info)
{
    int64_t parameters, multiply_adds;
    shortcut_totals(info, &parameters, &multiply_adds);
    json_t *units = json_array();
    for (int i = 0; i < info->units; i++) json_array_append_new(units, unit_json(&info->unit[i]));
    json_t *root = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:o}", "variant",
                             exp->variant, "shortcut", exp->model.shortcut->name, "size", o->size, "channels",
                             o->channels, "classes", o->classes, "batch", o->batch, "bn_batch", o->group, "parameters",
                             (json_int_t)info->parameters, "multiply_adds", (json_int_t)info->multiply_adds,
                             "shortcut_parameters", (json_int_t)parameters, "shortcut_multiply_adds",
                             (json_int_t)multiply_adds, "bytes", (json_int_t)info->bytes, "units", units);
    skl_json_print(root);
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_plan plan;
    struct skl_net_options o;
    struct skl_net_info info;
    const struct skl_plan_run *chosen = NULL;
    if (complexity && argc) return skl_fail(err, SKL_USAGE, "summary: --complexity stands alone");
    if (complexity) return skl_complexity_print(json, err);
    if (!argc)
        return skl_fail(err, SKL_USAGE,
                        "usage: skiplab summary CONFIG.yaml [key=value ...], or skiplab summary --complexity");
    int status = skl_choose(argc, argv, "", &plan, &chosen, err);
    if (status) return status;
    const struct skl_experiment *exp = &chosen->exp;
    status = skl_device_start(exp->model.shortcut, NULL, false, true, err);
    if (!status) status = describe(exp, &o, &info, err);
    if (!status) {
        if (json)
            print_json(exp, &o, &info);
        else
            print_text(exp, &o, &info);
        skl_net_info_release(&info);
    }
    skl_plan_release(&plan);
    return status;
}

const struct skl_command skl_cmd_summary = {
    .name = "summary",
    .summary = "units, parameters, multiply-adds and memory of a net",
    .usage = "CONFIG.yaml [key=value ...] | --complexity",
    .description =
        "What a run's net (the first one's, or that of --variant) consists of and costs.  Opens no data.\n"
        "Multiply-adds count convolutions and the final layer of one forward pass over one image.  A row stands for\n"
        "units alike; the last column is the unit's cost in multiply-adds, times that of its residual branch alone.",
    .examples = "skiplab summary configs/quickstart.yaml\n"
                "skiplab summary configs/table1.yaml model.depth=1202 --json\n"
                "skiplab summary configs/conv1x1-depth.yaml model.block=bottleneck model.depth=164 "
                "model.shortcut.type=conv1x1\n"
                "skiplab summary configs/imagenet.yaml --variant resnet-50\n"
                "skiplab summary --complexity\n",
    .options = options,
    .min_args = 0,
    .max_args = -1,
    .words = {SKL_WORD_CONFIG, SKL_WORD_KEY},
    .run = run,
};
