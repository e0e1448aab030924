/* What a variant writes: all it must, nothing else, and no nonsense. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/check/internal.h"

static bool all_finite(const struct wall *w)
{
    for (size_t i = 0; i < w->floats; i++)
        if (!isfinite(w->data[i])) return false;
    return true;
}

static void margins(struct stage *st, const char *function)
{
    const struct wall *all[] = {&st->x,  &st->h,  &st->f,  &st->dy,     &st->opts, &st->y,
                                &st->dx, &st->dh, &st->df, &st->lambda, &st->keep, &st->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!wall_margins_clean(all[i]))
            fail(st->c, "%s writes just outside %s %s", function, all[i]->name, stage_words(st));
    for (int i = 0; i < st->decl.owns; i++)
        if (!wall_margins_clean(&st->own[i]) || !wall_margins_clean(&st->grad[i]))
            fail(st->c, "%s writes just outside tensor %s or its dw %s", function, st->decl.own[i].name,
                 stage_words(st));
}

/* Every element was poison before: one that still is was not written, a NaN was added to what stood there. */
static void all_written(struct stage *st, const struct wall *w, const char *function)
{
    size_t left = wall_poisoned(w);
    if (left)
        fail(st->c, "%s leaves %zu of %zu elements of %s unwritten %s", function, left, w->floats, w->name,
             stage_words(st));
    else if (!all_finite(w))
        fail(st->c, "%s: %s is not finite; does it add where it must overwrite, or read scratch it has not written? %s",
             function, w->name, stage_words(st));
}

static void untouched(struct stage *st, const struct wall *w, const char *function)
{
    if (wall_poisoned(w) != w->floats)
        fail(st->c, "%s writes %s, which is not its to write %s", function, w->name, stage_words(st));
}

/* The same gradient must come out of dw = 0 and be added to dw = 1. */
static void adds(struct stage *st, void (*run)(struct stage *st), const char *function)
{
    for (int i = 0; i < st->decl.owns; i++) {
        const size_t count = st->grad[i].floats;
        float *zero = skl_alloc_array(count, sizeof *zero);
        stage_clear_grads(st);
        run(st);
        memcpy(zero, st->grad[i].data, count * sizeof *zero);
        for (size_t e = 0; e < count; e++) st->grad[i].data[e] = 1;
        run(st);
        for (size_t e = 0; e < count; e++) {
            float got = st->grad[i].data[e], want = 1 + zero[e];
            if (!(fabsf(got - want) <= 1e-4f * (1 + fabsf(zero[e]))))
                fail(st->c, "%s must add to dw of tensor %s: from 1 it makes %.6g, from 0 %.6g %s", function,
                     st->decl.own[i].name, got, zero[e], stage_words(st));
        }
        free(zero);
    }
}

static void run_backward(struct stage *st) { stage_backward(st, 0, st->batch); }

static void pointwise(struct stage *st)
{
    stage_forward(st, 0, st->batch);
    margins(st, "forward");
    all_written(st, &st->y, "forward");
    untouched(st, &st->dx, "forward"), untouched(st, &st->dh, "forward"), untouched(st, &st->df, "forward");
    stage_backward(st, 0, st->batch);
    margins(st, "backward");
    all_written(st, &st->dx, "backward"), all_written(st, &st->dh, "backward"), all_written(st, &st->df, "backward");
    adds(st, run_backward, "backward");
}

/* ---- way 1 ---- */

static size_t span_length(const struct stage *st, const struct skl_coef *coef)
{
    return coef->span == SKL_PER_CHANNEL ? (size_t)st->unit.out.c : coef->span == SKL_PER_IMAGE ? (size_t)st->batch : 1;
}

static void coefficient(struct stage *st, const struct skl_coef *coef, const char *name)
{
    if (coef->span < SKL_ONE || coef->span > SKL_MASK)
        fail(st->c, "affine sets an unknown span of %s %s", name, stage_words(st));
    if (coef->span == SKL_MASK && (coef->v || !(coef->drop >= 0 && coef->drop < 1)))
        fail(st->c, "affine: a mask needs drop in [0, 1) and no v %s", stage_words(st));
    if ((coef->span == SKL_PER_CHANNEL || coef->span == SKL_PER_IMAGE) && !coef->v)
        fail(st->c, "affine sets a span of %s without numbers %s", name, stage_words(st));
    doing = "affine's coefficient";
    bool good = coef->v || isfinite(coef->constant);
    for (size_t i = 0; coef->v && i < span_length(st, coef); i++) good = good && isfinite(coef->v[i]);
    for (size_t i = 0; coef->back && i < span_length(st, coef); i++) good = good && isfinite(coef->back[i]);
    doing = NULL;
    if (!good) fail(st->c, "affine: %s is not finite %s", name, stage_words(st));
    if (coef->back && (coef->span != SKL_PER_IMAGE || !(st->c->s->flags & SKL_SURROGATE_GRAD)))
        fail(st->c,
             "affine: other numbers of %s in the backward pass want SKL_PER_IMAGE and the flag SKL_SURROGATE_GRAD %s",
             name, stage_words(st));
}

