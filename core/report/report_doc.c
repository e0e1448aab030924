#include "core/report/report_doc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/report/columns.h"

/* ---- the rule, the settings ---- */

static void rule(struct skl_doc *doc, const struct skl_study *s)
{
    const struct skl_report_row *base = &s->row[s->results.baseline];
    if (s->cifar10 || s->fail_times <= 0)
        skl_doc_text(doc, "fail:", "the median test error over the seeds exceeds %.9g %%%s.", s->fail_above,
                     s->cifar10 ? " (the paper's rule for CIFAR-10)" : "");
    if (s->elsewhere && s->fail_times > 0)
        skl_doc_text(
            doc, "fail:",
            "the median test error over the seeds exceeds %.9g times the baseline's, here %.2f %% (at most nine tenths "
            "of chance). The paper's limit of 20 %% is made for CIFAR-10.",
            s->fail_times, base->limit);
    if (s->baseline_failed)
        skl_doc_text(doc, "The baseline itself did not train:",
                     "its median test error is %.2f %%. What the others are measured against here is no working net.",
                     base->error.median);
}

/* All that it has was stopped by give_up.halving: it has no result. */
static bool stands_apart(const struct skl_report_row *row) { return row->halved && !row->finished; }

/* Keys that play no part in this study. */
static bool idle(const struct skl_facts *c, const char *key)
{
    const char *set = skl_facts_get(c, "data.dataset");
    if (!strncmp(key, "report.", 7)) return true;
    if (!strncmp(key, "data.synthetic.", 15)) return set && strcmp(set, "synthetic");
    if (!strncmp(key, "give_up.halving.", 16)) return skl_facts_real(c, "give_up.halving.every", 0) == 0;
    if (!strncmp(key, "give_up.", 8)) return skl_facts_real(c, "give_up.iteration", 1) == 0;
    if (!strncmp(key, "probe.", 6)) return skl_facts_real(c, "probe.every", 1) == 0;
    if (!strncmp(key, "train.warmup.", 13)) return skl_facts_real(c, "train.warmup.iterations", 1) == 0;
    return !strcmp(key, "train.lr_drops.factor") && skl_facts_get(c, "train.lr_drops.at") &&
           !strcmp(skl_facts_get(c, "train.lr_drops.at"), "[]");
}

static void constants(struct skl_doc *doc, const struct skl_study *s)
{
    static const char *const sections[] = {"model", "data", "train", NULL};
    skl_doc_heading(doc, 2, "Settings of all runs");
    for (int k = 0; k < 4; k++) {
        size_t n = sections[k] ? strlen(sections[k]) : 0;
        struct skl_text t;
        FILE *out = skl_text_open(&t);
        for (int i = 0; i < s->constant.count; i++) {
            const char *key = s->constant.item[i].key, *value = s->constant.item[i].value;
            bool here = n ? !strncmp(key, sections[k], n) && key[n] == '.'
                          : strncmp(key, "model.", 6) && strncmp(key, "data.", 5) && strncmp(key, "train.", 6);
            if (!here || idle(&s->constant, key)) continue;
            fprintf(out, "%s%s %s", ftell(out) > 0 ? " · " : "", n ? key + n + 1 : key, *value ? value : "(none)");
        }
        skl_text_close(&t);
        char *lead = skl_format("%s:", sections[k] ? sections[k] : "other");
        if (*t.text) skl_doc_text(doc, lead, "%s", t.text);
        free(lead);
        free(t.text);
    }
    if (s->keys)
        skl_doc_text(doc, NULL,
                     "What varies stands in the case or in a column of its own. Options of a shortcut stand here where "
                     "all variants that have them agree.");
}

/* ---- results ---- */

static void results(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_options *o)
{
    /* What matters first, as a narrow page shows no more. */
    static const char *const columns[] = {"case",
                                          "test_error_median",
                                          "test_error_range",
                                          "test_top5_median",
                                          "counted",
                                          "paper",
                                          "verdict",
                                          "on_shortcut",
                                          "on_residual",
                                          "train_error_median",
                                          "train_loss_median",
                                          "remark",
                                          "best_test_error_median",
                                          "iterations_to_level",
                                          "keys",
                                          "parameters",
                                          "multiply_adds",
                                          "images_per_second",
                                          "hours",
                                          NULL};
    skl_doc_heading(doc, 2, "Results");
    skl_doc_table(
        doc,
        "Test error in %% %s: median over the seeds, least and greatest of them, and how many count (n). Grey: the "
        "best test error of any iteration, which is chosen on the test set.%s",
        o->by_validation ? "where the validation error is least" : "at the final iteration",
        skl_study_has_paper(s) && !skl_study_has_verdict(s) ? " The paper's values are of another protocol." : "");
    skl_page_heads(doc, skl_setting_columns, columns, s);
    for (int i = 0; i < s->results.settings; i++)
        if (!stands_apart(&s->row[i]))
            skl_page_cells(doc, skl_setting_columns, columns, &(struct skl_subject){s, &s->row[i], NULL});
}

