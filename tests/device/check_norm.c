/* Vectors per channel: batch norm both ways, biases, blended operands, coefficients. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "tests/device/lab.h"

static const struct skl_place none = {NULL, 0};

/* Sums over a tensor y [n pixels, c], made by a map. */
static struct result some_sums(struct lab *lab, int asks, int n, struct skl_shape s, enum data kind, struct operand *x)
{
    const size_t floats = (size_t)(n * s.h * s.w * s.c);
    *x = make_operand(lab, 0, floats, s.c, kind);
    return make_result(lab, asks, floats, s.c, kind);
}

/* Statistics are checked for every operation that makes them (lab.c): here the rest. */
void check_bn_forward(struct lab *lab)
{
    const struct skl_shape s = {3, 2, 5};
    struct operand x;
    for (int n = 1; n < 10; n += 4) {
        lab_reset(lab);
        struct result y = some_sums(lab, STATISTICS, n, s, n == 5 ? DATA_NORMAL : DATA_OFFSET, &x);
        struct tensor bias = put(lab, 5, DATA_NORMAL);
        struct norm norm = make_norm(lab, 5);
        lab_upload(lab);
        lab->ops->map(lab->d, &x.o, &y.r, n, s);
        lab->ops->bn_forward(lab->d, &norm.n, y.sums.place, bias.place, 0.75);
        lab_download(lab, "bn_forward");
        for (size_t c = 0; c < 5; c++) {
            const int m = n * 6;
            double mean = 0, var = 0;
            for (int p = 0; p < m; p++) mean += x.x.before[p * 5 + (int)c] / (double)m;
            for (int p = 0; p < m; p++) var += pow(x.x.before[p * 5 + (int)c] - mean, 2) / m;
            const double scale = norm.gamma.before[c] / sqrt(var + 1e-5), shift = norm.beta.before[c] - mean * scale;
            close_to(norm.scale.after[c], scale, 1e-5 * fabs(scale), "bn_forward's scale", c);
            close_to(norm.shift.after[c], shift, 1e-5 * (fabs(mean * scale) + 1), "bn_forward's shift", c);
            const double seen = mean + bias.before[c], old = norm.running_mean.before[c],
                         spread = norm.running_var.before[c];
            close_to(norm.running_mean.after[c], 0.75 * old + 0.25 * seen, 1e-6 * (fabs(old) + fabs(mean) + 1),
                     "running mean", c);
            close_to(norm.running_var.after[c], 0.75 * spread + 0.25 * var * m / (m - 1), 1e-5 * (spread + var),
                     "running var", c);
        }
    }
}

void check_bn_recall(struct lab *lab)
{
    for (int c = 1; c < 40; c += 13) {
        lab_reset(lab);
        struct norm norm = make_norm(lab, c);
        struct tensor bias = put(lab, (size_t)c, DATA_NORMAL);
        lab_upload(lab);
        lab->ops->bn_recall(lab->d, &norm.n, bias.place);
        lab_download(lab, "bn_recall");
        for (size_t i = 0; i < (size_t)c; i++) {
            const double scale = norm.gamma.before[i] / sqrt(norm.running_var.before[i] + 1e-5),
                         mean = (double)norm.running_mean.before[i] - bias.before[i];
            close_to(norm.scale.after[i], scale, 1e-6 * fabs(scale), "bn_recall's scale", i);
            close_to(norm.shift.after[i], norm.beta.before[i] - mean * scale, 1e-6 * (fabs(mean * scale) + 5),
                     "bn_recall's shift", i);
        }
    }
}

/* From the first pair of sums with a factor, then added to what stands there; from the second. */
void check_bn_backward(struct lab *lab)
{
    const struct skl_shape s = {4, 4, 6};
    const int n = 9, m = n * 16;
    for (int second = 0; second < 2; second++) {
        struct operand g;
        lab_reset(lab);
        struct result y = some_sums(lab, second ? SUMS | SUMS2 : SUMS, n, s, DATA_NORMAL, &g);
        struct tensor factor = put(lab, 6, DATA_NORMAL);
        struct norm norm = make_norm(lab, 6);
        lab_upload(lab);
        lab->ops->map(lab->d, &g.o, &y.r, n, s);
        lab->ops->bn_recall(lab->d, &norm.n, none);
        lab->ops->bn_backward(lab->d, &norm.n, y.sums.place, second, factor.place, false);
        lab->ops->bn_backward(lab->d, &norm.n, y.sums.place, second, factor.place, true);
        lab_download(lab, "bn_backward");
        for (size_t c = 0; c < 6; c++) {
            const double rstd = 1 / sqrt(norm.running_var.before[c] + 1e-5), gamma = norm.gamma.before[c],
                         f = factor.before[c];
            double sum = 0, dot = 0, size = 0;
            for (size_t i = c; i < (size_t)m * 6; i += 6) {
                const double p = second ? y.partner2.before[i] : y.partner.before[i] - (double)y.pivot.before[c];
                sum += f * g.x.before[i], dot += f * rstd * g.x.before[i] * p,
                    size += fabs(f * g.x.before[i]) * (1 + fabs(rstd * p));
            }
            close_to(norm.dbeta.after[c], 2 * sum, 1e-5 * size, "dbeta", c);
            close_to(norm.dgamma.after[c], 2 * dot, 1e-5 * size, "dgamma", c);
            const double c2 = -gamma * rstd * rstd * dot / m, mean = norm.running_mean.before[c];
            close_to(norm.c1.after[c], f * gamma * rstd, 1e-6 * fabs(f * gamma * rstd), "c1", c);
            close_to(norm.c2.after[c], c2, 1e-5 * fabs(gamma * rstd * rstd) * size / m, "c2", c);
            close_to(norm.c3.after[c], -gamma * rstd * sum / m - c2 * mean,
                     1e-5 * fabs(gamma * rstd) * (1 + fabs(rstd * mean)) * size / m, "c3", c);
        }
    }
}

