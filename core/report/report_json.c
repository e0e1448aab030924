/* report_json.c - summary.json: keys sorted, null where there is no number. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/json.h"
#include "core/report/columns.h"
#include "core/report/text.h"

static json_t *text(const char *raw)
{
    if (!raw || !*raw) return json_null();
    char *clean = skl_text_clean(raw);
    json_t *value = json_string(clean);
    SKL_CHECK(value);
    free(clean);
    return value;
}

/* A setting's value as what it is. */
static json_t *value(const char *raw)
{
    char *end;
    double v = raw ? strtod(raw, &end) : 0;
    if (raw && *raw && !*end && isfinite(v))
        return v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v) : json_real(v);
    return text(raw);
}

static json_t *column_json(const struct skl_report_column *c, const struct skl_subject *s)
{
    struct skl_value v = skl_column_value(c, s);
    json_t *json = NULL;
    switch (v.kind) {
    case SKL_IS_NOTHING:
        break;
    case SKL_IS_TEXT:
    case SKL_IS_CHARS:
        json = text(v.text);
        break;
    case SKL_IS_SCALAR:
        json = value(v.text);
        break;
    case SKL_IS_REAL:
        json = skl_json_real(v.real);
        break;
    case SKL_IS_INT:
    case SKL_IS_WHOLE:
    case SKL_IS_NATURAL:
        json = json_integer((json_int_t)v.whole);
        break;
    case SKL_IS_KNOWN:
        json = v.whole > 0 ? json_integer((json_int_t)v.whole) : json_null();
        break;
    case SKL_IS_FLAG:
        json = json_boolean(v.whole);
        break;
    }
    skl_value_release(&v);
    return json;
}

/* Each under its name; "a.b": as b of the object a. */
static json_t *object(const struct skl_report_column *table, const struct skl_subject *s)
{
    json_t *all = json_object();
    for (const struct skl_report_column *c = table; c->key; c++) {
        if (!c->json) continue;
        const size_t n = strcspn(c->json, ".");
        json_t *in = all;
        if (c->json[n]) {
            char *outer = skl_format("%.*s", (int)n, c->json);
            in = json_object_get(all, outer);
            if (!in) json_object_set_new(all, outer, in = json_object());
            free(outer);
        }
        json_object_set_new(in, c->json[n] ? c->json + n + 1 : c->json, column_json(c, s));
    }
    return all;
}

static json_t *settings_of(const struct skl_study *s, const struct skl_report_row *row)
{
    json_t *object = json_object();
    for (int i = 0; i < s->keys; i++) {
        const char *v = skl_facts_get(&row->facts, s->key[i].path);
        if (v) json_object_set_new(object, s->key[i].path, value(v));
    }
    return object;
}

static json_t *row_json(const struct skl_study *s, const struct skl_report_row *row)
{
    json_t *runs = json_array(), *o = object(skl_setting_columns, &(struct skl_subject){s, row, NULL});
    for (int i = 0; i < row->runs; i++)
        json_array_append_new(runs, object(skl_run_columns, &(struct skl_subject){s, row, &row->run[i]}));
    json_object_set_new(o, "runs", runs);
    json_object_set_new(o, "settings", settings_of(s, row));
    if (row->difference.n)
        json_object_set_new(json_object_get(o, "difference"), "interval",
                            json_string("95 % t-interval of the mean paired difference"));
    else
        json_object_set_new(o, "difference", json_null());
    return o;
}

static json_t *paper_json(const struct skl_study *s)
{
    if (s->compared == 0) return json_null();
    return json_pack("{s:o, s:i, s:i, s:i, s:o, s:i}", "other_protocol", text(s->protocol), "rows", s->compared,
                     "both_fail", s->both_fail, "both_train", s->both_train, "rank_correlation",
                     skl_json_real(s->rank_correlation), "ranked", s->ranked);
}

static json_t *study_json(const struct skl_study *s)
{
    json_t *constant = json_object(), *rows = json_array();
    for (int i = 0; i < s->constant.count; i++)
        json_object_set_new(constant, s->constant.item[i].key, value(s->constant.item[i].value));
    for (int i = 0; i < s->results.settings; i++) json_array_append_new(rows, row_json(s, &s->row[i]));
    json_t *o = json_pack("{s:o, s:o, s:o, s:b, s:o, s:f, s:f, s:f, s:o, s:o}", "name", text(s->results.name), "label",
                          text(s->results.label), "baseline", text(s->results.setting[s->results.baseline].name),
                          "baseline_failed", s->baseline_failed, "constant", constant, "fail_above", s->fail_above,
                          "fail_times_baseline", s->fail_times, "train_error_level", s->level, "paper", paper_json(s),
                          "rows", rows);
    SKL_CHECK(o);
    return o;
}

char *skl_summary_json(const struct skl_report *r)
{
    json_t *studies = json_array(), *warnings = json_array();
    for (int i = 0; i < r->studies; i++) json_array_append_new(studies, study_json(&r->study[i]));
    for (int i = 0; i < r->warnings; i++) json_array_append_new(warnings, text(r->warning[i]));
    json_t *root =
        json_pack("{s:i, s:o, s:o, s:s, s:o, s:o}", "schema_version", 1, "version", text(r->options->version), "commit",
                  text(r->options->commit), "select_by", r->options->by_validation ? "validation" : "final", "studies",
                  studies, "warnings", warnings);
    return skl_json_sorted(root);
}
