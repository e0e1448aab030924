/* cmd_summary.c - skiplab summary: what a net consists of and costs; opens no data. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cmd.h"
#include "core/config/plan.h"
#include "core/data/dataset.h"
#include "core/train/session.h"

static bool json;

static const struct skl_option options[] = {
    SKL_PLUGIN_OPTION, {"json", SKL_OPT_FLAG, NULL, "print JSON", &json, 0, 0}, {NULL}};

static int describe(const struct skl_experiment *exp, struct skl_net_options *o, struct skl_net_info *info,
                    struct skl_err *err)
{
    int size = 32, channels = 3, classes = 10, group;
    int status = exp->has_data ? skl_dataset_shape(&exp->data, &size, &channels, &classes, err) : SKL_OK;
    if (!status) status = skl_group_size(exp->train.batch, exp->train.bn_batch, &group, err);
    if (status) return status;
    *o = skl_net_options_for(exp, size, channels, classes);
    return skl_net_describe(&exp->model, o, info, err);
}

static void print_text(const struct skl_experiment *exp, const struct skl_net_options *o,
                       const struct skl_net_info *info)
{
    printf("variant        %s (%s)\n", exp->variant, exp->model.shortcut->name);
    printf("images         %d x %d, %d channels, %d classes\n", o->size, o->size, o->channels, o->classes);
    printf("mini-batch     %d, batch norm over %d\n\n", o->batch, o->group);
    printf("%-12s %14s %12s %14s\n", "unit", "output", "parameters", "multiply-adds");
    for (int i = 0; i < info->units; i++) {
        const struct skl_unit_info *u = &info->unit[i];
        char shape[40];
        snprintf(shape, sizeof shape, "%d x %d x %d", u->h, u->w, u->c);
        printf("%-12s %14s %12lld %14lld\n", u->name, shape, (long long)u->parameters, (long long)u->multiply_adds);
    }
    printf("\nunits          %d\nparameters     %lld\nmultiply-adds  %lld an image\nmemory         %.1f MiB while "
           "training\n",
           info->units, (long long)info->parameters, (long long)info->multiply_adds, (double)info->bytes / (1 << 20));
}

static void print_json(const struct skl_experiment *exp, const struct skl_net_options *o,
                       const struct skl_net_info *info)
{
    json_t *units = json_array();
    for (int i = 0; i < info->units; i++) {
        const struct skl_unit_info *u = &info->unit[i];
        json_array_append_new(units, json_pack("{s:s, s:[i,i,i], s:I, s:I}", "unit", u->name, "output", u->h, u->w,
                                               u->c, "parameters", (json_int_t)u->parameters, "multiply_adds",
                                               (json_int_t)u->multiply_adds));
    }
    json_t *root =
        json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:o}", "variant", exp->variant, "shortcut",
                  exp->model.shortcut->name, "size", o->size, "channels", o->channels, "classes", o->classes, "batch",
                  o->batch, "bn_batch", o->group, "parameters", (json_int_t)info->parameters, "multiply_adds",
                  (json_int_t)info->multiply_adds, "bytes", (json_int_t)info->bytes, "units", units);
    SKL_CHECK(root);
    char *text = json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(root);
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_plan plan;
    struct skl_net_options o;
    struct skl_net_info info;
    int status = skl_plan_load(argv[0], argv + 1, argc - 1, &plan, err);
    if (status) return status;
    const struct skl_experiment *exp = &plan.run[0].exp;
    if (plan.count > 1)
        fprintf(stderr, "skiplab: %s holds %d runs; this is %s\n", argv[0], plan.count, plan.run[0].dir);
    status = describe(exp, &o, &info, err);
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
    .usage = "CONFIG.yaml [key=value ...]",
    .description = "What the first run's net consists of and costs.  Opens no data.  Multiply-adds count convolutions "
                   "and the final\n"
                   "layer of one forward pass over one image.",
    .examples = "skiplab summary configs/quickstart.yaml\n"
                "skiplab summary configs/table1.yaml model.depth=1202 --json\n",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
