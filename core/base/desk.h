/* desk.h - changes to the files of a folder that somebody holds (core/run/claim.h).
 * What the holder makes stands on his desk, an open folder on the same file system, until it is whole, and gets its
 * name by a rename from there; what he removes is renamed onto it first.  Who takes the folder over empties and removes
 * the desk: from then on all this fails with SKL_BUSY, however long ago it was begun.  See also skl_atomic_open_at
 * (fs.h). */
#ifndef SKL_DESK_H
#define SKL_DESK_H
#include "core/base/fs.h"

/* Gives the file `path` the second name `to`, which may exist; a copy where the file system has no second names.  An
 * absent one: nothing. */
int skl_desk_double(int desk, const char *path, const char *to, struct skl_err *err);
int skl_desk_remove(int desk, const char *path, struct skl_err *err); /* a file; an absent one is well */
/* Before a file is written in place: where it has other names too (a backup's hard links), `path` becomes a copy. */
int skl_file_own(const char *path, struct skl_err *err);
/* For calls of one's own: what could not be done with `path`; SKL_BUSY where that is since the desk is gone. */
int skl_cannot_at(int desk, const char *verb, const char *path, int error, struct skl_err *err);
#endif
