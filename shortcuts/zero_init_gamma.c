/* y = x + F where F starts at 0: the factor gamma of its last batch norm begins at 0 (its last convolution's weights
 * where no batch norm follows it), so that every unit begins as the identity and the net as a shallow one. */
#include "core/variant/shortcut.h"

struct options {
    double start;
};

static const struct skl_param params[] = {
    SKL_PARAM(struct options, start, 0, 0, 10, "what F starts as, times what it would be: initial gamma"),
    SKL_PARAM_END,
};

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    (void)u;
    skl_branch_start(d, ((const struct options *)opts)->start);
}

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)k, (void)a, (void)b; /* both are preset to 1 */
}

SKL_SHORTCUT(zero_init_gamma) = {
    SKL_SHORTCUT_HEAD(zero_init_gamma),
    .summary = "the original unit with its residual branch starting at 0",
    .formula = "y = x + F, gamma = 0 at the start in F's last batch norm",
    .source = "Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017, section 5.1",
    .on_shortcut = "1",
    .on_residual = "1",
    SKL_OPTIONS(struct options, params),
    .declare = declare,
    .affine = affine,
};
