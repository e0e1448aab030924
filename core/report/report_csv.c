/* report_csv.c - summary.csv, runs.csv, curves.csv: cells after RFC 4180, numbers %.9g, nothing where there is none.
 * A text that a spreadsheet would take for a formula gets an apostrophe before it. */
#include "core/report/report.h"

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

/* Every cell is followed by a comma, the last one of a row by a line end. */
static void text_cell(FILE *out, const char *text)
{
    put_text(out, text);
    fputc(',', out);
}

static void last_cell(FILE *out, const char *text)
{
    put_text(out, text);
    fputc('\n', out);
}

static void real_cell(FILE *out, double v)
{
    if (isfinite(v)) fprintf(out, "%.9g", v);
    fputc(',', out);
}

static void whole_cell(FILE *out, int64_t v) { fprintf(out, "%lld,", (long long)v); }

static void flag_cell(FILE *out, bool v) { fputs(v ? "true," : "false,", out); }

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

static void put_key_heads(FILE *out, const struct keys *keys)
{
    for (int i = 0; i < keys->count; i++) text_cell(out, keys->path[i]);
}

static void put_keys(FILE *out, const struct keys *keys, const struct skl_facts *facts)
{
    for (int i = 0; i < keys->count; i++) {
        const char *value = skl_facts_get(facts, keys->path[i]);
        text_cell(out, value ? value : "");
    }
}

/* ---- summary.csv ---- */

static void put_errors(FILE *out, const struct skl_report_row *row)
{
    whole_cell(out, row->runs);
    whole_cell(out, row->finished);
    whole_cell(out, row->failed);
    whole_cell(out, row->diverged);
    flag_cell(out, row->fail);
    real_cell(out, row->limit);
    real_cell(out, row->error.median);
    real_cell(out, row->error.low);
    real_cell(out, row->error.high);
    whole_cell(out, row->error.n);
    real_cell(out, row->mean);
    real_cell(out, row->sd);
    real_cell(out, row->best.median);
    real_cell(out, row->train_error.median);
    real_cell(out, row->train_loss.median);
}

static void put_difference(FILE *out, const struct skl_report_row *row)
{
    const struct skl_interval *d = &row->difference;
    whole_cell(out, d->n);
    real_cell(out, d->mean);
    real_cell(out, d->low);
    real_cell(out, d->high);
    real_cell(out, row->difference_low);
    real_cell(out, row->difference_high);
    real_cell(out, row->p);
    real_cell(out, row->p_holm);
}

static void put_row(FILE *out, const struct skl_study *s, const struct skl_report_row *row, const struct keys *keys)
{
    char *remark = skl_row_remark(s, row);
    text_cell(out, s->results.name);
    text_cell(out, row->setting->variant);
    text_cell(out, row->setting->name);
    put_keys(out, keys, &row->facts);
    text_cell(out, row->on_shortcut);
    text_cell(out, row->on_residual);
    flag_cell(out, row == &s->row[s->results.baseline]);
    put_errors(out, row);
    real_cell(out, s->level);
    real_cell(out, row->reached.median);
    real_cell(out, row->parameters ? (double)row->parameters : NAN);
    if (row->multiply_adds) fprintf(out, "%lld", (long long)row->multiply_adds);
    fputc(',', out);
    real_cell(out, row->speed.median);
    real_cell(out, row->hours.median);
    put_difference(out, row);
    text_cell(out, row->setting->paper ? row->setting->paper : "");
    text_cell(out, skl_verdict_words[row->verdict]);
    last_cell(out, remark);
    free(remark);
}

char *skl_summary_csv(const struct skl_report *r)
{
    struct keys keys = all_keys(r);
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs("sweep,variant,setting,", out);
    put_key_heads(out, &keys);
    fputs("on_shortcut,on_residual,baseline,seeds,finished,failed,diverged,fail,fail_above,test_error_median,"
          "test_error_min,test_error_max,test_error_n,test_error_mean,test_error_sd,best_test_error_median,"
          "train_error_median,train_loss_median,train_error_level,iterations_to_level,parameters,multiply_adds,"
          "images_per_second,hours,difference_n,difference_mean,difference_low,difference_high,difference_min,"
          "difference_max,p,p_holm,paper,verdict,remark\n",
          out);
    for (int s = 0; s < r->studies; s++)
        for (int i = 0; i < r->study[s].results.settings; i++) put_row(out, &r->study[s], &r->study[s].row[i], &keys);
    skl_text_close(&t);
    free(keys.path);
    return t.text;
}

/* ---- runs.csv ---- */

static void put_record(FILE *out, const struct skl_run_record *c)
{
    const char *texts[] = {c->host,     c->version, c->commit,      c->cpu_level,  c->kernels, c->gemm,
                           c->numerics, c->data,    c->config_hash, c->checkpoint, c->started, c->ended};
    real_cell(out, c->images_per_second);
    real_cell(out, c->seconds);
    whole_cell(out, c->threads);
    whole_cell(out, c->resumes);
    flag_cell(out, c->other_numerics);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) text_cell(out, texts[i]);
}

static void put_run(FILE *out, const struct skl_study *s, const struct skl_report_row *row,
                    const struct skl_report_run *r, const struct keys *keys)
{
    static const struct skl_run_record none = {
        .test_loss = NAN, .train_error = NAN, .train_loss = NAN, .seconds = NAN, .images_per_second = NAN};
    const struct skl_run_record *c = r->record.host ? &r->record : &none;
    text_cell(out, s->results.name);
    text_cell(out, row->setting->variant);
    text_cell(out, row->setting->name);
    fprintf(out, "%llu,", (unsigned long long)r->run->seed);
    put_keys(out, keys, &row->facts);
    text_cell(out, r->run->state);
    text_cell(out, r->run->cause);
    whole_cell(out, c->iteration);
    whole_cell(out, r->run->iterations);
    flag_cell(out, r->failed);
    real_cell(out, r->measured);
    real_cell(out, r->finished ? r->error : NAN);
    real_cell(out, r->best);
    real_cell(out, c->test_loss);
    real_cell(out, c->train_error);
    real_cell(out, c->train_loss);
    real_cell(out, r->reached);
    put_record(out, c);
    char *path = skl_format("%s/seed-%llu", row->setting->path, (unsigned long long)r->run->seed);
    last_cell(out, path);
    free(path);
}

char *skl_runs_csv(const struct skl_report *r)
{
    struct keys keys = all_keys(r);
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs("sweep,variant,setting,seed,", out);
    put_key_heads(out, &keys);
    fputs("state,cause,iteration,iterations,failed,test_error,counted_error,best_test_error,test_loss,train_error,"
          "train_loss,iterations_to_level,images_per_second,seconds,threads,resumes,other_numerics,host,version,commit,"
          "cpu_level,kernels,gemm,numerics,data,config_hash,checkpoint,started,ended,run\n",
          out);
    for (int s = 0; s < r->studies; s++)
        for (int i = 0; i < r->study[s].results.settings; i++)
            for (int k = 0; k < r->study[s].row[i].runs; k++)
                put_run(out, &r->study[s], &r->study[s].row[i], &r->study[s].row[i].run[k], &keys);
    skl_text_close(&t);
    free(keys.path);
    return t.text;
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
    text_cell(out, s->results.name);
    text_cell(out, row->setting->name);
    fprintf(out, "%llu,", (unsigned long long)r->run->seed);
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
