/* Convolutions: which kernel for which shape, and their calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/grow.h"
#include "core/device/opencl/internal.h"
#include "core/device/opencl/kernels/flags.h"

/* Tiles by shape: 3x3, stride 1, as many channels out as in.  Safe on every device with this much local memory and
 * work-groups of 256; measured on one, an H200.  kernels/conv_tile.cl and grad_tile.cl say what the numbers are. */
static const struct tile {
    int h, w, c, r, px, cb, kb; /* conv_tile: R, PX, CB, KB */
    int gcb, gkb, br, bi;       /* grad_tile: CB, KB, BR, BI */
    int images;                 /* of a group of grad_tile */
} tiles[] = {
    {32, 32, 16, 8, 8, 16, 16, 16, 16, 8, 192, 1},
    {16, 16, 32, 8, 8, 16, 32, 16, 32, 8, 192, 1},
    {8, 8, 64, 8, 4, 16, 32, 16, 32, 8, 192, 4},
};
static int tile_items(const struct tile *t) { return t->w * t->kb / 4 * (t->r / t->px); }

/* A layer's way: a row of the table, or any shape by matrix products. */
struct conv_way {
    struct conv_way *next;
    struct skl_conv_shape shape;
    const struct tile *tile; /* NULL: any */
    int oh, ow;
    int nt, nt_back, t; /* conv_any's NT forward and backward, grad_any's T */
    char name[32];
};

static size_t largest(size_t a, size_t b) { return a > b ? a : b; }
static size_t tile_local(const struct tile *t)
{
    const int w = t->w + 2;
    const size_t conv = (size_t)((t->r + 2) * w * (t->cb + 4) + 9 * t->cb * t->kb);
    const size_t grad = (size_t)((t->br + 2) * w * (t->gcb + 4) + t->br * t->w * (t->gkb + 4));
    return sizeof(float) * largest(largest(conv, 4 * SUMS_NUMBERS * (size_t)tile_items(t)), grad);
}

static const struct tile *tile_for(const struct opencl *d, const struct skl_conv_shape *s)
{
    if (s->size != 3 || s->stride != 1 || s->c != s->k) return NULL;
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++)
        if (tiles[i].h == s->h && tiles[i].w == s->w && tiles[i].c == s->c &&
            tile_local(&tiles[i]) <= d->about.local_memory)
            return &tiles[i];
    return NULL;
}

static int block_of(int channels) { return channels <= 16 ? 16 : channels <= 32 ? 32 : 64; }

static const struct conv_way *way_for(struct opencl *d, struct skl_conv_shape s, bool any)
{
    const struct tile *tile = any ? NULL : tile_for(d, &s);
    for (struct conv_way *w = d->ways; w; w = w->next)
        if (!memcmp(&w->shape, &s, sizeof s) && w->tile == tile) return w;
    struct conv_way *w = skl_alloc(sizeof *w);
    *w = (struct conv_way){.next = d->ways, .shape = s, .tile = tile};
    w->oh = (s.h + s.stride - 1) / s.stride, w->ow = (s.w + s.stride - 1) / s.stride;
    w->nt = block_of(s.k), w->nt_back = block_of(s.c);
    const int rows = s.size * s.size * s.c;
    w->t = block_of(rows < s.k ? rows : s.k);
    if (tile)
        snprintf(w->name, sizeof w->name, "tile-%dx%dx%d", s.h, s.w, s.c);
    else
        snprintf(w->name, sizeof w->name, "any");
    return d->ways = w;
}

void conv_release(struct opencl *d)
{
    while (d->ways) {
        struct conv_way *w = d->ways;
        d->ways = w->next;
        free(w);
    }
}

int opencl_conv_plan(struct skl_device *device, struct skl_conv_shape shape, enum skl_conv_algo algo,
                     struct skl_conv_plan *plan, struct skl_err *err)
{
    const struct conv_way *w = way_for(opencl_of(device), shape, algo == SKL_CONV_GEMM);
    *plan = (struct skl_conv_plan){shape, w->name, w};
    return SKL_OK;
}

/* ---- forward, and the data's gradient: the same kernels the other way round ---- */
/* What is absent costs nothing where it is known when the kernel is built.  On a CPU that costs a build each: not
 * there. */
static char *known(const struct opencl *d, const struct skl_operand *x, const struct skl_operand *l,
                   const struct skl_result *s)
{
    if (d->about.software) return skl_format(" ");
    char *text = skl_format("-DKNOWN_l_flags=%d", operand_flags(l));
    if (!x && !s) return text;
    return skl_append(text, " -DKNOWN_%s_flags=%d", x ? "x" : "s", x ? operand_flags(x) : result_flags(s));
}

