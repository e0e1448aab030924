/* names.h - the name of a sweep or a variant, which names a folder too. */
#ifndef SKL_NAMES_H
#define SKL_NAMES_H
#include <stdbool.h>
#include "core/base/err.h"
#include "core/io/yaml.h"

enum { SKL_NAME_MAX = 64 };
bool skl_name_valid(const char *name); /* [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
/* Replaces *name (malloc'd or NULL); what: "a variant's name", for the message. */
int skl_read_name(const struct skl_ynode *node, const char *what, char **name, struct skl_err *err);
#endif
