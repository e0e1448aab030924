/* Element by element: calls of kernels/map.cl. */
#include <math.h>
#include "core/device/opencl/internal.h"

enum { ITEMS = 256, GROUPS = SUMS_PARTS };

/* Columns: the least power of two that holds the channels, 256 at most.  At most GROUPS work-groups. */
struct cut cut_of(int64_t pixels, int c)
{
    struct cut cut = {.lanes = 1};
    while (cut.lanes < c && cut.lanes < ITEMS) cut.lanes *= 2;
    const int rows = ITEMS / cut.lanes;
    int64_t per = (pixels + GROUPS - 1) / GROUPS;
    per = (per + rows - 1) / rows * rows;
    cut.per = (int)per;
    cut.span = (int)((pixels + per - 1) / per);
    cut.blocks = (c + cut.lanes - 1) / cut.lanes;
    return cut;
}

static void run_map(struct opencl *d, const struct skl_operand *x, const struct skl_result *y, int n,
                    struct skl_shape shape, int spread)
{
    const int64_t pixels = (int64_t)n * shape.h * shape.w;
    const struct cut cut = cut_of(pixels, shape.c);
    struct call c = call_begin(d, opencl_kernel(d, "map", "map", "-DSUMS=%d", sums_kind(y)), "map");
    call_operand(&c, x);
    call_result(&c, y, parts_begin(d, y->sums, cut.span, shape.c));
    call_int(&c, (int)pixels), call_int(&c, shape.c), call_int(&c, cut.lanes), call_int(&c, cut.per),
        call_int(&c, spread), call_int(&c, cut.span);
    const double elements = (double)d->head.groups * (double)pixels * shape.c;
    moves_operand(&c, x, spread ? elements / spread : elements), moves_result(&c, y, elements);
    call_run(&c, (size_t)(d->head.groups * cut.span), (size_t)cut.blocks, 0, ITEMS);
    parts_end(d, y->sums, cut.span, shape.c, !skl_there(y->partner), pixels);
}

void opencl_map(struct skl_device *d, const struct skl_operand *x, const struct skl_result *y, int n,
                struct skl_shape shape)
{
    run_map(opencl_of(d), x, y, n, shape, 0);
}

void opencl_spread(struct opencl *d, struct skl_place pooled, const struct skl_result *y, int n, struct skl_shape shape)
{
    run_map(d, &(struct skl_operand){.x = pooled}, y, n, shape, shape.h * shape.w);
}

void opencl_pad(struct skl_device *d, struct skl_place from, struct skl_place to, int n, struct skl_shape in,
                struct skl_shape out, bool backward)
{
    const struct skl_shape s = backward ? in : out;
    const uint64_t count = (uint64_t)(d->groups * n) * (uint64_t)s.h * (uint64_t)s.w * (uint64_t)s.c;
    struct call c = call_begin(opencl_of(d), opencl_kernel(opencl_of(d), "map", "pad", " "), "pad");
    call_place(&c, from), call_place(&c, to), call_int(&c, backward);
    const int numbers[] = {in.h, in.w, in.c, out.h, out.w, out.c, out.h < in.h ? 2 : 1};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) call_int(&c, numbers[i]);
    call_ulong(&c, count);
    c.bytes = 8.0 * (double)count;
    call_run(&c, (count + ITEMS - 1) / ITEMS, 0, 0, ITEMS);
}

static void call_shapes(struct call *c, struct skl_shape in, struct skl_shape out)
{
    const int numbers[] = {in.h, in.w, in.c, out.h, out.w};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) call_int(c, numbers[i]);
}

void opencl_max_pool_forward(struct skl_device *device, const struct skl_max_pool *job, int n)
{
    struct opencl *d = opencl_of(device);
    const struct skl_shape out = skl_max_pooled(job->in);
    const uint64_t count = (uint64_t)n * (uint64_t)out.h * (uint64_t)out.w * (uint64_t)out.c;
    struct call c = call_begin(d, opencl_kernel(d, "pool", "max_pool", " "), "max_pool");
    call_operand(&c, &job->x);
    call_place(&c, job->y), call_place(&c, job->chosen), call_int(&c, skl_there(job->chosen));
    const int groups = d->head.groups, span = (int)((count + ITEMS - 1) / ITEMS);
    call_shapes(&c, job->in, out);
    call_ulong(&c, count), call_int(&c, span);
    moves_operand(&c, &job->x, (double)groups * n * job->in.h * job->in.w * job->in.c);
    c.bytes += 5.0 * groups * (double)count;
    call_run(&c, (size_t)(groups * span), 0, 0, ITEMS);
}

void opencl_max_pool_backward(struct skl_device *device, const struct skl_max_pool *job, int n)
{
    struct opencl *d = opencl_of(device);
    const struct skl_shape in = job->in;
    const struct skl_result *dx = &job->dx;
    const int64_t pixels = (int64_t)n * in.h * in.w;
    const struct cut cut = cut_of(pixels, in.c);
    struct call c = call_begin(d, opencl_kernel(d, "pool", "max_unpool", "-DSUMS=%d", sums_kind(dx)), "max_unpool");
    call_place(&c, job->dy), call_place(&c, job->chosen);
    call_result(&c, dx, parts_begin(d, dx->sums, cut.span, in.c));
    call_shapes(&c, in, skl_max_pooled(in));
    call_int(&c, (int)pixels), call_int(&c, cut.lanes), call_int(&c, cut.per), call_int(&c, cut.span);
    moves_result(&c, dx, (double)d->head.groups * (double)pixels * in.c);
    call_run(&c, (size_t)(d->head.groups * cut.span), (size_t)cut.blocks, 0, ITEMS);
    parts_end(d, dx->sums, cut.span, in.c, !skl_there(dx->partner), pixels);
}

void opencl_keep_bits(struct skl_device *d, uint64_t key, double drop, int first, int n, size_t image,
                      struct skl_place bits)
{
    const uint64_t bytes = (uint64_t)(d->groups * n) * image / 8;
    struct call c = call_begin(opencl_of(d), opencl_kernel(opencl_of(d), "map", "keep_bits", " "), "keep_bits");
    call_ulong(&c, key), call_ulong(&c, (uint64_t)ceil(drop * 4294967296.0));
    call_ulong(&c, (uint64_t)first * image), call_ulong(&c, bytes);
    call_place(&c, bits);
    call_run(&c, (bytes + ITEMS - 1) / ITEMS, 0, 0, ITEMS);
}
