#include "core/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_ATTEMPTS 1000
#define READ_STEP ((size_t)64 << 10)

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return skl_strdup(".");
    if (slash == path) return skl_strdup("/");
    return skl_format("%.*s", (int)(slash - path), path);
}

static int cannot(const char *verb, const char *path, int status, int error, struct skl_err *err)
{
    return skl_fail(err, status, "cannot %s '%s': %s", verb, path, strerror(error));
}

static void forget(struct skl_atomic *f)
{
    free(f->path);
    free(f->tmp);
    *f = (struct skl_atomic){.fd = -1};
}

int skl_atomic_open(struct skl_atomic *f, const char *path, struct skl_err *err)
{
    *f = (struct skl_atomic){.fd = -1};
    /* A name may be left over from a killed process, or belong to the same pid on another host: try the next. */
    for (int i = 0; i < TMP_ATTEMPTS; i++) {
        char *tmp = skl_format("%s.%ld-%d.tmp", path, (long)getpid(), i);
        int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd >= 0) {
            *f = (struct skl_atomic){.fd = fd, .path = skl_strdup(path), .tmp = tmp};
            return SKL_OK;
        }
        free(tmp);
        if (errno != EEXIST && errno != EINTR) return cannot("write", path, SKL_FAILED, errno, err);
    }
    return cannot("write", path, SKL_FAILED, EEXIST, err);
}

int skl_atomic_write(struct skl_atomic *f, const void *data, size_t n, struct skl_err *err)
{
    SKL_CHECK(f->tmp);
    const char *p = data;
    while (n > 0) {
        ssize_t written = write(f->fd, p, n < (size_t)1 << 30 ? n : (size_t)1 << 30);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return cannot("write", f->path, SKL_FAILED, written < 0 ? errno : ENOSPC, err);
        p += written;
        n -= (size_t)written;
    }
    return SKL_OK;
}

int skl_fsync_dir(const char *path, struct skl_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return cannot("open folder", path, SKL_FAILED, errno, err);
    int status = SKL_OK;
    if (fsync(fd) && errno != EINVAL && errno != ENOTSUP) /* some file systems have no fsync for folders */
        status = cannot("sync folder", path, SKL_FAILED, errno, err);
    close(fd);
    return status;
}

int skl_sync_all(const char *folder, struct skl_err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return cannot("open folder", folder, SKL_FAILED, errno, err);
    int status = syncfs(fd) ? cannot("sync folder", folder, SKL_FAILED, errno, err) : SKL_OK;
    close(fd);
    return status;
}

static int commit(struct skl_atomic *f, bool durable, struct skl_err *err)
{
    SKL_CHECK(f->tmp);
    int failed = durable ? fsync(f->fd) : 0, error = errno;
    if (close(f->fd) && !failed) failed = -1, error = errno;
    f->fd = -1;
    if (!failed && rename(f->tmp, f->path)) failed = -1, error = errno;
    if (failed) {
        int status = cannot("write", f->path, SKL_FAILED, error, err);
        skl_atomic_abort(f);
        return status;
    }
    char *folder = folder_of(f->path);
    int status = durable ? skl_fsync_dir(folder, err) : SKL_OK;
    free(folder);
    forget(f);
    return status;
}

int skl_atomic_commit(struct skl_atomic *f, struct skl_err *err) { return commit(f, true, err); }

void skl_atomic_abort(struct skl_atomic *f)
{
    if (!f->tmp) return;
    if (f->fd >= 0) close(f->fd);
    unlink(f->tmp);
    forget(f);
}

void skl_atomic_clean(const char *folder, const char *name)
{
    size_t n = strlen(name);
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *rest = e->d_name + n;
        if (strncmp(e->d_name, name, n) || *rest != '.') continue;
        if (strcmp(rest + 1 + strspn(rest + 1, "0123456789-"), ".tmp")) continue;
        char *path = skl_path(folder, e->d_name);
        unlink(path);
        free(path);
    }
    if (d) closedir(d);
}

static int write_file(const char *path, const void *data, size_t n, bool durable, struct skl_err *err)
{
    struct skl_atomic f;
    int status = skl_atomic_open(&f, path, err);
    if (status) return status;
    status = skl_atomic_write(&f, data, n, err);
    if (!status) return commit(&f, durable, err);
    skl_atomic_abort(&f);
    return status;
}

