#include "core/config/paths.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/fs.h"

static bool holds_results(const char *folder)
{
    static const char *const marks[] = {"run.json", "plan.json"};
    bool there = false;
    for (size_t i = 0; i < sizeof marks / sizeof *marks && !there; i++) {
        char *path = skl_path(folder, marks[i]);
        if (skl_is_there(path, &there, NULL)) there = true; /* nobody can tell: no trust */
        free(path);
    }
    return there;
}

bool skl_stands_among_results(const char *path)
{
    enum { DEPTH = 8 };
    char *real = realpath(path, NULL), *slash = real ? strrchr(real, '/') : NULL;
    bool among = slash && !strcmp(slash + 1, "config.yaml");
    for (int i = 0; i < DEPTH && slash && slash > real && !among; i++) {
        *slash = 0;
        among = holds_results(real);
        slash = strrchr(real, '/');
    }
    free(real);
    return among;
}

/* "~/x" in the home folder; NULL where it is not one of these, or there is no home. */
static char *in_home(const char *path)
{
    const char *home = getenv("HOME");
    if (path[0] != '~' || (path[1] && path[1] != '/') || !home || *home != '/') return NULL;
    return skl_format("%s%s", home, path + 1);
}

/* The folder that a file's paths are relative to; a pipe lies nowhere: the working folder. */
static char *folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    if (!slash || !strncmp(file, "/dev/", 5)) return skl_strdup(".");
    return skl_format("%.*s", slash == file ? 1 : (int)(slash - file), file);
}

char *skl_path_beside(const char *file, const char *path)
{
    char *home = in_home(path);
    if (home) return home;
    char *folder = folder_of(file),
         *beside = *path == '/' || !strcmp(folder, ".") ? skl_strdup(path) : skl_path(folder, path);
    free(folder);
    return beside;
}

char *skl_path_given(const struct skl_ynode *value)
{
    const bool here = value->line == 0 || skl_stands_among_results(value->file);
    char *path = in_home(value->text);
    if (path || *value->text == '/') return path ? path : skl_strdup(value->text);
    char *folder = here ? skl_strdup(".") : folder_of(value->file), *absolute = realpath(folder, NULL);
    path = absolute ? skl_path(absolute, value->text) : skl_strdup(value->text); /* gone: it will not be found */
    free(absolute);
    free(folder);
    return path;
}
