/* halving.h - successive halving (Jamieson and Talwalkar 2016): at each multiple of give_up.halving.every iterations,
 * a rung, the settings of a sweep that are still in it are ranked, and only the better part goes on.
 *
 * A setting's value at a rung is the median over its seeds of the error there, as logged: infinite for a run that
 * diverged or gave up before.  Ties go to the setting that stands first in the plan.  Nobody writes a decision down:
 * it follows from the plan and the rows of the logs, so whoever asks, in whatever order, gets the same.  A run comes to
 * a rung with a checkpoint; while a run of another setting that is still in has not come, it waits. */
#ifndef SKL_HALVING_H
#define SKL_HALVING_H
#include "core/config/plan.h"
#include "core/run/halving.h"

struct skl_halving; /* what the logs of a sweep say at a moment */

/* folder: the sweep's.  rule: the settings of any of its runs.  SKL_DATA: no plan.json there, or it is damaged; a run
 * that cannot be read has not come.  *halving is released in the end. */
int skl_halving_read(const char *folder, const struct skl_experiment *rule, struct skl_halving **halving,
                     struct skl_err *err);
void skl_halving_release(struct skl_halving *halving);
/* What becomes of the setting at the rung at `iteration`; why (malloc'd, in words for people, NULL: not asked for): its
 * place, or who is waited for.  A setting that left at an earlier rung: SKL_RUNG_STOP. */
enum skl_rung skl_halving_ask(const struct skl_halving *halving, const char *setting, int64_t iteration, char **why);
#endif
