/* compare.h - what differs between two runs, or between the runs that two sweeps have in common: settings and results,
 * and up to where the logs and weights are the same. */
#ifndef SKL_COMPARE_H
#define SKL_COMPARE_H
#include "core/report/facts.h"
#include "core/run/checkpoint.h"
#include "core/run/record.h"

struct skl_difference {
    char *key, *a, *b; /* NULL: not there */
};
struct skl_log_match {
    bool in_a, in_b, same;   /* same: byte for byte */
    int equal_rows;          /* from the start, below the header */
    int64_t equal_to, other; /* iterations of the last equal row and of the first that differs; -1: none */
};
struct skl_pair_of_runs {
    char *name; /* "VARIANT[/k=v]/seed-N"; "": two runs were given */
    char *folder_a, *folder_b;
    struct skl_difference *setting;
    int settings;
    struct skl_run_record a, b;
    struct skl_log_match log[SKL_LOGS];
    struct skl_log_match weights;      /* the column of test.csv: hashes at the iterations that both tested at */
    bool checkpoints, same_checkpoint; /* both have last.safetensors; byte for byte */
    bool identical;                    /* settings, logs and last checkpoint */
};
struct skl_comparison {
    bool sweeps;
    struct skl_pair_of_runs *pair;
    int pairs, identical;
    char **only_a, **only_b;
    int only_as, only_bs;
};
/* Both are a run's folder, or both a sweep's: else SKL_USAGE.  SKL_DATA: neither, or a file that cannot be read. */
int skl_compare(const char *a, const char *b, struct skl_comparison *c, struct skl_err *err);
void skl_comparison_release(struct skl_comparison *c);
#endif
