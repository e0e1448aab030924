/* The learnable tensors and running statistics: one slab for values, one for gradients, one for momenta. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/grow.h"
#include "core/base/rng.h"
#include "core/nn/internal.h"

int add_tensor(struct skl_net *net, struct tensor_start start, bool decay, int ndim, const int *shape, const char *fmt,
               ...)
{
    const size_t count = (size_t)net->tensors;
    net->tensor = skl_grow(net->tensor, count, sizeof *net->tensor);
    net->start = skl_grow(net->start, count, sizeof *net->start);
    net->at = skl_grow(net->at, count, sizeof *net->at);
    struct skl_tensor *t = &net->tensor[net->tensors];
    *t = (struct skl_tensor){.ndim = ndim,
                             .count = 1,
                             .conv = start.kind == SKL_KIND_CONV,
                             .decay = decay,
                             .learned = !is_statistic(start.kind) && !net->o.inference};
    net->at[net->tensors] = (struct tensor_places){.value = {NULL, 0}};
    for (int i = 0; i < ndim; i++) t->shape[i] = shape[i], t->count *= (size_t)shape[i];
    va_list args;
    va_start(args, fmt);
    vsnprintf(t->name, sizeof t->name, fmt, args);
    va_end(args);
    net->start[net->tensors] = start;
    net->start[net->tensors].factor = 1;
    return net->tensors++;
}

static size_t padded(size_t n) { return (n + 15) / 16 * 16; }

void tensors_take(struct skl_net *net)
{
    size_t values = 0, learned = 0;
    for (int i = 0; i < net->tensors; i++) {
        values += padded(net->tensor[i].count);
        if (net->tensor[i].learned) learned += padded(net->tensor[i].count);
    }
    struct skl_place value = arena_take(net, (values + 2 * learned) * sizeof(float)), grad = skl_further(value, values);
    for (int i = 0; i < net->tensors; i++) {
        const size_t floats = padded(net->tensor[i].count);
        net->at[i] = (struct tensor_places){.value = value};
        value = skl_further(value, floats);
        if (!net->tensor[i].learned) continue;
        net->at[i].grad = grad, net->at[i].momentum = skl_further(grad, learned);
        grad = skl_further(grad, floats);
    }
}

/* Element i of a convolution tensor in PyTorch's order (OIHW) stands at this place in ours ([kh][kw][i][o]). */
static size_t compute_index(const struct skl_tensor *t, size_t i)
{
    if (!t->conv) return i;
    size_t kw = (size_t)t->shape[3], kh = (size_t)t->shape[2], in = (size_t)t->shape[1], out = (size_t)t->shape[0];
    size_t x = i % kw, y = i / kw % kh, c = i / (kw * kh) % in, k = i / (kw * kh * in);
    return ((y * kw + x) * in + c) * out + k;
}

/* [kh][kw][i][o] to PyTorch's OIHW, or back. */
static void reorder(const struct skl_tensor *t, const float *from, bool back, float *to)
{
    if (!t->conv) {
        memcpy(to, from, t->count * sizeof *to);
        return;
    }
    const size_t out = (size_t)t->shape[0], in = (size_t)t->shape[1], area = (size_t)t->shape[2] * (size_t)t->shape[3];
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t p = 0; p < area; p++) {
                const size_t theirs = (o * in + i) * area + p, ours = (p * in + i) * out + o;
                to[back ? ours : theirs] = from[back ? theirs : ours];
            }
}

static struct skl_place part_of(const struct skl_net *net, const struct skl_tensor *t, enum skl_tensor_part part)
{
    const struct tensor_places *at = &net->at[t - net->tensor];
    return part == SKL_VALUE ? at->value : part == SKL_GRADIENT ? at->grad : at->momentum;
}

void skl_tensor_read(struct skl_net *net, const struct skl_tensor *t, enum skl_tensor_part part, float *to)
{
    net->device->ops->download(net->device, part_of(net, t, part), t->count * sizeof *to, net->staging);
    net_finish(net);
    reorder(t, net->staging, false, to);
}

