#include "core/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "core/base/desk.h"
#include "core/base/grow.h"
#include "core/base/place.h"

#define TMP_ATTEMPTS 100
#define OLD_SECONDS 3600 /* a temporary file that nobody wrote to for so long has no writer any more */
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
    return skl_because(err, skl_fail(err, status, "cannot %s '%s': %s", verb, path, skl_place_error(error)), error);
}

/* ---- looking ---- */

static enum skl_kind kind_of(mode_t mode)
{
    return S_ISREG(mode) ? SKL_FILE : S_ISDIR(mode) ? SKL_FOLDER : S_ISLNK(mode) ? SKL_LINK : SKL_SPECIAL;
}

static struct skl_seen seen_in(const struct stat *st)
{
    return (struct skl_seen){.kind = kind_of(st->st_mode),
                             .device = st->st_dev,
                             .inode = st->st_ino,
                             .links = st->st_nlink,
                             .size = st->st_size,
                             .modified = st->st_mtime};
}

int skl_look(const char *path, struct skl_seen *seen, struct skl_err *err)
{
    struct stat st;
    *seen = (struct skl_seen){0};
    if (skl_place_stat(path, &st)) return skl_is_absent(errno) ? SKL_OK : cannot("look at", path, SKL_DATA, errno, err);
    *seen = seen_in(&st);
    return SKL_OK;
}

int skl_is_there(const char *path, bool *there, struct skl_err *err)
{
    struct skl_seen seen;
    int status = skl_look(path, &seen, err);
    *there = seen.kind != SKL_ABSENT;
    return status;
}

static int by_name(const void *a, const void *b) { return strverscmp(*(char *const *)a, *(char *const *)b); }

int skl_list(const char *folder, char ***names, int *count, struct skl_err *err)
{
    *names = NULL;
    *count = 0;
    DIR *d = skl_place_list(folder);
    if (!d) return cannot("read folder", folder, SKL_DATA, errno, err);
    struct dirent *e;
    for (errno = 0; (e = readdir(d)); errno = 0) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        *SKL_ADD(*names, *count) = skl_strdup(e->d_name);
    }
    int status = errno ? cannot("read folder", folder, SKL_DATA, errno, err) : SKL_OK;
    closedir(d);
    if (status) {
        skl_list_free(*names, *count);
        *names = NULL;
        *count = 0;
    }
    if (*count) qsort(*names, (size_t)*count, sizeof **names, by_name);
    return status;
}

static int one_entry(DIR *d, const char *folder, const char *name, skl_entry_fn *entry, void *context,
                     struct skl_err *err)
{
    struct stat st;
    struct skl_seen seen = {0};
    if (!skl_place_stat_in(d, folder, name, &st)) {
        seen = seen_in(&st);
    } else if (!skl_is_absent(errno)) {
        char *path = skl_path(folder, name);
        int status = cannot("look at", path, SKL_DATA, errno, err);
        free(path);
        return status;
    }
    return entry(context, name, &seen, err);
}

int skl_each(const char *folder, skl_entry_fn *entry, void *context, struct skl_err *err)
{
    DIR *d = skl_place_list(folder);
    if (!d) return cannot("read folder", folder, SKL_DATA, errno, err);
    struct dirent *e;
    int status = SKL_OK;
    for (errno = 0; !status && (e = readdir(d)); errno = 0)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            status = one_entry(d, folder, e->d_name, entry, context, err);
    if (!status && errno) status = cannot("read folder", folder, SKL_DATA, errno, err);
    closedir(d);
    return status;
}

void skl_list_free(char **names, int count)
{
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
}

int skl_remove(const char *path, struct skl_err *err)
{
    if (!skl_place_unlink(path) || skl_is_absent(errno)) return SKL_OK;
    return cannot("remove", path, SKL_FAILED, errno, err);
}

/* ---- writing ---- */

static void forget(struct skl_atomic *f)
{
    free(f->path);
    free(f->tmp);
    *f = (struct skl_atomic){.fd = -1, .desk = AT_FDCWD};
}

