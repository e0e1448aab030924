/* One residual unit, forward and backward side by side:  y = merge(h(x), F(x)),  x' = f(y)  (equations (4), (5)).
 * The five unit orders differ in where batch norms and ReLUs stand (build.c), not in this file's path. */
#include <string.h>
#include "core/nn/internal.h"

/* ---- values ---- */
struct skl_load value_take(struct value *v)
{
    if (v->ready) return (struct skl_load){.x = v->z};
    struct skl_load l = v->pending;
    l.out = v->z;
    v->ready = true;
    return l;
}

void value_write(struct skl_net *net, struct value *v)
{
    if (v->ready) return;
    struct skl_store store = {.y = v->z};
    map(net, &v->pending, &store, v->shape);
    v->ready = true;
}

/* The unit's input as the variant sees it. */
const float *unit_x(const struct unit *u, const struct value *in)
{
    if (u->decl.source == SKL_RAW_X) return in->z;
    return u->projection != PROJECT_NONE ? u->b->p : u->pre_before_split ? u->b->a : in->z;
}

static const float *bias_of(const struct skl_net *net, const struct conv_layer *l)
{
    return l->bias >= 0 ? tensor_value(net, l->bias) : NULL;
}

/* A convolution and the statistics of the batch norm that follows it (bn NULL: none). */
static void conv_bn_forward(struct skl_net *net, const struct conv_layer *l, struct bn_layer *bn,
                            const struct skl_load *load, float *y)
{
    struct skl_store store = {.y = y, .sums = net->training && bn != NULL};
    conv_forward(net, l, load, &store);
    if (store.sums) bn_from_sums(net, bn, bias_of(net, l));
}

/* ---- option A: every stride-th pixel, zero channels appended ---- */
struct pad_job {
    const struct unit *u;
    const float *from;
    float *to;
    bool backward;
};
static void pad_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    (void)net, (void)chunk, (void)scratch;
    const struct pad_job *j = arg;
    const struct skl_shape in = j->u->place.in, out = j->u->place.out;
    const int stride = unit_stride(&j->u->place);
    for (int i = first; i < first + n; i++) {
        const float *from = j->from + (size_t)i * shape_floats(j->backward ? out : in);
        float *to = j->to + (size_t)i * shape_floats(j->backward ? in : out);
        memset(to, 0, sizeof *to * shape_floats(j->backward ? in : out));
        for (int y = 0; y < out.h; y++)
            for (int x = 0; x < out.w; x++) {
                size_t at_in = ((size_t)y * (size_t)stride * (size_t)in.w + (size_t)(x * stride)) * (size_t)in.c;
                size_t at_out = ((size_t)y * (size_t)out.w + (size_t)x) * (size_t)out.c;
                memcpy(to + (j->backward ? at_in : at_out), from + (j->backward ? at_out : at_in),
                       sizeof *to * (size_t)in.c);
            }
    }
}

static const float *project_forward(struct skl_net *net, struct unit *u, const float *x)
{
    if (u->projection == PROJECT_NONE) return x;
    if (u->projection == PROJECT_PAD) {
        for_chunks(net, pad_chunk, &(struct pad_job){u, x, u->b->p, false});
        return u->b->p;
    }
    struct skl_load load = {.x = x};
    conv_bn_forward(net, &u->project_conv, u->project_bn, &load, u->project_bn ? u->b->py : u->b->p);
    if (!u->project_bn) return u->b->p;
    struct skl_load view = bn_view(u->project_bn, u->b->py, false);
    struct skl_store store = {.y = u->b->p};
    map(net, &view, &store, u->place.out);
    return u->b->p;
}

