/* What happens to signal and gradient at every unit (probe.h).
 *
 * One backward pass of the net, watched: after each unit d.y is dE/dx_l itself (signal_sink leaves it alone while
 * net->watch is set), which is measured and then given the mask and sums that the unit below expects.  The direct
 * term goes down in step with it, in a second tensor that takes d.y's place while it passes a unit.
 *
 * Tensors are measured on the host: fetched, then summed chunk by chunk. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/nn/internal.h"
#include "core/nn/probe.h"
#include "core/variant/formula.h"

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
    struct skl_place direct; /* direct_l / scale */
    struct skl_place vector; /* [widest] */
    float *host[2];          /* two tensors on the host, and [widest] floats behind the first */
    double scale;            /* a power of two */
    double top;              /* |dE/dx_L| */
    double per_image;        /* the net divides by its mini-batch, the probe by its own */
    float *sum;              /* of the branches from here up, in the shape of x_L */
    double size;             /* |x_L| */
};

/* What an operand reads, on the host. */
static float *fetch(struct skl_net *net, struct skl_operand x, struct skl_shape shape, int where)
{
    const struct watcher *w = net->watcher;
    struct skl_place at = x.x;
    if (skl_there(x.scale) || skl_there(x.add) || x.relu)
        map(net, x, (struct skl_result){.y = at = net->d.inner[1]}, shape);
    net->device->ops->download(net->device, at, (size_t)net->n * skl_shape_floats(shape) * sizeof(float),
                               w->host[where]);
    net_finish(net);
    return w->host[where];
}

/* A vector per channel, times factor; to w->vector. */
static struct skl_place scaled_vector(struct skl_net *net, const float *v, float factor, int c)
{
    const struct watcher *w = net->watcher;
    float *scaled = w->host[0];
    for (int i = 0; i < c; i++) scaled[i] = factor * (v ? v[i] : 1);
    net->device->ops->upload(net->device, scaled, (size_t)c * sizeof *scaled, w->vector);
    return w->vector;
}

/* ---- sums over a tensor, or over two of the same shape: per chunk, then in the chunks' order ---- */
struct chunks {
    const struct skl_net *net;
    void (*fn)(void *arg, int chunk, int first, int n);
    void *arg;
};
static void run_chunk(void *arg, int i, int worker)
{
    const struct chunks *c = arg;
    const int64_t n = c->net->n, chunks = skl_chunk_count(c->net->n);
    const int first = (int)(n * i / chunks);
    c->fn(c->arg, i, first, (int)(n * (i + 1) / chunks) - first);
}
static void for_chunks(const struct skl_net *net, void (*fn)(void *, int, int, int), void *arg)
{
    struct chunks c = {net, fn, arg};
    skl_parallel(net->o.pool, skl_chunk_count(net->n), run_chunk, &c);
}

enum { SUM, SQUARES, NEGATIVE_SQUARES, OTHER_SQUARES, PRODUCTS, MOMENTS };

