/* report_json.c - summary.json: keys sorted, null where there is no number. */
#include "core/io/json.h"
#include "core/report/report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

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

static json_t *whole(int64_t v) { return v > 0 ? json_integer((json_int_t)v) : json_null(); }

/* A setting's value as what it is. */
static json_t *value(const char *raw)
{
    char *end;
    double v = raw ? strtod(raw, &end) : 0;
    if (raw && *raw && !*end && isfinite(v))
        return v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v) : json_real(v);
    return text(raw);
}

static json_t *spread(const struct skl_spread *s)
{
    return json_pack("{s:o, s:o, s:o, s:i}", "median", skl_json_real(s->median), "min", skl_json_real(s->low), "max",
                     skl_json_real(s->high), "n", s->n);
}

static json_t *difference(const struct skl_report_row *row)
{
    const struct skl_interval *d = &row->difference;
    if (d->n == 0) return json_null();
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "pairs", d->n, "mean", skl_json_real(d->mean),
                     "low", skl_json_real(d->low), "high", skl_json_real(d->high), "min",
                     skl_json_real(row->difference_low), "max", skl_json_real(row->difference_high), "p",
                     skl_json_real(row->p), "p_holm", skl_json_real(row->p_holm), "interval",
                     "95 % t-interval of the mean paired difference");
}

static json_t *run(const struct skl_report_row *row, const struct skl_report_run *r)
{
    const struct skl_run_record *c = &r->record;
    return json_pack("{s:I, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "seed", (json_int_t)r->run->seed, "state",
                     text(r->run->state), "cause", text(r->run->cause), "failed", r->failed, "test_error",
                     skl_json_real(r->measured), "counted_error", skl_json_real(r->finished ? r->error : NAN),
                     "config_hash", text(c->config_hash), "checkpoint", text(c->checkpoint), "host", text(c->host),
                     "commit", text(c->commit));
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
    json_t *runs = json_array();
    char *remark = skl_row_remark(s, row);
    for (int i = 0; i < row->runs; i++) json_array_append_new(runs, run(row, &row->run[i]));
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:i, s:i, s:i, s:i, s:b, s:o, s:o, s:o, s:o}", "variant",
                  text(row->setting->variant), "setting", text(row->setting->name), "settings", settings_of(s, row),
                  "on_shortcut", text(row->on_shortcut), "on_residual", text(row->on_residual), "baseline",
                  row == &s->row[s->results.baseline], "seeds", row->runs, "finished", row->finished, "failed",
                  row->failed, "diverged", row->diverged, "fail", row->fail, "fail_above", skl_json_real(row->limit),
                  "remark", text(remark), "runs", runs, "test_error", spread(&row->error));
    SKL_CHECK(o);
    json_t *more =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "test_error_mean",
                  skl_json_real(row->mean), "test_error_sd", skl_json_real(row->sd), "best_test_error",
                  spread(&row->best), "train_error", spread(&row->train_error), "train_loss", spread(&row->train_loss),
                  "iterations_to_level", skl_json_real(row->reached.median), "parameters", whole(row->parameters),
                  "multiply_adds", whole(row->multiply_adds), "images_per_second", skl_json_real(row->speed.median),
                  "hours", skl_json_real(row->hours.median), "difference", difference(row), "paper",
                  value(row->setting->paper), "verdict", text(skl_verdict_words[row->verdict]));
    SKL_CHECK(more);
    json_object_update(o, more);
    json_decref(more);
    free(remark);
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
