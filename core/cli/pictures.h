/* pictures.h - the words of `skiplab data` that are about pictures: check DIR, export NAME DIR. */
#ifndef SKL_CLI_PICTURES_H
#define SKL_CLI_PICTURES_H
#include <stdbool.h>
#include "core/base/err.h"

/* SKL_DATA: a file is bad; each is named on standard output. */
int skl_data_check(const char *folder, int threads, bool json, struct skl_err *err);
/* train, test: the first so many images; 0: all */
int skl_data_export(const char *name, const char *folder, int train, int test, int threads, struct skl_err *err);
#endif