/* ---- against the baseline ---- */

static bool any_pair(const struct skl_study *s)
{
    for (int i = 0; i < s->results.settings; i++)
        if (s->row[i].difference.n > 0) return true;
    return false;
}

static void differences(struct skl_doc *doc, const struct skl_study *s)
{
    static const char *const columns[] = {"case",
                                          "difference_n",
                                          "difference_mean",
                                          "difference_interval",
                                          "difference_range",
                                          "p",
                                          "p_holm",
                                          "difference_remark",
                                          NULL};
    const struct skl_report_row *base = &s->row[s->results.baseline];
    if (!any_pair(s)) return;
    skl_doc_heading(doc, 2, "Against the baseline");
    skl_doc_text(
        doc, NULL,
        "Differences in test error from %s, in percentage points, paired by seed: for one seed all variants see the "
        "same initial weights, batches and crops. The interval is a 95 %% t-interval of the mean difference, p the "
        "paired t-test's, Holm's p the same adjusted for all the comparisons of this table. There are none for a "
        "single seed, and none where a run on either side is over the limit.",
        base->setting->label);
    skl_doc_table(doc, "Differences from the baseline, in percentage points (negative: better).");
    skl_page_heads(doc, skl_setting_columns, columns, s);
    for (int i = 0; i < s->results.settings; i++) {
        const struct skl_subject subject = {s, &s->row[i], NULL};
        if (subject.row != base && !stands_apart(subject.row))
            skl_page_cells(doc, skl_setting_columns, columns, &subject);
    }
}

/* ---- beside the paper ---- */

static void beside_paper(struct skl_doc *doc, const struct skl_study *s)
{
    if (!skl_study_has_paper(s)) return;
    skl_doc_heading(doc, 2, "Beside the paper");
    if (s->protocol)
        skl_doc_text(doc, "Other protocol:",
                     "%s. The values are therefore not compared as such, but their order and which rows fail.",
                     s->protocol);
    else
        skl_doc_text(
            doc, "The paper's protocol:",
            "inside: the median is within 2.2 standard deviations over the seeds of the paper's value, or both fail.");
    if (s->compared == 0) return;
    skl_doc_text(doc, "Fail or not:", "agrees in %d of %d rows: %d fail in both, %d train in both.",
                 s->both_fail + s->both_train, s->compared, s->both_fail, s->both_train);
    if (isfinite(s->rank_correlation))
        skl_doc_text(doc, "Order:",
                     "Spearman's rank correlation of the medians with the paper's values is %s%.2f over the %d rows "
                     "for which the "
                     "paper has a number.",
                     s->rank_correlation < 0 ? "−" : "", fabs(s->rank_correlation), s->ranked);
    else
        skl_doc_text(doc, "Order:", "too few rows with a number of the paper's for a rank correlation (%d).",
                     s->ranked);
}

/* ---- figures ---- */

static char *medians_in_words(const struct skl_study *s)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    for (int i = 0; i < s->results.settings && i < 24; i++) {
        const struct skl_report_row *row = &s->row[i];
        fprintf(out, "%s%s: ", i ? "; " : "", row->setting->label);
        if (row->error.n)
            fprintf(out, "%.2f %%", row->error.median);
        else
            fputs("none yet", out);
    }
    if (s->results.settings > 24) fputs("; and so on in the table", out);
    return skl_text_close(&t);
}

static bool has_figure(const struct skl_figures *f, const char *stem)
{
    for (int i = 0; i < f->count; i++)
        if (!strcmp(f->figure[i].stem, stem)) return true;
    return false;
}

/* Takes alt. */
static void curves_of(struct skl_doc *doc, const struct skl_report_figures *f, const char *stem, char *alt,
                      const char *caption, const char *part)
{
    if (has_figure(&f->drawn, stem)) skl_doc_figure(doc, f->folder, f->link, stem, alt, "%s%s", caption, part);
    free(alt);
}

