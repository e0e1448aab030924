#include "tests/shortcuts/made_up.h"

#include <string.h>

/* ---- way 2, a layer that ends narrower than the branch: one gate a pixel, y = x + s(h) f ---- */

static void pixel_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_conv(d, "reduce", (struct skl_conv_spec){.kernel = 3, .out_channels = 2, .stride = 1, .init = SKL_HE});
    skl_bn(d, "bn");
    skl_conv(d, "gate",
             (struct skl_conv_spec){.kernel = 1, .out_channels = 1, .stride = 1, .init = SKL_HE, .bias = true});
    skl_scratch(d, (size_t)u->out.h * (size_t)u->out.w);
}
static void pixel_forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    const size_t c = (size_t)k->unit->out.c, pixels = skl_elements(k) / c;
    for (size_t p = 0; p < pixels; p++) k->scratch[p] = skl_sigmoid(h[p]);
    for (size_t i = 0; i < pixels * c; i++) y[i] = x[i] + k->scratch[i / c] * f[i];
}
static void pixel_backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                           float *dx, float *dh, float *df)
{
    const size_t c = (size_t)k->unit->out.c, pixels = skl_elements(k) / c;
    for (size_t p = 0; p < pixels; p++) k->scratch[p] = skl_sigmoid(h[p]);
    for (size_t p = 0; p < pixels; p++) {
        const float g = k->scratch[p];
        float sum = 0;
        for (size_t i = p * c; i < (p + 1) * c; i++) {
            dx[i] = dy[i], df[i] = g * dy[i];
            sum += dy[i] * f[i];
        }
        dh[p] = sum * g * (1 - g);
    }
}
static const struct skl_shortcut pixel_gate = {TEXTS, .name = "pixel_gate", .declare = pixel_declare,
                                               .forward = pixel_forward, .backward = pixel_backward};

/* The same with a batch norm at the end of the layers, the sigmoid declared, pixel by pixel. */
static void pixel_bn_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_conv(d, "gate",
             (struct skl_conv_spec){.kernel = 1, .out_channels = 1, .stride = 1, .init = SKL_HE, .bias = true});
    skl_bn(d, "gate_bn");
    skl_sigmoid_end(d);
}
static void pixel_bn_forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    const size_t c = (size_t)k->unit->out.c;
    for (size_t i = 0; i < skl_elements(k); i++) y[i] = x[i] + h[i / c] * f[i];
}
static void pixel_bn_backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                              float *dx, float *dh, float *df)
{
    const size_t c = (size_t)k->unit->out.c;
    memset(dh, 0, skl_elements(k) / c * sizeof *dh);
    for (size_t i = 0; i < skl_elements(k); i++) {
        dx[i] = dy[i], df[i] = h[i / c] * dy[i];
        dh[i / c] += dy[i] * f[i];
    }
}
static const struct skl_shortcut pixel_gate_bn = {TEXTS,
                                                  .name = "pixel_gate_bn",
                                                  .flags = SKL_PER_PIXEL,
                                                  .declare = pixel_bn_declare,
                                                  .forward = pixel_bn_forward,
                                                  .backward = pixel_bn_backward};

/* ---- way 2, reshapes the raw input itself: every second pixel, channels repeated, times a learned factor ---- */

static void raw_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_input(d, SKL_RAW_X);
    skl_tensor(d, "factor", (const int[]){u->out.c, 0}, SKL_CONST, 1, 0);
}
static size_t raw_at(const struct skl_unit *u, size_t i)
{
    const size_t c = (size_t)u->out.c, w = (size_t)u->out.w, h = (size_t)u->out.h, step = u->out.h < u->in.h ? 2 : 1;
    const size_t channel = i % c, column = i / c % w, row = i / (c * w) % h, image = i / (c * w * h);
    return ((image * (size_t)u->in.h + row * step) * (size_t)u->in.w + column * step) * (size_t)u->in.c +
           channel % (size_t)u->in.c;
}
static void raw_forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    for (size_t i = 0; i < skl_elements(k); i++)
        y[i] = k->w[0][i % (size_t)k->unit->out.c] * x[raw_at(k->unit, i)] + f[i];
}
static void raw_backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                         float *dx, float *dh, float *df)
{
    const struct skl_shape in = k->unit->in;
    const size_t inputs = (size_t)k->n * (size_t)in.h * (size_t)in.w * (size_t)in.c, c = (size_t)k->unit->out.c;
    memset(dx, 0, inputs * sizeof *dx);
    memset(dh, 0, inputs * sizeof *dh);
    for (size_t i = 0; i < skl_elements(k); i++) {
        dx[raw_at(k->unit, i)] += k->w[0][i % c] * dy[i];
        k->dw[0][i % c] += dy[i] * x[raw_at(k->unit, i)];
        df[i] = dy[i];
    }
}
static const struct skl_shortcut raw_repeat = {TEXTS, .name = "raw_repeat", .declare = raw_declare,
                                               .forward = raw_forward, .backward = raw_backward};

/* ---- way 2, mixes images: y = x + f - mean of f over the group, gated by a layer with bias ---- */

