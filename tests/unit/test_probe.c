/* The probe on small nets: the study's equations where they hold exactly, and that nothing but the figures comes of it.
 * tests/parity/test_probe.py compares every figure with another framework. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/base/rng.h"
#include "core/config/plan.h"
#include "core/nn/internal.h"
#include "core/nn/probe.h"

enum { SIZE = 8, CHANNELS = 3, CLASSES = 5, IMAGES = 8, WORDS = 5 };

struct lab {
    struct skl_plan plan;
    struct skl_pool *pool;
    struct skl_net *net;
    float images[IMAGES * SIZE * SIZE * CHANNELS];
    int32_t labels[IMAGES];
    struct skl_probe p;
    float *fetched[256]; /* freed with the lab */
    int count;
};

/* What stands somewhere in the device's memory. */
static const float *fetch(struct lab *lab, struct skl_place from, size_t floats)
{
    assert_true(lab->count < 256);
    float *to = lab->fetched[lab->count++] = skl_alloc_array(floats, sizeof *to);
    lab->net->device->ops->download(lab->net->device, from, floats * sizeof *to, to);
    assert_int_equal(lab->net->device->ops->finish(lab->net->device, NULL), SKL_OK);
    return to;
}
static const float *fetch_signal(struct lab *lab, int i)
{
    return fetch(lab, lab->net->signal[i].z, IMAGES * skl_shape_floats(lab->net->signal[i].shape));
}
/* The first `count` numbers of a tensor. */
static void set_tensor(struct lab *lab, int tensor, int count, float v)
{
    const struct skl_tensor *t = &lab->net->tensor[tensor];
    float *values = skl_alloc_array(t->count, sizeof *values);
    skl_tensor_read(lab->net, t, SKL_VALUE, values);
    for (int i = 0; i < count; i++) values[i] = v;
    skl_tensor_write(lab->net, t, SKL_VALUE, values);
    free(values);
}

static void open_net(struct lab *lab, struct skl_net_options o, const char *const words[WORDS])
{
    struct skl_err err = {0};
    char *given[WORDS + 2] = {(char *)"name=lab", (char *)"model.width=8"};
    int n = 2;
    *lab = (struct lab){.net = NULL};
    for (int i = 0; i < WORDS && words[i]; i++) given[n++] = (char *)words[i];
    if (skl_plan_load(NULL, given, n, &lab->plan, &err)) fail_msg("%s", err.text);
    o.size = SIZE, o.channels = CHANNELS, o.classes = CLASSES, o.seed = 3, o.iterations = 100;
    lab->pool = o.pool;
    if (skl_net_new(&lab->plan.run[0].exp.model, &o, &lab->net, &err)) fail_msg("%s", err.text);
    for (int i = 0; i < IMAGES * SIZE * SIZE * CHANNELS; i++) lab->images[i] = (float)skl_rng_normal(7, (uint64_t)i);
    for (int i = 0; i < IMAGES; i++) lab->labels[i] = i % CLASSES;
}

static void open_lab(struct lab *lab, const char *const words[WORDS])
{
    open_net(lab, (struct skl_net_options){.batch = IMAGES, .group = IMAGES, .pool = skl_pool_new(2)}, words);
    skl_net_probe(lab->net, lab->images, lab->labels, IMAGES, &lab->p);
}
#define OPEN(lab, ...) open_lab(lab, (const char *const[WORDS]){__VA_ARGS__})

static void close_lab(struct lab *lab)
{
    for (int i = 0; i < lab->count; i++) free(lab->fetched[i]);
    skl_probe_release(&lab->p);
    skl_net_free(lab->net);
    skl_pool_free(lab->pool);
    skl_plan_release(&lab->plan);
}

static void close_to(double got, double wanted, double relative, const char *what, int unit)
{
    if (!(fabs(got - wanted) <= relative * fabs(wanted)))
        fail_msg("%s of unit %d: %.9g, not %.9g", what, unit, got, wanted);
}

