/* jobs.h - a sweep in memory, shared by the driver (driver.c) and what it shows (watch.c). */
#ifndef SKL_JOBS_H
#define SKL_JOBS_H
#include "core/sweep/child.h"
#include "core/sweep/display.h"
#include "core/sweep/driver.h"
#include "core/sweep/plan_lock.h"

enum skl_job_status {
    SKL_JOB_WAITING,
    SKL_JOB_RUNNING,
    SKL_JOB_ELSEWHERE, /* another process trains it */
    SKL_JOB_DONE,
    SKL_JOB_DIVERGED,
    SKL_JOB_STOPPED, /* by give_up.halving */
    SKL_JOB_PAUSED,  /* at a rung of give_up.halving, until others have come */
    SKL_JOB_FAILED,
    SKL_JOB_INTERRUPTED
};

struct skl_job {
    const struct skl_plan_run *run;
    char *folder;
    enum skl_job_status status;
    bool redo;
    struct skl_child child;
    int turn;                     /* of the runs at a time, which one it is */
    double started, said, looked; /* times: of the process, its last plain line, our last look elsewhere */
    int64_t first, iteration;     /* iterations done when it started, and by its last row */
    double images_per_second;     /* 0: not known yet */
    double left;                  /* seconds, as it says itself; NaN: not known yet */
    char report[128];             /* its last one, */
    double silent;                /* and the seconds for which we saw it unchanged */
    bool hung;
    struct skl_row row;
    char cause[1024];
    enum skl_cause code;
    char *tail;
};

struct skl_driver {
    const struct skl_plan *plan;
    const struct skl_sweep_options *options;
    struct skl_job *job;
    int count, running, threads;
    bool stopping, interrupted; /* stopping: nothing new is started */
    double started, watched;    /* times: of the first run's start, of the last look at all, */
    double ranked;              /* of the last look at paused ones */
    struct skl_presence presence;
    sigset_t waited, before; /* signals taken by sigtimedwait; the mask before the sweep */
    struct skl_display display;
};

#define SKL_OTHER_SETTINGS_ADVICE \
    "to keep the results give this experiment another 'name:'; to throw them away add --redo 'PATTERN'"
/* The runs that --only chooses, with what is recorded of each; nothing is written.  SKL_USAGE: a pattern fits no run,
 * another plan is in use, or runs with other settings are in the way.  SKL_DATA: the plan is damaged.  Release in every
 * case. */
int skl_jobs_look(struct skl_driver *d, const struct skl_plan *plan, const struct skl_sweep_options *options,
                  struct skl_err *err);
/* The same, but the plan is decided and written, and this sweep stands beside it until the release. */
int skl_jobs_prepare(struct skl_driver *d, const struct skl_plan *plan, const struct skl_sweep_options *options,
                     struct skl_err *err);
/* Once a run has begun, or while a sweep works on it, the plan that FOLDER/plan.json lists may lose no run, change none
 * but those of --redo, and gain some only with --extend.  SKL_USAGE: what differs; SKL_DATA: it cannot be read. */
int skl_plan_check(const struct skl_plan *plan, const char *folder, const struct skl_sweep_options *options,
                   struct skl_err *err);
void skl_jobs_release(struct skl_driver *d);
int skl_job_read(const struct skl_job *j, struct skl_run_state *s, struct skl_err *err);
/* Finished, failed or (waiting) neither. */
enum skl_job_status skl_job_recorded(const struct skl_job *j, const struct skl_run_state *s);

/* Waiting or paused, and no process of any machine holds its folder. */
bool skl_job_is_free(const struct skl_job *j);
bool skl_job_is_finished(const struct skl_job *j); /* done, diverged or stopped */
int skl_jobs_finished(const struct skl_driver *d);
int skl_jobs_counted(const struct skl_driver *d, enum skl_job_status status);
/* Reads how far the running ones are; shows it. */
void skl_jobs_watch(struct skl_driver *d);
void skl_jobs_summary(const struct skl_driver *d);
#endif
