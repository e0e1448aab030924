/* One convolution kernel, forward and backward, against the definition in double precision (reference.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/device/cpu/kernels/reference.h"
#include "tests/kernels/harness.h"

/* How much an algorithm may err, in units of the direct one.
 * worst: the factor by which the transforms can blow up an operand, along one axis.  For F(m, 3) it is the largest sum
 * over frequencies f of |A'[y][f]| * sum|G[f]| * sum|B'[f]|, against 3 for the direct sum: 16 (m = 2), 48 (m = 4), each
 * squared for two axes.  typical: what is seen on N(0, 1) data, from the literature's and our own measurements (F4
 * about five times as inexact as the direct sum), with a margin of three. */
static double worst_growth(enum skl_conv_algo algo)
{
    return algo == SKL_CONV_WINOGRAD4 ? 48 * 48 : algo == SKL_CONV_WINOGRAD2 ? 8 * 8 : 3 * 3;
}

static double typical_growth(enum skl_conv_algo algo) { return algo == SKL_CONV_WINOGRAD4 ? 6 : 1.5; }

static const double epsilon = 0x1p-24;

struct lab {
    const struct skl_conv_kernel *kernel;
    const struct skl_kernels *kernels;
    struct skl_conv_shape s;
    int images, first, n;      /* the chunk: images [first, first + n) of a tensor of `images` */
    int in_pixels, out_pixels; /* of one image */
    size_t in, out, weights;   /* floats of one image, and of the weights */
    float *w, *packed, *scratch, *partial;
};

static struct lab new_lab(const struct skl_conv_kernel *kernel, const struct skl_kernels *kernels,
                          struct skl_conv_shape s, int images, int first, int n)
{
    struct lab lab = {.kernel = kernel, .kernels = kernels, .s = s, .images = images, .first = first, .n = n};
    lab.in_pixels = s.h * s.w;
    lab.out_pixels = ((s.h + s.stride - 1) / s.stride) * ((s.w + s.stride - 1) / s.stride);
    lab.in = (size_t)(lab.in_pixels * s.c);
    lab.out = (size_t)(lab.out_pixels * s.k);
    lab.weights = (size_t)(s.size * s.size * s.c * s.k);
    lab.w = guarded_floats(lab.weights);
    lab.packed = guarded_floats(kernel->packed_floats(&s));
    lab.scratch = guarded_floats(kernel->scratch_floats(&s));
    lab.partial = guarded_floats(kernel->gradient_floats(&s));
    return lab;
}

static void free_lab(struct lab *lab)
{
    guarded_free(lab->w);
    guarded_free(lab->packed);
    guarded_free(lab->scratch);
    guarded_free(lab->partial);
}

/* The weights may be packed in any pieces, in any order. */
static void prepare(struct lab *lab, bool backward)
{
    const int c = backward ? lab->s.k : lab->s.c, cut1 = c / 3, cut2 = c / 3 + (c - c / 3) / 2;
    fill_nan(lab->packed, lab->kernel->packed_floats(&lab->s));
    lab->kernel->prepare(&lab->s, lab->w, backward, cut2, c, lab->packed);
    lab->kernel->prepare(&lab->s, lab->w, backward, 0, cut1, lab->packed);
    lab->kernel->prepare(&lab->s, lab->w, backward, cut1, cut2, lab->packed);
}

static float *random_tensor(size_t n, enum data kind)
{
    float *p = guarded_floats(n);
    fill(p, n, kind);
    return p;
}

/* ---- loads and stores as the nets use them, and one of everything ---- */

struct operand {
    struct skl_kernel_operand operand;
    float *own[7];
};

enum { LOAD_RAW, LOAD_BN_RELU, LOAD_BN_ADD_RELU_OUT, LOAD_BN_GRADIENT, LOAD_ALL, LOADS };

