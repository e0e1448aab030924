/* fs.h - files that are either whole or absent.
 * skl_file_write() and skl_atomic_*: a temporary name in the same folder (O_EXCL), write, fsync, rename, fsync
 * of the folder.  Messages name the file and errno. */
#ifndef SKL_FS_H
#define SKL_FS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/err.h"

/* a file being written */
struct skl_atomic {
    int fd;
    char *path, *tmp;
};
int skl_atomic_open(struct skl_atomic *f, const char *path, struct skl_err *err);
int skl_atomic_write(struct skl_atomic *f, const void *data, size_t n, struct skl_err *err);
int skl_atomic_commit(struct skl_atomic *f, struct skl_err *err); /* durable afterwards; frees in every case */
void skl_atomic_abort(struct skl_atomic *f);                      /* removes the temporary file */
/* Removes the temporary files that processes left which died while they wrote FOLDER/name.  For whoever is alone in
 * writing it: a living process's would go too. */
void skl_atomic_clean(const char *folder, const char *name);

int skl_file_write(const char *path, const void *data, size_t n, struct skl_err *err); /* whole file, atomically */
/* The same, left to skl_sync_all() to make durable: for many files at once that can be made again. */
int skl_file_write_quick(const char *path, const void *data, size_t n, struct skl_err *err);
int skl_sync_all(const char *folder, struct skl_err *err); /* the file system that the folder is on */
/* *data: malloc'd, a 0 byte follows; larger than limit, a folder or a device: SKL_DATA */
int skl_file_read(const char *path, size_t limit, char **data, size_t *n, struct skl_err *err);
int skl_mkdirs(const char *path, struct skl_err *err); /* like mkdir -p */
bool skl_exists(const char *path);
int skl_fsync_dir(const char *path, struct skl_err *err);
char *skl_path(const char *folder, const char *name);          /* malloc'd "folder/name" */
void skl_sha256_hex(const void *data, size_t n, char hex[65]); /* libmd */
#endif
