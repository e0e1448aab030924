/* What a variant's declare() may call.  Whatever it says is looked at here, before anybody builds from it. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/variant/code.h"
#include "core/variant/decl.h"

/* The first fault stays. */
static void __attribute__((format(printf, 2, 3))) wrong(struct skl_decl *d, const char *fmt, ...)
{
    va_list args;
    if (d->wrong[0]) return;
    va_start(args, fmt);
    vsnprintf(d->wrong, sizeof d->wrong, fmt, args);
    va_end(args);
}

/* ---- single values ---- */
static bool is_taken(const struct skl_decl *d, const char *name)
{
    for (int i = 0; i < d->convs; i++)
        if (strcmp(name, d->conv[i].name) == 0 || (d->conv[i].bn && strcmp(name, d->conv[i].bn_name) == 0)) return true;
    for (int i = 0; i < d->owns; i++)
        if (strcmp(name, d->own[i].name) == 0) return true;
    return false;
}

static void take_name(struct skl_decl *d, const char *name, char to[SKL_DECL_NAME_MAX + 2])
{
    if (!name) {
        wrong(d, "something without a name");
        return;
    }
    snprintf(to, SKL_DECL_NAME_MAX + 2, "%.*s", SKL_DECL_NAME_MAX + 1, name);
    const size_t n = strlen(to);
    if (n < 1 || n > SKL_DECL_NAME_MAX || strspn(to, "abcdefghijklmnopqrstuvwxyz0123456789_") != n)
        wrong(d, "'%s', which is no name: 1 to %d of a-z, 0-9 and _", to, SKL_DECL_NAME_MAX);
    if (is_taken(d, to)) wrong(d, "two things that are called '%s'", to);
}

static void take_start(struct skl_decl *d, enum skl_init init, double value, unsigned flags)
{
    if (init != SKL_CONST && init != SKL_HE) wrong(d, "an unknown start (%d)", (int)init);
    if (!isfinite((float)value)) wrong(d, "a start of %g", value);
    if (flags & ~(unsigned)SKL_NO_DECAY) wrong(d, "unknown flags (%u)", flags);
}

static void take_floats(struct skl_decl *d, size_t *sum, size_t floats)
{
    if (floats > SKL_MAX_OWN_FLOATS || (*sum += floats) > SKL_MAX_OWN_FLOATS)
        wrong(d, "more than %d floats an image", SKL_MAX_OWN_FLOATS);
}

/* ---- what a variant calls ---- */
void skl_input(struct skl_decl *d, enum skl_source source)
{
    if (source != SKL_X && source != SKL_RAW_X) wrong(d, "an unknown input (%d)", (int)source);
    d->source = source;
}

void skl_conv(struct skl_decl *d, const char *name, struct skl_conv_spec spec)
{
    if (d->convs == SKL_MAX_SHORTCUT_CONVS) {
        wrong(d, "more than %d convolutions on the shortcut", SKL_MAX_SHORTCUT_CONVS);
        return;
    }
    if (spec.kernel != 1 && spec.kernel != 3) wrong(d, "a kernel of %d that is not 1 or 3", spec.kernel);
    if (spec.stride != 1 && spec.stride != 2) wrong(d, "a stride of %d that is not 1 or 2", spec.stride);
    if (spec.out_channels < 1 || spec.out_channels > SKL_MAX_CHANNELS)
        wrong(d, "%d output channels: 1 to %d", spec.out_channels, SKL_MAX_CHANNELS);
    take_start(d, spec.init, spec.bias_init, spec.bias_flags);
    take_name(d, name, d->conv[d->convs].name);
    if (d->wrong[0]) return; /* d stays sound, whoever looks at it */
    d->conv[d->convs++].spec = spec;
}

void skl_bn(struct skl_decl *d, const char *name)
{
    if (d->convs == 0 || d->conv[d->convs - 1].bn) {
        wrong(d, "a batch norm that follows no convolution");
        return;
    }
    take_name(d, name, d->conv[d->convs - 1].bn_name);
    d->conv[d->convs - 1].bn = true;
}

void skl_bn_start(struct skl_decl *d, double bias, unsigned flags)
{
    if (d->convs == 0 || !d->conv[d->convs - 1].bn) {
        wrong(d, "how a batch norm starts before there is one");
        return;
    }
    take_start(d, SKL_CONST, bias, flags);
    d->conv[d->convs - 1].bn_bias = bias, d->conv[d->convs - 1].bn_flags = flags;
}

void skl_sigmoid_end(struct skl_decl *d) { d->sigmoid = true; }

