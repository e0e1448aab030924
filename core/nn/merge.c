/* How the shortcut h and the branch f meet: y = a h + b f inside the neighbours' loads and stores (way 1, fused), or a
 * variant's pointwise functions over one image at a time (way 2, and way 1 where it cannot be fused). */
#include <limits.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/nn/internal.h"

uint64_t unit_key(const struct skl_net *net, const struct unit *u)
{
    return skl_rng_key(net->o.seed, SKL_RNG_SHORTCUT, (uint64_t)net->iteration, (uint64_t)u->place.index);
}

struct skl_call make_call(struct skl_net *net, struct unit *u, int first, int n, float *own_gradients,
                          struct own_tensors *own)
{
    for (int i = 0; i < u->decl.owns; i++) {
        own->w[i] = tensor_value(net, u->own[i]);
        own->dw[i] = own_gradients;
        if (own_gradients) own_gradients += net->tensor[u->own[i]].count;
    }
    return (struct skl_call){.unit = &u->place,
                             .opts = u->opts,
                             .iteration = net->iteration,
                             .iterations = net->o.iterations,
                             .training = net->training && !net->clean,
                             .batch = net->o.batch,
                             .first = net->first + first,
                             .n = n,
                             .rng_key = unit_key(net, u),
                             .w = own->w,
                             .dw = own->dw,
                             .keep = u->keep ? u->keep + (size_t)first * u->decl.keep : NULL};
}

/* ---- way 1 ---- */
static bool is_one(const struct skl_coef *k)
{
    return !k->v && k->span == SKL_ONE && k->k == 1.0f;
}
static bool is_zero(const struct skl_coef *k)
{
    return !k->v && k->span == SKL_ONE && k->k == 0.0f;
}
static bool learned(const struct skl_coef *k)
{
    return k->v && k->span != SKL_PER_IMAGE;
}
static bool has_layers(const struct unit *u)
{
    return u->decl.convs > 0;
}

static bool can_fuse(const struct skl_net *net, const struct unit *u)
{
    const struct skl_coef *a = &u->a_coef, *b = &u->b_coef;
    if (net->o.pointwise || a->span == SKL_PER_IMAGE || b->span == SKL_PER_IMAGE) return false;
    if (a->span == SKL_MASK && (has_layers(u) || u->place.out.c % 8 != 0)) return false; /* kernels.h: keep */
    if (u->end_relu && (!is_one(b) || learned(a) || has_layers(u))) return false;
    return true;
}

static void spell_out(const struct skl_coef *k, int c, float *vec)
{
    for (int i = 0; i < c; i++) vec[i] = !k->v ? k->k : k->span == SKL_PER_CHANNEL ? k->v[i] : k->v[0];
}

struct mask_job {
    struct unit *u;
    size_t image;
    uint64_t key;
    double drop;
};
static void mask_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    (void)chunk, (void)scratch;
    const struct mask_job *j = arg;
    net->o.kernels->keep_bits(j->key, j->drop, (uint64_t)(net->first + first) * j->image, (size_t)n * j->image,
                              j->u->mask + (size_t)first * j->image / 8);
}

void merge_coefficients(struct skl_net *net, struct unit *u)
{
    const struct skl_coef one = {.span = SKL_ONE, .k = 1};
    u->a_coef = u->b_coef = one;
    u->fused = false;
    if (!u->variant->affine) return;
    struct own_tensors own;
    struct skl_call k = make_call(net, u, 0, net->n, NULL, &own);
    u->variant->affine(&k, &u->a_coef, &u->b_coef);
    spell_out(&u->a_coef, u->place.out.c, u->a_vec);
    spell_out(&u->b_coef, u->place.out.c, u->b_vec);
    u->fused = can_fuse(net, u);
    if (!u->fused || u->a_coef.span != SKL_MASK) return;
    struct mask_job job = {u, shape_floats(u->place.out), k.rng_key, u->a_coef.drop};
    for_chunks(net, mask_chunk, &job);
}

