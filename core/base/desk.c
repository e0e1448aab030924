#include "core/base/desk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/place.h"

#define STEP ((size_t)64 << 10)

/* desk: AT_FDCWD: none. */
static int copy(int desk, const char *path, const char *to, struct skl_err *err)
{
    struct skl_atomic f;
    int in, status = skl_open(path, O_RDONLY, &in, err);
    if (status) return status;
    status = desk == AT_FDCWD ? skl_atomic_open(&f, to, err) : skl_atomic_open_at(&f, desk, to, err);
    bool open = !status;
    char *step = skl_alloc(STEP);
    for (ssize_t n = 1; n > 0 && !status;) {
        n = read(in, step, STEP);
        if (n < 0) status = skl_cannot_at(AT_FDCWD, "read", path, errno, err);
        if (n > 0) status = skl_atomic_write(&f, step, (size_t)n, err);
    }
    free(step);
    close(in);
    if (!status) return skl_atomic_commit(&f, err);
    if (open) skl_atomic_abort(&f);
    return status;
}

int skl_file_own(const char *path, struct skl_err *err)
{
    struct skl_seen seen;
    int status = skl_look(path, &seen, err);
    return !status && seen.kind == SKL_FILE && seen.links > 1 ? copy(AT_FDCWD, path, path, err) : status;
}

static bool is_absent(const char *path, int error)
{
    struct skl_seen seen;
    return skl_is_absent(error) && !skl_look(path, &seen, NULL) && seen.kind == SKL_ABSENT;
}

static bool has_no_links(int error)
{
    return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EMLINK || error == EXDEV;
}

int skl_desk_double(int desk, const char *path, const char *to, struct skl_err *err)
{
    static const char name[] = "double";
    unlinkat(desk, name, 0); /* of an attempt that failed */
    if (skl_place_link_into(path, desk, name)) {
        int error = errno;
        if (is_absent(path, error)) return SKL_OK;
        return has_no_links(error) ? copy(desk, path, to, err) : skl_cannot_at(desk, "write", to, error, err);
    }
    int status = skl_place_rename_from(desk, name, to) ? skl_cannot_at(desk, "write", to, errno, err) : SKL_OK;
    unlinkat(desk, name, 0); /* stays where both names were one file already */
    return status;
}

int skl_desk_remove(int desk, const char *path, struct skl_err *err)
{
    static const char name[] = "removed";
    struct skl_seen seen;
    int status = skl_look(path, &seen, err);
    if (status || seen.kind == SKL_ABSENT) return status;
    if (seen.kind == SKL_FOLDER) return skl_cannot_at(AT_FDCWD, "remove", path, EISDIR, err);
    if (skl_place_rename_into(path, desk, name))
        return is_absent(path, errno) ? SKL_OK : skl_cannot_at(desk, "remove", path, errno, err);
    return unlinkat(desk, name, 0) && errno != ENOENT ? skl_cannot_at(desk, "remove", path, errno, err) : SKL_OK;
}