/* An operation between a desk and `path` has failed: where the folder is there, the desk is gone. */
int skl_cannot_at(int desk, const char *verb, const char *path, int error, struct skl_err *err)
{
    char *folder = folder_of(path);
    bool there = false, lost = desk != AT_FDCWD && (error == ENOENT || error == ESTALE);
    bool taken = lost && !skl_is_there(folder, &there, NULL) && there;
    free(folder);
    if (!taken) return cannot(verb, path, SKL_FAILED, error, err);
    return skl_fail(err, SKL_BUSY, "cannot %s '%s': another process took this run over while this one stood still",
                    verb, path);
}

int skl_atomic_open_at(struct skl_atomic *f, int desk, const char *path, struct skl_err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    *f = (struct skl_atomic){.fd = -1, .desk = desk};
    if (unlinkat(desk, name, 0) && errno != ENOENT) return skl_cannot_at(desk, "write", path, errno, err); /* our own */
    int fd = openat(desk, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return skl_cannot_at(desk, "write", path, errno, err);
    *f = (struct skl_atomic){.fd = fd, .desk = desk, .path = skl_strdup(path), .tmp = skl_strdup(name)};
    return SKL_OK;
}

/* A name that nobody can foretell: it could be taken, or be made a link, before. */
static char *temporary_name(const char *path)
{
    unsigned long long number = 0;
    SKL_CHECK(getrandom(&number, sizeof number, 0) == sizeof number);
    return skl_format("%s.%016llx.tmp", path, number);
}

int skl_atomic_open(struct skl_atomic *f, const char *path, struct skl_err *err)
{
    *f = (struct skl_atomic){.fd = -1, .desk = AT_FDCWD};
    for (int i = 0; i < TMP_ATTEMPTS; i++) {
        char *tmp = temporary_name(path);
        int fd = skl_place_open(tmp, O_WRONLY | O_CREAT | O_EXCL);
        if (fd >= 0) {
            *f = (struct skl_atomic){.fd = fd, .desk = AT_FDCWD, .path = skl_strdup(path), .tmp = tmp};
            return SKL_OK;
        }
        free(tmp);
        if (errno != EEXIST && errno != EINTR) return cannot("write", path, SKL_FAILED, errno, err);
    }
    return cannot("write", path, SKL_FAILED, EEXIST, err);
}

int skl_write_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        ssize_t written = write(fd, p, n < (size_t)1 << 30 ? n : (size_t)1 << 30);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return written < 0 ? errno : ENOSPC;
        p += written;
        n -= (size_t)written;
    }
    return 0;
}

int skl_atomic_write(struct skl_atomic *f, const void *data, size_t n, struct skl_err *err)
{
    SKL_CHECK(f->tmp);
    int error = skl_write_all(f->fd, data, n);
    return error ? cannot("write", f->path, SKL_FAILED, error, err) : SKL_OK;
}

int skl_fsync_dir(const char *path, struct skl_err *err)
{
    int fd = skl_place_open_folder(path);
    if (fd < 0) return cannot("open folder", path, SKL_FAILED, errno, err);
    int status = SKL_OK;
    if (fsync(fd) && errno != EINVAL && errno != ENOTSUP) /* some file systems have no fsync for folders */
        status = cannot("sync folder", path, SKL_FAILED, errno, err);
    close(fd);
    return status;
}

int skl_sync_all(const char *folder, struct skl_err *err)
{
    int fd = skl_place_open_folder(folder);
    if (fd < 0) return cannot("open folder", folder, SKL_FAILED, errno, err);
    int status = syncfs(fd) ? cannot("sync folder", folder, SKL_FAILED, errno, err) : SKL_OK;
    close(fd);
    return status;
}

static int publish(const struct skl_atomic *f)
{
    return f->desk == AT_FDCWD ? skl_place_rename(f->tmp, f->path) : skl_place_rename_from(f->desk, f->tmp, f->path);
}

