/* complexity.h - the first paper's comparison of nets for 224x224 pictures of 1000 classes, counted. */
#ifndef SKL_COMPLEXITY_H
#define SKL_COMPLEXITY_H
#include <stdbool.h>
#include "core/base/err.h"

/* Parameters and multiply-adds of one image, with fully connected layers and without, beside the paper's figures. */
int skl_complexity_print(bool json, struct skl_err *err);
#endif
