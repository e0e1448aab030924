#include "core/base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/base/grow.h"

/* ---- roots ---- */

static char **roots;
static int root_count;

/* What follows the root in a path, without the slashes between; NULL: the path is not below it. */
static const char *after(const char *root, const char *path)
{
    size_t n = strlen(root);
    if (strncmp(path, root, n) || path[n] != '/') return NULL;
    path += n + strspn(path + n, "/");
    return *path ? path : NULL;
}

void skl_root_add(const char *folder)
{
    char *root = skl_strdup(folder);
    for (size_t n = strlen(root); n > 0 && root[n - 1] == '/';) root[--n] = 0; /* "/" becomes "" */
    *SKL_ADD(roots, root_count) = root;
}

/* ---- walking ---- */

struct place {
    int folder;       /* descriptor of the folder that the name stands in, or AT_FDCWD; -1: errno is set */
    const char *name; /* the last part of the path, or all of it */
    int flags;        /* for the *at calls and open: below a root the name itself may be a link that is not followed */
    char *text;
};

static int open_step(int folder, const char *name)
{
    if (!strcmp(name, "..")) {
        errno = ELOOP;
        return -1;
    }
    int fd = openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && errno == ENOTDIR && !fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW)) /* a link says so too */
        errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
    return fd;
}

/* The outermost root that the path is below; NULL: none. */
static const char *root_of(const char *path)
{
    const char *root = NULL;
    for (int i = 0; i < root_count; i++)
        if (after(roots[i], path) && (!root || strlen(roots[i]) < strlen(root))) root = roots[i];
    return root;
}

/* Below a root: opens the folders down to the last name. */
static struct place find_place(const char *path)
{
    struct place p = {.folder = AT_FDCWD, .name = path};
    const char *root = root_of(path), *rest = NULL;
    if (!root) return p;
    rest = after(root, path);
    p.flags = O_NOFOLLOW;
    p.folder = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    p.text = skl_strdup(rest);
    char *name = p.text;
    for (char *slash; p.folder >= 0 && (slash = strchr(name, '/')); name = slash + 1 + strspn(slash + 1, "/")) {
        *slash = 0;
        int inner = open_step(p.folder, name), error = errno;
        close(p.folder);
        errno = error;
        p.folder = inner;
    }
    p.name = *name ? name : ".";
    if (p.folder >= 0 && !strcmp(p.name, "..")) {
        close(p.folder);
        p.folder = -1;
        errno = ELOOP;
    }
    return p;
}

/* Gives the place back and hands on a call's result with its errno. */
static int leave(struct place *p, int result)
{
    int error = errno;
    if (p->folder >= 0) close(p->folder);
    free(p->text);
    errno = error;
    return result;
}

static int stat_in(const struct place *p, struct stat *st)
{
    return fstatat(p->folder, p->name, st, p->flags ? AT_SYMLINK_NOFOLLOW : 0);
}

/* ---- calls ---- */

/* 0: a regular file; else why it is none. */
static int unfit(const struct stat *st)
{
    if (S_ISREG(st->st_mode)) return 0;
    return S_ISDIR(st->st_mode) ? EISDIR : S_ISLNK(st->st_mode) ? ELOOP : ENXIO;
}

static int open_regular(const struct place *p, int flags)
{
    struct stat st;
    /* Looked at first: to open a device, or a FIFO that another waits at, has effects. */
    if (!stat_in(p, &st) && unfit(&st)) {
        errno = unfit(&st);
        return -1;
    }
    int fd = openat(p->folder, p->name, flags | p->flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
    if (fd < 0) return -1;
    int error = fstat(fd, &st) ? errno : unfit(&st);
    if (!error && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK)) error = errno;
    if (!error) return fd;
    close(fd);
    errno = error;
    return -1;
}

int skl_place_open(const char *path, int flags)
{
    SKL_CHECK(!(flags & O_TRUNC)); /* it would come before the look */
    struct place p = find_place(path);
    return leave(&p, p.folder == -1 ? -1 : open_regular(&p, flags));
}

int skl_place_open_folder(const char *path)
{
    struct place p = find_place(path);
    if (p.folder == -1) return leave(&p, -1);
    int fd = openat(p.folder, p.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | p.flags);
    struct stat st;
    if (fd < 0 && errno == ENOTDIR && !stat_in(&p, &st) && S_ISLNK(st.st_mode)) errno = ELOOP;
    return leave(&p, fd);
}

int skl_place_stat(const char *path, struct stat *st)
{
    struct place p = find_place(path);
    return leave(&p, p.folder == -1 ? -1 : stat_in(&p, st));
}

DIR *skl_place_list(const char *path)
{
    int fd = skl_place_open_folder(path);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !d) close(fd);
    return d;
}

int skl_place_stat_in(DIR *open, const char *path, const char *name, struct stat *st)
{
    return fstatat(dirfd(open), name, st, root_of(path) ? AT_SYMLINK_NOFOLLOW : 0);
}

int skl_place_mkdir(const char *path)
{
    struct place p = find_place(path);
    return leave(&p, p.folder == -1 ? -1 : mkdirat(p.folder, p.name, 0777));
}

int skl_place_unlink(const char *path)
{
    struct place p = find_place(path);
    return leave(&p, p.folder == -1 ? -1 : unlinkat(p.folder, p.name, 0));
}

int skl_place_rmdir(const char *path)
{
    struct place p = find_place(path);
    return leave(&p, p.folder == -1 ? -1 : unlinkat(p.folder, p.name, AT_REMOVEDIR));
}

int skl_place_rename(const char *from, const char *to)
{
    struct place a = find_place(from), b = find_place(to);
    int result = a.folder == -1 || b.folder == -1 ? -1 : renameat(a.folder, a.name, b.folder, b.name);
    return leave(&a, leave(&b, result));
}

int skl_place_rename_from(int folder, const char *name, const char *to)
{
    struct place p = find_place(to);
    return leave(&p, p.folder == -1 ? -1 : renameat(folder, name, p.folder, p.name));
}

int skl_place_rename_into(const char *from, int folder, const char *name)
{
    struct place p = find_place(from);
    return leave(&p, p.folder == -1 ? -1 : renameat(p.folder, p.name, folder, name));
}

int skl_place_link_into(const char *path, int folder, const char *name)
{
    struct place p = find_place(path);
    return leave(&p, p.folder == -1 ? -1 : linkat(p.folder, p.name, folder, name, 0));
}

/* ---- answers ---- */

bool skl_is_absent(int error) { return error == ENOENT || error == ENOTDIR; }

const char *skl_place_error(int error)
{
    if (error == EISDIR) return "it is a folder, not a file";
    if (error == ENXIO) return "it is not a regular file";
    if (error == ELOOP) return "a link on the way: inside results none is followed";
    return strerror(error);
}
