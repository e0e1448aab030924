/* The shortcut h(x_l): projection where the shape changes, the layers that a variant declared, dropout's mask. */
#include "core/nn/internal.h"

struct skl_place unit_x(const struct unit *u, const struct signal *in)
{
    if (u->decl.source == SKL_RAW_X) return in->z;
    return u->projection != PROJECT_NONE ? u->at->p : u->pre_before_split ? u->at->a : in->z;
}

struct skl_place shortcut_raw(const struct unit *u, struct skl_place x)
{
    return has_layers(u) ? u->at->ys[u->decl.convs - 1] : x;
}

/* Where branch and shortcut part. */
static struct skl_place split_of(const struct unit *u, const struct signal *in)
{
    return u->pre_before_split ? u->at->a : in->z;
}

static struct skl_operand layer_input(const struct skl_net *net, const struct unit *u, int i, struct skl_place x)
{
    if (i == 0) return plain(x);
    struct skl_operand h = bn_view(u->shortcut_bn[i - 1], u->at->ys[i - 1], false);
    if (!u->shortcut_bn[i - 1] && u->shortcut_conv[i - 1].bias >= 0)
        h.scale = net->ones, h.shift = value_of(net, u->shortcut_conv[i - 1].bias), h.same = true;
    return h;
}

struct skl_operand shortcut_view(const struct skl_net *net, const struct unit *u, struct skl_place x)
{
    return layer_input(net, u, u->decl.convs, x);
}

/* ---- forward ---- */
static void project_forward(struct skl_net *net, struct unit *u, struct skl_place x)
{
    const struct skl_device_ops *ops = net->device->ops;
    if (u->projection == PROJECT_PAD) ops->pad(net->device, x, u->at->p, net->n, u->place.in, u->place.out, false);
    if (u->projection != PROJECT_CONV) return;
    conv_bn_forward(net, &u->project_conv, u->project_bn, plain(x), u->project_bn ? u->at->py : u->at->p);
    if (u->project_bn)
        map(net, bn_view(u->project_bn, u->at->py, false), (struct skl_result){.y = u->at->p}, u->place.out);
}

struct skl_operand shortcut_forward(struct skl_net *net, struct unit *u, struct signal *in)
{
    const int layers = u->decl.convs - u->fusion.tail; /* a tail runs in the merge's pass */
    const struct skl_place x = unit_x(u, in);
    if (projected(u)) project_forward(net, u, split_of(u, in));
    for (int i = 0; i < layers; i++)
        conv_bn_forward(net, &u->shortcut_conv[i], u->shortcut_bn[i], layer_input(net, u, i, x), u->at->ys[i]);
    if (u->a.kind == COEF_MASK && u->fusion.way != MERGE_PASS)
        net->device->ops->keep_bits(net->device, make_call(net, u).rng_key, u->a.said.drop, net->first, net->n,
                                    skl_shape_floats(u->place.out), u->bits);
    return shortcut_view(net, u, x);
}

/* ---- backward ---- */
struct skl_operand arrived(const struct skl_net *net, struct along p)
{
    if (!skl_there(p.scale) && !skl_there(p.keep)) return plain(p.g);
    return (struct skl_operand){
        .x = p.g, .scale = net->zeros, .shift = net->zeros, .add = p.g, .add_scale = p.scale, .keep = p.keep};
}

struct skl_place shortcut_dx(const struct skl_net *net, const struct unit *u)
{
    return projected(u) ? net->d.p : net->d.along;
}

