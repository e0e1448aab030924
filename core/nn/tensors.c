/* The learnable tensors and running statistics: one slab for values, one for gradients, one for momenta. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/nn/internal.h"

static bool is_statistic(enum skl_tensor_kind kind) { return kind == SKL_KIND_MEAN || kind == SKL_KIND_VAR; }

int add_tensor(struct skl_net *net, struct tensor_start start, bool decay, int ndim, const int *shape, const char *fmt,
               ...)
{
    net->tensor = realloc(net->tensor, (size_t)(net->tensors + 1) * sizeof *net->tensor);
    net->start = realloc(net->start, (size_t)(net->tensors + 1) * sizeof *net->start);
    if (!net->tensor || !net->start) SKL_BUG("out of memory");
    struct skl_tensor *t = &net->tensor[net->tensors];
    *t = (struct skl_tensor){.ndim = ndim, .count = 1, .conv = start.kind == SKL_KIND_CONV, .decay = decay};
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

void tensors_allocate(struct skl_net *net)
{
    size_t values = 0, learned = 0;
    for (int i = 0; i < net->tensors; i++) {
        values += padded(net->tensor[i].count);
        if (!is_statistic(net->start[i].kind)) learned += padded(net->tensor[i].count);
    }
    const size_t total = values + (net->o.inference ? 0 : 2 * learned);
    float *at = arena_take(net, total * sizeof(float));
    if (!at) return;
    float *grad = at + values;
    for (int i = 0; i < net->tensors; i++) {
        struct skl_tensor *t = &net->tensor[i];
        t->value = at;
        at += padded(t->count);
        if (is_statistic(net->start[i].kind) || net->o.inference) continue;
        t->grad = grad;
        t->momentum = grad + learned;
        grad += padded(t->count);
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
void skl_tensor_export(const struct skl_tensor *t, const float *src, float *dst)
{
    for (size_t i = 0; i < t->count; i++) dst[i] = src[compute_index(t, i)];
}
void skl_tensor_import(const struct skl_tensor *t, const float *src, float *dst)
{
    for (size_t i = 0; i < t->count; i++) dst[compute_index(t, i)] = src[i];
}

/* He et al., "Delving Deep into Rectifiers", 2015: standard deviation sqrt(2 / fan). */
static double he_std(const struct skl_tensor *t, int rule)
{
    double area = t->ndim == 4 ? (double)t->shape[2] * t->shape[3] : 1;
    double fan = t->ndim < 2 ? t->shape[0] : rule == SKL_HE_FAN_OUT ? t->shape[0] * area : t->shape[1] * area;
    return sqrt(2 / fan);
}

/* Keyed by the tensor's name, counted in PyTorch's order: variants share the initial values of the tensors they share. */
static void init_random(struct skl_net *net, struct skl_tensor *t, bool uniform, double spread)
{
    uint64_t key = skl_rng_key(net->o.seed, SKL_RNG_INIT, skl_hash_name(t->name), 0);
    for (size_t i = 0; i < t->count; i++) {
        double v = uniform ? 2 * skl_rng_uniform(key, i) - 1 : skl_rng_normal(key, i);
        t->value[compute_index(t, i)] = (float)(spread * v);
    }
}

static void init_tensor(void *arg, int i, int worker)
{
    (void)worker;
    struct skl_net *net = arg;
    struct skl_tensor *t = &net->tensor[i];
    const struct tensor_start *s = &net->start[i];
    const int rule = net->o.fc_init;
    if (s->kind == SKL_KIND_FC && rule != SKL_FC_HE)
        init_random(net, t, rule == SKL_FC_UNIFORM, rule == SKL_FC_UNIFORM ? 1 / sqrt(t->shape[1]) : 0.01);
    else if (s->init == SKL_HE)
        init_random(net, t, false, s->factor * he_std(t, net->o.init));
    else
        for (size_t e = 0; e < t->count; e++) t->value[e] = (float)(s->factor * s->value);
}

void tensors_init(struct skl_net *net) { skl_parallel(net->o.pool, net->tensors, init_tensor, net); }

int skl_net_tensors(struct skl_net *net, struct skl_tensor **tensors)
{
    *tensors = net->tensor;
    return net->tensors;
}
