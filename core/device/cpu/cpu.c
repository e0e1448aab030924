/* The CPU as a device: its table, its memory, its work memory. */
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/base/cpu.h"
#include "core/device/cpu/cpu.h"
#include "core/device/cpu/internal.h"

/* ---- memory ---- */
static int cpu_reserve(struct skl_device *d, size_t bytes, struct skl_memory **memory, struct skl_err *err)
{
    *memory = skl_alloc(sizeof **memory);
    **memory = (struct skl_memory){skl_map(bytes), bytes};
    return SKL_OK;
}
static void cpu_release(struct skl_device *d, struct skl_memory *memory)
{
    if (memory) skl_unmap(memory->base, memory->bytes);
    free(memory);
}
static void cpu_upload(struct skl_device *d, const void *from, size_t bytes, struct skl_place to)
{
    memcpy(at(to), from, bytes);
}
static void cpu_download(struct skl_device *d, struct skl_place from, size_t bytes, void *to)
{
    memcpy(to, at(from), bytes);
}
static void cpu_clear(struct skl_device *d, struct skl_place place, size_t bytes) { memset(at(place), 0, bytes); }
static int cpu_finish(struct skl_device *d, struct skl_err *err) { return SKL_OK; }

/* ---- work memory: the same code counts (base NULL) and hands out ---- */
static size_t rounded(size_t floats) { return (floats + 15) / 16 * 16; }
static void largest(size_t *max, size_t n)
{
    if (n > *max) *max = n;
}

struct taker {
    char *base;
    size_t used;
};
static void *take(struct taker *t, size_t bytes)
{
    char *p = t->base ? t->base + t->used : NULL;
    t->used += (bytes + SKL_PLACE_ALIGN - 1) / SKL_PLACE_ALIGN * SKL_PLACE_ALIGN;
    return p;
}

static void take_work(struct cpu *cpu, const struct skl_needs *needs, struct taker *t)
{
    size_t packed = 0, gradient = 0, conv = needs->activation;
    for (int i = 0; i < needs->convs; i++) {
        const struct skl_conv_kernel *kernel = kernel_of(needs->conv[i]);
        largest(&packed, kernel->packed_floats(&needs->conv[i]->shape));
        largest(&gradient, kernel->gradient_floats(&needs->conv[i]->shape));
        largest(&conv, kernel->scratch_floats(&needs->conv[i]->shape));
    }
    const size_t range = needs->whole_groups ? (size_t)needs->images : 1, chunks = SKL_MAX_CHUNKS;
    cpu->channels = (size_t)needs->channels;
    cpu->range_floats = rounded(range * (4 * needs->activation + needs->scratch));
    cpu->conv_floats = rounded(conv);
    cpu->partial_stride = rounded(gradient) + 16;
    cpu->own_stride = rounded(needs->own);
    cpu->packed = take(t, packed * sizeof(float));
    if (!needs->inference) {
        cpu->partial = take(t, cpu->partial_stride * (size_t)skl_chunk_count(needs->group) * sizeof(float));
        cpu->own_partial = take(t, cpu->own_stride * chunks * sizeof(float));
        cpu->coef_sum = take(t, 2 * chunks * cpu->channels * sizeof(double));
        cpu->bias_sum = take(t, chunks * cpu->channels * sizeof(double));
    }
    const int workers = cpu->pool ? skl_pool_threads(cpu->pool) : 1;
    float **scratch = take(t, (size_t)workers * sizeof *scratch);
    for (int i = 0; i < workers; i++) {
        float *p = take(t, (cpu->range_floats + cpu->conv_floats + cpu->partial_stride) * sizeof(float));
        if (scratch) scratch[i] = p;
    }
    cpu->scratch = scratch;
}

static size_t cpu_work_bytes(const struct skl_device *d, const struct skl_needs *needs)
{
    struct cpu only_counted = *(const struct cpu *)(const void *)d;
    struct taker t = {NULL, 0};
    take_work(&only_counted, needs, &t);
    return t.used;
}

static int cpu_ready(struct skl_device *d, const struct skl_needs *needs, struct skl_err *err)
{
    struct cpu *cpu = cpu_of(d);
    cpu->work.bytes = cpu_work_bytes(d, needs);
    cpu->work.base = skl_map(cpu->work.bytes);
    struct taker t = {cpu->work.base, 0};
    take_work(cpu, needs, &t);
    return SKL_OK;
}

