#include "tests/shortcuts/made_up.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The variant all others are changes of: y = x + w f with one learned factor a channel, way 2.  Right by itself. */
static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_tensor(d, "w", (const int[]){u->out.c, 0}, SKL_CONST, 1, 0);
}
static void forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    for (size_t i = 0; i < skl_elements(k); i++) y[i] = x[i] + k->w[0][i % (size_t)k->unit->out.c] * f[i];
}
static void backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                     float *dx, float *dh, float *df)
{
    const size_t c = (size_t)k->unit->out.c;
    for (size_t i = 0; i < skl_elements(k); i++) {
        dx[i] = dy[i], dh[i] = 0, df[i] = k->w[0][i % c] * dy[i];
        k->dw[0][i % c] += dy[i] * f[i];
    }
}

/* ---- derivatives ---- */
static void sign_of_w(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                      float *dx, float *dh, float *df)
{
    const size_t c = (size_t)k->unit->out.c;
    for (size_t i = 0; i < skl_elements(k); i++) {
        dx[i] = dy[i], dh[i] = 0, df[i] = k->w[0][i % c] * dy[i];
        k->dw[0][i % c] -= dy[i] * f[i];
    }
}
static void sign_of_f(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                      float *dx, float *dh, float *df)
{
    backward(k, x, h, f, dy, dx, dh, df);
    for (size_t i = 0; i < skl_elements(k); i++) df[i] = -df[i];
}
static void factor_of_x(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                        float *dx, float *dh, float *df)
{
    backward(k, x, h, f, dy, dx, dh, df);
    for (size_t i = 0; i < skl_elements(k); i++) dx[i] *= 1.02f;
}
static void x_twice(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                    float *dx, float *dh, float *df)
{
    backward(k, x, h, f, dy, dx, dh, df);
    for (size_t i = 0; i < skl_elements(k); i++) dh[i] = dx[i]; /* forgets that h is x here */
}
static void wrong_in_last_unit(const struct skl_call *k, const float *x, const float *h, const float *f,
                               const float *dy, float *dx, float *dh, float *df)
{
    backward(k, x, h, f, dy, dx, dh, df);
    for (size_t i = 0; i < skl_elements(k) && k->unit->index == k->unit->count - 1; i++) df[i] = -df[i];
}

/* ---- writes ---- */
static void behind_y(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    y[skl_elements(k)] = 0;
}
static void before_y(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    y[-1] = 0;
}
static void to_x(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    ((float *)x)[0] = 0;
}
static void to_w(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    ((float *)k->w[0])[0] = 0;
}
static void reads_on(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    for (size_t i = 0; i < skl_elements(k); i++) y[i] = x[i] + 0.5f * f[i + 1];
}
static void skips_one(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    for (size_t i = 1; i < skl_elements(k); i++) y[i] = x[i] + k->w[0][i % (size_t)k->unit->out.c] * f[i];
}
static void overwrites_dw(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                          float *dx, float *dh, float *df)
{
    const size_t c = (size_t)k->unit->out.c;
    for (size_t i = 0; i < c; i++) k->dw[0][i] = 0;
    backward(k, x, h, f, dy, dx, dh, df);
}
static void adds_to_dx(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                       float *dx, float *dh, float *df)
{
    const size_t c = (size_t)k->unit->out.c;
    for (size_t i = 0; i < skl_elements(k); i++) {
        dx[i] += dy[i], dh[i] = 0, df[i] = k->w[0][i % c] * dy[i];
        k->dw[0][i % c] += dy[i] * f[i];
    }
}
static void scratch_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    declare(d, u, opts);
    skl_scratch(d, 4);
}
static void stale_scratch(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    y[0] += 0 * k->scratch[1];
}
/* The crash is to be the processor's, not a sanitizer's. */
__attribute__((no_sanitize("undefined"))) static void null_pointer(const struct skl_call *k, const float *x,
                                                                   const float *h, const float *f, const float *dy,
                                                                   float *dx, float *dh, float *df)
{
    backward(k, x, h, f, dy, dx, dh, df);
    *(volatile float *)k->scratch = 1;
}
static void short_gain(const struct skl_call *k, const float *x, const float *h, float *lambda)
{
    for (size_t i = 0; i + 1 < skl_elements(k); i++) lambda[i] = 1;
}