static int per_stage(const struct lab *lab) { return lab->p.units / 3; }

/* ---- the equations ---- */

/* (7): x_L = x_l + sum of F within a stage, where f is the identity. */
static void signals_add_up(void **state)
{
    struct lab lab;
    open_net(&lab,
             (struct skl_net_options){.batch = IMAGES, .group = IMAGES, .pool = skl_pool_new(1), .pointwise = true},
             (const char *const[WORDS]){"model.depth=20", "model.order=full_preact"});
    skl_net_probe(lab.net, lab.images, lab.labels, IMAGES, &lab.p);
    const int n = per_stage(&lab);
    for (int stage = 0; stage < 3; stage++) {
        const int first = stage * n + (stage > 0), last = stage * n + n;
        const size_t floats = IMAGES * skl_shape_floats(lab.net->signal[last].shape);
        const float *from = fetch_signal(&lab, first), *to = fetch_signal(&lab, last), *branch[8];
        double error = 0, size = 0;
        for (int l = first; l < last; l++) branch[l - first] = fetch(&lab, lab.net->unit[l].train.y[1], floats);
        for (size_t e = 0; e < floats; e++) {
            double sum = from[e];
            for (int l = first; l < last; l++) sum += branch[l - first][e];
            error += (sum - to[e]) * (sum - to[e]);
            size += (double)to[e] * to[e];
        }
        assert_true(size > 0 && sqrt(error / size) < 1e-6);
    }
    close_lab(&lab);
}

/* The same over all three stages: what x_L is more than x_l, taken down as option A does, is the sum of the
 * branches. */
static void sums_of_branches(void **state)
{
    struct lab lab;
    OPEN(&lab, "model.depth=20", "model.order=full_preact");
    const float *top = fetch_signal(&lab, lab.p.units);
    const struct skl_shape to = lab.net->signal[lab.p.units].shape;
    for (int l = 0; l < lab.p.units; l++) {
        const float *below = fetch_signal(&lab, l);
        const struct skl_shape s = lab.net->signal[l].shape;
        const int step = s.h / to.h;
        double rest = 0, size = 0;
        for (int i = 0; i < IMAGES * to.h * to.w; i++)
            for (int c = 0; c < to.c; c++) {
                const int image = i / (to.h * to.w), y = i / to.w % to.h * step, at = i % to.w * step;
                const double z = top[i * to.c + c],
                             carried = c < s.c ? below[((image * s.h + y) * s.w + at) * s.c + c] : 0;
                rest += (z - carried) * (z - carried);
                size += z * z;
            }
        close_to(lab.p.unit[l].sum_share, sqrt(rest / size), 1e-5, "sum_share", l);
    }
    close_lab(&lab);
}

/* (8): nothing is lost along identity shortcuts with f = identity; 1 exactly, and the same throughout a stage. */
static void identity_carries_the_gradient(void **state)
{
    struct lab lab;
    OPEN(&lab, "model.depth=32", "model.order=full_preact");
    const int n = per_stage(&lab);
    for (int l = 2 * n + 1; l < 3 * n; l++) assert_true(lab.p.unit[l].direct_gain == 1);
    for (int l = n + 1; l < 2 * n - 1; l++) assert_true(lab.p.unit[l].direct_gain == lab.p.unit[l + 1].direct_gain);
    for (int l = 0; l < n - 1; l++) assert_true(lab.p.unit[l].direct_gain == lab.p.unit[l + 1].direct_gain);
    /* option A drops the gradient of the appended channels: half of them */
    const double kept = lab.p.unit[2 * n].direct_gain;
    assert_true(kept > 0.3 && kept < 0.95 && lab.p.unit[0].direct_gain < kept);
    for (int l = 0; l < 3 * n; l++) assert_true(lab.p.unit[l].clipped == 0 && lab.p.unit[l].shortcut_gain == 1);
    close_lab(&lab);
}

