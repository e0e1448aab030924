#include "core/run/folder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"

const char *const skl_result_files[] = {
    SKL_FILE_CONFIG, SKL_FILE_TRAIN,     SKL_FILE_TEST, SKL_FILE_VALIDATION, SKL_FILE_PROBE,
    SKL_FILE_SUMS,   SKL_FILE_RESPONSES, SKL_FILE_LAST, SKL_FILE_PREV,       NULL};

static const char kept_begin[] = "kept-", kept_end[] = ".safetensors";

char *skl_kept_name(int64_t iteration) { return skl_format("%s%" PRId64 "%s", kept_begin, iteration, kept_end); }

bool skl_is_kept(const char *name)
{
    if (strncmp(name, kept_begin, strlen(kept_begin))) return false;
    name += strlen(kept_begin);
    const size_t digits = strspn(name, "0123456789");
    return digits > 0 && !strcmp(name + digits, kept_end);
}

int skl_kept_list(const char *folder, char ***names, int *count, struct skl_err *err)
{
    int all, status = skl_list(folder, names, &all, err);
    if (status) status = SKL_FAILED; /* a run's own folder is no data */
    if (status && err) err->status = status;
    *count = 0;
    for (int i = 0; i < all; i++) {
        if (skl_is_kept((*names)[i]))
            (*names)[(*count)++] = (*names)[i];
        else
            free((*names)[i]);
    }
    return status;
}
