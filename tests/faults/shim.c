/* shim.c - preloaded into the program: one of its calls that change the file system goes wrong.
 *
 *   SKL_FAULT="KIND AT [CALLS [PATH]]"
 *     KIND   kill   the process dies just before the call, as by kill -9
 *            term   it gets a SIGTERM just before the call, which then is made
 *            stop   it stands still just before the call, until a SIGCONT; "stop+nolock" as nolock besides
 *            short  a write takes one byte only
 *            ENOSPC, EIO, EDQUOT, EINTR, ESTALE, EACCES, EROFS: the call fails with this error and does nothing
 *            clock  the wall clock is an hour ahead until it is read for the AT-th time
 *            nolock every file lock is granted, as on some network file systems; AT means nothing
 *     AT     which one, counted from 1; "7+": the 7th and all after it
 *     CALLS  those that count, as in "write,rename"; default "all": open (for writing, and of folders), write, fsync,
 *            fdatasync, rename, link, unlink, mkdir, ftruncate, close (of files open for writing: the descriptor is
 *            gone then); their forms with "at" in the name are the same.  Calls that look count where they are named:
 *            stat, view (opening a file for reading), list (the names in a folder)
 *     PATH   only calls on files whose path holds this
 *   SKL_FAULT_LOG: a file to which each fault adds the line "CALL PATH" */
#undef _FILE_OFFSET_BITS /* or open would be defined under the name open64 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define EXPORT __attribute__((visibility("default")))

enum { NO_FAULT, SHORT = -1 }; /* or an errno */

static struct {
    char kind[16], calls[64], path[256];
    int at;
    bool all_after;
} plan;
static atomic_int calls;

__attribute__((constructor)) static void read_plan(void)
{
    const char *text = getenv("SKL_FAULT");
    char at[16] = "0";
    snprintf(plan.calls, sizeof plan.calls, "all");
    if (!text || sscanf(text, "%15s %15s %63s %255s", plan.kind, at, plan.calls, plan.path) < 2) return;
    plan.at = atoi(at);
    plan.all_after = strchr(at, '+') != NULL;
}

static bool counts(const char *call, const char *path)
{
    if (plan.at == 0 || !strstr(path, plan.path)) return false;
    if (!strcmp(plan.kind, "short") && strcmp(call, "write")) return false;
    if (!strcmp(plan.calls, "all")) return strcmp(call, "stat") && strcmp(call, "view") && strcmp(call, "list");
    const char *found = strstr(plan.calls, call);
    size_t n = strlen(call);
    return found && (found == plan.calls || found[-1] == ',') && (found[n] == 0 || found[n] == ',');
}

static void note(const char *call, const char *path)
{
    const char *log = getenv("SKL_FAULT_LOG");
    char line[PATH_MAX + 32];
    int n = snprintf(line, sizeof line, "%s %s\n", call, path);
    long fd = log ? syscall(SYS_open, log, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (fd >= 0) {
        if (syscall(SYS_write, (int)fd, line, (size_t)n) < 0) _exit(97);
        syscall(SYS_close, (int)fd);
    }
}

static int fault_at(const char *call, const char *path)
{
    static const struct {
        const char *name;
        int error;
    } errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EDQUOT", EDQUOT}, {"EINTR", EINTR},
                  {"short", SHORT},   {"ESTALE", ESTALE}, {"EACCES", EACCES}, {"EROFS", EROFS}};
    if (!counts(call, path)) return NO_FAULT;
    int k = atomic_fetch_add(&calls, 1) + 1;
    if (k != plan.at && !(plan.all_after && k > plan.at)) return NO_FAULT;
    note(call, path);
    if (!strcmp(plan.kind, "kill")) kill(getpid(), SIGKILL);
    if (!strcmp(plan.kind, "term")) raise(SIGTERM);
    if (!strncmp(plan.kind, "stop", 4)) kill(getpid(), SIGSTOP);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(plan.kind, errors[i].name)) return errors[i].error;
    return NO_FAULT;
}

/* A fault on a path; -1 with errno where the call is to fail. */
static int on_path(const char *call, const char *path)
{
    int fault = fault_at(call, path);
    if (fault > 0) errno = fault;
    return fault > 0 ? -1 : fault;
}

/* The path that a name in an open folder stands for. */
static const char *full(int folder, const char *name, char path[PATH_MAX])
{
    char link[64];
    if (folder == AT_FDCWD || *name == '/') return name;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    n = n > 0 ? n : 0;
    snprintf(path + n, (size_t)(PATH_MAX - n), "/%s", name);
    return path;
}

static int on_file(const char *call, int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    int fault = fault_at(call, path);
    if (fault > 0) errno = fault;
    return fault > 0 ? -1 : fault == SHORT ? 1 : 0;
}

EXPORT ssize_t write(int fd, const void *data, size_t n)
{
    int fault = fd > 2 ? on_file("write", fd) : 0;
    if (fault < 0) return -1;
    return (NEXT(write))(fd, data, fault && n > 1 ? 1 : n);
}

EXPORT int fsync(int fd) { return on_file("fsync", fd) ? -1 : (NEXT(fsync))(fd); }
EXPORT int fdatasync(int fd) { return on_file("fdatasync", fd) ? -1 : (NEXT(fdatasync))(fd); }
EXPORT int ftruncate(int fd, off_t length) { return on_file("ftruncate", fd) ? -1 : (NEXT(ftruncate))(fd, length); }
EXPORT int ftruncate64(int fd, off64_t length)
{
    return on_file("ftruncate", fd) ? -1 : (NEXT(ftruncate64))(fd, length);
}
EXPORT int rename(const char *from, const char *to) { return on_path("rename", from) ? -1 : (NEXT(rename))(from, to); }
EXPORT int unlink(const char *path) { return on_path("unlink", path) ? -1 : (NEXT(unlink))(path); }
EXPORT int mkdir(const char *path, mode_t mode) { return on_path("mkdir", path) ? -1 : (NEXT(mkdir))(path, mode); }

