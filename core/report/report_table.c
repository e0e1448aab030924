/* report_table.c - the study's table: a row a setting. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/report/report_doc.h"

#define CELL(...) skl_doc_cell(doc, 0, __VA_ARGS__)

void skl_number_cell(struct skl_doc *doc, int flags, int decimals, double v)
{
    char text[64];
    snprintf(text, sizeof text, "%.*f", decimals, fabs(v));
    bool negative = v < 0 && strpbrk(text, "123456789");
    if (isnan(v))
        skl_doc_cell(doc, flags, "%s", "");
    else
        skl_doc_cell(doc, flags, "%s%s", negative ? "−" : "", isinf(v) ? "∞" : text);
}

/* 1727962 as "1.73 M" */
static void count_cell(struct skl_doc *doc, int64_t v)
{
    if (v <= 0)
        CELL("%s", "");
    else if (v < 10000)
        CELL("%lld", (long long)v);
    else if (v < 1000000)
        CELL("%.3g k", (double)v / 1e3);
    else if (v < 1000000000)
        CELL("%.3g M", (double)v / 1e6);
    else
        CELL("%.3g G", (double)v / 1e9);
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

static void put_case(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    CELL("%s", row->setting->label);
}

static void put_error(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    if (row->fail)
        skl_doc_cell(doc, SKL_CELL_STRONG, "fail (%.2f)", row->error.median);
    else
        skl_number_cell(doc, 0, 2, row->error.median);
}

static void put_range(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    if (row->error.n > 1)
        CELL("%.2f–%.2f", row->error.low, row->error.high);
    else
        CELL("%s", "");
}

static void put_seeds(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    if (row->valued < row->runs)
        CELL("%d of %d", row->valued, row->runs);
    else
        CELL("%d", row->valued);
}

static void put_paper(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    CELL("%s", row->setting->paper ? row->setting->paper : "");
}

static void put_verdict(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    CELL("%s", skl_verdict_words[row->verdict]);
}

static void put_on_shortcut(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    CELL("%s", row->on_shortcut);
}

static void put_on_residual(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    CELL("%s", row->on_residual);
}

static void put_train_error(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    skl_number_cell(doc, 0, 2, row->train_error.median);
}

static void put_train_loss(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    skl_number_cell(doc, 0, 4, row->train_loss.median);
}

static void put_best(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    skl_number_cell(doc, SKL_CELL_MUTED, 2, row->best.median);
}

static void put_reached(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    if (isinf(row->reached.median))
        CELL("%s", "never");
    else
        skl_number_cell(doc, 0, 0, row->reached.median);
}

static void put_remark(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    char *remark = skl_row_remark(s, row);
    CELL("%s", remark);
    free(remark);
}

static void put_keys(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    for (int i = 0; i < s->keys; i++) {
        const char *value = skl_facts_get(&row->facts, s->key[i].path);
        if (shown_key(s, &s->key[i])) CELL("%s", value ? value : "");
    }
}

static void put_parameters(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    count_cell(doc, row->parameters);
}

static void put_multiply_adds(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    count_cell(doc, row->multiply_adds);
}

static void put_speed(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    skl_number_cell(doc, 0, row->speed.median < 10 ? 1 : 0, row->speed.median);
}

static void put_hours(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row)
{
    if (row->hours.median < 0.0005)
        CELL("%s", "< 0.001");
    else
        skl_number_cell(doc, 0, row->hours.median < 0.095 ? 3 : row->hours.median < 9.5 ? 2 : 1, row->hours.median);
}

bool skl_study_has_paper(const struct skl_study *s)
{
    for (int i = 0; i < s->results.settings; i++)
        if (s->row[i].paper_fails || !isnan(s->row[i].paper)) return true;
    return false;
}

/* Where no row follows the paper's protocol, that is said once, below the table. */
static bool any_verdict(const struct skl_study *s)
{
    for (int i = 0; i < s->results.settings; i++)
        if (s->row[i].verdict != SKL_NO_VERDICT && s->row[i].verdict != SKL_OTHER_PROTOCOL) return true;
    return false;
}

/* What matters first, as a narrow page shows no more.  A head of NULL: it has several, or one that varies. */
static const struct result_column {
    void (*put)(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_row *row);
    bool number;
    const char *head, *title;
    bool (*shown)(const struct skl_study *s); /* NULL: always */
} result_columns[] = {
    {put_case, false, "case", NULL, NULL},
    {put_error, true, "test error, %", "median over the seeds", NULL},
    {put_range, true, "min–max", "of the seeds", NULL},
    {put_seeds, true, "n", "seeds that count, of those planned", NULL},
    {put_paper, true, "paper, %", "the paper's test error", skl_study_has_paper},
    {put_verdict, false, "verdict", "beside the paper's value", any_verdict},
    {put_on_shortcut, false, "on shortcut", "what the variant does to the shortcut", NULL},
    {put_on_residual, false, "on F", "what the variant does to the residual branch", NULL},
    {put_train_error, true, "training error, %", "whole training set, clean images, at the end; median", NULL},
    {put_train_loss, true, "training loss", "whole training set, clean images, at the end; median", NULL},
    {put_remark, false, "remark", NULL, NULL},
    {put_best, true, "best, %", "least test error of any iteration, median over seeds: chosen on the test set", NULL},
    {put_reached, true, NULL, "first row of train.csv at or below that training error; median", NULL},
    {put_keys, true, NULL, NULL, NULL},
    {put_parameters, true, "parameters", NULL, NULL},
    {put_multiply_adds, true, "multiply-adds", "of one image, forward", NULL},
    {put_speed, true, "images/s", "in training, median", NULL},
    {put_hours, true, "hours", "of one run, median", NULL},
};
enum { RESULT_COLUMNS = sizeof result_columns / sizeof *result_columns };

static void put_heads(struct skl_doc *doc, const struct skl_study *s)
{
    for (int i = 0; i < RESULT_COLUMNS; i++) {
        const struct result_column *c = &result_columns[i];
        char *reached = skl_format("iterations to %.9g %%", s->level);
        for (int k = 0; k < s->keys && c->put == put_keys; k++)
            if (shown_key(s, &s->key[k])) skl_doc_column(doc, true, s->key[k].name, s->key[k].path);
        if (c->put != put_keys && (!c->shown || c->shown(s)))
            skl_doc_column(doc, c->number, c->head ? c->head : reached, c->title);
        free(reached);
    }
}

void skl_results_table(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_options *o)
{
    skl_doc_heading(doc, 2, "Results");
    skl_doc_table(
        doc,
        "Test error in %% %s: median over the seeds, least and greatest of them, and how many count (n). Grey: the "
        "best test error of any iteration, which is chosen on the test set.%s",
        o->by_validation ? "where the validation error is least" : "at the final iteration",
        skl_study_has_paper(s) && !any_verdict(s) ? " The paper's values are of another protocol." : "");
    put_heads(doc, s);
    for (int i = 0; i < s->results.settings; i++)
        for (int k = 0; k < RESULT_COLUMNS; k++)
            if (!result_columns[k].shown || result_columns[k].shown(s)) result_columns[k].put(doc, s, &s->row[i]);
}