static void run_tile(struct opencl *d, const struct conv_way *w, int n, const struct skl_operand *l,
                     struct skl_place weight, const struct skl_result *s, bool back)
{
    const struct tile *t = w->tile;
    const int span = n * (t->h / t->r), groups = d->head.groups;
    char *flags = known(d, NULL, l, s);
    cl_kernel k = opencl_kernel(d, "conv_tile", "conv_tile",
                                "-DH=%d -DW=%d -DC=%d -DR=%d -DPX=%d -DCB=%d -DKB=%d -DBACK=%d "
                                "-DSUMS=%d %s",
                                t->h, t->w, t->c, t->r, t->px, t->cb, t->kb, back, sums_kind(s), flags);
    free(flags);
    struct call c = call_begin(d, k, back ? "conv_tile (backward)" : "conv_tile");
    call_operand(&c, l);
    call_place(&c, weight);
    call_result(&c, s, parts_begin(d, s->sums, span, t->c));
    call_int(&c, span);
    const double elements = (double)groups * n * t->h * t->w * t->c;
    moves_operand(&c, l, elements), moves_result(&c, s, elements);
    call_run(&c, (size_t)(groups * span), (size_t)(t->c / t->kb), 0, (size_t)tile_items(t));
    parts_end(d, s->sums, span, t->c, !skl_there(s->partner), (int64_t)n * t->h * t->w);
}

static void run_any(struct opencl *d, const struct conv_way *w, int n, const struct skl_operand *l,
                    struct skl_place weight, const struct skl_result *s, bool back)
{
    const struct skl_conv_shape *p = &w->shape;
    const int nt = back ? w->nt_back : w->nt, out = back ? p->c : p->k, mt = 4 * 256 / (nt / 4);
    const int64_t pixels = (int64_t)n * (back ? p->h * p->w : w->oh * w->ow);
    const int span = (int)((pixels + mt - 1) / mt), groups = d->head.groups;
    char *flags = known(d, NULL, l, s);
    cl_kernel k = opencl_kernel(d, "conv_any", "conv_any", "-DNT=%d -DQUAD=%d -DSUMS=%d %s", nt, out % 4 == 0,
                                sums_kind(s), flags);
    free(flags);
    struct call c = call_begin(d, k, back ? "conv_any (backward)" : "conv_any");
    call_operand(&c, l);
    call_place(&c, weight);
    call_result(&c, s, parts_begin(d, s->sums, span, out));
    const int forward[] = {p->h, p->w, p->c, w->oh, w->ow, p->k}, backward[] = {w->oh, w->ow, p->k, p->h, p->w, p->c};
    for (int i = 0; i < 6; i++) call_int(&c, back ? backward[i] : forward[i]);
    call_int(&c, p->size), call_int(&c, p->stride), call_int(&c, back), call_int(&c, (int)pixels), call_int(&c, span);
    moves_operand(&c, l, (double)groups * n * (back ? w->oh * w->ow * p->k : p->h * p->w * p->c));
    moves_result(&c, s, (double)groups * (double)pixels * out);
    call_run(&c, (size_t)(groups * span), (size_t)((out + nt - 1) / nt), 0, 256);
    parts_end(d, s->sums, span, out, !skl_there(s->partner), pixels);
}

static void run_conv(struct opencl *d, const struct conv_way *w, int n, const struct skl_operand *l,
                     struct skl_place weight, const struct skl_result *s, bool back)
{
    if (w->tile)
        run_tile(d, w, n, l, weight, s, back);
    else
        run_any(d, w, n, l, weight, s, back);
}

/* Work-groups read each other's rows: what is written on the way may not stand where they still read, and where a value
 * is read for many taps it is written by a pass of its own. */
static struct skl_operand written(struct opencl *d, const struct conv_way *w, int n, const struct skl_operand *x)
{
    if (!skl_there(x->out)) return *x;
    if (w->tile && !skl_same_place(x->out, x->x) && !skl_same_place(x->out, x->add)) return *x;
    struct skl_operand alone = *x;
    alone.out = (struct skl_place){NULL, 0};
    opencl_map(&d->head, &alone, &(struct skl_result){.y = x->out}, n,
               (struct skl_shape){w->shape.h, w->shape.w, w->shape.c});
    return (struct skl_operand){.x = x->out};
}

void opencl_conv_forward(struct skl_device *device, const struct skl_conv_job *job)
{
    struct opencl *d = opencl_of(device);
    const struct conv_way *w = job->plan->own;
    const struct skl_operand x = written(d, w, job->n, &job->x);
    run_conv(d, w, job->n, &x, job->weight, &job->y, false);
}

