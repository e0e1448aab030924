/* Derivatives against central differences, with sign, one tensor at a time, in several random directions.
 *
 * The loss is L = sum c_i y_i in double, with fixed c_i between 0.5 and 1 of either sign, so dy = c.  For a direction v
 * of +-1 the derivative is g.v, and for a random v its size is about |g| (the Euclidean norm), whatever the number of
 * elements; so errors are measured against |g|: a sign flipped in one tensor is an error of about 2 |g|.
 *
 * How exact a difference can be.  Inputs are multiples of 2^-10 and steps are powers of two, so x +- eps v is exact in
 * float and only y is rounded: each y_i by a few half ulps, 16 u |y_i| at most for what a pointwise function does
 * (u = 2^-24).  Roundings are independent, so L carries about 16 u S with S = sqrt(sum (c_i y_i)^2), and the difference
 * 16 u S / eps.  A step counts only where that is below |g|/10 (or is the largest step).  What the curvature of y adds
 * goes with eps^2 and is covered by 0.5 % of |g|.  Three steps, 2^-5, 2^-8, 2^-11: one that agrees is enough, because a
 * kink (clamp, ReLU) between x - eps and x + eps spoils the larger steps and rounding the smaller ones, while a wrong
 * derivative agrees at none. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/check/internal.h"

enum { DIRECTIONS = 4 };
static const double steps[] = {0x1p-5, 0x1p-8, 0x1p-11};

/* Loss and its S at the stage's present inputs. */
static double loss_of_y(struct stage *st, double *s)
{
    double loss = 0, squares = 0;
    stage_forward(st, 0, st->batch);
    for (size_t i = 0; i < st->y.floats; i++) {
        const double v = (double)st->dy.data[i] * st->y.data[i];
        loss += v, squares += v * v;
    }
    *s = sqrt(squares);
    return loss;
}

static double coefficient(const struct skl_coef *coef, size_t i, size_t c, size_t image)
{
    if (!coef->v) return coef->constant;
    return coef->v[coef->span == SKL_PER_CHANNEL ? i % c : coef->span == SKL_PER_IMAGE ? i / image : 0];
}

/* Way 1: y = a h + b f made here, in double. */
static double loss_of_affine(struct stage *st, double *s)
{
    struct skl_coef a, b;
    double loss = 0, squares = 0;
    stage_affine(st, 0, st->batch, &a, &b);
    const float *h = stage_has_layers(st) ? st->h.data : st->x.data;
    for (size_t i = 0; i < st->f.floats; i++) {
        const size_t c = (size_t)st->unit.out.c;
        const double v = st->dy.data[i] * (coefficient(&a, i, c, st->f_image) * h[i] +
                                           coefficient(&b, i, c, st->f_image) * st->f.data[i]);
        loss += v, squares += v * v;
    }
    *s = sqrt(squares);
    return loss;
}

/* One tensor in one direction: the difference at step eps, *noise its rounding. */
static double difference(struct stage *st, struct wall *w, const float *base, uint64_t direction, double eps,
                         double *noise)
{
    double (*loss)(struct stage *, double *) = st->c->s->affine ? loss_of_affine : loss_of_y;
    double side[2], s = 0;
    wall_seal(w, false);
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < w->floats; i++) w->data[i] = (float)(base[i] + (k ? -eps : eps) * sign_of(direction, i));
        side[k] = loss(st, &s);
    }
    memcpy(w->data, base, w->floats * sizeof *base);
    wall_seal(w, true);
    *noise = 16 * 0x1p-24 * s / eps;
    return (side[0] - side[1]) / (2 * eps);
}

/* The smallest error over the steps, as a share of |g| (the noise taken off); *got: the difference it belongs to. */
static double agreement(struct stage *st, struct wall *w, const float *base, uint64_t direction, double want,
                        double norm, double *got)
{
    double best = INFINITY;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        double noise, d = difference(st, w, base, direction, steps[i], &noise);
        if (i > 0 && noise > 0.1 * norm) break;
        double error = fmax(0, fabs(d - want) - noise) / fmax(norm, 1e-30);
        if (isnan(d)) error = INFINITY;
        if (error < best) best = error, *got = d;
    }
    return best;
}

