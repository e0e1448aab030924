#include "core/config/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fs.h"

#define TEXT(word) TEXT_(word)
#define TEXT_(word) #word
#define PLUGIN_MAX ((size_t)64 << 20)

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

static int digest(const char *path, char sha256[65], struct skl_err *err)
{
    char *data;
    size_t n;
    if (skl_file_read(path, PLUGIN_MAX, &data, &n, err)) return err->status = SKL_USAGE;
    skl_sha256_hex(data, n, sha256);
    free(data);
    return SKL_OK;
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

int skl_plugin_open(const char *path, const struct skl_shortcut **shortcut, char sha256[65], struct skl_err *err)
{
    struct skl_err own;
    if (!err) err = &own;
    int status = check_path(path, err);
    if (!status) status = check_file(path, err);
    if (!status) status = digest(path, sha256, err);
    if (status) return status;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return skl_fail(err, SKL_USAGE, "cannot load the plug-in: %s", dlerror());
    status = handshake(path, library, shortcut, err);
    if (status) dlclose(library);
    return status;
}
