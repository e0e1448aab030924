#include "core/config/model.h"
#include <string.h>
#include "core/base/grow.h"
#include "core/config/tree.h"

enum { CIFAR_STAGES = 3, IMAGENET_STAGES = 4, IMAGENET_WIDTH = 64, MAX_UNITS = 1000, MAX_DEPTH = 10000 };

/* The first paper's Table 1. */
static const struct imagenet_net {
    int depth, block, units[IMAGENET_STAGES];
} imagenet[] = {
    {18, SKL_BASIC, {2, 2, 2, 2}},        {34, SKL_BASIC, {3, 4, 6, 3}},        {50, SKL_BOTTLENECK, {3, 4, 6, 3}},
    {101, SKL_BOTTLENECK, {3, 4, 23, 3}}, {152, SKL_BOTTLENECK, {3, 8, 36, 3}},
};
enum { NETS = sizeof imagenet / sizeof *imagenet };
#define IMAGENET_DEPTHS "18, 34, 50, 101 or 152"

static int convs_of(int block) { return block == SKL_BOTTLENECK ? 3 : 2; }

static const struct imagenet_net *imagenet_net(int depth)
{
    for (int i = 0; i < NETS; i++)
        if (imagenet[i].depth == depth) return &imagenet[i];
    return NULL;
}

static int stages_of_depth(const struct skl_model_config *m, int units[SKL_MAX_STAGES])
{
    if (m->family == SKL_IMAGENET) {
        const struct imagenet_net *net = imagenet_net(m->depth);
        if (!net || net->block != m->block) return 0;
        memcpy(units, net->units, sizeof net->units);
        return IMAGENET_STAGES;
    }
    const int layers = CIFAR_STAGES * convs_of(m->block);
    if (m->depth < layers + 2 || (m->depth - 2) % layers != 0) return 0;
    for (int i = 0; i < CIFAR_STAGES; i++) units[i] = (m->depth - 2) / layers;
    return CIFAR_STAGES;
}

int skl_model_stages(const struct skl_model_config *m, int units[SKL_MAX_STAGES])
{
    if (!m->stages) return stages_of_depth(m, units);
    memcpy(units, m->units, sizeof m->units);
    return m->stages;
}

int skl_model_units(const struct skl_model_config *m, int *convs3x3)
{
    int units[SKL_MAX_STAGES], stages = skl_model_stages(m, units), sum = 0;
    for (int i = 0; i < stages; i++) sum += units[i];
    *convs3x3 = sum * (m->block == SKL_BOTTLENECK ? 1 : 2);
    return sum;
}

void skl_model_usual_images(const struct skl_model_config *m, int *size, int *channels, int *classes)
{
    *size = m->family == SKL_IMAGENET ? 224 : 32;
    *channels = 3;
    *classes = m->family == SKL_IMAGENET ? 1000 : 10;
}

/* ---- reading ---- */
static bool given(const struct skl_ynode *tree, const char *key) { return skl_tree_get(tree, key) != NULL; }

static int wrong_depth(const struct skl_ynode *tree, const struct skl_model_config *m, struct skl_err *err)
{
    const struct skl_ynode *depth = skl_tree_get(tree, "model.depth");
    if (m->family == SKL_IMAGENET && !depth)
        return skl_tree_fail(skl_tree_place(tree, "model.family"), true, err,
                             "model.family imagenet needs model.depth, " IMAGENET_DEPTHS ", or model.units");
    if (m->family == SKL_IMAGENET)
        return skl_tree_fail(depth, true, err,
                             "model.depth must be " IMAGENET_DEPTHS " in model.family imagenet, not %d; others are "
                             "written as model.units",
                             m->depth);
    const int layers = CIFAR_STAGES * convs_of(m->block);
    int below = (m->depth - 2) / layers * layers + 2;
    if (below < layers + 2) below = layers + 2;
    return skl_tree_fail(depth ? depth : skl_tree_place(tree, "model.block"), true, err,
                         "model.depth must be %dn+2 with %s blocks, not %d; nearest: %d or %d", layers,
                         m->block == SKL_BASIC ? "basic" : "bottleneck", m->depth, below, below + layers);
}