/* ---- numbers ---- */
static void overflows(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    for (size_t i = 0; i < skl_elements(k); i++)
        y[i] = x[i] + k->w[0][i % (size_t)k->unit->out.c] * f[i] + 0 * (expf(x[i]) / (1 + expf(x[i])));
}

/* ---- the same bits ---- */
static void other_images(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    for (size_t i = 0; i < skl_elements(k) && k->n > 1; i++) y[i] += 0.001f * x[0];
}
static void by_range(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    for (size_t i = 0; i < skl_elements(k) && k->training; i++)
        y[i] += (float)skl_rng_uniform(k->rng_key, i); /* not from k->first */
}
/* Says that pixels are alike wherever they stand, but counts the rows of the call. */
static void by_row(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    const size_t row = (size_t)(k->unit->out.w * k->unit->out.c), rows = (size_t)k->unit->out.h;
    forward(k, x, h, f, y);
    for (size_t i = 0; i < skl_elements(k); i++) y[i] += 1e-3f * (float)(i / row % rows);
}
static void counts_calls(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    static int calls;
    forward(k, x, h, f, y);
    y[0] += 1e-4f * (float)calls++;
}
static void noisy_evaluation(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    for (size_t i = 0; i < skl_elements(k); i++)
        y[i] += (float)skl_rng_uniform(k->rng_key, (uint64_t)k->first * skl_image_elements(k->unit) + i);
}
static void iteration_evaluation(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    y[0] += 1e-3f * (float)k->iteration;
}
static void whole_vectors(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    for (size_t i = 0; i < skl_elements(k) / 4 * 4; i++) y[i] = x[i] + k->w[0][i % (size_t)k->unit->out.c] * f[i];
}
/* Another thread gets other bits; the first one sleeps a little, so that the others do get work. */
static void by_thread(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    forward(k, x, h, f, y);
    if (gettid() == getpid())
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    else
        y[0] += 1e-3f;
}
/* Learns something that no checkpoint holds. */
static void hidden_state(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    static int64_t seen, last = -1;
    forward(k, x, h, f, y);
    if (k->training && k->iteration != last) seen++, last = k->iteration;
    for (size_t i = 0; i < skl_elements(k); i++) y[i] += 1e-3f * (float)(seen > 3);
}

/* ---- declarations ---- */
static void moody_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    static int calls;
    skl_tensor(d, "w", (const int[]){u->out.c + calls++ % 2, 0}, SKL_CONST, 1, 0);
}
static void shapeless_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_input(d, SKL_RAW_X);
    skl_conv(d, "conv", (struct skl_conv_spec){.kernel = 1, .out_channels = u->out.c, .stride = 1, .init = SKL_HE});
}
static void two_names(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    declare(d, u, opts);
    declare(d, u, opts);
}
static void bad_name(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_tensor(d, "w.x", (const int[]){1, 0}, SKL_CONST, 1, 0);
}
static void lonely_bn(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    declare(d, u, opts);
    skl_bn(d, "bn");
}
static void kept_pixels(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    declare(d, u, opts);
    skl_keep(d, 1);
}
static void lonely_sigmoid(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    declare(d, u, opts);
    skl_sigmoid_end(d);
}
static void gate_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_conv(d, "g", (struct skl_conv_spec){.kernel = 1, .out_channels = u->out.c, .stride = 1, .init = SKL_HE});
    skl_sigmoid_end(d);
}
/* Ends the process as if all had gone well. */
static void leaving_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts) { exit(0); }
static void leaving_at_once(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    _exit(0);
}
static void endless_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    static volatile int deeper = 1;
    volatile char room[4096] = {0};
    if (deeper) endless_declare(d, u, (const char *)room);
    room[0]++;
}
static void two_numbers(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_number(d, 1);
    skl_number(d, 2);
}
static void narrow_declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    skl_conv(d, "g", (struct skl_conv_spec){.kernel = 1, .out_channels = 1, .stride = 1, .init = SKL_HE});
}
static int refuses_all(const void *opts, struct skl_err *err) { return skl_refuse(err, "no option pleases"); }

