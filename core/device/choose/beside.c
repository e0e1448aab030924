/* Several batch-norm groups in one call beside one call a group, on one device: the same bytes. */
#include "core/device/choose/beside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"

/* Groups, as a device may join two at a time, or four and then one; convolutions at most; floats of a memory. */
enum { FEW = 2, MOST = 5, CONVS = 4, ROOM = 1 << 21, SUMS_ROOM = 1 << 22 };

/* A memory of tensors, and one of sums: how these look is the device's affair. */
struct desk {
    struct skl_device *d;
    const struct skl_device_ops *ops;
    struct skl_memory *memory, *sums;
    size_t used, sums_used; /* floats */
    struct step {
        const char *name;
        size_t end; /* its tensors end here */
    } step[16];
    int steps;
    int first, groups, all; /* the groups of these calls, of all */
    int n;                  /* images a group */
    bool accumulate;
};
static const struct skl_place nowhere = {NULL, 0};

/* Floats of the net's, of each group. */
static struct skl_place net(struct desk *k, size_t floats)
{
    const struct skl_place p = {k->memory, k->used * sizeof(float)};
    k->used += (floats + 15) / 16 * 16; /* SKL_PLACE_ALIGN */
    SKL_CHECK(k->used <= ROOM);
    return p;
}
static struct skl_place each(struct desk *k, size_t floats)
{
    return skl_further(net(k, floats * (size_t)k->all), floats * (size_t)k->first);
}
static struct skl_place each_bytes(struct desk *k, size_t bytes)
{
    struct skl_place p = net(k, bytes * (size_t)k->all / sizeof(float) + 1);
    p.offset += bytes * (size_t)k->first;
    return p;
}
static struct skl_place sums(struct desk *k, int c)
{
    const size_t floats = k->ops->sums_bytes(k->d, c) / sizeof(float);
    const struct skl_place p = {k->sums, (k->sums_used + floats * (size_t)k->first) * sizeof(float)};
    k->sums_used += floats * (size_t)k->all;
    SKL_CHECK(k->sums_used <= SUMS_ROOM);
    return p;
}
static size_t floats_of(const struct desk *k, struct skl_shape s)
{
    return (size_t)k->n * (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static struct skl_operand operand(struct desk *k, struct skl_shape s, bool same)
{
    const size_t c = (size_t)s.c, all = floats_of(k, s);
    return (struct skl_operand){.x = each(k, all),
                                .scale = same ? net(k, c) : each(k, c),
                                .shift = same ? net(k, c) : each(k, c),
                                .add = each(k, all),
                                .add_scale = each(k, c),
                                .relu = true,
                                .same = same};
}
static struct skl_result statistics(struct desk *k, struct skl_shape s)
{
    return (struct skl_result){.y = each(k, floats_of(k, s)), .sums = sums(k, s.c)};
}
static struct skl_result gradient(struct desk *k, struct skl_shape s)
{
    const size_t c = (size_t)s.c, all = floats_of(k, s);
    return (struct skl_result){.y = each(k, all),
                               .add = each(k, all),
                               .add_scale = each(k, c),
                               .mask = each(k, all),
                               .mask_scale = each(k, c),
                               .mask_shift = each(k, c),
                               .sums = sums(k, s.c),
                               .partner = each(k, all),
                               .pivot = each(k, c),
                               .partner2 = each(k, all),
                               .pivot2 = each(k, c)};
}

/* ---- the operations ---- */
static struct skl_norm norm_of(struct desk *k, int channels)
{
    const size_t c = (size_t)channels, spread = k->ops->norm_bytes(k->d, channels) / sizeof(float);
    return (struct skl_norm){.c = channels,
                             .gamma = net(k, c),
                             .beta = net(k, c),
                             .running_mean = net(k, c),
                             .running_var = net(k, c),
                             .dgamma = net(k, c),
                             .dbeta = net(k, c),
                             .scale = each(k, c),
                             .shift = each(k, c),
                             .mean = each(k, c),
                             .spread = each(k, spread),
                             .c1 = each(k, c),
                             .c2 = each(k, c),
                             .c3 = each(k, c)};
}
/* All that is made of sums: of statistics, of a gradient's; nowhere: there are none. */
static void norms(struct desk *k, int channels, struct skl_place forward, struct skl_place backward)
{
    const size_t c = (size_t)channels;
    const struct skl_norm norm = norm_of(k, channels);
    const struct skl_place bias = net(k, c), factor = each(k, c), dbias = net(k, c);
    const struct skl_coef_sums one = {channels, backward, &norm, &norm, SKL_ONE, SKL_PER_CHANNEL, each(k, 2 * c)};
    if (skl_there(forward)) k->ops->bn_forward(k->d, &norm, forward, bias, 0.75);
    if (!skl_there(backward)) return;
    k->ops->bn_backward(k->d, &norm, backward, true, factor, k->accumulate);
    k->ops->bias_backward(k->d, channels, backward, factor, dbias, k->accumulate);
    k->ops->coef_sums(k->d, &one);
}

static void convolution(struct desk *k, const struct skl_conv_plan *plan)
{
    const struct skl_conv_shape s = plan->shape;
    const struct skl_shape in = {s.h, s.w, s.c},
                           out = {(s.h + s.stride - 1) / s.stride, (s.w + s.stride - 1) / s.stride, s.k};
    const size_t weights = (size_t)s.size * (size_t)s.size * (size_t)s.c * (size_t)s.k;
    struct skl_conv_job job = {
        .plan = plan, .n = k->n, .weight = net(k, weights), .dweight = net(k, weights), .accumulate = k->accumulate};
    job.x = operand(k, in, false), job.x.out = each(k, floats_of(k, in)), job.y = statistics(k, out);
    k->ops->conv_forward(k->d, &job);
    const struct skl_place forward = job.y.sums;
    job.x.out = nowhere, job.dy = operand(k, out, true), job.y = gradient(k, in);
    k->ops->conv_backward(k->d, &job);
    norms(k, out.c, forward, nowhere);
    norms(k, in.c, nowhere, job.y.sums);
}

static void plain(struct desk *k, struct skl_shape s)
{
    const size_t c = (size_t)s.c, all = floats_of(k, s);
    const struct skl_shape small = skl_max_pooled(s), wide = {s.h, s.w, 2 * s.c};
    const struct skl_operand x = operand(k, s, false), g = operand(k, s, true);
    const struct skl_result y = statistics(k, s), dx = gradient(k, s);
    k->ops->map(k->d, &x, &y, k->n, s);
    k->ops->map(k->d, &g, &dx, k->n, s);
    norms(k, s.c, y.sums, dx.sums);
    const struct skl_blend blend = {s.c,       each(k, c), each(k, c), each(k, c), each(k, c), net(k, c),
                                    net(k, c), each(k, c), each(k, c), each(k, c), true};
    k->ops->blend(k->d, &blend);
    struct skl_place padded = each(k, floats_of(k, wide)), back = each(k, all);
    k->ops->pad(k->d, x.x, padded, k->n, s, wide, false);
    k->ops->pad(k->d, padded, back, k->n, s, wide, true);
    k->ops->keep_bits(k->d, 99, 0.3, k->first * k->n, k->n, all / (size_t)k->n, each_bytes(k, all / 8));
    struct skl_max_pool pool = {.in = s, .x = operand(k, s, false), .y = each(k, floats_of(k, small))};
    pool.chosen = each_bytes(k, floats_of(k, small));
    pool.dy = pool.y, pool.dx = gradient(k, s);
    k->ops->max_pool_forward(k->d, &pool, k->n);
    k->ops->max_pool_backward(k->d, &pool, k->n);
    norms(k, s.c, nowhere, pool.dx.sums);
}

static void head(struct desk *k, struct skl_shape s)
{
    enum { CLASSES = 5 };
    const size_t c = (size_t)s.c, n = (size_t)k->n;
    const struct skl_operand x = operand(k, s, false);
    const struct skl_result dx = gradient(k, s);
    const struct skl_head h = {.shape = s,
                               .classes = CLASSES,
                               .weight = net(k, CLASSES * c),
                               .bias = net(k, CLASSES),
                               .dweight = net(k, CLASSES * c),
                               .dbias = net(k, CLASSES),
                               .pooled = each(k, n * c),
                               .dpooled = each(k, n * c),
                               .logits = each(k, n * CLASSES),
                               .dlogits = each(k, n * CLASSES),
                               .labels = each(k, n),
                               .score = net(k, 16)};
    if (k->first == 0) k->ops->clear(k->d, h.score, SKL_PLACE_ALIGN);
    k->ops->clear(k->d, h.labels, n * (size_t)k->groups * sizeof(int32_t)); /* all of class 0 */
    k->ops->head_forward(k->d, &h, &x, k->n);
    k->ops->head_loss(k->d, &h, k->n, k->n * k->all);
    k->ops->head_backward(k->d, &h, &dx, k->n, k->accumulate);
    norms(k, s.c, nowhere, dx.sums);
}

static void no_affine(const struct skl_call *call, struct skl_coef *a, struct skl_coef *b) {}

static void merge(struct desk *k, struct skl_shape s, const struct skl_shortcut *variant, enum skl_span span)
{
    const struct skl_unit u = {0, 1, s, s};
    struct skl_decl decl = {.source = SKL_X, .numbers = SKL_MAX_NUMBERS};
    const size_t all = floats_of(k, s), c = (size_t)s.c, n = (size_t)k->n, v = span == SKL_PER_IMAGE ? n : c;
    for (int i = 0; i < SKL_MAX_NUMBERS; i++) decl.p[i] = 0.5f;
    struct skl_merge job = {
        .variant = variant,
        .call = {.unit = &u,
                 .training = true,
                 .batch = k->n * k->all,
                 .first = k->first * k->n,
                 .n = k->n,
                 .rng_key = 99,
                 .p = decl.p},
        .decl = &decl,
        .a = {span, each(k, v), 0.4, span != SKL_PER_IMAGE, nowhere},
        .b = {span == SKL_PER_IMAGE ? span : SKL_PER_CHANNEL, each(k, v), 0, span != SKL_PER_IMAGE, nowhere},
        .x_shape = s,
        .h_shape = s,
        .x = each(k, all),
        .h = operand(k, s, false),
        .f = operand(k, s, false),
        .layers = true,
        .y = statistics(k, s),
        .relu = true};
    k->ops->merge_forward(k->d, &job);
    const struct skl_place forward = job.y.sums;
    job.dy = each(k, all), job.dx = each(k, all), job.dh = each(k, all);
    job.df = gradient(k, s), job.df.add = job.df.add_scale = nowhere;
    if (variant->affine && span != SKL_PER_IMAGE) job.dcoef = each(k, 2 * c);
    k->ops->merge_backward(k->d, &job);
    norms(k, s.c, forward, job.df.sums);
}

/* ---- all of them ---- */
static void step_done(struct desk *k, const char *name)
{
    SKL_CHECK(k->steps < (int)(sizeof k->step / sizeof *k->step));
    k->step[k->steps++] = (struct step){name, k->used};
}

/* On the same places whenever it is called: groups `first` and those behind it. */
static void operate(struct desk *k, const struct skl_selftest *what, const struct skl_conv_plan *plan, int first,
                    int groups)
{
    static const struct skl_shortcut affine = {.name = "y = a h + b f", .affine = no_affine};
    const struct skl_shape odd = {5, 3, 8};
    k->used = k->sums_used = 0, k->steps = 0;
    k->first = first, k->d->groups = k->groups = groups, k->accumulate = first > 0;
    for (int i = 0; i < what->convs; i++) convolution(k, &plan[i]), step_done(k, plan[i].kernel);
    plain(k, odd), step_done(k, "map, batch norm or pooling");
    head(k, odd), step_done(k, "the head");
    merge(k, odd, &affine, SKL_PER_CHANNEL), step_done(k, "merge a channel");
    merge(k, odd, &affine, SKL_PER_IMAGE), step_done(k, "merge an image");
    merge(k, odd, &affine, SKL_MASK), step_done(k, "merge with a mask");
    if (what->variant && what->variant->forward_code)
        merge(k, odd, what->variant, SKL_ONE), step_done(k, what->variant->name);
    k->d->groups = 1;
}

static int ready(struct desk *k, const struct skl_selftest *what, struct skl_conv_plan *plan, struct skl_err *err)
{
    const struct skl_conv_plan *list[CONVS];
    struct skl_needs needs = {.images = k->n * MOST,
                              .group = k->n,
                              .groups = MOST,
                              .activation = 8 * 8 * 64,
                              .channels = 64,
                              .convs = what->convs,
                              .conv = list};
    int status = SKL_OK;
    for (int i = 0; i < what->convs && !status; i++) {
        status = k->ops->conv_plan(k->d, what->conv[i], SKL_CONV_AUTO, &plan[i], err);
        list[i] = &plan[i];
    }
    if (!status) status = k->ops->ready(k->d, &needs, err);
    if (!status) status = k->ops->reserve(k->d, ROOM * sizeof(float), &k->memory, err);
    return status ? status : k->ops->reserve(k->d, SUMS_ROOM * sizeof(float), &k->sums, err);
}

/* The memory from `start`, all groups by so many at once, and what came of it. */
static int go(struct desk *k, const struct skl_selftest *what, const struct skl_conv_plan *plan, int at_once,
              const float *start, float *after, struct skl_err *err)
{
    const struct skl_place all = {k->memory, 0};
    k->ops->upload(k->d, start, ROOM * sizeof *start, all);
    for (int g = 0; g < k->all; g += at_once) operate(k, what, plan, g, at_once);
    k->ops->download(k->d, all, ROOM * sizeof *after, after);
    return k->ops->finish(k->d, err);
}

static int compare(const struct desk *k, const float *beside, const float *after, double tolerance, struct skl_err *err)
{
    for (size_t i = 0; i < ROOM; i++) {
        const double a = beside[i], b = after[i];
        if (!memcmp(&beside[i], &after[i], sizeof *after) || fabs(a - b) <= tolerance * (1 + fabs(b))) continue;
        int at = 0;
        while (at < k->steps - 1 && i >= k->step[at].end) at++;
        return skl_fail(err, SKL_FAILED,
                        "%s: %s computes wrongly with %d batch-norm groups in one call: %.9g, not %.9g", k->d->level,
                        k->step[at].name, k->all, a, b);
    }
    return SKL_OK;
}

int skl_beside_test(struct skl_device *d, const struct skl_selftest *what, double tolerance, struct skl_err *err)
{
    struct desk k = {.d = d, .ops = d->ops, .n = what->images};
    struct skl_conv_plan plan[CONVS];
    SKL_CHECK(what->convs <= CONVS);
    float *start = skl_alloc_array(ROOM, sizeof *start), *beside = skl_alloc_array(ROOM, sizeof *start),
          *after = skl_alloc_array(ROOM, sizeof *start);
    for (size_t i = 0; i < ROOM; i++) start[i] = (float)(4 * skl_rng_uniform(11, i) - 2);
    int status = ready(&k, what, plan, err);
    for (k.all = FEW; k.all <= MOST && !status; k.all += MOST - FEW) {
        status = go(&k, what, plan, k.all, start, beside, err);
        if (!status) status = go(&k, what, plan, 1, start, after, err);
        if (!status) status = compare(&k, beside, after, tolerance, err);
    }
    d->ops->release(d, k.memory), d->ops->release(d, k.sums);
    free(start), free(beside), free(after);
    return status;
}