struct skl_load branch_view(const struct unit *u)
{
    return bn_view(u->end, u->b->y[u->convs - 1], u->end_relu);
}

/* x after the first i layers on the shortcut path. */
struct skl_load shortcut_input(struct skl_net *net, const struct unit *u, int i, const float *x)
{
    if (i == 0) return (struct skl_load){.x = x};
    struct skl_load l = bn_view(u->shortcut_bn[i - 1], u->b->ys[i - 1], false);
    if (!l.scale && u->shortcut_conv[i - 1].bias >= 0)
        l.scale = net->ones, l.shift = tensor_value(net, u->shortcut_conv[i - 1].bias);
    return l;
}

struct skl_load shortcut_view(struct skl_net *net, const struct unit *u, const float *x)
{
    return shortcut_input(net, u, u->decl.convs, x);
}

/* y = b BN(y_last) + a h as one load: the factors go into the vectors.  Only where fused; without end_relu. */
struct skl_load merged_load(struct skl_net *net, struct unit *u, const float *x)
{
    const struct skl_load h = shortcut_view(net, u, x), f = branch_view(u);
    for (int c = 0; c < u->place.out.c; c++) {
        float b = u->b_vec[c], a = u->a_vec[c];
        u->m_scale[c] = f.scale ? b * f.scale[c] : b;
        u->m_shift[c] = (f.scale ? b * f.shift[c] : 0) + (h.scale ? a * h.shift[c] : 0);
        u->m_add[c] = h.scale ? a * h.scale[c] : a;
    }
    struct skl_load y = {.x = f.x};
    if (f.scale || h.scale || !is_one(&u->b_coef)) y.scale = u->m_scale, y.shift = u->m_shift;
    if (is_zero(&u->a_coef)) return y; /* the plain net reads no shortcut; h's shift is 0 times something */
    y.add = h.x;
    y.add_scale = is_one(&u->a_coef) && !h.scale ? NULL : u->m_add;
    y.keep = u->a_coef.span == SKL_MASK ? u->mask : NULL;
    return y;
}

/* da = sum g h and db = sum g f, from the chunks' sums: f = gamma x^ + beta, so sum g f follows from the two sums that
 * the batch norm's derivative needs anyway. */
static double partner_sum(struct skl_net *net, const struct bn_layer *bn, int which, int c)
{
    double dot = chunk_total(net, which, c);
    if (!bn) return dot;
    return tensor_value(net, bn->gamma)[c] * bn->rstd[c] * dot +
           (double)tensor_value(net, bn->beta)[c] * chunk_total(net, 0, c);
}

static void coefficient_gradient(struct skl_net *net, struct unit *u, const double *da, const double *db)
{
    const int c = u->place.out.c;
    float *a = net->coef_float, *b = a + c;
    double sa = 0, sb = 0;
    for (int i = 0; i < c; i++) sa += da[i], sb += db[i], a[i] = (float)da[i], b[i] = (float)db[i];
    if (u->a_coef.span == SKL_ONE) a[0] = (float)sa;
    if (u->b_coef.span == SKL_ONE) b[0] = (float)sb;
    float *gradients = net->own_partial;
    memset(gradients, 0, u->own_floats * sizeof *gradients);
    struct own_tensors own;
    struct skl_call k = make_call(net, u, 0, net->n, gradients, &own);
    u->variant->affine_grad(&k, learned(&u->a_coef) ? a : NULL, learned(&u->b_coef) ? b : NULL);
    for (int i = 0; i < u->decl.owns; i++)
        for (size_t e = 0; e < net->tensor[u->own[i]].count; e++) add_gradient(net, u->own[i], e, own.dw[i][e]);
}

