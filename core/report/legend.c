#include "core/report/legend.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"

enum { SLUG_MAX = 72 };

static void print_value(FILE *out, const char *before, double value, int metric)
{
    const char *unit = skl_metric_table[metric].unit;
    char text[32];
    if (*unit)
        snprintf(text, sizeof text, "%.2f %s", value, unit);
    else
        snprintf(text, sizeof text, "%#.3g", value);
    size_t n = strlen(text);
    if (text[n - 1] == '.') text[n - 1] = 0;
    fprintf(out, "%s%s", before, text);
}

/* Appends ", 2 running" for each state other than done that some run is in. */
static int print_others(FILE *out, const struct skl_result_setting *s, const char *before)
{
    static const char *const states[] = {"diverged", "failed",  "stopped", "interrupted",
                                         "paused",   "running", "waiting", "unreadable"};
    int all = 0;
    for (size_t k = 0; k < sizeof states / sizeof *states; k++) {
        int count = 0;
        for (int i = 0; i < s->runs; i++) count += !strcmp(s->run[i].state, states[k]);
        if (count == 0) continue;
        if (s->runs == 1)
            fprintf(out, "%s%s", before, states[k]);
        else
            fprintf(out, "%s%d %s", before, count, states[k]);
        before = ", ";
        all += count;
    }
    return all;
}

char *skl_legend_outcome(const struct skl_result_setting *s, int metric)
{
    double *done = skl_alloc_array((size_t)s->runs + 1, sizeof *done),
           *other = skl_alloc_array((size_t)s->runs + 1, sizeof *other);
    int n_done = 0, n_other = 0, diverged = 0;
    for (int i = 0; i < s->runs; i++) {
        const struct skl_result_run *run = &s->run[i];
        diverged += !strcmp(run->state, "diverged");
        if (run->curve[metric].n == 0) continue;
        if (!strcmp(run->state, "done"))
            done[n_done++] = skl_result_last(run, metric);
        else if (strcmp(run->state, "diverged"))
            other[n_other++] = skl_result_last(run, metric);
    }
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    if (n_done) {
        print_value(out, "", skl_median(done, n_done), metric);
        if (s->runs > 1) fprintf(out, ", n = %d", n_done);
        print_others(out, s, ", ");
    } else if (n_other) {
        print_value(out, "so far ", skl_median(other, n_other), metric);
        print_others(out, s, ", ");
    } else if (print_others(out, s, "") == 0 || diverged == 0) {
        fprintf(out, "%sno rows yet", ftell(out) > 0 ? ", " : "");
    }
    skl_text_close(&t);
    free(done);
    free(other);
    return t.text;
}

static char *plain_slug(const char *path)
{
    char *slug = skl_alloc(strlen(path) + 1), *o = slug;
    for (const char *p = path; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (isalnum(c) || c == '_' || c == '-' || (c == '.' && o > slug))
            *o++ = (char)c;
        else if (c == '=')
            *o++ = '_';
        else if (o > slug && o[-1] != '-')
            *o++ = '-';
    }
    while (o > slug && (o[-1] == '-' || o[-1] == '.')) o--;
    *o = 0;
    if (o - slug > SLUG_MAX) slug[SLUG_MAX] = 0;
    return slug;
}

/* '+' stands in no plain slug, so what is built with it cannot meet another setting's. */
char *skl_legend_slug(const struct skl_results *r, int setting)
{
    char *slug = plain_slug(r->setting[setting].path);
    int same = 1;
    for (int i = 0; i < setting; i++) {
        char *other = plain_slug(r->setting[i].path);
        same += !strcmp(other, slug);
        free(other);
    }
    bool plain = isalnum((unsigned char)*slug); /* no option, not hidden */
    char *result = same > 1 ? skl_format("%s%s+%d", plain ? "" : "setting+", slug, same)
                            : skl_format("%s%s", plain ? "" : "setting+", slug);
    free(slug);
    return result;
}
