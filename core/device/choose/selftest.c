/* Each operation once on both devices, with everything that an operand or a result can have; what comes out is
 * compared. */
#include "core/device/choose/selftest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"

/* Two memories with the same layout: a tensor is an offset, a place one of each device. */
struct lab {
    struct skl_device *d[2]; /* suspect, trusted */
    struct skl_memory *memory[2];
    size_t used, room;
    uint64_t numbers; /* drawn so far */
    struct skl_err *err;
    const struct skl_selftest *what;
    int status;
};

/* ---- tensors ---- */
static size_t rounded(size_t bytes) { return (bytes + SKL_PLACE_ALIGN - 1) / SKL_PLACE_ALIGN * SKL_PLACE_ALIGN; }
static void next(struct lab *l) { l->used = 0; }
static size_t bytes_room(struct lab *l, size_t bytes)
{
    const size_t at = l->used;
    l->used += rounded(bytes);
    SKL_CHECK(l->used <= l->room);
    return at;
}
static size_t sums_room(struct lab *l, int c)
{
    const size_t a = l->d[0]->ops->sums_bytes(l->d[0], c), b = l->d[1]->ops->sums_bytes(l->d[1], c);
    return bytes_room(l, a > b ? a : b);
}
static struct skl_place at(const struct lab *l, int which, size_t offset)
{
    return (struct skl_place){l->memory[which], offset};
}
static size_t put(struct lab *l, size_t floats, const float *from)
{
    const size_t to = bytes_room(l, floats * sizeof *from);
    for (int w = 0; w < 2; w++) l->d[w]->ops->upload(l->d[w], from, floats * sizeof *from, at(l, w, to));
    return to;
}
/* Numbers that are multiples of 1/64 in [low, high): sums and products of a few are exact, so that no mask depends on
 * how they are rounded. */
static size_t drawn(struct lab *l, size_t floats, double low, double high)
{
    float *v = skl_alloc_array(floats, sizeof *v);
    for (size_t i = 0; i < floats; i++)
        v[i] = (float)(floor((low + (high - low) * skl_rng_uniform(7, l->numbers++)) * 64 + 0.5) / 64);
    const size_t to = put(l, floats, v);
    free(v);
    return to;
}
static size_t tensor(struct lab *l, size_t floats) { return drawn(l, floats, -2, 2); }
static size_t zeros(struct lab *l, size_t floats) { return drawn(l, floats, 0, 0); }
static size_t elements(struct skl_shape s, int n) { return (size_t)n * (size_t)s.h * (size_t)s.w * (size_t)s.c; }

/* ---- verdicts ---- */
static void wrong(struct lab *l, const char *operation, const char *what, double error)
{
    if (!l->status)
        l->status = skl_fail(l->err, SKL_FAILED, "%s: %s computes wrongly: its %s is off by %.1e", l->d[0]->level,
                             operation, what, error);
}

/* Downloads `floats` of both; broken devices say so. */
static bool fetch(struct lab *l, size_t from, size_t floats, float *v[2])
{
    for (int w = 0; w < 2 && !l->status; w++) {
        v[w] = skl_alloc_array(floats + 1, sizeof **v);
        l->d[w]->ops->download(l->d[w], at(l, w, from), floats * sizeof **v, v[w]);
        l->status = l->d[w]->ops->finish(l->d[w], l->err);
    }
    return !l->status;
}
/* |a - b| <= tolerance (|b| + root mean square of b), element by element. */
static void same(struct lab *l, size_t tensor, size_t floats, double tolerance, const char *operation, const char *what)
{
    float *v[2] = {NULL, NULL};
    if (!l->status && fetch(l, tensor, floats, v)) {
        double square = 0, worst = 0;
        for (size_t i = 0; i < floats; i++) square += (double)v[1][i] * v[1][i];
        const double size = sqrt(square / (double)floats) + 1e-30;
        for (size_t i = 0; i < floats; i++) {
            const double e = fabs((double)v[0][i] - v[1][i]) / (fabs((double)v[1][i]) + size);
            if (!(e <= worst)) worst = e;
        }
        if (!(worst <= tolerance)) wrong(l, operation, what, worst);
    }
    free(v[0]), free(v[1]);
}
static void same_bytes(struct lab *l, size_t tensor, size_t bytes, const char *operation)
{
    float *v[2] = {NULL, NULL};
    if (!l->status && fetch(l, tensor, (bytes + 3) / 4, v) && memcmp(v[0], v[1], bytes))
        wrong(l, operation, "result", 1);
    free(v[0]), free(v[1]);
}

