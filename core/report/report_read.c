/* report_read.c - the runs of a report: their curves, figures and settings. */
#include "core/report/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/config/registry.h"
#include "core/run/folder.h"

#define CURVES \
    (1u << SKL_TRAIN_LOSS | 1u << SKL_TRAIN_ERROR | 1u << SKL_TEST_LOSS | 1u << SKL_TEST_ERROR | \
     1u << SKL_VALIDATION_LOSS | 1u << SKL_VALIDATION_ERROR)

void skl_report_warn(struct skl_report *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    *SKL_ADD(r->warning, r->warnings) = skl_vformat(fmt, args);
    va_end(args);
}

/* ---- what stands on the two paths ---- */

/* A column of the table: the variant's word, or the number where an option of that name scales the path. */
static char *path_word(const struct skl_facts *facts, const char *option, const char *word)
{
    char *key = skl_format("model.shortcut.%s", option);
    const char *value = skl_facts_get(facts, key);
    free(key);
    return skl_strdup(value ? value : word);
}

static void take_words(struct skl_report_row *row)
{
    const char *type = skl_facts_get(&row->facts, "model.shortcut.type");
    const struct skl_shortcut *known = type ? skl_registry_find(type) : NULL;
    const char *on_shortcut = known ? known->on_shortcut : "", *on_residual = known ? known->on_residual : "";
    for (int i = 0; i < row->runs; i++) {
        const struct skl_run_record *r = &row->run[i].record;
        if (!r->on_shortcut || !*r->on_shortcut) continue;
        on_shortcut = r->on_shortcut;
        on_residual = r->on_residual;
        break;
    }
    const char *rate = skl_facts_get(&row->facts, "model.shortcut.rate");
    char *word = rate && strcmp(on_shortcut, "1") ? skl_format("%s %s", on_shortcut, rate) : skl_strdup(on_shortcut);
    row->on_shortcut = path_word(&row->facts, "shortcut_scale", word);
    row->on_residual = path_word(&row->facts, "residual_scale", on_residual);
    free(word);
}

/* ---- runs ---- */

static double least(const struct skl_series *s)
{
    double best = NAN;
    for (int i = 0; i < s->n; i++) best = fmin(best, s->y[i]);
    return best;
}

/* The test error where the validation error is least, the first such iteration. */
static double selected_error(struct skl_report_run *r)
{
    const struct skl_series *v = &r->run->curve[SKL_VALIDATION_ERROR];
    int best = 0;
    for (int i = 1; i < v->n; i++)
        if (v->y[i] < v->y[best]) best = i;
    r->selected = (int64_t)v->x[best];
    return skl_series_at(&r->run->curve[SKL_TEST_ERROR], v->x[best]);
}

static int take_run(const struct skl_result_run *run, struct skl_report_row *row, bool by_validation,
                    struct skl_report_run *r, struct skl_err *err)
{
    *r = (struct skl_report_run){.run = run, .error = NAN, .measured = NAN, .best = NAN, .reached = NAN};
    if (run->folder && strcmp(run->state, "unreadable")) {
        int status = skl_run_record_read(run->folder, &r->record, err);
        if (status) return status;
    }
    if (r->record.classes > 0) row->chance = skl_facts_chance(&row->facts, r->record.classes);
    const double chance = row->chance;
    r->diverged = !strcmp(run->state, "diverged");
    r->finished = r->diverged || !strcmp(run->state, "done");
    r->stopped = !strcmp(run->state, "done") && run->gave_up;
    r->measured = strcmp(run->state, "stopped") ? skl_result_last(run, SKL_TEST_ERROR) : NAN; /* that is no result */
    if (r->finished && isfinite(r->record.test_error)) r->measured = r->record.test_error;
    if (by_validation && r->finished && !r->diverged) {
        if (run->curve[SKL_VALIDATION_ERROR].n == 0)
            return skl_fail(err, SKL_USAGE,
                            "%s: no validation.csv to select by; train with data.validation, or leave out --select-by",
                            run->folder);
        r->measured = selected_error(r);
    }
    r->error = r->diverged ? chance : r->measured;
    r->best = r->diverged ? chance : least(&run->curve[SKL_TEST_ERROR]);
    r->top5 = !r->diverged ? r->record.test_top5 : chance > 90 ? 100 - 5 * (100 - chance) : NAN;
    r->train_error = r->diverged ? chance : r->record.train_error;
    r->train_loss = r->diverged ? INFINITY : r->record.train_loss;
    return SKL_OK;
}

static void take_facts(struct skl_report *report, struct skl_report_row *row)
{
    for (int i = 0; i < row->setting->runs && row->facts.count == 0; i++) {
        struct skl_err err = {0};
        if (!row->setting->run[i].folder) continue;
        char *path = skl_path(row->setting->run[i].folder, SKL_FILE_CONFIG);
        bool there;
        int status = skl_is_there(path, &there, &err);
        if (!status && there) status = skl_facts_read(path, &row->facts, &err);
        if (status) {
            skl_report_warn(report, "%s", err.text);
            report->unread++;
            skl_facts_release(&row->facts);
        }
        free(path);
    }
}

