/* registry.h - shortcut variants by name: the built-in list, then loaded plug-ins. */
#ifndef SKL_REGISTRY_H
#define SKL_REGISTRY_H
#include "core/base/err.h"
#include "core/variant/shortcut.h"
int skl_registry_count(void);
const struct skl_shortcut *skl_registry_get(int i);             /* in the order of shortcuts/meson.build */
const struct skl_shortcut *skl_registry_find(const char *name); /* NULL: unknown */
const char *const *skl_registry_names(void);                    /* NULL-terminated */
const char **skl_registry_options(void); /* the names of all their options, NULL-terminated; free() the list */
/* Adds the shortcut of a plug-in (plugin.h).  Loading the same bytes twice is fine; a wrong interface, a name that is
 * taken or an unsound table is SKL_USAGE.  Not for several threads at once. */
int skl_registry_load(const char *path, struct skl_err *err);
int skl_registry_load_one(const char *path, const struct skl_shortcut **shortcut, struct skl_err *err);
/* The same for a path of the command line (--plugin), relative to the working folder. */
int skl_registry_ask(const char *path, struct skl_err *err);
/* Adds one that is in memory already; origin begins the message, sha256 is the file's or "". */
int skl_registry_add(const struct skl_shortcut *s, const char *origin, const char *sha256, struct skl_err *err);
/* SHA-256 of the file it came from; "": built in.  Part of a run's numerics key. */
const char *skl_registry_sha256(const struct skl_shortcut *s);
const char *skl_registry_path(const struct skl_shortcut *s); /* absolute; NULL: built in */
#endif