static void figures_of(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_figures *f)
{
    if (!f->folder) return;
    char *medians = medians_in_words(s),
         *part = f->shown == s->results.settings
                     ? skl_strdup("")
                     : skl_format(" The first %d of %d settings; 'skiplab plot' draws them all.", f->shown,
                                  s->results.settings);
    skl_doc_heading(doc, 2, "Figures");
    curves_of(
        doc, f, "panels",
        skl_format("A panel for each variant with the baseline: training loss falling on a logarithmic axis "
                   "(dashed) and test error (solid) over the iterations. Median test error at the end: %s.",
                   medians),
        "Every variant against the baseline: training loss dashed on the left axis, test error solid on the right. "
        "Lines are medians over the seeds, bands reach from the least to the greatest.",
        part);
    curves_of(
        doc, f, "test-error",
        skl_format("Curves of the test error over the iterations, a line for each variant. At the end: %s.", medians),
        "Test error of all variants.", part);
    curves_of(doc, f, "training-loss",
              skl_format("Curves of the training loss over the iterations on a logarithmic axis, a line for each of %d "
                         "variants.",
                         f->shown),
              "Training loss of all variants.", part);
    for (int i = 0; i < f->drawn.count; i++) {
        const struct skl_figure *g = &f->drawn.figure[i];
        if (g->caption) skl_doc_figure(doc, f->folder, f->link, g->stem, g->alt, "%s%s", g->caption, part);
    }
    free(part);
    free(medians);
}

/* ---- failures ---- */

/* A line for each run of which `chosen` has something to say; NULL: for all. */
static void run_rows(struct skl_doc *doc, const struct skl_study *s, const char *const *columns,
                     const char *(*chosen)(const struct skl_report_run *))
{
    skl_page_heads(doc, skl_run_columns, columns, s);
    for (int i = 0; i < s->results.settings; i++)
        for (int k = 0; k < s->row[i].runs; k++) {
            const struct skl_subject subject = {s, &s->row[i], &s->row[i].run[k]};
            if (!chosen || chosen(subject.run)) skl_page_cells(doc, skl_run_columns, columns, &subject);
        }
}

static const char *halved(const struct skl_report_run *r)
{
    return !strcmp(r->run->state, "stopped") ? "stopped" : NULL;
}

/* Apart: what give_up.halving stopped neither failed nor has a result. */
static const char *mishap(const struct skl_report_run *r) { return halved(r) ? NULL : skl_run_outcome(r); }

static void halvings(struct skl_doc *doc, const struct skl_study *s)
{
    static const char *const columns[] = {"case", "seed", "iteration", "cause", NULL};
    int found = 0;
    for (int i = 0; i < s->results.settings; i++) found += s->row[i].halved;
    if (found == 0) return;
    skl_doc_heading(doc, 2, "Stopped by halving");
    skl_doc_table(
        doc, "Runs of settings that were behind others at a rung (give_up.halving) and were not trained to the end. "
             "They are no results: what they would have reached is not known, and no error of theirs stands in the "
             "tables above. The settings that went on were chosen by the same rows.");
    run_rows(doc, s, columns, halved);
}

static void failures(struct skl_doc *doc, const struct skl_study *s)
{
    static const char *const columns[] = {"case", "seed", "outcome", "iteration", "test_error", "cause", NULL};
    halvings(doc, s);
    skl_doc_heading(doc, 2, "Runs over the limit, failed or unfinished");
    int found = 0;
    for (int i = 0; i < s->results.settings; i++)
        for (int k = 0; k < s->row[i].runs; k++) found += mishap(&s->row[i].run[k]) != NULL;
    if (found == 0) {
        skl_doc_text(doc, NULL, "None.");
        return;
    }
    skl_doc_table(
        doc, "Runs that count as fail, that failed before their end, or are not finished. A diverged run counts with "
             "chance.");
    run_rows(doc, s, columns, mishap);
}

/* ---- provenance ---- */

static bool same_machine(const struct skl_run_record *a, const struct skl_run_record *b)
{
    return !strcmp(a->version, b->version) && !strcmp(a->commit, b->commit) && !strcmp(a->host, b->host) &&
           !strcmp(a->numerics, b->numerics) && !strcmp(a->data, b->data);
}

/* A row for each set of circumstances, in the order of the runs. */
static void machines(struct skl_doc *doc, const struct skl_study *s)
{
    static const char *const first[] = {"host", NULL}, *const others[] = {"version", "commit", "cpu_level", "kernels",
                                                                          "gemm",    "data",   NULL};
    struct skl_subject *seen = skl_alloc_array((size_t)s->results.runs + 1, sizeof *seen);
    int *count = skl_alloc_array((size_t)s->results.runs + 1, sizeof *count), n = 0;
    for (int i = 0; i < s->results.settings; i++) {
        for (int k = 0; k < s->row[i].runs; k++) {
            const struct skl_run_record *r = &s->row[i].run[k].record;
            int at = 0;
            if (!r->host) continue;
            while (at < n && !same_machine(&seen[at].run->record, r)) at++;
            seen[at] = (struct skl_subject){s, &s->row[i], &s->row[i].run[k]};
            n += at == n;
            count[at]++;
        }
    }
    skl_doc_table(doc, "Circumstances of the runs: results repeat bit by bit on equal kernels.");
    skl_page_heads(doc, skl_run_columns, first, s);
    skl_doc_column(doc, true, "runs", NULL);
    skl_page_heads(doc, skl_run_columns, others, s);
    for (int i = 0; i < n; i++) {
        skl_page_cells(doc, skl_run_columns, first, &seen[i]);
        skl_doc_cell(doc, 0, "%d", count[i]);
        skl_page_cells(doc, skl_run_columns, others, &seen[i]);
    }
    free(seen);
    free(count);
}