/* ---- batch norms ---- */
struct norm_room {
    int c;
    size_t gamma, beta, running_mean, running_var, dgamma, dbeta, scale, shift, mean, spread[2], c1, c2, c3;
};
static struct norm_room norm_room(struct lab *l, int c)
{
    const size_t n = (size_t)c;
    struct norm_room r = {
        c,           drawn(l, n, 0.5, 2), tensor(l, n), tensor(l, n), drawn(l, n, 0.5, 2), tensor(l, n), tensor(l, n),
        zeros(l, n), zeros(l, n),         zeros(l, n),  {0, 0},       zeros(l, n),         zeros(l, n),  zeros(l, n)};
    for (int w = 0; w < 2; w++) r.spread[w] = bytes_room(l, l->d[w]->ops->norm_bytes(l->d[w], c));
    return r;
}
static struct skl_norm norm_at(const struct lab *l, const struct norm_room *r, int w)
{
    return (struct skl_norm){r->c,
                             at(l, w, r->gamma),
                             at(l, w, r->beta),
                             at(l, w, r->running_mean),
                             at(l, w, r->running_var),
                             at(l, w, r->dgamma),
                             at(l, w, r->dbeta),
                             at(l, w, r->scale),
                             at(l, w, r->shift),
                             at(l, w, r->mean),
                             at(l, w, r->spread[w]),
                             at(l, w, r->c1),
                             at(l, w, r->c2),
                             at(l, w, r->c3)};
}
static const struct skl_place nowhere = {NULL, 0};

static void check_forward_norm(struct lab *l, size_t sums, int c, const char *operation)
{
    const struct norm_room r = norm_room(l, c);
    const size_t bias = tensor(l, (size_t)c), n = (size_t)c;
    for (int w = 0; w < 2; w++) {
        const struct skl_norm norm = norm_at(l, &r, w);
        l->d[w]->ops->bn_forward(l->d[w], &norm, at(l, w, sums), at(l, w, bias), 0.75);
    }
    same(l, r.mean, n, 2e-5, operation, "mean"), same(l, r.scale, n, 2e-5, operation, "scale"),
        same(l, r.shift, n, 5e-5, operation, "shift");
    same(l, r.running_mean, n, 2e-5, operation, "running mean"),
        same(l, r.running_var, n, 2e-5, operation, "running variance");
}

static void check_backward_norm(struct lab *l, size_t sums, int c, bool second, const char *operation)
{
    const struct norm_room r = norm_room(l, c);
    const size_t n = (size_t)c, factor = tensor(l, n), dbias = tensor(l, n), d = zeros(l, 2 * n), one = zeros(l, 2 * n);
    for (int w = 0; w < 2; w++) {
        struct skl_device *dev = l->d[w];
        const struct skl_norm norm = norm_at(l, &r, w);
        dev->ops->bn_recall(dev, &norm, nowhere); /* mean and spread */
        dev->ops->bn_backward(dev, &norm, at(l, w, sums), second, at(l, w, factor), true);
        dev->ops->bias_backward(dev, c, at(l, w, sums), at(l, w, factor), at(l, w, dbias), true);
        if (!second) continue;
        const struct skl_coef_sums each = {c,          at(l, w, sums), &norm, NULL, SKL_PER_CHANNEL, SKL_PER_CHANNEL,
                                           at(l, w, d)};
        const struct skl_coef_sums total = {c, at(l, w, sums), NULL, &norm, SKL_ONE, SKL_ONE, at(l, w, one)};
        dev->ops->coef_sums(dev, &each);
        dev->ops->coef_sums(dev, &total);
    }
    same(l, r.scale, n, 1e-5, "bn_recall", "scale"), same(l, r.shift, n, 1e-5, "bn_recall", "shift");
    same(l, r.c1, n, 1e-4, operation, "c1"), same(l, r.c2, n, 1e-4, operation, "c2"),
        same(l, r.c3, n, 1e-4, operation, "c3");
    same(l, r.dgamma, n, 1e-4, operation, "dgamma"), same(l, r.dbeta, n, 1e-4, operation, "dbeta");
    same(l, dbias, n, 1e-4, "bias_backward", "dbias");
    if (second)
        same(l, d, 2 * n, 1e-4, "coef_sums", "result"), same(l, one, 1, 1e-3, "coef_sums", "result"),
            same(l, one + 4 * n, 1, 1e-3, "coef_sums", "result");
}