static struct operand new_operand(int how, bool want_out, size_t n, int c, enum data kind)
{
    struct operand o = {0};
    const bool scale = how != LOAD_RAW, add = how >= LOAD_BN_ADD_RELU_OUT, add_scale = how >= LOAD_BN_GRADIENT;
    o.operand.x = o.own[0] = random_tensor(n, kind);
    if (scale) {
        o.operand.scale = o.own[1] = random_tensor((size_t)c, DATA_NORMAL);
        o.operand.shift = o.own[2] = random_tensor((size_t)c, kind);
    }
    if (add) o.operand.add = o.own[3] = random_tensor(n, kind);
    if (add_scale) o.operand.add_scale = o.own[4] = random_tensor((size_t)c, DATA_NORMAL);
    if (how == LOAD_ALL && c % 8 == 0) {
        uint8_t *keep = guarded(n / 8);
        for (size_t i = 0; i < n / 8; i++) keep[i] = (uint8_t)random_bits();
        o.operand.keep = keep;
        o.own[5] = (float *)(void *)keep;
    }
    o.operand.relu = how == LOAD_BN_RELU || how == LOAD_BN_ADD_RELU_OUT;
    if (want_out && add) {
        o.operand.out = o.own[6] = guarded_floats(n);
        fill_nan(o.own[6], n);
    }
    return o;
}

static void free_operand(struct operand *o)
{
    for (int i = 0; i < 7; i++) guarded_free(o->own[i]);
}

/* What the operand loads, all images: the same table's load_rows, which check_vector has judged. */
static float *loaded(const struct lab *lab, const struct operand *o, int pixels, int c)
{
    struct skl_kernel_operand l = o->operand;
    float *all = guarded_floats((size_t)(lab->images * pixels * c));
    l.out = NULL;
    lab->kernels->load_rows(&l, 0, lab->images * pixels, c, all);
    return all;
}

/* out must hold what was loaded for the chunk's images, and nothing anywhere else. */
static void expect_out(const struct lab *lab, const struct operand *o, const float *x)
{
    for (size_t i = 0; o->operand.out && i < (size_t)lab->images * lab->in; i++) {
        const bool inside = i >= (size_t)lab->first * lab->in && i < (size_t)(lab->first + lab->n) * lab->in;
        CHECK(inside ? o->operand.out[i] == x[i] : isnan(o->operand.out[i]), "%s: out[%zu] = %g", lab->kernel->name, i,
              (double)o->operand.out[i]);
    }
}

struct result {
    struct skl_kernel_result result;
    struct skl_sums sums;
    float *own[6];
};

enum { STORE_RAW, STORE_STATISTICS, STORE_MASK_SUMS, STORE_ADD_MASK_SUMS, STORES };

static struct result new_result(int how, size_t n, int c)
{
    struct result r = {0};
    r.result.y = r.own[0] = guarded_floats(n);
    fill_nan(r.own[0], n);
    if (how >= STORE_MASK_SUMS) {
        r.result.mask = r.own[1] = random_tensor(n, DATA_ZEROS);
        r.result.partner = r.own[2] = random_tensor(n, DATA_NORMAL);
        r.result.pivot = r.own[3] = random_tensor((size_t)c, DATA_NORMAL);
    }
    if (how == STORE_ADD_MASK_SUMS) r.result.add = r.own[4] = random_tensor(n, DATA_NORMAL);
    r.result.sums = how != STORE_RAW;
    r.sums.pivot = r.own[5] = guarded_floats((size_t)c);
    r.sums.sum = guarded(sizeof(double) * (size_t)c);
    r.sums.dot = guarded(sizeof(double) * (size_t)c);
    r.sums.dot2 = guarded(sizeof(double) * (size_t)c);
    memset(r.sums.sum, 0, sizeof(double) * (size_t)c);
    memset(r.sums.dot, 0, sizeof(double) * (size_t)c);
    memset(r.sums.dot2, 0, sizeof(double) * (size_t)c);
    return r;
}

static void free_result(struct result *r)
{
    for (int i = 0; i < 6; i++) guarded_free(r->own[i]);
    guarded_free(r->sums.sum);
    guarded_free(r->sums.dot);
    guarded_free(r->sums.dot2);
}

/* Compares the chunk's images of y with `want` [images][floats]; size bounds the operands' product sums.  Then the sums
 * with those of y itself. */
