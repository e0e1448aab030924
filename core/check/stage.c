/* A variant called as the engine calls it, but on its own: walled buffers, no convolutions, no threads. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/check/internal.h"

double normal(uint64_t key, uint64_t i) { return skl_rng_normal(key, i); }
double sign_of(uint64_t key, uint64_t i) { return skl_rng_bits(key, i) & 1 ? 1 : -1; }

struct skl_unit plain_unit(int h, int w, int c) { return (struct skl_unit){1, 3, {h, w, c}, {h, w, c}}; }

struct skl_unit strided_unit(int h, int w, int c)
{
    return (struct skl_unit){1, 3, {h, w, c}, {(h + 1) / 2, (w + 1) / 2, 2 * c}};
}

struct skl_decl declared(const struct check *c, const struct variation *set, const struct skl_unit *unit)
{
    struct skl_decl d;
    doing = "declare";
    skl_declare(c->s, unit, set->opts, &d, NULL);
    doing = NULL;
    return d;
}

struct skl_unit usual_unit(const struct check *c)
{
    struct skl_unit plain = plain_unit(4, 6, 3);
    return declared(c, &c->variation[0], &plain).source == SKL_RAW_X ? strided_unit(8, 6, 3) : plain;
}

bool stage_has_layers(const struct stage *st) { return st->decl.convs > 0; }

/* ---- buffers ---- */

static double grid(double v) { return nearbyint(fmax(-8, fmin(8, v)) * 1024) / 1024; }

static void fill(struct wall *w, uint64_t key)
{
    for (size_t i = 0; i < w->floats; i++) w->data[i] = (float)grid(normal(key, i));
}

static size_t own_count(const struct stage *st, int i)
{
    size_t count = 1;
    for (int k = 0; k < st->decl.own[i].ndim; k++) count *= (size_t)st->decl.own[i].shape[k];
    return count;
}

/* Near the declared start, but off it: at a start of 0 half of the derivatives would vanish. */
static void fill_own(struct stage *st, int i, uint64_t key)
{
    const int *shape = st->decl.own[i].shape;
    const bool he = st->decl.own[i].init == SKL_HE;
    const double fan = st->decl.own[i].ndim > 1 ? shape[1] : shape[0], spread = he ? sqrt(2 / fan) : 0.25;
    for (size_t e = 0; e < st->own[i].floats; e++)
        st->own[i].data[e] = (float)((he ? 0 : st->decl.own[i].value) + grid(spread * normal(key, e)));
}

static void open_inputs(struct stage *st, uint64_t seed)
{
    const size_t n = (size_t)st->batch;
    const bool e = st->at_end;
    wall_new(st->c, &st->x, n * st->x_image, e, "x");
    wall_new(st->c, &st->h, stage_has_layers(st) ? n * st->h_image : 0, e, "h");
    wall_new(st->c, &st->f, n * st->f_image, e, "f");
    wall_new(st->c, &st->dy, n * st->f_image, e, "dy");
    fill(&st->x, seed + 1), fill(&st->h, seed + 2), fill(&st->f, seed + 3);
    for (size_t i = 0; i < st->dy.floats; i++)
        st->dy.data[i] = (float)(sign_of(seed + 4, i) * (0.5 + nearbyint(512 * skl_rng_uniform(seed + 5, i)) / 1024));
    for (int i = 0; i < st->decl.owns; i++) {
        wall_new(st->c, &st->own[i], own_count(st, i), e, "tensor %s", st->decl.own[i].name);
        fill_own(st, i, seed + 10 + (uint64_t)i);
        st->own_at[i] = st->own[i].data;
        wall_seal(&st->own[i], true);
    }
    wall_new(st->c, &st->opts, SKL_OPTS_MAX / sizeof(float), false, "the options");
    memcpy(st->opts.data, st->set->opts, SKL_OPTS_MAX);
    struct wall *inputs[] = {&st->x, &st->h, &st->f, &st->dy, &st->opts};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) wall_seal(inputs[i], true);
}

static void open_outputs(struct stage *st)
{
    const size_t n = (size_t)st->batch;
    const bool e = st->at_end;
    wall_new(st->c, &st->y, n * st->f_image, e, "y");
    wall_new(st->c, &st->dx, n * st->x_image, e, "dx");
    wall_new(st->c, &st->dh, n * st->h_image, e, "dh");
    wall_new(st->c, &st->df, n * st->f_image, e, "df");
    wall_new(st->c, &st->lambda, n * st->f_image, e, "lambda");
    wall_new(st->c, &st->keep, n * st->decl.keep, e, "keep");
    wall_new(st->c, &st->scratch, n * st->decl.scratch, e, "scratch");
    for (int i = 0; i < st->decl.owns; i++) {
        wall_new(st->c, &st->grad[i], own_count(st, i), e, "dw of tensor %s", st->decl.own[i].name);
        st->grad_at[i] = st->grad[i].data;
    }
    stage_clear_grads(st);
    stage_poison_outputs(st);
}

