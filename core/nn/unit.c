/* One residual unit (equations (1) and (2) of the paper):
 *
 *     y_l = h(x_l) + F(x_l, W_l),    x_{l+1} = f(y_l)
 *
 * The five unit orders differ in where batch norms and ReLUs stand (plan.c), the ways to compute them in what is fused
 * (fuse.c); neither shows here. */
#include "core/nn/internal.h"

void unit_forward(struct skl_net *net, struct unit *u, struct signal *in, struct signal *out)
{
    const struct skl_operand F = branch_forward(net, u, in);
    const struct skl_operand h = shortcut_forward(net, u, in);
    merge_forward(net, u, in, h, F, out);
}

void unit_backward(struct skl_net *net, struct unit *u, struct signal *in)
{
    struct along dh;
    const struct skl_operand dF = merge_backward(net, u, in, &dh);
    const struct along dx = shortcut_backward(net, u, in, dh);
    branch_backward(net, u, in, dF, dx);
}

/* dx is what reaches the unit's input, or the first activation where branch and shortcut part behind it. */
static void arrive(struct skl_net *net, struct unit *u, struct signal *in, struct along dx)
{
    const struct skl_operand g = arrived(net, dx);
    if (!u->pre_before_split) {
        map(net, g, (struct skl_result){.y = net->d.y}, in->shape);
        return;
    }
    map(net, g, masked(net, net->d.y, bn_view(u->pre, in->z, true), u->pre), in->shape);
    if (!u->pre) return;
    bn_backward(net, u->pre);
    map(net, bn_gradient(u->pre, net->d.y, in->z), (struct skl_result){.y = net->d.y}, in->shape);
}

void unit_shortcut_backward(struct skl_net *net, struct unit *u, struct signal *in)
{
    struct along dh;
    merge_backward(net, u, in, &dh);
    const struct along dx = shortcut_backward(net, u, in, dh);
    if (skl_there(dx.g))
        arrive(net, u, in, dx);
    else
        net->device->ops->clear(net->device, net->d.y,
                                (size_t)all_images(net) * skl_shape_floats(in->shape) * sizeof(float));
}
