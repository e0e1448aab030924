/* descriptor.h - a variant's table, looked at from outside. */
#ifndef SKL_DESCRIPTOR_H
#define SKL_DESCRIPTOR_H
#include "core/base/err.h"
#include "core/variant/shortcut.h"

void skl_shortcut_defaults(const struct skl_shortcut *s, void *opts); /* fills opts from the parameter rows */
/* Checks the table itself (names, defaults in range, exactly one way filled in).  NULL if sound; else one line, valid
 * until the next call. */
const char *skl_shortcut_unsound(const struct skl_shortcut *s);
#endif
