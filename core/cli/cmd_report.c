/* cmd_report.c - skiplab report: the study's table beside the paper, as a page and as data. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/parallel.h"
#include "core/base/place.h"
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/cli/commit.h"
#include "core/report/report.h"

static const char *select_by = "final", *folder;
static double level = NAN;
static bool no_figures, as_json, terminal;

/* ---- on the terminal ---- */

static int characters(const char *text)
{
    int n = 0;
    for (; *text; text++) n += (*text & 0xc0) != 0x80;
    return n;
}

static int name_width(const struct skl_study *s)
{
    int width = 4;
    for (int i = 0; i < s->results.settings; i++) {
        int own = characters(s->results.setting[i].label);
        if (own > width) width = own;
    }
    return width;
}

static void print_row(const struct skl_study *s, const struct skl_report_row *row, int width)
{
    char *error = row->error.n ? skl_format("%.2f", row->error.median) : skl_strdup("");
    char *range = row->error.n > 1 ? skl_format("%.2f–%.2f", row->error.low, row->error.high) : skl_strdup("");
    char *seeds = skl_format("%d of %d", row->valued, row->runs), *remark = skl_row_remark(s, row);
    skl_print("%-*s  %13s  %13s  %s%s%s%s\n", width, row->setting->label, error, range, seeds, *remark ? "  " : "",
              row->fail ? "fail: " : "", remark);
    free(error);
    free(range);
    free(seeds);
    free(remark);
}

static void print_tables(const struct skl_report *report)
{
    for (int i = 0; i < report->studies; i++) {
        const struct skl_study *s = &report->study[i];
        int width = name_width(s);
        skl_print("%s%s\n\n", i ? "\n" : "", s->results.label ? s->results.label : s->results.name);
        skl_print("%-*s  %13s  %13s  %s\n", width, "case", "test error, %", "min–max", "seeds");
        for (int k = 0; k < s->results.settings; k++) print_row(s, &s->row[k], width);
    }
}

/* ---- into files ---- */

static int write_report(struct skl_report *report, struct skl_err *err)
{
    char *where = NULL;
    int before = report->warnings, status = skl_report_write(report, &where, err);
    for (int i = before; i < report->warnings; i++) skl_say("skiplab: report: %s\n", report->warning[i]);
    if (!status && as_json) {
        char *text = skl_summary_json(report);
        skl_print_raw(text);
        free(text);
    }
    for (int i = 0; skl_report_files[i] && !status && !as_json; i++) skl_print("%s/%s\n", where, skl_report_files[i]);
    free(where);
    return status;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_report report;
    struct skl_report_options o = {.by_validation = !strcmp(select_by, "validation"),
                                   .level = level,
                                   .figures = !no_figures,
                                   .folder = folder,
                                   .jobs = skl_cpu_count(),
                                   .version = SKL_VERSION,
                                   .commit = SKL_COMMIT};
    for (int i = 0; i < argc; i++) skl_root_add(argv[i]);
    if (folder) skl_root_add(folder);
    int status = skl_report_read(argv, argc, &o, &report, err);
    if (status) return skl_context(err, "report");
    for (int i = 0; i < report.warnings; i++) skl_say("skiplab: report: %s\n", report.warning[i]);
    if (terminal)
        print_tables(&report);
    else
        status = write_report(&report, err);
    if (!status && report.undrawn)
        status = skl_fail(err, SKL_FAILED, "written, but without its figures (see above)");
    else if (!status && report.unread)
        status = skl_fail(err, SKL_DATA, "%s, but without what could not be read (see above)",
                          terminal ? "printed" : "written");
    skl_report_release(&report);
    return status ? skl_context(err, "report") : SKL_OK;
}

static const char *const *rules(void)
{
    static const char *const words[] = {"final", "validation", NULL};
    return words;
}

static const struct skl_option report_options[] = {
    {"out", SKL_OPT_FOLDER, "DIR", "write there; default: the (first) sweep's folder", &folder, 0, 0},
    {"select-by", SKL_OPT_CHOICE, "final|validation",
     "final (default): the test error at the final iteration; validation: where the validation error is least",
     &select_by, 0, 0, .words = rules},
    {"train-error", SKL_OPT_REAL, "E",
     "count iterations until the training error is E %; default: the least of 1, 2, 5, 10, 20, 50 the baseline reaches",
     &level, 0, 100},
    {"no-figures", SKL_OPT_FLAG, NULL, "leave the figures out: gnuplot is not needed then", &no_figures, 0, 0},
    {"terminal", SKL_OPT_FLAG, NULL, "print the table of test errors here; writes no file", &terminal, 0, 0},
    {"json", SKL_OPT_FLAG, NULL, "print summary.json too", &as_json, 0, 0},
    {0},
};

const struct skl_command skl_cmd_report = {
    .name = "report",
    .summary = "write a sweep's table beside the paper's: HTML, Markdown, LaTeX, CSV, JSON",
    .usage = "RESULTS/NAME [MORE ...]",
    .description =
        "Writes into RESULTS/NAME:\n"
        "  report.html    table, differences from the baseline, figures, failures, provenance: one page that needs\n"
        "                 neither network nor scripts; report.md and report.tex say the same\n"
        "  summary.csv    a row a setting; summary.json the same and more\n"
        "  runs.csv       a row a run\n"
        "  curves.csv     all curves: sweep,setting,seed,metric,iteration,value\n"
        "A running sweep can be reported at any time: rows say how many of their seeds count. With several\n"
        "results, each has a part of its own in one report.\n",
    .examples = "skiplab report results/quickstart\n"
                "skiplab report results/quickstart --train-error 20 --no-figures\n"
                "skiplab report results/quickstart --out page --json\n"
                "skiplab report results/quickstart --terminal\n",
    .options = report_options,
    .min_args = 1,
    .max_args = -1,
    .words = {SKL_WORD_FOLDER, SKL_WORD_FOLDER},
    .run = run,
};