void skl_tensor_write(struct skl_net *net, const struct skl_tensor *t, enum skl_tensor_part part, const float *from)
{
    reorder(t, from, true, net->staging);
    net->device->ops->upload(net->device, net->staging, t->count * sizeof *from, part_of(net, t, part));
    net->own_stale = true;
}

/* He et al., "Delving Deep into Rectifiers", 2015: standard deviation sqrt(2 / fan). */
static double he_std(const struct skl_tensor *t, int rule)
{
    double area = t->ndim == 4 ? (double)t->shape[2] * t->shape[3] : 1;
    double fan = t->ndim < 2 ? t->shape[0] : rule == SKL_HE_FAN_OUT ? t->shape[0] * area : t->shape[1] * area;
    return sqrt(2 / fan);
}

struct init_job {
    struct skl_net *net;
    float *values; /* of all tensors, as they stand in the slab */
};
static float *place_in(const struct init_job *job, int i)
{
    return job->values + (job->net->at[i].value.offset - job->net->at[0].value.offset) / sizeof(float);
}

/* Keyed by the tensor's name, counted in PyTorch's order: variants share what their shared tensors start with. */
static void init_random(const struct skl_net *net, const struct skl_tensor *t, bool uniform, double spread, float *to)
{
    uint64_t key = skl_rng_key(net->o.seed, SKL_RNG_INIT, skl_hash_name(t->name), 0);
    for (size_t i = 0; i < t->count; i++) {
        double v = uniform ? 2 * skl_rng_uniform(key, i) - 1 : skl_rng_normal(key, i);
        to[compute_index(t, i)] = (float)(spread * v);
    }
}

static void init_tensor(void *arg, int i, int worker)
{
    const struct init_job *job = arg;
    const struct skl_net *net = job->net;
    const struct skl_tensor *t = &net->tensor[i];
    const struct tensor_start *s = &net->start[i];
    const int rule = net->o.fc_init;
    float *to = place_in(job, i);
    if (s->kind == SKL_KIND_FC && rule != SKL_FC_HE)
        init_random(net, t, rule == SKL_FC_UNIFORM, rule == SKL_FC_UNIFORM ? 1 / sqrt(t->shape[1]) : 0.01, to);
    else if (s->init == SKL_HE)
        init_random(net, t, false, s->factor * he_std(t, net->o.init), to);
    else
        for (size_t e = 0; e < t->count; e++) to[e] = (float)(s->factor * s->value);
}

/* What an update changes, for the device; and room for one tensor on its way. */
static void list_learned(struct skl_net *net)
{
    size_t largest = 1;
    net->learned = skl_alloc_array((size_t)net->tensors, sizeof *net->learned);
    for (int i = 0; i < net->tensors; i++) {
        const struct skl_tensor *t = &net->tensor[i];
        const struct tensor_places *at = &net->at[i];
        if (t->count > largest) largest = t->count;
        if (t->learned)
            net->learned[net->learned_tensors++] =
                (struct skl_learned){at->value, at->grad, at->momentum, t->count, t->decay};
    }
    net->staging = skl_alloc_array(largest, sizeof *net->staging);
}

void tensors_init(struct skl_net *net)
{
    const struct skl_device_ops *ops = net->device->ops;
    size_t values = 0, learned = 0;
    list_learned(net);
    for (int i = 0; i < net->tensors; i++) values += padded(net->tensor[i].count);
    for (int i = 0; i < net->learned_tensors; i++) learned += padded(net->learned[i].count);
    struct init_job job = {net, skl_alloc_array(values, sizeof(float))};
    skl_parallel(net->o.pool, net->tensors, init_tensor, &job);
    ops->upload(net->device, job.values, values * sizeof(float), net->at[0].value);
    if (learned) ops->clear(net->device, skl_further(net->at[0].value, values), 2 * learned * sizeof(float));
    free(job.values);
}

/* The gaps between tensors are 0. */
void stop_if_infinite(struct skl_net *net)
{
    size_t floats = 0;
    for (int i = 0; i < net->tensors; i++) floats += padded(net->tensor[i].count);
    net->device->ops->find_infinite(net->device, net->at[0].value, floats, net->stop);
}

int skl_net_tensors(const struct skl_net *net, const struct skl_tensor **tensors)
{
    *tensors = net->tensor;
    return net->tensors;
}