static void expect_result(const struct lab *lab, const char *what, const struct result *r, const double *want,
                          size_t floats, int c, double bound)
{
    /* Where all terms have one sign, partial sums grow to the result itself and each addition rounds one of them. */
    const double same_sign = sqrt(9.0 * (lab->s.c > lab->s.k ? lab->s.c : lab->s.k));
    const size_t from = (size_t)lab->first * floats, end = from + (size_t)lab->n * floats;
    const double *stored = want;
    for (size_t i = 0; i < (size_t)lab->images * floats; i++) {
        const float got = r->result.y[i];
        if (i < from || i >= end) {
            CHECK(isnan(got), "%s %s: wrote image %zu", lab->kernel->name, what, i / floats);
            continue;
        }
        const double added = r->result.add ? r->result.add[i] : 0;
        const double v = r->result.mask && !(r->result.mask[i] > 0) ? 0 : stored[i] + added;
        CHECK(fabs(got - v) <= bound + epsilon * (fabs(added) + same_sign * fabs(v)),
              "%s %s %dx%dx%d->%d size %d stride %d: [%zu] = %.9g, not %.9g (bound %g)", lab->kernel->name, what,
              lab->s.h, lab->s.w, lab->s.c, lab->s.k, lab->s.size, lab->s.stride, i, (double)got, v, bound);
    }
    if (!r->result.sums) return;
    CHECK(r->sums.count == (int64_t)(end - from) / c, "%s %s: count %lld", lab->kernel->name, what,
          (long long)r->sums.count);
    for (int ch = 0; ch < c; ch++) {
        double sum = 0, dot = 0, sum_size = 0, dot_size = 0;
        for (size_t i = from + (size_t)ch; i < end; i += (size_t)c) {
            const double v = r->result.y[i] - (r->result.partner ? 0 : (double)r->sums.pivot[ch]);
            const double d = r->result.partner ? (double)r->result.partner[i] - r->result.pivot[ch] : v;
            sum += v, dot += v * d, sum_size += fabs(v), dot_size += fabs(v * d);
        }
        const double slack = 300 * epsilon; /* float sums of one row block's pixels */
        CHECK(fabs(r->sums.sum[ch] - sum) <= slack * sum_size + 1e-40 &&
                  fabs(r->sums.dot[ch] - dot) <= slack * dot_size + 1e-40,
              "%s %s: sums of channel %d: %g %g, not %g %g", lab->kernel->name, what, ch, r->sums.sum[ch],
              r->sums.dot[ch], sum, dot);
        CHECK(r->result.partner || r->sums.pivot[ch] == r->result.y[from + (size_t)ch], "%s %s: pivot",
              lab->kernel->name, what);
    }
}

/* ---- forward ---- */

/* Bounds on the error of one element.  A pixel is a sum of `terms` products of at most a*b, whose signs mix; rounding
 * errors are of either sign too: the square root of the number of terms, and a wide margin. */
static double pixel_bound(const struct lab *lab, int terms, double a, double b)
{
    return worst_growth(lab->kernel->algo) * 8 * sqrt(terms) * epsilon * a * b + 1e-37;
}

/* The largest Euclidean norm of one channel. */
static double channel_norm(const float *p, size_t n, int c)
{
    double most = 0;
    for (int ch = 0; ch < c; ch++) {
        double sum = 0;
        for (size_t i = (size_t)ch; i < n; i += (size_t)c) sum += (double)p[i] * p[i];
        most = fmax(most, sqrt(sum));
    }
    return most;
}

/* A weight's gradient is one long sum over pixels, all of one sign perhaps: its partial sums are bounded by the product
 * of the two channels' norms, and each addition rounds one of them. */
static double gradient_bound(const struct lab *lab, const float *x, const float *dy)
{
    const size_t images = (size_t)lab->n;
    return worst_growth(lab->kernel->algo) * epsilon * sqrt(lab->n * lab->out_pixels) *
               channel_norm(x + (size_t)lab->first * lab->in, images * lab->in, lab->s.c) *
               channel_norm(dy + (size_t)lab->first * lab->out, images * lab->out, lab->s.k) +
           1e-37;
}

