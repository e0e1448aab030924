/* choose.h - the run of an experiment file that a command works on, in one way for all of them.
 * --variant is a name under variants:, or VARIANT/key=value; --seed N is the override seeds=[N]; where the file leaves
 * a choice it is the first run that fits, and a line on stderr says which. */
#ifndef SKL_CLI_CHOOSE_H
#define SKL_CLI_CHOOSE_H
#include "core/cli/cmd.h"
#include "core/config/plan.h"

/* The two rows of a command's table of options. */
#define SKL_RUN_OPTIONS \
    {"variant", \
     SKL_OPT_SETTING, \
     "NAME", \
     "the run of this variant (a name under variants:, or VARIANT/key=value)", \
     &skl_chosen_variant, \
     0, \
     0}, \
    { \
        "seed", SKL_OPT_EACH, "N", "with this seed, listed under seeds: or not", NULL, 0, 0, skl_choose_seed \
    }
extern const char *skl_chosen_variant, *skl_chosen_seed; /* NULL: not said; the seed is a whole number */
int skl_choose_seed(const char *word, struct skl_err *err);

/* The plan of argv[0] with the words after it as overrides, and its run that was chosen.  more: what the line about it
 * says besides; NULL: no line.  SKL_USAGE: the file has none of that name, the nearest is in the message. */
int skl_choose(int argc, char **argv, const char *more, struct skl_plan *plan, const struct skl_plan_run **run,
               struct skl_err *err);
/* Of a plan that is there; variant NULL: any. */
int skl_choose_run(const struct skl_plan *plan, const char *file, const char *variant, const char *more,
                   const struct skl_plan_run **run, struct skl_err *err);
/* A line on stderr for what these runs' settings say in vain. */
void skl_say_what_is_vain(const struct skl_plan_run *run, int count);
/* Does a run of a list fit what was chosen? */
bool skl_choose_fits(const char *variant, const char *setting, uint64_t seed);
#endif
