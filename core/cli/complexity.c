#include "core/cli/complexity.h"
#include <jansson.h>
#include <stdlib.h>
#include "core/base/say.h"
#include "core/config/plan.h"
#include "core/io/json.h"
#include "core/nn/net.h"
#include "core/train/session.h"

struct net;
struct row {
    const struct net *net;
    int64_t parameters, multiply_adds, of_convolutions; /* of_convolutions: without fully connected layers */
};

enum { SIDE = 224, CLASSES = 1000, VGG_STAGES = 5 };

static const struct net {
    const char *name, *model; /* as under model: in an experiment file; NULL: VGG */
    int vgg[VGG_STAGES];      /* convolutions before each pooling */
    const char *paper, *how;  /* the paper's figure in 10^9, "" where it has none, and how it counts */
} nets[] = {
#define CUT "cut, not rounded; stride in the first 1x1"
#define RESNET(name, model, paper, how) \
    { \
        name, "{family: imagenet, " model "}", {0}, paper, how \
    }
    RESNET("plain-18", "depth: 18, shortcut: {type: constant_scaling, shortcut_scale: 0, residual_scale: 1}", "1.8",
           ""),
    RESNET("ResNet-18 A", "depth: 18", "1.8", ""),
    RESNET("ResNet-18 B", "depth: 18, projection: B", "", ""),
    RESNET("ResNet-18 C", "depth: 18, shortcut: {type: conv1x1}", "", ""),
    RESNET("plain-34", "depth: 34, shortcut: {type: constant_scaling, shortcut_scale: 0, residual_scale: 1}", "3.6",
           ""),
    RESNET("ResNet-34 A", "depth: 34", "3.6", ""),
    RESNET("ResNet-34 B", "depth: 34, projection: B", "", ""),
    RESNET("ResNet-34 C", "depth: 34, shortcut: {type: conv1x1}", "", ""),
    RESNET("ResNet-50", "depth: 50, projection: B, stride_in: 1x1", "3.8", CUT),
    RESNET("ResNet-50, stride in 3x3", "depth: 50, projection: B", "", ""),
    RESNET("ResNet-50, C throughout", "depth: 50, shortcut: {type: conv1x1}, stride_in: 1x1", "", ""),
    RESNET("ResNet-101", "depth: 101, projection: B, stride_in: 1x1", "7.6", ""),
    RESNET("ResNet-101, stride in 3x3", "depth: 101, projection: B", "", ""),
    RESNET("ResNet-152", "depth: 152, projection: B, stride_in: 1x1", "11.3", ""),
    RESNET("ResNet-152, stride in 3x3", "depth: 152, projection: B", "", ""),
    {"VGG-16", NULL, {2, 2, 3, 3, 3}, "15.3", "convolutions alone"},
    {"VGG-19", NULL, {2, 2, 4, 4, 4}, "19.6", "with fully connected layers"},
};
enum { NETS = sizeof nets / sizeof *nets };

/* 3x3 convolutions with biases, 2x2 pooling after each stage, then 4096, 4096, 1000. */
static void count_vgg(const struct net *net, struct row *row)
{
    static const int width[VGG_STAGES] = {64, 128, 256, 512, 512};
    int64_t side = SIDE, in = 3;
    for (int s = 0; s < VGG_STAGES; s++, side /= 2)
        for (int i = 0; i < net->vgg[s]; i++, in = width[s]) {
            row->parameters += (9 * in + 1) * width[s];
            row->of_convolutions += 9 * in * width[s] * side * side;
        }
    const int64_t fc[] = {in * side * side, 4096, 4096, CLASSES};
    row->multiply_adds = row->of_convolutions;
    for (int i = 0; i < 3; i++) {
        row->parameters += (fc[i] + 1) * fc[i + 1];
        row->multiply_adds += fc[i] * fc[i + 1];
    }
}

static int count_net(const struct net *net, struct row *row, struct skl_err *err)
{
    char *given[] = {skl_strdup("name=complexity"), skl_format("model=%s", net->model)};
    struct skl_plan plan;
    struct skl_net_info info;
    int status = skl_plan_load(NULL, given, 2, &plan, err);
    free(given[0]), free(given[1]);
    if (status) return status;
    struct skl_net_options o = skl_net_options_for(&plan.run[0].exp, SIDE, 3, CLASSES);
    o.batch = o.group = 1;
    status = skl_net_describe(&plan.run[0].exp.model, &o, &info, err);
    if (!status) {
        row->parameters = info.parameters, row->multiply_adds = info.multiply_adds;
        row->of_convolutions = info.multiply_adds - (int64_t)info.unit[info.units - 1].c * CLASSES;
        skl_net_info_release(&info);
    }
    skl_plan_release(&plan);
    return status;
}

static json_t *row_json(const struct row *row)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:s}", "net", row->net->name, "parameters", (json_int_t)row->parameters,
                     "multiply_adds", (json_int_t)row->multiply_adds, "of_convolutions",
                     (json_int_t)row->of_convolutions, "paper", row->net->paper, "how", row->net->how);
}

int skl_complexity_print(bool json, struct skl_err *err)
{
    int status = SKL_OK;
    json_t *list = json_array();
    if (!json) skl_print("%-26s %12s %15s %15s  %s\n", "net", "parameters", "10^9 mult-adds", "convolutions", "paper");
    for (int i = 0; i < NETS && !status; i++) {
        struct row row = {.net = &nets[i]};
        if (nets[i].model)
            status = count_net(&nets[i], &row, err);
        else
            count_vgg(&nets[i], &row);
        if (status) break;
        if (json)
            json_array_append_new(list, row_json(&row));
        else
            skl_print("%-26s %12lld %15.3f %15.3f  %s%s%s%s\n", nets[i].name, (long long)row.parameters,
                      1e-9 * (double)row.multiply_adds, 1e-9 * (double)row.of_convolutions, nets[i].paper,
                      *nets[i].how ? " (" : "", nets[i].how, *nets[i].how ? ")" : "");
    }
    if (json && !status)
        skl_json_print(list);
    else
        json_decref(list);
    return status;
}