static void check_forward(struct lab *lab, int how_load, int how_store, enum data kind, bool frobenius)
{
    const struct skl_conv_shape *s = &lab->s;
    struct operand x = new_operand(how_load, true, (size_t)lab->images * lab->in, s->c, kind);
    struct result y = new_result(how_store, (size_t)lab->images * lab->out, s->k);
    float *xs = loaded(lab, &x, lab->in_pixels, s->c);
    double *want = guarded(sizeof(double) * (size_t)lab->images * lab->out);
    for (int i = 0; i < lab->images; i++)
        skl_ref_conv_forward(s, xs + (size_t)i * lab->in, lab->w, want + (size_t)i * lab->out);
    prepare(lab, false);
    fill_nan(lab->scratch, lab->kernel->scratch_floats(s));
    struct skl_conv_forward job = {
        .shape = *s, .packed = lab->packed, .kernels = lab->kernels, .x = &x.operand, .y = &y.result};
    lab->kernel->forward(&job, lab->first, lab->n, y.result.sums ? &y.sums : NULL, lab->scratch);
    expect_out(lab, &x, xs);
    expect_result(lab, "forward", &y, want, lab->out, s->k,
                  pixel_bound(lab, s->c, max_abs(xs, (size_t)lab->images * lab->in), max_abs(lab->w, lab->weights)));
    if (frobenius) {
        const size_t from = (size_t)lab->first * lab->out;
        const double error = relative_error(y.result.y + from, want + from, (size_t)lab->n * lab->out);
        const double limit = typical_growth(lab->kernel->algo) * epsilon * sqrt(s->size * s->size * s->c);
        CHECK(error <= limit, "%s forward %dx%dx%d->%d: relative error %g > %g", lab->kernel->name, s->h, s->w, s->c,
              s->k, error, limit);
    }
    guarded_free(xs);
    guarded_free(want);
    free_operand(&x);
    free_result(&y);
}

/* ---- backward ---- */

static void expect_weight_gradient(const struct lab *lab, const float *x, const float *dy, const double *want,
                                   bool frobenius)
{
    const struct skl_conv_shape *s = &lab->s;
    float *dw = guarded_floats(lab->weights);
    fill_nan(dw, lab->weights);
    lab->kernel->reduce(s, lab->partial, 1, lab->kernel->gradient_floats(s), 0, s->c, false, dw);
    const double bound = gradient_bound(lab, x, dy);
    for (size_t i = 0; i < lab->weights; i++)
        CHECK(fabs(dw[i] - want[i]) <= bound,
              "%s backward %dx%dx%d->%d size %d stride %d: dw[%zu] = %.9g, not %.9g (bound %g)", lab->kernel->name,
              s->h, s->w, s->c, s->k, s->size, s->stride, i, (double)dw[i], want[i], bound);
    if (frobenius) {
        const double error = relative_error(dw, want, lab->weights),
                     limit = typical_growth(lab->kernel->algo) * epsilon * sqrt(lab->n * lab->out_pixels) + 4 * epsilon;
        CHECK(error <= limit, "%s backward %dx%dx%d->%d: relative error of dw %g > %g", lab->kernel->name, s->h, s->w,
              s->c, s->k, error, limit);
    }
    guarded_free(dw);
}

