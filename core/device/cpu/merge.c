/* The merge as a pass of its own: a variant's forward and backward (way 2), or y = a h + b f by the plain formula. The
 * mini-batch goes through in pieces, and all that happens to a piece happens while it is in the cache: the layer that
 * makes h (the tail), the sigmoid behind it, the merge, the sums. */
#include <string.h>
#include "core/device/cpu/internal.h"
#include "core/variant/vec.h"

struct pass {
    const struct skl_merge *job;
    struct chunk_sums *sums;
    struct skl_kernel_operand h, f, tail_x;
    float *x, *y, *dy, *dx, *dh;
    struct skl_kernel_result result; /* forward: of y; backward: of df */
};

static struct pass pass_of(const struct skl_merge *job)
{
    struct pass pass = {.job = job,
                        .h = operand_of(&job->h),
                        .f = operand_of(&job->f),
                        .x = at(job->x),
                        .y = at(job->y.y),
                        .dy = at(job->dy),
                        .dx = at(job->dx),
                        .dh = at(job->dh)};
    if (job->tail) pass.tail_x = operand_of(&job->tail->x);
    return pass;
}

/* A piece of an operand's value: where it stands if it is stored as it is, else computed into `to`. */
static const float *viewed(struct cpu *cpu, const struct skl_kernel_operand *o, const struct piece *p,
                           struct skl_shape s, float *to)
{
    if (!o->scale && !o->add && !o->relu) return o->x + float_of(p, s);
    cpu->kernels->load_rows(o, begin_of(p, s), (int)pixels_of(p, s), s.c, to);
    return to;
}

/* Behind a tail, with a sigmoid, the gate's values stand there themselves. */
static const float *h_of(struct cpu *cpu, const struct pass *pass, const struct piece *p, float *to)
{
    const struct skl_shape s = pass->job->h_shape;
    if (!pass->job->decl->sigmoid) return viewed(cpu, &pass->h, p, s, to);
    if (pass->job->tail) return pass->h.x + float_of(p, s);
    cpu->kernels->sigmoid(floats_of(p, s), viewed(cpu, &pass->h, p, s, to), to);
    return to;
}

/* ---- forward ---- */
SKL_VECTORIZE static void relu(size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = y[i] <= 0 ? 0 : y[i]; /* not a number stays so */
}

/* The tail reads x from the piece's first pixel on and is told of an image of the piece's rows. */
static struct skl_conv_shape tail_shape(const struct pass *pass, const struct piece *p)
{
    struct skl_conv_shape s = pass->job->tail->plan->shape;
    if (p->rows) s.h = p->rows;
    return s;
}
static struct skl_kernel_operand tail_operand(const struct pass *pass, const struct piece *p)
{
    struct skl_kernel_operand x = pass->tail_x;
    x.x += float_of(p, pass->job->x_shape);
    return x;
}

/* What the next band reads and writes. */
static struct skl_prefetch forward_ahead(const struct pass *pass, const struct piece *p)
{
    const struct skl_shape s = pass->job->call.unit->out;
    const size_t next = end_of(p, s);
    struct skl_prefetch a = {.floats = (int)floats_of(p, s)};
    a.read[a.reads++] = pass->x + next;
    a.read[a.reads++] = pass->f.x + next;
    a.write[a.writes++] = pass->y + next;
    a.write[a.writes++] = (float *)pass->h.x + end_of(p, pass->job->h_shape);
    return a;
}
static struct skl_prefetch backward_ahead(const struct pass *pass, const struct piece *p)
{
    const struct skl_shape s = pass->job->call.unit->out;
    const size_t next = end_of(p, s);
    struct skl_prefetch a = {.floats = (int)floats_of(p, s)};
    a.read[a.reads++] = pass->x + next;
    a.read[a.reads++] = pass->f.x + next;
    a.read[a.reads++] = pass->h.x + end_of(p, pass->job->h_shape);
    a.write[a.writes++] = pass->dy + next;
    a.write[a.writes++] = pass->dx + next;
    return a;
}

static void tail_forward(struct cpu *cpu, const struct pass *pass, const struct piece *p, float *scratch)
{
    const struct skl_shape s = pass->job->h_shape;
    float *h = (float *)pass->h.x + float_of(p, s);
    const struct skl_kernel_operand x = tail_operand(pass, p);
    const struct skl_kernel_result result = {.y = h};
    const struct skl_prefetch ahead = forward_ahead(pass, p);
    struct skl_conv_forward conv = {tail_shape(pass, p),    cpu->packed, cpu->kernels, &x, &result,
                                    p->rows ? &ahead : NULL};
    kernel_of(pass->job->tail->plan)->forward(&conv, 0, p->images, NULL, scratch + cpu->range_floats);
    if (!pass->job->decl->sigmoid) return;
    struct skl_kernel_operand raw = pass->h;
    raw.x = h;
    if (raw.scale) cpu->kernels->load_rows(&raw, 0, (int)pixels_of(p, s), s.c, h);
    cpu->kernels->sigmoid(floats_of(p, s), h, h);
}

