/* follow.h - curves that grow: a run's logs, read on from where they were read to. */
#ifndef SKL_FOLLOW_H
#define SKL_FOLLOW_H
#include "core/report/collect.h"

/* One log of a run, as far as it was read; {0}: not at all. */
struct skl_followed_log {
    uint64_t device, inode;
    int64_t end; /* bytes up to the end of the last whole line */
    int columns, x, column[SKL_METRICS];
    bool spoilt; /* a line that is none of ours: it is followed no further */
};
enum { SKL_FOLLOWED_LOGS = 3 }; /* train.csv, test.csv, validation.csv */
struct skl_follow {
    unsigned metrics; /* bits (1u << enum skl_metric) of the curves to follow */
    struct skl_followed_log log[SKL_FOLLOWED_LOGS];
};

/* Adds to the run's curves the rows that its logs in `folder` have gained; a log that was replaced (a run that went on)
 * or cut is read from its start.  Curves must have come from here.  Returns whether there is anything new.  problem:
 * set to why a log cannot be read, malloc'd, where it is NULL still; its curve stays as it was. */
bool skl_follow_run(struct skl_follow *f, const char *folder, struct skl_result_run *run, char **problem);

/* Results that are one run's folder, called by its name; nothing is read yet. */
void skl_results_of_run(const char *folder, struct skl_results *results);
#endif
