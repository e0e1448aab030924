#include <errno.h>
#include <inttypes.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/base/fs.h"
#include "core/base/place.h"
#include "core/base/program.h"
#include "core/base/say.h"
#include "core/data/sets.h"

/* Size and SHA-256. */
static int check_file(const struct skl_file *file, const char *path, struct skl_err *err)
{
    int64_t bytes;
    int fd = skl_open_regular(path, &bytes, err);
    if (fd < 0) return SKL_DATA;
    close(fd);
    if (bytes != file->bytes)
        return skl_fail(err, SKL_DATA, "%s: expected %" PRId64 " bytes (%s as published), found %" PRId64, path,
                        file->bytes, file->name, bytes);
    char hex[65];
    if (!SHA256_File(path, hex)) return skl_fail(err, SKL_DATA, "%s: cannot read: %s", path, strerror(errno));
    if (strcmp(hex, file->sha256) != 0)
        return skl_fail(err, SKL_DATA, "%s: expected SHA-256 %s (%s as published), found %s", path, file->sha256,
                        file->name, hex);
    return SKL_OK;
}

/* In the child: one byte more than the file has at most, no configuration of the user's, no protocol but https. */
_Noreturn static void become_curl(const char *curl, const struct skl_file *file, const char *path)
{
    const struct rlimit limit = {(rlim_t)file->bytes + 1, (rlim_t)file->bytes + 1};
    setrlimit(RLIMIT_FSIZE, &limit);
    char most[24];
    snprintf(most, sizeof most, "%" PRId64, file->bytes);
    execl(curl, "curl", "-q", "--proto", "=https", "--proto-redir", "=https", "--location", "--fail", "--show-error",
          isatty(STDERR_FILENO) ? "--progress-bar" : "--silent", "--connect-timeout", "30", "--retry", "3",
          "--max-filesize", most, "--output", path, "--url", file->url, (char *)NULL);
    skl_leave(127);
}

static int download(const struct skl_file *file, const char *path, struct skl_err *err)
{
    char *curl = skl_program("curl");
    if (!curl)
        return skl_fail(err, SKL_FAILED,
                        "curl is needed for downloads: `apt install curl`, or get %s yourself and use --from",
                        file->url);
    skl_say("skiplab: downloading %s (%.1f MB)\n", file->url, (double)file->bytes / 1e6);
    pid_t child = fork();
    if (child == 0) become_curl(curl, file, path);
    int status, error = errno;
    free(curl);
    if (child < 0) return skl_fail(err, SKL_FAILED, "cannot start curl: %s", strerror(error));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return skl_fail(err, SKL_FAILED, "waiting for curl: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return SKL_OK;
    return skl_fail(err, SKL_DATA, "%s: download failed (curl: %s %d); try again, or get it yourself and use --from",
                    file->url, WIFEXITED(status) ? "exit status" : "signal",
                    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static int copy(const char *from, const char *to, struct skl_err *err)
{
    char *data;
    size_t n;
    int status = skl_file_read(from, 64 << 20, &data, &n, err);
    if (status) return status;
    status = skl_file_write(to, data, n, err);
    free(data);
    return status;
}

static int get_archive(const struct skl_set *set, const char *from, const char *folder, struct skl_err *err)
{
    char *path = from ? skl_strdup(from) : skl_path(folder, set->archive->name);
    int status = from ? SKL_OK : download(set->archive, path, err);
    if (status == SKL_OK) status = check_file(set->archive, path, err);
    if (status == SKL_OK) status = skl_untar(set, path, folder, err);
    if (!from) skl_remove(path, NULL);
    free(path);
    return status;
}

static int get_files(const struct skl_set *set, const char *from, const char *folder, struct skl_err *err)
{
    int status = SKL_OK;
    for (const struct skl_file *f = set->files; f->name && status == SKL_OK; f++) {
        char *path = skl_path(folder, f->name), *source = from ? skl_path(from, f->name) : NULL;
        if (source) status = check_file(f, source, err);
        if (status == SKL_OK) status = source ? copy(source, path, err) : download(f, path, err);
        if (status == SKL_OK) status = check_file(f, path, err);
        free(path);
        free(source);
    }
    return status;
}

/* Removes the files that a fetch has left in its temporary folder. */
static void clear(const char *folder)
{
    char **names;
    int count;
    if (skl_list(folder, &names, &count, NULL)) return;
    for (int i = 0; i < count; i++) {
        char *path = skl_path(folder, names[i]);
        skl_remove(path, NULL);
        free(path);
    }
    skl_list_free(names, count);
}

/* An empty folder beside home, locked as long as the returned descriptor is open; -1: error. */
static int lock_part(const struct skl_set *set, const char *part, struct skl_err *err)
{
    if (skl_mkdirs(part, err)) return -1;
    int fd = skl_place_open_folder(part);
    if (fd < 0) return skl_fail(err, SKL_FAILED, "%s: cannot open: %s", part, strerror(errno)), -1;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        skl_fail(err, SKL_BUSY, "%s: another process is fetching %s", part, set->name);
        close(fd);
        return -1;
    }
    clear(part);
    return fd;
}

static int move_home(const char *part, const char *home, struct skl_err *err)
{
    if (skl_place_rename(part, home))
        return skl_fail(err, SKL_FAILED, "%s: cannot rename to %s: %s", part, home, strerror(errno));
    char *parent = skl_strdup(home);
    *strrchr(parent, '/') = 0;
    int status = skl_fsync_dir(parent, err);
    free(parent);
    return status;
}

int skl_fetch(const struct skl_set *set, const char *from, char **folder, struct skl_err *err)
{
    SKL_CHECK(err);
    *folder = NULL;
    if (set->pictures)
        return skl_fail(err, SKL_USAGE, "%s is what data.path says, pictures of your own: there is nothing to fetch",
                        set->name);
    if (!set->files[0].name) return skl_fail(err, SKL_USAGE, "%s is computed: there is nothing to fetch", set->name);
    char *home = skl_set_home(set, err);
    if (!home) return err->status;
    char *part = skl_format("%s.part", home);
    bool there = false;
    int status = skl_is_there(home, &there, err), lock = -1;
    if (there) {
        status = skl_fail(err, SKL_FAILED, "%s is there already; remove it to fetch %s again", home, set->name);
    } else if (!status) {
        lock = lock_part(set, part, err);
        status = lock < 0       ? err->status
                 : set->archive ? get_archive(set, from, part, err)
                                : get_files(set, from, part, err);
        if (status == SKL_OK) status = skl_fsync_dir(part, err);
        if (status == SKL_OK) status = move_home(part, home, err);
    }
    if (status != SKL_OK && lock >= 0) {
        clear(part);
        skl_place_rmdir(part);
    }
    if (lock >= 0) close(lock);
    if (status == SKL_OK)
        *folder = home;
    else
        free(home);
    free(part);
    return status;
}