/* ---- operands and results with all they can have ---- */
struct operand_room {
    size_t x, scale, shift, add, add_scale, keep, out;
    bool masked;
};
static struct operand_room operand_room(struct lab *l, struct skl_shape s, int n)
{
    const size_t all = elements(s, n), c = (size_t)s.c;
    return (struct operand_room){tensor(l, all),          tensor(l, c),  tensor(l, c), tensor(l, all), tensor(l, c),
                                 tensor(l, all / 32 + 1), zeros(l, all), s.c % 8 == 0};
}
static struct skl_operand operand_at(const struct lab *l, const struct operand_room *r, int w, bool full)
{
    struct skl_operand o = {
        .x = at(l, w, r->x), .scale = at(l, w, r->scale), .shift = at(l, w, r->shift), .relu = !full};
    if (!full) return o;
    o.add = at(l, w, r->add), o.add_scale = at(l, w, r->add_scale), o.relu = true;
    if (r->masked) o.keep = at(l, w, r->keep);
    return o;
}
struct result_room {
    size_t y, add, add_scale, keep, mask, mask_scale, mask_shift, sums, partner, partner2, pivot;
    bool masked;
};
static struct result_room result_room(struct lab *l, struct skl_shape s, int n)
{
    const size_t all = elements(s, n), c = (size_t)s.c;
    return (struct result_room){zeros(l, all),  tensor(l, all), tensor(l, c), tensor(l, all / 32 + 1),
                                tensor(l, all), tensor(l, c),   tensor(l, c), sums_room(l, s.c),
                                tensor(l, all), tensor(l, all), tensor(l, c), s.c % 8 == 0};
}
static struct skl_result statistics_at(const struct lab *l, const struct result_room *r, int w)
{
    return (struct skl_result){.y = at(l, w, r->y), .sums = at(l, w, r->sums)};
}
static struct skl_result gradient_at(const struct lab *l, const struct result_room *r, int w)
{
    return (struct skl_result){.y = at(l, w, r->y),
                               .add = at(l, w, r->add),
                               .add_scale = at(l, w, r->add_scale),
                               .keep = r->masked ? at(l, w, r->keep) : nowhere,
                               .mask = at(l, w, r->mask),
                               .mask_scale = at(l, w, r->mask_scale),
                               .mask_shift = at(l, w, r->mask_shift),
                               .sums = at(l, w, r->sums),
                               .partner = at(l, w, r->partner),
                               .pivot = at(l, w, r->pivot),
                               .partner2 = at(l, w, r->partner2),
                               .pivot2 = at(l, w, r->pivot)};
}

/* ---- the operations ---- */
static void try_map(struct lab *l, struct skl_shape s, int n)
{
    const struct operand_room x = operand_room(l, s, n);
    const struct result_room y = result_room(l, s, n);
    for (int w = 0; w < 2; w++) {
        struct skl_operand o = operand_at(l, &x, w, true);
        o.out = at(l, w, x.out);
        const struct skl_result r = statistics_at(l, &y, w);
        l->d[w]->ops->map(l->d[w], &o, &r, n, s);
    }
    same(l, y.y, elements(s, n), 1e-6, "map", "y"), same(l, x.out, elements(s, n), 1e-6, "map", "operand");
    check_forward_norm(l, y.sums, s.c, "map, bn_forward");
    for (int w = 0; w < 2; w++) {
        const struct skl_operand o = operand_at(l, &x, w, false);
        const struct skl_result r = gradient_at(l, &y, w);
        l->d[w]->ops->map(l->d[w], &o, &r, n, s);
    }
    same(l, y.y, elements(s, n), 1e-6, "map with a mask", "y");
    check_backward_norm(l, y.sums, s.c, false, "map, bn_backward");
    check_backward_norm(l, y.sums, s.c, true, "map, bn_backward of the second sums");
}

