/* column_value.c - a column's value for one line, and how a page's tables show it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/report/columns.h"

/* ---- values ---- */

/* A run that has no run.json, or one that cannot be read. */
static const struct skl_run_record no_record = {.test_error = NAN,
                                                .test_top5 = NAN,
                                                .test_loss = NAN,
                                                .train_error = NAN,
                                                .train_loss = NAN,
                                                .validation_error = NAN,
                                                .validation_loss = NAN,
                                                .seconds = NAN,
                                                .images_per_second = NAN};

static const char *origin(const struct skl_report_column *c, const struct skl_subject *s)
{
    switch (c->from) {
    case SKL_FROM_STUDY:
        return (const char *)s->study;
    case SKL_FROM_ROW:
        return (const char *)s->row;
    case SKL_FROM_SETTING:
        return (const char *)s->row->setting;
    case SKL_FROM_RUN:
        return (const char *)s->run;
    case SKL_FROM_RESULT:
        return (const char *)s->run->run;
    case SKL_FROM_RECORD:
        return (const char *)(s->run->record.host ? &s->run->record : &no_record);
    }
    SKL_BUG("origin %d", (int)c->from);
}

struct skl_value skl_column_value(const struct skl_report_column *c, const struct skl_subject *s)
{
    if (c->of) return c->of(s);
    struct skl_value v = {.kind = c->kind};
    const void *at = c->kind == SKL_IS_NOTHING ? NULL : origin(c, s) + c->offset;
    switch (c->kind) {
    case SKL_IS_NOTHING:
        break;
    case SKL_IS_CHARS:
        v.text = skl_strdup(at);
        break;
    case SKL_IS_TEXT:
    case SKL_IS_SCALAR:
        v.text = skl_strdup(*(char *const *)at ? *(char *const *)at : "");
        break;
    case SKL_IS_REAL:
        v.real = *(const double *)at;
        break;
    case SKL_IS_INT:
        v.whole = *(const int *)at;
        break;
    case SKL_IS_WHOLE:
    case SKL_IS_NATURAL:
    case SKL_IS_KNOWN:
        memcpy(&v.whole, at, sizeof v.whole);
        break;
    case SKL_IS_FLAG:
        v.whole = *(const bool *)at;
        break;
    }
    return v;
}

void skl_value_release(struct skl_value *v)
{
    free(v->text);
    *v = (struct skl_value){0};
}

/* ---- pages ---- */

char *skl_number_text(int decimals, double v)
{
    char text[64];
    snprintf(text, sizeof text, "%.*f", decimals, fabs(v));
    const bool negative = v < 0 && strpbrk(text, "123456789");
    if (isnan(v)) return skl_strdup("");
    return skl_format("%s%s", negative ? "−" : "", isinf(v) ? "∞" : text);
}

/* 1727962 as "1.73 M" */
static char *count_text(int64_t v)
{
    static const char *const units[] = {" k", " M", " G"};
    double scaled = (double)v / 1e3;
    int unit = 0;
    if (v <= 0) return skl_strdup("");
    if (v < 10000) return skl_format("%lld", (long long)v);
    for (; scaled >= 1e3 && unit < 2; unit++) scaled /= 1e3;
    return skl_format("%.3g%s", scaled, units[unit]);
}

static char *shown_value(const struct skl_report_column *c, const struct skl_subject *s)
{
    const struct skl_value v = skl_column_value(c, s);
    switch (v.kind) {
    case SKL_IS_TEXT:
    case SKL_IS_CHARS:
    case SKL_IS_SCALAR:
        return v.text;
    case SKL_IS_REAL:
        return skl_number_text(c->decimals, v.real);
    case SKL_IS_NATURAL:
        return skl_format("%llu", (unsigned long long)v.whole);
    case SKL_IS_KNOWN:
        return count_text(v.whole);
    case SKL_IS_FLAG:
        return skl_strdup(v.whole ? "true" : "false");
    default:
        return skl_format("%lld", (long long)v.whole);
    }
}

static const struct skl_report_column *find(const struct skl_report_column *table, const char *key)
{
    for (; table->key; table++)
        if (!strcmp(table->key, key)) return table;
    SKL_BUG("no column '%s'", key);
}

/* The case says what stands in the folder's name, and two columns what the scales are. */
static bool shown_key(const struct skl_study *s, const struct skl_report_key *key)
{
    static const char *const said[] = {"model.shortcut.type", "model.shortcut.shortcut_scale",
                                       "model.shortcut.residual_scale"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (!strcmp(key->path, said[i])) return false;
    for (int i = 0; i < s->results.settings; i++) {
        const struct skl_report_row *row = &s->row[i];
        char *pair = skl_format("%s=", key->name);
        bool told = strstr(row->setting->path, pair);
        free(pair);
        if (!told && skl_facts_get(&row->facts, key->path)) return true;
    }
    return false;
}

static bool is_number(const struct skl_report_column *c)
{
    return c->kind != SKL_IS_NOTHING && c->kind != SKL_IS_TEXT && c->kind != SKL_IS_CHARS;
}

void skl_page_heads(struct skl_doc *doc, const struct skl_report_column *table, const char *const *keys,
                    const struct skl_study *s)
{
    for (; *keys; keys++) {
        const struct skl_report_column *c = find(table, *keys);
        for (int k = 0; k < s->keys && c->is_keys; k++)
            if (shown_key(s, &s->key[k])) skl_doc_column(doc, true, s->key[k].name, s->key[k].path);
        if (c->is_keys || (c->shown && !c->shown(s))) continue;
        char *head = c->head_of ? c->head_of(s) : skl_strdup(c->head);
        skl_doc_column(doc, is_number(c), head, c->title);
        free(head);
    }
}

static void put_keys(struct skl_doc *doc, const struct skl_subject *s)
{
    for (int i = 0; i < s->study->keys; i++) {
        const char *value = skl_facts_get(&s->row->facts, s->study->key[i].path);
        if (shown_key(s->study, &s->study->key[i])) skl_doc_cell(doc, 0, "%s", value ? value : "");
    }
}

void skl_page_cells(struct skl_doc *doc, const struct skl_report_column *table, const char *const *keys,
                    const struct skl_subject *s)
{
    for (; *keys; keys++) {
        const struct skl_report_column *c = find(table, *keys);
        int flags = c->flags;
        if (c->is_keys) put_keys(doc, s);
        if (c->is_keys || (c->shown && !c->shown(s->study))) continue;
        char *text = c->show ? c->show(s, &flags) : shown_value(c, s);
        skl_doc_cell(doc, flags, "%s", text);
        free(text);
    }
}
