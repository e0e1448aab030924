/* The same input, the same bits: again, in ranges, beside other images, and with training off. */
#include <stdlib.h>
#include <string.h>

#include "core/check/internal.h"

enum { BATCH = 6 };

/* What a call made, copied: y, dx, dh, df, and the gradients of own tensors; way 1: the two coefficients. */
struct product {
    float *part[4];
    size_t floats[4];
    float *grad[SKL_MAX_OWN];
    size_t grad_floats[SKL_MAX_OWN];
    struct skl_coef a, b;
    float *av, *bv;
    size_t an, bn;
};

static float *copy(const float *from, size_t n)
{
    float *to = skl_alloc_array(n + 1, sizeof *to);
    if (n) memcpy(to, from, n * sizeof *to);
    return to;
}

static size_t longest(const struct stage *st) { return (size_t)st->batch + (size_t)st->unit.out.c; }

/* A coefficient's numbers as a call for images [first, end) has left them, those of the backward pass behind the
 * longest; how many there are now. */
static size_t copy_numbers(const struct stage *st, const struct skl_coef *k, int first, int end, float *to)
{
    const bool images = k->span == SKL_PER_IMAGE;
    const size_t n = images ? (size_t)(end - first) : k->span == SKL_PER_CHANNEL ? (size_t)st->unit.out.c : 1;
    if (!k->v) return 0;
    memcpy(to + (images ? first : 0), k->v, n * sizeof *to);
    if (k->back && images) memcpy(to + longest(st) + first, k->back, n * sizeof *to);
    return images ? (size_t)end : n;
}

static void take(struct stage *st, struct product *p)
{
    const struct wall *part[4] = {&st->y, &st->dx, &st->dh, &st->df};
    for (int i = 0; i < 4; i++) p->part[i] = copy(part[i]->data, p->floats[i] = part[i]->floats);
    for (int i = 0; i < st->decl.owns; i++) p->grad[i] = copy(st->grad[i].data, p->grad_floats[i] = st->grad[i].floats);
}

/* Runs the variant over the ranges that end at the given images, the last one BATCH. */
static void produce(struct stage *st, const int *ends, struct product *p)
{
    memset(p, 0, sizeof *p);
    stage_poison_outputs(st);
    stage_clear_grads(st);
    if (st->c->s->affine) {
        p->av = skl_alloc_array(2 * longest(st), sizeof(float)),
        p->bv = skl_alloc_array(2 * longest(st), sizeof(float));
        for (int first = 0, i = 0; first < st->batch; first = ends[i++]) {
            stage_affine(st, first, ends[i] - first, &p->a, &p->b);
            p->an = copy_numbers(st, &p->a, first, ends[i], p->av),
            p->bn = copy_numbers(st, &p->b, first, ends[i], p->bv);
        }
        return;
    }
    for (int first = 0, i = 0; first < st->batch; first = ends[i++]) stage_forward(st, first, ends[i] - first);
    for (int first = 0, i = 0; first < st->batch && st->training; first = ends[i++])
        stage_backward(st, first, ends[i] - first);
    take(st, p);
}

static void product_free(struct product *p)
{
    for (int i = 0; i < 4; i++) free(p->part[i]);
    for (int i = 0; i < SKL_MAX_OWN; i++) free(p->grad[i]);
    free(p->av), free(p->bv);
}

static bool same_coef(const struct stage *st, const struct skl_coef *a, const float *av, size_t an,
                      const struct skl_coef *b, const float *bv, size_t bn)
{
    return a->span == b->span && a->constant == b->constant && a->drop == b->drop && an == bn && !a->back == !b->back &&
           memcmp(av, bv, 2 * longest(st) * sizeof *av) == 0;
}

static const char *const part_name[] = {"y", "dx", "dh", "df"};

/* The first thing that differs in images [first, first + n), NULL: nothing. */
static const char *difference(const struct stage *st, const struct product *a, const struct product *b, int first,
                              int n)
{
    if (st->c->s->affine) {
        if (!same_coef(st, &a->a, a->av, a->an, &b->a, b->av, b->an)) return "a";
        return same_coef(st, &a->b, a->bv, a->bn, &b->b, b->bv, b->bn) ? NULL : "b";
    }
    for (int i = 0; i < 4; i++) {
        const size_t image = a->floats[i] / (size_t)st->batch, at = (size_t)first * image;
        if (memcmp(a->part[i] + at, b->part[i] + at, (size_t)n * image * sizeof(float)) != 0) return part_name[i];
    }
    return NULL;
}

static const char *gradient_difference(const struct stage *st, const struct product *a, const struct product *b)
{
    for (int i = 0; i < st->decl.owns && !st->c->s->affine; i++)
        if (memcmp(a->grad[i], b->grad[i], a->grad_floats[i] * sizeof(float)) != 0) return st->decl.own[i].name;
    return NULL;
}

typedef void compare_fn(struct stage *st);
static void for_variations(struct check *c, compare_fn *compare)
{
    for (int i = 0; i < c->variations && !failed(c); i++) {
        struct stage st;
        stage_open(&st, c, &c->variation[i], usual_unit(c), BATCH, true, 3);
        compare(&st);
        stage_close(&st);
    }
}

static const int whole[] = {BATCH};

