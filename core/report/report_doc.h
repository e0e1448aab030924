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
#endif
