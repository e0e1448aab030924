/* The stem: images to x_1 by one convolution, its batch norm and ReLU; in the family imagenet max pooling behind. */
#include "core/nn/internal.h"

static struct skl_max_pool pool_job(const struct skl_net *net, struct skl_place y)
{
    return (struct skl_max_pool){.in = conv_out(&net->stem), .x = bn_view(net->stem_bn, y, true)};
}

void stem_forward(struct skl_net *net)
{
    const struct skl_place y = net->training ? net->stem_y : net->stem_ye;
    conv_bn_forward(net, &net->stem, net->stem_bn, plain(net->images), y);
    if (!net->plan.stem.pool) {
        net->signal[0].pending = bn_view(net->stem_bn, y, true);
        return;
    }
    struct skl_max_pool job = pool_job(net, y);
    job.y = net->signal[0].z;
    if (net->training) job.chosen = net->chosen;
    net->device->ops->max_pool_forward(net->device, &job, net->n);
    net->signal[0].ready = true;
}

/* The gradient of the convolution's batch norm, with its sums. */
static struct skl_place pool_backward(struct skl_net *net)
{
    struct skl_max_pool job = pool_job(net, net->stem_y);
    job.chosen = net->chosen, job.dy = net->d.y;
    job.dx = masked(net, net->d.inner[0], job.x, net->stem_bn);
    net->device->ops->max_pool_backward(net->device, &job, net->n);
    return job.dx.y;
}

void stem_backward(struct skl_net *net)
{
    const struct skl_place g = net->plan.stem.pool ? pool_backward(net) : net->d.y;
    bn_backward(net, net->stem_bn);
    conv_backward(net, &net->stem, plain(net->images), bn_gradient(net->stem_bn, g, net->stem_y),
                  (struct skl_result){.y = {NULL, 0}});
}