static void repeat(struct stage *st)
{
    struct product a, b;
    produce(st, whole, &a);
    for (int i = 0; i < 3; i++) {
        produce(st, whole, &b);
        const char *which = difference(st, &a, &b, 0, BATCH);
        if (!which) which = gradient_difference(st, &a, &b);
        if (which)
            fail(st->c,
                 "the same call gives another %s when it is made again: a writable static, time, or unwritten memory? "
                 "%s",
                 which, stage_words(st));
        product_free(&b);
    }
    product_free(&a);
}
void check_repeat(struct check *c)
{
    for_variations(c, repeat);
    note(c, "four calls, the same bits");
}

/* Bands of at most `rows` rows, image by image, as SKL_PER_PIXEL allows. */
static void produce_bands(struct stage *st, int rows, struct product *p)
{
    const int h = st->unit.out.h;
    memset(p, 0, sizeof *p);
    stage_poison_outputs(st);
    stage_clear_grads(st);
    for (int backward = 0; backward < 2; backward++)
        for (int image = 0; image < st->batch; image++)
            for (st->row = 0; st->row < h; st->row += st->rows) {
                st->rows = rows < h - st->row ? rows : h - st->row;
                (backward ? stage_backward : stage_forward)(st, image, 1);
            }
    st->row = st->rows = 0;
    take(st, p);
}

static bool same_rows(const struct stage *st)
{
    const struct skl_shape out = st->unit.out, h = skl_declared_shape(&st->decl, &st->unit);
    return st->x_image == st->f_image && h.h == out.h && h.w == out.w;
}

static void bands(struct stage *st, const struct product *a)
{
    for (int rows = 1; rows < st->unit.out.h && !failed(st->c); rows++) {
        struct product b;
        produce_bands(st, rows, &b);
        const char *which = difference(st, a, &b, 0, BATCH);
        if (which)
            fail(st->c, "%s depends on how an image is cut into bands of rows: SKL_PER_PIXEL is not true %s", which,
                 stage_words(st));
        product_free(&b);
    }
}

static void ranges(struct stage *st)
{
    static const int two[] = {2, BATCH}, three[] = {1, 5, BATCH}, each[] = {1, 2, 3, 4, 5, BATCH};
    static const int *const cuts[] = {two, three, each};
    struct product a, b;
    produce(st, whole, &a);
    for (int i = 0; i < 3; i++) {
        produce(st, cuts[i], &b);
        const char *which = difference(st, &a, &b, 0, BATCH);
        if (which)
            fail(st->c, "%s depends on how the mini-batch is cut into ranges: count from k->first %s", which,
                 stage_words(st));
        product_free(&b);
    }
    if ((st->c->s->flags & SKL_PER_PIXEL) && same_rows(st)) bands(st, &a);
    product_free(&a);
}
void check_ranges(struct check *c)
{
    if (c->s->flags & SKL_MIXES_IMAGES)
        skip(c, "SKL_MIXES_IMAGES: always called with a whole batch-norm group");
    else
        for_variations(c, ranges), note(c, "cut at 2, at 1 and 5, and image by image%s",
                                        c->s->flags & SKL_PER_PIXEL ? ", and in bands of rows" : "");
}

/* Other numbers in one image. */
static void disturb(struct stage *st, int image)
{
    struct wall *in[] = {&st->x, &st->h, &st->f, &st->dy};
    const size_t floats[] = {st->x_image, stage_has_layers(st) ? st->h_image : 0, st->f_image, st->f_image};
    for (int i = 0; i < 4; i++) {
        wall_seal(in[i], false);
        for (size_t e = 0; e < floats[i]; e++) in[i]->data[(size_t)image * floats[i] + e] += 0.375f;
        wall_seal(in[i], true);
    }
}

static void images(struct stage *st)
{
    struct product a, b;
    for (int image = 0; image < BATCH && !failed(st->c); image++) {
        produce(st, whole, &a);
        disturb(st, image);
        produce(st, whole, &b);
        const char *which = difference(st, &a, &b, 0, image);
        if (!which) which = difference(st, &a, &b, image + 1, BATCH - 1 - image);
        if (which)
            fail(st->c, "%s of an image changes when another image does: set SKL_MIXES_IMAGES if that is meant %s",
                 which, stage_words(st));
        product_free(&a), product_free(&b);
    }
}
void check_images(struct check *c)
{
    if (c->s->flags & SKL_MIXES_IMAGES)
        skip(c, "SKL_MIXES_IMAGES");
    else
        for_variations(c, images), note(c, "each of %d images changed in turn, the others keep their bits", BATCH);
}

/* Training off: another iteration, another key for random numbers, and the same y. */
static void evaluation(struct stage *st)
{
    struct product a, b;
    st->training = false;
    produce(st, whole, &a);
    for (int i = 0; i < 2; i++) {
        st->iteration = i ? 7 : 90;
        st->key = i ? 12345 : 0x9e3779b97f4a7c15;
        produce(st, whole, &b);
        const char *which = difference(st, &a, &b, 0, BATCH);
        if (which)
            fail(st->c, "with training off %s depends on the %s %s", which, i ? "random key" : "iteration",
                 stage_words(st));
        product_free(&b);
    }
    if (st->c->s->affine && a.a.span == SKL_MASK)
        fail(st->c, "with training off a is a random mask %s", stage_words(st));
    product_free(&a);
}
void check_evaluation(struct check *c)
{
    for_variations(c, evaluation);
    note(c, "other iterations and random keys, the same bits");
}
