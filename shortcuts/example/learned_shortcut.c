/* y = s x + F with a learned factor s a unit, on the shortcut: equation (10) with every lambda learned.
 * An example of a variant outside the tree, built as a plug-in (README.md here); tests/shortcuts checks it. */
#include "core/variant/shortcut.h"

struct options {
    double start;
    bool decay;
};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, start, 1, -2, 2, "initial s; 1 starts every unit as the original one"),
    SKL_PARAM(struct options, decay, false, 0, 1, "weight decay on s too, which pulls it to 0: the plain net"),
    SKL_PARAM_END,
};

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    const struct options *o = opts;
    (void)u;
    skl_tensor(d, "s", (const int[]){1, 0}, SKL_CONST, o->start, o->decay ? 0 : SKL_NO_DECAY);
}

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)b; /* preset to 1 */
    a->v = k->w[0];
}

static void affine_grad(const struct skl_call *k, const float *da, const float *db)
{
    (void)db;
    k->dw[0][0] += da[0];
}

SKL_SHORTCUT(learned_shortcut) = {
    SKL_SHORTCUT_HEAD(learned_shortcut),
    .summary = "a learned factor on the shortcut",
    .formula = "y = s x + F",
    .source = "an example; He et al., Identity Mappings in Deep Residual Networks, 2016, equation (10), lambda learned",
    .on_shortcut = "s",
    .on_residual = "1",
    SKL_OPTIONS(struct options, params),
    .declare = declare,
    .affine = affine,
    .affine_grad = affine_grad,
};
