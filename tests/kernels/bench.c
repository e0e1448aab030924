/* test_kernels --bench: how fast each kernel is on the nets' shapes, with the loads and stores that training uses, on
 * tensors of 128 images (larger than the caches, as in training) or of --images N.  The machine may be shared, so: the
 * best of many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/cpu.h"
#include "core/base/err.h"
#include "core/base/parallel.h"
#include "tests/kernels/harness.h"

enum { REPEATS = 15, LONGEST_NAME = 96 };

struct job {
    const struct skl_conv_kernel *kernel;
    struct skl_conv_forward forward;
    struct skl_conv_backward backward;
    struct skl_sums sums[SKL_MAX_CHUNKS];
    float *scratch[64], *partial, *w, *dw;
    size_t partial_floats;
    int images, chunks;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static float *tensor(size_t n)
{
    float *p = skl_alloc_array(n, sizeof *p);
    for (size_t i = 0; i < n; i++) p[i] = (float)((i * 2654435761u >> 7) % 2001) * 1e-3f - 1;
    return p;
}

static int begin_of(const struct job *j, int chunk) { return j->images * chunk / j->chunks; }

static void forward_task(void *arg, int i, int worker)
{
    struct job *j = arg;
    j->sums[i].count = 0;
    j->kernel->forward(&j->forward, begin_of(j, i), begin_of(j, i + 1) - begin_of(j, i), &j->sums[i],
                       j->scratch[worker]);
}

static void backward_task(void *arg, int i, int worker)
{
    struct job *j = arg;
    j->kernel->backward(&j->backward, begin_of(j, i), begin_of(j, i + 1) - begin_of(j, i),
                        j->partial + (size_t)i * j->partial_floats, &j->sums[i], j->scratch[worker]);
}

enum { RANGES = 4 }; /* of channels, for the steps before and after */

static void prepare_task(void *arg, int i, int worker)
{
    struct job *j = arg;
    const struct skl_conv_shape *s = &j->forward.shape;
    const bool backward = j->dw != NULL;
    const int channels = backward ? s->k : s->c;
    j->kernel->prepare(s, j->w, backward, channels * i / RANGES, channels * (i + 1) / RANGES,
                       (float *)(uintptr_t)j->forward.packed);
}

static void reduce_task(void *arg, int i, int worker)
{
    struct job *j = arg;
    const struct skl_conv_shape *s = &j->forward.shape;
    j->kernel->reduce(s, j->partial, j->chunks, j->partial_floats, s->c * i / RANGES, s->c * (i + 1) / RANGES, false,
                      j->dw);
}

static void name_of(const struct skl_conv_kernel *k, const struct skl_conv_shape *s, char name[LONGEST_NAME])
{
    snprintf(name, LONGEST_NAME, "%s %dx%d %d->%d size %d stride %d", k->name, s->h, s->w, s->c, s->k, s->size,
             s->stride);
}

