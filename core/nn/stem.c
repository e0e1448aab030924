/* The stem: images to x_1 by one convolution, its batch norm and ReLU. */
#include "core/nn/internal.h"

void stem_forward(struct skl_net *net)
{
    const struct skl_place y = net->training ? net->stem_y : net->stem_ye;
    conv_bn_forward(net, &net->stem, net->stem_bn, plain(net->images), y);
    net->value[0].pending = bn_view(net->stem_bn, y, true);
}

void stem_backward(struct skl_net *net)
{
    bn_backward(net, net->stem_bn);
    conv_backward(net, &net->stem, plain(net->images), bn_gradient(net->stem_bn, net->d.y, net->stem_y),
                  (struct skl_result){.y = {NULL, 0}});
}
