/* One layer over all chunks of a batch-norm group: forward and backward side by side. */
#include <math.h>
#include <string.h>
#include "core/nn/internal.h"

int chunk_first(const struct skl_net *net, int i) { return (int)((int64_t)net->n * i / net->chunks); }

struct chunk_job {
    struct skl_net *net;
    chunk_fn *fn;
    void *arg;
};
static void run_chunk(void *arg, int i, int worker)
{
    struct chunk_job *job = arg;
    int first = chunk_first(job->net, i);
    job->fn(job->net, job->arg, i, first, chunk_first(job->net, i + 1) - first, job->net->scratch[worker]);
}
void for_chunks(struct skl_net *net, chunk_fn *fn, void *arg)
{
    struct chunk_job job = {net, fn, arg};
    skl_parallel(net->o.pool, net->chunks, run_chunk, &job);
}

void clear_sums(struct skl_net *net, int c)
{
    for (int i = 0; i < net->chunks; i++) {
        struct skl_sums *s = &net->sums[i];
        s->count = 0;
        for (int k = 0; k < c; k++) s->sum[k] = s->dot[k] = s->dot2[k] = 0;
    }
}

double chunk_total(const struct skl_net *net, int which, int c)
{
    double total = 0;
    for (int i = 0; i < net->chunks; i++) {
        const struct skl_sums *s = &net->sums[i];
        total += which == 0 ? s->sum[c] : which == 1 ? s->dot[c] : s->dot2[c];
    }
    return total;
}

void add_gradient(struct skl_net *net, int tensor, size_t i, double v)
{
    float *g = tensor_grad(net, tensor) + i;
    *g = net->accumulate ? *g + (float)v : (float)v;
}

/* ---- convolution ---- */
/* Before and after the chunks, channels are shared out: a part is worth a few microseconds. */
enum { PART_CHANNELS = 8 };
struct pack_job {
    struct skl_net *net;
    const struct conv_layer *l;
    bool backward;
    int channels;
};
static int part_end(const struct pack_job *job, int i)
{
    const int end = (i + 1) * PART_CHANNELS;
    return end < job->channels ? end : job->channels;
}
static void pack_part(void *arg, int i, int worker)
{
    (void)worker;
    struct pack_job *job = arg;
    const struct conv_layer *l = job->l;
    l->kernel->prepare(&l->shape, tensor_value(job->net, l->weight), job->backward, i * PART_CHANNELS, part_end(job, i),
                       job->net->packed);
}
static void reduce_part(void *arg, int i, int worker)
{
    (void)worker;
    struct pack_job *job = arg;
    const struct conv_layer *l = job->l;
    l->kernel->reduce(&l->shape, job->net->partial, job->net->chunks, job->net->partial_stride, i * PART_CHANNELS,
                      part_end(job, i), job->net->accumulate, tensor_grad(job->net, l->weight));
}
static void parts(struct skl_net *net, struct pack_job job, skl_task_fn *fn)
{
    skl_parallel(net->o.pool, (job.channels + PART_CHANNELS - 1) / PART_CHANNELS, fn, &job);
}

void conv_prepare(struct skl_net *net, const struct conv_layer *l, bool backward)
{
    parts(net, (struct pack_job){net, l, backward, backward ? l->shape.k : l->shape.c}, pack_part);
}
void conv_reduce(struct skl_net *net, const struct conv_layer *l)
{
    parts(net, (struct pack_job){net, l, true, l->shape.c}, reduce_part);
}

static void forward_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct conv_layer *l = ((void **)arg)[0];
    l->kernel->forward(((void **)arg)[1], first, n, &net->sums[chunk], scratch);
}
void conv_forward(struct skl_net *net, const struct conv_layer *l, const struct skl_load *load,
                  const struct skl_store *store)
{
    struct skl_conv_forward job = {l->shape, net->packed, net->o.kernels, load, store};
    if (store->sums) clear_sums(net, l->shape.k);
    conv_prepare(net, l, false);
    for_chunks(net, forward_chunk, (void *[]){(void *)l, &job});
}

static void backward_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct conv_layer *l = ((void **)arg)[0];
    l->kernel->backward(((void **)arg)[1], first, n, net->partial + (size_t)chunk * net->partial_stride,
                        &net->sums[chunk], scratch);
}
void conv_backward(struct skl_net *net, const struct conv_layer *l, const struct skl_load *x, const struct skl_load *dy,
                   const struct skl_store *dx)
{
    struct skl_conv_backward job = {l->shape, net->packed, net->o.kernels, x, dy, dx};
    if (dx && dx->sums) clear_sums(net, l->shape.c);
    conv_prepare(net, l, true);
    for_chunks(net, backward_chunk, (void *[]){(void *)l, &job});
    conv_reduce(net, l);
}