/* dp: gradient of the projected input; its sums for project_bn are in place.  dx: gradient of the unit's input. */
static void project_backward(struct skl_net *net, struct unit *u, const float *x, const float *dp, float *dx)
{
    if (u->projection == PROJECT_PAD) {
        for_chunks(net, pad_chunk, &(struct pad_job){u, dp, dx, true});
        return;
    }
    struct skl_load xl = {.x = x}, dy = {.x = dp};
    if (u->project_bn) {
        bn_gradient(net, u->project_bn, NULL, false);
        dy = bn_gradient_load(u->project_bn, dp, u->b->py);
    }
    struct skl_store store = {.y = dx};
    conv_backward(net, &u->project_conv, &xl, &dy, &store);
}

/* ---- the layers a variant declared on the shortcut path ---- */
static void shortcut_forward(struct skl_net *net, struct unit *u, const float *x)
{
    const struct conv_layer *tail = pointwise_tail(u);
    for (int i = 0; i < u->decl.convs && &u->shortcut_conv[i] != tail; i++) {
        struct skl_load load = shortcut_input(net, u, i, x);
        conv_bn_forward(net, &u->shortcut_conv[i], u->shortcut_bn[i], &load, u->b->ys[i]);
    }
}

/* dy: gradient of the last layer's raw output.  dx: where the gradient of x goes, added to what is there if `add`. */
static void shortcut_backward(struct skl_net *net, struct unit *u, const float *x, struct skl_load dy, float *dx,
                              bool add, float *spare)
{
    for (int i = u->decl.convs - 1; i >= 0; i--) {
        const struct conv_layer *l = &u->shortcut_conv[i];
        struct skl_load xl = shortcut_input(net, u, i, x);
        struct skl_store store = {.y = i == 0 ? dx : spare, .add = i == 0 && add ? dx : NULL};
        struct bn_layer *below = i > 0 ? u->shortcut_bn[i - 1] : NULL;
        if (i > 0) store.sums = true, store.partner = u->b->ys[i - 1], store.pivot = below ? below->mean : NULL;
        conv_backward(net, l, &xl, &dy, &store);
        if (i == 0) break;
        dy = (struct skl_load){.x = spare};
        const struct conv_layer *next = &u->shortcut_conv[i - 1];
        if (below) bn_gradient(net, below, NULL, false), dy = bn_gradient_load(below, spare, u->b->ys[i - 1]);
        if (next->bias >= 0)
            for (int c = 0; c < next->shape.k; c++)
                add_gradient(net, next->bias, (size_t)c, below ? 0 : chunk_total(net, 0, c));
    }
}

/* ---- forward ---- */
static bool sum_fits_epilogue(const struct skl_net *net, const struct unit *u)
{
    const struct skl_coef *b = &u->b_coef;
    bool h_raw =
        u->decl.convs == 0 || (!u->shortcut_bn[u->decl.convs - 1] && u->shortcut_conv[u->decl.convs - 1].bias < 0);
    (void)net;
    return u->fused && !u->end && !u->post_relu && !b->v && b->k == 1.0f && h_raw;
}

static bool adds_shortcut(const struct unit *u)
{
    return u->a_coef.v || u->a_coef.span == SKL_MASK || u->a_coef.k != 0;
}

static void branch_forward(struct skl_net *net, struct unit *u, const float *x, struct value *out)
{
    for (int j = 1; j < u->convs; j++) {
        struct skl_load load = bn_view(u->mid[j - 1], u->b->y[j - 1], true);
        bool last = j == u->convs - 1;
        if (last && u->in_epilogue) {
            struct bn_layer *bn = u->post ? u->post : out->bn;
            struct skl_store store = {.y = u->post ? u->b->s : out->z, .sums = net->training && bn};
            const bool one = !u->a_coef.v && u->a_coef.span == SKL_ONE && u->a_coef.k == 1.0f;
            if (adds_shortcut(u)) {
                store.add = u->decl.convs ? u->b->ys[u->decl.convs - 1] : x;
                store.add_scale = one ? NULL : u->a_vec;
                store.keep = u->a_coef.span == SKL_MASK ? u->mask : NULL;
            }
            conv_forward(net, &u->conv[j], &load, &store);
            return;
        }
        conv_bn_forward(net, &u->conv[j], last ? u->end : u->mid[j], &load, u->b->y[j]);
    }
}

