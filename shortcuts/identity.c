/* y = x + F.  The original residual unit: the signal passes untouched (equations (6)-(8)). */
#include "core/variant/shortcut.h"

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    (void)k, (void)a, (void)b; /* both are preset to 1 */
}

SKL_SHORTCUT(identity) = {
    SKL_SHORTCUT_HEAD(identity),
    .summary = "the original residual unit",
    .formula = "y = x + F",
    .source = "He et al., Deep Residual Learning for Image Recognition, 2015, section 3.2",
    .on_shortcut = "1",
    .on_residual = "1",
    .affine = affine,
};