static void check_backward(struct lab *lab, int how_x, int how_dy, int how_store, bool want_dx, enum data kind,
                           bool frobenius)
{
    const struct skl_conv_shape *s = &lab->s;
    struct operand x = new_operand(how_x, false, (size_t)lab->images * lab->in, s->c, kind);
    struct operand dy = new_operand(how_dy, false, (size_t)lab->images * lab->out, s->k, kind);
    struct result dx = new_result(how_store, (size_t)lab->images * lab->in, s->c);
    float *xs = loaded(lab, &x, lab->in_pixels, s->c), *dys = loaded(lab, &dy, lab->out_pixels, s->k);
    double *want_x = guarded(sizeof(double) * (size_t)lab->images * lab->in),
           *want_w = guarded(sizeof(double) * lab->weights);
    memset(want_w, 0, sizeof(double) * lab->weights);
    for (int i = lab->first; i < lab->first + lab->n; i++)
        skl_ref_conv_backward(s, xs + (size_t)i * lab->in, lab->w, dys + (size_t)i * lab->out,
                              want_x + (size_t)i * lab->in, want_w);
    prepare(lab, true);
    fill_nan(lab->scratch, lab->kernel->scratch_floats(s));
    fill_nan(lab->partial, lab->kernel->gradient_floats(s));
    struct skl_conv_backward job = {.shape = *s,
                                    .packed = lab->packed,
                                    .kernels = lab->kernels,
                                    .x = &x.operand,
                                    .dy = &dy.operand,
                                    .dx = want_dx ? &dx.result : NULL};
    lab->kernel->backward(&job, lab->first, lab->n, lab->partial, want_dx && dx.result.sums ? &dx.sums : NULL,
                          lab->scratch);
    expect_weight_gradient(lab, xs, dys, want_w, frobenius);
    if (want_dx)
        expect_result(
            lab, "backward", &dx, want_x, lab->in, s->c,
            pixel_bound(lab, s->k, max_abs(dys, (size_t)lab->images * lab->out), max_abs(lab->w, lab->weights)));
    if (want_dx && frobenius && how_store < STORE_MASK_SUMS) {
        const size_t from = (size_t)lab->first * lab->in;
        const double error = relative_error(dx.result.y + from, want_x + from, (size_t)lab->n * lab->in),
                     limit = typical_growth(lab->kernel->algo) * epsilon * sqrt(s->size * s->size * s->k);
        CHECK(error <= limit, "%s backward %dx%dx%d->%d: relative error of dx %g > %g", lab->kernel->name, s->h, s->w,
              s->c, s->k, error, limit);
    }
    void *all[] = {xs, dys, want_x, want_w};
    for (int i = 0; i < 4; i++) guarded_free(all[i]);
    free_operand(&x);
    free_operand(&dy);
    free_result(&dx);
}

/* ---- sums over chunks ---- */

static void check_reduce(const struct lab *lab)
{
    enum { CHUNKS = 5 };
    const struct skl_conv_shape *s = &lab->s;
    const size_t floats = lab->kernel->gradient_floats(s), stride = floats + 16;
    float *partial = random_tensor(stride * (CHUNKS - 1) + floats, DATA_NORMAL), *one = guarded_floats(lab->weights);
    float *dw = random_tensor(lab->weights, DATA_NORMAL), *dw0 = guarded_floats(lab->weights);
    double *want = guarded(sizeof(double) * lab->weights);
    memcpy(dw0, dw, sizeof *dw * lab->weights);
    memset(want, 0, sizeof *want * lab->weights);
    for (int i = 0; i < CHUNKS; i++) {
        lab->kernel->reduce(s, partial + (size_t)i * stride, 1, stride, 0, s->c, false, one);
        for (size_t j = 0; j < lab->weights; j++) want[j] += one[j];
    }
    const int cut = s->c / 2;
    lab->kernel->reduce(s, partial, CHUNKS, stride, cut, s->c, true, dw);
    lab->kernel->reduce(s, partial, CHUNKS, stride, 0, cut, true, dw);
    for (size_t j = 0; j < lab->weights; j++)
        CHECK(fabs(dw[j] - (want[j] + dw0[j])) <= 1e-5, "%s reduce: dw[%zu] = %g, not %g", lab->kernel->name, j,
              (double)dw[j], want[j] + dw0[j]);
    void *all[] = {partial, one, dw, dw0, want};
    for (int i = 0; i < 5; i++) guarded_free(all[i]);
}

/* ---- an image's result does not depend on its chunk or on what scratch held ---- */

