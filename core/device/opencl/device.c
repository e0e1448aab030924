/* The table of device.h for OpenCL. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/device/opencl/device_opencl.h"
#include "core/device/opencl/internal.h"

static int device_open(int index, struct skl_pool *pool, struct skl_device **device, struct skl_err *err)
{
    struct opencl *d;
    const int status = opencl_open(index, &d, err);
    if (status) return status;
    d->head = (struct skl_device){&skl_device_opencl, d->about.name,
                                  d->about.driver,    SKL_GOES_AHEAD | SKL_MAX_POOLS | SKL_SIDE_BY_SIDE,
                                  d->about.memory,    1};
    *device = &d->head;
    return SKL_OK;
}

static void device_close(struct skl_device *device)
{
    struct opencl *d = opencl_of(device);
    tables_release(d);
    conv_release(d);
    opencl_close(d);
}

/* The order of all sums follows from the kernels' texts, whose version this is: raise it where bits change. */
enum { ARITHMETIC = 2 };
static char *arithmetic(const struct skl_device *device, const char *kernels, int group)
{
    return skl_format("%s; %s; opencl: %s; groups of %d; arithmetic %d", device->level, device->library, kernels, group,
                      ARITHMETIC);
}

static const char *library(void) { return "OpenCL 1.2"; }

/* Multiply-adds in registers alone, by the device's own clock. */
static double peak(struct skl_device *device)
{
    struct opencl *d = opencl_of(device);
    enum { GROUPS = 2048, ITEMS = 256, CHAINS = 32 };
    struct skl_memory *to;
    double best = 0;
    if (opencl_reserve(device, (size_t)GROUPS * ITEMS * sizeof(float), &to, NULL)) return 0;
    cl_kernel kernel = opencl_kernel(d, "peak", "peak", " ");
    for (int rounds = 64, i = 0; i < 4; i++, rounds *= i < 3 ? 4 : 1) {
        struct call c = call_begin(d, kernel, "peak");
        call_buffer(&c, to), call_int(&c, rounds);
        opencl_finish(device, NULL);
        const double start = skl_seconds();
        call_run(&c, GROUPS, 0, 0, ITEMS);
        if (opencl_finish(device, NULL)) break;
        const double rate = 2.0 * GROUPS * ITEMS * CHAINS * rounds / (skl_seconds() - start);
        if (rate > best) best = rate;
    }
    opencl_release(device, to);
    return best;
}

/* ---- planning ---- */
static size_t gradient_floats(const struct skl_needs *needs)
{
    size_t floats = 0;
    for (int i = 0; !needs->inference && i < needs->convs; i++)
        floats += (conv_gradient_floats(needs->conv[i], needs->groups, needs->group) + 15) / 16 * 16;
    return floats;
}

static size_t work_bytes(const struct skl_device *d, const struct skl_needs *needs)
{
    return gradient_floats(needs) * sizeof(float);
}

static int ready(struct skl_device *d, const struct skl_needs *needs, struct skl_err *err)
{
    return tables_ready(opencl_of(d), gradient_floats(needs), err);
}

/* Whoever reads gradients wants all of them. */
static void download(struct skl_device *d, struct skl_place from, size_t bytes, void *to)
{
    gradients_finish(opencl_of(d));
    opencl_download(d, from, bytes, to);
}

static void read_score(struct skl_device *d, struct skl_place score, struct skl_score *to)
{
    opencl_download(d, score, sizeof *to, to); /* head.cl: a double and a 64-bit number */
}

const struct skl_device_ops skl_device_opencl = {
    .name = "opencl",
    .library = library,
    .open = device_open,
    .close = device_close,
    .arithmetic = arithmetic,
    .peak = peak,
    .conv_plan = opencl_conv_plan,
    .variant_fits = opencl_variant_fits,
    .sums_bytes = opencl_sums_bytes,
    .norm_bytes = opencl_norm_bytes,
    .work_bytes = work_bytes,
    .ready = ready,
    .reserve = opencl_reserve,
    .release = opencl_release,
    .upload = opencl_upload,
    .download = download,
    .clear = opencl_clear,
    .finish = opencl_finish,
    .conv_forward = opencl_conv_forward,
    .conv_backward = opencl_conv_backward,
    .bn_forward = opencl_bn_forward,
    .bn_recall = opencl_bn_recall,
    .bn_backward = opencl_bn_backward,
    .bias_backward = opencl_bias_backward,
    .blend = opencl_blend,
    .coef_sums = opencl_coef_sums,
    .map = opencl_map,
    .pad = opencl_pad,
    .max_pool_forward = opencl_max_pool_forward,
    .max_pool_backward = opencl_max_pool_backward,
    .keep_bits = opencl_keep_bits,
    .merge_forward = opencl_merge_forward,
    .merge_backward = opencl_merge_backward,
    .head_forward = opencl_head_forward,
    .head_loss = opencl_head_loss,
    .read_score = read_score,
    .note = opencl_note,
    .head_backward = opencl_head_backward,
    .sgd = opencl_sgd,
    .find_infinite = opencl_find_infinite,
};
