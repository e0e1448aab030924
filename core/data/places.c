#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/base/fs.h"
#include "core/data/sets.h"

char *skl_set_home(const struct skl_set *set, struct skl_err *err)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && data[0] == '/') return skl_format("%s/skiplab/%s", data, set->name);
    if (home && home[0] == '/') return skl_format("%s/.local/share/skiplab/%s", home, set->name);
    skl_fail(err, SKL_USAGE,
             "neither XDG_DATA_HOME nor HOME is an absolute path; set XDG_DATA_HOME to say where data sets go");
    return NULL;
}

int skl_set_places(const struct skl_set *set, char *places[SKL_PLACES])
{
    int n = 0;
    places[n++] = skl_format("/usr/share/datasets/%s", set->name);
    char *home = skl_set_home(set, NULL);
    if (home) places[n++] = home;
    places[n] = NULL;
    return n;
}

char *skl_set_get_command(const struct skl_set *set)
{
    if (set->package) return skl_format("`apt install %s` or `skiplab data fetch %s`", set->package, set->name);
    return skl_format("`skiplab data fetch %s`", set->name);
}

/* *here: one of the set's files is, packed or not. */
static int holds_a_file(const struct skl_set *set, const char *folder, bool *here, struct skl_err *err)
{
    int status = SKL_OK;
    *here = false;
    for (const struct skl_file *f = set->files; f->name && !*here && !status; f++) {
        char *path = skl_path(folder, f->name);
        status = skl_is_there(path, here, err);
        char *gz = strrchr(path, '.');
        if (!status && !*here && gz && strcmp(gz, ".gz") == 0) {
            *gz = 0;
            status = skl_is_there(path, here, err);
        }
        free(path);
    }
    return status;
}

/* The place itself or the archive's folder in it; malloc'd, NULL: not here. */
static int look_in(const struct skl_set *set, const char *place, char **folder, struct skl_err *err)
{
    char *inner = set->folder ? skl_path(place, set->folder) : NULL;
    bool here;
    int status = holds_a_file(set, place, &here, err);
    if (!status && here) {
        *folder = skl_strdup(place);
    } else if (!status && inner) {
        status = holds_a_file(set, inner, &here, err);
        if (!status && here) *folder = skl_strdup(inner);
    }
    free(inner);
    return status;
}

static int absent(const struct skl_set *set, char *const *places, struct skl_err *err)
{
    char list[640] = "";
    size_t used = 0;
    for (int i = 0; places[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", places[i]);
    char *get = skl_set_get_command(set);
    int rc = skl_fail(err, SKL_DATA, "%s is not here: looked in %s; get it with %s, or give data.path", set->name, list,
                      get);
    free(get);
    return rc;
}

int skl_set_locate(const struct skl_set *set, const char *path, char **folder, bool *published, struct skl_err *err)
{
    *folder = NULL;
    *published = path == NULL;
    if (path) {
        int status = look_in(set, path, folder, err);
        if (status || *folder) return status;
        return skl_fail(err, SKL_DATA, "data.path: %s holds no file of %s (expected %s and the others of the set)",
                        path, set->name, set->files[0].name);
    }
    char *places[SKL_PLACES];
    int n = skl_set_places(set, places), rc = SKL_OK;
    for (int i = 0; i < n && !*folder && !rc; i++) rc = look_in(set, places[i], folder, err);
    if (!rc && !*folder) rc = absent(set, places, err);
    for (int i = 0; i < n; i++) free(places[i]);
    return rc;
}