/* ---- way 1 ---- */
static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    *b = (struct skl_coef){.span = SKL_PER_CHANNEL, .v = k->w[0]};
}
static void affine_one(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b) { (void)a, (void)b; }
static void affine_sign(const struct skl_call *k, const float *da, const float *db)
{
    for (int c = 0; c < k->unit->out.c; c++) k->dw[0][c] -= db[c];
}
static void affine_long(const struct skl_call *k, const float *da, const float *db)
{
    for (int c = 0; c <= k->unit->out.c; c++) k->dw[0][c] += db[c];
}
static void affine_masks(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    *a = (struct skl_coef){.span = SKL_MASK, .constant = 1, .drop = 0.5};
}
static void affine_back(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    for (int i = 0; i < 2 * k->n; i++) k->keep[i] = i < k->n ? 0.5f : 0.25f;
    *b = (struct skl_coef){.span = SKL_PER_IMAGE, .v = k->keep, .back = k->keep + k->n};
}
static void keep_two(struct skl_decl *d, const struct skl_unit *u, const void *opts) { skl_keep(d, 2); }
static void affine_infinite(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    a->constant = 1 / (k->unit->index - 1.0f);
}

#define WAY2(word, forward_, backward_) \
    { \
        TEXTS, .name = word, .declare = declare, .forward = forward_, .backward = backward_ \
    }
#define PER_PIXEL(word, declare_, forward_) \
    { \
        TEXTS, .name = word, .flags = SKL_PER_PIXEL, .declare = declare_, .forward = forward_, .backward = backward \
    }
#define DECLARES(word, declare_) \
    { \
        TEXTS, .name = word, .declare = declare_, .forward = forward, .backward = backward \
    }
#define WAY1(word, affine_, grad_) \
    { \
        TEXTS, .name = word, .declare = declare, .affine = affine_, .affine_grad = grad_ \
    }

/* A formula whose text is given by hand. */
#define CODE(word, declare_, forward_text) \
    { \
        TEXTS, .name = word, .flags = SKL_PER_PIXEL, .declare = declare_, .forward = forward, .backward = backward, \
               .forward_code = &(const struct skl_code){forward_text, "here.c", 1}, \
               .backward_code = &(const struct skl_code) \
        { \
            "dx = dy; dh = 0; df = dy;", "here.c", 1 \
        } \
    }

