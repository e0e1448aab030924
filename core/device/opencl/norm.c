/* Batch norms and what else is made of a layer's sums: calls of kernels/norm.cl, one work-group a channel. */
#include <math.h>
#include "core/device/opencl/internal.h"

/* Batch-norm groups that a work-group joins at a time. */
static int side_of(const struct opencl *d) { return d->head.groups < 3 ? d->head.groups : 4; }
static struct call norm_call(struct opencl *d, const char *kernel)
{
    return call_begin(d, opencl_kernel(d, "norm", kernel, "-DSIDE=%d", side_of(d)), kernel);
}
/* The sums, how many parts a group, of how many channels and groups. */
static void call_sums(struct call *k, struct skl_place sums, int c)
{
    call_place(k, sums), call_int(k, parts_noted(k->d, sums)->parts), call_int(k, c), call_int(k, k->d->head.groups);
}
static void run_channels(struct call *k, int c) { call_run(k, (size_t)c, 0, 0, (size_t)(64 * side_of(k->d))); }
static void run_elements(struct call *k, int c)
{
    const int items = 64 * side_of(k->d);
    call_run(k, (size_t)((c + items - 1) / items), 0, 0, (size_t)items);
}

size_t opencl_norm_bytes(const struct skl_device *d, int c) { return (size_t)c * sizeof(float); }

void opencl_bn_forward(struct skl_device *d, const struct skl_norm *norm, struct skl_place sums, struct skl_place bias,
                       double remember)
{
    struct call k = norm_call(opencl_of(d), "bn_forward");
    call_sums(&k, sums, norm->c);
    call_place(&k, norm->gamma), call_place(&k, norm->beta), call_place(&k, bias), call_int(&k, skl_there(bias));
    call_place(&k, norm->running_mean), call_place(&k, norm->running_var);
    call_float(&k, remember), call_float(&k, 1 - remember);
    call_place(&k, norm->mean), call_place(&k, norm->spread), call_place(&k, norm->scale), call_place(&k, norm->shift);
    call_stop(&k, norm->stop);
    run_channels(&k, norm->c);
}

void opencl_bn_recall(struct skl_device *d, const struct skl_norm *norm, struct skl_place bias)
{
    struct call k = norm_call(opencl_of(d), "bn_recall");
    call_int(&k, norm->c);
    call_place(&k, norm->gamma), call_place(&k, norm->beta), call_place(&k, bias), call_int(&k, skl_there(bias));
    call_place(&k, norm->running_mean), call_place(&k, norm->running_var);
    call_place(&k, norm->mean), call_place(&k, norm->spread), call_place(&k, norm->scale), call_place(&k, norm->shift);
    run_elements(&k, norm->c);
}

void opencl_bn_backward(struct skl_device *d, const struct skl_norm *norm, struct skl_place sums, bool second,
                        struct skl_place factor, bool accumulate)
{
    struct call k = norm_call(opencl_of(d), "bn_backward");
    call_sums(&k, sums, norm->c);
    call_int(&k, second), call_float(&k, (double)parts_noted(k.d, sums)->count);
    call_place(&k, factor), call_int(&k, skl_there(factor));
    call_place(&k, norm->gamma), call_place(&k, norm->mean), call_place(&k, norm->spread);
    call_place(&k, norm->c1), call_place(&k, norm->c2), call_place(&k, norm->c3);
    call_place(&k, norm->dgamma), call_place(&k, norm->dbeta), call_int(&k, accumulate);
    run_channels(&k, norm->c);
}

void opencl_bias_backward(struct skl_device *d, int c, struct skl_place sums, struct skl_place factor,
                          struct skl_place dbias, bool accumulate)
{
    struct call k = norm_call(opencl_of(d), "bias_backward");
    call_sums(&k, sums, c);
    call_place(&k, factor), call_int(&k, skl_there(factor));
    call_place(&k, dbias), call_int(&k, accumulate);
    run_channels(&k, c);
}

void opencl_blend(struct skl_device *d, const struct skl_blend *job)
{
    struct call k = norm_call(opencl_of(d), "blend");
    const int count = d->groups * job->c;
    call_int(&k, job->c), call_int(&k, count);
    call_place(&k, job->a), call_place(&k, job->b);
    call_place(&k, job->f_scale), call_place(&k, job->f_shift), call_place(&k, job->h_scale),
        call_place(&k, job->h_shift);
    call_int(&k, skl_there(job->f_scale)), call_int(&k, skl_there(job->h_scale)), call_int(&k, job->h_same);
    call_place(&k, job->scale), call_place(&k, job->shift), call_place(&k, job->add_scale);
    run_elements(&k, count);
}

/* One number for all channels where a coefficient is one. */
static void total(struct opencl *d, struct skl_place coefs, int c, enum skl_span a, enum skl_span b)
{
    if (a != SKL_ONE && b != SKL_ONE) return;
    struct call k = norm_call(d, "coef_total");
    call_place(&k, coefs), call_int(&k, c), call_int(&k, a == SKL_ONE), call_int(&k, b == SKL_ONE);
    call_run(&k, (size_t)d->head.groups, 0, 0, 64);
}

static void call_through(struct call *k, const struct skl_norm *bn)
{
    const struct skl_norm none = {.c = 0};
    if (!bn) bn = &none;
    call_place(k, bn->gamma), call_place(k, bn->beta), call_place(k, bn->spread), call_int(k, bn != &none);
}

void opencl_coef_sums(struct skl_device *d, const struct skl_coef_sums *job)
{
    struct call k = norm_call(opencl_of(d), "coef_sums");
    call_sums(&k, job->sums, job->c);
    call_through(&k, job->f), call_through(&k, job->h);
    call_place(&k, job->d);
    run_channels(&k, job->c);
    total(k.d, job->d, job->c, job->a, job->b);
}

void merge_coef_sums(struct opencl *d, struct skl_place part, int parts, int c, enum skl_span a, enum skl_span b,
                     struct skl_place to)
{
    struct call k = norm_call(d, "merge_coefs");
    call_place(&k, part), call_int(&k, parts), call_int(&k, c), call_int(&k, d->head.groups);
    call_place(&k, to);
    run_channels(&k, c);
    total(d, to, c, a, b);
}