void merge_sums_to_gradients(struct skl_net *net, struct unit *u)
{
    if (!u->variant->affine_grad) return;
    double *da = net->coef_sum, *db = da + u->place.out.c;
    int last = u->decl.convs - 1;
    for (int c = 0; c < u->place.out.c; c++) {
        db[c] = partner_sum(net, u->end, 1, c);
        da[c] = partner_sum(net, last >= 0 ? u->shortcut_bn[last] : NULL, 2, c);
    }
    coefficient_gradient(net, u, da, db);
}

/* ---- one image at a time ---- */
static float coefficient(const struct skl_coef *k, int image, size_t i, int c)
{
    if (!k->v) return k->k;
    return k->v[k->span == SKL_PER_IMAGE ? (size_t)image : k->span == SKL_PER_CHANNEL ? i % (size_t)c : 0];
}
static float mask_factor(const struct skl_coef *a, uint64_t key, uint64_t element)
{
    if (a->span != SKL_MASK) return 1;
    return skl_philox(key, 0, element / 4).v[element % 4] >= a->drop * 4294967296.0;
}
/* One number an image for both, nothing learned: stochastic depth. */
static bool plain_numbers(const struct unit *u)
{
    return !learned(&u->a_coef) && !learned(&u->b_coef) && u->a_coef.span != SKL_MASK;
}

/* Way 1 as the plain formula; what the fused path is tested against.  image: its place in the group. */
static void affine_forward(const struct unit *u, const struct skl_call *k, int image, const float *h, const float *f,
                           float *y)
{
    const size_t n = shape_floats(u->place.out);
    const int c = u->place.out.c;
    const float a0 = coefficient(&u->a_coef, image, 0, c), b0 = coefficient(&u->b_coef, image, 0, c);
    if (plain_numbers(u)) {
        for (size_t i = 0; i < n; i++) y[i] = a0 * h[i] + b0 * f[i];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float a =
            coefficient(&u->a_coef, image, i, c) * mask_factor(&u->a_coef, k->rng_key, (uint64_t)k->first * n + i);
        y[i] = a * h[i] + coefficient(&u->b_coef, image, i, c) * f[i];
    }
}
static void affine_backward(const struct unit *u, const struct skl_call *k, int image, const float *h, const float *f,
                            const float *dy, float *dh, float *df, double *da, double *db)
{
    const size_t n = shape_floats(u->place.out);
    const int c = u->place.out.c;
    const float a0 = coefficient(&u->a_coef, image, 0, c), b0 = coefficient(&u->b_coef, image, 0, c);
    if (plain_numbers(u)) {
        for (size_t i = 0; i < n; i++) dh[i] = a0 * dy[i], df[i] = b0 * dy[i];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float m = mask_factor(&u->a_coef, k->rng_key, (uint64_t)k->first * n + i);
        dh[i] = coefficient(&u->a_coef, image, i, c) * m * dy[i];
        df[i] = coefficient(&u->b_coef, image, i, c) * dy[i];
        da[i % (size_t)c] += (double)dy[i] * m * h[i];
        db[i % (size_t)c] += (double)dy[i] * f[i];
    }
}

/* A convolution without batch norm just before the merge (a gate's) runs inside the same pass, while its image or
 * chunk is in the cache: `tail`, NULL where there is none. */
struct pointwise_job {
    struct unit *u;
    const float *x, *g;
    struct value *out;
    float *df, *dx, *dh;
    double *coef; /* [chunks][2][c], way 1 */
    struct skl_load h, f;
    const struct conv_layer *tail;
    struct skl_load tail_x;
};

const struct conv_layer *pointwise_tail(const struct unit *u)
{
    const int top = u->decl.convs - 1;
    return top >= 0 && !u->fused && !u->shortcut_bn[top] && !(u->variant->flags & SKL_MIXES_IMAGES)
               ? &u->shortcut_conv[top]
               : NULL;
}

