/* The merge where it is not fused: a variant's own forward and backward (way 2), or y = a h + b f by the plain formula.
 * The mini-batch goes through in pieces, and all that happens to a piece happens while it is in the cache. */
#include <string.h>
#include "core/base/rng.h"
#include "core/nn/internal.h"
#include "core/variant/vec.h"

/* What one call of the variant sees: an image; the whole group where the variant mixes images; or, where it treats
 * every pixel for itself, a band of rows of one image. */
struct piece {
    int image, images, row, rows; /* rows 0: all */
};

/* Floats of each tensor in a band: few enough for the caches, enough for the matrix products.  1024 to 4096 do alike. */
enum { BAND_FLOATS = 2048 };

/* A convolution without batch norm just before the merge (a gate's) runs inside the same pass: `tail`, NULL where there
 * is none. */
struct pointwise_job {
    struct unit *u;
    const float *x;
    struct value *out;
    float *g, *dx, *dh;
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

/* ---- pieces ---- */
/* Where a piece begins in a tensor, and its size: in pixels. */
static size_t begin_of(const struct piece *p, struct skl_shape s)
{
    return (size_t)(p->image * s.h + p->row) * (size_t)s.w;
}
static size_t pixels_of(const struct piece *p, struct skl_shape s)
{
    return (size_t)p->images * (size_t)(p->rows ? p->rows : s.h) * (size_t)s.w;
}

/* Rows of a band, 0: whole images. */
static int band_rows(const struct skl_net *net, const struct unit *u)
{
    const struct skl_shape s = u->place.out, x = x_shape(u), h = h_shape(u);
    const struct conv_layer *tail = pointwise_tail(u);
    if (net->o.pointwise || !(u->variant->flags & SKL_PER_PIXEL) || x.h != s.h || x.w != s.w || h.h != s.h ||
        h.w != s.w)
        return 0;
    if (tail && tail->shape.size > 1) return 0;
    const int rows = BAND_FLOATS / (s.w * s.c);
    return rows < 1 ? 1 : rows < s.h ? rows : 0;
}

/* The first piece of images [first, first + n), and from a piece to the next; images is 0 after the last. */
static struct piece first_piece(const struct skl_net *net, const struct unit *u, int first, int n)
{
    const bool mixes = u->variant->flags & SKL_MIXES_IMAGES;
    return (struct piece){first, n == 0 ? 0 : mixes ? n : 1, 0, band_rows(net, u)};
}
static struct piece next_piece(const struct skl_net *net, const struct unit *u, struct piece p, int end)
{
    const int h = u->place.out.h, rows = band_rows(net, u);
    p.row += p.rows;
    if (p.rows == 0 || p.row == h) p.image += p.images, p.row = 0;
    p.rows = rows < h - p.row ? rows : h - p.row;
    if (p.image >= end) p.images = 0;
    return p;
}

/* A piece of a load's value: where it stands if it is stored as it is, else computed into `to`. */
static const float *viewed(struct skl_net *net, const struct skl_load *l, const struct piece *p, struct skl_shape s,
                           float *to)
{
    const size_t at = begin_of(p, s);
    if (!l->scale && !l->add && !l->relu) return l->x + at * (size_t)s.c;
    net->o.kernels->load_rows(l, at, (int)pixels_of(p, s), s.c, to);
    return to;
}

/* How h is stored: with a sigmoid behind a tail, tail_forward leaves the gate's values. */
static struct skl_load h_view(struct skl_net *net, const struct unit *u, const float *x)
{
    if (u->decl.sigmoid && pointwise_tail(u)) return (struct skl_load){.x = u->b->ys[u->decl.convs - 1]};
    return shortcut_view(net, u, x);
}
static const float *h_of(struct skl_net *net, const struct unit *u, const struct skl_load *view, const struct piece *p,
                         float *to)
{
    const struct skl_shape s = h_shape(u);
    const float *h = viewed(net, view, p, s, to);
    if (!u->decl.sigmoid || pointwise_tail(u)) return h;
    net->o.kernels->sigmoid(pixels_of(p, s) * (size_t)s.c, h, to);
    return to;
}

void pointwise_h(struct skl_net *net, const struct unit *u, const float *x, int first, int n, float *h)
{
    const struct skl_load view = h_view(net, u, x);
    const struct piece p = {first, n, 0, 0};
    const struct skl_shape s = h_shape(u);
    const float *at = h_of(net, u, &view, &p, h);
    if (at != h) memcpy(h, at, pixels_of(&p, s) * (size_t)s.c * sizeof *h);
}

/* How the variant is told of a piece.  A band is an image of fewer rows. */
struct told {
    struct skl_call call;
    struct skl_unit place;
    struct own_tensors own;
};
static void tell(struct told *t, struct skl_net *net, struct unit *u, const struct piece *p, float *own_gradients,
                 float *scratch)
{
    t->call = make_call(net, u, p->image, p->images, own_gradients, &t->own);
    t->place = u->place;
    if (p->rows) t->place.out.h = p->rows;
    t->call.unit = &t->place;
    t->call.scratch = scratch;
}

/* ---- way 1 as the plain formula; what the fused path is tested against ---- */
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
    return !coef_learned(&u->a_coef) && !coef_learned(&u->b_coef) && u->a_coef.span != SKL_MASK;
}

