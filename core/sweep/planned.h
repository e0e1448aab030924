/* planned.h - a run and the plan that lists it: what a run's process asks plan.json, for itself. */
#ifndef SKL_PLANNED_H
#define SKL_PLANNED_H
#include "core/config/plan.h"

/* Is it the name of such a list? */
bool skl_is_plan_file(const char *path);
/* The run of the list in FOLDER/plan.json that stands in FOLDER/DIR, as a plan of this run alone; plug-ins must have
 * been given.  SKL_DATA: the list is damaged, or its settings are not those that it records; SKL_USAGE: it has no such
 * run. */
int skl_planned_run(const char *folder, const char *dir, struct skl_plan *plan, struct skl_err *err);
/* The sweep's folder and the run's within it, where a plan.json above run_dir lists it; *folder NULL: none does.  Both
 * are malloc'd. */
int skl_planned_where(const char *run_dir, char **folder, char **dir, struct skl_err *err);
/* For the holder of a run's claim: may these settings be trained in FOLDER/DIR?  SKL_USAGE: the plan has others, with
 * what differs. */
int skl_planned_check(const char *folder, const char *dir, const struct skl_plan *plan, const struct skl_plan_run *run,
                      struct skl_err *err);
/* All runs of a plan on one set are trained with the same data: the first to read them says which.  So are those that
 * begin with the weights of one file: its absolute path in place of a set, its SHA-256, of which 16 digits count.
 * SKL_DATA: others. */
int skl_planned_data(const char *folder, const char *set, const char *fingerprint, struct skl_err *err);
/* The same as far as it is known already: nothing is noted. */
int skl_planned_data_look(const char *folder, const char *set, const char *fingerprint, struct skl_err *err);
#endif
