/* y = BN(W x) + F: a 1x1 convolution on every shortcut, strided where the shape changes (option C of paper 1). */
#include "core/variant/shortcut.h"

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    (void)opts;
    skl_input(d, SKL_RAW_X);
    skl_conv(d, "conv",
             (struct skl_conv_spec){
                 .kernel = 1, .out_channels = u->out.c, .stride = u->out.h < u->in.h ? 2 : 1, .init = SKL_HE});
    skl_bn(d, "bn");
}

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b) { (void)k, (void)a, (void)b; }

SKL_SHORTCUT(conv1x1) = {
    SKL_SHORTCUT_HEAD(conv1x1),
    .summary = "a 1x1 convolution with batch norm on every shortcut",
    .formula = "y = BN(W x) + F",
    .source = "He et al., Identity Mappings in Deep Residual Networks, 2016, section 3.1, Fig. 2(e)",
    .on_shortcut = "1x1 conv",
    .on_residual = "1",
    .declare = declare,
    .affine = affine,
};
