/* Where the two paths meet: y_l = h(x_l) + F(x_l), or what a variant makes of it, and f after it.  The ways: fuse.c. */
#include "core/nn/internal.h"

/* ---- y = a h + b F inside an operand or a result ---- */
/* b F + a h as one operand: the factors go into its vectors. */
struct skl_operand merged(struct skl_net *net, struct unit *u, struct skl_operand h, struct skl_operand F)
{
    struct skl_operand y = {.x = F.x, .scale = F.scale, .shift = F.shift};
    const bool blended = skl_there(h.scale) || u->b.kind != COEF_ONE;
    if (blended) {
        const struct skl_blend job = {.c = u->place.out.c,
                                      .a = u->a.v,
                                      .b = u->b.v,
                                      .f_scale = F.scale,
                                      .f_shift = F.shift,
                                      .h_scale = h.scale,
                                      .h_shift = h.shift,
                                      .h_same = h.same,
                                      .scale = u->m_scale,
                                      .shift = u->m_shift,
                                      .add_scale = u->m_add};
        net->device->ops->blend(net->device, &job);
        y.scale = u->m_scale, y.shift = u->m_shift;
    }
    if (!u->fusion.adds) return y; /* the plain net reads no shortcut; h's shift is 0 times something */
    y.add = h.x;
    if (u->a.kind != COEF_ONE || skl_there(h.scale)) y.add_scale = blended ? u->m_add : u->a.v;
    if (u->a.kind == COEF_MASK) y.keep = u->bits;
    return y;
}

/* y with a h added. */
static struct skl_result adding(const struct unit *u, struct skl_result y, struct skl_place h)
{
    if (!u->fusion.adds) return y;
    y.add = h;
    if (u->a.kind != COEF_ONE) y.add_scale = u->a.v;
    if (u->a.kind == COEF_MASK) y.keep = u->bits;
    return y;
}

/* ---- a pass ---- */
static struct skl_factor factor_of(const struct coefficient *k)
{
    return (struct skl_factor){.span = k->said.span,
                               .v = k->v,
                               .drop = k->said.drop,
                               .learned = k->kind == COEF_LEARNED,
                               .back = k->said.back ? k->back : (struct skl_place){NULL, 0}};
}

struct pass {
    struct skl_merge job;
    struct skl_tail tail;
};
static void pass_of(struct pass *pass, struct skl_net *net, const struct unit *u, struct skl_place x)
{
    pass->job = (struct skl_merge){.variant = u->variant,
                                   .call = make_call(net, u),
                                   .decl = &u->decl,
                                   .a = factor_of(&u->a),
                                   .b = factor_of(&u->b),
                                   .x_shape = x_shape(u),
                                   .h_shape = h_shape(u),
                                   .x = x,
                                   .h = shortcut_view(net, u, x),
                                   .f = branch_view(u),
                                   .layers = has_layers(u),
                                   .keep = u->keep,
                                   .plain = net->o.pointwise,
                                   .accumulate = net->accumulate};
    for (int i = 0; i < u->decl.owns; i++)
        pass->job.own[i] = net->at[u->own[i]].value, pass->job.down[i] = net->at[u->own[i]].grad;
    if (!u->fusion.tail) return;
    const struct conv_layer *l = &u->shortcut_conv[0];
    pass->tail = (struct skl_tail){
        .plan = &l->plan, .x = plain(x), .weight = value_of(net, l->weight), .dweight = net->at[l->weight].grad};
    if (l->bias >= 0) pass->tail.bias = value_of(net, l->bias), pass->tail.dbias = net->at[l->bias].grad;
    pass->job.tail = &pass->tail;
}

void merge_pass(struct skl_net *net, struct unit *u, struct skl_place x, struct skl_result y, bool relu)
{
    struct pass pass;
    pass_of(&pass, net, u, x);
    pass.job.y = y;
    pass.job.relu = relu;
    net->device->ops->merge_forward(net->device, &pass.job);
}

/* The variant's own backward: F's gradient takes the place of y's. */
static struct skl_operand pass_backward(struct skl_net *net, struct unit *u, struct skl_place x, struct along *dh)
{
    const struct skl_operand F = branch_view(u);
    struct pass pass;
    pass_of(&pass, net, u, x);
    pass.job.dy = net->d.y;
    pass.job.dx = shortcut_dx(net, u);
    pass.job.dh = net->d.h;
    pass.job.df = (struct skl_result){.y = net->d.y};
    if (u->end) pass.job.df = u->end_relu ? masked(net, net->d.y, F, u->end) : summed(net, net->d.y, u->end, F.x);
    if (learns(u)) pass.job.dcoef = u->dcoef;
    net->device->ops->merge_backward(net->device, &pass.job);
    if (u->end) bn_backward(net, u->end);
    *dh = (struct along){.g = has_layers(u) ? net->d.h : pass.job.dx};
    return u->end ? bn_gradient(u->end, net->d.y, F.x) : plain(net->d.y);
}

