/* The merge as a pass of its own: calls of kernels/merge.cl, built from a variant's formula or for y = a h + b f. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/device/opencl/internal.h"
#include "core/device/opencl/kernels/flags.h"
#include "core/variant/code.h"

enum { ITEMS = 256 };

int opencl_variant_fits(struct skl_device *d, const struct skl_shortcut *variant, struct skl_err *err)
{
    struct skl_code_read read;
    if (variant->affine) return SKL_OK;
    if (!variant->forward_code || !variant->backward_code)
        return skl_fail(err, SKL_USAGE,
                        "shortcut %s runs on the CPU alone: for a GPU write it as a formula, SKL_FORWARD(...) and "
                        "SKL_BACKWARD(...) of core/variant/formula.h (or --device cpu)",
                        variant->name);
    const int status = skl_code_read(variant, SKL_CODE_FORWARD, &read, err);
    return status ? status : skl_code_read(variant, SKL_CODE_BACKWARD, &read, err);
}

/* ---- the program of a variant ---- */
static char *formula_source(const struct skl_shortcut *v)
{
    return skl_format("%s\n"
                      "static float formula_forward(const float *p, float x, float h, float f)\n{\nfloat y;\n"
                      "%s\nreturn y;\n}\n"
                      "static void formula_backward(const float *p, float x, float h, float f, float dy, float *to_dx, "
                      "float *to_dh, float *to_df)\n{\nfloat dx, dh, df;\n"
                      "%s\n*to_dx = dx, *to_dh = dh, *to_df = df;\n}\n%s",
                      skl_code_functions(), v->forward_code->text, v->backward_code->text, opencl_text("merge"));
}

static struct call merge_call(struct opencl *d, const struct skl_merge *job, const char *kernel, int sums, bool more)
{
    const struct skl_shortcut *v = job->variant;
    const bool affine = v->affine != NULL;
    char *source =
        affine ? skl_format("#define AFFINE 1\n%s\n%s", skl_code_functions(), opencl_text("merge")) : formula_source(v);
    char *named = skl_format("merge of %s", affine ? "a h + b f" : v->name);
    cl_kernel k = opencl_kernel_of(d, named, source, kernel, "-DSUMS=%d -DMORE=%d", sums, more);
    free(source), free(named);
    return call_begin(d, k, kernel);
}

/* ---- what both directions share of their arguments ---- */
static void call_numbers(struct call *k, const struct skl_merge *job)
{
    float p[8] = {0};
    for (int i = 0; i < job->decl->numbers; i++) p[i] = job->decl->p[i];
    call_float8(k, p);
}
static struct skl_place numbers_of(const struct skl_factor *f, bool back)
{
    return back && skl_there(f->back) ? f->back : f->v;
}
static int span_of(const struct skl_factor *f)
{
    return f->span == SKL_PER_IMAGE ? SPAN_IMAGE : f->span == SKL_MASK ? SPAN_MASK : SPAN_CHANNEL;
}
static void call_coefficients(struct call *k, const struct skl_merge *job, bool back)
{
    const struct skl_shape s = job->call.unit->out;
    call_place(k, numbers_of(&job->a, back)), call_place(k, numbers_of(&job->b, back));
    call_int(k, span_of(&job->a)), call_int(k, span_of(&job->b));
    call_ulong(k, job->call.rng_key), call_ulong(k, (uint64_t)ceil(job->a.drop * 4294967296.0));
    call_ulong(k, (uint64_t)job->call.first * (uint64_t)s.h * (uint64_t)s.w * (uint64_t)s.c);
    call_int(k, s.h * s.w);
}

/* 2: behind a tail the sigmoid's values stand where the tail's were. */
static int sigmoid_of(const struct skl_merge *job) { return !job->decl->sigmoid ? 0 : job->tail ? 2 : 1; }

static struct cut cut_for(const struct skl_merge *job, int64_t *pixels)
{
    const struct skl_shape s = job->call.unit->out;
    *pixels = (int64_t)job->call.n * s.h * s.w;
    return cut_of(*pixels, s.c);
}

