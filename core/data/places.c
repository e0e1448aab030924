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

/* ---- what lies in a folder ---- */

static int holds_a_file(const struct skl_set *set, const char *folder, bool *holds, struct skl_err *err)
{
    int status = SKL_OK;
    *holds = false;
    for (const struct skl_file *f = set->files; f->name && !*holds && !status; f++) {
        char *path;
        status = skl_set_file(folder, f->name, &path, err);
        *holds = path != NULL;
        free(path);
    }
    return status;
}

/* The place itself, the archive's folder in it, or torchvision's; *found is malloc'd, NULL: not here. */
static int look_in(const struct skl_set *set, const char *place, char **found, struct skl_err *err)
{
    const char *inner[] = {".", set->folder, set->torchvision, set->torchvision ? "raw" : NULL};
    int status = SKL_OK;
    *found = NULL;
    for (int i = 0; i < 4 && !*found && !status; i++) {
        if (!inner[i]) continue;
        char *folder = i ? skl_path(place, inner[i]) : skl_strdup(place);
        bool holds;
        status = holds_a_file(set, folder, &holds, err);
        if (holds)
            *found = folder;
        else
            free(folder);
    }
    return status;
}

/* ---- what to say where nothing is ---- */

static bool holds(const char *folder, const char *name)
{
    char *path = skl_path(folder, name);
    bool there = false;
    int status = skl_is_there(path, &there, NULL); /* for a hint: what cannot be told is no hint */
    free(path);
    return status == SKL_OK && there;
}

/* What lies there in the set's place; malloc'd, NULL: nothing that is known. */
static char *near_miss(const struct skl_set *set, const char *path)
{
    if (set->python && (holds(path, set->python) || holds(path, set->python_file) || holds(path, set->python_archive)))
        return skl_format("this is the Python version of %s, the binary one is wanted: `skiplab data fetch %s`",
                          set->title, set->name);
    if (set->archive && holds(path, set->archive->name))
        return skl_format("the archive lies there as it came: `skiplab data fetch %s --from %s/%s`", set->name, path,
                          set->archive->name);
    for (int i = 0; skl_set_get(i); i++) {
        const struct skl_set *other = skl_set_get(i);
        char *found = NULL;
        if (other == set || !other->read || !other->files[0].name) continue;
        if (look_in(other, path, &found, NULL) == SKL_OK && found) {
            free(found);
            return skl_format("files of %s lie there", other->name);
        }
    }
    return NULL;
}

static int not_in_path(const struct skl_set *set, const char *path, struct skl_err *err)
{
    struct skl_seen seen;
    int status = skl_look(path, &seen, err);
    if (status) return status;
    if (seen.kind == SKL_ABSENT) return skl_fail(err, SKL_DATA, "data.path: there is no folder %s", path);
    if (seen.kind != SKL_FOLDER)
        return skl_fail(err, SKL_DATA, "data.path: %s is no folder: give the one with the files of %s", path,
                        set->name);
    char *hint = near_miss(set, path);
    status = skl_fail(err, SKL_DATA, "data.path: %s holds no file of %s (expected %s and the others of the set)%s%s",
                      path, set->name, set->files[0].name, hint ? "; " : "", hint ? hint : "");
    free(hint);
    return status;
}

static int absent(const struct skl_set *set, char *const *places, struct skl_err *err)
{
    char list[640] = "";
    size_t used = 0;
    for (int i = 0; places[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", places[i]);
    char *get = skl_set_get_command(set);
    int status = skl_fail(err, SKL_DATA, "%s is not here: looked in %s; get it with %s, or give data.path", set->name,
                          list, get);
    free(get);
    return status;
}

int skl_set_locate(const struct skl_set *set, const char *path, char **folder, bool *published, struct skl_err *err)
{
    *folder = NULL;
    *published = path == NULL;
    if (path) {
        int status = look_in(set, path, folder, err);
        return status || *folder ? status : not_in_path(set, path, err);
    }
    char *places[SKL_PLACES];
    int n = skl_set_places(set, places), status = SKL_OK;
    for (int i = 0; i < n && !*folder && !status; i++) status = look_in(set, places[i], folder, err);
    if (!status && !*folder) status = absent(set, places, err);
    for (int i = 0; i < n; i++) free(places[i]);
    return status;
}