/* ---- forward ---- */
/* Makes y and writes it with the statistics its batch norm wants. */
static void write_sum(struct skl_net *net, struct unit *u, struct skl_place x, struct skl_operand h,
                      struct skl_operand F, struct skl_result y)
{
    switch (u->fusion.way) {
    case MERGE_PASS:
        merge_pass(net, u, x, y, u->post_relu && !u->post);
        break;
    case MERGE_IN_BRANCH:
        conv_forward(net, &u->conv[u->convs - 1], F, adding(u, y, h.x));
        break;
    case MERGE_AFTER_RELU:
        map(net, F, adding(u, y, h.x), u->place.out);
        break;
    case MERGE_IN_OPERAND:
        map(net, merged(net, u, h, F), y, u->place.out);
        break;
    }
}

void merge_forward(struct skl_net *net, struct unit *u, struct signal *in, struct skl_operand h, struct skl_operand F,
                   struct signal *out)
{
    out->ready = !u->fusion.waits && !u->post;
    if (u->fusion.waits) {
        out->pending = merged(net, u, h, F);
        out->pending.relu = u->post_relu;
        return;
    }
    struct bn_layer *bn = u->post ? u->post : out->bn;
    struct skl_result y = {.y = u->post ? u->at->s : out->z};
    if (bn && net->training) y.sums = net->sums;
    write_sum(net, u, unit_x(u, in), h, F, y);
    if (bn) bn_forward(net, bn);
    if (u->post) out->pending = bn_view(u->post, u->at->s, u->post_relu);
}

/* ---- backward ---- */
/* A batch norm after the addition: d.y becomes the gradient of the sum. */
static void post_backward(struct skl_net *net, struct unit *u)
{
    struct skl_result y = {.y = net->d.y};
    bn_backward(net, u->post);
    sums_for_merge(net, u, &y);
    map(net, bn_gradient(u->post, net->d.y, u->at->s), y, u->place.out);
}

/* The sums that learned coefficients' gradients are made of; coefficients_backward fetches them. */
static void learn(struct skl_net *net, const struct unit *u)
{
    const int top = u->decl.convs - 1;
    const struct bn_layer *bn = top >= 0 ? u->shortcut_bn[top] : NULL;
    const struct skl_coef_sums job = {.c = u->place.out.c,
                                      .sums = net->sums,
                                      .f = u->end ? &u->end->n : NULL,
                                      .h = bn ? &bn->n : NULL,
                                      .a = u->a.said.span,
                                      .b = u->b.said.span,
                                      .d = u->dcoef};
    net->device->ops->coef_sums(net->device, &job);
}

/* F's gradient where the sum was fused: b times y's, through F's last ReLU and batch norm. */
static struct skl_operand fused_backward(struct skl_net *net, struct unit *u)
{
    const struct skl_place g = net->d.y, last = u->at->y[u->convs - 1];
    struct skl_operand dF = plain(g);
    if (u->b.kind != COEF_ONE) dF.scale = u->b.v, dF.shift = net->zeros;
    if (u->end_relu) {
        map(net, dF, masked(net, net->d.spare, branch_view(u), u->end), u->place.out);
        bn_backward(net, u->end);
        return bn_gradient(u->end, net->d.spare, last);
    }
    if (!u->end) return dF;
    net->device->ops->bn_backward(net->device, &u->end->n, net->sums, false, dF.scale, net->accumulate);
    return bn_gradient(u->end, g, last);
}

struct skl_operand merge_backward(struct skl_net *net, struct unit *u, struct signal *in, struct along *dh)
{
    if (u->post) post_backward(net, u);
    if (u->fusion.way == MERGE_PASS) return pass_backward(net, u, unit_x(u, in), dh);
    if (learns(u)) learn(net, u);
    const struct skl_result a = adding(u, (struct skl_result){.y = net->d.y}, net->d.y); /* a keep dE/dy */
    *dh = has_layers(u) ? (struct along){.g = net->d.y} : (struct along){a.add, a.add_scale, a.keep};
    return fused_backward(net, u);
}
