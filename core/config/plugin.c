#include "core/config/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/footprint.h"
#include "core/base/fs.h"
#include "core/base/bounds.h"
#include "core/base/trial.h"
#include "core/config/tryout.h"
#include "core/variant/descriptor.h"

#define TEXT(word) TEXT_(word)
#define TEXT_(word) #word

static int check_path(const char *path, struct skl_err *err)
{
    const bool relative = strncmp(path, "./", 2) == 0 || strncmp(path, "../", 3) == 0;
    if (path[0] == '/' || relative) return SKL_OK;
    return skl_fail(
        err, SKL_USAGE,
        "plug-in '%s': write its path, like ./%s (a shared object with the function " TEXT(SKL_SHORTCUT_ENTRY) ")",
        path, path);
}

static int check_file(const char *path, struct skl_err *err)
{
    struct stat st;
    if (stat(path, &st)) return skl_fail(err, SKL_USAGE, "cannot load the plug-in '%s': %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return skl_fail(err, SKL_USAGE, "plug-in '%s' is not a file", path);
    if (st.st_mode & S_IWOTH)
        return skl_fail(err, SKL_USAGE, "plug-in '%s' can be changed by everybody: chmod o-w it", path);
    return SKL_OK;
}

/* Sealed: from here on not even this process can change the bytes. */
static int seal(struct skl_plugin_copy *copy, const char *data, size_t n)
{
    int error = skl_write_all(copy->fd, data, n);
    if (error) {
        errno = error;
        return -1;
    }
    return fcntl(copy->fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

int skl_plugin_copy(const char *path, struct skl_plugin_copy *copy, struct skl_err *err)
{
    struct skl_err own;
    if (!err) err = &own;
    char *data;
    size_t n;
    *copy = (struct skl_plugin_copy){.fd = -1};
    int status = check_path(path, err);
    if (!status) status = check_file(path, err);
    if (status) return status;
    if (skl_file_read(path, SKL_LIMIT_PLUGIN, &data, &n, err)) return err->status = SKL_USAGE;
    skl_sha256_hex(data, n, copy->sha256);
    copy->fd = memfd_create("skiplab-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy->fd < 0 || seal(copy, data, n)) {
        status = skl_fail(err, SKL_FAILED, "cannot copy the plug-in '%s': %s", path, strerror(errno));
        skl_plugin_drop(copy);
    }
    free(data);
    return status;
}

void skl_plugin_drop(struct skl_plugin_copy *copy)
{
    if (copy->fd >= 0) close(copy->fd);
    copy->fd = -1;
}

static void *open_copy(const struct skl_plugin_copy *copy)
{
    char place[32];
    snprintf(place, sizeof place, "/proc/self/fd/%d", copy->fd);
    return dlopen(place, RTLD_NOW | RTLD_LOCAL);
}

static int handshake(const char *path, void *library, const struct skl_shortcut **shortcut, struct skl_err *err)
{
    const struct skl_shortcut *(*entry)(void);
    *(void **)&entry = dlsym(library, TEXT(SKL_SHORTCUT_ENTRY));
    const struct skl_shortcut *s = entry ? entry() : NULL;
    if (!s)
        return skl_fail(err, SKL_USAGE, "'%s' is no shortcut plug-in: it has no function " TEXT(SKL_SHORTCUT_ENTRY),
                        path);
    if (s->abi != SKL_SHORTCUT_ABI || s->size != sizeof *s)
        return skl_fail(err, SKL_USAGE,
                        "plug-in '%s' was built for interface %u (%u bytes), skiplab has %d (%zu bytes): rebuild it",
                        path, s->abi, s->size, SKL_SHORTCUT_ABI, sizeof *s);
    *shortcut = s;
    return SKL_OK;
}

struct first_look {
    const struct skl_plugin_copy *copy;
    const char *path;
    struct skl_tryout *found;
};

/* In a child: loads, looks, asks and unloads, in silence. */
static void look(void *arg)
{
    const struct first_look *l = arg;
    const struct skl_shortcut *shortcut = NULL;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) dup2(null, STDERR_FILENO); /* the loader's last words are no message of ours */
    struct skl_footprint *before = skl_footprint_take();
    l->found->doing = "loading it";
    void *library = open_copy(l->copy);
    if (library && !handshake(l->path, library, &shortcut, NULL) && !skl_shortcut_unsound(shortcut)) {
        _Alignas(16) char opts[SKL_OPTS_MAX];
        skl_shortcut_defaults(shortcut, opts);
        skl_tryout_functions(l->found, shortcut, opts);
    }
    l->found->doing = "unloading it";
    if (library) dlclose(library); /* it runs code too, as the end of the program would */
    const char *changed = skl_footprint_changed(before);
    snprintf(l->found->changed, sizeof l->found->changed, "%s", changed ? changed : "");
}

/* A file that was cut off or damaged can kill the process that loads it, and its code do anything: a child is first. */
static int try_in_child(const struct skl_plugin_copy *copy, const char *path, struct skl_err *err)
{
    char words[160];
    struct skl_tryout *found = skl_shared(sizeof *found);
    if (!found) return skl_fail(err, SKL_FAILED, "cannot try the plug-in '%s': %s", path, strerror(errno));
    struct first_look l = {copy, path, found};
    const struct skl_trial trial = skl_trial(look, &l, SKL_TRYOUT_SECONDS);
    int status = SKL_OK;
    skl_trial_words(&trial, SKL_TRYOUT_SECONDS, words, sizeof words);
    if (trial.error)
        status = skl_fail(err, SKL_FAILED, "plug-in '%s' %s", path, words);
    else if (!trial.returned)
        status = skl_fail(err, SKL_USAGE, "plug-in '%s': %s %s", path, found->doing ? found->doing : "it", words);
    else if (found->changed[0])
        status =
            skl_fail(err, SKL_USAGE, "plug-in '%s' leaves the process that loads it changed: %s", path, found->changed);
    skl_shared_free(found, sizeof *found);
    return status;
}

/* What the loader says without the name it was given: that means nothing to anybody. */
static int no_library(const char *path, struct skl_err *err)
{
    const char *said = dlerror(), *colon = said ? strstr(said, ": ") : NULL;
    if (colon && !strncmp(said, "/proc/self/fd/", 14)) said = colon + 2;
    return skl_fail(err, SKL_USAGE, "cannot load the plug-in '%s': %s", path, said ? said : "no reason given");
}

/* A loaded copy stays open: the loader knows a library by its name, and another file may not get this one's. */
int skl_plugin_load(struct skl_plugin_copy *copy, const char *path, const struct skl_shortcut **shortcut,
                    struct skl_err *err)
{
    int status = try_in_child(copy, path, err);
    void *library = status ? NULL : open_copy(copy);
    if (!status) status = library ? handshake(path, library, shortcut, err) : no_library(path, err);
    if (status && library) dlclose(library);
    if (status) skl_plugin_drop(copy);
    return status;
}