/* ---- forward ---- */
void opencl_merge_forward(struct skl_device *device, const struct skl_merge *job)
{
    struct opencl *d = opencl_of(device);
    const int c = job->call.unit->out.c;
    int64_t pixels;
    const struct cut cut = cut_for(job, &pixels);
    if (job->tail) {
        const struct skl_conv_job conv = {.plan = job->tail->plan,
                                          .n = job->call.n,
                                          .weight = job->tail->weight,
                                          .x = job->tail->x,
                                          .y = {.y = job->h.x}};
        opencl_conv_forward(device, &conv);
    }
    struct call k = merge_call(d, job, "merge_forward", sums_kind(&job->y), false);
    call_place(&k, job->x), call_operand(&k, &job->h), call_operand(&k, &job->f);
    call_result(&k, &job->y, parts_begin(d, job->y.sums, cut.span, c));
    call_int(&k, sigmoid_of(job)), call_int(&k, job->relu);
    call_int(&k, (int)pixels), call_int(&k, c), call_int(&k, cut.lanes), call_int(&k, cut.per);
    call_numbers(&k, job), call_coefficients(&k, job, false), call_int(&k, cut.span);
    const double elements = (double)d->head.groups * (double)pixels * c;
    moves_operand(&k, &job->h, elements), moves_operand(&k, &job->f, elements), moves_result(&k, &job->y, elements);
    k.bytes += 4 * elements * !job->variant->affine; /* x */
    call_run(&k, (size_t)(d->head.groups * cut.span), (size_t)cut.blocks, 0, ITEMS);
    parts_end(d, job->y.sums, cut.span, c, true, pixels);
}

/* ---- backward ---- */
static void tail_backward(struct opencl *d, const struct skl_merge *job, struct skl_place sums)
{
    const struct skl_tail *t = job->tail;
    if (skl_there(t->dbias))
        opencl_bias_backward(&d->head, job->h_shape.c, sums, (struct skl_place){NULL, 0}, t->dbias, job->accumulate);
    const struct skl_conv_job conv = {.plan = t->plan,
                                      .n = job->call.n,
                                      .weight = t->weight,
                                      .x = t->x,
                                      .y = {.y = job->dx, .add = job->dx},
                                      .dy = {.x = job->dh},
                                      .dweight = t->dweight,
                                      .accumulate = job->accumulate};
    opencl_conv_backward(&d->head, &conv);
}

void opencl_merge_backward(struct skl_device *device, const struct skl_merge *job)
{
    struct opencl *d = opencl_of(device);
    const int c = job->call.unit->out.c;
    int64_t pixels;
    const struct cut cut = cut_for(job, &pixels);
    const bool coefs = job->variant->affine && skl_there(job->dcoef), bias = job->tail && skl_there(job->tail->dbias);
    const struct skl_place more = coefs || bias ? extra_sums(d, c) : (struct skl_place){NULL, 0};
    /* what was left there by forward is h itself */
    const struct skl_operand h = sigmoid_of(job) == 2 ? (struct skl_operand){.x = job->h.x} : job->h;
    const bool to_dx = !(job->variant->affine && job->layers); /* y = a h + b f sees no x */
    if (!to_dx)
        opencl_clear(device, job->dx,
                     (size_t)(d->head.groups * job->call.n) * (size_t)job->x_shape.h * (size_t)job->x_shape.w *
                         (size_t)job->x_shape.c * sizeof(float));
    struct call k = merge_call(d, job, "merge_backward", sums_kind(&job->df), coefs || bias);
    call_place(&k, job->x), call_place(&k, job->dy), call_operand(&k, &h), call_operand(&k, &job->f);
    call_result(&k, &job->df, parts_begin(d, job->df.sums, cut.span, c));
    call_place(&k, job->dx), call_place(&k, job->dh), call_int(&k, to_dx), call_int(&k, job->layers);
    call_place(&k, more), call_int(&k, sigmoid_of(job));
    call_int(&k, (int)pixels), call_int(&k, c), call_int(&k, cut.lanes), call_int(&k, cut.per);
    call_numbers(&k, job), call_coefficients(&k, job, true), call_int(&k, cut.span);
    const double elements = (double)d->head.groups * (double)pixels * c;
    moves_operand(&k, &h, elements), moves_operand(&k, &job->f, elements), moves_result(&k, &job->df, elements);
    k.bytes += 4 * elements * (1 + to_dx + job->layers + !job->variant->affine); /* dy, dx, dh, x */
    call_run(&k, (size_t)(d->head.groups * cut.span), (size_t)cut.blocks, 0, ITEMS);
    parts_end(d, job->df.sums, cut.span, c, false, pixels);
    if (coefs || bias) parts_end(d, more, cut.span, c, false, pixels);
    if (coefs) merge_coef_sums(d, more, cut.span, c, job->a.span, job->b.span, job->dcoef);
    if (job->tail) tail_backward(d, job, more);
}