struct moments_job {
    const float *a, *b;
    size_t image;
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

static void moments_chunk(void *arg, int chunk, int first, int n)
{
    struct moments_job *job = arg;
    for (int i = first; i < first + n; i++)
        add_moments(job->image, job->a + (size_t)i * job->image, job->b + (size_t)i * job->image, job->chunk[chunk]);
}

/* b NULL: a again. */
static void moments(const struct skl_net *net, const float *a, const float *b, struct skl_shape shape,
                    double total[MOMENTS])
{
    struct moments_job job = {.a = a, .b = b ? b : a, .image = skl_shape_floats(shape)};
    for_chunks(net, moments_chunk, &job);
    memset(total, 0, MOMENTS * sizeof *total);
    for (int i = 0; i < skl_chunk_count(net->n); i++)
        for (int k = 0; k < MOMENTS; k++) total[k] += job.chunk[i][k];
}

static double rms(struct skl_net *net, struct skl_operand x, struct skl_shape shape)
{
    double m[MOMENTS];
    moments(net, fetch(net, x, shape, 0), NULL, shape, m);
    return sqrt(m[SQUARES] / ((double)net->n * (double)skl_shape_floats(shape)));
}

/* ---- signal ---- */
/* F.  Where its last convolution wrote the sum, F is what is left of it without a h. */
static struct skl_operand branch_operand(struct skl_net *net, const struct unit *u)
{
    const struct signal *in = &net->signal[u->place.index];
    if (u->fusion.way != MERGE_IN_BRANCH) return branch_view(u);
    struct skl_operand f = plain(u->post ? u->at->s : in[1].z);
    if (!u->fusion.adds) return f;
    f.add = shortcut_raw(u, unit_x(u, in));
    f.add_scale = scaled_vector(net, net->host_coef + u->a.at, -1, u->place.out.c);
    if (u->a.kind == COEF_MASK) f.keep = u->bits;
    return f;
}

/* What the ReLU after the addition reads.  Where the merge was a pass it kept relu(y) alone: made again. */
static struct skl_operand before_relu(struct skl_net *net, struct unit *u)
{
    const struct skl_place x = unit_x(u, &net->signal[u->place.index]);
    if (u->post) return bn_view(u->post, u->at->s, false);
    if (u->fusion.way != MERGE_PASS) return merged(net, u, shortcut_view(net, u, x), branch_view(u));
    merge_pass(net, u, x, (struct skl_result){.y = net->d.inner[0]}, false);
    return plain(net->d.inner[0]);
}

static double clipped(struct skl_net *net, struct unit *u)
{
    double m[MOMENTS];
    if (!u->post_relu) return 0;
    moments(net, fetch(net, before_relu(net, u), u->place.out, 0), NULL, u->place.out, m);
    return sqrt(m[NEGATIVE_SQUARES] / m[SQUARES]);
}

/* ---- the sum of the branches ---- */
struct sum_job {
    const float *f;
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

static void sum_chunk(void *arg, int chunk, int first, int n)
{
    struct sum_job *job = arg;
    const size_t image = skl_shape_floats(job->to);
    for (int i = first; i < first + n; i++) {
        float *sum = job->sum + (size_t)i * image;
        double m[MOMENTS] = {0};
        add_image(job, job->f + (size_t)i * skl_shape_floats(job->from), sum);
        add_moments(image, sum, sum, m);
        job->squares[chunk] += m[SQUARES];
    }
}

/* Adds F of this unit; |sum| / |x_L|. */
static double sum_share(struct skl_net *net, struct watcher *w, const struct unit *u)
{
    const float *f = fetch(net, branch_operand(net, u), u->place.out, 0);
    struct sum_job job = {f, u->place.out, net->signal[net->units].shape, 1, w->sum, {0}};
    double squares = 0;
    for (int h = job.from.h; h > job.to.h; h = (h + 1) / 2) job.step *= 2;
    for_chunks(net, sum_chunk, &job);
    for (int i = 0; i < skl_chunk_count(net->n); i++) squares += job.squares[i];
    return sqrt(squares) / w->size;
}

/* ---- the shortcut's factor ---- */
struct gain_job {
    struct unit *u;
    struct skl_call call; /* of the whole group */
    const float *x, *h;
    double sum[SKL_MAX_CHUNKS];
};

static void gain_range(struct gain_job *j, int chunk, int first, int n)
{
    const struct unit *u = j->u;
    const size_t image = skl_shape_floats(u->place.out);
    float *lambda = skl_alloc_array((size_t)n * (image + u->decl.scratch), sizeof *lambda);
    struct skl_call k = j->call;
    k.first += first, k.n = n;
    if (k.keep) k.keep += (size_t)first * u->decl.keep;
    k.scratch = lambda + (size_t)n * image;
    u->variant->gain(&k, j->x + (size_t)first * skl_shape_floats(x_shape(u)),
                     j->h + (size_t)first * skl_shape_floats(h_shape(u)), lambda);
    for (size_t i = 0; i < (size_t)n * image; i++) j->sum[chunk] += lambda[i];
    free(lambda);
}

static void gain_chunk(void *arg, int chunk, int first, int n)
{
    for (int i = first; i < first + n; i++) gain_range(arg, chunk, i, 1);
}

SKL_VECTORIZE static void sigmoid(size_t n, float *x)
{
    for (size_t i = 0; i < n; i++) x[i] = skl_sigmoid(x[i]);
}

/* A gate's values: behind a tail they stand there themselves. */
static const float *fetch_h(struct skl_net *net, const struct unit *u, struct skl_place x)
{
    const bool stand = u->decl.sigmoid && u->fusion.tail;
    float *h = fetch(net, stand ? plain(shortcut_raw(u, x)) : shortcut_view(net, u, x), h_shape(u), 1);
    if (u->decl.sigmoid && !stand) sigmoid((size_t)net->n * skl_shape_floats(h_shape(u)), h);
    return h;
}

static float *fetch_floats(struct skl_net *net, struct skl_place from, size_t floats)
{
    float *to = skl_alloc_array(floats + 1, sizeof *to);
    if (floats && skl_there(from)) net->device->ops->download(net->device, from, floats * sizeof *to, to);
    net_finish(net);
    return to;
}

/* Mean of the variant's gain(). */
static double mean_gain(struct skl_net *net, struct unit *u, struct skl_place x)
{
    float *own[SKL_MAX_OWN], *keep = fetch_floats(net, u->keep, (size_t)net->n * u->decl.keep);
    const float *w[SKL_MAX_OWN];
    for (int i = 0; i < u->decl.owns; i++)
        w[i] = own[i] = fetch_floats(net, value_of(net, u->own[i]), net->tensor[u->own[i]].count);
    struct gain_job job = {
        .u = u, .call = make_call(net, u), .h = fetch_h(net, u, x), .x = fetch(net, plain(x), x_shape(u), 0)};
    job.call.w = w;
    job.call.keep = u->decl.keep ? (skl_there(u->keep) ? keep : u->host_keep) : NULL;
    double sum = 0;
    if (u->variant->flags & SKL_MIXES_IMAGES)
        gain_range(&job, 0, 0, net->n);
    else
        for_chunks(net, gain_chunk, &job);
    for (int i = 0; i < skl_chunk_count(net->n); i++) sum += job.sum[i];
    for (int i = 0; i < u->decl.owns; i++) free(own[i]);
    free(keep);
    return sum / ((double)net->n * (double)skl_shape_floats(u->place.out));
}

static double kept_share(struct skl_net *net, const struct unit *u)
{
    const uint64_t elements = (uint64_t)net->n * skl_shape_floats(u->place.out), key = make_call(net, u).rng_key;
    uint64_t kept = 0;
    for (uint64_t i = 0; i < elements; i += 4) {
        const struct skl_u32x4 bits = skl_philox(key, 0, i / 4);
        for (uint64_t k = 0; k < 4 && i + k < elements; k++) kept += bits.v[k] >= u->a.said.drop * 4294967296.0;
    }
    return (double)kept / (double)elements;
}

/* Mean of the coefficient on h (way 1). */
static double mean_coefficient(struct skl_net *net, const struct unit *u)
{
    const struct skl_coef *a = &u->a.said;
    const int count = !a->v || a->span == SKL_ONE ? 1 : a->span == SKL_PER_IMAGE ? net->n : u->place.out.c;
    double sum = 0;
    for (int i = 0; i < count; i++) sum += a->v ? a->v[i] : a->constant;
    return sum / count * (a->span == SKL_MASK ? kept_share(net, u) : 1);
}

/* lambda: the mean of gain(), else the coefficient on x; with layers on the shortcut that is times what they do to the
 * signal's size.  A variant that says neither: NaN. */
static double shortcut_gain(struct skl_net *net, struct unit *u)
{
    const struct skl_place x = unit_x(u, &net->signal[u->place.index]);
    if (u->variant->gain) return mean_gain(net, u, x);
    if (!u->variant->affine) return NAN;
    const double a = mean_coefficient(net, u);
    if (u->decl.convs == 0) return a;
    return a * rms(net, shortcut_view(net, u, x), h_shape(u)) / rms(net, plain(x), x_shape(u));
}

/* ---- gradient ---- */
/* d.y gets the mask and the sums that the unit below signal[i] expects. */
static void apply_sink(struct skl_net *net, int i)
{
    struct skl_result sink = signal_sink(net, i);
    sink.y = net->d.y;
    map(net, plain(net->d.y), sink, net->signal[i].shape);
}

static void swap_direct(struct skl_net *net, struct watcher *w)
{
    const struct skl_place y = net->d.y;
    net->d.y = w->direct;
    w->direct = y;
}

/* The path is linear, so a power of two can be taken out before float32 runs out of range: 0.5^1000 comes out. */
static void rescale(struct skl_net *net, struct watcher *w, struct skl_shape shape, double norm)
{
    int exponent = 0;
    if (!(norm > 0) || !isfinite(norm)) return;
    frexp(norm / w->top, &exponent);
    if (abs(exponent) < 16) return;
    const struct skl_place factor = scaled_vector(net, NULL, (float)ldexp(1, -exponent), shape.c);
    map(net, (struct skl_operand){.x = w->direct, .scale = factor, .shift = net->zeros},
        (struct skl_result){.y = w->direct}, shape);
    w->scale = ldexp(w->scale, exponent);
}

/* direct_{l+1} to direct_l. */
static void step_direct(struct skl_net *net, struct watcher *w, int l)
{
    swap_direct(net, w);
    apply_sink(net, l + 1);
    unit_shortcut_backward(net, &net->unit[l], &net->signal[l]);
    swap_direct(net, w);
}

static void measure_gradient(struct skl_net *net, struct watcher *w, struct skl_probe_unit *row, struct skl_shape shape)
{
    const float *g = fetch(net, plain(net->d.y), shape, 0), *direct = fetch(net, plain(w->direct), shape, 1);
    double m[MOMENTS];
    moments(net, g, direct, shape, m);
    const double whole = sqrt(m[SQUARES]), along = sqrt(m[OTHER_SQUARES]);
    row->gradient_rms = w->per_image * whole / sqrt((double)net->n * (double)skl_shape_floats(shape));
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
    row->stage = u->stage + 1;
    row->signal_rms = rms(net, plain(net->signal[l].z), net->signal[l].shape);
    row->branch_rms = rms(net, branch_operand(net, u), u->place.out);
    row->sum_share = sum_share(net, w, u);
    row->clipped = clipped(net, u);
    row->shortcut_gain = shortcut_gain(net, u);
    row->gate_mean = u->variant->gain ? 1 - row->shortcut_gain : NAN;
    step_direct(net, w, l);
    measure_gradient(net, w, row, net->signal[l].shape);
}

static void start_direct(struct skl_net *net, struct watcher *w)
{
    const struct skl_shape shape = net->signal[net->units].shape;
    double m[MOMENTS];
    moments(net, fetch(net, plain(net->d.y), shape, 0), NULL, shape, m);
    w->top = sqrt(m[SQUARES]);
    moments(net, fetch(net, plain(net->signal[net->units].z), shape, 0), NULL, shape, m);
    w->size = sqrt(m[SQUARES]);
    map(net, plain(net->d.y), (struct skl_result){.y = w->direct}, shape);
}

static void watch(struct skl_net *net, int l)
{
    struct watcher *w = net->watcher;
    net->watch = NULL; /* sinks are whole again */
    if (l == net->units)
        start_direct(net, w);
    else
        measure_unit(net, w, l);
    apply_sink(net, l);
    net->watch = watch;
}

/* ---- responses ---- */
static void measure_response(struct skl_net *net, struct skl_probe *p, const char *name, struct skl_operand x,
                             struct skl_shape shape)
{
    struct skl_probe_response *r = &p->response[p->responses++];
    double m[MOMENTS], count = (double)net->n * (double)skl_shape_floats(shape);
    moments(net, fetch(net, x, shape, 0), NULL, shape, m);
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
            if (u->conv[j].plan.shape.size != 3) continue;
            struct skl_operand x = j < u->convs - 1 ? bn_view(u->mid[j], u->at->y[j], false) : branch_operand(net, u);
            x.relu = false;
            snprintf(name, sizeof name, "%s.conv%d", u->prefix, j + 1);
            measure_response(net, p, name, x, conv_out(&u->conv[j]));
        }
    }
}

