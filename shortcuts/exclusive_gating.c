/* y = (1 - g) x + g F,  g = sigmoid(W x + b): the highway network's gate with a 1x1 convolution.
 * At b = -6 the gate starts near 0 and the shortcut near identity. */
#include "core/variant/shortcut.h"
#include "core/variant/vec.h"

struct options {
    double gate_bias;
    int gate_init;
    bool gate_bn, bias_decay;
};
static const char *const inits[] = {"he", "zero", NULL};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, gate_bias, -6, -100, 100, "b_g, the gate's initial bias"),
    SKL_PARAM_CHOICE(struct options, gate_init, 0, "the gate's initial weights", inits),
    SKL_PARAM(struct options, gate_bn, false, 0, 1,
              "batch norm between the gate's convolution and its sigmoid; b_g is its bias"),
    SKL_PARAM(struct options, bias_decay, false, 0, 1, "weight decay on b_g too"),
    SKL_PARAM_END,
};

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    const struct options *o = opts;
    const unsigned flags = o->bias_decay ? 0 : SKL_NO_DECAY;
    skl_conv(d, "gate",
             (struct skl_conv_spec){.kernel = 1,
                                    .out_channels = u->out.c,
                                    .stride = 1,
                                    .init = o->gate_init == 0 ? SKL_HE : SKL_CONST,
                                    .bias = !o->gate_bn,
                                    .bias_init = o->gate_bias,
                                    .bias_flags = flags});
    if (o->gate_bn) skl_bn(d, "gate_bn"), skl_bn_start(d, o->gate_bias, flags);
    skl_sigmoid_end(d);
}

SKL_VECTORIZE static void merge(size_t n, const float *restrict x, const float *restrict g, const float *restrict f,
                                float *restrict y)
{
    for (size_t i = 0; i < n; i++) y[i] = (1 - g[i]) * x[i] + g[i] * f[i];
}

/* dy/dx = 1 - g, dy/df = g, dy/dg = f - x; g is h */
SKL_VECTORIZE static void unmerge(size_t n, const float *restrict x, const float *restrict g, const float *restrict f,
                                  const float *restrict dy, float *restrict dx, float *restrict dh, float *restrict df)
{
    for (size_t i = 0; i < n; i++) {
        dx[i] = (1 - g[i]) * dy[i];
        df[i] = g[i] * dy[i];
        dh[i] = dy[i] * (f[i] - x[i]);
    }
}

static void forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y)
{
    merge(skl_elements(k), x, h, f, y);
}

static void backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                     float *dx, float *dh, float *df)
{
    unmerge(skl_elements(k), x, h, f, dy, dx, dh, df);
}

static void gain(const struct skl_call *k, const float *x, const float *h, float *lambda)
{
    (void)x;
    for (size_t i = 0; i < skl_elements(k); i++) lambda[i] = 1 - h[i];
}

SKL_SHORTCUT(exclusive_gating) = {
    SKL_SHORTCUT_HEAD(exclusive_gating),
    .summary = "shortcut and branch share a learned gate",
    .formula = "y = (1 - g) x + g F, g = sigmoid(W x + b_g)",
    .source = "He et al., Identity Mappings in Deep Residual Networks, 2016, section 3.1, Fig. 2(c); Srivastava et "
              "al., Training Very Deep Networks, 2015",
    .on_shortcut = "1-g(x)",
    .on_residual = "g(x)",
    .flags = SKL_PER_PIXEL,
    .opts_size = sizeof(struct options),
    .params = params,
    .declare = declare,
    .forward = forward,
    .backward = backward,
    .gain = gain,
};
