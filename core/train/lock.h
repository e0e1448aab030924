/* lock.h - one process a run: an open-file-description lock on FOLDER/lock, gone with its process however that dies. */
#ifndef SKL_LOCK_H
#define SKL_LOCK_H
#include <stdbool.h>
#include "core/base/err.h"

struct skl_lock {
    int fd;
    char *path;
};
/* SKL_BUSY names the process that has it. */
int skl_lock_take(struct skl_lock *lock, const char *folder, struct skl_err *err);
void skl_lock_release(struct skl_lock *lock);
/* Does any process hold it?  Takes nothing, so it disturbs nobody. */
int skl_lock_held(const char *folder, bool *held, struct skl_err *err);
#endif
