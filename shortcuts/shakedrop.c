/* Shake-Shake's random mixing for units of one branch:
 *   forward   y = x + (b + alpha - b alpha) F      b = 1 with probability p_l, else 0
 *   backward  dF = (b + beta - b beta) dy          alpha, beta uniform, one draw an image
 *   test      y = x + E[b + alpha - b alpha] F     p_l = 1 - (l/L)(1 - p_L) for unit l = 1 ... L
 * So a unit is either left alone (b = 1, one draw a mini-batch), or its branch gets a random factor on the way up and
 * another one on the way down: backward is on purpose not the derivative of forward. */
#include "core/variant/shortcut.h"
#include "core/variant/vec.h"

struct options {
    double survival, alpha_min, alpha_max, beta_min, beta_max;
};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, survival, 0.5, 0, 1, "p_L, how often the last unit is left alone"),
    SKL_PARAM(struct options, alpha_min, -1, -2, 2, "smallest factor in the forward pass"),
    SKL_PARAM(struct options, alpha_max, 1, -2, 2, "largest factor in the forward pass"),
    SKL_PARAM(struct options, beta_min, 0, -2, 2, "smallest factor in the backward pass"),
    SKL_PARAM(struct options, beta_max, 1, -2, 2, "largest factor in the backward pass"),
    SKL_PARAM_END,
};

static int check(const void *opts, struct skl_err *err)
{
    const struct options *o = opts;
    if (o->alpha_min > o->alpha_max)
        return skl_refuse(err, "alpha_min %g is above alpha_max %g", o->alpha_min, o->alpha_max);
    if (o->beta_min > o->beta_max) return skl_refuse(err, "beta_min %g is above beta_max %g", o->beta_min, o->beta_max);
    return 0;
}

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    (void)u, (void)opts;
    skl_keep(d, 2); /* an image's factor on F, forward and backward */
}

/* The factor on F of image i of this call; backward draws other numbers than forward, but the same b. */
static float factor(const struct skl_call *k, int i, bool backward)
{
    const struct options *o = k->opts;
    const double l = k->unit->index + 1, p = 1 - l / k->unit->count * (1 - o->survival);
    if (!k->training) return (float)(p + (1 - p) * (o->alpha_min + o->alpha_max) / 2);
    if (skl_rng_uniform(k->rng_key, 0) < p) return 1;
    const double u = skl_rng_uniform(k->rng_key, 1 + 2 * (uint64_t)(k->first + i) + backward);
    return (float)(backward ? o->beta_min + u * (o->beta_max - o->beta_min)
                            : o->alpha_min + u * (o->alpha_max - o->alpha_min));
}

/* Always numbers an image, also where all are the same: then every pass computes alike. */
static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)a;
    float *forward = k->keep, *backward = k->keep + k->n;
    for (int i = 0; i < k->n; i++) forward[i] = factor(k, i, false), backward[i] = factor(k, i, true);
    *b = (struct skl_coef){.span = SKL_PER_IMAGE, .v = forward, .back = backward};
}

static void gain(const struct skl_call *k, const float *x, const float *h, float *lambda)
{
    (void)x, (void)h;
    for (size_t i = 0; i < skl_elements(k); i++) lambda[i] = 1;
}

SKL_SHORTCUT(shakedrop) = {
    SKL_SHORTCUT_HEAD(shakedrop),
    .summary = "random factors on the residual branch, others in the backward pass",
    .formula = "y = x + (b + alpha - b alpha) F, backward with beta",
    .source = "Yamada et al., ShakeDrop Regularization for Deep Residual Learning, 2018; after Gastaldi, Shake-Shake "
              "regularization, 2017, which mixes two branches",
    .on_shortcut = "1",
    .on_residual = "random",
    .flags = SKL_SURROGATE_GRAD,
    SKL_OPTIONS(struct options, params),
    .check = check,
    .declare = declare,
    .affine = affine,
    .gain = gain,
};
