/* fs.h - the file system.
 * Everything that is opened, looked at, listed or written goes through here or place.h (tests/rules), so that
 *   - nothing blocks: what is opened as a file is a regular one, never a FIFO, a device, a socket or a folder;
 *   - nothing follows links below a folder of results (skl_root_add() in place.h);
 *   - absent means ENOENT or ENOTDIR: a failure of another kind (EIO, ESTALE, EACCES, a link) is an error, no answer;
 *   - new files are made under a name that nobody can foretell, never through a link, and are whole or absent:
 *     skl_file_write() and skl_atomic_* write a temporary name in the same folder, fsync, rename, fsync the folder.
 * One pipe is read: the one that the program was given, /dev/stdin or /dev/fd/N where a whole file is read.
 * Messages name the file and the cause; what cannot be read is SKL_DATA, what cannot be written SKL_FAILED. */
#ifndef SKL_FS_H
#define SKL_FS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/err.h"

enum skl_kind {
    SKL_ABSENT,
    SKL_FILE,
    SKL_FOLDER,
    SKL_LINK,   /* below a root alone: elsewhere it is what it leads to */
    SKL_SPECIAL /* a FIFO, a device, a socket */
};
struct skl_seen {
    enum skl_kind kind;
    uint64_t device, inode, links;
    int64_t size, modified; /* bytes; seconds since 1970 */
};
/* What stands at a path: there or absent, or an error where that cannot be told. */
int skl_look(const char *path, struct skl_seen *seen, struct skl_err *err);
int skl_is_there(const char *path, bool *there, struct skl_err *err);
/* All names in a folder but . and .., as `ls -v` sorts them. */
int skl_list(const char *folder, char ***names, int *count, struct skl_err *err);
void skl_list_free(char **names, int count);
/* Every name in a folder but . and .., in no order, with what stands there: for folders of very many.  What is not 0
 * from entry() ends it and is returned. */
typedef int skl_entry_fn(void *context, const char *name, const struct skl_seen *seen, struct skl_err *err);
int skl_each(const char *folder, skl_entry_fn *entry, void *context, struct skl_err *err);

/* A regular file, flags as of open(2) but O_TRUNC; the caller closes it.  _if_there: *fd is -1 where it is absent. */
int skl_open(const char *path, int flags, int *fd, struct skl_err *err);
int skl_open_if_there(const char *path, int flags, int *fd, struct skl_err *err);
int skl_remove(const char *path, struct skl_err *err); /* a file; an absent one is well */

/* All of it to an open file, however often it is interrupted or cut short: 0, or the errno. */
int skl_write_all(int fd, const void *data, size_t n);

/* a file being written */
struct skl_atomic {
    int fd, desk; /* tmp is a name in the open folder `desk`, AT_FDCWD: a path */
    char *path, *tmp;
};
int skl_atomic_open(struct skl_atomic *f, const char *path, struct skl_err *err);
/* Made in the open folder `desk` instead (a claim's, core/run/claim.h), on the same file system.  SKL_BUSY here and at
 * the end: the desk is gone, another process has taken over. */
int skl_atomic_open_at(struct skl_atomic *f, int desk, const char *path, struct skl_err *err);
int skl_atomic_write(struct skl_atomic *f, const void *data, size_t n, struct skl_err *err);
int skl_atomic_sync(struct skl_atomic *f, struct skl_err *err);   /* durable, not yet under its name */
int skl_atomic_commit(struct skl_atomic *f, struct skl_err *err); /* durable afterwards; frees in every case */
/* The same, but the file stays open for writing: *fd. */
int skl_atomic_commit_open(struct skl_atomic *f, int *fd, struct skl_err *err);
void skl_atomic_abort(struct skl_atomic *f); /* removes the temporary file */
/* Is it the name of such a temporary file?  Its writer may be at it or dead. */
bool skl_is_leftover(const char *name);
/* Removes those of dead writers from a folder.  all: the caller is alone in writing here; else those that nobody has
 * written to for an hour. */
void skl_leftovers_remove(const char *folder, bool all);

int skl_file_write(const char *path, const void *data, size_t n, struct skl_err *err); /* whole file, atomically */
/* The same, left to skl_sync_all() to make durable: for many files at once that can be made again. */
int skl_file_write_quick(const char *path, const void *data, size_t n, struct skl_err *err);
int skl_file_write_at(int desk, const char *path, const void *data, size_t n, struct skl_err *err);
int skl_sync_all(const char *folder, struct skl_err *err); /* the file system that the folder is on */
/* *data: malloc'd, a 0 byte follows; larger than limit: SKL_DATA.  _if_there: NULL where it is absent. */
int skl_file_read(const char *path, size_t limit, char **data, size_t *n, struct skl_err *err);
int skl_file_read_if_there(const char *path, size_t limit, char **data, size_t *n, struct skl_err *err);
int skl_mkdirs(const char *path, struct skl_err *err); /* like mkdir -p */
/* A new folder below TMPDIR or /tmp for one process's own files; malloc'd. */
int skl_scratch_make(char **folder, struct skl_err *err);
void skl_folder_remove(const char *folder); /* with all that is in it; links are removed, not followed */
int skl_fsync_dir(const char *path, struct skl_err *err);
char *skl_path(const char *folder, const char *name);          /* malloc'd "folder/name" */
void skl_sha256_hex(const void *data, size_t n, char hex[65]); /* libmd */
#endif