/* ---- elementwise ---- */
struct map_job {
    const struct skl_load *load;
    const struct skl_store *store;
    struct skl_shape shape;
};
static void map_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct map_job *job = arg;
    const size_t pixels = (size_t)job->shape.h * (size_t)job->shape.w;
    for (int i = first; i < first + n; i++) {
        net->o.kernels->load_rows(job->load, (size_t)i * pixels, (int)pixels, job->shape.c, scratch);
        net->o.kernels->store_rows(job->store, (size_t)i * pixels, (int)pixels, job->shape.c, scratch,
                                   &net->sums[chunk]);
    }
}
void map(struct skl_net *net, const struct skl_load *load, const struct skl_store *store, struct skl_shape shape)
{
    struct map_job job = {load, store, shape};
    if (store->sums) clear_sums(net, shape.c);
    for_chunks(net, map_chunk, &job);
}

/* ---- batch norm (Ioffe and Szegedy, 2015) ---- */
static const double EPSILON = 1e-5;

static void bn_apply(struct skl_net *net, struct bn_layer *bn, int c, double mean, double var)
{
    double gamma = tensor_value(net, bn->gamma)[c], beta = tensor_value(net, bn->beta)[c];
    bn->mean[c] = (float)mean;
    bn->rstd[c] = 1 / sqrt(var + EPSILON);
    bn->scale[c] = (float)(gamma * bn->rstd[c]);
    bn->shift[c] = (float)(beta - mean * gamma * bn->rstd[c]);
}

/* Mean and variance from every chunk's mean and M2, joined in chunk order (Chan, Golub and LeVeque, 1979). */
void bn_from_sums(struct skl_net *net, struct bn_layer *bn, const float *bias)
{
    float *running_mean = tensor_value(net, bn->mean_r), *running_var = tensor_value(net, bn->var_r);
    for (int c = 0; c < bn->c; c++) {
        double count = 0, mean = 0, m2 = 0;
        for (int i = 0; i < net->chunks; i++) {
            const struct skl_sums *s = &net->sums[i];
            double n = (double)s->count;
            if (n == 0) continue;
            double chunk_mean = s->pivot[c] + s->sum[c] / n, chunk_m2 = s->dot[c] - s->sum[c] * s->sum[c] / n;
            double d = chunk_mean - mean;
            m2 += chunk_m2 + d * d * count * n / (count + n);
            mean += d * n / (count + n);
            count += n;
        }
        double var = m2 > 0 ? m2 / count : (m2 == 0 ? 0 : m2 < 0 ? 0 : m2); /* NaN stays NaN */
        bn_apply(net, bn, c, mean, var);
        double seen = mean + (bias ? bias[c] : 0);
        running_mean[c] = (float)(net->remember * running_mean[c] + (1 - net->remember) * seen);
        running_var[c] = (float)(net->remember * running_var[c] +
                                 (1 - net->remember) * (count > 1 ? var * count / (count - 1) : var));
    }
}

void bn_from_running(struct skl_net *net, struct bn_layer *bn, const float *bias)
{
    const float *mean = tensor_value(net, bn->mean_r), *var = tensor_value(net, bn->var_r);
    for (int c = 0; c < bn->c; c++) bn_apply(net, bn, c, mean[c] - (bias ? bias[c] : 0), var[c]);
}

/* With x^ = (y - mean) rstd and m elements a channel:
 *   dbeta = sum g,  dgamma = sum g x^,  dy = gamma rstd (g - dbeta/m - x^ dgamma/m) = c1 g + c2 y + c3. */
void bn_gradient(struct skl_net *net, struct bn_layer *bn, const float *factor, bool second)
{
    double m = 0;
    for (int i = 0; i < net->chunks; i++) m += (double)net->sums[i].count;
    for (int c = 0; c < bn->c; c++) {
        double f = factor ? factor[c] : 1, gamma = tensor_value(net, bn->gamma)[c], rstd = bn->rstd[c];
        double dbeta = f * chunk_total(net, 0, c), dgamma = f * rstd * chunk_total(net, second ? 2 : 1, c);
        double c2 = -gamma * rstd * rstd * dgamma / m;
        bn->c1[c] = (float)(f * gamma * rstd);
        bn->c2[c] = (float)c2;
        bn->c3[c] = (float)(-gamma * rstd * dbeta / m - c2 * bn->mean[c]);
        add_gradient(net, bn->gamma, (size_t)c, dgamma);
        add_gradient(net, bn->beta, (size_t)c, dbeta);
    }
}

struct skl_load bn_view(const struct bn_layer *bn, const float *y, bool relu)
{
    struct skl_load l = {.x = y, .relu = relu};
    if (bn) l.scale = bn->scale, l.shift = bn->shift;
    return l;
}

struct skl_load bn_gradient_load(const struct bn_layer *bn, const float *g, const float *y)
{
    return (struct skl_load){.x = g, .scale = bn->c1, .shift = bn->c3, .add = y, .add_scale = bn->c2};
}