/* (10): a factor on every shortcut makes it the product of the factors, far below what float32 can hold. */
static void factors_multiply(void **state)
{
    static const struct {
        const char *shortcut;
        double factor, tolerance;
    } cases[] = {
        {"model.shortcut={type: constant_scaling, shortcut_scale: 0.5, residual_scale: 1}", 0.5, 0},
        {"model.shortcut={type: constant_scaling, shortcut_scale: 0.001, residual_scale: 1}", 0.001, 2e-6},
        {"model.shortcut={type: constant_scaling, shortcut_scale: -3, residual_scale: 0.5}", 3, 2e-6},
    };
    for (int k = 0; k < 3; k++) {
        struct lab lab;
        OPEN(&lab, "model.depth=56", "model.order=full_preact", cases[k].shortcut);
        const int n = per_stage(&lab), units = lab.p.units;
        for (int l = 2 * n + 1; l < units; l++)
            close_to(lab.p.unit[l].direct_gain, pow(cases[k].factor, units - l), cases[k].tolerance * (units - l),
                     "direct_gain", l);
        for (int l = 0; l < units - 1; l++)
            if (l != n && l != 2 * n)
                close_to(lab.p.unit[l].direct_gain / lab.p.unit[l + 1].direct_gain, cases[k].factor, 1e-5,
                         "step of direct_gain", l);
        close_lab(&lab);
    }
}

/* The original order by hand, in double: ReLU masks; at a transition every second pixel, half of the channels. */
static void down_one_unit(struct lab *lab, int l, const double *from, double *to)
{
    const float *above = fetch_signal(lab, l + 1);
    const struct unit *u = &lab->net->unit[l];
    const struct skl_shape in = u->place.in, out = u->place.out;
    const int stride = in.h / out.h;
    memset(to, 0, IMAGES * skl_shape_floats(in) * sizeof *to);
    for (int i = 0; i < IMAGES; i++)
        for (int y = 0; y < out.h; y++)
            for (int x = 0; x < out.w; x++)
                for (int c = 0; c < in.c; c++) {
                    size_t at = (((size_t)i * out.h + y) * out.w + x) * out.c + c;
                    size_t below = (((size_t)i * in.h + y * stride) * in.w + x * stride) * in.c + c;
                    if (above[at] > 0) to[below] = from[at];
                }
}

static double norm(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += v[i] * v[i];
    return sqrt(sum);
}

static void masks_by_hand(void **state)
{
    struct lab lab;
    OPEN(&lab, "model.depth=20");
    const int units = lab.p.units;
    const size_t largest = IMAGES * lab.net->activation;
    const struct skl_shape s = lab.net->signal[units].shape;
    double *from = skl_alloc_array(largest, sizeof *from), *to = skl_alloc_array(largest, sizeof *to);
    const size_t pixels = (size_t)(s.h * s.w), channels = (size_t)s.c;
    const float *dpooled = fetch(&lab, lab.net->head.dpooled, IMAGES * channels);
    for (size_t e = 0; e < IMAGES * skl_shape_floats(s); e++)
        from[e] = (double)dpooled[e / (pixels * channels) * channels + e % channels] / (double)pixels;
    const double top = norm(from, IMAGES * skl_shape_floats(s));
    for (int l = units - 1; l >= 0; l--) {
        down_one_unit(&lab, l, from, to);
        const double size = norm(to, IMAGES * skl_shape_floats(lab.net->signal[l].shape));
        close_to(lab.p.unit[l].direct_gain, size / top, 1e-6, "direct_gain", l);
        close_to(lab.p.unit[l].direct_share * lab.p.unit[l].gradient_rms *
                     sqrt((double)(IMAGES * skl_shape_floats(lab.net->signal[l].shape))),
                 size, 1e-6, "direct term", l);
        double *swap = from;
        from = to, to = swap;
    }
    free(from), free(to);
    close_lab(&lab);
}

