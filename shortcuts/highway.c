/* y = (1 - T) x + T F,  T = sigmoid(W x + b): a highway layer with F as its transform.  The gate is a 3x3 convolution,
 * as wide as those of F; exclusive_gating is the same with 1x1. */
#include "core/variant/formula.h"

struct options {
    double gate_bias;
    int gate_init;
    bool bias_decay;
};
static const char *const inits[] = {"he", "zero", NULL};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, gate_bias, -3, -100, 100, "b_T, the gate's initial bias; the deeper, the more negative"),
    SKL_PARAM_CHOICE(struct options, gate_init, 0, "the gate's initial weights", inits),
    SKL_PARAM(struct options, bias_decay, false, 0, 1, "weight decay on b_T too"),
    SKL_PARAM_END,
};

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    const struct options *o = opts;
    struct skl_conv_spec gate = {.kernel = 3, .out_channels = u->out.c, .stride = 1, .bias = true};
    gate.init = o->gate_init == 0 ? SKL_HE : SKL_CONST;
    gate.bias_init = o->gate_bias, gate.bias_flags = o->bias_decay ? 0 : SKL_NO_DECAY;
    skl_conv(d, "gate", gate);
    skl_sigmoid_end(d);
}

SKL_FORWARD(y = (1 - h) * x + h * f;)
SKL_BACKWARD(dx = (1 - h) * dy; df = h * dy; dh = dy * (f - x);)
SKL_GAIN(lambda = 1 - h;)

SKL_SHORTCUT(highway) = {
    SKL_SHORTCUT_HEAD(highway),
    .summary = "a highway layer: shortcut and branch share a learned 3x3 gate",
    .formula = "y = (1 - T) x + T F, T = sigmoid(W x + b_T)",
    .source = "Srivastava et al., Training Very Deep Networks, 2015",
    .on_shortcut = "1-T(x)",
    .on_residual = "T(x)",
    SKL_OPTIONS(struct options, params),
    .declare = declare,
    SKL_FORMULA_GAIN,
};
