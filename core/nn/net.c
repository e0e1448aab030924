/* The whole net: stem, units in order, head; one mini-batch as batch-norm groups that run one after another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/rng.h"
#include "core/device/cpu/kernels/reference.h"
#include "core/nn/internal.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct skl_net *new_net(const struct skl_model_config *model, const struct skl_net_options *options)
{
    struct skl_net *net = skl_alloc(sizeof *net);
    net->model = *model;
    net->o = *options;
    if (net->o.group > net->o.batch) net->o.group = net->o.batch;
    if (!net->o.kernels) net->o.kernels = skl_kernels_for(skl_cpu_best());
    return net;
}

int skl_net_new(const struct skl_model_config *model, const struct skl_net_options *options, struct skl_net **out,
                struct skl_err *err)
{
    struct skl_net *net = new_net(model, options);
    SKL_CHECK(net->o.group > 0 && net->o.batch % net->o.group == 0);
    int status = net_plan(net, err);
    if (status) {
        skl_net_free(net);
        return status;
    }
    net_allocate(net);
    tensors_init(net);
    *out = net;
    return SKL_OK;
}

void skl_net_free(struct skl_net *net)
{
    if (!net) return;
    for (int i = 0; i < net->bns; i++) free(net->bn[i]);
    free(net->bn), free(net->tensor), free(net->start), free(net->unit), free(net->value);
    skl_unmap(net->arena.base, net->arena.size);
    free(net);
}

/* ---- head: extra activation of the pre-activation orders, average pooling, fully connected, softmax cross-entropy ---- */
static void pool_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    (void)chunk;
    const struct skl_shape s = net->value[net->units].shape;
    const int pixels = s.h * s.w;
    for (int i = first; i < first + n; i++) {
        net->o.kernels->load_rows(arg, (size_t)i * (size_t)pixels, pixels, s.c, scratch);
        net->o.kernels->pool(pixels, s.c, scratch, net->pooled + (size_t)i * (size_t)s.c);
    }
}

static void head_forward(struct skl_net *net)
{
    struct value *v = &net->value[net->units];
    const int c = v->shape.c, classes = net->o.classes;
    struct skl_load load;
    if (net->last_relu) {
        value_write(net, v);
        load = bn_view(net->last_bn, v->z, true);
    } else
        load = value_take(v);
    for_chunks(net, pool_chunk, &load);
    const float *w = tensor_value(net, net->fc_weight), *b = tensor_value(net, net->fc_bias);
    for (int i = 0; i < net->n; i++)
        for (int k = 0; k < classes; k++) {
            double sum = b[k];
            for (int j = 0; j < c; j++) sum += (double)w[k * c + j] * net->pooled[i * c + j];
            net->logits[i * classes + k] = (float)sum;
        }
}

/* Adds the summed loss and errors of the group; dlogits = (softmax - one-hot) / batch. */
static void loss_forward(struct skl_net *net, const int32_t *labels, struct skl_step_result *result)
{
    const int classes = net->o.classes;
    for (int i = 0; i < net->n; i++) {
        const float *z = net->logits + i * classes;
        float *d = net->dlogits + i * classes;
        int best = 0;
        double sum = 0;
        for (int k = 1; k < classes; k++)
            if (z[k] > z[best]) best = k;
        for (int k = 0; k < classes; k++) sum += skl_exp((double)z[k] - z[best]);
        for (int k = 0; k < classes; k++)
            d[k] = (float)((skl_exp((double)z[k] - z[best]) / sum - (k == labels[i])) / net->o.batch);
        result->loss += z[best] - (double)z[labels[i]] + (sum > 0 ? skl_log(sum) : sum);
        result->errors += !(best == labels[i] && z[best] == z[best]);
    }
}

static void spread_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct skl_shape s = net->value[net->units].shape;
    const size_t pixels = (size_t)s.h * (size_t)s.w, c = (size_t)s.c;
    for (int i = first; i < first + n; i++) {
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++) scratch[p * c + k] = net->dpooled[(size_t)i * c + k] / (float)pixels;
        net->o.kernels->store_rows(arg, (size_t)i * pixels, (int)pixels, s.c, scratch, &net->sums[chunk]);
    }
}