/* The gradient of the last layer's raw output, and its batch norm's and bias's; g: of what comes out of both. */
static struct skl_operand top_backward(struct skl_net *net, struct unit *u, struct skl_place g)
{
    const int top = u->decl.convs - 1;
    const struct conv_layer *l = &u->shortcut_conv[top];
    struct bn_layer *bn = u->shortcut_bn[top];
    /* Fused: g is dE/dy, still to be scaled by a, and its sums are made. */
    const bool fused = u->fusion.way != MERGE_PASS;
    const struct skl_place none = {NULL, 0}, a = fused ? u->a.v : none, ys = u->at->ys[top];
    if (!fused && (bn || l->bias >= 0)) map(net, plain(g), summed(net, g, bn, ys), conv_out(l));
    if (bn) {
        net->device->ops->bn_backward(net->device, &bn->n, net->sums, fused, a, net->accumulate);
        clear_gradient(net, l->bias); /* the batch norm takes any constant out again */
        return bn_gradient(bn, g, ys);
    }
    bias_backward(net, l, a);
    return fused ? (struct skl_operand){.x = g, .scale = a, .shift = net->zeros} : plain(g);
}

/* Down the layers; after a pass, dx holds what reaches x besides. */
static void layers_backward(struct skl_net *net, struct unit *u, struct skl_place x, struct skl_place g,
                            struct skl_place dx)
{
    struct skl_operand dy = top_backward(net, u, g);
    struct skl_place below = net->d.spare;
    for (int i = u->decl.convs - 1; i > 0; i--) {
        struct bn_layer *bn = u->shortcut_bn[i - 1];
        const struct conv_layer *l = &u->shortcut_conv[i - 1];
        conv_backward(net, &u->shortcut_conv[i], layer_input(net, u, i, x), dy,
                      summed(net, below, bn, u->at->ys[i - 1]));
        dy = bn ? bn_gradient(bn, below, u->at->ys[i - 1]) : plain(below);
        if (bn)
            bn_backward(net, bn), clear_gradient(net, l->bias);
        else
            bias_backward(net, l, (struct skl_place){NULL, 0});
        below = skl_same_place(below, net->d.h) ? net->d.spare : net->d.h;
    }
    struct skl_result result = {.y = dx};
    if (u->fusion.way == MERGE_PASS) result.add = dx;
    conv_backward(net, &u->shortcut_conv[0], plain(x), dy, result);
}

/* The projection got nothing. */
static struct along project_nothing(struct skl_net *net, struct unit *u)
{
    if (u->projection == PROJECT_CONV) clear_gradient(net, u->project_conv.weight);
    if (u->project_bn) clear_gradient(net, u->project_bn->gamma), clear_gradient(net, u->project_bn->beta);
    return (struct along){.g = {NULL, 0}};
}

/* From the projected input's gradient back to the shape of the unit's input. */
static struct along project_backward(struct skl_net *net, struct unit *u, struct skl_place x, struct along p)
{
    if (!skl_there(p.g)) return project_nothing(net, u);
    struct skl_place dp = p.g;
    if (skl_there(p.scale) || skl_there(p.keep) || u->project_bn) {
        dp = net->d.p;
        map(net, arrived(net, p),
            u->project_bn ? summed(net, dp, u->project_bn, u->at->py) : (struct skl_result){.y = dp}, u->place.out);
    }
    if (u->projection == PROJECT_PAD) {
        net->device->ops->pad(net->device, dp, net->d.along, net->n, u->place.in, u->place.out, true);
    } else {
        if (u->project_bn) bn_backward(net, u->project_bn);
        conv_backward(net, &u->project_conv, plain(x),
                      u->project_bn ? bn_gradient(u->project_bn, dp, u->at->py) : plain(dp),
                      (struct skl_result){.y = net->d.along});
    }
    return (struct along){.g = net->d.along};
}

struct along shortcut_backward(struct skl_net *net, struct unit *u, struct signal *in, struct along dh)
{
    if (has_layers(u)) {
        const struct along dx = {.g = shortcut_dx(net, u)};
        if (!u->fusion.tail) layers_backward(net, u, unit_x(u, in), dh.g, dx.g);
        dh = dx;
    }
    return projected(u) ? project_backward(net, u, split_of(u, in), dh) : dh;
}
