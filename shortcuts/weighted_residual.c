/* y = x + lambda F with one learned lambda a unit, -1 < lambda < 1, lambda = 0 at the start.
 * The paper clips lambda after every update (projected gradient descent); here lambda = tanh(w) with w learned, which
 * has the same bounds and, at the start, the same derivative 1.  tanh(w) = 2 sigmoid(2 w) - 1. */
#include "core/variant/formula.h"

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    (void)u, (void)opts;
    skl_tensor(d, "weight", (const int[]){1, 0}, SKL_CONST, 0, SKL_NO_DECAY);
    skl_keep(d, 1); /* lambda stands in the first one, from affine to affine_grad */
}

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)a;
    k->keep[0] = 2 * skl_sigmoid(2 * k->w[0][0]) - 1;
    b->v = k->keep;
}

/* dlambda/dw = 1 - lambda^2 */
static void affine_grad(const struct skl_call *k, const float *da, const float *db)
{
    (void)da;
    const float lambda = k->keep[0];
    k->dw[0][0] += db[0] * (1 - lambda * lambda);
}

SKL_SHORTCUT(weighted_residual) = {
    SKL_SHORTCUT_HEAD(weighted_residual),
    .summary = "a learned weight between -1 and 1 on the residual branch, 0 at the start",
    .formula = "y = x + lambda F, lambda = tanh(w)",
    .source = "Shen and Zeng, Weighted Residuals for Very Deep Networks, 2016",
    .on_shortcut = "1",
    .on_residual = "lambda",
    .declare = declare,
    .affine = affine,
    .affine_grad = affine_grad,
};