/* Points at image i of a load's tensor where it is stored as it is, else computes it into `to`. */
static const float *rows(struct skl_net *net, const struct skl_load *l, struct skl_shape s, int i, float *to)
{
    const size_t pixels = (size_t)s.h * (size_t)s.w;
    if (!l->scale && !l->add && !l->relu) return l->x + (size_t)i * pixels * (size_t)s.c;
    net->o.kernels->load_rows(l, (size_t)i * pixels, (int)pixels, s.c, to);
    return to;
}

static struct skl_shape x_shape(const struct unit *u)
{
    return u->decl.source == SKL_RAW_X ? u->place.in : u->place.out;
}
/* h need not have f's shape in way 2: a gate may be one number a pixel. */
static struct skl_shape h_shape(const struct unit *u)
{
    return has_layers(u) ? conv_out(&u->shortcut_conv[u->decl.convs - 1]) : x_shape(u);
}
/* A range is one image, but a variant that mixes images gets the whole group in one call. */
static int range_images(const struct skl_net *net, const struct unit *u)
{
    return u->variant->flags & SKL_MIXES_IMAGES ? net->n : 1;
}

static void forward_range(struct skl_net *net, struct pointwise_job *j, int chunk, int first, int n, float *scratch)
{
    struct unit *u = j->u;
    const struct skl_shape s = u->place.out;
    const size_t image = shape_floats(s), pixels = (size_t)s.h * (size_t)s.w, h_image = shape_floats(h_shape(u));
    float *f = scratch, *h = f + (size_t)n * image, *own_scratch = h + (size_t)n * h_image, *y;
    for (int i = 0; i < n; i++) {
        const float *fi = rows(net, &j->f, s, first + i, f + (size_t)i * image);
        if (n == 1)
            f = (float *)fi;
        else if (fi != f + (size_t)i * image)
            memcpy(f + (size_t)i * image, fi, image * sizeof *f);
        const float *hi = rows(net, &j->h, h_shape(u), first + i, h + (size_t)i * h_image);
        if (n == 1)
            h = (float *)hi;
        else if (hi != h + (size_t)i * h_image)
            memcpy(h + (size_t)i * h_image, hi, h_image * sizeof *h);
    }
    const bool stats = net->training && (u->post || j->out->bn);
    struct skl_store store = {.y = u->post ? u->b->s : j->out->z, .sums = stats};
    y = store.y + (size_t)first * image;
    struct own_tensors own;
    struct skl_call k = make_call(net, u, first, n, NULL, &own);
    k.scratch = own_scratch;
    if (u->variant->forward)
        u->variant->forward(&k, j->x + (size_t)first * shape_floats(x_shape(u)), h, f, y);
    else
        affine_forward(u, &k, first, h, f, y);
    if (u->post_relu && !u->post)
        for (size_t i = 0; i < (size_t)n * image; i++) y[i] = y[i] <= 0 ? 0 : y[i]; /* not a number stays so */
    if (stats) net->o.kernels->store_rows(&store, (size_t)first * pixels, (int)pixels * n, s.c, y, &net->sums[chunk]);
}

static void forward_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    struct pointwise_job *j = arg;
    const int step = range_images(net, j->u);
    for (int i = first; i < first + n; i += step) {
        if (j->tail) {
            struct skl_store store = {.y = j->u->b->ys[j->u->decl.convs - 1]};
            struct skl_conv_forward conv = {j->tail->shape, net->packed, net->o.kernels, &j->tail_x, &store};
            j->tail->kernel->forward(&conv, i, step, NULL, scratch + net->range_floats);
        }
        forward_range(net, j, chunk, i, step, scratch);
    }
}

/* Runs fn over all chunks, or once over the whole group where the variant mixes images. */
static void pointwise_run(struct skl_net *net, struct unit *u, chunk_fn *fn, struct pointwise_job *job)
{
    clear_sums(net, u->place.out.c);
    if (range_images(net, u) > 1)
        fn(net, job, 0, 0, net->n, net->scratch[0]);
    else
        for_chunks(net, fn, job);
}