static void check_repeatable(struct lab *lab)
{
    const struct skl_conv_shape *s = &lab->s;
    const size_t n = (size_t)lab->images * lab->out, scratch = lab->kernel->scratch_floats(s),
                 gradient = lab->kernel->gradient_floats(s);
    float *x = random_tensor((size_t)lab->images * lab->in, DATA_NORMAL), *dy = random_tensor(n, DATA_NORMAL);
    float *y[2] = {random_tensor(n, DATA_NORMAL), random_tensor(n, DATA_NORMAL)}, *dw = guarded_floats(gradient);
    struct skl_kernel_operand operand = {.x = x}, dy_operand = {.x = dy};
    prepare(lab, false);
    for (int i = 0; i < 2; i++) {
        struct skl_kernel_result result = {.y = y[i]};
        struct skl_conv_forward job = {
            .shape = *s, .packed = lab->packed, .kernels = lab->kernels, .x = &operand, .y = &result};
        fill(lab->scratch, scratch, DATA_WIDE);
        if (i == 0)
            lab->kernel->forward(&job, 0, lab->images, NULL, lab->scratch);
        else
            for (int image = 0; image < lab->images; image++) lab->kernel->forward(&job, image, 1, NULL, lab->scratch);
    }
    CHECK(memcmp(y[0], y[1], n * sizeof(float)) == 0, "%s forward: depends on the chunk", lab->kernel->name);
    prepare(lab, true);
    for (int i = 0; i < 2; i++) {
        struct skl_conv_backward job = {
            .shape = *s, .packed = lab->packed, .kernels = lab->kernels, .x = &operand, .dy = &dy_operand};
        fill(lab->scratch, scratch, DATA_WIDE);
        lab->kernel->backward(&job, 0, lab->images, i ? dw : lab->partial, NULL, lab->scratch);
    }
    CHECK(memcmp(dw, lab->partial, gradient * sizeof(float)) == 0, "%s backward: two runs differ", lab->kernel->name);
    void *all[] = {x, dy, y[0], y[1], dw};
    for (int i = 0; i < 5; i++) guarded_free(all[i]);
}

/* ---- all of it, over shapes ---- */

static void check_shape(const struct skl_conv_kernel *kernel, const struct skl_kernels *kernels,
                        struct skl_conv_shape s, int images, int first, int n, int draws)
{
    struct lab lab = new_lab(kernel, kernels, s, images, first, n);
    fill(lab.w, lab.weights, DATA_NORMAL);
    check_forward(&lab, LOAD_RAW, STORE_RAW, DATA_NORMAL, true);
    check_backward(&lab, LOAD_RAW, LOAD_RAW, STORE_RAW, true, DATA_NORMAL, true);
    for (int i = 0; i < draws; i++) {
        const enum data kind = (enum data)random_below(DATA_KINDS);
        check_forward(&lab, random_below(LOADS), random_below(STORES), kind, false);
        check_backward(&lab, random_below(LOADS), random_below(LOADS), random_below(STORES), random_below(4) > 0, kind,
                       false);
    }
    check_reduce(&lab);
    check_repeatable(&lab);
    free_lab(&lab);
}

/* The nets' own shapes, then: sides unlike, below, at and above a tile and a unit of tiles, channels unlike and odd.
 * The last ones: a stem for photographs; wide layers, in passes of many pixels; a gradient larger than the caches;
 * tiles over the edge, also of wide layers in more than one unit. */
static const struct skl_conv_shape shapes[] = {
    {32, 32, 16, 16, 3, 1}, {16, 16, 32, 32, 3, 1}, {8, 8, 64, 64, 3, 1},   {32, 32, 3, 16, 3, 1},
    {32, 32, 16, 32, 3, 2}, {16, 16, 32, 64, 3, 2}, {16, 16, 16, 16, 3, 1}, {8, 8, 32, 32, 3, 1},
    {4, 4, 64, 64, 3, 1},   {16, 16, 3, 16, 3, 1},  {32, 32, 16, 16, 1, 1}, {16, 16, 32, 32, 1, 1},
    {8, 8, 64, 64, 1, 1},   {8, 8, 32, 64, 1, 2},   {4, 8, 16, 48, 3, 1},   {12, 4, 48, 16, 3, 1},
    {2, 6, 16, 32, 3, 1},   {20, 68, 16, 16, 3, 1}, {4, 4, 80, 112, 3, 1},  {8, 4, 8, 24, 3, 1},
    {4, 12, 4, 12, 3, 1},   {5, 7, 16, 16, 3, 1},   {5, 7, 16, 32, 3, 2},   {1, 1, 16, 16, 3, 1},
    {1, 1, 16, 16, 3, 2},   {2, 3, 5, 16, 3, 2},    {3, 3, 3, 16, 1, 2},    {1, 9, 32, 16, 1, 1},
    {7, 1, 1, 16, 1, 1},    {9, 5, 16, 6, 3, 1},    {6, 4, 40, 8, 3, 2},    {12, 13, 3, 64, 7, 2},
    {5, 6, 3, 16, 7, 1},    {1, 2, 5, 16, 7, 2},    {5, 5, 144, 32, 1, 1},  {4, 3, 16, 160, 1, 1},
    {5, 1, 176, 176, 3, 1}, {14, 14, 32, 16, 3, 1}, {7, 7, 16, 48, 3, 1},   {9, 33, 16, 16, 3, 1},
    {3, 6, 16, 32, 3, 1},   {3, 5, 128, 144, 3, 1}, {21, 1, 512, 32, 3, 1},
};

