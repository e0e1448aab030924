/* y = x + s F with a learned scalar s a unit: the worked example of docs/adding-a-shortcut.md. */
#include "core/variant/shortcut.h"

struct options {
    double start;
};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, start, 0, -10, 10, "initial s; 0 starts every unit as the identity"),
    SKL_PARAM_END,
};

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    (void)u;
    skl_tensor(d, "scale", (const int[]){1, 0}, SKL_CONST, ((const struct options *)opts)->start, SKL_NO_DECAY);
}

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)a;
    b->v = k->w[0];
}

static void affine_grad(const struct skl_call *k, const float *da, const float *db)
{
    (void)da;
    k->dw[0][0] += db[0];
}

SKL_SHORTCUT(learned_scale) = {
    SKL_SHORTCUT_HEAD(learned_scale),
    .summary = "a learned scalar on the residual branch (ReZero, SkipInit when it starts at 0)",
    .formula = "y = x + s F",
    .source = "Bachlechner et al., ReZero is All You Need: Fast Convergence at Large Depth, 2020; De and Smith, Batch "
              "Normalization Biases Residual Blocks Towards the Identity Function in Deep Networks, 2020 (SkipInit)",
    .on_shortcut = "1",
    .on_residual = "s",
    SKL_OPTIONS(struct options, params),
    .declare = declare,
    .affine = affine,
    .affine_grad = affine_grad,
};