/* Branches that count for nothing leave the direct term alone: the whole gradient is it. */
static void small_branches_leave_the_direct_term(void **state)
{
    struct lab lab;
    OPEN(&lab, "model.depth=20");
    assert_true(lab.p.unit[0].direct_cosine < 0.9);
    skl_probe_release(&lab.p);
    for (int l = 0; l < lab.net->units; l++) {
        const struct bn_layer *end = lab.net->unit[l].end;
        set_tensor(&lab, end->gamma, end->n.c, 1e-5f);
    }
    skl_net_probe(lab.net, lab.images, lab.labels, IMAGES, &lab.p);
    for (int l = 0; l < lab.p.units; l++) {
        close_to(lab.p.unit[l].direct_share, 1, 1e-3, "direct_share", l);
        close_to(lab.p.unit[l].direct_cosine, 1, 1e-3, "direct_cosine", l);
        close_to(lab.p.unit[l].branch_rms, 1e-5, 1e-2, "branch_rms", l);
        assert_true(lab.p.unit[l].clipped < 1e-3);
    }
    close_lab(&lab);
}

/* ---- the shortcut's factor ---- */
static void factors_of_the_shortcut(void **state)
{
    static const struct {
        const char *shortcut;
        double gain, tolerance;
        bool gated;
    } cases[] = {
        {"model.shortcut={type: identity}", 1, 0, false},
        {"model.shortcut={type: constant_scaling, shortcut_scale: 0.7}", 0.7f, 0, false},
        {"model.shortcut={type: constant_scaling, shortcut_scale: 0, residual_scale: 1}", 0, 0, false},
        {"model.shortcut={type: learned_scale, start: 0.25}", 1, 0, false},
        {"model.shortcut={type: dropout, rate: 0.25}", 0.75, 0.03, false},
        {"model.shortcut={type: dropout, rate: 0.25, inverted: true}", 1, 0.03, false},
        {"model.shortcut={type: exclusive_gating, gate_bias: -6, gate_init: zero}", 1 - 0.00247262316, 1e-6, true},
        {"model.shortcut={type: shortcut_only_gating, gate_bias: 1, gate_init: zero}", 1 - 0.731058579, 1e-6, true},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct lab lab;
        OPEN(&lab, "model.depth=8", cases[k].shortcut);
        for (int l = 0; l < lab.p.units; l++) {
            const struct skl_probe_unit *u = &lab.p.unit[l];
            close_to(u->shortcut_gain, cases[k].gain, cases[k].tolerance, cases[k].shortcut, l);
            assert_true(cases[k].gated ? u->gate_mean == 1 - u->shortcut_gain : isnan(u->gate_mean));
        }
        close_lab(&lab);
    }
}

static double rms_of(const float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)v[i] * v[i];
    return sqrt(sum / (double)n);
}

/* A convolution on the shortcut: by how much it changes the signal's size.  Batch norm starts it at 1. */
static void gain_of_a_convolution(void **state)
{
    struct lab lab;
    OPEN(&lab, "model.depth=8", "model.shortcut={type: conv1x1}");
    for (int l = 0; l < lab.p.units; l++) {
        const double x = rms_of(fetch_signal(&lab, l), IMAGES * skl_shape_floats(lab.net->signal[l].shape));
        close_to(lab.p.unit[l].signal_rms, x, 1e-9, "signal_rms", l);
        close_to(lab.p.unit[l].shortcut_gain, 1 / x, 1e-3, "shortcut_gain", l);
    }
    close_lab(&lab);
}

static void a_plain_net_has_no_direct_term(void **state)
{
    struct lab lab;
    OPEN(&lab, "model.depth=14", "model.shortcut={type: constant_scaling, shortcut_scale: 0, residual_scale: 1}");
    for (int l = 0; l < lab.p.units; l++) {
        assert_true(lab.p.unit[l].direct_gain == 0 && lab.p.unit[l].direct_share == 0);
        assert_true(isnan(lab.p.unit[l].direct_cosine) && lab.p.unit[l].gradient_rms > 0);
    }
    close_lab(&lab);
}

