#include "core/train/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/place.h"

static struct flock whole_file(short type) { return (struct flock){.l_type = type, .l_whence = SEEK_SET}; }

static int busy(int fd, const char *folder, struct skl_err *err)
{
    char owner[128];
    ssize_t n = pread(fd, owner, sizeof owner - 1, 0);
    owner[n > 0 ? n : 0] = 0;
    return skl_fail(err, SKL_BUSY, "'%s' is in use by another process (%s): wait for it or stop it", folder,
                    owner[0] ? owner : "unknown");
}

/* The owner removes the file when it is done: a lock on a file that no longer has its name is worth nothing. */
static bool still_named(int fd, const char *path)
{
    struct stat a;
    struct skl_seen b;
    return !fstat(fd, &a) && !skl_look(path, &b, NULL) && a.st_dev == b.device && a.st_ino == b.inode;
}

static void sign(int fd)
{
    char host[64] = "", text[128];
    gethostname(host, sizeof host - 1);
    int n = snprintf(text, sizeof text, "process %ld on %s", (long)getpid(), host);
    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n)
        return; /* only a courtesy to the reader of the message */
}

int skl_lock_take(struct skl_lock *lock, const char *folder, struct skl_err *err)
{
    char *path = skl_path(folder, "lock");
    int status = SKL_OK, fd;
    for (;;) {
        status = skl_open(path, O_RDWR | O_CREAT, &fd, err);
        if (status) break;
        struct flock want = whole_file(F_WRLCK);
        if (fcntl(fd, F_OFD_SETLK, &want)) {
            status = errno == EAGAIN || errno == EACCES
                         ? busy(fd, folder, err)
                         : skl_fail(err, SKL_FAILED, "cannot lock '%s': %s", path, strerror(errno));
            close(fd);
            break;
        }
        if (still_named(fd, path)) break;
        close(fd);
    }
    if (status) {
        free(path);
        return status;
    }
    sign(fd);
    *lock = (struct skl_lock){.fd = fd, .path = path};
    return SKL_OK;
}

void skl_lock_release(struct skl_lock *lock)
{
    skl_place_unlink(lock->path);
    close(lock->fd);
    free(lock->path);
    *lock = (struct skl_lock){.fd = -1};
}

int skl_lock_held(const char *folder, bool *held, struct skl_err *err)
{
    char *path = skl_path(folder, "lock");
    int fd, status = skl_open_if_there(path, O_RDONLY, &fd, err);
    struct flock query = whole_file(F_WRLCK);
    *held = fd >= 0 && !fcntl(fd, F_OFD_GETLK, &query) && query.l_type != F_UNLCK;
    if (fd >= 0) close(fd);
    free(path);
    return status;
}