static void run_list(struct skl_doc *doc, const struct skl_study *s)
{
    static const char *const columns[] = {"case",  "seed",        "state",      "test_error",
                                          "ended", "config_hash", "checkpoint", NULL};
    skl_doc_table(doc, "The runs: SHA-256 of the configuration and of the last checkpoint, their first %d digits.",
                  SKL_HEX_SHOWN);
    run_rows(doc, s, columns, NULL);
}

static void provenance(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_options *o)
{
    skl_doc_heading(doc, 2, "Provenance");
    skl_doc_text(doc, NULL,
                 "Report by skiplab %s (commit %s). The whole settings of each run are in its config.yaml; runs.csv "
                 "has a row for each run, curves.csv all curves.",
                 o->version ? o->version : "", o->commit ? o->commit : "");
    machines(doc, s);
    run_list(doc, s);
}

/* ---- all of it ---- */

static void overview(struct skl_doc *doc, const struct skl_study *s)
{
    int runs = 0, finished = 0, failed = 0, halved = 0;
    double hours = 0;
    for (int i = 0; i < s->results.settings; i++) {
        runs += s->row[i].runs;
        finished += s->row[i].finished;
        failed += s->row[i].failed;
        halved += s->row[i].halved;
        for (int k = 0; k < s->row[i].runs; k++)
            if (isfinite(s->row[i].run[k].record.seconds)) hours += s->row[i].run[k].record.seconds / 3600;
    }
    skl_doc_text(doc, NULL,
                 "%d setting%s, %d run%s: %d finished, %d of them over the limit of fail; %.*f hours of training. "
                 "Baseline: %s.",
                 s->results.settings, s->results.settings == 1 ? "" : "s", runs, runs == 1 ? "" : "s", finished, failed,
                 hours < 1 ? 3 : 1, hours, s->results.setting[s->results.baseline].label);
    if (halved)
        skl_doc_text(
            doc, "Halving:",
            "settings that were behind at a rung were not trained to the end: %d run%s. They are no results and "
            "stand apart below.",
            halved, halved == 1 ? "" : "s");
    if (finished + halved < runs)
        skl_doc_text(doc, "Not complete:", "%d of %d run%s unfinished; rows marked \"k of n\" will change.",
                     runs - finished - halved, runs, runs == 1 ? " is" : "s are");
}

/* A paragraph a line. */
static void notes(struct skl_doc *doc, const char *text)
{
    const char *lead = "Notes:";
    for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n') {
        const int n = (int)strcspn(text, "\n");
        if (n) skl_doc_text(doc, lead, "%.*s", n, text), lead = NULL;
    }
}

static void study(struct skl_doc *doc, const struct skl_report *report, int i, const struct skl_report_figures *figures)
{
    const struct skl_study *s = &report->study[i];
    if (report->studies > 1) skl_doc_heading(doc, 2, "%s", s->results.label ? s->results.label : s->results.name);
    overview(doc, s);
    notes(doc, s->results.notes);
    rule(doc, s);
    constants(doc, s);
    results(doc, s, report->options);
    differences(doc, s);
    beside_paper(doc, s);
    figures_of(doc, s, &figures[i]);
    failures(doc, s);
    provenance(doc, s, report->options);
}

void skl_report_doc(const struct skl_report *report, const struct skl_report_figures *figures, struct skl_doc *doc)
{
    const struct skl_results *first = &report->study[0].results;
    *doc = (struct skl_doc){0};
    if (report->studies == 1)
        skl_doc_title(doc, "%s", first->label ? first->label : first->name);
    else
        skl_doc_title(doc, "%d studies, %s first", report->studies, first->name);
    int from = 0;
    for (int i = 0; i < report->studies; i++) {
        study(doc, report, i, figures);
        /* Within a study of several the parts are one level down. */
        for (from = report->studies > 1 ? from + 1 : doc->count; from < doc->count; from++)
            if (doc->block[from].kind == SKL_HEADING) doc->block[from].level++;
    }
    for (int i = 0; i < report->warnings; i++) {
        if (i == 0) skl_doc_heading(doc, 2, "Warnings");
        skl_doc_item(doc, NULL, "%s", report->warning[i]);
    }
}