EXPORT int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    char path[PATH_MAX];
    return on_path("rename", full(from_folder, from, path)) ? -1 : (NEXT(renameat))(from_folder, from, to_folder, to);
}

EXPORT int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    char path[PATH_MAX];
    return on_path("link", full(to_folder, to, path)) ? -1 : (NEXT(linkat))(from_folder, from, to_folder, to, flags);
}

EXPORT int unlinkat(int folder, const char *name, int flags)
{
    char path[PATH_MAX];
    return on_path("unlink", full(folder, name, path)) ? -1 : (NEXT(unlinkat))(folder, name, flags);
}

EXPORT int mkdirat(int folder, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    return on_path("mkdir", full(folder, name, path)) ? -1 : (NEXT(mkdirat))(folder, name, mode);
}

EXPORT int close(int fd)
{
    int flags = (NEXT(fcntl))(fd, F_GETFL);
    int fault = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY ? on_file("close", fd) : 0, error = errno;
    int status = (NEXT(close))(fd);
    if (fault == 0) return status;
    errno = error;
    return -1;
}

/* Locks that all processes get at once. */
static bool lock_granted(int command, void *argument)
{
    if (!strstr(plan.kind, "nolock") || (command != F_OFD_SETLK && command != F_OFD_GETLK)) return false;
    if (command == F_OFD_GETLK) ((struct flock *)argument)->l_type = F_UNLCK;
    return true;
}

EXPORT int fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    return lock_granted(command, argument) ? 0 : (NEXT(fcntl))(fd, command, argument);
}

EXPORT int fcntl64(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    return lock_granted(command, argument) ? 0 : (NEXT(fcntl))(fd, command, argument);
}

/* ---- the wall clock ---- */

enum { HOUR = 3600 };

static time_t ahead(void)
{
    static atomic_int readings;
    return !strcmp(plan.kind, "clock") && atomic_fetch_add(&readings, 1) + 1 < plan.at ? HOUR : 0;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *t)
{
    int status = (NEXT(clock_gettime))(clock, t);
    if (!status && clock == CLOCK_REALTIME) t->tv_sec += ahead();
    return status;
}

EXPORT time_t time(time_t *t)
{
    time_t now = (NEXT(time))(NULL) + ahead();
    if (t) *t = now;
    return now;
}

/* ---- looking ---- */

EXPORT int stat(const char *path, struct stat *st) { return on_path("stat", path) ? -1 : (NEXT(stat))(path, st); }
EXPORT int stat64(const char *path, struct stat64 *st) { return on_path("stat", path) ? -1 : (NEXT(stat64))(path, st); }
EXPORT int fstat(int fd, struct stat *st) { return on_file("stat", fd) ? -1 : (NEXT(fstat))(fd, st); }
EXPORT int fstat64(int fd, struct stat64 *st) { return on_file("stat", fd) ? -1 : (NEXT(fstat64))(fd, st); }

EXPORT int fstatat(int folder, const char *name, struct stat *st, int flags)
{
    char path[PATH_MAX];
    return on_path("stat", full(folder, name, path)) ? -1 : (NEXT(fstatat))(folder, name, st, flags);
}

EXPORT int fstatat64(int folder, const char *name, struct stat64 *st, int flags)
{
    char path[PATH_MAX];
    return on_path("stat", full(folder, name, path)) ? -1 : (NEXT(fstatat64))(folder, name, st, flags);
}

EXPORT struct dirent *readdir(DIR *d) { return on_file("list", dirfd(d)) ? NULL : (NEXT(readdir))(d); }
EXPORT struct dirent64 *readdir64(DIR *d) { return on_file("list", dirfd(d)) ? NULL : (NEXT(readdir64))(d); }

/* ---- opening ---- */

static bool fails_to_open(const char *path, int flags)
{
    bool changes = !(flags & O_PATH) && ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_DIRECTORY));
    return on_path(changes ? "open" : "view", path);
}

static int mode_of(int flags, va_list args) { return flags & O_CREAT ? va_arg(args, int) : 0; }

EXPORT int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = mode_of(flags, args);
    va_end(args);
    return fails_to_open(path, flags) ? -1 : (NEXT(open))(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = mode_of(flags, args);
    va_end(args);
    return fails_to_open(path, flags) ? -1 : (NEXT(open64))(path, flags, mode);
}

EXPORT int openat(int folder, const char *name, int flags, ...)
{
    char path[PATH_MAX];
    va_list args;
    va_start(args, flags);
    int mode = mode_of(flags, args);
    va_end(args);
    return fails_to_open(full(folder, name, path), flags) ? -1 : (NEXT(openat))(folder, name, flags, mode);
}

EXPORT int openat64(int folder, const char *name, int flags, ...)
{
    char path[PATH_MAX];
    va_list args;
    va_start(args, flags);
    int mode = mode_of(flags, args);
    va_end(args);
    return fails_to_open(full(folder, name, path), flags) ? -1 : (NEXT(openat64))(folder, name, flags, mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
    return mode[0] != 'r' && on_path("open", path) ? NULL : (NEXT(fopen64))(path, mode);
}