void check_bias_backward(struct lab *lab)
{
    const struct skl_shape s = {3, 3, 7};
    struct operand g;
    lab_reset(lab);
    struct result y = some_sums(lab, SUMS, 3, s, DATA_WIDE, &g);
    struct tensor factor = put(lab, 7, DATA_NORMAL), dbias = put(lab, 7, DATA_NORMAL);
    writable(lab, &dbias);
    lab_upload(lab);
    lab->ops->map(lab->d, &g.o, &y.r, 3, s);
    lab->ops->bias_backward(lab->d, 7, y.sums.place, factor.place, dbias.place, true);
    lab_download(lab, "bias_backward");
    for (size_t c = 0; c < 7; c++) {
        double sum = 0, size = 1;
        for (size_t i = c; i < 27 * 7; i += 7) sum += g.x.before[i], size += fabs((double)g.x.before[i]);
        close_to(dbias.after[c], dbias.before[c] + factor.before[c] * sum,
                 1e-6 * size * (1 + fabs((double)factor.before[c])), "dbias", c);
    }
}

void check_blend(struct lab *lab)
{
    for (int ask = 0; ask < 4; ask++) {
        const size_t c = 5 + 12 * (size_t)ask;
        lab_reset(lab);
        struct tensor a = put(lab, c, DATA_NORMAL), b = put(lab, c, DATA_NORMAL);
        struct tensor fs = put_if(lab, ask & 1, c, DATA_NORMAL), ft = put_if(lab, ask & 1, c, DATA_OFFSET);
        struct tensor hs = put_if(lab, ask & 2, c, DATA_NORMAL), ht = put_if(lab, ask & 2, c, DATA_NORMAL);
        struct tensor scale = out(lab, c), shift = out(lab, c), add = out(lab, c);
        const struct skl_blend job = {(int)c,   a.place,  b.place,     fs.place,    ft.place,
                                      hs.place, ht.place, scale.place, shift.place, add.place};
        lab_upload(lab);
        lab->ops->blend(lab->d, &job);
        lab_download(lab, "blend");
        for (size_t i = 0; i < c; i++) {
            const double x = a.before[i], y = b.before[i], f = ask & 1 ? y * ft.before[i] : 0,
                         h = ask & 2 ? x * ht.before[i] : 0;
            close_to(scale.after[i], ask & 1 ? y * fs.before[i] : y, 1e-6 * fabs(y) * 6, "blend's scale", i);
            close_to(shift.after[i], f + h, 1e-6 * (fabs(f) + fabs(h)), "blend's shift", i);
            close_to(add.after[i], ask & 2 ? x * hs.before[i] : x, 1e-6 * fabs(x) * 6, "blend's add_scale", i);
        }
    }
}

/* f through a batch norm, h as it is, one coefficient a channel and one in all. */
void check_coef_sums(struct lab *lab)
{
    const struct skl_shape s = {3, 4, 6};
    const size_t n = 5 * 12 * 6;
    struct operand g;
    lab_reset(lab);
    struct result y = some_sums(lab, SUMS | SUMS2, 5, s, DATA_NORMAL, &g);
    struct norm norm = make_norm(lab, 6);
    struct tensor d = out(lab, 12);
    y.r.pivot = norm.mean.place;
    const struct skl_coef_sums job = {6, y.sums.place, &norm.n, NULL, SKL_ONE, SKL_PER_CHANNEL, d.place};
    lab_upload(lab);
    lab->ops->bn_recall(lab->d, &norm.n, none);
    lab->ops->map(lab->d, &g.o, &y.r, 5, s);
    lab->ops->coef_sums(lab->d, &job);
    lab_download(lab, "coef_sums");
    double da = 0, a_size = 0;
    for (size_t c = 0; c < 6; c++) {
        const double rstd = 1 / sqrt(norm.running_var.before[c] + 1e-5);
        double db = 0, size = 0;
        for (size_t i = c; i < n; i += 6) {
            const double x = rstd * (y.partner.before[i] - (double)norm.running_mean.before[c]);
            const double f = norm.gamma.before[c] * x + norm.beta.before[c];
            db += g.x.before[i] * f, size += fabs(g.x.before[i] * f) + fabs(g.x.before[i] * x);
            da += g.x.before[i] * (double)y.partner2.before[i], a_size += fabs(g.x.before[i] * y.partner2.before[i]);
        }
        close_to(d.after[6 + c], db, 1e-5 * size, "coef_sums' db", c);
    }
    close_to(d.after[0], da, 1e-5 * a_size, "coef_sums' da", 0);
}