static void discard(const struct skl_atomic *f)
{
    if (f->desk == AT_FDCWD)
        skl_place_unlink(f->tmp);
    else
        unlinkat(f->desk, f->tmp, 0);
}

int skl_atomic_sync(struct skl_atomic *f, struct skl_err *err)
{
    SKL_CHECK(f->tmp);
    return fsync(f->fd) ? cannot("write", f->path, SKL_FAILED, errno, err) : SKL_OK;
}

/* keep: NULL, or where the open file goes. */
static int commit(struct skl_atomic *f, bool durable, int *keep, struct skl_err *err)
{
    SKL_CHECK(f->tmp);
    int failed = durable ? fsync(f->fd) : 0, error = errno, fd = keep ? f->fd : -1;
    if (!keep && close(f->fd) && !failed) failed = -1, error = errno;
    if (!keep) f->fd = -1;
    int status = failed ? cannot("write", f->path, SKL_FAILED, error, err) : SKL_OK;
    if (!failed && publish(f)) status = skl_cannot_at(f->desk, "write", f->path, errno, err);
    if (status) {
        skl_atomic_abort(f);
        return status;
    }
    char *folder = folder_of(f->path);
    if (durable) status = skl_fsync_dir(folder, err);
    free(folder);
    forget(f);
    if (keep && status) close(fd);
    if (keep && !status) *keep = fd;
    return status;
}

int skl_atomic_commit(struct skl_atomic *f, struct skl_err *err) { return commit(f, true, NULL, err); }

int skl_atomic_commit_open(struct skl_atomic *f, int *fd, struct skl_err *err) { return commit(f, true, fd, err); }

void skl_atomic_abort(struct skl_atomic *f)
{
    if (!f->tmp) return;
    if (f->fd >= 0) close(f->fd);
    discard(f);
    forget(f);
}

bool skl_is_leftover(const char *name)
{
    size_t n = strlen(name);
    if (n < 6 || strcmp(name + n - 4, ".tmp")) return false;
    const char *mark = memrchr(name, '.', n - 4);
    return mark && mark > name && strspn(mark + 1, "0123456789abcdef-") == (size_t)(name + n - 4 - mark - 1);
}

void skl_leftovers_remove(const char *folder, bool all)
{
    char **names;
    int count;
    if (skl_list(folder, &names, &count, NULL)) return;
    for (int i = 0; i < count; i++) {
        if (!skl_is_leftover(names[i])) continue;
        char *path = skl_path(folder, names[i]);
        struct skl_seen seen;
        if (!skl_look(path, &seen, NULL) && seen.kind == SKL_FILE && (all || time(NULL) - seen.modified > OLD_SECONDS))
            skl_place_unlink(path);
        free(path);
    }
    skl_list_free(names, count);
}

/* Takes over what skl_atomic_open or its like returned. */
static int write_all(struct skl_atomic *f, int status, const void *data, size_t n, bool durable, struct skl_err *err)
{
    if (status) return status;
    status = skl_atomic_write(f, data, n, err);
    if (!status) return commit(f, durable, NULL, err);
    skl_atomic_abort(f);
    return status;
}

int skl_file_write(const char *path, const void *data, size_t n, struct skl_err *err)
{
    struct skl_atomic f;
    return write_all(&f, skl_atomic_open(&f, path, err), data, n, true, err);
}

int skl_file_write_quick(const char *path, const void *data, size_t n, struct skl_err *err)
{
    struct skl_atomic f;
    return write_all(&f, skl_atomic_open(&f, path, err), data, n, false, err);
}

int skl_file_write_at(int desk, const char *path, const void *data, size_t n, struct skl_err *err)
{
    struct skl_atomic f;
    return write_all(&f, skl_atomic_open_at(&f, desk, path, err), data, n, true, err);
}

/* ---- reading ---- */

