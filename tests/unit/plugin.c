/* A plug-in for test_registry.c; with WRONG_ABI one that must be refused, with TAKEN one whose name is taken. */
#include "core/variant/shortcut.h"

#ifdef WRONG_ABI
#undef SKL_SHORTCUT_ABI
#define SKL_SHORTCUT_ABI 999
#endif

struct options {
    double strength;
};
static const struct skl_param params[] = {
    SKL_PARAM(struct options, strength, 0.5, 0, 1, "factor on the residual branch"),
    SKL_PARAM_END,
};

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    b->constant = (float)((const struct options *)k->opts)->strength;
}

#ifdef TAKEN
SKL_SHORTCUT(identity) = {
    SKL_SHORTCUT_HEAD(identity),
#else
SKL_SHORTCUT(plugged_in) = {
    SKL_SHORTCUT_HEAD(plugged_in),
#endif
    .summary = "x + strength F",
    .formula = "y = x + s F",
    .source = "a test",
    .on_shortcut = "1",
    .on_residual = "s",
    .opts_size = sizeof(struct options),
    .params = params,
    .affine = affine,
};