/* ---- the whole ---- */
/* The running statistics, which the forward pass changes. */
static size_t statistics(struct skl_net *net, float *copy, bool restore)
{
    const struct skl_device_ops *ops = net->device->ops;
    size_t floats = 0;
    for (int i = 0; i < net->tensors; i++) {
        const size_t count = net->tensor[i].count;
        if (net->tensor[i].learned) continue;
        if (copy && restore) ops->upload(net->device, copy + floats, count * sizeof *copy, value_of(net, i));
        if (copy && !restore) ops->download(net->device, value_of(net, i), count * sizeof *copy, copy + floats);
        floats += count;
    }
    net_finish(net);
    return floats;
}

/* The direct term's tensor and a vector on the device, two tensors and the sum on the host. */
static struct skl_memory *open_watcher(struct skl_net *net, struct watcher *w, int n)
{
    const size_t size = ((size_t)n * net->activation + 15) / 16 * 16;
    struct skl_memory *memory;
    struct skl_err err = {0};
    if (net->device->ops->reserve(net->device, (size + (size_t)net->widest) * sizeof(float), &memory, &err))
        SKL_BUG("%s", err.text);
    w->direct = (struct skl_place){memory, 0};
    w->vector = skl_further(w->direct, size);
    for (int i = 0; i < 2; i++) w->host[i] = skl_alloc_array(size + (size_t)net->widest, sizeof(float));
    w->sum = skl_alloc_array((size_t)n * skl_shape_floats(net->signal[net->units].shape), sizeof(float));
    return memory;
}

