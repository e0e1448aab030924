/* report.h - the study's table: what the runs of one sweep or several say, beside the paper.
 *
 * The rules, as docs/report.md explains them to readers:
 * - A run counts once it is done or diverged.  Its error is the test error of its last row; a diverged run counts with
 *   chance, 100 (1 - 1/classes) %.  By validation: the test error where the validation error was least.
 * - A run failed if it diverged, was stopped by give_up, or its error exceeds the limit.  A setting is `fail` where the
 *   median over its counted runs exceeds the limit: report.fail_above on CIFAR-10; elsewhere
 *   report.fail_times_baseline times the baseline's median, at most nine tenths of chance.
 * - A run that give_up.halving stopped is no result: it is not counted, and stands in a table of its own.
 * - Differences from the baseline are paired by seed.  No mean, interval or p where a run on either side failed. */
#ifndef SKL_REPORT_H
#define SKL_REPORT_H
#include "core/report/collect.h"
#include "core/report/facts.h"
#include "core/run/record.h"

enum skl_verdict {
    SKL_NO_VERDICT,     /* the paper has no value */
    SKL_OTHER_PROTOCOL, /* not the paper's data, depth, iterations, batch or schedule */
    SKL_UNDECIDED,      /* fewer than two seeds, or not all finished */
    SKL_INSIDE,         /* |median - paper| <= 2.2 sd over the seeds, or fail = fail */
    SKL_OUTSIDE
};
extern const char *const skl_verdict_words[];

struct skl_report_run {
    const struct skl_result_run *run;
    struct skl_run_record record;
    bool finished, diverged, stopped, failed;   /* the last by the rules above */
    double error;                               /* as it counts; NaN: unknown */
    double measured;                            /* as it was measured; NaN: never */
    int64_t selected;                           /* by validation: the iteration that was picked */
    double best, top5, train_error, train_loss; /* as they count: a diverged run with chance and infinity */
    double reached;                             /* iterations to the training error asked for; INFINITY: never */
};
struct skl_spread {
    int n;
    double median, low, high;
};
struct skl_report_row {
    const struct skl_result_setting *setting;
    struct skl_facts facts; /* of the first run that has a config.yaml; empty: none begun */
    struct skl_report_run *run;
    int runs, finished, failed, diverged, stopped, valued; /* valued: finished with a known error */
    int halved;                                            /* stopped by give_up.halving: neither finished nor failed */
    char *on_shortcut, *on_residual;
    double chance, limit; /* limit: fail above it */
    bool fail;
    struct skl_spread error, best, top5, train_error, train_loss, reached, speed, hours;
    double mean, sd; /* of the errors; NaN for n = 1 and where a run failed */
    int64_t parameters, multiply_adds;
    struct skl_interval difference; /* from the baseline; n: pairs; mean NaN: none */
    double difference_low, difference_high, p, p_holm;
    enum skl_verdict verdict;
    bool paper_fails;
    double paper; /* NaN: no number */
};
struct skl_report_key {
    char *path, *name; /* name: the shortest unique last part */
};
struct skl_study {
    struct skl_results results;
    struct skl_report_row *row; /* as results.setting */
    struct skl_report_key *key; /* settings that vary */
    int keys;
    struct skl_facts constant; /* settings that do not */
    double level;              /* the training error of `reached`, in % */
    bool baseline_failed;      /* the baseline itself did not train */
    bool cifar10, elsewhere;   /* which of the two rules hold */
    double fail_above, fail_times;
    char *protocol;                      /* how the protocol differs from the paper's; NULL: it does not */
    int compared, both_fail, both_train; /* rows with a value of the paper's */
    int ranked;
    double rank_correlation; /* over `ranked` rows with numbers; NaN: fewer than 3 */
};
struct skl_report_options {
    bool by_validation;
    double level;       /* NaN: the least of 1, 2, 5, 10, 20, 50 that all finished runs of the baseline reach */
    bool figures;       /* draw them (needs gnuplot) */
    const char *folder; /* NULL: that of the first results */
    int jobs;           /* pictures drawn at a time */
    int reload;         /* seconds after which a browser loads report.html again; 0: never */
    const char *version, *commit; /* of the program that writes the report */
};
struct skl_report {
    const struct skl_report_options *options;
    struct skl_study *study;
    int studies;
    char **warning;
    int warnings;
    int unread;   /* of them: what could not be read and is left out */
    bool undrawn; /* gnuplot is here, but the figures could not be drawn or written */
};

/* SKL_DATA: a folder without runs; SKL_USAGE: by_validation where a finished run has no validation.csv. */
int skl_report_read(char *const *folders, int count, const struct skl_report_options *o, struct skl_report *report,
                    struct skl_err *err);
void skl_report_release(struct skl_report *report);
void skl_report_warn(struct skl_report *report, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* report.html, report.md, report.tex, summary.csv, runs.csv, curves.csv, summary.json, and the figures they show.
 * Figures that cannot be drawn are a warning.  *folder: where they are, malloc'd. */
int skl_report_write(struct skl_report *report, char **folder, struct skl_err *err);
extern const char *const skl_report_files[]; /* NULL-terminated */

/* The single files' text; malloc'd. */
char *skl_summary_json(const struct skl_report *report);
char *skl_summary_csv(const struct skl_report *report);
char *skl_runs_csv(const struct skl_report *report);
int skl_curves_csv(const struct skl_report *report, const char *path, struct skl_err *err);

/* ---- the parts of it ---- */
void skl_study_keys(struct skl_study *study); /* fills key, constant, protocol */
bool skl_row_follows_paper(const struct skl_report_row *row);
void skl_study_statistics(struct skl_study *study, const struct skl_report_options *o);
/* "2 of 5 over the limit; 1 diverged": what a reader should know of a row; malloc'd, may be "". */
char *skl_row_remark(const struct skl_study *study, const struct skl_report_row *row);
#endif