/* The unit's output after the sum: f(y).  Sets `out` pending or ready. */
static void finish_forward(struct skl_net *net, struct unit *u, const float *x, struct value *out)
{
    const bool stats = net->training && (u->post || out->bn);
    struct skl_store store = {.y = u->post ? u->b->s : out->z, .sums = stats};
    bool written = u->in_epilogue || !u->fused;
    if (!u->fused) pointwise_forward(net, u, x, out);
    if (!written && u->end_relu) {
        struct skl_load f = branch_view(u);
        if (adds_shortcut(u)) {
            store.add = x;
            store.add_scale = u->a_vec;
            store.keep = u->a_coef.span == SKL_MASK ? u->mask : NULL;
        }
        map(net, &f, &store, u->place.out);
        written = true;
    } else if (!written) {
        struct skl_load y = merged_load(net, u, x);
        if (!u->post && !out->bn) {
            out->pending = y;
            out->pending.relu = u->post_relu;
            out->ready = false;
            return;
        }
        map(net, &y, &store, u->place.out);
    }
    if (u->post) {
        if (net->training) bn_from_sums(net, u->post, NULL);
        out->pending = bn_view(u->post, u->b->s, u->post_relu);
        out->ready = false;
        return;
    }
    if (out->bn && net->training) bn_from_sums(net, out->bn, NULL);
    out->ready = true;
}

/* What F's first convolution reads; *x becomes the unit's input as the shortcut sees it. */
static struct skl_load first_load(struct skl_net *net, struct unit *u, struct value *in)
{
    if (!u->pre && !u->pre_relu) return value_take(in);
    value_write(net, in); /* where u->pre is a batch norm, the unit below has written it with its statistics */
    struct skl_load act = bn_view(u->pre, in->z, true);
    if (!u->pre_before_split) return act;
    act.out = u->b->a;
    return act;
}

void unit_forward(struct skl_net *net, struct unit *u, struct value *in, struct value *out)
{
    merge_coefficients(net, u);
    u->in_epilogue = sum_fits_epilogue(net, u);
    struct skl_load load = first_load(net, u, in);
    if (u->in_epilogue && u->convs == 1) SKL_BUG("a unit has two convolutions at least");
    conv_bn_forward(net, &u->conv[0], u->mid[0], &load, u->b->y[0]);
    const float *split = u->pre_before_split ? u->b->a : in->z;
    const float *x = u->decl.source == SKL_RAW_X ? in->z : project_forward(net, u, split);
    shortcut_forward(net, u, x);
    branch_forward(net, u, x, out);
    finish_forward(net, u, x, out);
}

/* ---- backward ---- */

/* The gradient that comes along the shortcut, as the store of the branch's gradient will add it. */
struct along {
    const float *g, *scale;
    const uint8_t *keep;
};

static struct along scaled(const struct unit *u, const float *g)
{
    if (!adds_shortcut(u)) return (struct along){NULL, NULL, NULL};
    const bool one = !u->a_coef.v && u->a_coef.span == SKL_ONE && u->a_coef.k == 1.0f;
    return (struct along){g, one ? NULL : u->a_vec, u->a_coef.span == SKL_MASK ? u->mask : NULL};
}

/* Through a projection: dp = a keep g first, then back to the input's shape. */
static struct along through_projection(struct skl_net *net, struct unit *u, const float *split, struct along p,
                                       float *dp, float *dx)
{
    if (!p.g) {
        memset(dx, 0, (size_t)net->n * shape_floats(u->place.in) * sizeof *dx);
        if (u->projection != PROJECT_CONV) return (struct along){NULL, NULL, NULL};
        p.g = net->g, p.scale = net->zeros; /* the projection's tensors get a zero gradient */
    }
    struct skl_load load = {
        .x = p.g, .scale = net->zeros, .shift = net->zeros, .add = p.g, .add_scale = p.scale, .keep = p.keep};
    struct skl_store store = {.y = dp, .sums = u->project_bn != NULL};
    if (u->project_bn) store.partner = u->b->py, store.pivot = u->project_bn->mean;
    map(net, &load, &store, u->place.out);
    project_backward(net, u, split, dp, dx);
    return (struct along){dx, NULL, NULL};
}

