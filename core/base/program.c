#include "core/base/program.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/base/fs.h"

#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

char *skl_program_path(void)
{
    const char *path = getenv("PATH");
    if (!path) path = USUAL_PATH;
    char *kept = skl_alloc(strlen(path) + 1), *to = kept;
    for (size_t n; *path; path += n + (path[n] == ':')) {
        n = strcspn(path, ":");
        if (*path != '/') continue;
        if (to > kept) *to++ = ':';
        to = mempcpy(to, path, n);
    }
    *to = 0;
    if (to > kept) return kept;
    free(kept);
    return skl_strdup(USUAL_PATH); /* an empty one would mean the working folder */
}

static bool can_run(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

char *skl_program(const char *name)
{
    char *path = skl_program_path(), *found = NULL, *save;
    for (char *part = strtok_r(path, ":", &save); part && !found; part = strtok_r(NULL, ":", &save)) {
        found = skl_path(part, name);
        if (can_run(found)) continue;
        free(found);
        found = NULL;
    }
    free(path);
    return found;
}