/* ---- life ---- */
static int cpu_open(int index, struct skl_pool *pool, struct skl_device **device, struct skl_err *err)
{
    struct cpu *cpu = skl_alloc(sizeof *cpu);
    skl_gemm_setup();
    *cpu = (struct cpu){.kernels = skl_kernels_for(skl_cpu_best()), .pool = pool};
    cpu->d = (struct skl_device){.ops = &skl_device_cpu,
                                 .level = cpu->kernels->level,
                                 .library = skl_gemm_version(),
                                 .bits = SKL_RUNS_C | SKL_MAX_POOLS,
                                 .groups = 1};
    *device = &cpu->d;
    return SKL_OK;
}
static void cpu_close(struct skl_device *d)
{
    skl_unmap(cpu_of(d)->work.base, cpu_of(d)->work.bytes);
    free(cpu_of(d));
}

static char *cpu_arithmetic(const struct skl_device *d, const char *kernels, int group)
{
    return skl_format("%s; %s; %s; %d chunks of %d images", d->level, kernels, d->library, skl_chunk_count(group),
                      group);
}

static int cpu_variant_fits(struct skl_device *d, const struct skl_shortcut *variant, struct skl_err *err)
{
    return SKL_OK;
}
static size_t cpu_sums_bytes(const struct skl_device *d, int c) { return sums_bytes(c); }

/* ---- the peak that a direct convolution could reach ---- */
struct burst {
    const struct cpu *cpu;
    int64_t rounds;
    double *operations;
};
static void burst_task(void *arg, int i, int worker)
{
    struct burst *b = arg;
    b->operations[i] = b->cpu->kernels->fma_burst(b->rounds);
}
static double burst_rate(const struct cpu *cpu, int64_t rounds, double *seconds)
{
    const int n = skl_pool_threads(cpu->pool);
    struct burst b = {cpu, rounds, skl_alloc_array((size_t)n, sizeof(double))};
    double start = skl_seconds(), operations = 0;
    skl_parallel(cpu->pool, n, burst_task, &b);
    *seconds = skl_seconds() - start;
    for (int i = 0; i < n; i++) operations += b.operations[i];
    free(b.operations);
    return operations / *seconds;
}
static double cpu_peak(struct skl_device *d)
{
    double best = 0, seconds = 0;
    int64_t rounds = 1000;
    while (seconds < 0.03) burst_rate(cpu_of(d), rounds *= 2, &seconds);
    for (int i = 0; i < 5; i++) {
        double rate = burst_rate(cpu_of(d), rounds, &seconds);
        if (rate > best) best = rate;
    }
    return best;
}

const struct skl_device_ops skl_device_cpu = {
    .name = "cpu",
    .library = skl_gemm_version,
    .open = cpu_open,
    .close = cpu_close,
    .arithmetic = cpu_arithmetic,
    .peak = cpu_peak,
    .conv_plan = cpu_conv_plan,
    .variant_fits = cpu_variant_fits,
    .sums_bytes = cpu_sums_bytes,
    .norm_bytes = cpu_norm_bytes,
    .work_bytes = cpu_work_bytes,
    .ready = cpu_ready,
    .reserve = cpu_reserve,
    .release = cpu_release,
    .upload = cpu_upload,
    .download = cpu_download,
    .clear = cpu_clear,
    .finish = cpu_finish,
    .conv_forward = cpu_conv_forward,
    .conv_backward = cpu_conv_backward,
    .bn_forward = cpu_bn_forward,
    .bn_recall = cpu_bn_recall,
    .bn_backward = cpu_bn_backward,
    .bias_backward = cpu_bias_backward,
    .blend = cpu_blend,
    .coef_sums = cpu_coef_sums,
    .map = cpu_map,
    .pad = cpu_pad,
    .max_pool_forward = cpu_max_pool_forward,
    .max_pool_backward = cpu_max_pool_backward,
    .keep_bits = cpu_keep_bits,
    .merge_forward = cpu_merge_forward,
    .merge_backward = cpu_merge_backward,
    .head_forward = cpu_head_forward,
    .head_loss = cpu_head_loss,
    .read_score = cpu_read_score,
    .note = cpu_note,
    .head_backward = cpu_head_backward,
    .sgd = cpu_sgd,
    .find_infinite = cpu_find_infinite,
};
