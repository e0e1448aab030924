/* y = D(x) + F: dropout on the shortcut's output.  On average it scales the shortcut by 1 - rate. */
#include "core/variant/shortcut.h"

struct options {
    double rate;
    bool inverted;
};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, rate, 0.5, 0, 0.99, "share of the elements dropped"),
    SKL_PARAM(struct options, inverted, false, 0, 1,
              "training: mask/(1-rate), test: 1; else training: mask, test: 1-rate"),
    SKL_PARAM_END,
};

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)b;
    const struct options *o = k->opts;
    if (!k->training) {
        a->constant = o->inverted ? 1.0f : (float)(1 - o->rate);
        return;
    }
    *a = (struct skl_coef){
        .span = SKL_MASK, .drop = o->rate, .constant = o->inverted ? (float)(1 / (1 - o->rate)) : 1.0f};
}

SKL_SHORTCUT(dropout) = {
    SKL_SHORTCUT_HEAD(dropout),
    .summary = "dropout on the shortcut's output",
    .formula = "y = D(x) + F",
    .source = "He et al., Identity Mappings in Deep Residual Networks, 2016, section 3.1, Fig. 2(f)",
    .on_shortcut = "dropout",
    .on_residual = "1",
    SKL_OPTIONS(struct options, params),
    .affine = affine,
};
