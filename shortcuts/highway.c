/* y = (1 - T) x + T F,  T = sigmoid(W x + b): a highway layer with F as its transform.  The gate is a 3x3 convolution,
 * as wide as those of F; exclusive_gating is the same with 1x1. */
#include "core/variant/shortcut.h"
#include "core/variant/vec.h"

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
    skl_conv(d, "gate",
             (struct skl_conv_spec){.kernel = 3,
                                    .out_channels = u->out.c,
                                    .stride = 1,
                                    .init = o->gate_init == 0 ? SKL_HE : SKL_CONST,
                                    .bias = true,
                                    .bias_init = o->gate_bias,
                                    .bias_flags = o->bias_decay ? 0 : SKL_NO_DECAY});
    skl_sigmoid_end(d);
}

SKL_VECTORIZE static void merge(size_t n, const float *restrict x, const float *restrict t, const float *restrict f,
                                float *restrict y)
{
    for (size_t i = 0; i < n; i++) y[i] = (1 - t[i]) * x[i] + t[i] * f[i];
}

/* dy/dx = 1 - T, dy/df = T, dy/dT = f - x; T is h */
SKL_VECTORIZE static void unmerge(size_t n, const float *restrict x, const float *restrict t, const float *restrict f,
                                  const float *restrict dy, float *restrict dx, float *restrict dh, float *restrict df)
{
    for (size_t i = 0; i < n; i++) {
        dx[i] = (1 - t[i]) * dy[i];
        df[i] = t[i] * dy[i];
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

SKL_SHORTCUT(highway) = {
    SKL_SHORTCUT_HEAD(highway),
    .summary = "a highway layer: shortcut and branch share a learned 3x3 gate",
    .formula = "y = (1 - T) x + T F, T = sigmoid(W x + b_T)",
    .source = "Srivastava et al., Training Very Deep Networks, 2015",
    .on_shortcut = "1-T(x)",
    .on_residual = "T(x)",
    .opts_size = sizeof(struct options),
    .params = params,
    .declare = declare,
    .forward = forward,
    .backward = backward,
    .gain = gain,
};
