/* From a model configuration to layers, shapes and tensors. */
#include <stdio.h>
#include <string.h>
#include "core/base/grow.h"
#include "core/config/model.h"
#include "core/config/registry.h"
#include "core/nn/internal.h"

/* ---- layers ---- */
static bool decays(const struct skl_net *net, bool weight) { return weight || net->o.weight_decay_on == SKL_DECAY_ALL; }

static struct bn_layer *plan_bn(struct skl_net *net, int c, const char *prefix, const char *name)
{
    struct bn_layer *bn = skl_alloc(sizeof *bn);
    const int shape[] = {c};
    bn->n.c = c;
    bn->bias = -1;
    bn->gamma = add_tensor(net, (struct tensor_start){SKL_KIND_GAMMA, SKL_CONST, 1}, decays(net, false), 1, shape,
                           "%s%s.weight", prefix, name);
    bn->beta = add_tensor(net, (struct tensor_start){SKL_KIND_BETA, SKL_CONST, 0}, decays(net, false), 1, shape,
                          "%s%s.bias", prefix, name);
    bn->mean_r = add_tensor(net, (struct tensor_start){SKL_KIND_MEAN, SKL_CONST, 0}, false, 1, shape,
                            "%s%s.running_mean", prefix, name);
    bn->var_r = add_tensor(net, (struct tensor_start){SKL_KIND_VAR, SKL_CONST, 1}, false, 1, shape, "%s%s.running_var",
                           prefix, name);
    return *SKL_ADD(net->bn, net->bns) = bn;
}

/* A shape that the device cannot compute ends up in net->trouble. */
static struct conv_layer plan_conv(struct skl_net *net, struct skl_shape in, int k, int size, int stride,
                                   enum skl_init init, const char *prefix, const char *name)
{
    struct conv_layer l = {.bias = -1};
    const struct skl_conv_shape shape = {in.h, in.w, in.c, k, size, stride};
    struct skl_err err = {0};
    if (net->device->ops->conv_plan(net->device, shape, net->o.conv, &l.plan, &err) && !net->trouble.text[0])
        net->trouble = err;
    l.plan.shape = shape;
    l.weight = add_tensor(net, (struct tensor_start){SKL_KIND_CONV, init, 0}, true, 4,
                          (const int[]){k, in.c, size, size}, "%s%s.weight", prefix, name);
    return l;
}

/* ---- one unit ---- */
enum { BOTTLENECK = 4 }; /* a bottleneck unit's channels to its inner ones */

static bool changes_shape(const struct unit *u)
{
    return u->place.in.c != u->place.out.c || u->place.in.h != u->place.out.h;
}

static const struct skl_shortcut *variant_at(const struct skl_net *net, const struct unit *u)
{
    const struct skl_model_config *m = &net->model;
    if (u->place.index < m->shortcut_from || u->place.index > m->shortcut_to ||
        (m->shortcut_same_shape && changes_shape(u)))
        return skl_registry_find("identity");
    return m->shortcut;
}

static struct bn_layer *plan_shortcut_bn(struct skl_net *net, const struct unit *u, int i, int c, const char *prefix)
{
    struct bn_layer *bn = plan_bn(net, c, prefix, u->decl.conv[i].bn_name);
    net->start[bn->beta].value = u->decl.conv[i].bn_bias;
    if (u->decl.conv[i].bn_flags & SKL_NO_DECAY) net->tensor[bn->beta].decay = false;
    return bn;
}

static int start_branch(struct skl_net *net, struct unit *u, struct skl_err *err)
{
    if (!u->decl.starts) return SKL_OK;
    if (u->end_relu && u->decl.branch_start == 0)
        return skl_fail(err, SKL_USAGE,
                        "shortcut '%s': a branch that starts at 0 and ends with a ReLU never starts; take another "
                        "model.order than relu_before_add",
                        u->variant->name);
    net->start[u->end ? u->end->gamma : u->conv[u->convs - 1].weight].factor = u->decl.branch_start;
    return SKL_OK;
}

static void plan_projection(struct skl_net *net, struct unit *u, int stride)
{
    const bool preact = net->model.order >= SKL_RELU_ONLY_PREACT;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.", u->prefix);
    if (!changes_shape(u) || u->decl.source == SKL_RAW_X) return;
    u->projection = net->model.projection == SKL_PROJECTION_A ? PROJECT_PAD : PROJECT_CONV;
    if (u->projection == PROJECT_PAD) return;
    u->pre_before_split = preact && (u->pre || u->pre_relu);
    u->project_conv = plan_conv(net, u->place.in, u->place.out.c, 1, stride, SKL_HE, prefix, "project.conv");
    if (!preact) u->project_bn = plan_bn(net, u->place.out.c, prefix, "project.bn");
}

