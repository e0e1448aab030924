/* Training: y = x + b F, b = 1 with probability p_l, else 0.  Test: y = x + p_l F.  The later a unit, the more often
 * its branch is dropped: p_l = 1 - (l/L)(1 - p_L) for unit l = 1 ... L.
 * A dropped branch is computed all the same, so its batch norms see every image and no time is saved. */
#include "core/variant/shortcut.h"
#include "core/variant/vec.h"

struct options {
    double survival;
    int per;
};
enum { PER_BATCH, PER_IMAGE };
static const char *const draws[] = {"batch", "image", NULL};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, survival, 0.5, 0, 1, "p_L, how often the last unit's branch is kept"),
    SKL_PARAM_CHOICE(struct options, per, PER_BATCH, "one b for a mini-batch, as in the paper, or for each image",
                     draws),
    SKL_PARAM_END,
};

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    (void)u;
    if (((const struct options *)opts)->per == PER_IMAGE) skl_keep(d, 1); /* b */
}

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)a;
    const struct options *o = k->opts;
    const double l = k->unit->index + 1, p = 1 - l / k->unit->count * (1 - o->survival);
    if (!k->training) {
        b->constant = (float)p;
    } else if (o->per == PER_BATCH) {
        b->constant = skl_rng_uniform(k->rng_key, 0) < p;
    } else {
        for (int i = 0; i < k->n; i++) k->keep[i] = skl_rng_uniform(k->rng_key, (uint64_t)(k->first + i)) < p;
        *b = (struct skl_coef){.span = SKL_PER_IMAGE, .v = k->keep};
    }
}

SKL_SHORTCUT(stochastic_depth) = {
    SKL_SHORTCUT_HEAD(stochastic_depth),
    .summary = "whole residual branches dropped at random, later ones more often",
    .formula = "y = x + b F, b ~ Bernoulli(p_l); test y = x + p_l F",
    .source = "Huang et al., Deep Networks with Stochastic Depth, 2016",
    .on_shortcut = "1",
    .on_residual = "b ~ p_l",
    SKL_OPTIONS(struct options, params),
    .declare = declare,
    .affine = affine,
};
