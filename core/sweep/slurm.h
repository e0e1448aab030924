/* slurm.h - a sweep as job arrays of the Slurm scheduler: one element of an array trains one run.
 *
 * Written below RESULTS/NAME/slurm: the script, a list of run folders an array, the elements' output.  A signal reaches
 * the run two minutes before a time limit or when it is preempted; it writes a checkpoint, ends with 75 and is queued
 * again.  What sbatch should know besides (partition, account, time limit) is left to its own environment variables:
 * SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT. */
#ifndef SKL_SLURM_H
#define SKL_SLURM_H
#include "core/sweep/driver.h"

/* Submits every run that is neither finished nor held by a process.  jobs 0: no limit to how many run at a time.
 * Prints a line a job array on standard output.  SKL_FAILED: sbatch is missing or refused; earlier arrays stay. */
int skl_sweep_slurm(const struct skl_plan *plan, const struct skl_sweep_options *options, struct skl_err *err);
#endif
