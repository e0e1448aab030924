/* y = (1 - g) x + g F,  g = h = sigmoid(W x + b): the highway gate, 1x1.  At b = -6 the unit starts near identity. */
#include "core/variant/formula.h"

struct options {
    double gate_bias;
    int gate_init;
    bool gate_bn, bias_decay;
};
static const char *const inits[] = {"he", "zero", NULL};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, gate_bias, -6, -100, 100, "b_g, the gate's initial bias"),
    SKL_PARAM_CHOICE(struct options, gate_init, 0, "the gate's initial weights", inits),
    SKL_PARAM(struct options, gate_bn, false, 0, 1, "batch norm before the gate's sigmoid; b_g is its bias"),
    SKL_PARAM(struct options, bias_decay, false, 0, 1, "weight decay on b_g too"),
    SKL_PARAM_END,
};

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    const struct options *o = opts;
    struct skl_conv_spec gate = {.kernel = 1, .out_channels = u->out.c, .stride = 1, .bias = !o->gate_bn};
    gate.init = o->gate_init == 0 ? SKL_HE : SKL_CONST;
    gate.bias_init = o->gate_bias, gate.bias_flags = o->bias_decay ? 0 : SKL_NO_DECAY;
    skl_conv(d, "gate", gate);
    if (o->gate_bn) skl_bn(d, "gate_bn"), skl_bn_start(d, o->gate_bias, gate.bias_flags);
    skl_sigmoid_end(d);
}

SKL_FORWARD(y = (1 - h) * x + h * f;)
SKL_BACKWARD(dx = (1 - h) * dy; df = h * dy; dh = dy * (f - x);)
SKL_GAIN(lambda = 1 - h;)

SKL_SHORTCUT(exclusive_gating) = {
    SKL_SHORTCUT_HEAD(exclusive_gating),
    .summary = "shortcut and branch share a learned gate",
    .formula = "y = (1 - g) x + g F, g = sigmoid(W x + b_g)",
    .source = "He et al., Identity Mappings in Deep Residual Networks, 2016, section 3.1, Fig. 2(c); Srivastava et "
              "al., Training Very Deep Networks, 2015",
    .on_shortcut = "1-g(x)",
    .on_residual = "g(x)",
    SKL_OPTIONS(struct options, params),
    .declare = declare,
    SKL_FORMULA_GAIN,
};