int skl_open_if_there(const char *path, int flags, int *fd, struct skl_err *err)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    *fd = skl_place_open(path, flags);
    if (*fd >= 0 || skl_is_absent(errno)) return SKL_OK;
    return cannot(writes ? "write" : "read", path, writes ? SKL_FAILED : SKL_DATA, errno, err);
}

int skl_open(const char *path, int flags, int *fd, struct skl_err *err)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    int status = skl_open_if_there(path, flags, fd, err);
    if (status || *fd >= 0) return status;
    return cannot(writes ? "write" : "read", path, writes ? SKL_FAILED : SKL_DATA, errno, err);
}

/* The pipe that a path such as /dev/stdin or /dev/fd/63 means, a duplicate of it; -1: none. */
static int given_pipe(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    const char *number = !strcmp(path, "/dev/stdin") ? "0" : NULL;
    for (int i = 0; i < 2 && !number; i++)
        if (!strncmp(path, folders[i], strlen(folders[i]))) number = path + strlen(folders[i]);
    if (!number || !*number || number[strspn(number, "0123456789")] || strlen(number) > 6) return -1;
    struct stat st;
    int fd = (int)strtol(number, NULL, 10);
    if (fstat(fd, &st) || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))) return -1;
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
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

int skl_file_read_if_there(const char *path, size_t limit, char **data, size_t *n, struct skl_err *err)
{
    struct stat st;
    int fd = given_pipe(path), status = SKL_OK;
    *data = NULL;
    *n = 0;
    if (fd < 0) status = skl_open_if_there(path, O_RDONLY, &fd, err);
    if (status || fd < 0) return status;
    if (fstat(fd, &st))
        status = cannot("read", path, SKL_DATA, errno, err);
    else if ((uint64_t)st.st_size > limit)
        status = skl_fail(err, SKL_DATA, "cannot read '%s': it is larger than %zu bytes", path, limit);
    else
        status = read_all(fd, path, limit, (size_t)st.st_size, data, n, err);
    close(fd);
    return status;
}

int skl_file_read(const char *path, size_t limit, char **data, size_t *n, struct skl_err *err)
{
    int status = skl_file_read_if_there(path, limit, data, n, err);
    return status || *data ? status : cannot("read", path, SKL_DATA, ENOENT, err);
}

/* ---- folders ---- */

static int make_folder(const char *path, struct skl_err *err)
{
    struct skl_seen seen;
    if (!skl_look(path, &seen, NULL) && seen.kind == SKL_FOLDER) return SKL_OK;
    if (skl_place_mkdir(path)) {
        int error = errno;
        if (error == EEXIST && !skl_look(path, &seen, NULL) && seen.kind == SKL_FOLDER) return SKL_OK; /* just made */
        if (error == EEXIST) error = seen.kind == SKL_LINK ? ELOOP : ENOTDIR;
        return cannot("make folder", path, SKL_FAILED, error, err);
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

int skl_scratch_make(char **folder, struct skl_err *err)
{
    const char *base = getenv("TMPDIR");
    *folder = skl_path(base && *base ? base : "/tmp", "skiplab-XXXXXX");
    if (mkdtemp(*folder)) return SKL_OK;
    int status = cannot("make folder", *folder, SKL_FAILED, errno, err);
    free(*folder);
    *folder = NULL;
    return status;
}

void skl_folder_remove(const char *folder)
{
    char **names;
    int count;
    if (!skl_place_rmdir(folder) || skl_list(folder, &names, &count, NULL)) return;
    for (int i = 0; i < count; i++) {
        char *path = skl_path(folder, names[i]);
        if (skl_place_unlink(path)) skl_folder_remove(path);
        free(path);
    }
    skl_list_free(names, count);
    skl_place_rmdir(folder);
}

char *skl_path(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    if (length == 0) return skl_strdup(name);
    return skl_format("%s%s%s", folder, folder[length - 1] == '/' ? "" : "/", name);
}

void skl_sha256_hex(const void *data, size_t n, char hex[65]) { SHA256Data(data, n, hex); }