static void try_small(struct lab *l, struct skl_shape in, int n)
{
    const struct skl_shape out = {(in.h + 1) / 2, (in.w + 1) / 2, 2 * in.c};
    const size_t c = (size_t)in.c, x = tensor(l, elements(in, n)), y = zeros(l, elements(out, n)),
                 back = zeros(l, elements(in, n));
    const size_t image = elements(in, 1) / 8 * 8, bits = zeros(l, image * (size_t)n / 32 + 1);
    const size_t v[] = {tensor(l, c), tensor(l, c), tensor(l, c), tensor(l, c), tensor(l, c), tensor(l, c)};
    const size_t to[] = {zeros(l, c), zeros(l, c), zeros(l, c)};
    for (int w = 0; w < 2; w++) {
        struct skl_device *d = l->d[w];
        d->ops->pad(d, at(l, w, x), at(l, w, y), n, in, out, false);
        d->ops->pad(d, at(l, w, y), at(l, w, back), n, in, out, true);
        if (image) d->ops->keep_bits(d, 0x123456789abcdef, 0.3, 3, n, image, at(l, w, bits));
        const struct skl_blend b = {in.c,           at(l, w, v[0]), at(l, w, v[1]),  at(l, w, v[2]),  at(l, w, v[3]),
                                    at(l, w, v[4]), at(l, w, v[5]), at(l, w, to[0]), at(l, w, to[1]), at(l, w, to[2])};
        d->ops->blend(d, &b);
    }
    same(l, y, elements(out, n), 0, "pad", "result"), same(l, back, elements(in, n), 0, "pad (backward)", "result");
    same_bytes(l, bits, image * (size_t)n / 8, "keep_bits");
    for (int i = 0; i < 3; i++) same(l, to[i], c, 1e-6, "blend", "result");
}

static void try_conv(struct lab *l, const struct skl_conv_plan plan[2], int n)
{
    const struct skl_conv_shape *p = &plan[0].shape;
    const struct skl_shape in = {p->h, p->w, p->c},
                           out = {(p->h + p->stride - 1) / p->stride, (p->w + p->stride - 1) / p->stride, p->k};
    const size_t weights = (size_t)p->size * (size_t)p->size * (size_t)p->c * (size_t)p->k;
    const struct operand_room x = operand_room(l, in, n), dy = operand_room(l, out, n);
    const struct result_room y = result_room(l, out, n), dx = result_room(l, in, n);
    const size_t w0 = drawn(l, weights, -0.5, 0.5), dw = tensor(l, weights);
    char name[96];
    snprintf(name, sizeof name, "%s of %dx%dx%d to %d, %dx%d, stride %d", plan[0].kernel, p->h, p->w, p->c, p->k,
             p->size, p->size, p->stride);
    for (int w = 0; w < 2; w++) {
        struct skl_conv_job j = {.plan = &plan[w], .n = n, .weight = at(l, w, w0), .x = operand_at(l, &x, w, true)};
        j.x.out = at(l, w, x.out), j.y = statistics_at(l, &y, w);
        l->d[w]->ops->conv_forward(l->d[w], &j);
    }
    same(l, y.y, elements(out, n), 2e-5, name, "y"), same(l, x.out, elements(in, n), 1e-6, name, "operand");
    check_forward_norm(l, y.sums, out.c, name);
    for (int w = 0; w < 2; w++) {
        const struct skl_conv_job j = {.plan = &plan[w],
                                       .n = n,
                                       .weight = at(l, w, w0),
                                       .x = operand_at(l, &x, w, false),
                                       .dy = operand_at(l, &dy, w, true),
                                       .y = gradient_at(l, &dx, w),
                                       .dweight = at(l, w, dw),
                                       .accumulate = true};
        l->d[w]->ops->conv_backward(l->d[w], &j);
    }
    same(l, dx.y, elements(in, n), 2e-5, name, "dx"), same(l, dw, weights, 5e-5, name, "dweight");
    check_backward_norm(l, dx.sums, in.c, true, name);
}

