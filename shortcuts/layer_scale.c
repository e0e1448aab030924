/* y = x + diag(s) F with one learned factor a channel.  Small factors at the start let every unit begin near the
 * identity: the paper starts at 0.1 up to 18 units, at 1e-5 at 24 and at 1e-6 beyond. */
#include "core/variant/shortcut.h"

struct options {
    double start;
};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, start, 0.1, -10, 10, "initial s of every channel"),
    SKL_PARAM_END,
};

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    const struct options *o = opts;
    skl_tensor(d, "scale", (const int[]){u->out.c, 0}, SKL_CONST, o->start, SKL_NO_DECAY);
}

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)a;
    *b = (struct skl_coef){.span = SKL_PER_CHANNEL, .v = k->w[0]};
}

static void affine_grad(const struct skl_call *k, const float *da, const float *db)
{
    (void)da;
    for (int c = 0; c < k->unit->out.c; c++) k->dw[0][c] += db[c];
}

SKL_SHORTCUT(layer_scale) = {
    SKL_SHORTCUT_HEAD(layer_scale),
    .summary = "a learned factor a channel on the residual branch, small at the start",
    .formula = "y = x + diag(s) F",
    .source = "Touvron et al., Going deeper with Image Transformers, 2021 (LayerScale)",
    .on_shortcut = "1",
    .on_residual = "diag(s)",
    SKL_OPTIONS(struct options, params),
    .declare = declare,
    .affine = affine,
    .affine_grad = affine_grad,
};
