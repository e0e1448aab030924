/* What happens to signal and gradient at every unit (probe.h).
 *
 * One backward pass of the net, watched: after each unit net->g is dE/dx_l itself (value_sink leaves it alone while
 * net->watch is set), which is measured and then given the mask and sums that the unit below expects.  The direct
 * term goes down in step with it, in a second buffer that takes net->g's place while it passes a unit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/nn/internal.h"
#include "core/nn/probe.h"
#include "core/variant/vec.h"

#define COLUMN(field) \
    { \
#field, offsetof(struct skl_probe_unit, field) \
    }
const struct skl_probe_column skl_probe_columns[] = {
    COLUMN(signal_rms),   COLUMN(branch_rms),    COLUMN(gradient_rms), COLUMN(shortcut_gain), COLUMN(direct_gain),
    COLUMN(direct_share), COLUMN(direct_cosine), COLUMN(clipped),      COLUMN(gate_mean),     {NULL, 0},
};

double skl_probe_value(const struct skl_probe_unit *unit, const struct skl_probe_column *column)
{
    return *(const double *)((const char *)unit + column->offset);
}

struct watcher {
    struct skl_probe *probe;
    float *direct;    /* direct_l / scale */
    double scale;     /* a power of two */
    double top;       /* |dE/dx_L| */
    double per_image; /* the net divides by its mini-batch, the probe by its own */
    float *sum;       /* of the branches from here up, in the shape of x_L */
    double size;      /* |x_L| */
};

/* ---- sums over a tensor, or over two of the same shape: per chunk, then in the chunks' order ---- */
enum { SUM, SQUARES, NEGATIVE_SQUARES, OTHER_SQUARES, PRODUCTS, MOMENTS };

struct moments_job {
    const struct skl_load *a, *b;
    struct skl_shape shape;
    double chunk[SKL_MAX_CHUNKS][MOMENTS];
};

enum { LANES = 8 };
/* Eight sums side by side: the compiler makes vectors of them.  What is left of n goes to the first. */
SKL_VECTORIZE static void add_moments(size_t n, const float *restrict a, const float *restrict b, double *restrict to)
{
    double lane[MOMENTS][LANES] = {{0}};
    const size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < n; i += i < whole ? LANES : 1)
        for (size_t j = 0; j < (i < whole ? LANES : 1); j++) {
            const double x = a[i + j], y = b[i + j], low = x < 0 ? x : 0;
            lane[SUM][j] += x;
            lane[SQUARES][j] += x * x;
            lane[NEGATIVE_SQUARES][j] += low * low;
            lane[OTHER_SQUARES][j] += y * y;
            lane[PRODUCTS][j] += x * y;
        }
    for (int k = 0; k < MOMENTS; k++)
        for (int j = 0; j < LANES; j++) to[k] += lane[k][j];
}

static void moments_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    struct moments_job *job = arg;
    const size_t pixels = (size_t)job->shape.h * (size_t)job->shape.w, image = shape_floats(job->shape);
    for (int i = first; i < first + n; i++) {
        float *a = scratch, *b = job->b ? scratch + image : a;
        net->o.kernels->load_rows(job->a, (size_t)i * pixels, (int)pixels, job->shape.c, a);
        if (job->b) net->o.kernels->load_rows(job->b, (size_t)i * pixels, (int)pixels, job->shape.c, b);
        add_moments(image, a, b, job->chunk[chunk]);
    }
}

static void moments(struct skl_net *net, const struct skl_load *a, const struct skl_load *b, struct skl_shape shape,
                    double total[MOMENTS])
{
    struct moments_job job = {.a = a, .b = b, .shape = shape};
    for_chunks(net, moments_chunk, &job);
    memset(total, 0, MOMENTS * sizeof *total);
    for (int i = 0; i < net->chunks; i++)
        for (int k = 0; k < MOMENTS; k++) total[k] += job.chunk[i][k];
}

static double rms(struct skl_net *net, struct skl_load load, struct skl_shape shape)
{
    double m[MOMENTS];
    moments(net, &load, NULL, shape, m);
    return sqrt(m[SQUARES] / ((double)net->n * (double)shape_floats(shape)));
}

/* ---- signal ---- */
/* F.  Where its last convolution wrote the sum, F is what is left of it without a h. */
static struct skl_load branch_load(struct skl_net *net, const struct unit *u)
{
    if (!u->in_epilogue) return branch_view(u);
    const struct value *in = &net->value[u->place.index];
    struct skl_load f = {.x = u->post ? u->b->s : in[1].z};
    if (u->a_coef.span == SKL_ONE && !u->a_coef.v && u->a_coef.k == 0) return f;
    for (int c = 0; c < u->place.out.c; c++) net->coef_float[c] = -u->a_vec[c];
    f.add = u->decl.convs ? u->b->ys[u->decl.convs - 1] : unit_x(u, in);
    f.add_scale = net->coef_float;
    f.keep = u->a_coef.span == SKL_MASK ? u->mask : NULL;
    return f;
}