static void try_head(struct lab *l, struct skl_shape s, int n)
{
    const int classes = l->what->classes;
    const size_t c = (size_t)s.c, k = (size_t)classes;
    const struct operand_room x = operand_room(l, s, n);
    const struct result_room dx = result_room(l, s, n);
    const size_t weight = tensor(l, k * c), bias = tensor(l, k), dweight = tensor(l, k * c), dbias = tensor(l, k);
    const size_t pooled = zeros(l, (size_t)n * c), dpooled = zeros(l, (size_t)n * c), logits = zeros(l, (size_t)n * k),
                 dlogits = zeros(l, (size_t)n * k), score = zeros(l, 16);
    int32_t *label = skl_alloc_array((size_t)n, sizeof *label);
    for (int i = 0; i < n; i++) label[i] = i % classes;
    const size_t labels = put(l, (size_t)n, (const float *)(const void *)label);
    for (int i = 0; i < n; i++) label[i] = i * i % classes;
    const size_t others = put(l, (size_t)n, (const float *)(const void *)label);
    free(label);
    struct skl_score read[2] = {{0, 0}, {0, 0}};
    for (int w = 0; w < 2; w++) {
        struct skl_device *d = l->d[w];
        const struct skl_head h = {s,
                                   classes,
                                   at(l, w, weight),
                                   at(l, w, bias),
                                   at(l, w, dweight),
                                   at(l, w, dbias),
                                   at(l, w, pooled),
                                   at(l, w, dpooled),
                                   at(l, w, logits),
                                   at(l, w, dlogits),
                                   at(l, w, labels),
                                   at(l, w, score)};
        const struct skl_operand o = operand_at(l, &x, w, true);
        const struct skl_result r = gradient_at(l, &dx, w);
        d->ops->head_forward(d, &h, &o, n);
        struct skl_head mixed = h;
        mixed.others = at(l, w, others), mixed.mix = 0.25f, mixed.smoothing = 0.1f;
        d->ops->head_loss(d, &h, n, 2 * n);
        d->ops->head_loss(d, &mixed, n, 2 * n);
        d->ops->head_backward(d, &h, &r, n, true);
        d->ops->read_score(d, h.score, &read[w]);
        if (!l->status) l->status = d->ops->finish(d, l->err);
    }
    same(l, logits, (size_t)n * k, 1e-5, "head_forward", "result"),
        same(l, dlogits, (size_t)n * k, 1e-5, "head_loss", "result");
    if (!l->status &&
        (!(fabs(read[0].loss - read[1].loss) <= 1e-5 * fabs(read[1].loss)) || read[0].errors != read[1].errors))
        wrong(l, "head_loss", "score", fabs(read[0].loss / read[1].loss - 1));
    same(l, dweight, k * c, 1e-5, "head_backward", "result"), same(l, dbias, k, 1e-5, "head_backward", "dbias");
    same(l, dx.y, elements(s, n), 1e-5, "head_backward", "dx");
    check_backward_norm(l, dx.sums, s.c, true, "head_backward, bn_backward");
}

