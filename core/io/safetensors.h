/* safetensors.h - named tensors in one file (8-byte header length, JSON header, data), the format of
 * huggingface/safetensors.  Reading is strict: contiguous offsets from 0 to the end, sizes equal shape x dtype,
 * no doubled names, header at most 100 MB.  Everything wrong is SKL_DATA and names the file and the tensor. */
#ifndef SKL_SAFETENSORS_H
#define SKL_SAFETENSORS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/fs.h"

enum skl_dtype { SKL_F32, SKL_I64, SKL_F64, SKL_I32, SKL_U8 };
struct skl_st_tensor {
    char *name;
    enum skl_dtype dtype;
    int ndim;
    int64_t shape[8];
    const void *data; /* NULL after skl_st_look */
    size_t bytes;
    int64_t at; /* where the data begin, in the file */
};
struct skl_st_meta {
    char *key, *value;
};
struct skl_st {
    struct skl_st_tensor *tensor;
    int count;
    struct skl_st_meta *meta;
    int metas;
    char *buffer;
};

int skl_st_read(const char *path, bool require_sha256, struct skl_st *st, struct skl_err *err);
/* A file of more than `limit` bytes is refused before it is read; the other has SKL_LIMIT_WEIGHTS. */
int skl_st_read_within(const char *path, bool require_sha256, size_t limit, struct skl_st *st, struct skl_err *err);
/* The same without the data, which pass through a buffer: names, shapes, places and metadata, whatever the size. */
int skl_st_look(const char *path, bool require_sha256, struct skl_st *st, struct skl_err *err);
/* Takes data (malloc'd) over, and frees it after a failure.  Tensors are sorted by name; each one's data are aligned to
 * its numbers, however the file has them.  Without require_sha256 a digest is not looked at. */
int skl_st_parse(const char *name, char *data, size_t n, bool require_sha256, struct skl_st *st, struct skl_err *err);
void skl_st_release(struct skl_st *st);
/* Gives tensor i this name (malloc'd, taken over).  skl_st_renamed once all have theirs: SKL_DATA where two have the
 * same; name: of the file, for the message. */
void skl_st_rename(struct skl_st *st, int i, char *name);
int skl_st_renamed(struct skl_st *st, const char *name, struct skl_err *err);
const struct skl_st_tensor *skl_st_find(const struct skl_st *st, const char *name); /* NULL: absent */
const char *skl_st_meta(const struct skl_st *st, const char *key);                  /* NULL: absent */

/* Writes atomically and durably (fs.h).  With a digest, metadata "sha256" holds the SHA-256 of the whole file with
 * those 64 characters set to '0'.  Tensors in the order given, keys of the metadata sorted: same input, same bytes. */
int skl_st_put(struct skl_atomic *f, const struct skl_st_tensor *tensors, int count, const struct skl_st_meta *meta,
               int metas, bool digest, struct skl_err *err); /* the same bytes; the caller commits */
int skl_st_write(const char *path, const struct skl_st_tensor *tensors, int count, const struct skl_st_meta *meta,
                 int metas, bool digest, struct skl_err *err);
#endif
