/* The whole net: one mini-batch as batch-norm groups, side by side or one after another. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/device/choose/devices.h"
#include "core/nn/internal.h"

/* Planned, without memory. */
static int new_net(const struct skl_model_config *model, const struct skl_net_options *options, struct skl_net **out,
                   struct skl_err *err)
{
    struct skl_net *net = *out = skl_alloc(sizeof *net);
    net->model = *model;
    net->o = *options;
    if (net->o.group > net->o.batch) net->o.group = net->o.batch;
    SKL_CHECK(net->o.group > 0);
    int status = skl_device_open(net->o.device, net->o.pool, &net->device, err);
    if (!status) status = net_plan(net, err);
    if (!status) net_fit(net);
    return status;
}

int skl_net_new(const struct skl_model_config *model, const struct skl_net_options *options, struct skl_net **out,
                struct skl_err *err)
{
    struct skl_net *net;
    int status = new_net(model, options, &net, err);
    SKL_CHECK(net->o.batch % net->o.group == 0);
    if (!status) status = net_trust(net, err);
    if (!status) status = net_reserve(net, err);
    if (status) {
        skl_net_free(net);
        return status;
    }
    tensors_init(net);
    *out = net;
    return SKL_OK;
}

void skl_net_free(struct skl_net *net)
{
    if (!net) return;
    if (net->device) net->device->ops->release(net->device, net->memory), net->device->ops->close(net->device);
    host_free(net);
    for (int i = 0; i < net->bns; i++) free(net->bn[i]);
    free(net->bn), free(net->tensor), free(net->start), free(net->at), free(net->learned), free(net->staging);
    free(net->unit), free(net->signal);
    free(net);
}

const struct skl_device *skl_net_device(const struct skl_net *net) { return net->device; }

int skl_net_sound(const struct skl_net *net, struct skl_err *err)
{
    return net->trouble.text[0] ? skl_fail(err, SKL_FAILED, "%s", net->trouble.text) : SKL_OK;
}

double skl_net_peak(struct skl_net *net) { return net->device->ops->peak(net->device); }

double skl_net_bandwidth(struct skl_net *net)
{
    enum { SIDE = 1024, CHANNELS = 16, COPIES = 10 };
    const size_t bytes = sizeof(float) * SIDE * SIDE * CHANNELS;
    const struct skl_device_ops *ops = net->device->ops;
    struct skl_memory *memory;
    if (ops->reserve(net->device, 2 * bytes, &memory, NULL)) return 0;
    const struct skl_operand x = {.x = {memory, 0}};
    const struct skl_result y = {.y = {memory, bytes}};
    ops->clear(net->device, x.x, 2 * bytes);
    net->device->groups = 1;
    double start = 0;
    for (int i = -1; i < COPIES; i++) {
        ops->map(net->device, &x, &y, 1, (struct skl_shape){SIDE, SIDE, CHANNELS});
        if (i >= 0) continue;
        net_finish(net);
        start = skl_seconds();
    }
    net_finish(net);
    const double seconds = skl_seconds() - start;
    ops->release(net->device, memory);
    return 2.0 * (double)bytes * COPIES / seconds;
}

char *skl_net_arithmetic(const struct skl_net *net)
{
    char *kernels = skl_net_kernels(net);
    char *text = net->device->ops->arithmetic(net->device, kernels, net->o.group);
    free(kernels);
    return text;
}

/* ---- so many groups of n images at once ---- */
static void begin(struct skl_net *net, bool training, int first, int groups, int n, int64_t iteration)
{
    net->training = training;
    net->first = first, net->groups = groups, net->n = n;
    net->clean = false, net->remember = 0.9;
    net->iteration = iteration;
    for (int i = 0; i <= net->units; i++) {
        if (i > 0) net->unit[i - 1].at = training ? &net->unit[i - 1].train : &net->unit[i - 1].eval;
        net->signal[i].z = i > 0 ? net->unit[i - 1].at->z : training ? net->stem_z : net->stem_ze;
        net->signal[i].ready = false;
    }
}

static void forward(struct skl_net *net, const float *images)
{
    const size_t image = (size_t)net->o.size * (size_t)net->o.size * (size_t)net->o.channels;
    if (!coefficients_ask(net)) net->groups = 1, coefficients_ask(net);
    net->device->groups = net->groups;
    net->device->ops->upload(net->device, images + (size_t)net->first * image,
                             (size_t)all_images(net) * image * sizeof *images, net->images);
    coefficients_forward(net);
    stem_forward(net);
    for (int i = 0; i < net->units; i++) unit_forward(net, &net->unit[i], &net->signal[i], &net->signal[i + 1]);
    head_forward(net);
}

static void backward(struct skl_net *net)
{
    head_backward(net);
    if (net->watch) net->watch(net, net->units);
    for (int i = net->units - 1; i >= 0; i--) {
        unit_backward(net, &net->unit[i], &net->signal[i]);
        if (net->watch) net->watch(net, i);
    }
    stem_backward(net);
    coefficients_backward(net);
}

static void clear_score(struct skl_net *net) { net->device->ops->clear(net->device, net->head.score, SKL_PLACE_ALIGN); }

/* Summed over images since it was cleared. */
static struct skl_step_result read_score(struct skl_net *net)
{
    struct skl_score score = {0, 0};
    net->device->ops->read_score(net->device, net->head.score, &score);
    net_finish(net);
    return (struct skl_step_result){net->trouble.text[0] ? NAN : score.loss, (int)score.errors};
}