static void try_sgd(struct lab *l, size_t n, bool caffe, bool nesterov)
{
    const size_t value = tensor(l, 3 * n), grad = tensor(l, 3 * n), momentum = tensor(l, 3 * n);
    for (int w = 0; w < 2; w++) {
        struct skl_learned t[2];
        for (size_t i = 0; i < 2; i++) { /* two tensors with a gap between them, which must stay as it is */
            const size_t first = i ? 2 * n : 0;
            t[i] = (struct skl_learned){skl_further(at(l, w, value), first), skl_further(at(l, w, grad), first),
                                        skl_further(at(l, w, momentum), first), n - i, i == 0};
        }
        l->d[w]->ops->sgd(l->d[w], t, 2, &(struct skl_sgd){0.1f, 0.9f, 1e-2f, caffe, nesterov});
    }
    same(l, value, 3 * n, 1e-6, "sgd", "value"), same(l, momentum, 3 * n, 1e-6, "sgd", "momentum");
}

static void try_max_pool(struct lab *l, struct skl_shape in, int n)
{
    const struct skl_shape out = skl_max_pooled(in);
    const size_t small = elements(out, n), y = zeros(l, small), dy = tensor(l, small), chosen = zeros(l, small / 4 + 1);
    const struct operand_room x = operand_room(l, in, n);
    const struct result_room dx = result_room(l, in, n);
    for (int w = 0; w < 2; w++) {
        const struct skl_max_pool j = {.in = in,
                                       .x = operand_at(l, &x, w, false),
                                       .y = at(l, w, y),
                                       .chosen = at(l, w, chosen),
                                       .dy = at(l, w, dy),
                                       .dx = gradient_at(l, &dx, w)};
        l->d[w]->ops->max_pool_forward(l->d[w], &j, n);
        l->d[w]->ops->max_pool_backward(l->d[w], &j, n);
    }
    same(l, y, small, 1e-6, "max_pool_forward", "y"), same_bytes(l, chosen, small, "max_pool_forward");
    same(l, dx.y, elements(in, n), 1e-5, "max_pool_backward", "dx");
    check_backward_norm(l, dx.sums, in.c, false, "max_pool_backward, bn_backward");
}

/* A sound loss, then one that is not: what is told of the stop changes in the first step alone. */
static void try_note(struct lab *l)
{
    enum { FLOATS = 300 };
    const struct skl_score score[2] = {{2.5, 7}, {INFINITY, 8}};
    const size_t value = tensor(l, FLOATS), grad = tensor(l, FLOATS), momentum = tensor(l, FLOATS);
    const size_t scores = zeros(l, 32), stop = zeros(l, 16), notes = zeros(l, 32);
    for (int w = 0; w < 2; w++)
        for (size_t i = 0; i < 2; i++) {
            struct skl_device *d = l->d[w];
            const struct skl_learned t = {at(l, w, value), at(l, w, grad), at(l, w, momentum), FLOATS, true};
            d->ops->upload(d, &score[i], sizeof *score, skl_further(at(l, w, scores), 16 * i));
            d->ops->note(d, skl_further(at(l, w, scores), 16 * i), at(l, w, stop),
                         skl_further(at(l, w, notes), 16 * i));
            d->ops->sgd(d, &t, 1, &(struct skl_sgd){0.1f, 0.9f, 1e-2f, .stop = at(l, w, stop)});
        }
    same_bytes(l, notes, 32 * sizeof(float), "note");
    same(l, value, FLOATS, 1e-6, "sgd after a stop", "value");
}

static void try_find_infinite(struct lab *l)
{
    enum { FLOATS = 3000 };
    const size_t v = tensor(l, FLOATS), flags = zeros(l, 32), bad = put(l, 1, &(float){INFINITY});
    for (int w = 0; w < 2; w++) {
        l->d[w]->ops->find_infinite(l->d[w], at(l, w, v), FLOATS, at(l, w, flags));
        l->d[w]->ops->find_infinite(l->d[w], at(l, w, bad), 1, skl_further(at(l, w, flags), 16));
    }
    same_bytes(l, flags, 32 * sizeof(float), "find_infinite");
}

