#include "core/base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"

#define STEP ((size_t)64 << 10)

struct skl_sha256 {
    SHA2_CTX context;
};

struct skl_sha256 *skl_sha256_new(void)
{
    struct skl_sha256 *sum = skl_alloc(sizeof *sum);
    SHA256Init(&sum->context);
    return sum;
}

void skl_sha256_add(struct skl_sha256 *sum, const void *data, size_t n) { SHA256Update(&sum->context, data, n); }

void skl_sha256_sum(const struct skl_sha256 *sum, char hex[65])
{
    SHA2_CTX copy = sum->context;
    SHA256End(&copy, hex);
}

int skl_sha256_add_file(struct skl_sha256 *sum, int fd, const char *path, int64_t from, int64_t to, int64_t *n,
                        struct skl_err *err)
{
    char *step = skl_alloc(STEP);
    int status = SKL_OK;
    int64_t at = from;
    while (at != to && !status) {
        size_t wanted = to >= 0 && to - at < (int64_t)STEP ? (size_t)(to - at) : STEP;
        ssize_t got = pread(fd, step, wanted, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = skl_fail(err, SKL_DATA, "cannot read '%s': %s", path, strerror(errno));
        if (got <= 0) break;
        skl_sha256_add(sum, step, (size_t)got);
        at += got;
    }
    if (!status && at < to)
        status = skl_fail(err, SKL_DATA, "%s: %lld bytes, not %lld", path, (long long)at, (long long)to);
    if (n) *n = at - from;
    free(step);
    return status;
}

int skl_file_sha256(const char *path, int64_t length, char hex[65], int64_t *n, struct skl_err *err)
{
    int fd, status = skl_open(path, O_RDONLY, &fd, err);
    if (status) return status;
    struct skl_sha256 *sum = skl_sha256_new();
    status = skl_sha256_add_file(sum, fd, path, 0, length, n, err);
    skl_sha256_sum(sum, hex);
    free(sum);
    close(fd);
    return status;
}