static void bias_gradients(struct skl_net *net, struct unit *u, const float *factor)
{
    const struct conv_layer *l = &u->shortcut_conv[u->decl.convs - 1];
    if (l->bias < 0) return;
    for (int c = 0; c < l->shape.k; c++)
        add_gradient(net, l->bias, (size_t)c,
                     u->shortcut_bn[u->decl.convs - 1] ? 0 : (factor ? factor[c] : 1) * chunk_total(net, 0, c));
}

/* Way 1, fused: from net->g and its sums.  Returns the gradient of F's last raw output and sets *r. */
static struct skl_load fused_backward(struct skl_net *net, struct unit *u, const float *x, const float *split,
                                      struct along *r)
{
    const int last = u->convs - 1, top = u->decl.convs - 1;
    struct bn_layer *sbn = top >= 0 ? u->shortcut_bn[top] : NULL;
    struct skl_load df = {.x = net->g};
    if (u->b_coef.v || u->b_coef.k != 1.0f) df.scale = u->b_vec, df.shift = net->zeros;
    merge_sums_to_gradients(net, u);
    if (u->end && !u->end_relu) {
        bn_gradient(net, u->end, u->b_vec, false);
        df = bn_gradient_load(u->end, net->g, u->b->y[last]);
    }
    if (sbn) bn_gradient(net, sbn, u->a_vec, true);
    if (top >= 0) bias_gradients(net, u, u->a_vec);
    if (u->end_relu) {
        struct skl_store store = {.y = net->t[2],
                                  .gate = u->b->y[last],
                                  .gate_scale = u->end->scale,
                                  .gate_shift = u->end->shift,
                                  .sums = true,
                                  .partner = u->b->y[last],
                                  .pivot = u->end->mean};
        map(net, &df, &store, u->place.out);
        bn_gradient(net, u->end, NULL, false);
        df = bn_gradient_load(u->end, net->t[2], u->b->y[last]);
    }
    if (top < 0) {
        *r = scaled(u, net->g);
        if (u->projection != PROJECT_NONE && u->decl.source == SKL_X)
            *r = through_projection(net, u, split, *r, net->t[0], net->r);
        return df;
    }
    struct skl_load dy = {.x = net->g, .scale = u->a_vec, .shift = net->zeros};
    if (sbn) dy = bn_gradient_load(sbn, net->g, u->b->ys[top]);
    shortcut_backward(net, u, x, dy, net->r, false, net->t[0]);
    *r = (struct along){net->r, NULL, NULL};
    if (u->projection != PROJECT_NONE && u->decl.source == SKL_X) {
        struct along dp = {net->r, NULL, NULL};
        *r = through_projection(net, u, split, dp, net->t[0], net->t[1]);
        float *swap = net->r;
        net->r = net->t[1], net->t[1] = swap;
        r->g = net->r;
    }
    return df;
}