static void run_affine_grad(struct stage *st)
{
    struct skl_coef a, b;
    stage_affine(st, 0, st->batch, &a, &b);
    const bool la = a.v && a.span != SKL_PER_IMAGE, lb = b.v && b.span != SKL_PER_IMAGE;
    struct wall da, db;
    wall_new(st->c, &da, span_length(st, &a), true, "da"), wall_new(st->c, &db, span_length(st, &b), true, "db");
    for (size_t i = 0; i < da.floats; i++) da.data[i] = (float)normal(77, i);
    for (size_t i = 0; i < db.floats; i++) db.data[i] = (float)normal(78, i);
    wall_seal(&da, true), wall_seal(&db, true);
    stage_affine_grad(st, la ? da.data : NULL, lb ? db.data : NULL);
    wall_free(&da), wall_free(&db);
}

static void affine(struct stage *st)
{
    struct skl_coef a, b;
    stage_affine(st, 0, st->batch, &a, &b);
    coefficient(st, &a, "a"), coefficient(st, &b, "b");
    if (b.span == SKL_MASK) fail(st->c, "affine: only a can be a mask %s", stage_words(st));
    margins(st, "affine");
    if (st->c->s->affine_grad) {
        run_affine_grad(st);
        margins(st, "affine_grad");
        adds(st, run_affine_grad, "affine_grad");
    }
}

static void writes_of(struct check *c, const struct variation *set, struct skl_unit unit, int batch, bool training,
                      bool at_end)
{
    struct stage st;
    stage_open(&st, c, set, unit, batch, at_end, 1);
    st.training = training;
    if (c->s->affine)
        affine(&st);
    else
        pointwise(&st);
    if (c->s->gain) {
        stage_gain(&st, 0, batch);
        margins(&st, "gain");
        all_written(&st, &st.lambda, "gain");
    }
    stage_close(&st);
}

void check_writes(struct check *c)
{
    for (int i = 0; i < c->variations && !failed(c); i++)
        for (int way = 0; way < 4 && !failed(c); way++)
            writes_of(c, &c->variation[i], usual_unit(c), 3, way & 1, way & 2);
    note(c, "%d settings, buffers between guard pages", c->variations);
}

/* ---- large inputs ---- */

/* So that the largest element has this size. */
static void stretch(struct wall *w, float to)
{
    float largest = 0;
    for (size_t i = 0; i < w->floats; i++) largest = fmaxf(largest, fabsf(w->data[i]));
    wall_seal(w, false);
    for (size_t i = 0; i < w->floats; i++) w->data[i] *= to / largest;
    wall_seal(w, true);
}

static void finite_at(struct check *c, const struct variation *set, float to)
{
    struct stage st;
    stage_open(&st, c, set, usual_unit(c), 3, true, 2);
    stretch(&st.x, to), stretch(&st.h, to), stretch(&st.f, to);
    stage_forward(&st, 0, 3);
    stage_backward(&st, 0, 3);
    const struct wall *out[] = {&st.y, &st.dx, &st.dh, &st.df};
    for (int i = 0; i < 4; i++)
        if (!all_finite(out[i]))
            fail(c, "%s is not finite for inputs up to %g %s", out[i]->name, (double)to, stage_words(&st));
    for (int i = 0; i < st.decl.owns; i++)
        if (!all_finite(&st.grad[i]))
            fail(c, "dw of tensor %s is not finite for inputs up to %g %s", st.decl.own[i].name, (double)to,
                 stage_words(&st));
    stage_close(&st);
}

void check_finite(struct check *c)
{
    if (c->s->affine) {
        skip(c, "way 1: the engine computes y");
        return;
    }
    static const float factors[] = {0, 1e-20f, 1, 100};
    for (int i = 0; i < c->variations; i++)
        for (size_t k = 0; k < sizeof factors / sizeof *factors && !failed(c); k++)
            finite_at(c, &c->variation[i], factors[k]);
    note(c, "inputs 0, tiny, and up to 100");
}

/* ---- shapes that no kernel likes ---- */

void check_odd_shapes(struct check *c)
{
    const bool raw = usual_unit(c).in.h != usual_unit(c).out.h;
    static const struct skl_shape odd[] = {{5, 3, 1}, {3, 5, 3}, {2, 3, 17}, {1, 7, 17}, {1, 1, 1}};
    double worst = 0;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        for (int batch = 1; batch <= 3 && !failed(c); batch += 2) {
            struct skl_unit unit =
                raw ? strided_unit(2 * odd[i].h, 2 * odd[i].w - 1, odd[i].c) : plain_unit(odd[i].h, odd[i].w, odd[i].c);
            for (int at_end = 0; at_end < 2; at_end++) writes_of(c, &c->variation[0], unit, batch, true, at_end);
            if (!failed(c)) gradients_of(c, &c->variation[0], unit, batch, &worst);
        }
    note(c, "5 shapes, 1 and 3 images");
}
