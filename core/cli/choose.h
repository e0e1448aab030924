/* choose.h - the run of an experiment file that a command works on, in one way for all of them.
 * --variant is a name under variants:, or VARIANT/key=value; --seed N is the override seeds=[N]; where the file leaves
 * a choice it is the first run that fits, and a line on stderr says which. */
#ifndef SKL_CLI_CHOOSE_H
#define SKL_CLI_CHOOSE_H
#include "core/config/plan.h"

/* The plan of argv[0] with the words after it as overrides; seed NULL: as the file has it.  SKL_USAGE also for a seed
 * that is no whole number. */
int skl_choose_plan(int argc, char **argv, const char *seed, struct skl_plan *plan, struct skl_err *err);
/* variant NULL: any.  more: what that line says besides; NULL: no line.  SKL_USAGE: the file has none of that name, the
 * nearest is in the message. */
int skl_choose_run(const struct skl_plan *plan, const char *file, const char *variant, const char *more,
                   const struct skl_plan_run **run, struct skl_err *err);
/* SKL_USAGE: not a whole number.  NULL is none. */
int skl_choose_seed_check(const char *seed, struct skl_err *err);
bool skl_choose_fits(const char *wanted, const char *variant, const char *setting); /* wanted NULL: any */
#endif