/* Pointwise: the variant's own backward.  df takes the place of g, dx goes to r, dh to t[0]. */
static struct skl_load general_backward(struct skl_net *net, struct unit *u, const float *x, const float *split,
                                        struct along *r)
{
    const int last = u->convs - 1, top = u->decl.convs - 1;
    struct skl_load df = {.x = net->g};
    pointwise_backward(net, u, x, net->g, net->r, net->t[0]);
    if (u->end) {
        bn_gradient(net, u->end, NULL, false);
        df = bn_gradient_load(u->end, net->g, u->b->y[last]);
    }
    const bool done = top == 0 && pointwise_tail(u); /* by pointwise_backward */
    if (top >= 0 && !done) {
        struct bn_layer *sbn = u->shortcut_bn[top];
        struct skl_load dh = {.x = net->t[0]};
        if (sbn) {
            struct skl_store store = {.y = net->t[0], .sums = true, .partner = u->b->ys[top], .pivot = sbn->mean};
            map(net, &dh, &store, conv_out(&u->shortcut_conv[top]));
            bn_gradient(net, sbn, NULL, false);
            dh = bn_gradient_load(sbn, net->t[0], u->b->ys[top]);
        } else if (!pointwise_tail(u)) {
            struct skl_store store = {.y = net->t[0], .sums = true, .partner = u->b->ys[top]};
            map(net, &dh, &store, conv_out(&u->shortcut_conv[top]));
        }
        if (!pointwise_tail(u)) bias_gradients(net, u, NULL);
        shortcut_backward(net, u, x, dh, net->r, true, net->t[1]);
    }
    *r = (struct along){net->r, NULL, NULL};
    if (u->projection != PROJECT_NONE && u->decl.source == SKL_X) {
        *r = through_projection(net, u, split, *r, net->t[0], net->t[1]);
        float *swap = net->r;
        net->r = net->t[1], net->t[1] = swap;
        r->g = net->r;
    }
    return df;
}

/* A batch norm after the addition: net->g becomes the gradient of the sum, with the sums learned coefficients need. */
static void post_backward(struct skl_net *net, struct unit *u, const float *x)
{
    bn_gradient(net, u->post, NULL, false);
    struct skl_load load = bn_gradient_load(u->post, net->g, u->b->s);
    struct skl_store store = {.y = net->g};
    if (u->fused) {
        const int top = u->decl.convs - 1;
        store.sums = true;
        store.partner = u->in_epilogue ? u->b->s : u->b->y[u->convs - 1];
        store.partner2 = top >= 0 ? u->b->ys[top] : x;
        store.pivot2 = top >= 0 && u->shortcut_bn[top] ? u->shortcut_bn[top]->mean : NULL;
    }
    map(net, &load, &store, u->place.out);
}

/* Down F from its last convolution to its first; df: gradient of the last one's raw output.  Returns the first's. */
static struct skl_load branch_backward(struct skl_net *net, struct unit *u, struct skl_load df)
{
    for (int j = u->convs - 1; j > 0; j--) {
        struct bn_layer *mid = u->mid[j - 1];
        struct skl_load x = bn_view(mid, u->b->y[j - 1], true);
        struct skl_store store = {.y = net->t[j & 1],
                                  .gate = x.x,
                                  .gate_scale = x.scale,
                                  .gate_shift = x.shift,
                                  .sums = true,
                                  .partner = x.x,
                                  .pivot = mid->mean};
        conv_backward(net, &u->conv[j], &x, &df, &store);
        bn_gradient(net, mid, NULL, false);
        df = bn_gradient_load(mid, net->t[j & 1], u->b->y[j - 1]);
    }
    return df;
}

/* Through the merge, from net->g and its sums: returns the gradient of F's last raw output and sets *r, the one that
 * came along the shortcut. */
static struct skl_load merge_backward(struct skl_net *net, struct unit *u, struct value *in, struct along *r)
{
    const float *split = u->pre_before_split ? u->b->a : in->z;
    const float *x = unit_x(u, in);
    if (u->post) post_backward(net, u, x);
    return u->fused ? fused_backward(net, u, x, split, r) : general_backward(net, u, x, split, r);
}

