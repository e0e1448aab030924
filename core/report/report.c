/* report.c - a report's files. */
#include "core/report/report.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/report/figures.h"
#include "core/report/gnuplot.h"
#include "core/report/report_doc.h"

const char *const skl_report_files[] = {"report.html", "report.md",  "report.tex",   "summary.csv",
                                        "runs.csv",    "curves.csv", "summary.json", NULL};

/* ---- figures ---- */

/* What `plot` draws into the same folder looks the same.  The page shows test errors, whatever else is drawn there. */
static void take_look(const struct skl_results *results, struct skl_figure_options *o)
{
    struct skl_figure_words words = results->figure;
    if (words.metric && skl_metric_find(words.metric) != SKL_TEST_ERROR) words.ylim = NULL;
    words.metric = NULL;
    skl_figure_options_take(o, &words);
}

/* The headline pictures of one study, into FOLDER/figures[/NAME]. */
static void draw(struct skl_report *r, const char *folder, int i, struct skl_report_figures *f)
{
    const struct skl_results *results = &r->study[i].results;
    struct skl_figure_options o = {.metric = SKL_TEST_ERROR, .jobs = r->options->jobs, .headline = true};
    struct skl_err err = {0};
    *f = (struct skl_report_figures){0};
    take_look(results, &o);
    if (!r->options->figures) return;
    char *link = r->studies == 1 ? skl_strdup("figures") : skl_format("figures/%d", i + 1),
         *path = skl_path(folder, link);
    int status = skl_figures_draw(results, path, &o, &f->drawn, &err);
    if (status) {
        skl_report_warn(r, "no figures: %s", err.text);
        r->undrawn = status == SKL_FAILED && skl_gnuplot_is_here();
        free(link);
        free(path);
    } else {
        if (f->drawn.warning) {
            skl_report_warn(r, "%s (left out)", f->drawn.warning);
            r->unread++;
        }
        f->folder = path;
        f->link = link;
        f->shown = results->settings < SKL_HEADLINE_SETTINGS ? results->settings : SKL_HEADLINE_SETTINGS;
    }
}

/* ---- files ---- */

/* Takes the text. */
static int put(const char *folder, const char *name, char *text, struct skl_err *err)
{
    char *path = skl_path(folder, name);
    int status = skl_file_write(path, text, strlen(text), err);
    free(path);
    free(text);
    return status;
}

static int put_documents(const struct skl_report *r, const char *folder, const struct skl_report_figures *figures,
                         struct skl_err *err)
{
    struct skl_doc doc;
    skl_report_doc(r, figures, &doc);
    doc.reload = r->options->reload;
    int status = put(folder, "report.html", skl_doc_html(&doc), err);
    if (!status) status = put(folder, "report.md", skl_doc_markdown(&doc), err);
    if (!status) status = put(folder, "report.tex", skl_doc_latex(&doc), err);
    skl_doc_release(&doc);
    return status;
}

int skl_report_write(struct skl_report *r, char **folder, struct skl_err *err)
{
    *folder = skl_strdup(r->options->folder ? r->options->folder : r->study[0].results.folder);
    int status = skl_mkdirs(*folder, err);
    if (status) return status;
    skl_leftovers_remove(*folder, false);
    struct skl_report_figures *figures = skl_alloc_array((size_t)r->studies, sizeof *figures);
    for (int i = 0; i < r->studies; i++) draw(r, *folder, i, &figures[i]);
    status = put_documents(r, *folder, figures, err);
    if (!status) status = put(*folder, "summary.csv", skl_summary_csv(r), err);
    if (!status) status = put(*folder, "runs.csv", skl_runs_csv(r), err);
    if (!status) status = put(*folder, "summary.json", skl_summary_json(r), err);
    char *curves = skl_path(*folder, "curves.csv");
    if (!status) status = skl_curves_csv(r, curves, err);
    for (int i = 0; i < r->studies; i++) {
        skl_figures_release(&figures[i].drawn);
        free(figures[i].folder);
        free(figures[i].link);
    }
    free(figures);
    free(curves);
    return status;
}