void pointwise_forward(struct skl_net *net, struct unit *u, const float *x, struct value *out)
{
    struct pointwise_job job = {
        .u = u, .x = x, .out = out, .h = shortcut_view(net, u, x), .f = branch_view(u), .tail = pointwise_tail(u)};
    if (job.tail) {
        job.tail_x = shortcut_input(net, u, u->decl.convs - 1, x);
        conv_prepare(net, job.tail, false);
    }
    pointwise_run(net, u, forward_chunk, &job);
}

static void backward_range(struct skl_net *net, struct pointwise_job *j, int chunk, int first, int n, float *dh,
                           float *scratch)
{
    struct unit *u = j->u;
    const struct skl_shape s = u->place.out;
    const size_t image = shape_floats(s), pixels = (size_t)s.h * (size_t)s.w, x_image = shape_floats(x_shape(u));
    const size_t h_image = shape_floats(h_shape(u));
    float *f = scratch, *h = f + (size_t)n * image, *own_scratch = h + (size_t)n * h_image;
    float *df = j->df + (size_t)first * image;
    float *f_at = f, *h_at = h;
    for (int i = 0; i < n; i++) {
        const float *fi = rows(net, &j->f, s, first + i, f + (size_t)i * image),
                    *hi = rows(net, &j->h, h_shape(u), first + i, h + (size_t)i * h_image);
        if (n == 1)
            f_at = (float *)fi, h_at = (float *)hi;
        else {
            if (fi != f + (size_t)i * image) memcpy(f + (size_t)i * image, fi, image * sizeof *f);
            if (hi != h + (size_t)i * h_image) memcpy(h + (size_t)i * h_image, hi, h_image * sizeof *h);
        }
    }
    struct own_tensors own;
    struct skl_call k = make_call(net, u, first, n, net->own_partial + (size_t)chunk * net->own_stride, &own);
    k.scratch = own_scratch;
    const float *dy = j->g + (size_t)first * image;
    float *dx = j->dx + (size_t)first * x_image;
    if (u->variant->backward) {
        u->variant->backward(&k, j->x + (size_t)first * x_image, h_at, f_at, dy, dx, dh, df);
        if (!has_layers(u))
            for (size_t i = 0; i < (size_t)n * x_image; i++) dx[i] += dh[i]; /* h is x itself */
    } else {
        double *coef = j->coef + (size_t)chunk * 2 * (size_t)s.c;
        affine_backward(u, &k, first, h_at, f_at, dy, has_layers(u) ? dh : dx, df, coef, coef + s.c);
        if (has_layers(u)) memset(dx, 0, (size_t)n * x_image * sizeof *dx);
    }
    struct skl_store store = {.y = j->df, .sums = u->end != NULL};
    if (u->end) store.partner = u->b->y[u->convs - 1], store.pivot = u->end->mean;
    if (u->end_relu) store.gate = store.partner, store.gate_scale = u->end->scale, store.gate_shift = u->end->shift;
    net->o.kernels->store_rows(&store, (size_t)first * pixels, (int)pixels * n, s.c, df, &net->sums[chunk]);
}

/* The tail's derivative for one image: its bias's (sum of dh), its weight's, and what reaches x, added to dx. */
static void tail_backward(struct skl_net *net, struct pointwise_job *j, int chunk, int image, bool first, const float *dh,
                          float *scratch)
{
    const struct skl_shape h = h_shape(j->u);
    const size_t x_floats = shape_floats(conv_in(j->tail)), dw_floats = j->tail->kernel->gradient_floats(&j->tail->shape);
    float *mean = scratch, *work = scratch + net->range_floats, *one = work + net->conv_floats;
    float *dw = net->partial + (size_t)chunk * net->partial_stride, *dx = j->dx + (size_t)image * x_floats;
    if (j->tail->bias >= 0) {
        net->o.kernels->pool(h.h * h.w, h.c, dh, mean);
        for (int k = 0; k < h.c; k++)
            net->bias_sum[(size_t)chunk * (size_t)net->widest + (size_t)k] += (double)mean[k] * (h.h * h.w);
    }
    if (j->u->decl.convs > 1) return; /* more layers below: they run over the whole group */
    struct skl_load x = j->tail_x, dy = {.x = dh};
    struct skl_store store = {.y = dx, .add = dx};
    struct skl_conv_backward conv = {j->tail->shape, net->packed, net->o.kernels, &x, &dy, &store};
    x.x += (size_t)image * x_floats;
    j->tail->kernel->backward(&conv, 0, 1, first ? dw : one, NULL, work);
    for (size_t i = 0; !first && i < dw_floats; i++) dw[i] += one[i];
}

