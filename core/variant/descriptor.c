#include "core/variant/descriptor.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void skl_shortcut_defaults(const struct skl_shortcut *s, void *opts)
{
    memset(opts, 0, SKL_OPTS_MAX);
    for (const struct skl_param *p = s->params; p && p->name; p++) {
        void *field = (char *)opts + p->offset;
        if (p->type == SKL_BOOL)
            *(bool *)field = p->def != 0;
        else if (p->type == SKL_REAL)
            *(double *)field = p->def;
        else
            *(int *)field = (int)p->def;
    }
}

/* What a variant's check() calls, built in or not. */
int skl_refuse(struct skl_err *err, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return skl_fail(err, SKL_USAGE, "%s", text);
}

/* ---- the table checks itself ---- */

static bool is_word(const char *s)
{
    return s && *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

static size_t field_size(const struct skl_param *p)
{
    return p->type == SKL_BOOL ? sizeof(bool) : p->type == SKL_REAL ? sizeof(double) : sizeof(int);
}

static const char *unsound_param(const struct skl_shortcut *s, const struct skl_param *p)
{
    static char text[160];
    const char *why = NULL;
    if (!is_word(p->name)) return "an option's name has characters other than a-z, 0-9 and _";
    if (!p->help || !*p->help) why = "has no help";
    if (strcmp(p->name, "type") == 0) why = "cannot be called type";
    if (!(p->min <= p->max) || !(p->def >= p->min && p->def <= p->max)) why = "has a default outside its range";
    if (!isfinite(p->min) || !isfinite(p->max)) why = "has no finite range";
    if (p->offset + field_size(p) > s->opts_size) why = "lies outside the options struct";
    if (p->type == SKL_CHOICE && (!p->choices || !p->choices[0])) why = "has no choices";
    for (const struct skl_param *q = s->params; q < p; q++)
        if (strcmp(p->name, q->name) == 0) why = "is there twice";
    if (!why) return NULL;
    snprintf(text, sizeof text, "option '%.60s' %s", p->name, why);
    return text;
}

const char *skl_shortcut_unsound(const struct skl_shortcut *s)
{
    if (s->abi != SKL_SHORTCUT_ABI || s->size != sizeof *s) return "built for another interface";
    if (!is_word(s->name)) return "the name has characters other than a-z, 0-9 and _";
    if (!s->summary || !*s->summary || !s->formula || !*s->formula || !s->source || !*s->source)
        return "summary, formula and source must be given";
    if (!s->on_shortcut || !*s->on_shortcut || !s->on_residual || !*s->on_residual)
        return "on_shortcut and on_residual must be given";
    if (!s->affine == !(s->forward && s->backward))
        return "exactly one of affine and forward with backward must be given";
    if (!s->forward != !s->backward) return "forward and backward go together";
    if (s->affine_grad && !s->affine) return "affine_grad without affine";
    if (s->flags & ~(uint32_t)(SKL_MIXES_IMAGES | SKL_SURROGATE_GRAD | SKL_PER_PIXEL)) return "unknown flags";
    if ((s->flags & SKL_MIXES_IMAGES) && (s->flags & SKL_PER_PIXEL))
        return "SKL_MIXES_IMAGES and SKL_PER_PIXEL do not go together";
    if ((s->flags & SKL_PER_PIXEL) && s->affine) return "SKL_PER_PIXEL without forward and backward";
    if (s->opts_size > SKL_OPTS_MAX) return "the options struct is too large";
    for (const struct skl_param *p = s->params; p && p->name; p++) {
        const char *why = unsound_param(s, p);
        if (why) return why;
    }
    return NULL;
}