static void plan_layer(struct skl_net *net, struct unit *u, int i, struct skl_shape in, const char *prefix)
{
    const struct skl_conv_spec *spec = &u->decl.conv[i].spec;
    struct conv_layer *l = &u->shortcut_conv[i];
    *l = plan_conv(net, in, spec->out_channels, spec->kernel, spec->stride, spec->init, prefix, u->decl.conv[i].name);
    if (spec->bias)
        l->bias = add_tensor(net, (struct tensor_start){SKL_KIND_BIAS, SKL_CONST, spec->bias_init},
                             !(spec->bias_flags & SKL_NO_DECAY), 1, (const int[]){spec->out_channels}, "%s%s.bias",
                             prefix, u->decl.conv[i].name);
    if (!u->decl.conv[i].bn) return;
    u->shortcut_bn[i] = plan_shortcut_bn(net, u, i, spec->out_channels, prefix);
    u->shortcut_bn[i]->bias = l->bias;
}

static void plan_own(struct skl_net *net, struct unit *u, const char *prefix)
{
    for (int i = 0; i < u->decl.owns; i++) {
        u->own[i] = add_tensor(net, (struct tensor_start){SKL_KIND_OWN, u->decl.own[i].init, u->decl.own[i].value},
                               !(u->decl.own[i].flags & SKL_NO_DECAY), u->decl.own[i].ndim, u->decl.own[i].shape,
                               "%s%s", prefix, u->decl.own[i].name);
        u->own_floats += net->tensor[u->own[i]].count;
    }
}

static int plan_shortcut(struct skl_net *net, struct unit *u, int stride, struct skl_err *err)
{
    char prefix[64];
    u->variant = variant_at(net, u);
    u->opts = net->model.shortcut_opts;
    int status = skl_declare(u->variant, &u->place, u->opts, &u->decl, err);
    if (status) return status;
    plan_projection(net, u, stride);
    snprintf(prefix, sizeof prefix, "%s.shortcut.", u->prefix);
    for (int i = 0; i < u->decl.convs; i++)
        plan_layer(net, u, i, i ? conv_out(&u->shortcut_conv[i - 1]) : x_shape(u), prefix);
    plan_own(net, u, prefix);
    return net->device->ops->variant_fits(net->device, u->variant, err);
}

/* The batch norm before or behind convolution j of F, as the order has it. */
static void plan_branch_bn(struct skl_net *net, struct unit *u, int j, int c, bool before, const char *prefix)
{
    char name[16];
    snprintf(name, sizeof name, "bn%d", j + 1);
    struct bn_layer *bn = plan_bn(net, c, prefix, name), **place = &u->end;
    if (before)
        place = j == 0 ? &u->pre : &u->mid[j - 1];
    else if (j < u->convs - 1)
        place = &u->mid[j];
    else if (net->model.order == SKL_BN_AFTER_ADD)
        place = &u->post;
    *place = bn;
}

/* F: basic 3x3, 3x3; bottleneck 1x1, 3x3, 1x1 to four times the width, the stride in the first or the second. */
static void plan_branch(struct skl_net *net, struct unit *u, int stride)
{
    const int order = net->model.order;
    const bool bottleneck = net->model.block == SKL_BOTTLENECK, full = order == SKL_FULL_PREACT,
               first = u->place.index == 0; /* the stem has its activation */
    const int inner = bottleneck ? u->place.out.c / BOTTLENECK : u->place.out.c;
    char prefix[64], name[16];
    snprintf(prefix, sizeof prefix, "%s.", u->prefix);
    u->convs = bottleneck ? 3 : 2;
    u->pre_relu = order >= SKL_RELU_ONLY_PREACT && !first;
    u->end_relu = order == SKL_RELU_BEFORE_ADD;
    u->post_relu = order == SKL_ORIGINAL || order == SKL_BN_AFTER_ADD;
    struct skl_shape s = u->place.in;
    const int strided = bottleneck && net->model.stride_in == SKL_STRIDE_IN_3X3 ? 1 : 0;
    for (int j = 0; j < u->convs; j++) {
        const int k = j == u->convs - 1 ? u->place.out.c : inner, size = bottleneck && j != 1 ? 1 : 3;
        if (full && (j > 0 || !first)) plan_branch_bn(net, u, j, s.c, true, prefix);
        snprintf(name, sizeof name, "conv%d", j + 1);
        u->conv[j] = plan_conv(net, s, k, size, j == strided ? stride : 1, SKL_HE, prefix, name);
        s = conv_out(&u->conv[j]);
        if (!full) plan_branch_bn(net, u, j, s.c, false, prefix);
    }
}

/* ---- the net ---- */
/* The stem of the family, then stages, each with twice the channels at half the size. */
static int plan_stages(const struct skl_model_config *m, struct net_plan *plan, struct skl_err *err)
{
    const bool imagenet = m->family == SKL_IMAGENET;
    int units[SKL_MAX_STAGES];
    *plan = (struct net_plan){.stem = {.size = 3, .stride = 1}, .least = 4, .stages = skl_model_stages(m, units)};
    if (plan->stages == 0) return skl_fail(err, SKL_USAGE, "no net of these blocks has a depth of %d", m->depth);
    if (imagenet) plan->stem.size = 7, plan->stem.stride = 2, plan->stem.pool = true, plan->least = 32;
    for (int i = 0; i < plan->stages; i++) {
        plan->stage[i].units = units[i];
        plan->stage[i].channels = (m->width << i) * (m->block == SKL_BOTTLENECK ? BOTTLENECK : 1);
        plan->stage[i].stride = i > 0 ? 2 : 1;
    }
    return SKL_OK;
}