/* ---- what must not depend on how ---- */
static void same_rows(const struct skl_probe *a, const struct skl_probe *b, double relative)
{
    assert_int_equal(a->units, b->units);
    for (int l = 0; l < a->units; l++)
        for (const struct skl_probe_column *c = skl_probe_columns; c->name; c++) {
            double x = skl_probe_value(&a->unit[l], c), y = skl_probe_value(&b->unit[l], c);
            if (isnan(x) && isnan(y)) continue;
            if (!(fabs(x - y) <= relative * (fabs(y) > 1e-3 ? fabs(y) : 1e-3)))
                fail_msg("%s of unit %d: %.9g and %.9g", c->name, l, x, y);
        }
}

static const char *const shortcuts[] = {"model.shortcut={type: identity}",
                                        "model.shortcut={type: constant_scaling}",
                                        "model.shortcut={type: exclusive_gating, gate_bias: -1}",
                                        "model.shortcut={type: dropout}",
                                        "model.shortcut={type: conv1x1}",
                                        "model.shortcut={type: layer_scale}",
                                        NULL};
static const char *const orders[] = {"model.order=original",        "model.order=bn_after_add",
                                     "model.order=relu_before_add", "model.order=relu_only_preact",
                                     "model.order=full_preact",     NULL};

/* Fused or as the plain formula, with one thread or three, as part of a larger mini-batch or alone. */
static void the_way_does_not_matter(void **state)
{
    for (int s = 0; shortcuts[s]; s++)
        for (int k = 0; orders[k]; k++) {
            const char *const words[WORDS] = {"model.depth=14", "model.projection=B", shortcuts[s], orders[k]};
            const struct skl_net_options ways[] = {
                {.batch = 4, .group = 4, .pool = skl_pool_new(1)},
                {.batch = 4, .group = 4, .pool = skl_pool_new(3)},
                {.batch = 16, .group = 8, .pool = skl_pool_new(1)},
                {.batch = 4, .group = 4, .pool = skl_pool_new(1), .pointwise = true},
            };
            struct lab lab[4];
            for (int w = 0; w < 4; w++) {
                open_net(&lab[w], ways[w], words);
                skl_net_probe(lab[w].net, lab[w].images, lab[w].labels, 4, &lab[w].p);
                skl_probe_release(&lab[w].p);
                skl_net_probe(lab[w].net, lab[w].images, lab[w].labels, 4, &lab[w].p); /* and again */
                same_rows(&lab[w].p, &lab[0].p, w < 3 ? 0 : 2e-3);
            }
            for (int w = 0; w < 4; w++) close_lab(&lab[w]);
        }
}

static void same_tensors(struct skl_net *a, struct skl_net *b)
{
    for (int i = 0; i < a->tensors; i++) {
        const struct skl_tensor *s = &a->tensor[i], *t = &b->tensor[i];
        float *x = skl_alloc_array(s->count, sizeof *x), *y = skl_alloc_array(s->count, sizeof *y);
        for (int part = SKL_VALUE; part <= SKL_MOMENTUM; part++) {
            if (part != SKL_VALUE && (!s->learned || part == SKL_GRADIENT)) continue;
            skl_tensor_read(a, s, (enum skl_tensor_part)part, x);
            skl_tensor_read(b, t, (enum skl_tensor_part)part, y);
            if (memcmp(x, y, s->count * sizeof *x)) fail_msg("%s differs", s->name);
        }
        free(x), free(y);
    }
}

static void probe_once(struct lab *lab, int n)
{
    skl_net_probe(lab->net, lab->images, lab->labels, n, &lab->p);
    skl_probe_release(&lab->p);
}

