/* report_doc.h - a report's contents: what report.html, report.md and report.tex say. */
#ifndef SKL_REPORT_DOC_H
#define SKL_REPORT_DOC_H
#include "core/report/doc.h"
#include "core/report/figures.h"
#include "core/report/report.h"

struct skl_report_figures { /* of one study */
    char *folder, *link;    /* link: the folder as seen from the report; folder NULL: no figures */
    struct skl_figures drawn;
    int shown; /* settings in the pictures */
};
void skl_report_doc(const struct skl_report *report, const struct skl_report_figures *figures, struct skl_doc *doc);

/* ---- report_table.c ---- */
void skl_results_table(struct skl_doc *doc, const struct skl_study *s, const struct skl_report_options *o);
bool skl_study_has_paper(const struct skl_study *s); /* some row has a value of the paper's */
/* A cell with a true minus sign; "" for NaN. */
void skl_number_cell(struct skl_doc *doc, int flags, int decimals, double v);
#endif
