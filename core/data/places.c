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

static bool holds_a_file(const struct skl_set *set, const char *folder)
{
    for (const struct skl_file *f = set->files; f->name; f++) {
        char *path = skl_path(folder, f->name);
        bool here = skl_exists(path);
        char *gz = strrchr(path, '.');
        if (!here && gz && strcmp(gz, ".gz") == 0) {
            *gz = 0;
            here = skl_exists(path);
        }
        free(path);
        if (here) return true;
    }
    return false;
}

/* The place itself or the archive's folder in it; malloc'd, NULL: not here. */
static char *look_in(const struct skl_set *set, const char *place)
{
    if (holds_a_file(set, place)) return skl_strdup(place);
    if (!set->folder) return NULL;
    char *inner = skl_path(place, set->folder);
    if (holds_a_file(set, inner)) return inner;
    free(inner);
    return NULL;
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
        *folder = look_in(set, path);
        if (*folder) return SKL_OK;
        return skl_fail(err, SKL_DATA, "data.path: %s holds no file of %s (expected %s and the others of the set)",
                        path, set->name, set->files[0].name);
    }
    char *places[SKL_PLACES];
    int n = skl_set_places(set, places);
    for (int i = 0; i < n && !*folder; i++) *folder = look_in(set, places[i]);
    int rc = *folder ? SKL_OK : absent(set, places, err);
    for (int i = 0; i < n; i++) free(places[i]);
    return rc;
}