/* image: its place in the group. */
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

/* ---- forward ---- */
SKL_VECTORIZE static void relu(size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = y[i] <= 0 ? 0 : y[i]; /* not a number stays so */
}

/* The tail reads x from the piece's first pixel on and is told of an image of the piece's rows. */
static struct skl_conv_shape tail_shape(const struct pointwise_job *j, const struct piece *p)
{
    struct skl_conv_shape s = j->tail->shape;
    if (p->rows) s.h = p->rows;
    return s;
}
static struct skl_load tail_load(const struct pointwise_job *j, const struct piece *p)
{
    struct skl_load x = j->tail_x;
    x.x += begin_of(p, conv_in(j->tail)) * (size_t)j->tail->shape.c;
    return x;
}

/* What the next band reads and writes. */
static size_t end_of(const struct piece *p, struct skl_shape s)
{
    return (begin_of(p, s) + pixels_of(p, s)) * (size_t)s.c;
}
static struct skl_ahead forward_ahead(const struct pointwise_job *j, const struct piece *p)
{
    const struct unit *u = j->u;
    const struct skl_shape s = u->place.out;
    const size_t next = end_of(p, s);
    struct skl_ahead a = {.floats = (int)pixels_of(p, s) * s.c};
    a.read[a.reads++] = j->x + next;
    a.read[a.reads++] = j->f.x + next;
    a.write[a.writes++] = (u->post ? u->b->s : j->out->z) + next;
    a.write[a.writes++] = (float *)j->h.x + end_of(p, h_shape(u));
    return a;
}
static struct skl_ahead backward_ahead(const struct pointwise_job *j, const struct piece *p)
{
    const struct skl_shape s = j->u->place.out;
    const size_t next = end_of(p, s);
    struct skl_ahead a = {.floats = (int)pixels_of(p, s) * s.c};
    a.read[a.reads++] = j->x + next;
    a.read[a.reads++] = j->f.x + next;
    a.read[a.reads++] = j->h.x + end_of(p, h_shape(j->u));
    a.write[a.writes++] = j->g + next;
    a.write[a.writes++] = j->dx + next;
    return a;
}

/* Into ys; with a sigmoid behind it, the gate's values themselves. */
static void tail_forward(struct skl_net *net, const struct pointwise_job *j, const struct piece *p, float *scratch)
{
    const struct unit *u = j->u;
    const struct skl_shape s = h_shape(u);
    const size_t pixels = pixels_of(p, s), floats = pixels * (size_t)s.c;
    float *h = u->b->ys[u->decl.convs - 1] + begin_of(p, s) * (size_t)s.c;
    const struct skl_load x = tail_load(j, p);
    const struct skl_store store = {.y = h};
    const struct skl_ahead ahead = forward_ahead(j, p);
    struct skl_conv_forward conv = {tail_shape(j, p), net->packed, net->o.kernels, &x, &store, p->rows ? &ahead : NULL};
    j->tail->kernel->forward(&conv, 0, p->images, NULL, scratch + net->range_floats);
    if (!u->decl.sigmoid) return;
    struct skl_load raw = shortcut_view(net, u, j->x);
    raw.x = h;
    if (raw.scale) net->o.kernels->load_rows(&raw, 0, (int)pixels, s.c, h);
    net->o.kernels->sigmoid(floats, h, h);
}

