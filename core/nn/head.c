/* The head: the last activation of the pre-activation orders, average pooling, fully connected, softmax, loss. */
#include "core/nn/internal.h"

void head_forward(struct skl_net *net)
{
    struct signal *v = &net->signal[net->units];
    if (net->last_relu) signal_write(net, v);
    const struct skl_operand x = net->last_relu ? bn_view(net->last_bn, v->z, true) : signal_take(v);
    net->device->ops->head_forward(net->device, &net->head, &x, net->n);
}

void head_loss(struct skl_net *net, const struct skl_targets *targets)
{
    const size_t bytes = (size_t)all_images(net) * sizeof *targets->labels;
    struct skl_head *head = &net->head;
    head->mix = (float)targets->mix;
    head->smoothing = net->training ? (float)net->o.label_smoothing : 0;
    net->device->ops->upload(net->device, targets->labels + net->first, bytes, head->labels);
    if (targets->mix > 0) net->device->ops->upload(net->device, targets->others + net->first, bytes, head->others);
    net->device->ops->head_loss(net->device, head, net->n, net->o.batch);
}

void head_backward(struct skl_net *net)
{
    const struct signal *v = &net->signal[net->units];
    const struct skl_operand act = bn_view(net->last_bn, v->z, true);
    struct skl_result sink = signal_sink(net, net->units), first = sink;
    sink.y = first.y = net->d.y;
    if (net->last_relu) first = masked(net, net->d.inner[0], act, net->last_bn);
    net->device->ops->head_backward(net->device, &net->head, &first, net->n, net->accumulate);
    if (!net->last_relu) return;
    if (net->last_bn) bn_backward(net, net->last_bn);
    map(net, net->last_bn ? bn_gradient(net->last_bn, first.y, v->z) : plain(first.y), sink, v->shape);
}
