/* One convolution over all chunks of a group: forward and backward side by side. */
#include "core/device/cpu/internal.h"

int cpu_conv_plan(struct skl_device *d, struct skl_conv_shape shape, enum skl_conv_algo algo,
                  struct skl_conv_plan *plan, struct skl_err *err)
{
    const struct skl_conv_kernel *kernel = skl_conv_select(algo, cpu_of(d)->kernels->cpu, &shape);
    *plan = (struct skl_conv_plan){shape, kernel->name, kernel};
    return SKL_OK;
}

/* Before and after the chunks, channels are shared out: a part is worth a few microseconds. */
enum { PART_CHANNELS = 8 };
struct part_job {
    const struct cpu *cpu;
    const struct skl_conv_plan *plan;
    float *weight;
    int channels, chunks;
    bool flag; /* backward; accumulate */
};
static int part_end(const struct part_job *job, int i)
{
    const int end = (i + 1) * PART_CHANNELS;
    return end < job->channels ? end : job->channels;
}
static void pack_part(void *arg, int i, int worker)
{
    const struct part_job *job = arg;
    kernel_of(job->plan)->prepare(&job->plan->shape, job->weight, job->flag, i * PART_CHANNELS, part_end(job, i),
                                  job->cpu->packed);
}
static void reduce_part(void *arg, int i, int worker)
{
    const struct part_job *job = arg;
    kernel_of(job->plan)->reduce(&job->plan->shape, job->cpu->partial, job->chunks, job->cpu->partial_stride,
                                 i * PART_CHANNELS, part_end(job, i), job->flag, job->weight);
}
static void parts(const struct cpu *cpu, struct part_job job, skl_task_fn *fn)
{
    skl_parallel(cpu->pool, (job.channels + PART_CHANNELS - 1) / PART_CHANNELS, fn, &job);
}

void conv_prepare(struct cpu *cpu, const struct skl_conv_plan *plan, struct skl_place weight, bool backward)
{
    parts(cpu, (struct part_job){cpu, plan, at(weight), backward ? plan->shape.k : plan->shape.c, 0, backward},
          pack_part);
}
void conv_reduce(struct cpu *cpu, const struct skl_conv_plan *plan, int n, struct skl_place dweight, bool accumulate)
{
    parts(cpu, (struct part_job){cpu, plan, at(dweight), plan->shape.c, skl_chunk_count(n), accumulate}, reduce_part);
}

struct forward_job {
    const struct skl_conv_kernel *kernel;
    struct skl_conv_forward conv;
    struct chunk_sums *sums;
};
static void forward_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct forward_job *job = arg;
    job->kernel->forward(&job->conv, first, n, sums_of(job->sums, chunk), scratch);
}
void cpu_conv_forward(struct skl_device *d, const struct skl_conv_job *job)
{
    struct cpu *cpu = cpu_of(d);
    const struct skl_kernel_operand x = operand_of(&job->x);
    const struct skl_kernel_result y = result_of(&job->y);
    struct forward_job run = {kernel_of(job->plan),
                              {job->plan->shape, cpu->packed, cpu->kernels, &x, &y, NULL},
                              sums_begin(job->y.sums, job->plan->shape.k, job->n)};
    conv_prepare(cpu, job->plan, job->weight, false);
    for_chunks(cpu, job->n, forward_chunk, &run);
}

struct backward_job {
    const struct skl_conv_kernel *kernel;
    struct skl_conv_backward conv;
    struct chunk_sums *sums;
};
static void backward_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct backward_job *job = arg;
    job->kernel->backward(&job->conv, first, n, cpu->partial + (size_t)chunk * cpu->partial_stride,
                          sums_of(job->sums, chunk), scratch);
}
void cpu_conv_backward(struct skl_device *d, const struct skl_conv_job *job)
{
    struct cpu *cpu = cpu_of(d);
    const struct skl_kernel_operand x = operand_of(&job->x), dy = operand_of(&job->dy);
    const struct skl_kernel_result dx = result_of(&job->y);
    struct backward_job run = {
        kernel_of(job->plan),
        {job->plan->shape, cpu->packed, cpu->kernels, &x, &dy, skl_there(job->y.y) ? &dx : NULL, NULL},
        sums_begin(job->y.sums, job->plan->shape.c, job->n)};
    conv_prepare(cpu, job->plan, job->weight, true);
    for_chunks(cpu, job->n, backward_chunk, &run);
    conv_reduce(cpu, job->plan, job->n, job->dweight, job->accumulate);
}
