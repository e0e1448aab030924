#include "tests/device/lab.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/device/choose/devices.h"

enum { BYTES = 24 << 20, GAP = 128 };

static void must(int status, const struct skl_err *err)
{
    if (status == SKL_OK) return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

void lab_open(struct lab *lab, const char *device, int threads)
{
    struct skl_err err = {0};
    *lab = (struct lab){.pool = skl_pool_new(threads)};
    must(skl_device_open(device, lab->pool, &lab->d, &err), &err);
    lab->ops = lab->d->ops;
    lab->before = malloc(BYTES), lab->after = malloc(BYTES), lab->mine = malloc(BYTES * sizeof(bool));
}

void lab_ready(struct lab *lab, const struct skl_needs *needs)
{
    struct skl_err err = {0};
    CHECK(lab->ops->work_bytes(lab->d, needs) > 0, "no work memory");
    must(lab->ops->ready(lab->d, needs, &err), &err);
    must(lab->ops->reserve(lab->d, BYTES, &lab->memory, &err), &err);
}

void lab_close(struct lab *lab)
{
    lab->ops->release(lab->d, lab->memory);
    lab->ops->close(lab->d);
    skl_pool_free(lab->pool);
    free(lab->before), free(lab->after), free(lab->mine);
}

/* A float of these bytes is not a number. */
void lab_reset(struct lab *lab)
{
    lab->used = GAP;
    memset(lab->before, 0xFF, lab->used);
    memset(lab->mine, 0, lab->used * sizeof(bool));
}

static struct tensor lay(struct lab *lab, size_t bytes)
{
    const size_t at = lab->used;
    lab->used += (bytes + GAP + SKL_PLACE_ALIGN - 1) / SKL_PLACE_ALIGN * SKL_PLACE_ALIGN;
    if (lab->used > BYTES) fprintf(stderr, "the lab is too small\n"), exit(1);
    memset(lab->before + at, 0xFF, lab->used - at);
    memset(lab->mine + at, 0, (lab->used - at) * sizeof(bool));
    return (struct tensor){
        {lab->memory, at}, bytes / sizeof(float), (void *)(lab->before + at), (void *)(lab->after + at)};
}

void writable(struct lab *lab, const struct tensor *t)
{
    memset(lab->mine + t->place.offset, 1, t->n * sizeof(float) * sizeof(bool));
}

struct tensor put(struct lab *lab, size_t n, enum data kind)
{
    struct tensor t = lay(lab, n * sizeof(float));
    fill(t.before, n, kind);
    return t;
}
struct tensor put_if(struct lab *lab, bool wanted, size_t n, enum data kind)
{
    return wanted ? put(lab, n, kind) : (struct tensor){.n = 0};
}
struct tensor out(struct lab *lab, size_t n) { return out_bytes(lab, n * sizeof(float)); }
struct tensor out_bytes(struct lab *lab, size_t bytes)
{
    struct tensor t = lay(lab, (bytes + 3) / 4 * 4);
    writable(lab, &t);
    return t;
}

void lab_upload(struct lab *lab)
{
    lab->ops->upload(lab->d, lab->before, lab->used, (struct skl_place){lab->memory, 0});
}

void lab_download(struct lab *lab, const char *what)
{
    struct skl_err err = {0};
    lab->ops->download(lab->d, (struct skl_place){lab->memory, 0}, lab->used, lab->after);
    must(lab->ops->finish(lab->d, &err), &err);
    for (size_t i = 0; i < lab->used; i++)
        if (!lab->mine[i] && lab->before[i] != lab->after[i]) {
            CHECK(false, "%s: wrote at byte %zu, where it may not", what, i);
            return;
        }
}

void close_to(double got, double want, double tolerance, const char *what, size_t i)
{
    if (isnan(want) && isnan(got)) return;
    CHECK(fabs(got - want) <= tolerance, "%s: element %zu is %.9g, not %.9g (%.2g is allowed)", what, i, got, want,
          tolerance);
}

/* ---- operands ---- */
static struct tensor some_bits(struct lab *lab, bool wanted, size_t n)
{
    if (!wanted) return (struct tensor){.n = 0};
    struct tensor t = lay(lab, (n / 8 + 3) / 4 * 4);
    for (size_t i = 0; i < n / 8; i++) ((unsigned char *)t.before)[i] = (unsigned char)random_bits();
    return t;
}
static bool kept(const struct tensor *keep, size_t i)
{
    return !skl_there(keep->place) || ((const unsigned char *)keep->before)[i / 8] >> (i % 8) & 1;
}
static double scaled(const struct tensor *scale, const struct tensor *shift, const struct tensor *x, size_t i, int ch,
                     double *size)
{
    const double v = x->before[i];
    if (!skl_there(scale->place)) {
        *size += fabs(v);
        return v;
    }
    *size += fabs(scale->before[ch] * v) + fabs((double)shift->before[ch]);
    return scale->before[ch] * v + shift->before[ch];
}
static double added(const struct tensor *add, const struct tensor *scale, const struct tensor *keep, size_t i, int ch,
                    double *size)
{
    if (!skl_there(add->place) || !kept(keep, i)) return 0;
    const double v = (skl_there(scale->place) ? (double)scale->before[ch] : 1) * add->before[i];
    *size += fabs(v);
    return v;
}

struct operand make_operand(struct lab *lab, int ask, size_t n, int c, enum data kind)
{
    struct operand o = {.c = c, .x = put(lab, n, kind)};
    o.scale = put_if(lab, ask & SCALED, (size_t)c, DATA_NORMAL), o.shift = put_if(lab, ask & SCALED, (size_t)c, kind);
    o.add = put_if(lab, ask & ADDED, n, kind);
    o.add_scale = put_if(lab, ask & ADD_SCALED, (size_t)c, DATA_NORMAL);
    o.keep = some_bits(lab, ask & KEPT, n);
    if (ask & WRITTEN) o.out = out(lab, n);
    o.o = (struct skl_operand){.x = o.x.place,
                               .scale = o.scale.place,
                               .shift = o.shift.place,
                               .add = o.add.place,
                               .add_scale = o.add_scale.place,
                               .keep = o.keep.place,
                               .relu = ask & RELU,
                               .out = o.out.place};
    return o;
}

double operand_value(const struct operand *o, size_t i, double *size)
{
    const int ch = (int)(i % (size_t)o->c);
    *size = 0;
    const double v =
        scaled(&o->scale, &o->shift, &o->x, i, ch, size) + added(&o->add, &o->add_scale, &o->keep, i, ch, size);
    return o->o.relu && v < 0 ? 0 : v;
}

void expect_out(const struct operand *o, const char *what)
{
    for (size_t i = 0; skl_there(o->out.place) && i < o->out.n; i++) {
        double size, want = operand_value(o, i, &size);
        close_to(o->out.after[i], want, 3e-7 * size + 1e-44, what, i);
    }
}

/* ---- results ---- */
struct result make_result(struct lab *lab, int ask, size_t n, int c, enum data kind)
{
    struct result r = {.c = c};
    r.add = put_if(lab, ask & ADDED, n, kind);
    r.y = ask & ADDED ? r.add : out(lab, n); /* added in place */
    if (ask & ADDED) writable(lab, &r.add);
    r.add_scale = put_if(lab, ask & ADD_SCALED, (size_t)c, DATA_NORMAL);
    r.keep = some_bits(lab, ask & KEPT, n);
    r.mask = put_if(lab, ask & MASKED, n, DATA_ZEROS);
    r.mask_scale = put_if(lab, (ask & MASKED) && (ask & SCALED), (size_t)c, DATA_NORMAL);
    r.mask_shift = put_if(lab, (ask & MASKED) && (ask & SCALED), (size_t)c, DATA_NORMAL);
    if (ask & (SUMS | SUMS2 | STATISTICS)) r.sums = out_bytes(lab, lab->ops->sums_bytes(lab->d, c));
    r.partner = put_if(lab, ask & (SUMS | SUMS2), n, DATA_NORMAL);
    r.pivot = put_if(lab, ask & SUMS, (size_t)c, DATA_NORMAL);
    r.partner2 = put_if(lab, ask & SUMS2, n, DATA_NORMAL);
    r.r = (struct skl_result){.y = r.y.place,
                              .add = r.add.place,
                              .add_scale = r.add_scale.place,
                              .keep = r.keep.place,
                              .mask = r.mask.place,
                              .mask_scale = r.mask_scale.place,
                              .mask_shift = r.mask_shift.place,
                              .sums = r.sums.place,
                              .partner = r.partner.place,
                              .pivot = r.pivot.place,
                              .partner2 = r.partner2.place};
    return r;
}

/* 1: passes, 0: does not, -1: too near to tell. */
static int passes(const struct result *r, size_t i, int ch)
{
    double size = 0;
    if (!skl_there(r->mask.place)) return 1;
    const double v = scaled(&r->mask_scale, &r->mask_shift, &r->mask, i, ch, &size);
    if (!skl_there(r->mask_scale.place)) return v > 0;
    return fabs(v) < 1e-6 * size ? -1 : v > 0;
}

/* The sums of what came out, through the operations that read them: biases, and a batch norm's derivative. */
static void expect_sums(struct lab *lab, const struct result *r, size_t n, const char *what)
{
    const size_t c = (size_t)r->c;
    float *y = malloc(n * sizeof *y);
    memcpy(y, r->y.after, n * sizeof *y);
    memcpy(lab->before, lab->after, lab->used); /* now these tensors stand there, the sums among them */
    struct tensor dbias = out(lab, c);
    struct norm norm = make_norm(lab, r->c);
    const struct skl_place none = {NULL, 0};
    lab->ops->upload(lab->d, lab->before + dbias.place.offset, lab->used - dbias.place.offset, dbias.place);
    lab->ops->bias_backward(lab->d, r->c, r->sums.place, none, dbias.place, false);
    lab->ops->bn_recall(lab->d, &norm.n, none);
    lab->ops->bn_backward(lab->d, &norm.n, r->sums.place, skl_there(r->partner2.place), none, false);
    lab_download(lab, what);
    const struct tensor *partner = skl_there(r->partner2.place) ? &r->partner2 : &r->partner;
    for (size_t ch = 0; ch < c; ch++) {
        double sum = 0, dot = 0, sums = 0, dots = 0;
        for (size_t i = ch; i < n; i += c) {
            const double p = partner->before[i] - (skl_there(r->partner2.place) ? 0 : (double)r->pivot.before[ch]);
            sum += y[i], sums += fabs((double)y[i]);
            dot += y[i] * p, dots += fabs(y[i] * p);
        }
        const double rstd = 1 / sqrt(norm.running_var.before[ch] + 1e-5);
        close_to(dbias.after[ch], sum, 2e-6 * sums + 1e-30, what, ch);
        close_to(norm.dbeta.after[ch], sum, 2e-6 * sums + 1e-30, what, ch);
        close_to(norm.dgamma.after[ch], rstd * dot, rstd * 2e-6 * dots + 1e-30, what, ch);
    }
    free(y);
}

/* ... or their mean and variance. */
static void expect_statistics(struct lab *lab, const struct result *r, size_t n, const char *what)
{
    const size_t c = (size_t)r->c, m = n / c;
    float *y = malloc(n * sizeof *y);
    memcpy(y, r->y.after, n * sizeof *y);
    memcpy(lab->before, lab->after, lab->used);
    const size_t from = lab->used;
    struct norm norm = make_norm(lab, r->c);
    lab->ops->upload(lab->d, lab->before + from, lab->used - from, (struct skl_place){lab->memory, from});
    lab->ops->bn_forward(lab->d, &norm.n, r->sums.place, (struct skl_place){NULL, 0}, 0);
    lab_download(lab, what);
    for (size_t ch = 0; ch < c; ch++) {
        double mean = 0, var = 0, largest = 0;
        for (size_t i = ch; i < n; i += c) mean += y[i] / (double)m, largest = fmax(largest, fabs((double)y[i]));
        for (size_t i = ch; i < n; i += c) var += (y[i] - mean) * (y[i] - mean) / (double)m;
        const double unbiased = m > 1 ? var * (double)m / (double)(m - 1) : var;
        close_to(norm.mean.after[ch], mean, 1e-6 * largest + 1e-44, what, ch);
        close_to(norm.running_mean.after[ch], mean, 1e-6 * largest + 1e-44, what, ch);
        close_to(norm.running_var.after[ch], unbiased, 2e-5 * unbiased + 1e-12 * largest * largest + 1e-44, what, ch);
    }
    free(y);
}

void expect_result(struct lab *lab, const struct result *r, const double *v, const double *tolerance, size_t n,
                   const char *what)
{
    for (size_t i = 0; i < n; i++) {
        const int ch = (int)(i % (size_t)r->c), pass = passes(r, i, ch);
        double size = 0, want = v[i] + added(&r->add, &r->add_scale, &r->keep, i, ch, &size);
        const double allowed = tolerance[i] + 3e-7 * (size + fabs(v[i])) + 1e-44, got = r->y.after[i];
        if (pass < 0 && got == 0) continue;
        close_to(got, pass ? want : 0, pass ? allowed : 0, what, i);
    }
    if (checks_failed) return;
    if (skl_there(r->partner.place))
        expect_sums(lab, r, n, what);
    else if (skl_there(r->sums.place))
        expect_statistics(lab, r, n, what);
}

/* ---- batch norms ---- */
struct norm make_norm(struct lab *lab, int channels)
{
    const size_t c = (size_t)channels;
    struct norm n = {.n = {.c = channels}};
    n.gamma = put(lab, c, DATA_NORMAL), n.beta = put(lab, c, DATA_NORMAL);
    n.running_mean = put(lab, c, DATA_NORMAL), n.running_var = put(lab, c, DATA_NORMAL);
    for (size_t i = 0; i < c; i++)
        n.running_var.before[i] *= n.running_var.before[i], n.gamma.before[i] = 1 + n.gamma.before[i] / 4;
    writable(lab, &n.running_mean), writable(lab, &n.running_var);
    n.dgamma = out(lab, c), n.dbeta = out(lab, c), n.scale = out(lab, c), n.shift = out(lab, c), n.mean = out(lab, c);
    n.spread = out_bytes(lab, lab->ops->norm_bytes(lab->d, channels));
    n.c1 = out(lab, c), n.c2 = out(lab, c), n.c3 = out(lab, c);
    n.n = (struct skl_norm){
        channels,      n.gamma.place, n.beta.place,  n.running_mean.place, n.running_var.place, n.dgamma.place,
        n.dbeta.place, n.scale.place, n.shift.place, n.mean.place,         n.spread.place,      n.c1.place,
        n.c2.place,    n.c3.place};
    return n;
}
