/* The head of the net: calls of kernels/head.cl. */
#include "core/device/opencl/internal.h"

enum { ITEMS = 256 };

static struct call head_call(struct opencl *d, const char *kernel)
{
    return call_begin(d, opencl_kernel(d, "head", kernel, " "), kernel);
}
static void run_items(struct call *k, int64_t items) { call_run(k, (size_t)(items + ITEMS - 1) / ITEMS, 0, 0, ITEMS); }

void opencl_head_forward(struct skl_device *device, const struct skl_head *head, const struct skl_operand *x, int n)
{
    struct opencl *d = opencl_of(device);
    const int c = head->shape.c, pixels = head->shape.h * head->shape.w;
    const int images = d->head.groups * n;
    const struct cut cut = cut_of(pixels, c);
    struct call k = head_call(d, "pool");
    call_operand(&k, x);
    call_int(&k, pixels), call_int(&k, c), call_int(&k, cut.lanes);
    call_place(&k, head->pooled), call_int(&k, n);
    moves_operand(&k, x, (double)images * pixels * c);
    call_run(&k, (size_t)images, (size_t)cut.blocks, 0, ITEMS);

    k = head_call(d, "logits");
    call_place(&k, head->pooled), call_place(&k, head->weight), call_place(&k, head->bias);
    call_int(&k, images), call_int(&k, c), call_int(&k, head->classes);
    call_place(&k, head->logits);
    run_items(&k, (int64_t)images * head->classes);
}

void opencl_head_loss(struct skl_device *device, const struct skl_head *head, int n, int batch)
{
    struct call k = head_call(opencl_of(device), "loss");
    call_place(&k, head->logits), call_place(&k, head->labels),
        call_place(&k, head->mix > 0 ? head->others : head->labels), call_place(&k, head->dlogits),
        call_place(&k, head->score);
    call_int(&k, device->groups), call_int(&k, n), call_int(&k, head->classes), call_int(&k, batch);
    call_float(&k, head->mix), call_float(&k, head->smoothing);
    call_run(&k, 1, 0, 0, ITEMS);
}

void opencl_note(struct skl_device *device, struct skl_place score, struct skl_place stop, struct skl_place note)
{
    struct call k = head_call(opencl_of(device), "note");
    call_place(&k, score), call_place(&k, stop), call_place(&k, note);
    call_run(&k, 1, 0, 0, ITEMS);
}

void opencl_head_backward(struct skl_device *device, const struct skl_head *head, const struct skl_result *dx, int n,
                          bool accumulate)
{
    struct opencl *d = opencl_of(device);
    const int c = head->shape.c, classes = head->classes;
    struct call k = head_call(d, "head_weights");
    call_place(&k, head->dlogits), call_place(&k, head->pooled);
    call_int(&k, device->groups), call_int(&k, n), call_int(&k, c), call_int(&k, classes);
    call_place(&k, head->dweight), call_place(&k, head->dbias), call_int(&k, accumulate);
    run_items(&k, (int64_t)classes * (c + 1));

    k = head_call(d, "head_data");
    call_place(&k, head->dlogits), call_place(&k, head->weight);
    call_int(&k, device->groups * n), call_int(&k, c), call_int(&k, classes);
    call_place(&k, head->dpooled);
    run_items(&k, (int64_t)device->groups * n * c);
    opencl_spread(d, head->dpooled, dx, n, head->shape);
}
