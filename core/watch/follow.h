/* follow.h - a sweep, or one run, whose files are read on as they grow. */
#ifndef SKL_WATCH_FOLLOW_H
#define SKL_WATCH_FOLLOW_H
#include "core/report/collect.h"
#include "core/report/follow.h"
#include "core/sweep/overview.h"

struct skl_watched {
    struct skl_overview overview;
    struct skl_results results;     /* the same runs, by setting, with their curves */
    struct skl_result_run **result; /* of each run of the overview; NULL: none */
    int *setting;                   /* likewise: which of results.setting it belongs to */
    struct skl_follow *log;         /* likewise */
    bool one_run;
    struct skl_seen plan;
    char *problem; /* why something could not be read, the first of it; NULL: none */
    /* ---- the curves as they were drawn last (page.c) ---- */
    bool stale; /* there is something new to draw */
    char *picture, *sign;
    int drawn_first, drawn_metric, drawn_columns, drawn_rows;
    char *scratch; /* gnuplot's folder; NULL: not needed yet */
};

bool skl_watch_is_sweep(const char *folder); /* has it a plan.json, or can that not be told? */
/* The sweep, or the run, in this folder.  SKL_DATA: it is neither, or cannot be read. */
int skl_watched_open(const char *folder, struct skl_watched *w, struct skl_err *err);
/* What has changed since; SKL_DATA: the plan has, and cannot be read. */
int skl_watched_again(struct skl_watched *w, struct skl_err *err);
void skl_watched_close(struct skl_watched *w);
#endif