void skl_net_probe(struct skl_net *net, const float *images, const int32_t *labels, int n, struct skl_probe *probe)
{
    SKL_CHECK(!net->o.inference && n > 0 && n <= net->o.group);
    const int64_t iteration = net->iteration;
    const struct gradients d = net->d;
    float *kept = skl_alloc_array(statistics(net, NULL, false), sizeof *kept);
    *probe = (struct skl_probe){.units = net->units, .unit = skl_alloc_array((size_t)net->units, sizeof *probe->unit)};
    probe->response = skl_alloc_array((size_t)(net->units * SKL_MAX_CONVS + 1), sizeof *probe->response);
    struct watcher w = {.probe = probe, .scale = 1, .per_image = (double)net->o.batch / n};
    struct skl_memory *memory = open_watcher(net, &w, n);
    statistics(net, kept, false);
    net->watch = watch;
    net->watcher = &w;
    probe->loss = net_watched(net, images, labels, n);
    net->watch = NULL;
    measure_responses(net, probe);
    net->watcher = NULL;
    statistics(net, kept, true);
    net->iteration = iteration;
    net->d = d; /* passing a unit exchanges tensors, `direct` among them */
    net->device->ops->release(net->device, memory);
    free(w.host[0]), free(w.host[1]), free(w.sum);
    free(kept);
}

void skl_probe_release(struct skl_probe *probe)
{
    free(probe->unit);
    free(probe->response);
    *probe = (struct skl_probe){.units = 0};
}