void stage_open(struct stage *st, struct check *c, const struct variation *set, struct skl_unit unit, int batch,
                bool at_end, uint64_t seed)
{
    memset(st, 0, sizeof *st);
    *st = (struct stage){.c = c,
                         .set = set,
                         .unit = unit,
                         .batch = batch,
                         .at_end = at_end,
                         .training = true,
                         .iteration = c->iteration,
                         .key = 0x9e3779b97f4a7c15};
    st->decl = declared(c, set, &unit);
    if (st->decl.wrong[0]) fail(c, "declares %s (%s)", st->decl.wrong, set->label);
    const struct skl_shape x = st->decl.source == SKL_RAW_X ? unit.in : unit.out;
    st->x_image = skl_shape_floats(x), st->h_image = skl_shape_floats(skl_declared_shape(&st->decl, &unit)),
    st->f_image = skl_shape_floats(unit.out);
    open_inputs(st, seed * 1000);
    open_outputs(st);
}

void stage_close(struct stage *st)
{
    struct wall *all[] = {&st->opts, &st->x,  &st->h,  &st->f,      &st->dy,   &st->y,
                          &st->dx,   &st->dh, &st->df, &st->lambda, &st->keep, &st->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) wall_free(all[i]);
    for (int i = 0; i < SKL_MAX_OWN; i++) wall_free(&st->own[i]), wall_free(&st->grad[i]);
}

void stage_poison_outputs(struct stage *st)
{
    struct wall *all[] = {&st->y, &st->dx, &st->dh, &st->df, &st->lambda, &st->keep, &st->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) wall_poison(all[i]);
}

void stage_clear_grads(struct stage *st)
{
    for (int i = 0; i < st->decl.owns; i++) memset(st->grad[i].data, 0, st->grad[i].floats * sizeof(float));
}

const char *stage_words(const struct stage *st)
{
    static char text[200];
    const struct skl_shape in = st->unit.in, out = st->unit.out;
    char from[48] = "";
    if (memcmp(&in, &out, sizeof in) != 0) snprintf(from, sizeof from, "%dx%dx%d to ", in.h, in.w, in.c);
    snprintf(text, sizeof text, "(%s%dx%dx%d, %d image%s, %s)", from, out.h, out.w, out.c, st->batch,
             st->batch == 1 ? "" : "s", st->set->label);
    return text;
}

/* ---- calls ---- */

/* Where a call begins in a tensor of `image` floats an image: at image `first`, or in a band of rows of it. */
static size_t begin_of(const struct stage *st, int first, size_t image)
{
    return (size_t)first * image + (size_t)st->row * (image / (size_t)st->unit.out.h);
}

static struct skl_call call(struct stage *st, int first, int n, bool gradients)
{
    st->told = st->unit;
    if (st->rows) st->told.out.h = st->rows;
    const size_t unused = st->at_end ? (size_t)(st->batch - n) : 0; /* scratch ends at its wall */
    return (struct skl_call){.unit = &st->told,
                             .opts = st->opts.data,
                             .iteration = st->iteration,
                             .iterations = 100,
                             .training = st->training,
                             .batch = st->batch,
                             .first = first,
                             .n = n,
                             .p = st->decl.p,
                             .rng_key = st->key,
                             .w = st->own_at,
                             .dw = gradients ? st->grad_at : NULL,
                             .keep = st->decl.keep ? st->keep.data + (size_t)first * st->decl.keep : NULL,
                             .scratch = st->decl.scratch ? st->scratch.data + unused * st->decl.scratch : NULL};
}

static const float *h_of(const struct stage *st, int first)
{
    return stage_has_layers(st) ? st->h.data + begin_of(st, first, st->h_image)
                                : st->x.data + begin_of(st, first, st->x_image);
}

void stage_affine(struct stage *st, int first, int n, struct skl_coef *a, struct skl_coef *b)
{
    struct skl_call k = call(st, first, n, false);
    *a = *b = (struct skl_coef){.span = SKL_ONE, .constant = 1};
    doing = "affine";
    st->c->s->affine(&k, a, b);
    doing = NULL;
}

void stage_affine_grad(struct stage *st, const float *da, const float *db)
{
    struct skl_call k = call(st, 0, st->batch, true);
    doing = "affine_grad";
    if (st->c->s->affine_grad) st->c->s->affine_grad(&k, da, db);
    doing = NULL;
}

void stage_forward(struct stage *st, int first, int n)
{
    struct skl_call k = call(st, first, n, false);
    doing = "forward";
    st->c->s->forward(&k, st->x.data + begin_of(st, first, st->x_image), h_of(st, first),
                      st->f.data + begin_of(st, first, st->f_image), st->y.data + begin_of(st, first, st->f_image));
    doing = NULL;
}

void stage_backward(struct stage *st, int first, int n)
{
    struct skl_call k = call(st, first, n, true);
    const size_t x = begin_of(st, first, st->x_image), h = begin_of(st, first, st->h_image),
                 f = begin_of(st, first, st->f_image);
    wall_poison(&st->scratch);
    doing = "backward";
    st->c->s->backward(&k, st->x.data + x, h_of(st, first), st->f.data + f, st->dy.data + f, st->dx.data + x,
                       st->dh.data + h, st->df.data + f);
    doing = NULL;
}

void stage_gain(struct stage *st, int first, int n)
{
    struct skl_call k = call(st, first, n, false);
    wall_poison(&st->scratch);
    doing = "gain";
    st->c->s->gain(&k, st->x.data + (size_t)first * st->x_image, h_of(st, first),
                   st->lambda.data + (size_t)first * st->f_image);
    doing = NULL;
}
