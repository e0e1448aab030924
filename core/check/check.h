/* check.h - the conformance test of a shortcut variant: does it keep the contract of core/variant/shortcut.h?
 *
 * Nothing here knows a variant by name.  Every check runs in a process of its own, so a variant that crashes, hangs or
 * writes where it may not costs one row of the report and nothing else.  What each check does is told in
 * docs/adding-a-shortcut.md; the list stands in check.c. */
#ifndef SKL_CONFORMANCE_H
#define SKL_CONFORMANCE_H
#include "core/base/err.h"
#include "core/variant/shortcut.h"

enum skl_check_result { SKL_CHECK_PASS, SKL_CHECK_FAIL, SKL_CHECK_SKIP };
struct skl_check_row {
    const char *name; /* "gradients": constant */
    const char *what; /* what is checked, one line: constant */
    enum skl_check_result result;
    char text[480]; /* failed: what is wrong, where; skipped: why; passed: how close it was */
    double seconds;
};
enum { SKL_CHECKS_MAX = 24 };
struct skl_check_report {
    struct skl_check_row row[SKL_CHECKS_MAX];
    int count, failed;
};

/* Runs all checks.  `each` (may be NULL) is told every row as soon as it is known.  The variant must be registered for
 * the check `options`, which reads it from experiment files; else that one is skipped.  Must be called from a process
 * with one thread. */
void skl_check_shortcut(const struct skl_shortcut *s, void (*each)(const struct skl_check_row *row, void *arg),
                        void *arg, struct skl_check_report *report);
/* Milliseconds before a plug-in is trained: the check `writes` alone, with the run's options ([SKL_OPTS_MAX]).  One
 * that writes beyond its memory would damage the net in silence.  SKL_USAGE with the variant's name and what it
 * does. */
int skl_check_before_run(const struct skl_shortcut *s, const void *opts, struct skl_err *err);
#endif
