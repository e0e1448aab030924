/* progress.h - how far a run is, on stderr: one live line on a terminal, a plain line now and then elsewhere.
 * A sweep gives its runs an open file by the environment variable SKIPLAB_PROGRESS_FD (a number): at most 5 times a
 * second its one line of 96 bytes is overwritten with "iteration loss error images_per_second beat seconds_left" and
 * blanks.  beat grows each time, in evaluations too: a line that stays the same is a run that hangs.  A word after it
 * says why the run failed. */
#ifndef SKL_PROGRESS_H
#define SKL_PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

struct skl_progress_now {
    int64_t iteration;
    double loss, error, images_per_second;
    int batch;
};
struct skl_progress {
    const char *name; /* borrowed: the run's */
    int64_t end;
    bool quiet, live, colour;
    double shown, reported; /* time of the last line, and of the last report to a sweep */
    int report;             /* the sweep's file, -1: none */
    long beat;
    struct skl_progress_now now; /* as last reported; iteration -1: nothing yet */
    double left;                 /* seconds, as far as whoever trains can tell; NaN: go by the iterations */
    bool open;                   /* the live line stands on the terminal without a line feed */
};

void skl_progress_start(struct skl_progress *p, const char *name, int64_t end, bool quiet);
/* After every iteration; row: a row of train.csv was written.  Live: at most 5 times a second.  Plain: at rows, at
 * most every 2 seconds, and at the end. */
void skl_progress_show(struct skl_progress *p, const struct skl_progress_now *now, bool row);
/* At the end of a run that failed: a word of enum skl_cause (record.h) for the sweep, where run.json cannot be
 * written. */
void skl_progress_cause(const char *word);
/* While no iterations are done: a sign of life to the sweep. */
void skl_progress_beat(struct skl_progress *p);
/* What is going on instead of iterations, live only: "testing". */
void skl_progress_phase(struct skl_progress *p, const char *what);
/* A whole line that stays; ends the live line first.  Also shown when quiet if `important`. */
void skl_progress_say(struct skl_progress *p, bool important, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool skl_progress_watched(void); /* a sweep started this process and reads what it reports */
#endif
