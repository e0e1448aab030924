/* plan_lock.h - one plan a results folder, decided by one process at a time.
 *
 * Who decides holds a claim on FOLDER/.plan (no variant is called so) for as long as that takes.  A run's process
 * claims its own folder first and then waits until nobody decides, before it looks whether the plan has its settings;
 * who decides looks for claims of runs after taking his own.  So one of the two sees the other, and no run begins with
 * the settings of a plan that is being replaced.
 *
 * A sweep that works on a plan stands beside it, as a claim on a folder of its own in FOLDER/.plan, from before it lets
 * go of the plan until its end: a plan is in use even where none of its runs has begun. */
#ifndef SKL_PLAN_LOCK_H
#define SKL_PLAN_LOCK_H
#include <stdbool.h>
#include "core/run/claim.h"

/* Waits for another process that decides.  SKL_BUSY: for more than a minute. */
int skl_plan_lock(const char *folder, struct skl_claim **claim, struct skl_err *err);
void skl_plan_unlock(const char *folder, struct skl_claim *claim); /* NULL: nothing */
int skl_plan_wait(const char *folder, struct skl_err *err);        /* until nobody decides */

struct skl_presence {
    char *place;
    struct skl_claim *claim;
};
int skl_presence_enter(const char *folder, struct skl_presence *presence,
                       struct skl_err *err); /* while the plan is locked */
void skl_presence_leave(struct skl_presence *presence);
bool skl_presence_any(const char *folder);   /* does a sweep work on the plan, or can that not be told? */
void skl_presence_clear(const char *folder); /* what dead ones left; while the plan is locked */
#endif