/* What the ReLU after the addition reads.  Where the merge was pointwise it kept relu(y) alone: made again in t[0]. */
static struct skl_load before_relu(struct skl_net *net, struct unit *u)
{
    const float *x = unit_x(u, &net->value[u->place.index]);
    if (u->post) return bn_view(u->post, u->b->s, false);
    if (u->fused) return merged_load(net, u, x);
    struct value y = {.z = net->t[0]};
    u->post_relu = false;
    pointwise_forward(net, u, x, &y);
    u->post_relu = true;
    return (struct skl_load){.x = y.z};
}

static double clipped(struct skl_net *net, struct unit *u)
{
    double m[MOMENTS];
    if (!u->post_relu) return 0;
    struct skl_load y = before_relu(net, u);
    moments(net, &y, NULL, u->place.out, m);
    return sqrt(m[NEGATIVE_SQUARES] / m[SQUARES]);
}

/* ---- the sum of the branches ---- */
struct sum_job {
    const struct skl_load *f;
    struct skl_shape from, to; /* to: of x_L */
    int step;
    float *sum;
    double squares[SKL_MAX_CHUNKS];
};

static void add_image(const struct sum_job *job, const float *restrict f, float *restrict sum)
{
    const struct skl_shape from = job->from, to = job->to;
    for (int y = 0; y < to.h; y++)
        for (int x = 0; x < to.w; x++) {
            const float *a = f + ((size_t)(y * job->step) * (size_t)from.w + (size_t)(x * job->step)) * (size_t)from.c;
            float *b = sum + ((size_t)y * (size_t)to.w + (size_t)x) * (size_t)to.c;
            for (int c = 0; c < from.c; c++) b[c] += a[c];
        }
}

static void sum_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    struct sum_job *job = arg;
    const size_t pixels = (size_t)job->from.h * (size_t)job->from.w, image = shape_floats(job->to);
    for (int i = first; i < first + n; i++) {
        float *sum = job->sum + (size_t)i * image;
        double m[MOMENTS] = {0};
        net->o.kernels->load_rows(job->f, (size_t)i * pixels, (int)pixels, job->from.c, scratch);
        add_image(job, scratch, sum);
        add_moments(image, sum, sum, m);
        job->squares[chunk] += m[SQUARES];
    }
}

/* Adds F of this unit; |sum| / |x_L|. */
static double sum_share(struct skl_net *net, struct watcher *w, const struct unit *u)
{
    const struct skl_load f = branch_load(net, u);
    struct sum_job job = {&f, u->place.out, net->value[net->units].shape, 1, w->sum, {0}};
    double squares = 0;
    for (int h = job.from.h; h > job.to.h; h = (h + 1) / 2) job.step *= 2;
    for_chunks(net, sum_chunk, &job);
    for (int i = 0; i < net->chunks; i++) squares += job.squares[i];
    return sqrt(squares) / w->size;
}

/* ---- the shortcut's factor ---- */
struct gain_job {
    struct unit *u;
    const float *x;
    double sum[SKL_MAX_CHUNKS];
};

static void gain_range(struct skl_net *net, struct gain_job *j, int chunk, int first, int n, float *scratch)
{
    struct unit *u = j->u;
    const struct skl_shape s = h_shape(u);
    const size_t h_image = shape_floats(s), image = shape_floats(u->place.out);
    float *h = scratch, *lambda = h + (size_t)n * h_image;
    struct own_tensors own;
    struct skl_call k = make_call(net, u, first, n, NULL, &own);
    k.scratch = lambda + (size_t)n * image;
    pointwise_h(net, u, j->x, first, n, h);
    u->variant->gain(&k, j->x + (size_t)first * shape_floats(x_shape(u)), h, lambda);
    for (size_t i = 0; i < (size_t)n * image; i++) j->sum[chunk] += lambda[i];
}

static void gain_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    for (int i = first; i < first + n; i++) gain_range(net, arg, chunk, i, 1, scratch);
}

/* Mean of the variant's gain(). */
static double mean_gain(struct skl_net *net, struct unit *u, const float *x)
{
    struct gain_job job = {.u = u, .x = x};
    double sum = 0;
    if (u->variant->flags & SKL_MIXES_IMAGES)
        gain_range(net, &job, 0, 0, net->n, net->scratch[0]);
    else
        for_chunks(net, gain_chunk, &job);
    for (int i = 0; i < net->chunks; i++) sum += job.sum[i];
    return sum / ((double)net->n * (double)shape_floats(u->place.out));
}

