/* Convolutions of all sizes, strides and algorithms, through operands and results of every kind. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/device/lab.h"

static const struct skl_conv_shape shapes[] = {
    {1, 1, 1, 1, 3, 1},   {4, 4, 16, 16, 3, 1}, {5, 3, 3, 16, 3, 1}, {8, 8, 8, 12, 3, 2}, {7, 5, 5, 6, 3, 2},
    {8, 8, 16, 16, 1, 1}, {6, 4, 16, 32, 1, 2}, {3, 3, 17, 3, 1, 1}, {9, 9, 3, 16, 7, 2}, {4, 12, 32, 16, 3, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, ALGOS = SKL_CONV_GEMM + 1 };

static struct skl_conv_plan plans[SHAPES][ALGOS];
static bool fits[SHAPES][ALGOS];

int conv_plans(struct lab *lab, struct skl_conv_plan *plan)
{
    int count = 0;
    for (int s = 0; s < SHAPES; s++)
        for (int a = 0; a < ALGOS; a++) {
            struct skl_err err = {0};
            fits[s][a] = lab->ops->conv_plan(lab->d, shapes[s], (enum skl_conv_algo)a, &plans[s][a], &err) == SKL_OK;
            CHECK(fits[s][a] || err.text[0], "a shape is refused without a word");
            if (!fits[s][a]) continue;
            CHECK(memcmp(&plans[s][a].shape, &shapes[s], sizeof shapes[s]) == 0, "a plan has its shape");
            CHECK(plans[s][a].kernel && *plans[s][a].kernel, "a plan names its kernel");
            plan[count++] = plans[s][a];
        }
    return count;
}

/* ---- the definition; all tensors in double ---- */
static int out_h(const struct skl_conv_shape *s) { return (s->h + s->stride - 1) / s->stride; }
static int out_w(const struct skl_conv_shape *s) { return (s->w + s->stride - 1) / s->stride; }

struct tap {
    size_t x, w, y;
};
typedef void tap_fn(void *arg, struct tap t);
static void each_tap(const struct skl_conv_shape *s, int n, tap_fn *fn, void *arg)
{
    const int h = out_h(s), w = out_w(s);
    for (int p = 0; p < n * h * w; p++)
        for (int t = 0; t < s->size * s->size; t++) {
            const int y = p / w % h * s->stride + t / s->size - s->size / 2,
                      x = p % w * s->stride + t % s->size - s->size / 2;
            if (y < 0 || y >= s->h || x < 0 || x >= s->w) continue;
            const size_t pixel = (size_t)((p / (h * w) * s->h + y) * s->w + x) * (size_t)s->c;
            for (int c = 0; c < s->c; c++)
                for (int k = 0; k < s->k; k++)
                    fn(arg,
                       (struct tap){pixel + (size_t)c, (size_t)((t * s->c + c) * s->k + k), (size_t)(p * s->k + k)});
        }
}

struct sums {
    const double *x, *dy;
    const float *w;
    double *y, *dx, *dw, *y_size, *dx_size, *dw_size;
};
static void forward_tap(void *arg, struct tap t)
{
    struct sums *s = arg;
    s->y[t.y] += s->x[t.x] * s->w[t.w], s->y_size[t.y] += fabs(s->x[t.x] * s->w[t.w]);
}
static void backward_tap(void *arg, struct tap t)
{
    struct sums *s = arg;
    s->dx[t.x] += s->dy[t.y] * s->w[t.w], s->dx_size[t.x] += fabs(s->dy[t.y] * s->w[t.w]);
    s->dw[t.w] += s->dy[t.y] * s->x[t.x], s->dw_size[t.w] += fabs(s->dy[t.y] * s->x[t.x]);
}

static double *values(const struct operand *o, size_t n)
{
    double *v = malloc(n * sizeof *v), size;
    for (size_t i = 0; i < n; i++) v[i] = operand_value(o, i, &size);
    return v;
}
static double *zeros(size_t n) { return calloc(n, sizeof(double)); }

/* An algorithm may trade accuracy among neighbours: the tolerance follows the largest sum of terms. */
static void tolerances(double *size, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, size[i]);
    for (size_t i = 0; i < n; i++) size[i] = 4e-6 * largest + 1e-36;
}

