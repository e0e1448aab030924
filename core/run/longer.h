/* longer.h - may a run go on as one of more iterations, with the bits of one that was planned so from the start? */
#ifndef SKL_LONGER_H
#define SKL_LONGER_H
#include "core/config/plan.h"

/* SKL_OK: the settings differ in train.iterations alone, of which there are more now; no learning rate so far depends
 * on them; and what was due at the end would have been due then anyway.  SKL_USAGE: why not, in one line. */
int skl_longer_check(const struct skl_experiment *before, const struct skl_experiment *now, struct skl_err *err);

/* The shorter run that a folder holds; iterations 0: it holds none, or this run itself. */
struct skl_shorter {
    int64_t iterations;
    char hash[65];
};
/* As skl_config_file_check (config_file.h), but a run that may go on as this one is well. */
int skl_longer_look(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder,
                    struct skl_shorter *there, struct skl_err *err);
#endif