static void forward_piece(struct skl_net *net, struct pointwise_job *j, int chunk, const struct piece *p,
                          float *scratch)
{
    struct unit *u = j->u;
    const struct skl_shape s = u->place.out, xs = x_shape(u), hs = h_shape(u);
    const size_t at = begin_of(p, s), pixels = pixels_of(p, s), floats = pixels * (size_t)s.c;
    float *f_room = scratch, *h_room = f_room + floats, *own_scratch = h_room + pixels_of(p, hs) * (size_t)hs.c;
    if (j->tail) tail_forward(net, j, p, scratch);
    const float *h = h_of(net, u, &j->h, p, h_room), *f = viewed(net, &j->f, p, s, f_room);
    const bool stats = net->training && (u->post || j->out->bn);
    struct skl_store store = {.y = u->post ? u->b->s : j->out->z, .sums = stats};
    float *y = store.y + at * (size_t)s.c;
    struct told t;
    tell(&t, net, u, p, NULL, own_scratch);
    if (u->variant->forward)
        u->variant->forward(&t.call, j->x + begin_of(p, xs) * (size_t)xs.c, h, f, y);
    else
        affine_forward(u, &t.call, p->image, h, f, y);
    if (u->post_relu && !u->post) relu(floats, y);
    if (stats) net->o.kernels->store_rows(&store, at, (int)pixels, s.c, y, &net->sums[chunk]);
}

static void forward_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    struct pointwise_job *j = arg;
    for (struct piece p = first_piece(net, j->u, first, n); p.images; p = next_piece(net, j->u, p, first + n))
        forward_piece(net, j, chunk, &p, scratch);
}

/* Runs fn over all chunks, or once over the whole group where the variant mixes images. */
static void pointwise_run(struct skl_net *net, struct unit *u, chunk_fn *fn, struct pointwise_job *job)
{
    clear_sums(net, u->place.out.c);
    if (u->variant->flags & SKL_MIXES_IMAGES)
        fn(net, job, 0, 0, net->n, net->scratch[0]);
    else
        for_chunks(net, fn, job);
}

void pointwise_forward(struct skl_net *net, struct unit *u, const float *x, struct value *out)
{
    struct pointwise_job job = {
        .u = u, .x = x, .out = out, .h = h_view(net, u, x), .f = branch_view(u), .tail = pointwise_tail(u)};
    if (job.tail) {
        job.tail_x = shortcut_input(net, u, u->decl.convs - 1, x);
        conv_prepare(net, job.tail, false);
    }
    pointwise_run(net, u, forward_chunk, &job);
}