static void take_paper(struct skl_report_row *row)
{
    const char *text = row->setting->paper;
    row->paper = NAN;
    if (!text || !*text) return;
    char *end;
    double value = strtod(text, &end);
    row->paper_fails = !strcmp(text, "fail");
    if (*end == 0 && isfinite(value)) row->paper = value;
}

static int take_row(struct skl_report *report, const struct skl_result_setting *setting, struct skl_report_row *row,
                    struct skl_err *err)
{
    int status = SKL_OK;
    *row = (struct skl_report_row){.setting = setting};
    take_facts(report, row);
    take_paper(row);
    row->chance = skl_facts_chance(&row->facts, 0);
    row->run = skl_alloc_array((size_t)setting->runs + 1, sizeof *row->run);
    for (int i = 0; i < setting->runs && !status; i++) {
        struct skl_report_run *r = &row->run[row->runs++];
        status = take_run(&setting->run[i], row, report->options->by_validation, r, err);
        if (r->record.parameters > 0) row->parameters = r->record.parameters;
        if (r->record.multiply_adds > 0) row->multiply_adds = r->record.multiply_adds;
    }
    take_words(row);
    return status;
}

/* ---- studies ---- */

/* The build that the study's first run with this plug-in was trained with. */
static const char *first_build(const struct skl_study *s, const char *plugin)
{
    for (int i = 0; i < s->results.settings; i++)
        for (int k = 0; k < s->row[i].runs; k++) {
            const struct skl_run_record *r = &s->row[i].run[k].record;
            if (r->plugin && *r->plugin && !strcmp(r->plugin, plugin)) return r->plugin_sha256;
        }
    return "";
}

/* Seeds of two builds are no seeds of one variant. */
static void warn_of_builds(struct skl_report *report, const struct skl_study *s)
{
    const char *name = "", *first = "";
    for (int i = 0; i < s->results.settings; i++)
        for (int k = 0; k < s->row[i].runs; k++) {
            const struct skl_run_record *r = &s->row[i].run[k].record;
            if (!r->plugin || !*r->plugin) continue;
            if (strcmp(name, r->plugin)) first = first_build(s, r->plugin);
            name = r->plugin;
            if (!strcmp(first, r->plugin_sha256)) continue;
            skl_report_warn(report,
                            "%s: another build of the plug-in '%s' than other runs (SHA-256 %.16s..., not %.16s...)",
                            s->row[i].run[k].run->folder, r->plugin, r->plugin_sha256, first);
        }
}

static void warn_of_edits(struct skl_report *report, const struct skl_study *s)
{
    if (s->results.plan_edited)
        skl_report_warn(report, "%s/plan.json was edited since it was written: its seal is broken", s->results.folder);
    for (int i = 0; i < s->results.settings; i++)
        for (int k = 0; k < s->row[i].runs; k++)
            if (s->row[i].run[k].record.edited)
                skl_report_warn(report, "%s/run.json was edited since it was written: its seal is broken",
                                s->row[i].run[k].run->folder);
}

static int take_study(struct skl_report *report, const char *folder, struct skl_study *s, struct skl_err *err)
{
    int status = skl_results_read(folder, CURVES, &s->results, err);
    if (status) return status;
    for (int i = 0; i < s->results.warnings; i++) skl_report_warn(report, "%s (left out)", s->results.warning[i]);
    report->unread += s->results.warnings;
    s->row = skl_alloc_array((size_t)s->results.settings, sizeof *s->row);
    for (int i = 0; i < s->results.settings && !status; i++)
        status = take_row(report, &s->results.setting[i], &s->row[i], err);
    if (status) return status;
    warn_of_edits(report, s);
    warn_of_builds(report, s);
    skl_study_keys(s);
    skl_study_statistics(s, report->options);
    return SKL_OK;
}

int skl_report_read(char *const *folders, int count, const struct skl_report_options *o, struct skl_report *report,
                    struct skl_err *err)
{
    *report = (struct skl_report){.options = o};
    report->study = skl_alloc_array((size_t)count, sizeof *report->study);
    int status = SKL_OK;
    for (int i = 0; i < count && !status; i++) {
        report->studies++;
        status = take_study(report, folders[i], &report->study[i], err);
    }
    if (status) skl_report_release(report);
    return status;
}

static void release_row(struct skl_report_row *row)
{
    for (int i = 0; i < row->runs; i++) skl_run_record_release(&row->run[i].record);
    skl_facts_release(&row->facts);
    free(row->run);
    free(row->on_shortcut);
    free(row->on_residual);
}

static void release_study(struct skl_study *s)
{
    for (int i = 0; i < s->results.settings && s->row; i++) release_row(&s->row[i]);
    for (int i = 0; i < s->keys; i++) {
        free(s->key[i].path);
        free(s->key[i].name);
    }
    skl_facts_release(&s->constant);
    skl_results_release(&s->results);
    free(s->row);
    free(s->key);
    free(s->protocol);
    *s = (struct skl_study){0};
}

void skl_report_release(struct skl_report *report)
{
    for (int i = 0; i < report->studies; i++) release_study(&report->study[i]);
    for (int i = 0; i < report->warnings; i++) free(report->warning[i]);
    free(report->study);
    free(report->warning);
    *report = (struct skl_report){0};
}
