/* What a variant says about itself: descriptor, options, declaration. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/check/internal.h"
#include "core/config/plan.h"
#include "core/config/registry.h"
#include "core/variant/descriptor.h"

void check_descriptor(struct check *c)
{
    const char *why = skl_shortcut_unsound(c->s);
    if (why) {
        fail(c, "%s", why);
        return;
    }
    _Alignas(16) char opts[SKL_OPTS_MAX];
    struct skl_err err = {0};
    skl_shortcut_defaults(c->s, opts);
    if (c->s->check && c->s->check(opts, &err)) fail(c, "check() refuses the default options: %s", err.text);
    int options = 0;
    for (const struct skl_param *p = c->s->params; p && p->name; p++) options++;
    note(c, "%s; %d option%s", c->s->affine ? "way 1: y = a h + b f" : "way 2: forward and backward", options,
         options == 1 ? "" : "s");
}

/* ---- options, through the very reader that experiment files go through ---- */

struct trial {
    struct check *c;
    char *folder, *path;
};

/* Loads a file with this text under `shortcut:`, the option in line 4. */
static int load(struct trial *t, const char *name, const char *value, struct skl_plan *plan, struct skl_err *err)
{
    char *text = skl_format("model:\n  shortcut:\n    type: %s\n    %s: %s\n", t->c->s->name, name, value);
    if (skl_file_write(t->path, text, strlen(text), err)) fail(t->c, "%s", err->text);
    free(text);
    return skl_plan_load(t->path, NULL, 0, plan, err);
}

static void refused(struct trial *t, const char *name, const char *value)
{
    struct skl_plan plan;
    struct skl_err err = {0};
    if (load(t, name, value, &plan, &err) == SKL_OK) {
        fail(t->c, "'%s: %s' is accepted, but must be refused", name, value);
        skl_plan_release(&plan);
        return;
    }
    char *place = skl_format("%s:4:", t->path);
    if (strncmp(err.text, place, strlen(place)) != 0)
        fail(t->c, "'%s: %s' is refused without file and line: %s", name, value, err.text);
    free(place);
}

static double value_of(const struct skl_param *p, const void *opts)
{
    const void *field = (const char *)opts + p->offset;
    return p->type == SKL_BOOL   ? *(const bool *)field
           : p->type == SKL_REAL ? *(const double *)field
                                 : *(const int *)field;
}

static void accepted(struct trial *t, const struct skl_param *p, const char *text, double value)
{
    struct skl_plan plan;
    struct skl_err err = {0};
    if (load(t, p->name, text, &plan, &err)) {
        if (!t->c->s->check) fail(t->c, "'%s: %s' is within the range, but refused: %s", p->name, text, err.text);
        return; /* a cross-field rule may forbid it */
    }
    const double got = value_of(p, plan.run[0].exp.model.shortcut_opts);
    if (got != value) fail(t->c, "'%s: %s' becomes %.17g", p->name, text, got);
    skl_plan_release(&plan);
}

static void number(struct trial *t, const struct skl_param *p)
{
    const bool whole = p->type == SKL_INT;
    const double inside[] = {p->min, p->max, p->def};
    const double outside[] = {whole ? p->min - 1 : nextafter(p->min, -DBL_MAX),
                              whole ? p->max + 1 : nextafter(p->max, DBL_MAX)};
    char text[64];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "%.17g", inside[i]);
        accepted(t, p, text, inside[i]);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "%.17g", outside[i]);
        refused(t, p->name, text);
    }
    static const char *const wrong[] = {".nan", "nan", ".inf", "-.inf", "true", "much", "1e999", "[1]", "{}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) refused(t, p->name, wrong[i]);
    if (whole) refused(t, p->name, "0.5");
}

static void word(struct trial *t, const struct skl_param *p)
{
    for (int i = 0; p->choices[i]; i++) accepted(t, p, p->choices[i], i);
    static const char *const wrong[] = {"no-such-choice", "0", "[]", ".nan"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) refused(t, p->name, wrong[i]);
}

static void boolean(struct trial *t, const struct skl_param *p)
{
    accepted(t, p, "true", 1), accepted(t, p, "false", 0);
    static const char *const wrong[] = {"2", "perhaps", ".nan", "[true]"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) refused(t, p->name, wrong[i]);
}