/* Where the tail runs here too, an image's dh is used up at once: the chunk's images share one place, in the cache. */
static void backward_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    struct pointwise_job *j = arg;
    const int step = range_images(net, j->u);
    const size_t h_floats = shape_floats(h_shape(j->u));
    const bool shared = j->tail && j->u->decl.convs == 1;
    for (int i = first; i < first + n; i += step) {
        float *dh = j->dh + (size_t)(shared ? first : i) * h_floats;
        backward_range(net, j, chunk, i, step, dh, scratch);
        if (j->tail) tail_backward(net, j, chunk, i, i == first, dh, scratch);
    }
}

static void bias_gradient(struct skl_net *net, const struct conv_layer *l)
{
    for (int c = 0; c < l->shape.k; c++) {
        double sum = 0;
        for (int i = 0; i < net->chunks; i++) sum += net->bias_sum[(size_t)i * (size_t)net->widest + (size_t)c];
        add_gradient(net, l->bias, (size_t)c, sum);
    }
}

static void reduce_own(struct skl_net *net, struct unit *u)
{
    size_t at = 0;
    for (int i = 0; i < u->decl.owns; i++)
        for (size_t e = 0; e < net->tensor[u->own[i]].count; e++, at++) {
            double sum = 0;
            for (int chunk = 0; chunk < net->chunks; chunk++)
                sum += net->own_partial[(size_t)chunk * net->own_stride + at];
            add_gradient(net, u->own[i], e, sum);
        }
}

void pointwise_backward(struct skl_net *net, struct unit *u, const float *x, const float *g, float *df, float *dx,
                        float *dh)
{
    const size_t c = (size_t)u->place.out.c;
    struct pointwise_job job = {.u = u,
                                .x = x,
                                .g = g,
                                .df = df,
                                .dx = dx,
                                .dh = dh,
                                .coef = net->coef_sum,
                                .h = shortcut_view(net, u, x),
                                .f = branch_view(u),
                                .tail = pointwise_tail(u)};
    memset(net->own_partial, 0, (size_t)net->chunks * net->own_stride * sizeof(float));
    if (u->variant->affine) memset(net->coef_sum, 0, (size_t)net->chunks * 2 * c * sizeof(double));
    if (job.tail) {
        memset(net->bias_sum, 0, (size_t)net->chunks * (size_t)net->widest * sizeof(double));
        job.tail_x = shortcut_input(net, u, u->decl.convs - 1, x);
        conv_prepare(net, job.tail, true);
    }
    pointwise_run(net, u, backward_chunk, &job);
    if (job.tail && job.tail->bias >= 0) bias_gradient(net, job.tail);
    if (job.tail && u->decl.convs == 1) conv_reduce(net, job.tail);
    if (!u->variant->affine) {
        reduce_own(net, u);
    } else if (u->variant->affine_grad) {
        for (int i = 1; i < net->chunks; i++)
            for (size_t e = 0; e < 2 * c; e++) net->coef_sum[e] += net->coef_sum[(size_t)i * 2 * c + e];
        coefficient_gradient(net, u, net->coef_sum, net->coef_sum + c);
    }
}