/* ---- the weights' gradient ---- */
/* Pixels of a range: so many work-groups that every device is busy, so few that the partial sums are no burden. */
static void ranges_of(const struct conv_way *w, int n, int *ranges, int *size)
{
    if (w->tile) {
        *size = w->tile->images;
        *ranges = (n + *size - 1) / *size;
        return;
    }
    enum { GROUPS = 1024, LEAST = 256 };
    const struct skl_conv_shape *s = &w->shape;
    const int64_t pixels = (int64_t)n * w->oh * w->ow;
    const int blocks = ((s->size * s->size * s->c + w->t - 1) / w->t) * ((s->k + w->t - 1) / w->t);
    int64_t per = (pixels * blocks + GROUPS - 1) / GROUPS;
    if (per < LEAST) per = LEAST;
    per = (per + 63) / 64 * 64;
    *size = (int)per;
    *ranges = (int)((pixels + per - 1) / per);
}

static size_t weights_of(const struct conv_way *w)
{
    return (size_t)w->shape.size * (size_t)w->shape.size * (size_t)w->shape.c * (size_t)w->shape.k;
}
size_t conv_gradient_floats(const struct skl_conv_plan *plan, int groups, int n)
{
    int ranges, size;
    ranges_of(plan->own, n, &ranges, &size);
    return weights_of(plan->own) * (size_t)ranges * (size_t)groups;
}

static void moves_gradient(struct call *c, const struct conv_way *w, const struct skl_conv_job *job, int ranges)
{
    const struct skl_conv_shape *s = &w->shape;
    const double images = (double)c->d->head.groups * job->n;
    moves_operand(c, &job->x, images * s->h * s->w * s->c);
    moves_operand(c, &job->dy, images * w->oh * w->ow * s->k);
    c->bytes += 4.0 * (double)weights_of(w) * c->d->head.groups * ranges;
}

static void gradient_tile(struct opencl *d, const struct conv_way *w, const struct skl_conv_job *job, int ranges,
                          int size, struct skl_place part)
{
    const struct tile *t = w->tile;
    char *flags = known(d, &job->x, &job->dy, NULL);
    cl_kernel k = opencl_kernel(d, "grad_tile", "grad_tile", "-DH=%d -DW=%d -DC=%d -DCB=%d -DKB=%d -DBR=%d -DBI=%d %s",
                                t->h, t->w, t->c, t->gcb, t->gkb, t->br, t->bi, flags);
    free(flags);
    struct call c = call_begin(d, k, "grad_tile");
    call_operand(&c, &job->x), call_operand(&c, &job->dy);
    call_int(&c, job->n), call_int(&c, size);
    call_place(&c, part), call_int(&c, ranges);
    moves_gradient(&c, w, job, ranges);
    call_run(&c, (size_t)(d->head.groups * ranges), (size_t)(t->c / t->gcb), (size_t)(t->c / t->gkb), (size_t)t->bi);
}

static void gradient_any(struct opencl *d, const struct conv_way *w, const struct skl_conv_job *job, int ranges,
                         int size, struct skl_place part)
{
    const struct skl_conv_shape *s = &w->shape;
    const int rows = s->size * s->size * s->c;
    char *flags = known(d, &job->x, &job->dy, NULL);
    cl_kernel k = opencl_kernel(d, "grad_any", "grad_any", "-DT=%d %s", w->t, flags);
    free(flags);
    struct call c = call_begin(d, k, "grad_any");
    call_operand(&c, &job->x), call_operand(&c, &job->dy);
    const int numbers[] = {s->h, s->w, s->c, w->oh, w->ow, s->k, s->size, s->stride, job->n * w->oh * w->ow, size};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) call_int(&c, numbers[i]);
    call_place(&c, part), call_int(&c, ranges);
    moves_gradient(&c, w, job, ranges);
    call_run(&c, (size_t)(d->head.groups * ranges), (size_t)((rows + w->t - 1) / w->t),
             (size_t)((s->k + w->t - 1) / w->t), 256);
}

void opencl_conv_backward(struct skl_device *device, const struct skl_conv_job *job)
{
    struct opencl *d = opencl_of(device);
    const struct conv_way *w = job->plan->own;
    int ranges, size; /* of a group */
    ranges_of(w, job->n, &ranges, &size);
    const int parts = d->head.groups * ranges;
    struct skl_place part = gradient_room(d, weights_of(w) * (size_t)parts, job->dweight);
    /* first the weights': the data's gradient may go where dy stands */
    if (w->tile)
        gradient_tile(d, w, job, ranges, size, part);
    else
        gradient_any(d, w, job, ranges, size, part);
    gradient_wait(d, part, parts, weights_of(w), job->dweight, job->accumulate);
    if (skl_there(job->y.y)) run_conv(d, w, job->n, &job->dy, job->weight, &job->y, true);
}
