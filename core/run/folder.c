#include "core/run/folder.h"

#include <stddef.h>

const char *const skl_result_files[] = {
    SKL_FILE_CONFIG, SKL_FILE_TRAIN,     SKL_FILE_TEST, SKL_FILE_VALIDATION, SKL_FILE_PROBE,
    SKL_FILE_SUMS,   SKL_FILE_RESPONSES, SKL_FILE_LAST, SKL_FILE_PREV,       NULL};
