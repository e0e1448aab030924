/* The merge as a pass: variants of every kind, written again here in double. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/variant/formula.h"
#include "tests/device/lab.h"

/* ---- the variants ---- */
SKL_FORWARD(y = (1 - h) * x + h * f;)
SKL_BACKWARD(dx = (1 - h) * dy; df = h * dy; dh = dy * (f - x);)
static const struct skl_shortcut gate = {SKL_SHORTCUT_HEAD(gate), SKL_FORMULA};

/* y = x + w f with one w a channel; f is kept from forward to backward and goes through scratch. */
static void own_forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    const size_t image = skl_image_elements(k->unit), c = (size_t)k->unit->out.c;
    for (size_t i = 0; i < skl_elements(k); i++) k->keep[i] = k->scratch[i] = f[i];
    for (size_t i = 0; i < skl_elements(k); i++) y[i] = x[i] + k->w[0][i % image % c] * k->scratch[i];
}
static void own_backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                         float *dx, float *dh, float *df)
{
    const size_t image = skl_image_elements(k->unit), c = (size_t)k->unit->out.c;
    for (size_t i = 0; i < skl_elements(k); i++) {
        dx[i] = dy[i], dh[i] = 0, df[i] = k->w[0][i % image % c] * dy[i];
        k->dw[0][i % image % c] += dy[i] * k->keep[i];
    }
}
static const struct skl_shortcut own = {SKL_SHORTCUT_HEAD(own), .forward = own_forward, .backward = own_backward};

/* y of image i = x + f of the next image of the group. */
static void mixing_forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    const size_t n = skl_elements(k), image = skl_image_elements(k->unit);
    for (size_t i = 0; i < n; i++) y[i] = x[i] + f[(i + image) % n];
}
static void mixing_backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                            float *dx, float *dh, float *df)
{
    const size_t n = skl_elements(k), image = skl_image_elements(k->unit);
    for (size_t i = 0; i < n; i++) dx[i] = dy[i], dh[i] = 0, df[(i + image) % n] = dy[i];
}
static const struct skl_shortcut mixing = {SKL_SHORTCUT_HEAD(mixing), .flags = SKL_MIXES_IMAGES,
                                           .forward = mixing_forward, .backward = mixing_backward};

static void asked(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    CHECK(false, "a device asks no affine");
}
static const struct skl_shortcut affine = {SKL_SHORTCUT_HEAD(affine), .affine = asked};

/* ---- the cases ---- */
struct kase {
    const char *name;
    const struct skl_shortcut *v;
    enum { H_IS_X, H_STANDS, H_TAIL } h;
    bool sigmoid, bias, relu;
    int tail_size;
    enum skl_span a, b;
    bool learned, plain, other_back; /* other_back: other numbers for b in the backward pass */
    int n;
    struct skl_shape s;
};
static const struct kase cases[] = {
    {"gate, h is x", &gate, .n = 3, .s = {4, 3, 5}},
    {"gate, h stands", &gate, H_STANDS, .sigmoid = true, .n = 9, .s = {4, 4, 16}},
    {"gate behind a 1x1 tail, in bands", &gate, H_TAIL, true, true, true, 1, .n = 9, .s = {16, 16, 16}},
    {"the same at once", &gate, H_TAIL, true, true, false, 1, .plain = true, .n = 9, .s = {16, 16, 16}},
    {"gate behind a tail without sigmoid", &gate, H_TAIL, false, true, false, 1, .n = 17, .s = {5, 3, 3}},
    {"gate behind a 3x3 tail", &gate, H_TAIL, true, false, true, 3, .n = 3, .s = {6, 6, 16}},
    {"a tensor of its own, keep and scratch", &own, .n = 17, .s = {3, 3, 7}},
    {"images mixed", &mixing, .relu = true, .n = 9, .s = {2, 3, 4}},
    {"a h + b f, learned", &affine, .a = SKL_ONE, .b = SKL_PER_CHANNEL, .learned = true, .n = 9, .s = {3, 3, 6}},
    {"a h + b f, an image", &affine, H_STANDS, .a = SKL_PER_IMAGE, .b = SKL_PER_IMAGE, .n = 17, .s = {2, 2, 3}},
    {"x + b f, an image, another b back", &affine, .a = SKL_ONE, .b = SKL_PER_IMAGE, .other_back = true, .n = 5,
     .s = {3, 2, 7}},
    {"a h + b f, dropped", &affine, .a = SKL_MASK, .b = SKL_ONE, .relu = true, .n = 3, .s = {3, 5, 8}},
    {"a h + b f behind a 1x1 tail", &affine, H_TAIL, false, false, false, 1, SKL_ONE, SKL_ONE, .n = 3, .s = {4, 4, 16}},
};
enum { CASES = sizeof cases / sizeof *cases };
static struct skl_conv_plan tail_plan[CASES];