static void bench_shape(const struct skl_conv_kernel *kernel, struct skl_conv_shape s, int images,
                        struct skl_pool *pool)
{
    struct job j = {.kernel = kernel,
                    .images = images,
                    .chunks = skl_chunk_count(images),
                    .partial_floats = kernel->gradient_floats(&s)};
    const int oh = (s.h + s.stride - 1) / s.stride, ow = (s.w + s.stride - 1) / s.stride;
    const size_t in = (size_t)images * (size_t)(s.h * s.w * s.c), out = (size_t)images * (size_t)(oh * ow * s.k);
    float *mem[] = {tensor(in), tensor(in), tensor(in), tensor(out), tensor(out), tensor((size_t)(s.c + s.k) * 4),
                    tensor(in)};
    float *packed = tensor(kernel->packed_floats(&s)), *dw = tensor((size_t)(s.size * s.size * s.c * s.k));
    float *c4 = mem[5], *k4 = mem[5] + 4 * s.c;
    j.w = tensor((size_t)(s.size * s.size * s.c * s.k));
    j.partial = tensor(j.partial_floats * (size_t)j.chunks);
    for (int i = 0; i < skl_pool_threads(pool); i++) j.scratch[i] = tensor(kernel->scratch_floats(&s));
    for (int i = 0; i < j.chunks; i++) {
        const size_t most = (size_t)(s.c > s.k ? s.c : s.k);
        j.sums[i] = (struct skl_sums){0, tensor(most), skl_alloc_array(most, 8), skl_alloc_array(most, 8),
                                      skl_alloc_array(most, 8)};
    }
    const struct skl_kernel_operand x = {
        .x = mem[0], .scale = c4, .shift = c4 + s.c, .add = mem[1], .relu = true, .out = mem[2]};
    const struct skl_kernel_operand xb = {.x = mem[2]}, dy = {.x = mem[3],
                                                              .scale = k4,
                                                              .shift = k4 + s.k,
                                                              .add = mem[4],
                                                              .add_scale = k4 + 2 * s.k};
    const struct skl_kernel_result y = {.y = mem[3], .sums = true};
    const struct skl_kernel_result dx = {
        .y = mem[6], .add = mem[6], .mask = mem[2], .partner = mem[0], .pivot = c4, .sums = true};
    const struct skl_kernels *kernels = skl_kernels_for(kernel->level);
    j.forward = (struct skl_conv_forward){s, packed, kernels, &x, &y};
    j.backward =
        (struct skl_conv_backward){s, packed, kernels, &xb, &dy, s.c == 3 ? NULL : &dx}; /* images get no gradient */
    double best[4] = {1e9, 1e9, 1e9, 1e9};
    for (int r = 0; r < REPEATS; r++) {
        double t[5];
        j.dw = NULL;
        skl_parallel(pool, RANGES, prepare_task, &j);
        t[0] = now();
        skl_parallel(pool, j.chunks, forward_task, &j);
        t[1] = now();
        j.dw = dw;
        skl_parallel(pool, RANGES, prepare_task, &j);
        t[2] = now();
        skl_parallel(pool, j.chunks, backward_task, &j);
        t[3] = now();
        skl_parallel(pool, RANGES, reduce_task, &j);
        t[4] = now();
        for (int i = 0; i < 4; i++)
            if (t[i + 1] - t[i] < best[i]) best[i] = t[i + 1] - t[i];
    }
    const double flop = 2.0 * (double)out * s.size * s.size * s.c;
    char name[LONGEST_NAME];
    name_of(kernel, &s, name);
    printf("%-50s forward %7.3f ms %7.1f GFLOP/s   backward %7.3f ms %7.1f GFLOP/s   prepare %.3f reduce %.3f ms\n",
           name, best[0] * 1e3, flop / best[0] * 1e-9, best[2] * 1e3, 2 * flop / best[2] * 1e-9, best[1] * 1e3,
           best[3] * 1e3);
    fflush(stdout);
    for (int i = 0; i < j.chunks; i++) {
        void *sums[] = {j.sums[i].pivot, j.sums[i].sum, j.sums[i].dot, j.sums[i].dot2};
        for (int k = 0; k < 4; k++) free(sums[k]);
    }
    for (int i = 0; i < skl_pool_threads(pool); i++) free(j.scratch[i]);
    for (int i = 0; i < 7; i++) free(mem[i]);
    void *rest[] = {packed, dw, j.w, j.partial};
    for (int i = 0; i < 4; i++) free(rest[i]);
}

static bool wanted(const struct skl_conv_kernel *k, const struct skl_conv_shape *s, const char *filter)
{
    char name[LONGEST_NAME];
    name_of(k, s, name);
    return !filter || strstr(name, filter);
}

void bench(const char *filter, int threads, int images)
{
    static const struct skl_conv_shape shapes[] = {
        {32, 32, 16, 16, 3, 1},  {16, 16, 32, 32, 3, 1},   {8, 8, 64, 64, 3, 1},     {32, 32, 3, 16, 3, 1},
        {32, 32, 16, 32, 3, 2},  {16, 16, 32, 64, 3, 2},   {32, 32, 16, 16, 1, 1},   {16, 16, 32, 32, 1, 1},
        {8, 8, 64, 64, 1, 1},    {16, 16, 16, 16, 3, 1},   {8, 8, 32, 32, 3, 1},     {4, 4, 64, 64, 3, 1},
        {56, 56, 64, 64, 3, 1},  {28, 28, 128, 128, 3, 1}, {14, 14, 256, 256, 3, 1}, {7, 7, 512, 512, 3, 1},
        {224, 224, 3, 64, 7, 2}, {56, 56, 64, 128, 3, 2},  {28, 28, 128, 256, 3, 2}, {14, 14, 256, 512, 3, 2},
        {56, 56, 64, 128, 1, 2}, {28, 28, 128, 256, 1, 2}, {14, 14, 256, 512, 1, 2},
    };
    struct skl_pool *pool = skl_pool_new(threads < 64 ? threads : 64);
    for (const struct skl_conv_kernel *const *k = skl_conv_kernels(); *k; k++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            if ((*k)->level <= skl_cpu_best() && (*k)->supports(&shapes[i]) && wanted(*k, &shapes[i], filter))
                bench_shape(*k, shapes[i], images, pool);
    skl_pool_free(pool);
}
