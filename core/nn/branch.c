/* The residual branch F(x_l, W_l): pre-activation, convolutions with a batch norm and a ReLU between them, its end. */
#include "core/nn/internal.h"

/* What F's first convolution reads; the unit's input is written on the way. */
static struct skl_operand branch_input(struct skl_net *net, struct unit *u, struct signal *in)
{
    if (!u->pre && !u->pre_relu) return signal_take(in);
    signal_write(net, in); /* where u->pre is a batch norm, the unit below has written it with its statistics */
    struct skl_operand act = bn_view(u->pre, in->z, true);
    if (u->pre_before_split) act.out = u->at->a;
    return act;
}

/* What F's convolution j reads, j > 0. */
static struct skl_operand between(const struct unit *u, int j) { return bn_view(u->mid[j - 1], u->at->y[j - 1], true); }

/* What F's last convolution reads. */
static struct skl_operand branch_last(const struct unit *u) { return between(u, u->convs - 1); }

struct skl_operand branch_view(const struct unit *u) { return bn_view(u->end, u->at->y[u->convs - 1], u->end_relu); }

struct skl_operand branch_forward(struct skl_net *net, struct unit *u, struct signal *in)
{
    const int last = u->convs - 1;
    conv_bn_forward(net, &u->conv[0], u->mid[0], branch_input(net, u, in), u->at->y[0]);
    for (int j = 1; j < last; j++) conv_bn_forward(net, &u->conv[j], u->mid[j], between(u, j), u->at->y[j]);
    if (u->fusion.way == MERGE_IN_BRANCH) return branch_last(u); /* the merge runs the last one */
    conv_bn_forward(net, &u->conv[last], u->end, between(u, last), u->at->y[last]);
    return branch_view(u);
}

/* ---- backward ---- */
static struct skl_result with(struct skl_result y, struct along along)
{
    y.add = along.g, y.add_scale = along.scale, y.keep = along.keep;
    return y;
}

/* Through the first convolution and the activation before it. */
static void input_backward(struct skl_net *net, struct unit *u, struct signal *in, struct skl_operand dy,
                           struct skl_result sink, struct along along)
{
    if (!u->pre && !u->pre_relu) {
        conv_backward(net, &u->conv[0], plain(in->z), dy, with(sink, along));
        return;
    }
    const bool inside = u->pre_before_split; /* what came along the shortcut passes the activation too */
    const struct along nothing = {.g = {NULL, 0}};
    const struct skl_place da = net->d.inner[0];
    const struct skl_operand act = bn_view(u->pre, in->z, true);
    const struct skl_result result = masked(net, da, act, u->pre);
    conv_backward(net, &u->conv[0], inside ? plain(u->at->a) : act, dy, inside ? with(result, along) : result);
    if (u->pre) bn_backward(net, u->pre);
    map(net, u->pre ? bn_gradient(u->pre, da, in->z) : plain(da), with(sink, inside ? nothing : along), in->shape);
}

void branch_backward(struct skl_net *net, struct unit *u, struct signal *in, struct skl_operand dF, struct along along)
{
    for (int j = u->convs - 1; j > 0; j--) {
        struct bn_layer *mid = u->mid[j - 1];
        const struct skl_place g = net->d.inner[j & 1];
        const struct skl_operand x = between(u, j);
        conv_backward(net, &u->conv[j], x, dF, masked(net, g, x, mid));
        bn_backward(net, mid);
        dF = bn_gradient(mid, g, x.x);
    }
    struct skl_result sink = signal_sink(net, (int)(in - net->signal));
    /* Where what came along stands in d.along, the sum is made there, and the two change names. */
    const bool in_place = skl_same_place(along.g, net->d.along);
    sink.y = in_place ? net->d.along : net->d.y;
    input_backward(net, u, in, dF, sink, along);
    if (in_place) net->d.along = net->d.y, net->d.y = sink.y;
}
