/* Options to check with: the defaults, then one option at a time at its limits, in the middle, at 0 and at 1. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/check/internal.h"
#include "core/variant/descriptor.h"

static void put(void *opts, const struct skl_param *p, double v)
{
    void *field = (char *)opts + p->offset;
    if (p->type == SKL_BOOL)
        *(bool *)field = v != 0;
    else if (p->type == SKL_REAL)
        *(double *)field = v;
    else
        *(int *)field = (int)v;
}

/* Values worth trying, without the default; each once. */
static int candidates(const struct skl_param *p, double v[8])
{
    const double middle = p->type == SKL_INT ? floor((p->min + p->max) / 2) : (p->min + p->max) / 2;
    const double tried[] = {p->min, p->max, middle, 0, 1};
    int n = 0;
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        bool known = tried[i] == p->def || tried[i] < p->min || tried[i] > p->max;
        for (int j = 0; j < n; j++) known = known || v[j] == tried[i];
        if (!known) v[n++] = tried[i];
    }
    return n;
}

static void label(struct variation *set, const struct skl_param *p, double v)
{
    if (p->type == SKL_BOOL)
        snprintf(set->label, sizeof set->label, "%s=%s", p->name, v != 0 ? "true" : "false");
    else if (p->type == SKL_CHOICE)
        snprintf(set->label, sizeof set->label, "%s=%s", p->name, p->choices[(int)v]);
    else
        snprintf(set->label, sizeof set->label, "%s=%.9g", p->name, v);
}

static int add_values(const struct skl_shortcut *s, const struct skl_param *p, struct variation *variation, int n)
{
    double v[8];
    int count = 0;
    if (p->type == SKL_CHOICE) {
        for (int i = 0; p->choices[i] && count < 8; i++)
            if (i != (int)p->def) v[count++] = i;
    } else {
        count = candidates(p, v);
    }
    for (int i = 0; i < count && n < VARIATIONS_MAX; i++) {
        struct variation *set = &variation[n];
        skl_shortcut_defaults(s, set->opts);
        put(set->opts, p, v[i]);
        if (s->check && s->check(set->opts, NULL)) continue; /* a cross-field rule forbids it */
        label(set, p, v[i]);
        set->extreme = p->type != SKL_BOOL && p->type != SKL_CHOICE && fabs(v[i]) > 2;
        n++;
    }
    return n;
}

int make_variations(const struct skl_shortcut *s, struct variation variation[VARIATIONS_MAX])
{
    skl_shortcut_defaults(s, variation[0].opts);
    snprintf(variation[0].label, sizeof variation[0].label, "defaults");
    int n = 1;
    for (const struct skl_param *p = s->params; p && p->name; p++) n = add_values(s, p, variation, n);
    return n;
}