static void forward_piece(struct cpu *cpu, struct pass *pass, int chunk, const struct piece *p, float *scratch)
{
    const struct skl_merge *job = pass->job;
    const struct skl_shape s = job->call.unit->out;
    float *f_room = scratch, *h_room = f_room + floats_of(p, s), *own = h_room + floats_of(p, job->h_shape);
    if (job->tail) tail_forward(cpu, pass, p, scratch);
    const float *h = h_of(cpu, pass, p, h_room), *f = viewed(cpu, &pass->f, p, s, f_room);
    float *y = pass->y + float_of(p, s);
    struct told t;
    tell(&t, job, p, NULL, own);
    if (job->variant->forward)
        job->variant->forward(&t.call, pass->x + float_of(p, job->x_shape), h, f, y);
    else
        affine_forward(job, &t.call, p->image, h, f, y);
    if (job->relu) relu(floats_of(p, s), y);
    if (pass->sums)
        cpu->kernels->store_rows(&pass->result, begin_of(p, s), (int)pixels_of(p, s), s.c, y,
                                 &pass->sums->chunk[chunk]);
}

static void forward_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    struct pass *pass = arg;
    for (struct piece p = first_piece(pass->job, first, n); p.images; p = next_piece(pass->job, p, first + n))
        forward_piece(cpu, pass, chunk, &p, scratch);
}

/* Over all chunks, or once over the whole group where the variant mixes images. */
static void run(struct cpu *cpu, chunk_fn *fn, struct pass *pass)
{
    const int n = pass->job->call.n;
    if (mixes_images(pass->job))
        fn(cpu, pass, 0, 0, n, cpu->scratch[0]);
    else
        for_chunks(cpu, n, fn, pass);
}

void cpu_merge_forward(struct skl_device *d, const struct skl_merge *job)
{
    struct cpu *cpu = cpu_of(d);
    struct pass pass = pass_of(job);
    pass.sums = sums_begin(job->y.sums, job->call.unit->out.c, job->call.n);
    pass.result = (struct skl_kernel_result){.y = pass.y, .sums = pass.sums != NULL};
    if (job->tail) conv_prepare(cpu, job->tail->plan, job->tail->weight, false);
    run(cpu, forward_chunk, &pass);
}

/* ---- backward ---- */
SKL_VECTORIZE static void add_to(size_t n, const float *restrict from, float *restrict to)
{
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

SKL_VECTORIZE static void through_sigmoid(size_t n, const float *restrict h, float *restrict dh)
{
    for (size_t i = 0; i < n; i++) dh[i] *= h[i] * (1 - h[i]);
}

static void backward_piece(struct cpu *cpu, struct pass *pass, int chunk, const struct piece *p, float *dh,
                           float *scratch)
{
    const struct skl_merge *job = pass->job;
    const struct skl_shape s = job->call.unit->out;
    const size_t x_at = float_of(p, job->x_shape), x_floats = floats_of(p, job->x_shape);
    float *f_room = scratch, *df = f_room + floats_of(p, s), *h_room = df + floats_of(p, s),
          *own = h_room + floats_of(p, job->h_shape);
    const float *h = h_of(cpu, pass, p, h_room), *f = viewed(cpu, &pass->f, p, s, f_room);
    const float *dy = pass->dy + float_of(p, s);
    float *dx = pass->dx + x_at;
    struct told t;
    tell(&t, job, p, cpu->own_partial + (size_t)chunk * cpu->own_stride, own);
    if (job->variant->backward) {
        job->variant->backward(&t.call, pass->x + x_at, h, f, dy, dx, dh, df);
        if (job->decl->sigmoid) through_sigmoid(floats_of(p, job->h_shape), h, dh);
        if (!job->layers) add_to(x_floats, dh, dx); /* h is x itself */
    } else {
        double *coef = cpu->coef_sum + (size_t)chunk * 2 * (size_t)s.c;
        affine_backward(job, &t.call, p->image, h, f, dy, job->layers ? dh : dx, df, coef, coef + s.c);
        if (job->layers) memset(dx, 0, x_floats * sizeof *dx);
    }
    cpu->kernels->store_rows(&pass->result, begin_of(p, s), (int)pixels_of(p, s), s.c, df, sums_of(pass->sums, chunk));
}

/* The tail's derivative for one piece: its bias's (sum of dh), its weight's, and what reaches x, added to dx. */
static void tail_backward(struct cpu *cpu, struct pass *pass, int chunk, const struct piece *p, bool first,
                          const float *dh, float *scratch)
{
    const struct skl_merge *job = pass->job;
    const struct skl_conv_kernel *kernel = kernel_of(job->tail->plan);
    const int c = job->h_shape.c, pixels = (int)pixels_of(p, job->h_shape);
    float *mean = scratch, *work = scratch + cpu->range_floats, *one = work + cpu->conv_floats;
    float *dw = cpu->partial + (size_t)chunk * cpu->partial_stride;
    if (skl_there(job->tail->dbias)) {
        cpu->kernels->pool(pixels, c, dh, mean);
        for (int k = 0; k < c; k++)
            cpu->bias_sum[(size_t)chunk * cpu->channels + (size_t)k] += (double)mean[k] * (double)pixels;
    }
    float *dx = pass->dx + float_of(p, job->x_shape);
    const struct skl_kernel_operand x = tail_operand(pass, p), dy = {.x = dh};
    const struct skl_kernel_result result = {.y = dx, .add = dx};
    const struct skl_prefetch ahead = backward_ahead(pass, p);
    struct skl_conv_backward conv = {tail_shape(pass, p),    cpu->packed, cpu->kernels, &x, &dy, &result,
                                     p->rows ? &ahead : NULL};
    kernel->backward(&conv, 0, p->images, first ? dw : one, NULL, work);
    if (!first) add_to(kernel->gradient_floats(&job->tail->plan->shape), one, dw);
}

/* Where the tail runs here too, a piece's dh is used up at once: the chunk's pieces share one place, in the cache. */
static void backward_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    struct pass *pass = arg;
    const struct skl_merge *job = pass->job;
    const struct piece start = first_piece(job, first, n);
    for (struct piece p = start; p.images; p = next_piece(job, p, first + n)) {
        float *dh = pass->dh + float_of(job->tail ? &start : &p, job->h_shape);
        backward_piece(cpu, pass, chunk, &p, dh, scratch);
        if (job->tail) tail_backward(cpu, pass, chunk, &p, p.image == first && p.row == 0, dh, scratch);
    }
}

