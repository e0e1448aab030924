/* collect.h - the results of a sweep, read from its folder: results/NAME/VARIANT[/k1=v1,k2=v2]/seed-N/.
 * Every folder seed-N found there counts, whatever state its run is in, and every run that plan.json lists; a running
 * sweep can be read at any time.
 * Only files are read, no model is built, so results of plug-ins that are not installed here can be read too. */
#ifndef SKL_COLLECT_H
#define SKL_COLLECT_H
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/config/figure.h"
#include "core/report/stats.h"

enum skl_metric {
    SKL_TRAIN_LOSS,
    SKL_TRAIN_ERROR,
    SKL_TEST_LOSS,
    SKL_TEST_ERROR,
    SKL_VALIDATION_LOSS,
    SKL_VALIDATION_ERROR,
    SKL_METRICS
};
struct skl_metric_info {
    const char *name;          /* "test_error": the word for --metric */
    const char *file, *column; /* "test.csv", "error" */
    const char *label;         /* "Test error" */
    const char *unit;          /* "%" or "" */
};
extern const struct skl_metric_info skl_metric_table[SKL_METRICS];
const char *const *skl_metric_names(void); /* NULL-terminated */
int skl_metric_find(const char *name);     /* -1: unknown */

struct skl_result_run {
    char *folder; /* NULL: planned, not begun */
    uint64_t seed;
    char state[16];     /* what run.json says (running, done, diverged, failed, interrupted); "waiting": none;
                           "unreadable": nobody can tell, or its files are another run's */
    bool gave_up;       /* stopped by the give_up rule */
    char cause[256];    /* of failed and diverged runs; may be empty */
    int64_t iterations; /* planned; 0: unknown */
    struct skl_series curve[SKL_METRICS]; /* n = 0: no file, or not asked for; rows that are not finite left out */
};
struct skl_result_setting {     /* runs that differ in the seed only */
    char *path;                 /* "VARIANT[/k1=v1,k2=v2]" as the folders are called */
    int within;                 /* of several sweeps (together.h): how much of the path is the sweep's name; else 0 */
    int batch;                  /* as planned; 0: not known */
    char *name;                 /* "VARIANT, k1=v1, k2=v2", %XX decoded; any bytes but control characters */
    char *label;                /* the same in figures and tables: "VARIANT, b_g = −3, depth 56" (label.h) */
    char *variant;              /* the folder's first part, decoded */
    char *called;               /* its label: in plan.json; NULL: none */
    char *paper;                /* variants' paper.test_error ("6.61", "fail"); NULL: none */
    struct skl_result_run *run; /* by seed */
    int runs;
};
struct skl_results {
    char *folder, *name;                /* the sweep's folder and its last part */
    char *label, *notes;                /* the experiment's; NULL: none */
    struct skl_figure_words figure;     /* likewise */
    struct skl_result_setting *setting; /* in plan.json's order, others after them by name */
    int settings, runs;
    int baseline;     /* index: the first setting of the experiment's `baseline:`, else of a variant called
                                    "original", else the first */
    bool plan_edited; /* the seal of plan.json is broken */
    void *index;      /* settings and runs by name, collect.c's own */
    /* One line each: what could not be read and is left out; whoever draws the rest ends with SKL_DATA. */
    char **warning;
    int warnings;
};

/* metrics: bits (1u << enum skl_metric) of the curves to read.  SKL_DATA: no such folder, or no run in it. */
int skl_results_read(const char *folder, unsigned metrics, struct skl_results *results, struct skl_err *err);
/* The figure: of the experiment alone, as far as FOLDER/plan.json has it in order. */
void skl_results_figure(const char *folder, struct skl_figure_words *words);
void skl_results_release(struct skl_results *results);

/* A row more, unless its value is not finite or its iteration no count that ascends. */
void skl_result_add(struct skl_series *curve, double iteration, double value);
/* The last value of a run's curve; NaN if it has none. */
double skl_result_last(const struct skl_result_run *run, int metric);
#endif