static void forward_once(struct lab *lab, const struct skl_conv_plan *plan, int n, int x_asks, int y_asks,
                         enum data kind)
{
    const struct skl_conv_shape *s = &plan->shape;
    const size_t in = (size_t)(n * s->h * s->w * s->c), to = (size_t)(n * out_h(s) * out_w(s) * s->k);
    char what[80];
    snprintf(what, sizeof what, "conv_forward %s %dx%dx%d to %d, size %d/%d", plan->kernel, s->h, s->w, s->c, s->k,
             s->size, s->stride);
    lab_reset(lab);
    struct operand x = make_operand(lab, x_asks, in, s->c, kind);
    struct tensor w = put(lab, (size_t)(s->size * s->size * s->c * s->k), DATA_NORMAL);
    struct result y = make_result(lab, y_asks, to, s->k, DATA_NORMAL);
    struct sums sums = {.x = values(&x, in), .w = w.before, .y = zeros(to), .y_size = zeros(to)};
    each_tap(s, n, forward_tap, &sums);
    tolerances(sums.y_size, to);
    const struct skl_conv_job job = {.plan = plan, .n = n, .weight = w.place, .x = x.o, .y = y.r};
    lab_upload(lab);
    lab->ops->conv_forward(lab->d, &job);
    lab_download(lab, what);
    expect_out(&x, what);
    expect_result(lab, &y, sums.y, sums.y_size, to, what);
    free((void *)sums.x), free(sums.y), free(sums.y_size);
}

static void backward_once(struct lab *lab, const struct skl_conv_plan *plan, int n, int x_asks, int dx_asks,
                          bool accumulate)
{
    const struct skl_conv_shape *s = &plan->shape;
    const size_t in = (size_t)(n * s->h * s->w * s->c), to = (size_t)(n * out_h(s) * out_w(s) * s->k);
    const size_t weights = (size_t)(s->size * s->size * s->c * s->k);
    char what[80];
    snprintf(what, sizeof what, "conv_backward %s %dx%dx%d to %d, size %d/%d", plan->kernel, s->h, s->w, s->c, s->k,
             s->size, s->stride);
    lab_reset(lab);
    struct operand x = make_operand(lab, x_asks, in, s->c, DATA_NORMAL);
    struct operand dy = make_operand(lab, accumulate ? 0 : SCALED | ADDED | ADD_SCALED, to, s->k, DATA_NORMAL);
    struct tensor w = put(lab, weights, DATA_NORMAL), dw = put(lab, weights, DATA_NORMAL);
    writable(lab, &dw);
    struct result dx = {.c = s->c};
    if (dx_asks >= 0) dx = make_result(lab, dx_asks, in, s->c, DATA_NORMAL);
    struct sums sums = {values(&x, in), values(&dy, to), w.before,      NULL, zeros(in), zeros(weights),
                        NULL,           zeros(in),       zeros(weights)};
    each_tap(s, n, backward_tap, &sums);
    tolerances(sums.dx_size, in), tolerances(sums.dw_size, weights);
    const struct skl_conv_job job = {plan, n, w.place, x.o, dx.r, dy.o, dw.place, accumulate};
    lab_upload(lab);
    lab->ops->conv_backward(lab->d, &job);
    lab_download(lab, what);
    for (size_t i = 0; i < weights; i++)
        close_to(dw.after[i], sums.dw[i] + (accumulate ? dw.before[i] : 0), sums.dw_size[i] + 1e-6, what, i);
    if (dx_asks >= 0) expect_result(lab, &dx, sums.dx, sums.dx_size, in, what);
    free((void *)sums.x), free((void *)sums.dy), free(sums.dx), free(sums.dw), free(sums.dx_size), free(sums.dw_size);
}

static const int images[] = {1, 9, 3, 17};

void check_conv_forward(struct lab *lab)
{
    static const int operands[] = {SCALED | RELU, 0, SCALED | ADDED | ADD_SCALED | RELU | WRITTEN,
                                   SCALED | ADDED | RELU | WRITTEN};
    static const int results[] = {STATISTICS, 0, ADDED | ADD_SCALED, ADDED};
    int turn = 0;
    for (int s = 0; s < SHAPES; s++)
        for (int a = 0; a < ALGOS; a++)
            for (int k = 0; k < 4 && fits[s][a]; k++, turn++)
                forward_once(lab, &plans[s][a], images[turn % 4], operands[k], results[(k + turn / 4) % 4],
                             k == 3 ? DATA_ZEROS : DATA_NORMAL);
}

void check_conv_backward(struct lab *lab)
{
    static const int results[] = {MASKED | SCALED | SUMS, ADDED | ADD_SCALED | MASKED | SUMS2, 0, -1, ADDED};
    int turn = 0;
    for (int s = 0; s < SHAPES; s++)
        for (int a = 0; a < ALGOS; a++)
            for (int k = 0; k < 5 && fits[s][a]; k++, turn++)
                backward_once(lab, &plans[s][a], images[turn % 4], k & 1 ? 0 : SCALED | RELU, results[k], k & 1);
}
