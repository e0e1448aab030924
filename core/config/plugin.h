/* plugin.h - a shortcut variant from a shared object outside the tree.
 *
 * A plug-in runs with all rights of this process, so it is loaded only from a path that was written out ("/..." or
 * "./..." or "../...", never a bare name that the loader would search for), and not from a file that everybody may
 * write.  Its bytes are copied once into memory that nobody can change any more; what was hashed there is what is
 * loaded, whatever becomes of the file.  Its interface number and the size of its descriptor are compared before
 * anything else of it is read.  It stays loaded until the process ends. */
#ifndef SKL_PLUGIN_H
#define SKL_PLUGIN_H
#include "core/base/err.h"
#include "core/variant/shortcut.h"

struct skl_plugin_copy {
    int fd;          /* sealed memory with the file's bytes */
    char sha256[65]; /* of these bytes */
};
/* SKL_USAGE: not there, no path, writable by all. */
int skl_plugin_copy(const char *path, struct skl_plugin_copy *copy, struct skl_err *err);
/* Takes the copy over.  path stands in messages.  SKL_USAGE: no plug-in, built for another interface (both sides'
 * numbers are in the message). */
int skl_plugin_load(struct skl_plugin_copy *copy, const char *path, const struct skl_shortcut **shortcut,
                    struct skl_err *err);
void skl_plugin_drop(struct skl_plugin_copy *copy); /* one that is not loaded */
#endif