void check_options(struct check *c)
{
    struct trial t = {.c = c};
    struct skl_err err = {0};
    if (skl_registry_find(c->s->name) != c->s) {
        skip(c, "not registered, so no experiment file can name it");
        return;
    }
    if (skl_scratch_make(&t.folder, &err)) {
        fail(c, "%s", err.text);
        return;
    }
    t.path = skl_path(t.folder, "check.yaml");
    for (const struct skl_param *p = c->s->params; p && p->name; p++) {
        if (p->type == SKL_CHOICE)
            word(&t, p);
        else if (p->type == SKL_BOOL)
            boolean(&t, p);
        else
            number(&t, p);
    }
    refused(&t, "no_such_option", "1");
    skl_folder_remove(t.folder);
    free(t.folder);
    free(t.path);
    note(c, "through the reader of experiment files; unknown options are refused too");
}

/* ---- declaration ---- */

static const struct skl_unit units[] = {
    {1, 3, {8, 8, 16}, {8, 8, 16}}, {1, 3, {32, 32, 16}, {16, 16, 32}}, {0, 9, {8, 8, 16}, {8, 8, 64}},
    {2, 3, {5, 3, 8}, {3, 2, 16}},  {0, 1, {1, 1, 1}, {1, 1, 1}},
};
enum { UNITS = sizeof units / sizeof *units };

/* Field by field: the padding of a conv_spec is the variant's stack. */
static bool same_declaration(const struct skl_decl *a, const struct skl_decl *b)
{
    bool same = a->source == b->source && a->convs == b->convs && a->owns == b->owns && a->keep == b->keep &&
                a->scratch == b->scratch && memcmp(a->p, b->p, sizeof a->p) == 0 && a->starts == b->starts &&
                a->branch_start == b->branch_start;
    for (int i = 0; same && i < a->convs; i++) {
        const struct skl_conv_spec *x = &a->conv[i].spec, *y = &b->conv[i].spec;
        same = strcmp(a->conv[i].name, b->conv[i].name) == 0 && a->conv[i].bn == b->conv[i].bn &&
               strcmp(a->conv[i].bn_name, b->conv[i].bn_name) == 0 && x->kernel == y->kernel &&
               x->out_channels == y->out_channels && x->stride == y->stride && x->init == y->init &&
               x->bias == y->bias && x->bias_init == y->bias_init && x->bias_flags == y->bias_flags &&
               a->conv[i].bn_bias == b->conv[i].bn_bias && a->conv[i].bn_flags == b->conv[i].bn_flags;
    }
    return same && memcmp(a->own, b->own, sizeof a->own) == 0;
}

static void pure(struct check *c, const struct variation *set, const struct skl_unit *u)
{
    struct variation moved = *set;
    struct skl_decl a = declared(c, set, u), again = declared(c, set, u);
    declared(c, &c->variation[c->variations - 1], &units[0]);
    struct skl_decl b = declared(c, &moved, u);
    if (!same_declaration(&a, &b) || !same_declaration(&a, &again))
        fail(c, "declare says another thing when it is asked again (%s)", set->label);
    if (a.wrong[0]) fail(c, "declares %s (%s)", a.wrong, set->label);
}

/* The tensors a real net has for its units, against a dry run of declare. */
static void real(struct check *c, const struct variation *set)
{
    struct lab lab;
    if (!lab_open(&lab, c, set,
                  (struct lab_options){.size = 8, .batch = 2, .group = 2, .threads = 1, .conv = SKL_CONV_GEMM}))
        return;
    for (int i = 0; i < skl_net_units(lab.net); i++) {
        const struct skl_planned_unit u = skl_net_unit(lab.net, i);
        struct skl_decl dry = declared(c, set, u.place);
        if (!same_declaration(&dry, u.decl))
            fail(c, "declare in the net differs from a dry run (unit %d, %s)", i, set->label);
        for (int k = 0; k < dry.owns; k++) {
            char want[128];
            snprintf(want, sizeof want, "%s.shortcut.%s", u.name, dry.own[k].name);
            if (!lab_find(&lab, want)) fail(c, "the net has no tensor %s", want);
        }
    }
    lab_close(&lab);
}

void check_declaration(struct check *c)
{
    int tensors = 0;
    for (int i = 0; i < c->variations; i++) {
        for (int k = 0; k < UNITS && !failed(c); k++) pure(c, &c->variation[i], &units[k]);
        if (!failed(c)) real(c, &c->variation[i]);
    }
    struct skl_decl d = declared(c, &c->variation[0], &units[0]);
    for (int i = 0; i < d.convs; i++) tensors += 1 + d.conv[i].spec.bias + 2 * d.conv[i].bn;
    note(c, "%d tensors a unit, %d of them in declared layers", tensors + d.owns, tensors);
}