int merge_plans(struct lab *lab, struct skl_conv_plan *plan)
{
    int count = 0;
    for (int i = 0; i < CASES; i++) {
        const struct kase *k = &cases[i];
        struct skl_err err = {0};
        if (k->h != H_TAIL) continue;
        const struct skl_conv_shape shape = {k->s.h, k->s.w, k->s.c, k->s.c, k->tail_size, 1};
        CHECK(lab->ops->conv_plan(lab->d, shape, SKL_CONV_AUTO, &tail_plan[i], &err) == SKL_OK, "%s", err.text);
        plan[count++] = tail_plan[i];
    }
    return count;
}

/* ---- one case: everything in place, and in double ---- */
struct bench {
    const struct kase *k;
    size_t n, c;
    struct skl_unit unit;
    struct skl_decl decl;
    struct tensor x, own, down, keep, a, b, back, w, dw, bias, dbias, ones, dy, dx, dh, dcoef;
    struct operand h, f;
    struct result y, df;
    struct skl_tail tail;
    struct skl_merge job;
    double *xv, *hv, *fv; /* values */
};
enum { FIRST = 4 };
static const uint64_t KEY = 0xfeedfacecafe;

static void open_tail(struct lab *lab, struct bench *b, const struct skl_conv_plan *plan)
{
    const size_t weights = (size_t)(b->k->tail_size * b->k->tail_size) * b->c * b->c;
    b->w = put(lab, weights, DATA_NORMAL), b->dw = out(lab, weights);
    b->h.x = out(lab, b->n), b->h.c = (int)b->c;
    b->h.o = (struct skl_operand){.x = b->h.x.place};
    b->bias = put_if(lab, b->k->bias, b->c, DATA_NORMAL);
    if (b->k->bias) {
        b->dbias = out(lab, b->c), b->ones = put(lab, b->c, DATA_NORMAL);
        for (size_t i = 0; i < b->c; i++) b->ones.before[i] = 1;
        b->h.o.scale = b->ones.place, b->h.o.shift = b->bias.place;
    }
    b->tail = (struct skl_tail){plan, {.x = b->x.place}, b->w.place, b->dw.place, b->bias.place, b->dbias.place};
}

