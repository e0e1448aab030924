/* y = x + s F with a constant s: 1/sqrt(L), so that L branches together add to the signal what one would, or a small
 * number as in Inception-ResNet (0.1 to 0.3).  The shortcut itself stays the identity, unlike constant_scaling's. */
#include <math.h>
#include "core/variant/shortcut.h"

struct options {
    int scale;
    double factor;
};
enum { DEPTH, CONSTANT };
static const char *const scales[] = {"depth", "constant", NULL};

static const struct skl_param params[] = {
    SKL_PARAM_CHOICE(struct options, scale, DEPTH, "depth: s = 1/sqrt(L), L the number of units; constant: s = factor",
                     scales),
    SKL_PARAM(struct options, factor, 0.1, -10, 10, "s where scale is constant"),
    SKL_PARAM_END,
};

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)a;
    const struct options *o = k->opts;
    b->constant = o->scale == DEPTH ? (float)(1 / sqrt(k->unit->count)) : (float)o->factor;
}

SKL_SHORTCUT(branch_scaling) = {
    SKL_SHORTCUT_HEAD(branch_scaling),
    .summary = "the residual branch scaled by a constant that falls with the depth",
    .formula = "y = x + s F, s = 1/sqrt(L) or a constant",
    .source = "Hayou et al., Stable ResNet, 2021 (1/sqrt(L)); Szegedy et al., Inception-v4, Inception-ResNet and the "
              "Impact of Residual Connections on Learning, 2016 (0.1 to 0.3)",
    .on_shortcut = "1",
    .on_residual = "s",
    SKL_OPTIONS(struct options, params),
    .affine = affine,
};
