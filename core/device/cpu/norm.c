/* Vectors per channel: batch norm (Ioffe and Szegedy, 2015), biases, coefficients. */
#include <math.h>
#include "core/device/cpu/internal.h"

static const double EPSILON = 1e-5;

size_t cpu_norm_bytes(const struct skl_device *d, int c) { return (size_t)c * sizeof(double); }

static double *rstd_of(const struct skl_norm *norm) { return (double *)(void *)at(norm->spread); }

static void apply(const struct skl_norm *norm, int c, double mean, double var)
{
    double *rstd = rstd_of(norm), gamma = at(norm->gamma)[c], beta = at(norm->beta)[c];
    at(norm->mean)[c] = (float)mean;
    rstd[c] = 1 / sqrt(var + EPSILON);
    at(norm->scale)[c] = (float)(gamma * rstd[c]);
    at(norm->shift)[c] = (float)(beta - mean * gamma * rstd[c]);
}

struct moments {
    double count, mean, var;
};
/* Mean and variance from every chunk's mean and M2, joined in chunk order (Chan, Golub and LeVeque, 1979). */
static struct moments join(const struct chunk_sums *sums, int c)
{
    double count = 0, mean = 0, m2 = 0;
    for (int i = 0; i < sums->chunks; i++) {
        const struct skl_sums *s = &sums->chunk[i];
        double n = (double)s->count;
        if (n == 0) continue;
        double chunk_mean = s->pivot[c] + s->sum[c] / n, chunk_m2 = s->dot[c] - s->sum[c] * s->sum[c] / n;
        double d = chunk_mean - mean;
        m2 += chunk_m2 + d * d * count * n / (count + n);
        mean += d * n / (count + n);
        count += n;
    }
    return (struct moments){count, mean, m2 > 0 ? m2 / count : m2 <= 0 ? 0 : m2}; /* NaN stays NaN */
}

void cpu_bn_forward(struct skl_device *d, const struct skl_norm *norm, struct skl_place sums, struct skl_place bias,
                    double remember)
{
    float *running_mean = at(norm->running_mean), *running_var = at(norm->running_var);
    const float *b = at(bias);
    const bool stop = stopped(norm->stop);
    for (int c = 0; c < norm->c; c++) {
        const struct moments m = join(sums_at(sums), c);
        const double var = m.count > 1 ? m.var * m.count / (m.count - 1) : m.var;
        apply(norm, c, m.mean, m.var);
        if (stop) continue;
        running_mean[c] = (float)(remember * running_mean[c] + (1 - remember) * (m.mean + (b ? b[c] : 0)));
        running_var[c] = (float)(remember * running_var[c] + (1 - remember) * var);
    }
}

void cpu_bn_recall(struct skl_device *d, const struct skl_norm *norm, struct skl_place bias)
{
    const float *mean = at(norm->running_mean), *var = at(norm->running_var), *b = at(bias);
    for (int c = 0; c < norm->c; c++) apply(norm, c, mean[c] - (b ? b[c] : 0), var[c]);
}

/* With x^ = (y - mean) rstd and m elements a channel:
 *   dbeta = sum g,  dgamma = sum g x^,  dy = gamma rstd (g - dbeta/m - x^ dgamma/m) = c1 g + c2 y + c3. */
void cpu_bn_backward(struct skl_device *d, const struct skl_norm *norm, struct skl_place place, bool second,
                     struct skl_place factor, bool accumulate)
{
    const struct chunk_sums *sums = sums_at(place);
    double m = 0;
    for (int i = 0; i < sums->chunks; i++) m += (double)sums->chunk[i].count;
    for (int c = 0; c < norm->c; c++) {
        double f = skl_there(factor) ? at(factor)[c] : 1, gamma = at(norm->gamma)[c], rstd = rstd_of(norm)[c];
        double dbeta = f * sum_total(sums, SUM, c), dgamma = f * rstd * sum_total(sums, second ? DOT2 : DOT, c);
        double c2 = -gamma * rstd * rstd * dgamma / m;
        at(norm->c1)[c] = (float)(f * gamma * rstd);
        at(norm->c2)[c] = (float)c2;
        at(norm->c3)[c] = (float)(-gamma * rstd * dbeta / m - c2 * at(norm->mean)[c]);
        add_gradient(at(norm->dgamma) + c, dgamma, accumulate);
        add_gradient(at(norm->dbeta) + c, dbeta, accumulate);
    }
}

void cpu_bias_backward(struct skl_device *d, int channels, struct skl_place sums, struct skl_place factor,
                       struct skl_place dbias, bool accumulate)
{
    for (int c = 0; c < channels; c++)
        add_gradient(at(dbias) + c, (skl_there(factor) ? at(factor)[c] : 1) * sum_total(sums_at(sums), SUM, c),
                     accumulate);
}

void cpu_blend(struct skl_device *d, const struct skl_blend *j)
{
    const float *f_scale = at(j->f_scale), *h_scale = at(j->h_scale);
    for (int c = 0; c < j->c; c++) {
        const float a = at(j->a)[c], b = at(j->b)[c];
        at(j->scale)[c] = f_scale ? b * f_scale[c] : b;
        at(j->shift)[c] = (f_scale ? b * at(j->f_shift)[c] : 0) + (h_scale ? a * at(j->h_shift)[c] : 0);
        at(j->add_scale)[c] = h_scale ? a * h_scale[c] : a;
    }
}

/* f = gamma x^ + beta, so sum g f follows from the two sums that the batch norm's derivative needs anyway. */
static double partner_sum(const struct chunk_sums *sums, const struct skl_norm *norm, enum which_sum which, int c)
{
    const double dot = sum_total(sums, which, c);
    if (!norm) return dot;
    return at(norm->gamma)[c] * rstd_of(norm)[c] * dot + (double)at(norm->beta)[c] * sum_total(sums, SUM, c);
}

void write_coefficients(const double *da, const double *db, int c, enum skl_span a, enum skl_span b, float *d)
{
    double sa = 0, sb = 0;
    for (int i = 0; i < c; i++) sa += da[i], sb += db[i], d[i] = (float)da[i], d[c + i] = (float)db[i];
    if (a == SKL_ONE) d[0] = (float)sa;
    if (b == SKL_ONE) d[c] = (float)sb;
}

void cpu_coef_sums(struct skl_device *d, const struct skl_coef_sums *j)
{
    double *da = cpu_of(d)->coef_sum, *db = da + j->c;
    for (int c = 0; c < j->c; c++) {
        db[c] = partner_sum(sums_at(j->sums), j->f, DOT, c);
        da[c] = partner_sum(sums_at(j->sums), j->h, DOT2, c);
    }
    write_coefficients(da, db, j->c, j->a, j->b, at(j->d));
}
