/* y = a x + b F with constants.  Along L units the shortcut carries a^L: equation (10) with every lambda = a. */
#include "core/variant/shortcut.h"

struct options {
    double shortcut_scale, residual_scale;
};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, shortcut_scale, 0.5, -10, 10, "a, the factor on x; 0 is the plain net"),
    SKL_PARAM(struct options, residual_scale, 0.5, -10, 10, "b, the factor on F, after its last batch norm"),
    SKL_PARAM_END,
};

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    const struct options *o = k->opts;
    a->constant = (float)o->shortcut_scale;
    b->constant = (float)o->residual_scale;
}

SKL_SHORTCUT(constant_scaling) = {
    SKL_SHORTCUT_HEAD(constant_scaling),
    .summary = "shortcut and residual branch scaled by constants",
    .formula = "y = a x + b F",
    .source = "He et al., Identity Mappings in Deep Residual Networks, 2016, section 3.1, Fig. 2(b)",
    .on_shortcut = "a",
    .on_residual = "b",
    SKL_OPTIONS(struct options, params),
    .affine = affine,
};