static int read_units(const struct skl_ynode *node, struct skl_model_config *m, struct skl_err *err)
{
    const struct skl_ynode *item = node->kind == SKL_YLIST ? node->child : NULL;
    if (!item || skl_tree_count(node) > SKL_MAX_STAGES)
        return skl_tree_fail(node, true, err, "model.units must be a list of 1 to %d numbers, the units of each stage",
                             SKL_MAX_STAGES);
    for (; item; item = item->next) {
        long long units = 0;
        if (item->kind != SKL_YSCALAR || skl_yaml_int(item, &units) || units < 1 || units > MAX_UNITS)
            return skl_tree_fail(item, true, err, "model.units: a stage has from 1 to %d units", MAX_UNITS);
        m->units[m->stages++] = (int)units;
    }
    return SKL_OK;
}

/* The depth that the units make; a depth that stands beside them must be that one. */
static int depth_of_units(const struct skl_ynode *tree, struct skl_model_config *m, struct skl_err *err)
{
    const int own = m->depth;
    int convs;
    m->depth = 2 + skl_model_units(m, &convs) * convs_of(m->block);
    if (given(tree, "model.depth") && own != m->depth)
        return skl_tree_fail(skl_tree_get(tree, "model.depth"), true, err,
                             "model.depth %d contradicts model.units, which make %d layers: leave one out", own,
                             m->depth);
    if (m->depth > MAX_DEPTH)
        return skl_tree_fail(skl_tree_get(tree, "model.units"), true, err, "model.units make %d layers, more than %d",
                             m->depth, MAX_DEPTH);
    return SKL_OK;
}

/* One net has one hash, whichever way it is written. */
static void drop_plain_units(struct skl_model_config *m)
{
    int units[SKL_MAX_STAGES] = {0}, stages = stages_of_depth(m, units);
    if (stages != m->stages || memcmp(units, m->units, (size_t)stages * sizeof *units) != 0) return;
    memset(m->units, 0, sizeof m->units);
    m->stages = 0;
}

/* An ImageNet net's depth says which blocks it has. */
static int block_of_depth(const struct skl_ynode *tree, struct skl_model_config *m, struct skl_err *err)
{
    const struct imagenet_net *net = imagenet_net(m->depth);
    if (!net) return SKL_OK;
    if (given(tree, "model.block") && m->block != net->block)
        return skl_tree_fail(skl_tree_get(tree, "model.block"), true, err,
                             "model.block contradicts model.depth %d, whose blocks are %s: leave it out, or give "
                             "model.units instead of a depth",
                             m->depth, net->block == SKL_BASIC ? "basic" : "bottleneck");
    m->block = net->block;
    return SKL_OK;
}

static int check_stride_in(const struct skl_ynode *tree, const struct skl_model_config *m, struct skl_err *err)
{
    if (m->stride_in == SKL_STRIDE_IN_3X3 || m->block == SKL_BOTTLENECK) return SKL_OK;
    return skl_tree_fail(skl_tree_place(tree, "model.stride_in"), true, err,
                         "model.stride_in 1x1 needs bottleneck blocks: a basic block has no 1x1 convolution");
}

int skl_model_resolve(const struct skl_ynode *tree, struct skl_model_config *m, struct skl_err *err)
{
    const struct skl_ynode *list = skl_tree_get(tree, "model.units");
    int units[SKL_MAX_STAGES], status = list ? read_units(list, m, err) : SKL_OK;
    if (m->family == SKL_IMAGENET && !given(tree, "model.width")) m->width = IMAGENET_WIDTH;
    if (!status && m->family == SKL_IMAGENET && !list) status = block_of_depth(tree, m, err);
    if (!status && list) status = depth_of_units(tree, m, err);
    if (!status && list) drop_plain_units(m);
    if (!status && !skl_model_stages(m, units)) status = wrong_depth(tree, m, err);
    return status ? status : check_stride_in(tree, m, err);
}

char *skl_write_units(const struct skl_experiment *exp, bool exact)
{
    const struct skl_model_config *m = &exp->model;
    char *text = NULL;
    for (int i = 0; i < m->stages; i++) text = skl_append(text, "%s%d", text ? ", " : "[", m->units[i]);
    return text ? skl_append(text, "]") : NULL;
}
