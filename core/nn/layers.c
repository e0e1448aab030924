/* The device's operations as a net's layers. */
#include "core/base/rng.h"
#include "core/nn/internal.h"

void net_finish(struct skl_net *net)
{
    struct skl_err err = {0};
    if (net->device->ops->finish(net->device, &err) && !net->trouble.text[0]) net->trouble = err;
}

/* ---- convolution ---- */
static struct skl_conv_job conv_job(const struct skl_net *net, const struct conv_layer *l, struct skl_operand x,
                                    struct skl_result y)
{
    return (struct skl_conv_job){.plan = &l->plan, .n = net->n, .weight = value_of(net, l->weight), .x = x, .y = y};
}

void conv_forward(struct skl_net *net, const struct conv_layer *l, struct skl_operand x, struct skl_result y)
{
    const struct skl_conv_job job = conv_job(net, l, x, y);
    net->device->ops->conv_forward(net->device, &job);
}

void conv_bn_forward(struct skl_net *net, const struct conv_layer *l, struct bn_layer *bn, struct skl_operand x,
                     struct skl_place y)
{
    struct skl_result result = {.y = y};
    if (bn && net->training) result.sums = net->sums;
    conv_forward(net, l, x, result);
    if (bn) bn_forward(net, bn);
}

void conv_backward(struct skl_net *net, const struct conv_layer *l, struct skl_operand x, struct skl_operand dy,
                   struct skl_result dx)
{
    struct skl_conv_job job = conv_job(net, l, x, dx);
    job.dy = dy;
    job.dweight = net->at[l->weight].grad;
    job.accumulate = net->accumulate;
    net->device->ops->conv_backward(net->device, &job);
}

void map(struct skl_net *net, struct skl_operand x, struct skl_result y, struct skl_shape shape)
{
    net->device->ops->map(net->device, &x, &y, net->n, shape);
}

/* ---- batch norm ---- */
void bn_forward(struct skl_net *net, struct bn_layer *bn)
{
    if (net->training)
        net->device->ops->bn_forward(net->device, &bn->n, net->sums, value_of(net, bn->bias), net->remember);
}

void bn_backward(struct skl_net *net, struct bn_layer *bn)
{
    const struct skl_place one = {NULL, 0};
    net->device->ops->bn_backward(net->device, &bn->n, net->sums, false, one, net->accumulate);
}

void bias_backward(struct skl_net *net, const struct conv_layer *l, struct skl_place factor)
{
    if (l->bias >= 0)
        net->device->ops->bias_backward(net->device, l->plan.shape.k, net->sums, factor, net->at[l->bias].grad,
                                        net->accumulate);
}

/* ---- how tensors are read and written ---- */
struct skl_operand plain(struct skl_place x) { return (struct skl_operand){.x = x}; }

struct skl_operand bn_view(const struct bn_layer *bn, struct skl_place y, bool relu)
{
    struct skl_operand x = {.x = y, .relu = relu};
    if (bn) x.scale = bn->n.scale, x.shift = bn->n.shift;
    return x;
}

struct skl_operand bn_gradient(const struct bn_layer *bn, struct skl_place g, struct skl_place y)
{
    return (struct skl_operand){.x = g, .scale = bn->n.c1, .shift = bn->n.c3, .add = y, .add_scale = bn->n.c2};
}

struct skl_result summed(struct skl_net *net, struct skl_place y, const struct bn_layer *bn, struct skl_place raw)
{
    struct skl_result result = {.y = y, .sums = net->sums, .partner = raw};
    if (bn) result.pivot = bn->n.mean;
    return result;
}

struct skl_result masked(struct skl_net *net, struct skl_place y, struct skl_operand act, const struct bn_layer *bn)
{
    struct skl_result result = bn ? summed(net, y, bn, act.x) : (struct skl_result){.y = y};
    result.mask = act.x, result.mask_scale = act.scale, result.mask_shift = act.shift;
    return result;
}

void clear_gradient(struct skl_net *net, int tensor)
{
    if (tensor >= 0 && !net->accumulate)
        net->device->ops->clear(net->device, net->at[tensor].grad, net->tensor[tensor].count * sizeof(float));
}

/* ---- what a variant is told ---- */
struct skl_call make_call(const struct skl_net *net, const struct unit *u)
{
    return (struct skl_call){
        .unit = &u->place,
        .opts = u->opts,
        .iteration = net->iteration,
        .iterations = net->o.iterations,
        .training = net->training && !net->clean,
        .batch = net->o.batch,
        .first = net->first,
        .n = net->n,
        .p = u->decl.p,
        .rng_key = skl_rng_key(net->o.seed, SKL_RNG_SHORTCUT, (uint64_t)net->iteration, (uint64_t)u->place.index)};
}

/* ---- signals ---- */
struct skl_operand signal_take(struct signal *v)
{
    if (v->ready) return plain(v->z);
    struct skl_operand x = v->pending;
    x.out = v->z;
    v->ready = true;
    return x;
}

void signal_write(struct skl_net *net, struct signal *v)
{
    if (v->ready) return;
    map(net, v->pending, (struct skl_result){.y = v->z}, v->shape);
    v->ready = true;
}