static void open_bench(struct lab *lab, struct bench *b, const struct kase *k, const struct skl_conv_plan *plan)
{
    memset(b, 0, sizeof *b);
    b->k = k, b->c = (size_t)k->s.c, b->n = (size_t)(k->n * k->s.h * k->s.w) * b->c;
    b->unit = (struct skl_unit){1, 3, k->s, k->s};
    b->decl.sigmoid = k->sigmoid;
    lab_reset(lab);
    b->x = put(lab, b->n, DATA_NORMAL);
    if (k->h == H_TAIL) open_tail(lab, b, plan);
    if (k->h == H_STANDS) b->h = make_operand(lab, SCALED, b->n, k->s.c, DATA_NORMAL);
    if (k->h == H_IS_X) b->h = (struct operand){.x = b->x, .c = k->s.c, .o = {.x = b->x.place}};
    b->f = make_operand(lab, SCALED, b->n, k->s.c, DATA_NORMAL);
    if (k->v == &own) {
        b->decl.owns = 1, b->decl.own[0].ndim = 1, b->decl.own[0].shape[0] = k->s.c;
        b->decl.keep = b->decl.scratch = b->n / (size_t)k->n;
        b->own = put(lab, b->c, DATA_NORMAL), b->down = put(lab, b->c, DATA_NORMAL), b->keep = out(lab, b->n);
        writable(lab, &b->down);
    }
    const size_t numbers = b->c > (size_t)k->n ? b->c : (size_t)k->n;
    b->a = put(lab, numbers, DATA_NORMAL), b->b = put(lab, numbers, DATA_NORMAL);
    b->back = put(lab, numbers, DATA_NORMAL);
    for (size_t i = 0; i < numbers; i++) {
        if (k->a == SKL_ONE || k->a == SKL_MASK) b->a.before[i] = b->a.before[0];
        if (k->b == SKL_ONE) b->b.before[i] = b->b.before[0];
    }
    b->dy = put(lab, b->n, DATA_NORMAL), writable(lab, &b->dy);
    b->dx = out(lab, b->n), b->dh = out(lab, b->n), b->dcoef = out(lab, 2 * b->c);
    b->y = make_result(lab, STATISTICS, b->n, k->s.c, DATA_NORMAL);
    b->df = make_result(lab, MASKED | SUMS, b->n, k->s.c, DATA_NORMAL);
    b->df.y = b->dy, b->df.r.y = b->dy.place; /* in the place of dy */
    b->job = (struct skl_merge){
        .variant = k->v,
        .call = {.unit = &b->unit,
                 .training = true,
                 .iterations = 9,
                 .batch = 64,
                 .first = FIRST,
                 .n = k->n,
                 .rng_key = KEY},
        .decl = &b->decl,
        .a = {k->a, b->a.place, 0.5, k->learned},
        .b = {k->b, b->b.place, 0, k->learned, k->other_back ? b->back.place : (struct skl_place){NULL, 0}},
        .x_shape = k->s,
        .h_shape = k->s,
        .x = b->x.place,
        .h = b->h.o,
        .f = b->f.o,
        .layers = k->h != H_IS_X,
        .tail = k->h == H_TAIL ? &b->tail : NULL,
        .own = {b->own.place},
        .down = {b->down.place},
        .keep = b->keep.place,
        .plain = k->plain,
        .y = b->y.r,
        .relu = k->relu,
        .dy = b->dy.place,
        .dx = b->dx.place,
        .dh = b->dh.place,
        .df = b->df.r,
        .dcoef = k->learned ? b->dcoef.place : (struct skl_place){NULL, 0},
        .accumulate = k->v == &own};
    b->job.call.p = b->decl.p;
}

/* Calls fn for every product of the tail: x and h elements, the weight between them. */
typedef void product_fn(void *arg, size_t x, size_t h, size_t w);
static void each_product(const struct bench *b, product_fn *fn, void *arg)
{
    const struct skl_shape s = b->k->s;
    const int size = b->k->tail_size, c = s.c;
    for (int p = 0; p < b->k->n * s.h * s.w; p++)
        for (int t = 0; t < size * size; t++) {
            const int y = p / s.w % s.h + t / size - size / 2, x = p % s.w + t % size - size / 2;
            if (y < 0 || y >= s.h || x < 0 || x >= s.w) continue;
            const int from = (p / (s.h * s.w) * s.h + y) * s.w + x;
            for (int i = 0; i < c; i++)
                for (int o = 0; o < c; o++)
                    fn(arg, (size_t)(from * c + i), (size_t)(p * c + o), (size_t)((t * c + i) * c + o));
        }
}

