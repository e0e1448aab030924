/* slurm.h - a sweep as job arrays of the Slurm scheduler: one element of an array trains one run, or K short ones.
 *
 * Written below RESULTS/NAME/slurm: run.sh (the script), runs-*.txt (the runs of an array, K lines an element),
 * arrays.txt (a line "JOB LIST K" an array; no K: 1), JOB_N.log (an element's output).  A signal reaches the run two
 * minutes before a time limit or when it is preempted; it writes a checkpoint, ends with 75 and is queued again. */
#ifndef SKL_SLURM_H
#define SKL_SLURM_H
#include "core/sweep/driver.h"

/* Submits every run that is neither finished, nor held by a process, nor in the queue.  jobs 0: no limit to how many
 * run at a time, else the arrays run one after another.  more: words for sbatch, parted by blanks; NULL: none.
 * Prints a line a job array on standard output.  SKL_FAILED: sbatch is missing or refused; earlier arrays stay.
 * SKL_USAGE: words that would undo the array. */
int skl_sweep_slurm(const struct skl_plan *plan, const struct skl_sweep_options *options, const char *more,
                    struct skl_err *err);

/* ---- the queue ---- */

struct skl_queued {
    char *run;                           /* its folder, as in plan.json */
    char job[48], state[24], reason[96]; /* "12_3", "PENDING", "Resources" */
};
struct skl_queue {
    struct skl_queued *run;
    int count;
    struct skl_queued *gone; /* the last element of each run that was submitted, where it is not in the queue */
    int gone_count;
    bool silent; /* the sweep was submitted, and squeue is not here or does not answer */
};
/* The runs of a sweep's folder that squeue knows.  Empty where the sweep was never submitted, or silent. */
void skl_queue_read(const char *folder, struct skl_queue *queue);
const struct skl_queued *skl_queue_find(const struct skl_queue *queue, const char *run); /* NULL: not there */
/* The element that had the run last and is not in the queue any more, by its number ("12_3"); its output is
 * slurm/NUMBER.log.  NULL: none, or squeue does not answer. */
const struct skl_queued *skl_queue_gone(const struct skl_queue *queue, const char *run);
void skl_queue_release(struct skl_queue *queue);

/* Runs argv without a shell; its standard output, at most size - 1 bytes, in text.  -1: not run, else its exit
 * code, 128 and the number of the signal that ended it. */
int skl_program_output(char *const argv[], char *text, size_t size);
#endif