int skl_file_write(const char *path, const void *data, size_t n, struct skl_err *err)
{
    return write_file(path, data, n, true, err);
}

int skl_file_write_quick(const char *path, const void *data, size_t n, struct skl_err *err)
{
    return write_file(path, data, n, false, err);
}

static int open_regular(const char *path, size_t limit, size_t *size, int *out, struct skl_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* O_NONBLOCK: a FIFO must not hang us */
    if (fd < 0) return cannot("read", path, SKL_DATA, errno, err);
    struct stat st;
    int status = SKL_OK;
    if (fstat(fd, &st))
        status = cannot("read", path, SKL_DATA, errno, err);
    else if (S_ISDIR(st.st_mode))
        status = skl_fail(err, SKL_DATA, "cannot read '%s': it is a folder, not a file", path);
    else if (!S_ISREG(st.st_mode))
        status = skl_fail(err, SKL_DATA, "cannot read '%s': it is not a regular file", path);
    else if ((uint64_t)st.st_size > limit)
        status = skl_fail(err, SKL_DATA, "cannot read '%s': it is larger than %zu bytes", path, limit);
    if (status) {
        close(fd);
        return status;
    }
    *size = (size_t)st.st_size;
    *out = fd;
    return SKL_OK;
}

/* Reads to the end, which may lie beyond the size seen at first: another process may be appending. */
static int read_all(int fd, const char *path, size_t limit, size_t size, char **data, size_t *n, struct skl_err *err)
{
    size_t capacity = size + 2, length = 0; /* room for one byte too many, and for the final 0 */
    char *buffer = malloc(capacity);
    ssize_t got = 1;
    while (buffer && got != 0 && length <= limit) {
        if (length + 1 == capacity) {
            char *larger = realloc(buffer, capacity += READ_STEP);
            if (!larger) break;
            buffer = larger;
        }
        got = read(fd, buffer + length, capacity - length - 1);
        if (got < 0 && errno != EINTR) break;
        if (got > 0) length += (size_t)got;
    }
    if (buffer && got == 0 && length <= limit) {
        buffer[length] = 0;
        *data = buffer;
        *n = length;
        return SKL_OK;
    }
    int error = length > limit ? EFBIG : errno;
    free(buffer);
    return cannot("read", path, SKL_DATA, error, err);
}

int skl_file_read(const char *path, size_t limit, char **data, size_t *n, struct skl_err *err)
{
    int fd = -1;
    size_t size = 0;
    *data = NULL;
    *n = 0;
    int status = open_regular(path, limit, &size, &fd, err);
    if (status) return status;
    status = read_all(fd, path, limit, size, data, n, err);
    close(fd);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int make_folder(const char *path, struct skl_err *err)
{
    if (is_folder(path)) return SKL_OK;
    if (mkdir(path, 0777)) {
        int error = errno;
        if (error == EEXIST && is_folder(path)) return SKL_OK; /* another process was faster */
        return cannot("make folder", path, SKL_FAILED, error == EEXIST ? ENOTDIR : error, err);
    }
    char *parent = folder_of(path);
    int status = skl_fsync_dir(parent, err);
    free(parent);
    return status;
}

int skl_mkdirs(const char *path, struct skl_err *err)
{
    char *part = skl_strdup(path);
    int status = SKL_OK;
    for (char *p = part + 1; !status && *part && *p; p++) {
        if (*p != '/' || p[-1] == '/') continue;
        *p = 0;
        status = make_folder(part, err);
        *p = '/';
    }
    size_t length = strlen(part);
    while (length > 1 && part[length - 1] == '/') part[--length] = 0;
    if (!status) status = make_folder(part, err);
    free(part);
    return status;
}

bool skl_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

char *skl_path(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    if (length == 0) return skl_strdup(name);
    return skl_format("%s%s%s", folder, folder[length - 1] == '/' ? "" : "/", name);
}

void skl_sha256_hex(const void *data, size_t n, char hex[65]) { SHA256Data(data, n, hex); }