static void tensor(struct stage *st, struct wall *w, const float *grad, const char *name, double *worst)
{
    float *base = skl_alloc_array(w->floats + 1, sizeof *base);
    memcpy(base, w->data, w->floats * sizeof *base);
    double norm = 0;
    for (size_t i = 0; i < w->floats; i++) norm += (double)grad[i] * grad[i];
    norm = sqrt(norm);
    for (int k = 0; k < DIRECTIONS; k++) {
        const uint64_t direction = 100 + (uint64_t)k;
        double want = 0, got = NAN;
        for (size_t i = 0; i < w->floats; i++) want += grad[i] * sign_of(direction, i);
        double error = agreement(st, w, base, direction, want, norm, &got);
        if (!(error <= 5e-3)) {
            fail(st->c, "derivative by %s: backward says %.6g, differences say %.6g%s %s", name, want, got,
                 fabs(got + want) < 0.1 * fabs(want) ? ": the sign is wrong" : "", stage_words(st));
            break;
        }
        *worst = fmax(*worst, error);
    }
    free(base);
}

static void own_tensors(struct stage *st, double *worst)
{
    for (int i = 0; i < st->decl.owns && !failed(st->c); i++) {
        float *grad = skl_alloc_array(st->grad[i].floats, sizeof *grad);
        memcpy(grad, st->grad[i].data, st->grad[i].floats * sizeof *grad);
        tensor(st, &st->own[i], grad, st->decl.own[i].name, worst);
        free(grad);
    }
}

static void pointwise(struct stage *st, double *worst)
{
    stage_clear_grads(st);
    stage_forward(st, 0, st->batch);
    stage_backward(st, 0, st->batch);
    float *dx = skl_alloc_array(st->dx.floats + 1, sizeof *dx);
    for (size_t i = 0; i < st->dx.floats; i++)
        dx[i] = st->dx.data[i] + (stage_has_layers(st) ? 0 : st->dh.data[i]); /* h is x */
    tensor(st, &st->x, dx, stage_has_layers(st) ? "x" : "x (dx + dh: no layers, so h is x)", worst);
    free(dx);
    if (stage_has_layers(st)) tensor(st, &st->h, st->dh.data, "h", worst);
    tensor(st, &st->f, st->df.data, "f", worst);
    own_tensors(st, worst);
}

/* Way 1: the engine differentiates y; the variant only carries da, db on to its tensors. */
static void affine(struct stage *st, double *worst)
{
    struct skl_coef a, b;
    if (st->decl.owns == 0) return;
    stage_affine(st, 0, st->batch, &a, &b);
    const size_t c = (size_t)st->unit.out.c;
    double *da = skl_alloc_array(2 * c, sizeof *da), *db = da + c;
    float *da32 = skl_alloc_array(2 * c, sizeof *da32), *db32 = da32 + c;
    const float *h = stage_has_layers(st) ? st->h.data : st->x.data;
    for (size_t i = 0; i < st->f.floats; i++) {
        da[a.span == SKL_PER_CHANNEL ? i % c : 0] += (double)st->dy.data[i] * h[i];
        db[b.span == SKL_PER_CHANNEL ? i % c : 0] += (double)st->dy.data[i] * st->f.data[i];
    }
    for (size_t i = 0; i < c; i++) da32[i] = (float)da[i], db32[i] = (float)db[i];
    stage_clear_grads(st);
    stage_affine_grad(st, a.v && a.span != SKL_PER_IMAGE ? da32 : NULL, b.v && b.span != SKL_PER_IMAGE ? db32 : NULL);
    own_tensors(st, worst);
    free(da), free(da32);
}

void gradients_of(struct check *c, const struct variation *set, struct skl_unit unit, int batch, double *worst)
{
    if (c->s->flags & SKL_SURROGATE_GRAD) return;
    struct stage st;
    stage_open(&st, c, set, unit, batch, true, 5);
    if (c->s->affine)
        affine(&st, worst);
    else
        pointwise(&st, worst);
    stage_close(&st);
}

void check_gradients(struct check *c)
{
    double worst = 0;
    if (c->s->flags & SKL_SURROGATE_GRAD) {
        skip(c, "SKL_SURROGATE_GRAD: backward is on purpose not the derivative");
        return;
    }
    struct skl_unit unit = usual_unit(c);
    if (c->s->affine && declared(c, &c->variation[0], &unit).owns == 0) {
        skip(c, "way 1 without tensors of its own: the engine differentiates it ('net-gradients')");
        return;
    }
    for (int i = 0; i < c->variations && !failed(c); i++) gradients_of(c, &c->variation[i], unit, 6, &worst);
    note(c, "largest error %.1e of the gradient's norm, beyond rounding; 0.5 %% is allowed", worst);
}