static double kept_share(const struct skl_net *net, const struct unit *u)
{
    const uint64_t elements = (uint64_t)net->n * shape_floats(u->place.out), key = unit_key(net, u);
    uint64_t kept = 0;
    if (u->fused)
        for (uint64_t i = 0; i < elements / 8; i++) kept += (uint64_t)__builtin_popcount(u->mask[i]);
    else
        for (uint64_t i = 0; i < elements; i++)
            kept += skl_philox(key, 0, i / 4).v[i % 4] >= u->a_coef.drop * 4294967296.0;
    return (double)kept / (double)elements;
}

/* Mean of the coefficient on h (way 1). */
static double mean_coefficient(const struct skl_net *net, const struct unit *u)
{
    const struct skl_coef *a = &u->a_coef;
    const int count = !a->v || a->span == SKL_ONE ? 1 : a->span == SKL_PER_IMAGE ? net->n : u->place.out.c;
    double sum = 0;
    for (int i = 0; i < count; i++) sum += a->v ? a->v[i] : a->k;
    return sum / count * (a->span == SKL_MASK ? kept_share(net, u) : 1);
}

/* lambda: the mean of gain(), else the coefficient on x; with layers on the shortcut that is times what they do to the
 * signal's size.  A variant that says neither: NaN. */
static double shortcut_gain(struct skl_net *net, struct unit *u)
{
    const float *x = unit_x(u, &net->value[u->place.index]);
    if (u->variant->gain) return mean_gain(net, u, x);
    if (!u->variant->affine) return NAN;
    const double a = mean_coefficient(net, u);
    if (u->decl.convs == 0) return a;
    return a * rms(net, shortcut_view(net, u, x), h_shape(u)) / rms(net, (struct skl_load){.x = x}, x_shape(u));
}

/* ---- gradient ---- */
/* net->g gets the mask and the sums that the unit below value[i] expects. */
static void apply_sink(struct skl_net *net, int i)
{
    struct skl_store sink;
    struct skl_load g = {.x = net->g};
    value_sink(net, i, &sink);
    sink.y = net->g;
    map(net, &g, &sink, net->value[i].shape);
}

static void swap_direct(struct skl_net *net, struct watcher *w)
{
    float *g = net->g;
    net->g = w->direct;
    w->direct = g;
}

/* The path is linear, so a power of two can be taken out before float32 runs out of range: 0.5^1000 comes out. */
static void rescale(struct skl_net *net, struct watcher *w, struct skl_shape shape, double norm)
{
    int exponent = 0;
    if (!(norm > 0) || !isfinite(norm)) return;
    frexp(norm / w->top, &exponent);
    if (abs(exponent) < 16) return;
    const float factor = (float)ldexp(1, -exponent);
    for (int c = 0; c < shape.c; c++) net->coef_float[c] = factor;
    struct skl_load load = {.x = w->direct, .scale = net->coef_float, .shift = net->zeros};
    map(net, &load, &(struct skl_store){.y = w->direct}, shape);
    w->scale = ldexp(w->scale, exponent);
}

/* direct_{l+1} to direct_l. */
static void step_direct(struct skl_net *net, struct watcher *w, int l)
{
    swap_direct(net, w);
    apply_sink(net, l + 1);
    unit_shortcut_backward(net, &net->unit[l], &net->value[l]);
    swap_direct(net, w);
}

static void measure_gradient(struct skl_net *net, struct watcher *w, struct skl_probe_unit *row, struct skl_shape shape)
{
    struct skl_load g = {.x = net->g}, direct = {.x = w->direct};
    double m[MOMENTS];
    moments(net, &g, &direct, shape, m);
    const double whole = sqrt(m[SQUARES]), along = sqrt(m[OTHER_SQUARES]);
    row->gradient_rms = w->per_image * whole / sqrt((double)net->n * (double)shape_floats(shape));
    row->direct_gain = w->scale * (along / w->top);
    row->direct_share = w->scale * (along / whole);
    row->direct_cosine = m[PRODUCTS] / (whole * along);
    rescale(net, w, shape, along);
}

static void measure_unit(struct skl_net *net, struct watcher *w, int l)
{
    struct unit *u = &net->unit[l];
    struct skl_probe_unit *row = &w->probe->unit[l];
    snprintf(row->name, sizeof row->name, "%s", u->prefix);
    row->unit = l;
    row->stage = l / (net->units / 3) + 1;
    row->signal_rms = rms(net, (struct skl_load){.x = net->value[l].z}, net->value[l].shape);
    row->branch_rms = rms(net, branch_load(net, u), u->place.out);
    row->sum_share = sum_share(net, w, u);
    row->clipped = clipped(net, u);
    row->shortcut_gain = shortcut_gain(net, u);
    row->gate_mean = u->variant->gain ? 1 - row->shortcut_gain : NAN;
    step_direct(net, w, l);
    measure_gradient(net, w, row, net->value[l].shape);
}

