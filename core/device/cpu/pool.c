/* Max pooling, row by row. */
#include "core/device/cpu/internal.h"

struct pool_job {
    struct skl_kernel_operand x;
    struct skl_kernel_result dx;
    struct chunk_sums *sums;
    struct skl_shape in, out;
    float *y;
    uint8_t *chosen;
    const float *dy;
};
static struct pool_job pool_job(const struct skl_max_pool *job, bool backward, int n)
{
    struct pool_job j = {.in = job->in, .out = skl_max_pooled(job->in), .chosen = (uint8_t *)at(job->chosen)};
    if (backward)
        j.dx = result_of(&job->dx), j.sums = sums_begin(job->dx.sums, job->in.c, n), j.dy = at(job->dy);
    else
        j.x = operand_of(&job->x), j.y = at(job->y);
    return j;
}
static size_t row_of(struct skl_shape s, int image, int y) { return (size_t)(image * s.h + y) * (size_t)s.w; }
static size_t row_floats(struct skl_shape s) { return (size_t)s.w * (size_t)s.c; }

/* Input row y of an image stands at buffer row y % 3: three are alive. */
static void pool_image(struct cpu *cpu, const struct pool_job *j, int image, float *buffer)
{
    int loaded = 0;
    for (int oy = 0; oy < j->out.h; oy++) {
        const float *rows[3];
        for (; loaded < j->in.h && loaded <= 2 * oy + 1; loaded++)
            cpu->kernels->load_rows(&j->x, row_of(j->in, image, loaded), j->in.w, j->in.c,
                                    buffer + (size_t)(loaded % 3) * row_floats(j->in));
        for (int i = 0, y = 2 * oy - 1; i < 3; i++, y++)
            rows[i] = y < 0 || y >= j->in.h ? NULL : buffer + (size_t)(y % 3) * row_floats(j->in);
        const size_t to = row_of(j->out, image, oy) * (size_t)j->in.c;
        cpu->kernels->max_pool(rows, j->in.w, j->in.c, j->y + to, j->chosen ? j->chosen + to : NULL);
    }
}
static void pool_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    for (int i = first; i < first + n; i++) pool_image(cpu, arg, i, scratch);
}
void cpu_max_pool_forward(struct skl_device *d, const struct skl_max_pool *job, int n)
{
    struct pool_job j = pool_job(job, false, n);
    for_chunks(cpu_of(d), n, pool_chunk, &j);
}

/* Even rows are the middle one of one row of windows, odd ones the last of one and the first of the next. */
static int looking_at(const struct pool_job *j, int image, int y, struct skl_pooled_row pooled[2])
{
    int count = 0;
    for (int oy = y / 2; oy <= (y + 1) / 2 && oy < j->out.h; oy++) {
        const size_t from = row_of(j->out, image, oy) * (size_t)j->in.c;
        pooled[count++] = (struct skl_pooled_row){j->dy + from, j->chosen + from, y - (2 * oy - 1)};
    }
    return count;
}
static void unpool_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct pool_job *j = arg;
    for (int i = first; i < first + n; i++)
        for (int y = 0; y < j->in.h; y++) {
            struct skl_pooled_row pooled[2];
            cpu->kernels->max_unpool(pooled, looking_at(j, i, y, pooled), j->in.w, j->in.c, scratch);
            cpu->kernels->store_rows(&j->dx, row_of(j->in, i, y), j->in.w, j->in.c, scratch, sums_of(j->sums, chunk));
        }
}
void cpu_max_pool_backward(struct skl_device *d, const struct skl_max_pool *job, int n)
{
    struct pool_job j = pool_job(job, true, n);
    for_chunks(cpu_of(d), n, unpool_chunk, &j);
}
