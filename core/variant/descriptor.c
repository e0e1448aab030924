#include "core/variant/descriptor.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/variant/code.h"

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
enum { PARAMS_MAX = 64, CHOICES_MAX = 64, WORD_MAX = 40, LINE_MAX_BYTES = 400 };

static bool is_word(const char *s)
{
    const size_t n = s ? strnlen(s, WORD_MAX + 1) : 0;
    return n > 0 && n <= WORD_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* One line that may stand in a table, a message and a file. */
static bool is_line(const char *s)
{
    const size_t n = s ? strnlen(s, LINE_MAX_BYTES + 1) : 0;
    if (n == 0 || n > LINE_MAX_BYTES) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) return false;
    return true;
}

static size_t field_size(const struct skl_param *p)
{
    return p->type == SKL_BOOL ? sizeof(bool) : p->type == SKL_REAL ? sizeof(double) : sizeof(int);
}

/* Words; a table that does not end, or whose length is not max + 1, is no table of choices. */
static bool choices_sound(const struct skl_param *p)
{
    int n = 0;
    if (!p->choices) return false;
    for (; n <= CHOICES_MAX && p->choices[n]; n++)
        if (!is_line(p->choices[n])) return false;
    return n > 0 && n <= CHOICES_MAX && p->min == 0 && p->max == n - 1;
}

static bool whole(double v) { return v == floor(v) && fabs(v) <= INT_MAX; }

static const char *unsound_param(const struct skl_shortcut *s, const struct skl_param *p)
{
    static char text[160];
    const char *why = NULL;
    if (!is_word(p->name)) return "an option's name is empty, too long or has characters other than a-z, 0-9 and _";
    if (!is_line(p->help)) why = "has no help, or one that is no line";
    if (strcmp(p->name, "type") == 0) why = "cannot be called type";
    if (!(p->min <= p->max) || !(p->def >= p->min && p->def <= p->max)) why = "has a default outside its range";
    if (!isfinite(p->min) || !isfinite(p->max)) why = "has no finite range";
    if (p->type != SKL_REAL && !(whole(p->min) && whole(p->max) && whole(p->def))) why = "is an int with another range";
    if (p->type == SKL_BOOL && (p->min < 0 || p->max > 1)) why = "is a bool with another range than 0 to 1";
    if (p->type == SKL_CHOICE && !choices_sound(p)) why = "has no choices, or other than its range says";
    if (p->type > SKL_CHOICE)
        why = "has an unknown type";
    else if (p->offset > s->opts_size || s->opts_size - p->offset < field_size(p))
        why = "lies outside the options struct";
    else if (p->offset % field_size(p))
        why = "is not aligned";
    for (const struct skl_param *q = s->params; q < p; q++)
        if (strcmp(p->name, q->name) == 0) why = "is there twice";
    if (!why) return NULL;
    snprintf(text, sizeof text, "option '%.60s' %s", p->name, why);
    return text;
}

static const char *unsound_params(const struct skl_shortcut *s)
{
    if (s->opts_size > SKL_OPTS_MAX) return "the options struct is too large";
    for (int i = 0; s->params && s->params[i].name; i++) {
        const char *why = i < PARAMS_MAX ? unsound_param(s, &s->params[i]) : "the table of options does not end";
        if (why) return why;
    }
    return NULL;
}

static const char *unsound_texts(const struct skl_shortcut *s)
{
    if (!is_word(s->name)) return "the name is empty, too long or has characters other than a-z, 0-9 and _";
    if (!is_line(s->summary) || !is_line(s->formula) || !is_line(s->source))
        return "summary, formula and source must be given, a line each";
    if (!is_line(s->on_shortcut) || !is_line(s->on_residual))
        return "on_shortcut and on_residual must be given, a line each";
    return NULL;
}

static const char *unsound_functions(const struct skl_shortcut *s)
{
    if (!s->affine == !(s->forward && s->backward))
        return "exactly one of affine and forward with backward must be given";
    if (!s->forward != !s->backward) return "forward and backward go together";
    if (s->affine_grad && !s->affine) return "affine_grad without affine";
    if (s->flags & ~(uint32_t)(SKL_MIXES_IMAGES | SKL_SURROGATE_GRAD | SKL_PER_PIXEL)) return "unknown flags";
    if ((s->flags & SKL_MIXES_IMAGES) && (s->flags & SKL_PER_PIXEL))
        return "SKL_MIXES_IMAGES and SKL_PER_PIXEL do not go together";
    if ((s->flags & SKL_PER_PIXEL) && s->affine) return "SKL_PER_PIXEL without forward and backward";
    return NULL;
}

static const char *unsound_code(const struct skl_shortcut *s)
{
    static struct skl_err err;
    struct skl_code_read read;
    if (!s->forward_code != !s->backward_code) return "SKL_FORWARD and SKL_BACKWARD go together";
    if (s->forward_code && !(s->forward && (s->flags & SKL_PER_PIXEL)))
        return "a formula without its functions: use SKL_FORMULA";
    if (s->gain_code && !s->gain) return "SKL_GAIN without gain: use SKL_FORMULA_GAIN";
    for (int i = 0; i < SKL_CODE_PARTS; i++)
        if (skl_code_read(s, (enum skl_code_part)i, &read, &err)) return err.text;
    return NULL;
}

const char *skl_shortcut_unsound(const struct skl_shortcut *s)
{
    if (s->abi != SKL_SHORTCUT_ABI || s->size != sizeof *s) return "built for another interface";
    const char *why = unsound_texts(s);
    if (!why) why = unsound_functions(s);
    if (!why) why = unsound_params(s);
    if (!why) why = unsound_code(s);
    return why;
}
