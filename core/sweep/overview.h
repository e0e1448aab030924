/* overview.h - how far each run of a sweep is, from files alone: for whoever shows it (status, watch). */
#ifndef SKL_OVERVIEW_H
#define SKL_OVERVIEW_H
#include "core/base/fs.h"
#include "core/run/record.h"
#include "core/sweep/display.h"
#include "core/sweep/plan_file.h"
#include "core/sweep/slurm.h"

struct skl_overview_run {
    const struct skl_listed_run *run;
    char *folder;
    struct skl_run_state state;
    const char *word;    /* one of skl_overview_words */
    struct skl_row last; /* of train.csv; loss NaN: none */
    int64_t iteration, iterations;
    double left;                     /* seconds; NaN: unknown */
    const struct skl_queued *queued; /* what Slurm says of it; NULL: nothing */
    char *log;                       /* what its job wrote that left the queue without finishing it; NULL: none */
    struct skl_seen record;          /* its run.json, as it was read */
    bool settled;                    /* finished, and its run.json is the one that was read before */
};
struct skl_overview {
    char *folder;
    struct skl_run_list list;
    struct skl_queue queue;
    struct skl_overview_run *run; /* one a run of the list */
    int count;
};
/* "running", "interrupted", ..., "done": what needs a look first.  NULL-terminated. */
extern const char *const skl_overview_words[];

/* The sweep in a folder.  SKL_DATA: there is no plan.json, or it cannot be read. */
int skl_overview_open(const char *folder, struct skl_overview *o, struct skl_err *err);
/* The same of one run's own folder, whose name is the run's. */
void skl_overview_open_run(const char *folder, struct skl_overview *o);
/* Looks at all runs once more; a finished run whose run.json is as it was is looked at no further.  Slurm's queue stays
 * as it was. */
void skl_overview_again(struct skl_overview *o);
void skl_overview_close(struct skl_overview *o);

int skl_overview_counted(const struct skl_overview *o, const char *word);
/* No run is waited for.  One that failed is not: it stays so until it is asked for. */
bool skl_overview_ended(const struct skl_overview *o);
enum skl_colour skl_overview_colour(const char *word);
/* Seconds until all runs are finished, as many at a time as run now, at the mean speed so far, tests and checkpoints
 * included.  NaN: nothing was trained yet. */
double skl_overview_left(const struct skl_overview *o);
/* What is done, as a part of all iterations. */
double skl_overview_done(const struct skl_overview *o);
/* "6 runs: 4 done, 2 waiting; 3 min left"; malloc'd. */
char *skl_overview_counts(const struct skl_overview *o);
#endif
