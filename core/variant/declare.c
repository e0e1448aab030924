/* What a variant's declare() may call. */
#include <stdio.h>
#include "core/variant/decl.h"

void skl_input(struct skl_decl *d, enum skl_source source) { d->source = source; }
void skl_conv(struct skl_decl *d, const char *name, struct skl_conv_spec spec)
{
    if (d->convs == SKL_MAX_SHORTCUT_CONVS) {
        d->wrong = "more than 4 convolutions on the shortcut";
        return;
    }
    if (spec.kernel != 1 && spec.kernel != 3) {
        d->wrong = "a kernel that is not 1 or 3";
        return;
    }
    snprintf(d->conv[d->convs].name, sizeof d->conv[0].name, "%s", name);
    d->conv[d->convs++].spec = spec;
}
void skl_bn(struct skl_decl *d, const char *name)
{
    if (d->convs == 0 || d->conv[d->convs - 1].bn) {
        d->wrong = "a batch norm that follows no convolution";
        return;
    }
    snprintf(d->conv[d->convs - 1].bn_name, sizeof d->conv[0].bn_name, "%s", name);
    d->conv[d->convs - 1].bn = true;
}
void skl_bn_start(struct skl_decl *d, double bias, unsigned flags)
{
    if (d->convs == 0 || !d->conv[d->convs - 1].bn) {
        d->wrong = "how a batch norm starts before there is one";
        return;
    }
    d->conv[d->convs - 1].bn_bias = bias, d->conv[d->convs - 1].bn_flags = flags;
}
void skl_sigmoid_end(struct skl_decl *d) { d->sigmoid = true; }
void skl_tensor(struct skl_decl *d, const char *name, const int *shape, enum skl_init init, double value,
                unsigned flags)
{
    if (d->owns == SKL_MAX_OWN) {
        d->wrong = "more than 8 tensors";
        return;
    }
    int ndim = 0;
    for (; ndim < 4 && shape[ndim] > 0; ndim++) d->own[d->owns].shape[ndim] = shape[ndim];
    if (ndim == 0) {
        d->wrong = "a tensor without a shape";
        return;
    }
    snprintf(d->own[d->owns].name, sizeof d->own[0].name, "%s", name);
    d->own[d->owns].ndim = ndim, d->own[d->owns].init = init, d->own[d->owns].value = value,
    d->own[d->owns].flags = flags;
    d->owns++;
}
void skl_branch_start(struct skl_decl *d, double factor) { d->starts = true, d->branch_start = factor; }
void skl_keep(struct skl_decl *d, size_t floats) { d->keep += floats; }
void skl_scratch(struct skl_decl *d, size_t floats) { d->scratch += floats; }

void skl_decl_check(struct skl_decl *d, const struct skl_shortcut *s)
{
    if (d->sigmoid && d->convs == 0) d->wrong = "a sigmoid that follows no convolution";
    if (d->sigmoid && s->affine) d->wrong = "a sigmoid, which goes with forward and backward only";
    if (d->keep && (s->flags & SKL_PER_PIXEL)) d->wrong = "skl_keep, which does not go with SKL_PER_PIXEL";
}