/* ---- merges ---- */
struct merge_room {
    struct operand_room h, f;
    struct result_room y, df;
    size_t x, a, b, back, dy, dx, dh, dcoef;
};
static struct skl_merge merge_at(const struct lab *l, const struct merge_room *r, int w, const struct skl_unit *u,
                                 int n, const struct skl_shortcut *variant, const struct skl_decl *decl,
                                 enum skl_span span)
{
    return (struct skl_merge){
        .variant = variant,
        .call = {.unit = u, .training = true, .batch = n + 3, .first = 3, .n = n, .rng_key = 99, .p = decl->p},
        .decl = decl,
        .a = {span, at(l, w, r->a), 0.4, span != SKL_PER_IMAGE},
        .b = {span == SKL_PER_IMAGE ? span : SKL_PER_CHANNEL, at(l, w, r->b), 0, span != SKL_PER_IMAGE,
              span == SKL_PER_IMAGE ? at(l, w, r->back) : nowhere},
        .x_shape = u->out,
        .h_shape = u->out,
        .x = at(l, w, r->x),
        .h = operand_at(l, &r->h, w, false),
        .f = operand_at(l, &r->f, w, false),
        .layers = true,
        .dy = at(l, w, r->dy),
        .dx = at(l, w, r->dx),
        .dh = at(l, w, r->dh),
        .dcoef = variant->affine && span != SKL_PER_IMAGE ? at(l, w, r->dcoef) : nowhere};
}

static void try_merge(struct lab *l, struct skl_shape s, int n, const struct skl_shortcut *variant,
                      const struct skl_decl *decl, enum skl_span span)
{
    const struct skl_unit u = {0, 1, s, s};
    const size_t all = elements(s, n), v = (size_t)(s.c > n ? s.c : n);
    const struct merge_room r = {operand_room(l, s, n), operand_room(l, s, n), result_room(l, s, n),
                                 result_room(l, s, n),  tensor(l, all),        tensor(l, v),
                                 tensor(l, v),          tensor(l, v),          tensor(l, all),
                                 zeros(l, all),         zeros(l, all),         zeros(l, 2 * (size_t)s.c)};
    char name[80];
    snprintf(name, sizeof name, "merge of %s", variant->name);
    for (int w = 0; w < 2; w++) {
        struct skl_merge j = merge_at(l, &r, w, &u, n, variant, decl, span);
        j.y = statistics_at(l, &r.y, w), j.relu = true;
        l->d[w]->ops->merge_forward(l->d[w], &j);
        j.df = gradient_at(l, &r.df, w);
        j.df.add = j.df.add_scale = j.df.keep = nowhere;
        l->d[w]->ops->merge_backward(l->d[w], &j);
    }
    same(l, r.y.y, all, 1e-5, name, "y");
    check_forward_norm(l, r.y.sums, s.c, name);
    same(l, r.dx, all, 1e-5, name, "dx"), same(l, r.dh, all, 1e-5, name, "dh"), same(l, r.df.y, all, 1e-5, name, "df");
    check_backward_norm(l, r.df.sums, s.c, false, name);
    if (variant->affine && span != SKL_PER_IMAGE) same(l, r.dcoef, 2 * (size_t)s.c, 1e-4, name, "dcoef");
}

static void no_affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b) {}

static void try_affine(struct lab *l, struct skl_shape s, int n)
{
    static const struct skl_shortcut affine = {.name = "y = a h + b f", .affine = no_affine};
    static const enum skl_span spans[] = {SKL_PER_CHANNEL, SKL_PER_IMAGE, SKL_MASK};
    const struct skl_decl decl = {.source = SKL_X};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        next(l);
        try_merge(l, s, n, &affine, &decl, spans[i]);
    }
}

/* A variant's formula, without and with a sigmoid before it. */
static void try_formula(struct lab *l, struct skl_shape s, int n, const struct skl_shortcut *variant)
{
    struct skl_decl decl = {.source = SKL_X, .numbers = SKL_MAX_NUMBERS};
    for (int i = 0; i < SKL_MAX_NUMBERS; i++) decl.p[i] = 0.5f;
    for (int sigmoid = 0; sigmoid < 2; sigmoid++) {
        next(l);
        decl.sigmoid = sigmoid;
        try_merge(l, s, n, variant, &decl, SKL_ONE);
    }
}