static void group_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_conv(d, "gate",
             (struct skl_conv_spec){
                 .kernel = 1, .out_channels = u->out.c, .stride = 1, .init = SKL_HE, .bias = true, .bias_init = 1});
    skl_sigmoid_end(d);
}
static float mean_at(const struct skl_call *k, const float *v, size_t i)
{
    double sum = 0;
    for (size_t n = 0; n < (size_t)k->n; n++) sum += v[n * skl_image_elements(k->unit) + i];
    return (float)(sum / k->n);
}
static void group_forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    for (size_t i = 0; i < skl_elements(k); i++)
        y[i] = h[i] * x[i] + f[i] - 0.5f * mean_at(k, f, i % skl_image_elements(k->unit));
}
static void group_backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                           float *dx, float *dh, float *df)
{
    for (size_t i = 0; i < skl_elements(k); i++) {
        dx[i] = h[i] * dy[i];
        dh[i] = x[i] * dy[i];
        df[i] = dy[i] - 0.5f * mean_at(k, dy, i % skl_image_elements(k->unit));
    }
}
static const struct skl_shortcut group_mean = {TEXTS,
                                               .name = "group_mean",
                                               .flags = SKL_MIXES_IMAGES,
                                               .declare = group_declare,
                                               .forward = group_forward,
                                               .backward = group_backward};

/* ---- way 2, random numbers and keep: every image's branch dropped with probability p ---- */

struct depth_options {
    double drop;
    int last;
};
static const struct skl_param depth_params[] = {
    SKL_PARAM(struct depth_options, drop, 0.3, 0, 0.9, "probability"),
    SKL_PARAM(struct depth_options, last, 3, 1, 1000, "a count"),
    SKL_PARAM_END,
};
static int depth_check(const void *opts, struct skl_err *err)
{
    const struct depth_options *o = opts;
    if (o->drop == 0.9 && o->last == 3) return skl_refuse(err, "drop %g does not go with last %d", o->drop, o->last);
    return 0;
}
static void depth_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts) { skl_keep(d, 1); }
static void depth_forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    const struct depth_options *o = k->opts;
    for (size_t n = 0; n < (size_t)k->n; n++) {
        const uint64_t image = (uint64_t)k->first + n;
        const bool kept = skl_rng_uniform(k->rng_key, image) >= o->drop;
        k->keep[n] = k->training ? (float)kept : (float)(1 - o->drop);
        for (size_t i = n * skl_image_elements(k->unit); i < (n + 1) * skl_image_elements(k->unit); i++)
            y[i] = x[i] + k->keep[n] * f[i];
    }
}
static void depth_backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                           float *dx, float *dh, float *df)
{
    for (size_t i = 0; i < skl_elements(k); i++) {
        dx[i] = dy[i], dh[i] = 0;
        df[i] = k->keep[i / skl_image_elements(k->unit)] * dy[i];
    }
}
static const struct skl_shortcut random_depth = {TEXTS,
                                                 .name = "random_depth",
                                                 .opts_size = sizeof(struct depth_options),
                                                 .params = depth_params,
                                                 .check = depth_check,
                                                 .declare = depth_declare,
                                                 .forward = depth_forward,
                                                 .backward = depth_backward};

/* ---- way 1, learned factors a channel on both sides, behind two layers ---- */

static void both_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_input(d, SKL_RAW_X);
    skl_conv(d, "one",
             (struct skl_conv_spec){
                 .kernel = 1, .out_channels = u->out.c, .stride = u->out.h < u->in.h ? 2 : 1, .init = SKL_HE});
    skl_conv(d, "three",
             (struct skl_conv_spec){.kernel = 3, .out_channels = u->out.c, .stride = 1, .init = SKL_HE, .bias = true});
    skl_bn(d, "three_bn");
    skl_tensor(d, "a", (const int[]){u->out.c, 0}, SKL_CONST, 1, 0);
    skl_tensor(d, "b", (const int[]){1, 0}, SKL_CONST, 1, SKL_NO_DECAY);
}
static void both_affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    *a = (struct skl_coef){.span = SKL_PER_CHANNEL, .v = k->w[0]};
    *b = (struct skl_coef){.span = SKL_ONE, .v = k->w[1]};
}
static void both_affine_grad(const struct skl_call *k, const float *da, const float *db)
{
    for (int c = 0; c < k->unit->out.c; c++) k->dw[0][c] += da[c];
    k->dw[1][0] += db[0];
}
static const struct skl_shortcut both_learned = {TEXTS, .name = "both_learned", .declare = both_declare,
                                                 .affine = both_affine, .affine_grad = both_affine_grad};

/* ---- way 1, learned factors without layers: a a channel, b a constant ---- */

static void plain_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_tensor(d, "a", (const int[]){u->out.c, 0}, SKL_CONST, 0.5, 0);
}
static void plain_affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    *a = (struct skl_coef){.span = SKL_PER_CHANNEL, .v = k->w[0]};
    b->constant = 0.75f;
}
static void plain_affine_grad(const struct skl_call *k, const float *da, const float *db)
{
    for (int c = 0; c < k->unit->out.c; c++) k->dw[0][c] += da[c];
}
static const struct skl_shortcut channel_scale = {TEXTS, .name = "channel_scale", .declare = plain_declare,
                                                  .affine = plain_affine, .affine_grad = plain_affine_grad};

/* ---- a backward that is not the derivative, on purpose ---- */

static void straight_forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    for (size_t i = 0; i < skl_elements(k); i++) y[i] = x[i] + (f[i] > 0 ? 1.0f : -1.0f);
}
static void straight_backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                              float *dx, float *dh, float *df)
{
    for (size_t i = 0; i < skl_elements(k); i++) dx[i] = df[i] = dy[i], dh[i] = 0;
}
static const struct skl_shortcut straight_through = {TEXTS, .name = "straight_through", .flags = SKL_SURROGATE_GRAD,
                                                     .forward = straight_forward, .backward = straight_backward};

const struct skl_shortcut *const right_variants[] = {
    &pixel_gate,   &pixel_gate_bn, &raw_repeat,       &group_mean,      &random_depth,
    &both_learned, &channel_scale, &straight_through, &all_of_formulas, NULL};