static void reduce_bias(struct cpu *cpu, const struct skl_merge *job, int chunks)
{
    float *dbias = at(job->tail->dbias);
    for (int c = 0; c < job->h_shape.c; c++) {
        double sum = 0;
        for (int i = 0; i < chunks; i++) sum += cpu->bias_sum[(size_t)i * cpu->channels + (size_t)c];
        add_gradient(dbias + c, sum, job->accumulate);
    }
}

static void reduce_own(struct cpu *cpu, const struct skl_merge *job, int chunks)
{
    size_t place = 0;
    for (int i = 0; i < job->decl->owns; i++)
        for (size_t e = 0; e < own_count(job->decl, i); e++, place++) {
            double sum = 0;
            for (int chunk = 0; chunk < chunks; chunk++)
                sum += cpu->own_partial[(size_t)chunk * cpu->own_stride + place];
            add_gradient(at(job->down[i]) + e, sum, job->accumulate);
        }
}

static void reduce_coefficients(struct cpu *cpu, const struct skl_merge *job, int chunks)
{
    const size_t c = (size_t)job->call.unit->out.c;
    for (int i = 1; i < chunks; i++)
        for (size_t e = 0; e < 2 * c; e++) cpu->coef_sum[e] += cpu->coef_sum[(size_t)i * 2 * c + e];
    write_coefficients(cpu->coef_sum, cpu->coef_sum + c, (int)c, job->a.span, job->b.span, at(job->dcoef));
}

static void clear_partials(struct cpu *cpu, const struct skl_merge *job, int chunks)
{
    const size_t n = (size_t)chunks;
    memset(cpu->own_partial, 0, n * cpu->own_stride * sizeof(float));
    if (job->variant->affine) memset(cpu->coef_sum, 0, n * 2 * (size_t)job->call.unit->out.c * sizeof(double));
    if (job->tail) memset(cpu->bias_sum, 0, n * cpu->channels * sizeof(double));
}

void cpu_merge_backward(struct skl_device *d, const struct skl_merge *job)
{
    struct cpu *cpu = cpu_of(d);
    struct pass pass = pass_of(job);
    const int chunks = skl_chunk_count(job->call.n);
    pass.sums = sums_begin(job->df.sums, job->call.unit->out.c, job->call.n);
    pass.result = result_of(&job->df);
    clear_partials(cpu, job, chunks);
    if (job->tail) conv_prepare(cpu, job->tail->plan, job->tail->weight, true);
    run(cpu, backward_chunk, &pass);
    if (job->tail && skl_there(job->tail->dbias)) reduce_bias(cpu, job, chunks);
    if (job->tail) conv_reduce(cpu, job->tail->plan, job->call.n, job->tail->dweight, job->accumulate);
    if (!job->variant->affine)
        reduce_own(cpu, job, chunks);
    else if (skl_there(job->dcoef))
        reduce_coefficients(cpu, job, chunks);
}