static void read_logits(struct skl_net *net, float *logits)
{
    if (!logits) return;
    net->device->ops->download(net->device, net->head.logits,
                               sizeof *logits * (size_t)(all_images(net) * net->o.classes),
                               logits + net->first * net->o.classes);
    net_finish(net);
}

/* ---- training ---- */
double net_watched(struct skl_net *net, const float *images, const int32_t *labels, int n)
{
    begin(net, true, 0, 1, n, 0);
    net->accumulate = false;
    clear_score(net);
    forward(net, images);
    head_loss(net, &(struct skl_targets){.labels = labels});
    backward(net);
    return read_score(net).loss / n;
}

void skl_net_gradient(struct skl_net *net, const float *images, const struct skl_targets *targets, int64_t iteration,
                      float *logits)
{
    clear_score(net);
    for (int first = 0; first < net->o.batch; first += all_images(net)) {
        const int left = (net->o.batch - first) / net->o.group; /* no multiple of side where some went alone */
        double t0 = skl_seconds();
        begin(net, true, first, left < net->side ? left : net->side, net->o.group, iteration);
        net->accumulate = first > 0;
        forward(net, images);
        head_loss(net, targets);
        read_logits(net, logits);
        double t1 = skl_seconds();
        backward(net);
        net->seconds[0] += t1 - t0;
        net->seconds[1] += skl_seconds() - t1;
    }
}

struct skl_step_result skl_net_result(struct skl_net *net)
{
    struct skl_step_result result = read_score(net);
    result.loss /= net->o.batch;
    return result;
}

bool skl_net_goes_ahead(const struct skl_net *net) { return net->device->bits & SKL_GOES_AHEAD; }

void skl_net_note(struct skl_net *net)
{
    SKL_CHECK(net->noted < SKL_NET_STEPS);
    const struct skl_place note = {net->notes.memory,
                                   net->notes.offset + (size_t)net->noted++ * sizeof(struct skl_note)};
    net->device->ops->note(net->device, net->head.score, net->stop, note);
}

int skl_net_noted(struct skl_net *net, struct skl_step_result result[SKL_NET_STEPS], bool *sound)
{
    const struct skl_device_ops *ops = net->device->ops;
    struct skl_note note[SKL_NET_STEPS];
    const int n = net->noted;
    int32_t stop = 0;
    int k = 0;
    ops->download(net->device, net->notes, (size_t)n * sizeof *note, note);
    ops->download(net->device, net->stop, sizeof stop, &stop);
    net_finish(net);
    net->noted = 0;
    *sound = !net->trouble.text[0];
    if (!*sound) return 0;
    while (k < n && *sound) {
        result[k] = (struct skl_step_result){note[k].score.loss / net->o.batch, (int)note[k].score.errors};
        *sound = isfinite(result[k].loss) && !(k + 1 < n ? note[k + 1].stopped : stop);
        k++;
    }
    if (stop) ops->clear(net->device, net->stop, sizeof stop);
    return k;
}

void skl_net_update(struct skl_net *net, const struct skl_train_config *c, double lr)
{
    double t0 = skl_seconds();
    const struct skl_sgd sgd = {
        (float)lr,   (float)c->momentum, (float)c->weight_decay, c->momentum_form == SKL_MOMENTUM_CAFFE,
        c->nesterov, net->stop};
    net->device->ops->sgd(net->device, net->learned, net->learned_tensors, &sgd);
    if (net->noted) stop_if_infinite(net);
    net->own_stale = true;
    net->seconds[2] += skl_seconds() - t0;
}

void skl_net_times(struct skl_net *net, double seconds[3])
{
    memcpy(seconds, net->seconds, sizeof net->seconds);
    memset(net->seconds, 0, sizeof net->seconds);
}

/* ---- evaluation ---- */
struct skl_step_result skl_net_evaluate(struct skl_net *net, const float *images, const int32_t *labels, int n,
                                        float *logits)
{
    SKL_CHECK(n <= net->o.batch);
    clear_score(net);
    net->device->groups = 1;
    for (int i = 0; i < net->bns; i++)
        net->device->ops->bn_recall(net->device, &net->bn[i]->n, value_of(net, net->bn[i]->bias));
    for (int first = 0; first < n; first += net->slice) {
        begin(net, false, first, 1, n - first < net->slice ? n - first : net->slice, 0);
        forward(net, images);
        head_loss(net, &(struct skl_targets){.labels = labels});
        read_logits(net, logits);
    }
    return read_score(net);
}

void skl_net_statistics(struct skl_net *net, const float *images, int64_t *groups)
{
    for (int first = 0; first < net->o.batch; first += net->o.group, ++*groups) {
        begin(net, true, first, 1, net->o.group, 0); /* remember changes from group to group */
        net->clean = true;
        net->remember = (double)*groups / (double)(*groups + 1);
        forward(net, images);
    }
}

/* ---- besides ---- */
bool skl_net_mask(struct skl_net *net, int unit, float *mask, int shape[4])
{
    if (unit < 0 || unit >= net->units) return false;
    struct unit *u = &net->unit[unit];
    const struct skl_shape s = u->place.out;
    if (u->a.said.span != SKL_MASK) return false;
    const int dims[4] = {net->o.batch, s.c, s.h, s.w};
    memcpy(shape, dims, sizeof dims);
    if (!mask) return true;
    const double limit = u->a.said.drop * 4294967296.0;
    const uint64_t key = make_call(net, u).rng_key;
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
    struct skl_net *net;
    int status = new_net(model, options, &net, err);
    if (status == SKL_OK) {
        describe_net(net, info);
        info->bytes = net_bytes(net);
        info->memory = net->device->memory;
    }
    skl_net_free(net);
    return status;
}
