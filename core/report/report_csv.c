/* report_csv.c - summary.csv, runs.csv, curves.csv: cells after RFC 4180, numbers %.9g, nothing where there is none.
 * A text that a spreadsheet would take for a formula gets an apostrophe before it. */
#include "core/report/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/report/text.h"

static bool is_number(const char *text)
{
    char *end;
    if (strspn(text, "+-.0123456789eE") != strlen(text)) return false;
    double v = strtod(text, &end);
    return *text && !*end && isfinite(v);
}

static void put_text(FILE *out, const char *raw)
{
    char *text = skl_text_clean(raw);
    const char *guard = strchr("=+-@\t\r", *text) && *text && !is_number(text) ? "'" : "";
    if (*guard || strpbrk(text, ",\"\n\r") || text[0] == ' ') {
        fprintf(out, "\"%s", guard);
        for (const char *p = text; *p; p++) {
            if (*p == '"') fputc('"', out);
            fputc(*p, out);
        }
        fputc('"', out);
    } else {
        fputs(text, out);
    }
    free(text);
}

static void put_value(FILE *out, const struct skl_value *v)
{
    switch (v->kind) {
    case SKL_IS_NOTHING:
        break;
    case SKL_IS_TEXT:
    case SKL_IS_CHARS:
    case SKL_IS_SCALAR:
        put_text(out, v->text);
        break;
    case SKL_IS_REAL:
        isfinite(v->real) ? fprintf(out, "%.9g", v->real) : 0;
        break;
    case SKL_IS_KNOWN:
        v->whole ? fprintf(out, "%lld", (long long)v->whole) : 0;
        break;
    case SKL_IS_INT:
    case SKL_IS_WHOLE:
        fprintf(out, "%lld", (long long)v->whole);
        break;
    case SKL_IS_NATURAL:
        fprintf(out, "%llu", (unsigned long long)v->whole);
        break;
    case SKL_IS_FLAG:
        fputs(v->whole ? "true" : "false", out);
        break;
    }
}

/* Keys that vary in one study or another, or between them. */
struct keys {
    const char **path;
    int count;
};

static void add_key(struct keys *keys, const char *path)
{
    for (int i = 0; i < keys->count; i++)
        if (!strcmp(keys->path[i], path)) return;
    *SKL_ADD(keys->path, keys->count) = path;
}

static struct keys all_keys(const struct skl_report *r)
{
    struct keys keys = {0};
    const struct skl_facts *first = &r->study[0].constant;
    for (int s = 0; s < r->studies; s++)
        for (int i = 0; i < r->study[s].keys; i++) add_key(&keys, r->study[s].key[i].path);
    for (int s = 1; s < r->studies; s++) {
        const struct skl_facts *c = &r->study[s].constant;
        for (int i = 0; i < c->count; i++) {
            const char *other = skl_facts_get(first, c->item[i].key);
            if (other && strcmp(other, c->item[i].value)) add_key(&keys, c->item[i].key);
        }
    }
    return keys;
}

/* ---- summary.csv, runs.csv ---- */

static void put_heads(FILE *out, const struct skl_report_column *table, const struct keys *keys)
{
    const char *separator = "";
    for (const struct skl_report_column *c = table; c->key; c++) {
        for (int i = 0; i < keys->count && c->is_keys; i++) {
            fputc(',', out);
            put_text(out, keys->path[i]);
        }
        if (!c->csv) continue;
        fprintf(out, "%s%s", separator, c->csv);
        separator = ",";
    }
    fputc('\n', out);
}

static void put_row(FILE *out, const struct skl_report_column *table, const struct keys *keys,
                    const struct skl_subject *s)
{
    const char *separator = "";
    for (const struct skl_report_column *c = table; c->key; c++) {
        for (int i = 0; i < keys->count && c->is_keys; i++) {
            const char *value = skl_facts_get(&s->row->facts, keys->path[i]);
            fputc(',', out);
            put_text(out, value);
        }
        if (!c->csv) continue;
        struct skl_value v = skl_column_value(c, s);
        fputs(separator, out);
        put_value(out, &v);
        skl_value_release(&v);
        separator = ",";
    }
    fputc('\n', out);
}

char *skl_summary_csv(const struct skl_report *r)
{
    struct keys keys = all_keys(r);
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    put_heads(out, skl_setting_columns, &keys);
    for (int s = 0; s < r->studies; s++)
        for (int i = 0; i < r->study[s].results.settings; i++)
            put_row(out, skl_setting_columns, &keys, &(struct skl_subject){&r->study[s], &r->study[s].row[i], NULL});
    free(keys.path);
    return skl_text_close(&t);
}

char *skl_runs_csv(const struct skl_report *r)
{
    struct keys keys = all_keys(r);
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    put_heads(out, skl_run_columns, &keys);
    for (int s = 0; s < r->studies; s++)
        for (int i = 0; i < r->study[s].results.settings; i++)
            for (int k = 0; k < r->study[s].row[i].runs; k++)
                put_row(out, skl_run_columns, &keys,
                        &(struct skl_subject){&r->study[s], &r->study[s].row[i], &r->study[s].row[i].run[k]});
    free(keys.path);
    return skl_text_close(&t);
}

/* ---- curves.csv ---- */

static void put_curve(FILE *out, const char *start, int metric, const struct skl_series *c)
{
    for (int i = 0; i < c->n; i++)
        fprintf(out, "%s%s,%.9g,%.9g\n", start, skl_metric_table[metric].name, c->x[i], c->y[i]);
}

/* "sweep,setting,seed," */
static char *curve_start(const struct skl_study *s, const struct skl_report_row *row, const struct skl_report_run *r)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    put_text(out, s->results.name);
    fputc(',', out);
    put_text(out, row->setting->name);
    fprintf(out, ",%llu,", (unsigned long long)r->run->seed);
    return skl_text_close(&t);
}

/* Run by run: the whole of it can be hundreds of megabytes. */
int skl_curves_csv(const struct skl_report *r, const char *path, struct skl_err *err)
{
    struct skl_atomic file;
    static const char head[] = "sweep,setting,seed,metric,iteration,value\n";
    int status = skl_atomic_open(&file, path, err);
    if (status) return status;
    status = skl_atomic_write(&file, head, sizeof head - 1, err);
    for (int s = 0; s < r->studies; s++) {
        for (int i = 0; i < r->study[s].results.settings; i++) {
            const struct skl_report_row *row = &r->study[s].row[i];
            for (int k = 0; k < row->runs && !status; k++) {
                char *start = curve_start(&r->study[s], row, &row->run[k]);
                struct skl_text t;
                FILE *out = skl_text_open(&t);
                for (int m = 0; m < SKL_METRICS; m++) put_curve(out, start, m, &row->run[k].run->curve[m]);
                skl_text_close(&t);
                status = skl_atomic_write(&file, t.text, t.n, err);
                free(t.text);
                free(start);
            }
        }
    }
    if (!status) return skl_atomic_commit(&file, err);
    skl_atomic_abort(&file);
    return status;
}