struct products {
    const struct bench *b;
    double *h, *dh, *dx, *dw;
};
static void add_h(void *arg, size_t x, size_t h, size_t w)
{
    struct products *p = arg;
    p->h[h] += p->b->xv[x] * p->b->w.before[w];
}
static void add_gradients(void *arg, size_t x, size_t h, size_t w)
{
    struct products *p = arg;
    p->dx[x] += p->dh[h] * p->b->w.before[w], p->dw[w] += p->dh[h] * p->b->xv[x];
}

static void compute_values(struct bench *b)
{
    double size;
    b->xv = calloc(b->n, sizeof(double)), b->hv = calloc(b->n, sizeof(double)), b->fv = calloc(b->n, sizeof(double));
    for (size_t i = 0; i < b->n; i++) b->xv[i] = b->x.before[i], b->fv[i] = operand_value(&b->f, i, &size);
    if (b->k->h == H_TAIL) each_product(b, add_h, &(struct products){.b = b, .h = b->hv});
    for (size_t i = 0; i < b->n; i++) {
        if (b->k->h == H_TAIL && b->k->bias) b->hv[i] += b->bias.before[i % b->c];
        if (b->k->h != H_TAIL) b->hv[i] = operand_value(&b->h, i, &size);
        if (b->k->sigmoid) b->hv[i] = 1 / (1 + exp(-b->hv[i]));
    }
}

/* a and b at an element; a with the mask. */
static double a_at(const struct bench *b, size_t i)
{
    const size_t image = b->n / (size_t)b->k->n, e = FIRST * image + i;
    const bool kept = b->k->a != SKL_MASK || skl_philox(KEY, 0, e / 4).v[e % 4] >= 0.5 * 4294967296.0;
    return kept * (double)b->a.before[b->k->a == SKL_PER_IMAGE ? i / image : i % b->c];
}
static double b_at(const struct bench *b, const struct tensor *v, size_t i)
{
    return v->before[b->k->b == SKL_PER_IMAGE ? i / (b->n / (size_t)b->k->n) : i % b->c];
}

static double y_at(const struct bench *b, size_t i)
{
    const double x = b->xv[i], h = b->hv[i], f = b->fv[i];
    if (b->k->v == &gate) return (1 - h) * x + h * f;
    if (b->k->v == &own) return x + b->own.before[i % b->c] * f;
    if (b->k->v == &mixing) return x + b->fv[(i + b->n / (size_t)b->k->n) % b->n];
    return a_at(b, i) * h + b_at(b, &b->b, i) * f;
}

static void close_bench(struct bench *b) { free(b->xv), free(b->hv), free(b->fv); }

static bool can_run(struct lab *lab, const struct kase *k)
{
    struct skl_err err = {0};
    if (lab->ops->variant_fits(lab->d, k->v, &err) == SKL_OK) return true;
    CHECK(err.text[0], "a variant is refused without a word");
    return false;
}

static void forward_case(struct lab *lab, const struct kase *k, const struct skl_conv_plan *plan)
{
    struct bench b;
    open_bench(lab, &b, k, plan);
    compute_values(&b);
    lab_upload(lab);
    lab->ops->merge_forward(lab->d, &b.job);
    lab_download(lab, k->name);
    double *want = calloc(b.n, sizeof *want), *tolerance = calloc(b.n, sizeof *tolerance);
    for (size_t i = 0; i < b.n; i++) {
        want[i] = y_at(&b, i);
        tolerance[i] = 1e-5 * (1 + fabs(b.xv[i])) * (1 + fabs(b.hv[i])) * (1 + fabs(b.fv[i]));
        if (k->relu && want[i] < 0) want[i] = 0;
    }
    expect_result(lab, &b.y, want, tolerance, b.n, k->name);
    free(want), free(tolerance);
    close_bench(&b);
}

void check_merge_forward(struct lab *lab)
{
    for (int i = 0; i < CASES; i++)
        if (can_run(lab, &cases[i])) forward_case(lab, &cases[i], &tail_plan[i]);
}

/* ---- backward ---- */
struct grads {
    double *dx, *dh, *df, *dw, *dcoef, *down, *dbias;
};