/* ---- backward ---- */
SKL_VECTORIZE static void add_to(size_t n, const float *restrict from, float *restrict to)
{
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

SKL_VECTORIZE static void through_sigmoid(size_t n, const float *restrict h, float *restrict dh)
{
    for (size_t i = 0; i < n; i++) dh[i] *= h[i] * (1 - h[i]);
}

static void backward_piece(struct skl_net *net, struct pointwise_job *j, int chunk, const struct piece *p, float *dh,
                           float *scratch)
{
    struct unit *u = j->u;
    const struct skl_shape s = u->place.out, xs = x_shape(u), hs = h_shape(u);
    const size_t at = begin_of(p, s), pixels = pixels_of(p, s), floats = pixels * (size_t)s.c;
    const size_t x_at = begin_of(p, xs) * (size_t)xs.c, x_floats = pixels_of(p, xs) * (size_t)xs.c;
    float *f_room = scratch, *df = f_room + floats, *h_room = df + floats,
          *own_scratch = h_room + pixels_of(p, hs) * (size_t)hs.c;
    const float *h = h_of(net, u, &j->h, p, h_room), *f = viewed(net, &j->f, p, s, f_room);
    const float *dy = j->g + at * (size_t)s.c;
    float *dx = j->dx + x_at;
    struct told t;
    tell(&t, net, u, p, net->own_partial + (size_t)chunk * net->own_stride, own_scratch);
    if (u->variant->backward) {
        u->variant->backward(&t.call, j->x + x_at, h, f, dy, dx, dh, df);
        if (u->decl.sigmoid) through_sigmoid(pixels_of(p, hs) * (size_t)hs.c, h, dh);
        if (!has_layers(u)) add_to(x_floats, dh, dx); /* h is x itself */
    } else {
        double *coef = j->coef + (size_t)chunk * 2 * (size_t)s.c;
        affine_backward(u, &t.call, p->image, h, f, dy, has_layers(u) ? dh : dx, df, coef, coef + s.c);
        if (has_layers(u)) memset(dx, 0, x_floats * sizeof *dx);
    }
    struct skl_store store = {.y = j->g, .sums = u->end != NULL};
    if (u->end) store.partner = u->b->y[u->convs - 1], store.pivot = u->end->mean;
    if (u->end_relu) store.gate = store.partner, store.gate_scale = u->end->scale, store.gate_shift = u->end->shift;
    net->o.kernels->store_rows(&store, at, (int)pixels, s.c, df, &net->sums[chunk]);
}

/* The tail's derivative for one piece: its bias's (sum of dh), its weight's, and what reaches x, added to dx. */
static void tail_backward(struct skl_net *net, struct pointwise_job *j, int chunk, const struct piece *p, bool first,
                          const float *dh, float *scratch)
{
    const struct skl_shape hs = h_shape(j->u);
    const size_t pixels = pixels_of(p, hs);
    float *mean = scratch, *work = scratch + net->range_floats, *one = work + net->conv_floats;
    float *dw = net->partial + (size_t)chunk * net->partial_stride;
    if (j->tail->bias >= 0) {
        net->o.kernels->pool((int)pixels, hs.c, dh, mean);
        for (int k = 0; k < hs.c; k++)
            net->bias_sum[(size_t)chunk * (size_t)net->widest + (size_t)k] += (double)mean[k] * (double)pixels;
    }
    if (j->u->decl.convs > 1) return; /* more layers below: they run over the whole group */
    float *dx = j->dx + begin_of(p, conv_in(j->tail)) * (size_t)j->tail->shape.c;
    const struct skl_load x = tail_load(j, p), dy = {.x = dh};
    struct skl_store store = {.y = dx, .add = dx};
    const struct skl_ahead ahead = backward_ahead(j, p);
    struct skl_conv_backward conv = {tail_shape(j, p),       net->packed, net->o.kernels, &x, &dy, &store,
                                     p->rows ? &ahead : NULL};
    j->tail->kernel->backward(&conv, 0, p->images, first ? dw : one, NULL, work);
    if (!first) add_to(j->tail->kernel->gradient_floats(&j->tail->shape), one, dw);
}

/* Where the tail runs here too, a piece's dh is used up at once: the chunk's pieces share one place, in the cache. */
static void backward_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    struct pointwise_job *j = arg;
    const struct skl_shape hs = h_shape(j->u);
    const bool shared = j->tail && j->u->decl.convs == 1;
    const struct piece start = first_piece(net, j->u, first, n);
    for (struct piece p = start; p.images; p = next_piece(net, j->u, p, first + n)) {
        float *dh = j->dh + begin_of(shared ? &start : &p, hs) * (size_t)hs.c;
        backward_piece(net, j, chunk, &p, dh, scratch);
        if (j->tail) tail_backward(net, j, chunk, &p, p.image == first && p.row == 0, dh, scratch);
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

void pointwise_backward(struct skl_net *net, struct unit *u, const float *x, float *g, float *dx, float *dh)
{
    const size_t c = (size_t)u->place.out.c;
    struct pointwise_job job = {.u = u,
                                .x = x,
                                .g = g,
                                .dx = dx,
                                .dh = dh,
                                .coef = net->coef_sum,
                                .h = h_view(net, u, x),
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