static void head_backward(struct skl_net *net)
{
    struct value *v = &net->value[net->units];
    const int c = v->shape.c, classes = net->o.classes;
    const float *w = tensor_value(net, net->fc_weight);
    for (int k = 0; k < classes; k++) {
        double db = 0;
        for (int i = 0; i < net->n; i++) db += net->dlogits[i * classes + k];
        add_gradient(net, net->fc_bias, (size_t)k, db);
        for (int j = 0; j < c; j++) {
            double dw = 0;
            for (int i = 0; i < net->n; i++) dw += (double)net->dlogits[i * classes + k] * net->pooled[i * c + j];
            add_gradient(net, net->fc_weight, (size_t)(k * c + j), dw);
        }
    }
    for (int i = 0; i < net->n; i++)
        for (int j = 0; j < c; j++) {
            double sum = 0;
            for (int k = 0; k < classes; k++) sum += (double)net->dlogits[i * classes + k] * w[k * c + j];
            net->dpooled[i * c + j] = (float)sum;
        }
    struct skl_store sink;
    value_sink(net, net->units, &sink);
    sink.y = net->g;
    if (!net->last_relu) {
        if (sink.sums) clear_sums(net, c);
        for_chunks(net, spread_chunk, &sink);
        return;
    }
    struct skl_load act = bn_view(net->last_bn, v->z, true), load = {.x = net->t[0]};
    struct skl_store store = {
        .y = net->t[0], .gate = act.x, .gate_scale = act.scale, .gate_shift = act.shift, .sums = net->last_bn != NULL};
    if (net->last_bn) store.partner = v->z, store.pivot = net->last_bn->mean, clear_sums(net, c);
    for_chunks(net, spread_chunk, &store);
    if (net->last_bn)
        bn_gradient(net, net->last_bn, NULL, false), load = bn_gradient_load(net->last_bn, net->t[0], v->z);
    map(net, &load, &sink, v->shape);
}

/* ---- one group ---- */
static void begin(struct skl_net *net, bool training, int first, int n, int64_t iteration)
{
    net->training = training;
    net->first = first, net->n = n;
    net->clean = false, net->remember = 0.9;
    net->chunks = skl_chunk_count(n);
    net->iteration = iteration;
    for (int i = 0; i <= net->units; i++) {
        if (i > 0) net->unit[i - 1].b = training ? &net->unit[i - 1].train : &net->unit[i - 1].eval;
        net->value[i].z = i > 0 ? net->unit[i - 1].b->z : training ? net->stem_z : net->stem_ze;
        net->value[i].ready = false;
    }
}

static void forward(struct skl_net *net, const float *images)
{
    struct skl_load load = {.x = images};
    struct skl_store store = {.y = net->training ? net->stem_y : net->stem_ye, .sums = net->training};
    conv_forward(net, &net->stem, &load, &store);
    if (net->training) bn_from_sums(net, net->stem_bn, NULL);
    net->value[0].pending = bn_view(net->stem_bn, store.y, true);
    for (int i = 0; i < net->units; i++) unit_forward(net, &net->unit[i], &net->value[i], &net->value[i + 1]);
    head_forward(net);
}

static void backward(struct skl_net *net, const float *images)
{
    head_backward(net);
    if (net->watch) net->watch(net, net->units);
    for (int i = net->units - 1; i >= 0; i--) {
        unit_backward(net, &net->unit[i], &net->value[i]);
        if (net->watch) net->watch(net, i);
    }
    bn_gradient(net, net->stem_bn, NULL, false);
    struct skl_load x = {.x = images}, dy = bn_gradient_load(net->stem_bn, net->g, net->stem_y);
    conv_backward(net, &net->stem, &x, &dy, NULL);
}

double net_watched(struct skl_net *net, const float *images, const int32_t *labels, int n)
{
    struct skl_step_result result = {0, 0};
    begin(net, true, 0, n, 0);
    net->accumulate = false;
    forward(net, images);
    loss_forward(net, labels, &result);
    backward(net, images);
    return result.loss / n;
}

struct skl_step_result skl_net_gradient(struct skl_net *net, const float *images, const int32_t *labels,
                                        int64_t iteration, float *logits)
{
    struct skl_step_result result = {0, 0};
    const size_t image = (size_t)net->o.size * (size_t)net->o.size * (size_t)net->o.channels;
    for (int first = 0; first < net->o.batch; first += net->o.group) {
        double t0 = now();
        begin(net, true, first, net->o.group, iteration);
        net->accumulate = first > 0;
        forward(net, images + (size_t)first * image);
        loss_forward(net, labels + first, &result);
        if (logits)
            memcpy(logits + first * net->o.classes, net->logits, sizeof *logits * (size_t)(net->n * net->o.classes));
        double t1 = now();
        backward(net, images + (size_t)first * image);
        net->seconds[0] += t1 - t0;
        net->seconds[1] += now() - t1;
    }
    result.loss /= net->o.batch;
    return result;
}