static void differentiate(const struct bench *b, struct grads *g)
{
    const size_t image = b->n / (size_t)b->k->n;
    for (size_t i = 0; i < b->n; i++) {
        const double x = b->xv[i], h = b->hv[i], f = b->fv[i], dy = b->dy.before[i];
        const size_t c = i % b->c;
        if (b->k->v == &gate) {
            g->dx[i] = (1 - h) * dy, g->df[i] = h * dy, g->dh[i] = dy * (f - x) * (b->k->sigmoid ? h * (1 - h) : 1);
        } else if (b->k->v == &own) {
            g->dx[i] = dy, g->df[i] = b->own.before[c] * dy, g->down[c] += dy * f;
        } else if (b->k->v == &mixing) {
            g->dx[i] = dy, g->df[(i + image) % b->n] = dy;
        } else {
            g->dh[i] = a_at(b, i) * dy, g->df[i] = b_at(b, b->k->other_back ? &b->back : &b->b, i) * dy;
            g->dcoef[b->k->a == SKL_ONE ? 0 : c] += dy * h, g->dcoef[b->c + (b->k->b == SKL_ONE ? 0 : c)] += dy * f;
        }
        g->dbias[c] += g->dh[i];
    }
    if (b->k->h == H_TAIL)
        each_product(b, add_gradients, &(struct products){.b = b, .dh = g->dh, .dx = g->dx, .dw = g->dw});
    for (size_t i = 0; b->k->h == H_IS_X && i < b->n; i++) g->dx[i] += g->dh[i];
}

static void expect_all(const struct tensor *t, const double *want, size_t n, double tolerance, const char *what)
{
    double largest = 1;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < n; i++) close_to(t->after[i], want[i], tolerance * largest, what, i);
}

static void backward_case(struct lab *lab, const struct kase *k, const struct skl_conv_plan *plan)
{
    struct bench b;
    open_bench(lab, &b, k, plan);
    compute_values(&b);
    const size_t n = b.n;
    double *room = calloc(5 * n + 9 * b.c * b.c + 4 * b.c, sizeof *room), *tolerance = room + 4 * n;
    struct grads g = {room, room + n, room + 2 * n, room + 5 * n, .dcoef = room + 5 * n + 9 * b.c * b.c};
    g.down = g.dcoef + 2 * b.c, g.dbias = g.down + b.c;
    differentiate(&b, &g);
    lab_upload(lab);
    lab->ops->merge_forward(lab->d, &b.job);
    lab->ops->merge_backward(lab->d, &b.job);
    lab_download(lab, k->name);
    expect_all(&b.dx, g.dx, n, 2e-5, k->name);
    if (k->h == H_STANDS) expect_all(&b.dh, g.dh, n, 1e-5, k->name);
    if (k->h == H_TAIL) expect_all(&b.dw, g.dw, b.dw.n, 2e-5, k->name);
    if (k->h == H_TAIL && k->bias) expect_all(&b.dbias, g.dbias, b.c, 1e-5, k->name);
    if (k->learned) expect_all(&b.dcoef, g.dcoef, 1, 1e-5, k->name);
    for (size_t c = 0; k->learned && c < b.c; c++)
        close_to(b.dcoef.after[b.c + c], g.dcoef[b.c + c], 1e-5 * (1 + fabs(g.dcoef[b.c + c])) * 9, k->name, c);
    for (size_t c = 0; k->v == &own && c < b.c; c++) g.down[c] += b.down.before[c];
    if (k->v == &own) expect_all(&b.down, g.down, b.c, 1e-5, k->name);
    for (size_t i = 0; i < n; i++) tolerance[i] = 2e-5 * (1 + fabs(g.df[i]));
    expect_result(lab, &b.df, g.df, tolerance, n, k->name);
    free(room);
    close_bench(&b);
}

void check_merge_backward(struct lab *lab)
{
    for (int i = 0; i < CASES; i++)
        if (can_run(lab, &cases[i])) backward_case(lab, &cases[i], &tail_plan[i]);
}