/* Two nets trained alike, one of them probed in between: the same bits in every tensor, and the same loss. */
static void nothing_but_figures(void **state)
{
    for (int s = 0; shortcuts[s]; s++)
        for (int k = 0; orders[k]; k++) {
            struct lab lab[2];
            for (int i = 0; i < 2; i++)
                open_net(&lab[i], (struct skl_net_options){.batch = IMAGES, .group = 4, .pool = skl_pool_new(2)},
                         (const char *const[WORDS]){"model.depth=8", shortcuts[s], orders[k]});
            for (int t = 0; t < 3; t++) {
                double loss[2];
                probe_once(&lab[1], 3);
                for (int i = 0; i < 2; i++) {
                    skl_net_gradient(lab[i].net, lab[i].images, &(struct skl_targets){.labels = lab[i].labels}, t,
                                     NULL);
                    loss[i] = skl_net_result(lab[i].net).loss;
                    skl_net_update(lab[i].net, &(struct skl_train_config){.momentum = 0.9, .weight_decay = 1e-4}, 0.1);
                }
                assert_true(loss[0] == loss[1]);
                probe_once(&lab[1], 4);
                for (int i = 0; i < 2; i++)
                    loss[i] = skl_net_evaluate(lab[i].net, lab[i].images, lab[i].labels, IMAGES, NULL).loss;
                assert_true(loss[0] == loss[1]);
                same_tensors(lab[0].net, lab[1].net);
            }
            close_lab(&lab[0]), close_lab(&lab[1]);
        }
}

/* ---- odds and ends ---- */
static void weights_that_are_not_finite(void **state)
{
    struct lab lab;
    OPEN(&lab, "model.depth=8");
    skl_probe_release(&lab.p);
    set_tensor(&lab, lab.net->unit[1].conv[0].weight, 1, NAN);
    skl_net_probe(lab.net, lab.images, lab.labels, IMAGES, &lab.p);
    assert_true(isfinite(lab.p.unit[0].signal_rms) && isnan(lab.p.loss));
    assert_true(isnan(lab.p.unit[2].signal_rms) && isnan(lab.p.unit[0].gradient_rms));
    close_lab(&lab);
}

/* After batch norm a response starts with mean 0 and standard deviation 1; the last ones of full_preact have none. */
static void responses(void **state)
{
    struct lab lab;
    OPEN(&lab, "model.depth=14");
    assert_int_equal(lab.p.responses, 13);
    assert_string_equal(lab.p.response[0].name, "conv1");
    assert_string_equal(lab.p.response[12].name, "layer3.1.conv2");
    for (int i = 0; i < 13; i++) {
        assert_true(fabs(lab.p.response[i].mean) < 1e-5);
        close_to(lab.p.response[i].std, 1, 1e-3, "std", i);
    }
    set_tensor(&lab, lab.net->unit[2].mid[0]->gamma, lab.net->unit[2].mid[0]->n.c, -0.5f);
    skl_probe_release(&lab.p);
    skl_net_probe(lab.net, lab.images, lab.labels, IMAGES, &lab.p);
    assert_string_equal(lab.p.response[5].name, "layer2.0.conv1");
    close_to(lab.p.response[5].std, 0.5, 1e-3, "std", 5);
    close_lab(&lab);
    OPEN(&lab, "model.depth=11", "model.block=bottleneck", "model.order=full_preact");
    assert_int_equal(lab.p.responses, 4);
    assert_string_equal(lab.p.response[3].name, "layer3.0.conv2");
    close_lab(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_add_up),
        cmocka_unit_test(sums_of_branches),
        cmocka_unit_test(identity_carries_the_gradient),
        cmocka_unit_test(factors_multiply),
        cmocka_unit_test(masks_by_hand),
        cmocka_unit_test(small_branches_leave_the_direct_term),
        cmocka_unit_test(factors_of_the_shortcut),
        cmocka_unit_test(gain_of_a_convolution),
        cmocka_unit_test(a_plain_net_has_no_direct_term),
        cmocka_unit_test(the_way_does_not_matter),
        cmocka_unit_test(nothing_but_figures),
        cmocka_unit_test(weights_that_are_not_finite),
        cmocka_unit_test(responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