/* ---- all of it ---- */
static void try_all(struct lab *l, const struct skl_conv_plan *plan[2])
{
    const struct skl_selftest *t = l->what;
    const struct skl_shape odd = {3, 5, 12};
    for (int i = 0; i < t->convs && !l->status; i++) {
        const struct skl_conv_plan pair[2] = {plan[0][i], plan[1][i]};
        next(l);
        try_conv(l, pair, t->images);
    }
    if (t->variant && t->variant->forward_code && !l->status) try_formula(l, odd, t->images, t->variant);
    if (!t->rest || l->status) return;
    for (int i = 0; i < 2; i++) next(l), try_map(l, i ? odd : (struct skl_shape){8, 8, 64}, t->images);
    next(l), try_small(l, odd, t->images);
    next(l), try_head(l, odd, t->images);
    for (int form = 0; form < 4; form++) next(l), try_sgd(l, form ? 77 : 5000, form & 1, form & 2);
    next(l), try_find_infinite(l), try_note(l);
    next(l), try_max_pool(l, odd, t->images);
    try_affine(l, odd, t->images);
}

/* Floats of the largest tensor of one image, and the most channels. */
static void measure(const struct skl_selftest *t, size_t *activation, int *channels, size_t *weights)
{
    *activation = 8 * 8 * 64, *channels = t->classes > 64 ? t->classes : 64, *weights = 15000;
    for (int i = 0; i < t->convs; i++) {
        const struct skl_conv_shape *s = &t->conv[i];
        const size_t wide = (size_t)(2 * s->c > s->k ? 2 * s->c : s->k), all = (size_t)s->h * (size_t)s->w * wide;
        const size_t w = (size_t)s->size * (size_t)s->size * (size_t)s->c * (size_t)s->k;
        if (all > *activation) *activation = all;
        if ((int)wide > *channels) *channels = (int)wide;
        if (w > *weights) *weights = w;
    }
}

static int prepare(struct lab *l, struct skl_conv_plan *plan[2], const struct skl_conv_plan **list)
{
    const struct skl_selftest *t = l->what;
    size_t activation, weights;
    int channels;
    measure(t, &activation, &channels, &weights);
    for (int w = 0; w < 2; w++) {
        struct skl_device *d = l->d[w];
        for (int i = 0; i < t->convs; i++) {
            list[i] = &plan[w][i];
            const int status =
                d->ops->conv_plan(d, t->conv[i], w ? SKL_CONV_DIRECT : SKL_CONV_AUTO, &plan[w][i], l->err);
            if (status) return status;
        }
        const struct skl_needs needs = {.images = t->images,
                                        .group = t->images,
                                        .groups = 1,
                                        .activation = activation,
                                        .channels = channels,
                                        .convs = t->convs,
                                        .conv = list};
        int status = d->ops->ready(d, &needs, l->err);
        l->room = 48 * rounded((size_t)t->images * activation * sizeof(float)) + 16 * rounded(weights * sizeof(float)) +
                  96 * rounded((size_t)channels * 64) + 8 * rounded(d->ops->sums_bytes(d, channels)) + (1 << 20);
        if (!status) status = d->ops->reserve(d, l->room, &l->memory[w], l->err);
        if (status) return status;
    }
    return SKL_OK;
}

int skl_selftest(struct skl_device *suspect, struct skl_device *trusted, const struct skl_selftest *what,
                 struct skl_err *err)
{
    struct lab l = {.d = {suspect, trusted}, .err = err, .what = what};
    const size_t n = (size_t)what->convs + 1;
    struct skl_conv_plan *plan[2] = {skl_alloc_array(n, sizeof **plan), skl_alloc_array(n, sizeof **plan)};
    const struct skl_conv_plan **list = skl_alloc_array(n, sizeof *list);
    l.status = prepare(&l, plan, list);
    if (!l.status) try_all(&l, (const struct skl_conv_plan *[2]){plan[0], plan[1]});
    if (!l.status) l.status = suspect->ops->finish(suspect, err);
    for (int w = 0; w < 2; w++) l.d[w]->ops->release(l.d[w], l.memory[w]), free(plan[w]);
    free(list);
    return l.status;
}
