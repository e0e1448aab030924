#include "core/cli/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/place.h"
#include "core/run/folder.h"

static char *config_beside(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return skl_strdup(SKL_FILE_CONFIG);
    return skl_format("%.*sconfig.yaml", (int)(slash + 1 - path), path);
}

static int look_for_both(const struct skl_checkpoint *c, struct skl_err *err)
{
    bool checkpoint, config = false;
    int status = skl_is_there(c->path, &checkpoint, err);
    if (!status) status = skl_is_there(c->config, &config, err);
    if (status) return status;
    if (!checkpoint) return skl_fail(err, SKL_DATA, "no checkpoint '%s'", c->path);
    if (config) return SKL_OK;
    return skl_fail(err, SKL_DATA, "'%s' is missing: the run's settings are needed beside the checkpoint", c->config);
}

int skl_checkpoint_find(const char *word, bool only, struct skl_checkpoint *c, struct skl_err *err)
{
    struct skl_seen seen;
    const char *end = strrchr(word, '.');
    *c = (struct skl_checkpoint){0};
    int status = skl_look(word, &seen, err);
    if (status) return status;
    if (seen.kind == SKL_FOLDER) {
        skl_root_add(word);
        c->path = skl_path(word, SKL_FILE_LAST);
    } else if (only || (end && !strcmp(end, ".safetensors"))) {
        c->path = skl_strdup(word);
    } else {
        return SKL_OK;
    }
    c->config = config_beside(c->path);
    status = look_for_both(c, err);
    if (status) skl_checkpoint_release(c);
    return status;
}

void skl_checkpoint_release(struct skl_checkpoint *c)
{
    free(c->path);
    free(c->config);
    *c = (struct skl_checkpoint){0};
}