static const float *bias_below(const struct skl_net *net, const struct bn_layer *bn)
{
    for (int i = 0; i < net->units; i++)
        for (int j = 0; j < net->unit[i].decl.convs; j++)
            if (net->unit[i].shortcut_bn[j] == bn && net->unit[i].shortcut_conv[j].bias >= 0)
                return tensor_value(net, net->unit[i].shortcut_conv[j].bias);
    return NULL;
}

struct skl_step_result skl_net_evaluate(struct skl_net *net, const float *images, const int32_t *labels, int n,
                                        float *logits)
{
    struct skl_step_result result = {0, 0};
    const size_t image = (size_t)net->o.size * (size_t)net->o.size * (size_t)net->o.channels;
    SKL_CHECK(n <= net->o.batch);
    for (int i = 0; i < net->bns; i++) bn_from_running(net, net->bn[i], bias_below(net, net->bn[i]));
    for (int first = 0; first < n; first += SKL_EVAL_SLICE) {
        int count = n - first < SKL_EVAL_SLICE ? n - first : SKL_EVAL_SLICE;
        begin(net, false, first, count, 0);
        forward(net, images + (size_t)first * image);
        loss_forward(net, labels + first, &result);
        if (logits)
            memcpy(logits + first * net->o.classes, net->logits, sizeof *logits * (size_t)(count * net->o.classes));
    }
    return result;
}

void skl_net_statistics(struct skl_net *net, const float *images, int64_t *groups)
{
    const size_t image = (size_t)net->o.size * (size_t)net->o.size * (size_t)net->o.channels;
    for (int first = 0; first < net->o.batch; first += net->o.group, ++*groups) {
        begin(net, true, first, net->o.group, 0);
        net->clean = true;
        net->remember = (double)*groups / (double)(*groups + 1);
        forward(net, images + (size_t)first * image);
    }
}

/* ---- update ---- */
struct update_job {
    struct skl_net *net;
    float lr, momentum, decay;
    bool caffe;
};
static void update_tensor(void *arg, int i, int worker)
{
    (void)worker;
    const struct update_job *j = arg;
    struct skl_tensor *t = &j->net->tensor[i];
    if (t->grad)
        j->net->o.kernels->sgd(t->count, t->value, t->grad, t->momentum, j->lr, j->momentum, t->decay ? j->decay : 0,
                               j->caffe);
}
void skl_net_update(struct skl_net *net, double lr, double momentum, double weight_decay, int momentum_form)
{
    double t0 = now();
    struct update_job job = {net, (float)lr, (float)momentum, (float)weight_decay, momentum_form == SKL_MOMENTUM_CAFFE};
    skl_parallel(net->o.pool, net->tensors, update_tensor, &job);
    net->seconds[2] += now() - t0;
}

void skl_net_times(struct skl_net *net, double seconds[3])
{
    memcpy(seconds, net->seconds, sizeof net->seconds);
    memset(net->seconds, 0, sizeof net->seconds);
}

bool skl_net_mask(struct skl_net *net, int unit, float *mask, int shape[4])
{
    if (unit < 0 || unit >= net->units) return false;
    struct unit *u = &net->unit[unit];
    const struct skl_shape s = u->place.out;
    if (u->a_coef.span != SKL_MASK) return false;
    const int dims[4] = {net->o.batch, s.c, s.h, s.w};
    memcpy(shape, dims, sizeof dims);
    if (!mask) return true;
    const double limit = u->a_coef.drop * 4294967296.0;
    const uint64_t key = unit_key(net, u);
    for (int n = 0; n < net->o.batch; n++)
        for (int p = 0; p < s.h * s.w; p++)
            for (int c = 0; c < s.c; c++) {
                uint64_t e = ((uint64_t)n * (uint64_t)(s.h * s.w) + (uint64_t)p) * (uint64_t)s.c + (uint64_t)c;
                mask[((size_t)n * (size_t)s.c + (size_t)c) * (size_t)(s.h * s.w) + (size_t)p] =
                    skl_philox(key, 0, e / 4).v[e % 4] >= limit;
            }
    return true;
}

int skl_net_describe(const struct skl_model_config *model, const struct skl_net_options *options,
                     struct skl_net_info *info, struct skl_err *err)
{
    struct skl_net *net = new_net(model, options);
    int status = net_plan(net, err);
    if (status == SKL_OK) {
        describe_net(net, info);
        info->bytes = net_bytes(net);
    }
    skl_net_free(net);
    return status;
}
