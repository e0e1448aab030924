/* plugin.h - a shortcut variant from a shared object outside the tree.
 *
 * A plug-in runs with all rights of this process, so it is loaded only from a path that was written out ("/..." or
 * "./..." or "../...", never a bare name that the loader would search for), and not from a file that everybody may
 * write.  Its interface number and the size of its descriptor are compared before anything else of it is read.  It
 * stays loaded until the process ends. */
#ifndef SKL_PLUGIN_H
#define SKL_PLUGIN_H
#include "core/base/err.h"
#include "core/variant/shortcut.h"

/* The descriptor, and the SHA-256 of the file.  SKL_USAGE: not there, no path, writable by all, no plug-in, built for
 * another interface (both sides' numbers are in the message). */
int skl_plugin_open(const char *path, const struct skl_shortcut **shortcut, char sha256[65], struct skl_err *err);
#endif