void skl_tensor(struct skl_decl *d, const char *name, const int *shape, enum skl_init init, double value,
                unsigned flags)
{
    if (d->owns == SKL_MAX_OWN) {
        wrong(d, "more than %d tensors", SKL_MAX_OWN);
        return;
    }
    size_t floats = 1;
    int ndim = 0;
    for (; shape && ndim < 4 && shape[ndim] > 0; ndim++) {
        d->own[d->owns].shape[ndim] = shape[ndim];
        floats = floats > SKL_MAX_OWN_FLOATS ? floats : floats * (size_t)shape[ndim];
    }
    if (ndim == 0 || shape[ndim] != 0) wrong(d, "a tensor without a shape: 1 to 4 sizes above 0, then 0");
    if (floats > SKL_MAX_OWN_FLOATS) wrong(d, "a tensor of more than %d floats", SKL_MAX_OWN_FLOATS);
    take_start(d, init, value, flags);
    take_name(d, name, d->own[d->owns].name);
    if (d->wrong[0]) return;
    d->own[d->owns].ndim = ndim, d->own[d->owns].init = init, d->own[d->owns].value = value,
    d->own[d->owns].flags = flags;
    d->owns++;
}

void skl_branch_start(struct skl_decl *d, double factor)
{
    if (!isfinite((float)factor)) wrong(d, "a branch that starts as %g times itself", factor);
    d->starts = true, d->branch_start = factor;
}

void skl_number(struct skl_decl *d, double value)
{
    if (d->numbers == SKL_MAX_NUMBERS) {
        wrong(d, "more than %d numbers", SKL_MAX_NUMBERS);
        return;
    }
    if (!isfinite((float)value)) wrong(d, "a number %g", value);
    d->p[d->numbers++] = (float)value;
}

void skl_keep(struct skl_decl *d, size_t floats) { take_floats(d, &d->keep, floats); }
void skl_scratch(struct skl_decl *d, size_t floats) { take_floats(d, &d->scratch, floats); }

/* ---- all of it together ---- */
struct skl_shape skl_declared_shape(const struct skl_decl *d, const struct skl_unit *u)
{
    struct skl_shape s = d->source == SKL_RAW_X ? u->in : u->out;
    for (int i = 0; i < d->convs; i++) {
        const struct skl_conv_spec *spec = &d->conv[i].spec;
        s = (struct skl_shape){(s.h + spec->stride - 1) / spec->stride, (s.w + spec->stride - 1) / spec->stride,
                               spec->out_channels};
    }
    return s;
}

static void check_shape(struct skl_decl *d, const struct skl_shortcut *s, const struct skl_unit *u)
{
    const struct skl_shape h = skl_declared_shape(d, u), x = d->source == SKL_RAW_X ? u->in : u->out;
    if ((s->affine || s->forward_code) && memcmp(&h, &u->out, sizeof h) != 0)
        wrong(d, "layers that end with shape %dx%dx%d where the branch has %dx%dx%d (input %dx%dx%d)", h.h, h.w, h.c,
              u->out.h, u->out.w, u->out.c, u->in.h, u->in.w, u->in.c);
    if (s->forward_code && memcmp(&x, &u->out, sizeof x) != 0)
        wrong(d, "the input as it came, which in a formula must have the branch's shape");
}

static void check_numbers(struct skl_decl *d, const struct skl_shortcut *s)
{
    struct skl_code_read read;
    for (int i = 0; i < SKL_CODE_PARTS; i++)
        if (!skl_code_read(s, (enum skl_code_part)i, &read, NULL) && read.numbers > d->numbers)
            wrong(d, "%d numbers, where %s reads p[%d]", d->numbers, skl_code_part_name[i], read.numbers - 1);
}

int skl_declare(const struct skl_shortcut *s, const struct skl_unit *u, const void *opts, struct skl_decl *d,
                struct skl_err *err)
{
    memset(d, 0, sizeof *d);
    if (s->declare) s->declare(d, u, opts);
    if (d->sigmoid && d->convs == 0) wrong(d, "a sigmoid that follows no convolution");
    if (d->sigmoid && s->affine) wrong(d, "a sigmoid, which goes with forward and backward only");
    if (d->keep && (s->flags & SKL_PER_PIXEL)) wrong(d, "skl_keep, which does not go with SKL_PER_PIXEL");
    if (d->owns && s->forward_code) wrong(d, "tensors of its own, which a formula does not see");
    if (!d->wrong[0]) check_shape(d, s, u);
    if (!d->wrong[0]) check_numbers(d, s);
    if (!d->wrong[0]) return SKL_OK;
    return skl_fail(err, SKL_USAGE, "shortcut '%s' declares %s", s->name, d->wrong);
}