void check_conv(const struct skl_conv_kernel *kernel, const struct skl_kernels *kernels)
{
    int supported = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (!kernel->supports(&shapes[i])) continue;
        supported++;
        check_shape(kernel, kernels, shapes[i], 4, 1, 2, 4);
        check_shape(kernel, kernels, shapes[i], 1, 0, 1, 4);
        if (shapes[i].h * shapes[i].w > 64) continue;
        check_shape(kernel, kernels, shapes[i], 12, 1, 11, 1); /* units span images */
    }
    CHECK(supported > 0, "%s supports none of the shapes", kernel->name);
}

/* What `auto` takes: F(4x4) for all sides where its tiles, over the edge as they may be, are the least work. */
static void check_auto(void)
{
    static const struct {
        struct skl_conv_shape shape;
        enum skl_conv_algo algo;
    } rows[] = {
        {{32, 32, 16, 16, 3, 1}, SKL_CONV_WINOGRAD4}, {{14, 14, 256, 256, 3, 1}, SKL_CONV_WINOGRAD4},
        {{7, 7, 512, 512, 3, 1}, SKL_CONV_WINOGRAD4}, {{9, 33, 16, 32, 3, 1}, SKL_CONV_WINOGRAD4},
        {{5, 5, 64, 64, 3, 1}, SKL_CONV_WINOGRAD4},   {{6, 6, 64, 64, 3, 1}, SKL_CONV_WINOGRAD2},
        {{2, 2, 64, 64, 3, 1}, SKL_CONV_WINOGRAD2},   {{2, 2, 256, 256, 3, 1}, SKL_CONV_DIRECT},
        {{1, 1, 16, 16, 3, 1}, SKL_CONV_DIRECT},      {{14, 14, 64, 64, 3, 2}, SKL_CONV_DIRECT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct skl_conv_shape *s = &rows[i].shape;
        const struct skl_conv_kernel *k = skl_conv_select(SKL_CONV_AUTO, SKL_CPU_BASE, s);
        CHECK(k->algo == rows[i].algo, "select: %s for %dx%dx%d->%d stride %d", k->name, s->h, s->w, s->c, s->k,
              s->stride);
    }
}

void check_select(void)
{
    check_auto();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int level = SKL_CPU_REF; level < SKL_CPU_LEVELS; level++)
            for (int algo = SKL_CONV_AUTO; algo <= SKL_CONV_GEMM; algo++) {
                const struct skl_conv_kernel *k =
                    skl_conv_select((enum skl_conv_algo)algo, (enum skl_cpu_level)level, &shapes[i]);
                CHECK((int)k->level <= level && k->supports(&shapes[i]), "select: %s for level %d", k->name, level);
                CHECK(algo == SKL_CONV_AUTO || (int)k->algo == algo || k->algo == SKL_CONV_DIRECT ||
                          k->algo == SKL_CONV_GEMM,
                      "select: %s for algorithm %d", k->name, algo);
            }
    for (int images = 1; images < 2000; images++) {
        const int chunks = skl_chunk_count(images);
        CHECK(chunks >= 1 && chunks <= images && chunks <= SKL_MAX_CHUNKS, "%d chunks for %d images", chunks, images);
    }
}
