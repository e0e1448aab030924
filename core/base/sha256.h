/* sha256.h - SHA-256 of bytes that come one after another, and of files of any size in little memory. */
#ifndef SKL_SHA256_H
#define SKL_SHA256_H
#include <stddef.h>
#include <stdint.h>
#include "core/base/err.h"

struct skl_sha256;
struct skl_sha256 *skl_sha256_new(void); /* free() releases it */
void skl_sha256_add(struct skl_sha256 *sum, const void *data, size_t n);
void skl_sha256_sum(const struct skl_sha256 *sum, char hex[65]); /* of all so far; more may follow */
/* Adds bytes [from, to) of an open file; to -1: up to its end.  n and errors as below; path stands in messages. */
int skl_sha256_add_file(struct skl_sha256 *sum, int fd, const char *path, int64_t from, int64_t to, int64_t *n,
                        struct skl_err *err);
/* Of a file's first `length` bytes, -1: of all.  n: how many they were; NULL: not asked.  SKL_DATA: it cannot be read,
 * or is shorter. */
int skl_file_sha256(const char *path, int64_t length, char hex[65], int64_t *n, struct skl_err *err);
#endif