static void start_direct(struct skl_net *net, struct watcher *w)
{
    const struct skl_shape shape = net->value[net->units].shape;
    double m[MOMENTS];
    struct skl_load g = {.x = net->g}, x = {.x = net->value[net->units].z};
    moments(net, &g, NULL, shape, m);
    w->top = sqrt(m[SQUARES]);
    moments(net, &x, NULL, shape, m);
    w->size = sqrt(m[SQUARES]);
    memcpy(w->direct, net->g, (size_t)net->n * shape_floats(shape) * sizeof *w->direct);
}

static void watch(struct skl_net *net, int value)
{
    struct watcher *w = net->watcher;
    net->watch = NULL; /* sinks are whole again */
    if (value == net->units)
        start_direct(net, w);
    else
        measure_unit(net, w, value);
    apply_sink(net, value);
    net->watch = watch;
}

/* ---- responses ---- */
static void measure_response(struct skl_net *net, struct skl_probe *p, const char *name, struct skl_load load,
                             struct skl_shape shape)
{
    struct skl_probe_response *r = &p->response[p->responses++];
    double m[MOMENTS], count = (double)net->n * (double)shape_floats(shape);
    moments(net, &load, NULL, shape, m);
    const double mean = m[SUM] / count, var = m[SQUARES] / count - mean * mean;
    snprintf(r->name, sizeof r->name, "%s", name);
    r->mean = mean;
    r->std = sqrt(var < 0 ? 0 : var);
}

static void measure_responses(struct skl_net *net, struct skl_probe *p)
{
    char name[48];
    measure_response(net, p, "conv1", bn_view(net->stem_bn, net->stem_y, false), conv_out(&net->stem));
    for (int i = 0; i < net->units; i++) {
        const struct unit *u = &net->unit[i];
        for (int j = 0; j < u->convs; j++) {
            if (u->conv[j].shape.size != 3) continue;
            struct skl_load load = j < u->convs - 1 ? bn_view(u->mid[j], u->b->y[j], false) : branch_load(net, u);
            load.relu = false;
            snprintf(name, sizeof name, "%s.conv%d", u->prefix, j + 1);
            measure_response(net, p, name, load, conv_out(&u->conv[j]));
        }
    }
}

/* ---- the whole ---- */
static size_t statistics(struct skl_net *net, float *copy, bool restore)
{
    size_t floats = 0;
    for (int i = 0; i < net->tensors; i++) {
        const struct skl_tensor *t = &net->tensor[i];
        if (t->grad) continue;
        if (copy && restore) memcpy(t->value, copy + floats, t->count * sizeof *copy);
        if (copy && !restore) memcpy(copy + floats, t->value, t->count * sizeof *copy);
        floats += t->count;
    }
    return floats;
}

void skl_net_probe(struct skl_net *net, const float *images, const int32_t *labels, int n, struct skl_probe *probe)
{
    SKL_CHECK(!net->o.inference && n > 0 && n <= net->o.group);
    const int64_t iteration = net->iteration;
    float *const buffer[] = {net->g, net->r, net->t[0], net->t[1], net->t[2]};
    float *direct = skl_alloc_array((size_t)n * net->activation, sizeof *direct);
    float *sum = skl_alloc_array((size_t)n * shape_floats(net->value[net->units].shape), sizeof *sum);
    float *kept = skl_alloc_array(statistics(net, NULL, false), sizeof *kept);
    *probe = (struct skl_probe){.units = net->units, .unit = skl_alloc_array((size_t)net->units, sizeof *probe->unit)};
    probe->response = skl_alloc_array((size_t)(net->units * SKL_MAX_CONVS + 1), sizeof *probe->response);
    struct watcher w = {
        .probe = probe, .direct = direct, .scale = 1, .per_image = (double)net->o.batch / n, .sum = sum};
    statistics(net, kept, false);
    net->watch = watch;
    net->watcher = &w;
    probe->loss = net_watched(net, images, labels, n);
    net->watch = NULL;
    net->watcher = NULL;
    measure_responses(net, probe);
    statistics(net, kept, true);
    net->iteration = iteration;
    /* passing a unit exchanges buffers, `direct` among them */
    net->g = buffer[0], net->r = buffer[1], net->t[0] = buffer[2], net->t[1] = buffer[3], net->t[2] = buffer[4];
    free(direct);
    free(sum);
    free(kept);
}

void skl_probe_release(struct skl_probe *probe)
{
    free(probe->unit);
    free(probe->response);
    *probe = (struct skl_probe){.units = 0};
}