void unit_backward(struct skl_net *net, struct unit *u, struct value *in)
{
    struct along r;
    struct skl_load df = branch_backward(net, u, merge_backward(net, u, in, &r));

    float *to = r.g == net->r ? net->r : net->g; /* the shortcut's gradient is added in place */
    struct skl_store sink;
    value_sink(net, (int)(in - net->value), &sink);
    sink.y = to;
    if (!u->pre && !u->pre_relu) {
        struct skl_load xl = {.x = in->z};
        sink.add = r.g, sink.add_scale = r.scale, sink.keep = r.keep;
        conv_backward(net, &u->conv[0], &xl, &df, &sink);
    } else {
        const bool inside = u->pre_before_split; /* the shortcut's gradient meets before the activation */
        struct skl_load act = bn_view(u->pre, in->z, true), xl = inside ? (struct skl_load){.x = u->b->a} : act;
        struct skl_store store = {.y = net->t[0], .gate = act.x, .gate_scale = act.scale, .gate_shift = act.shift};
        if (u->pre) store.sums = true, store.partner = in->z, store.pivot = u->pre->mean;
        if (inside) store.add = r.g, store.add_scale = r.scale, store.keep = r.keep;
        if (store.y == df.x) store.y = net->t[2];
        conv_backward(net, &u->conv[0], &xl, &df, &store);
        if (u->pre) bn_gradient(net, u->pre, NULL, false);
        struct skl_load load = u->pre ? bn_gradient_load(u->pre, store.y, in->z) : (struct skl_load){.x = store.y};
        if (!inside) sink.add = r.g, sink.add_scale = r.scale, sink.keep = r.keep;
        map(net, &load, &sink, in->shape);
    }
    if (to == net->r) {
        net->r = net->g;
        net->g = to;
    }
}

void unit_shortcut_backward(struct skl_net *net, struct unit *u, struct value *in)
{
    struct along r;
    merge_backward(net, u, in, &r);
    if (!r.g) {
        memset(net->g, 0, (size_t)net->n * shape_floats(in->shape) * sizeof *net->g);
        return;
    }
    float *to = r.g == net->r ? net->r : net->g;
    struct skl_load load = {.x = r.g};
    if (r.scale || r.keep)
        load.scale = load.shift = net->zeros, load.add = r.g, load.add_scale = r.scale, load.keep = r.keep;
    struct skl_store store = {.y = to};
    if (u->pre_before_split) {
        struct skl_load act = bn_view(u->pre, in->z, true);
        store.gate = act.x, store.gate_scale = act.scale, store.gate_shift = act.shift;
        if (u->pre) store.sums = true, store.partner = in->z, store.pivot = u->pre->mean;
    }
    map(net, &load, &store, in->shape);
    if (u->pre_before_split && u->pre) {
        bn_gradient(net, u->pre, NULL, false);
        load = bn_gradient_load(u->pre, to, in->z);
        map(net, &load, &(struct skl_store){.y = to}, in->shape);
    }
    if (to == net->r) net->r = net->g, net->g = to;
}

/* How the gradient of value[i] is written: the ReLU mask of the unit that made it and the sums its batch norms need. */
void value_sink(struct skl_net *net, int value, struct skl_store *sink)
{
    *sink = (struct skl_store){.y = NULL};
    if (net->watch) return; /* the probe wants the gradient as it is; it applies the sink afterwards */
    if (value == 0) {
        *sink =
            (struct skl_store){.gate = net->stem_z, .sums = true, .partner = net->stem_y, .pivot = net->stem_bn->mean};
        return;
    }
    struct unit *u = &net->unit[value - 1];
    const int last = u->convs - 1, top = u->decl.convs - 1;
    if (u->post_relu) sink->gate = u->b->z;
    if (u->post) {
        sink->sums = true, sink->partner = u->b->s, sink->pivot = u->post->mean;
        return;
    }
    const bool learns = u->variant->affine_grad != NULL;
    if (!u->fused || !((u->end && !u->end_relu) || learns || top >= 0)) return;
    sink->sums = true;
    const struct value *in = &net->value[value - 1];
    const float *x = u->projection == PROJECT_NONE || u->decl.source == SKL_RAW_X
                         ? (u->pre_before_split ? u->b->a : in->z)
                         : u->b->p;
    const float *h = top >= 0 ? u->b->ys[top] : x;
    sink->partner = u->in_epilogue ? h : u->b->y[last];
    sink->pivot = u->end && !u->in_epilogue ? u->end->mean : NULL;
    if (top < 0 && !learns) return;
    sink->partner2 = h;
    sink->pivot2 = top >= 0 && u->shortcut_bn[top] ? u->shortcut_bn[top]->mean : NULL;
}