const struct wrong_variant wrong_variants[] = {
    {DECLARES("leaving_declare", leaving_declare), "declaration", "declare ends the process"},
    {WAY2("leaving_at_once", leaving_at_once, backward), "writes", "it ends the process (exit code 0)"},
    {DECLARES("endless_declare", endless_declare), "declaration", "it crashes (Segmentation fault)"},
    {CODE("foreign_call", NULL, "y = x + system(f);"), "descriptor", "SKL_FORWARD has 'system'"},
    {CODE("double_formula", NULL, "y = x + 0.5 * f;"), "descriptor", "'0.5', which is a double"},
    {CODE("own_formula", declare, "y = x + f;"), "declaration", "tensors of its own"},
    {CODE("few_numbers", two_numbers, "y = x + p[2] * f;"), "declaration", "2 numbers, where SKL_FORWARD reads p[2]"},
    {CODE("narrow_formula", narrow_declare, "y = x + h * f;"), "declaration", "layers that end with shape"},
    {{TEXTS, .name = "half_formula", .flags = SKL_PER_PIXEL, .forward = forward, .backward = backward,
      .forward_code = &(const struct skl_code){"y = x;", "here.c", 1}},
     "descriptor",
     "go together"},
    {WAY2("sign_of_w", forward, sign_of_w), "gradients", "by w: "},
    {WAY2("sign_of_w", forward, sign_of_w), "net-gradients", "shortcut.w"},
    {WAY2("sign_of_f", forward, sign_of_f), "gradients", "the sign is wrong"},
    {WAY2("factor_of_x", forward, factor_of_x), "gradients", "by x"},
    {WAY2("x_twice", forward, x_twice), "gradients", "by x"},
    {WAY2("wrong_in_last_unit", forward, wrong_in_last_unit), "net-gradients", "the backward pass says"},
    {WAY2("behind_y", behind_y, backward), "writes", "outside y"},
    {WAY2("before_y", before_y, backward), "writes", "outside y"},
    {WAY2("to_x", to_x, backward), "writes", "writes to x"},
    {WAY2("to_w", to_w, backward), "writes", "writes to tensor w"},
    {WAY2("reads_on", reads_on, backward), "writes", "outside f"},
    {WAY2("skips_one", skips_one, backward), "writes", "1 of 216 elements of y unwritten"},
    {WAY2("overwrites_dw", forward, overwrites_dw), "writes", "must add to dw of tensor w"},
    {WAY2("adds_to_dx", forward, adds_to_dx), "writes", "dx is not finite"},
    {{TEXTS, .name = "stale_scratch", .declare = scratch_declare, .forward = stale_scratch, .backward = backward},
     "writes",
     "scratch"},
    {WAY2("null_pointer", forward, null_pointer), "writes", "backward crashed"},
    {{TEXTS, .name = "short_gain", .declare = declare, .forward = forward, .backward = backward, .gain = short_gain},
     "writes",
     "elements of lambda unwritten"},
    {WAY2("overflows", overflows, backward), "finite", "y is not finite"},
    {WAY2("other_images", other_images, backward), "images", "y of an image"},
    {WAY2("by_range", by_range, backward), "ranges", "y depends"},
    {PER_PIXEL("by_row", declare, by_row), "ranges", "SKL_PER_PIXEL is not true"},
    {PER_PIXEL("kept_pixels", kept_pixels, forward), "declaration", "skl_keep, which does not go with SKL_PER_PIXEL"},
    {{TEXTS, .name = "both_flags", .flags = SKL_PER_PIXEL | SKL_MIXES_IMAGES, .forward = forward, .backward = backward},
     "descriptor",
     "do not go together"},
    {{TEXTS, .name = "affine_pixels", .flags = SKL_PER_PIXEL, .affine = affine_one}, "descriptor", "SKL_PER_PIXEL"},
    {{TEXTS, .name = "odd_flag", .flags = 1u << 31, .affine = affine_one}, "descriptor", "unknown flags"},
    {WAY2("counts_calls", counts_calls, backward), "repeat", "another y"},
    {WAY2("noisy_evaluation", noisy_evaluation, backward), "evaluation", "random key"},
    {WAY2("iteration_evaluation", iteration_evaluation, backward), "evaluation", "iteration"},
    {WAY2("whole_vectors", whole_vectors, backward), "odd-shapes", "unwritten"},
    {WAY2("by_thread", by_thread, backward), "threads", "on 2 threads"},
    {WAY2("hidden_state", hidden_state, backward), "resume", "after saving"},
    {DECLARES("moody_declare", moody_declare), "declaration", "another thing"},
    {DECLARES("two_names", two_names), "declaration", "two things that are called 'w'"},
    {DECLARES("bad_name", bad_name), "declaration", "'w.x', which is no name"},
    {DECLARES("lonely_bn", lonely_bn), "declaration", "a batch norm that follows no convolution"},
    {DECLARES("lonely_sigmoid", lonely_sigmoid), "declaration", "a sigmoid that follows no convolution"},
    {{TEXTS, .name = "affine_gate", .declare = gate_declare, .affine = affine_one},
     "declaration",
     "a sigmoid, which goes with forward and backward only"},
    {{TEXTS, .name = "shapeless", .declare = shapeless_declare, .affine = affine_one},
     "declaration",
     "layers that end with shape"},
    {{TEXTS, .name = "Capitals", .affine = affine_one}, "descriptor", "name"},
    {{TEXTS, .name = "no_way"}, "descriptor", "exactly one"},
    {{TEXTS, .name = "refuses_all", .affine = affine_one, .check = refuses_all}, "descriptor", "no option pleases"},
    {WAY1("affine_sign", affine, affine_sign), "gradients", "by w"},
    {WAY1("affine_forgets", affine, NULL), "gradients", "by w"},
    {WAY1("affine_long", affine, affine_long), "writes", "outside"},
    {{TEXTS, .name = "affine_masks", .affine = affine_masks}, "evaluation", "random mask"},
    {{TEXTS, .name = "affine_back", .declare = keep_two, .affine = affine_back}, "writes", "SKL_SURROGATE_GRAD"},
    {{TEXTS, .name = "affine_infinite", .affine = affine_infinite}, "writes", "a is not finite"},
};
const int wrong_count = sizeof wrong_variants / sizeof *wrong_variants;
