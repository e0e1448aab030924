/* Element by element: map, padding, dropout's bits, the update. */
#include <float.h>
#include <string.h>
#include "core/device/cpu/internal.h"

struct map_job {
    struct skl_kernel_operand x;
    struct skl_kernel_result y;
    struct chunk_sums *sums;
    struct skl_shape shape;
};
static void map_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct map_job *job = arg;
    const size_t pixels = (size_t)job->shape.h * (size_t)job->shape.w;
    for (int i = first; i < first + n; i++) {
        cpu->kernels->load_rows(&job->x, (size_t)i * pixels, (int)pixels, job->shape.c, scratch);
        cpu->kernels->store_rows(&job->y, (size_t)i * pixels, (int)pixels, job->shape.c, scratch,
                                 sums_of(job->sums, chunk));
    }
}
void cpu_map(struct skl_device *d, const struct skl_operand *x, const struct skl_result *y, int n,
             struct skl_shape shape)
{
    struct map_job job = {operand_of(x), result_of(y), sums_begin(y->sums, shape.c, n), shape};
    for_chunks(cpu_of(d), n, map_chunk, &job);
}

/* ---- option A: every stride-th pixel, zero channels appended ---- */
struct pad_job {
    const float *from;
    float *to;
    struct skl_shape in, out;
    bool backward;
};
static void pad_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct pad_job *j = arg;
    const struct skl_shape in = j->in, out = j->out;
    const int step_y = (in.h + out.h - 1) / out.h, step_x = (in.w + out.w - 1) / out.w;
    for (int i = first; i < first + n; i++) {
        const float *from = j->from + (size_t)i * skl_shape_floats(j->backward ? out : in);
        float *to = j->to + (size_t)i * skl_shape_floats(j->backward ? in : out);
        memset(to, 0, sizeof *to * skl_shape_floats(j->backward ? in : out));
        for (int y = 0; y < out.h; y++)
            for (int x = 0; x < out.w; x++) {
                size_t at_in = ((size_t)(y * step_y) * (size_t)in.w + (size_t)(x * step_x)) * (size_t)in.c;
                size_t at_out = ((size_t)y * (size_t)out.w + (size_t)x) * (size_t)out.c;
                memcpy(to + (j->backward ? at_in : at_out), from + (j->backward ? at_out : at_in),
                       sizeof *to * (size_t)in.c);
            }
    }
}
void cpu_pad(struct skl_device *d, struct skl_place from, struct skl_place to, int n, struct skl_shape in,
             struct skl_shape out, bool backward)
{
    for_chunks(cpu_of(d), n, pad_chunk, &(struct pad_job){at(from), at(to), in, out, backward});
}

/* ---- dropout ---- */
struct bits_job {
    uint64_t key;
    double drop;
    int first;
    size_t image;
    uint8_t *bits;
};
static void bits_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct bits_job *j = arg;
    cpu->kernels->keep_bits(j->key, j->drop, (uint64_t)(j->first + first) * j->image, (size_t)n * j->image,
                            j->bits + (size_t)first * j->image / 8);
}
void cpu_keep_bits(struct skl_device *d, uint64_t key, double drop, int first, int n, size_t image,
                   struct skl_place bits)
{
    for_chunks(cpu_of(d), n, bits_chunk, &(struct bits_job){key, drop, first, image, (uint8_t *)at(bits)});
}

/* ---- update ---- */
bool stopped(struct skl_place stop) { return skl_there(stop) && *(const int32_t *)(const void *)at(stop); }

struct sgd_job {
    const struct cpu *cpu;
    const struct skl_learned *tensor;
    const struct skl_sgd *sgd;
};
static void sgd_tensor(void *arg, int i, int worker)
{
    const struct sgd_job *j = arg;
    const struct skl_learned *t = &j->tensor[i];
    j->cpu->kernels->sgd(t->count, at(t->value), at(t->grad), at(t->momentum), j->sgd->lr, j->sgd->momentum,
                         t->decay ? j->sgd->weight_decay : 0, j->sgd->caffe, j->sgd->nesterov);
}
void cpu_sgd(struct skl_device *d, const struct skl_learned *tensor, int tensors, const struct skl_sgd *sgd)
{
    struct sgd_job job = {cpu_of(d), tensor, sgd};
    if (stopped(sgd->stop)) return;
    skl_parallel(job.cpu->pool, tensors, sgd_tensor, &job);
}

void cpu_find_infinite(struct skl_device *d, struct skl_place place, size_t floats, struct skl_place flag)
{
    const float *v = at(place);
    bool finite = true;
    for (size_t i = 0; i < floats; i++) finite &= v[i] >= -FLT_MAX && v[i] <= FLT_MAX;
    if (!finite) *(int32_t *)(void *)at(flag) = 1;
}
