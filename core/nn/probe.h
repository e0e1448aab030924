/* probe.h - how signal and gradient travel through a net: the terms of equations (7) to (10), unit by unit.
 *
 * With x_l the input of unit l, y_l = h(x_l) + F(x_l), x_{l+1} = f(y_l), the gradient that reaches unit l is a sum over
 * all ways through the units above it.  One of them, the direct one, goes along the shortcuts alone:
 *
 *     direct_l = dE/dx_L  *  product over i >= l of  f'(y_i) h'(x_i)
 *
 * With identity shortcuts and f = identity that is dE/dx_L itself (equation (8)); a factor lambda on every shortcut
 * makes it the product of the lambdas (equation (10)).  The probe computes it with a second backward pass in which
 * every branch F counts as a constant; f' and h' are the true derivatives (masks of the ReLUs, gates, projections,
 * batch norms with the statistics of the mini-batch). */
#ifndef SKL_PROBE_H
#define SKL_PROBE_H
#include <stddef.h>
#include <stdint.h>
#include "core/nn/net.h"

enum { SKL_PROBE_IMAGES = 32 }; /* of a mini-batch, unless asked for otherwise */

/* One unit.  RMS: over all images, places and channels.  A figure that does not exist is NaN. */
struct skl_probe_unit {
    char name[32];        /* "layer1.0" */
    int unit, stage;      /* from 0; from 1 */
    double signal_rms;    /* of x_l */
    double branch_rms;    /* of F, before any factor on it */
    double gradient_rms;  /* of dE/dx_l, E the mean loss over the mini-batch */
    double shortcut_gain; /* lambda, see docs/probe.md */
    double direct_gain;   /* |direct_l| / |dE/dx_L| */
    double direct_share;  /* |direct_l| / |dE/dx_l| */
    double direct_cosine; /* of the angle between direct_l and dE/dx_l */
    double clipped;       /* |relu(-y)| / |y|, y what the ReLU after the addition reads; 0 where there is none */
    double gate_mean;     /* mean of g = 1 - lambda; NaN where the variant has no gain() */
    double sum_share;     /* |F(x_l) + ... + F(x_{L-1})| / |x_L|, equation (7); F of an earlier stage at every second
                             place, as option A takes it */
};
/* The figures of probe.csv by name, in its order; name NULL ends. */
struct skl_probe_column {
    const char *name;
    size_t offset;
};
extern const struct skl_probe_column skl_probe_columns[];
double skl_probe_value(const struct skl_probe_unit *unit, const struct skl_probe_column *column);

/* What a 3x3 convolution gives, after the batch norm that follows it and before ReLU or addition (the first paper's
 * Figure 7).  In full_preact the last one of a branch has no batch norm behind it: its output as it is. */
struct skl_probe_response {
    char name[48]; /* "conv1", "layer1.0.conv1" */
    double mean, std;
};

struct skl_probe {
    double loss; /* mean over the mini-batch */
    int units;
    struct skl_probe_unit *unit;
    int responses;
    struct skl_probe_response *response;
};
/* Forward, backward and the direct pass of n images (n <= the net's group) as one batch-norm group in training mode,
 * at iteration 0: random masks are the same in every call.  Parameters, running statistics and momenta stay as they
 * are, bit for bit; gradients do not.  Takes an activation's worth of the device's memory and three of the host's.
 * Not for inference nets. Free with skl_probe_release. */
void skl_net_probe(struct skl_net *net, const float *images, const int32_t *labels, int n, struct skl_probe *probe);
void skl_probe_release(struct skl_probe *probe);
#endif