static int plan_unit(struct skl_net *net, int i, int stage, int in_stage, struct skl_err *err)
{
    struct unit *u = &net->unit[i];
    const struct skl_shape in = net->signal[i].shape;
    const int stride = in_stage == 0 ? net->plan.stage[stage].stride : 1;
    const struct skl_shape out = {(in.h + stride - 1) / stride, (in.w + stride - 1) / stride,
                                  net->plan.stage[stage].channels};
    u->place = (struct skl_unit){i, net->units, in, out};
    u->stage = stage;
    snprintf(u->prefix, sizeof u->prefix, "layer%d.%d", stage + 1, in_stage);
    plan_branch(net, u, stride);
    int status = plan_shortcut(net, u, stride, err);
    if (!status) status = start_branch(net, u, err);
    net->signal[i].bn = u->pre;
    net->signal[i + 1].shape = out;
    return status;
}

static int plan_units(struct skl_net *net, struct skl_err *err)
{
    int status = SKL_OK, i = 0;
    for (int s = 0; s < net->plan.stages; s++) net->units += net->plan.stage[s].units;
    net->unit = skl_alloc_array((size_t)net->units, sizeof *net->unit);
    net->signal = skl_alloc_array((size_t)net->units + 1, sizeof *net->signal);
    net->signal[0].shape = conv_out(&net->stem);
    if (net->plan.stem.pool) net->signal[0].shape = skl_max_pooled(net->signal[0].shape);
    for (int s = 0; s < net->plan.stages; s++)
        for (int k = 0; k < net->plan.stage[s].units && !status; k++) status = plan_unit(net, i++, s, k, err);
    return status;
}

static void plan_head(struct skl_net *net)
{
    const int c = net->signal[net->units].shape.c;
    net->last_relu = net->model.order >= SKL_RELU_ONLY_PREACT;
    if (net->model.order == SKL_FULL_PREACT) net->signal[net->units].bn = net->last_bn = plan_bn(net, c, "", "bn_last");
    net->fc_weight = add_tensor(net, (struct tensor_start){SKL_KIND_FC, SKL_HE, 0}, true, 2,
                                (const int[]){net->o.classes, c}, "fc.weight");
    net->fc_bias = add_tensor(net, (struct tensor_start){SKL_KIND_BIAS, SKL_CONST, 0}, decays(net, false), 1,
                              (const int[]){net->o.classes}, "fc.bias");
}

static void measure_shape(struct skl_net *net, struct skl_shape s)
{
    if (skl_shape_floats(s) > net->activation) net->activation = skl_shape_floats(s);
    if (s.c > net->widest) net->widest = s.c;
}

static void measure(struct skl_net *net)
{
    measure_shape(net, (struct skl_shape){net->o.size, net->o.size, net->o.channels});
    measure_shape(net, (struct skl_shape){1, 1, net->o.classes});
    measure_shape(net, conv_out(&net->stem));
    for (int i = 0; i <= net->units; i++) measure_shape(net, net->signal[i].shape);
    for (int i = 0; i < net->units; i++) {
        for (int j = 0; j < net->unit[i].convs; j++) measure_shape(net, conv_out(&net->unit[i].conv[j]));
        for (int j = 0; j < net->unit[i].decl.convs; j++) measure_shape(net, conv_out(&net->unit[i].shortcut_conv[j]));
    }
}

int net_plan(struct skl_net *net, struct skl_err *err)
{
    int status = plan_stages(&net->model, &net->plan, err);
    if (status) return status;
    if (net->plan.stem.pool && !(net->device->bits & SKL_MAX_POOLS))
        return skl_fail(err, SKL_USAGE,
                        "%s cannot compute the max pooling of model.family imagenet yet: give --device cpu",
                        net->device->level);
    net->slice = net->plan.stem.pool ? net->o.group : SKL_EVAL_SLICE;
    const int size = net->o.size, least = net->plan.least;
    if (size < least)
        return skl_fail(err, SKL_USAGE, "images of %dx%d are too small: %dx%d at least", size, size, least, least);
    const struct skl_shape image = {net->o.size, net->o.size, net->o.channels};
    net->stem =
        plan_conv(net, image, net->model.width, net->plan.stem.size, net->plan.stem.stride, SKL_HE, "", "conv1");
    net->stem_bn = plan_bn(net, net->model.width, "", "bn1");
    status = plan_units(net, err);
    if (status) return status;
    plan_head(net);
    measure(net);
    return net->trouble.text[0] ? skl_fail(err, SKL_USAGE, "%s", net->trouble.text) : SKL_OK;
}
