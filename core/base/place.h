/* place.h - the system's calls on paths, for core/base/fs.c and the few that need errno itself; all others use fs.h.
 *
 * A folder of results may come from a stranger, and others may write in it.  The folder that the user names is a root:
 * it may be a link, as may all above it.  Below it no link is followed, neither for reading nor for writing: a path is
 * walked name by name, and a link ends the walk with ELOOP, as does "..".  Paths below no root go the usual way.
 *
 * Every function returns -1 and sets errno like the call that it is named after. */
#ifndef SKL_PLACE_H
#define SKL_PLACE_H
#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

/* From now on the paths that begin with folder's and a slash are below a root.  Before the first of them is used. */
void skl_root_add(const char *folder);

/* A regular file: opened so that it cannot block, looked at, and given back as one that blocks, close-on-exec.  EISDIR,
 * ENXIO: it is a folder, or neither.  With O_CREAT a new one has mode 0666 less the umask. */
int skl_place_open(const char *path, int flags);
int skl_place_open_folder(const char *path);
int skl_place_stat(const char *path, struct stat *st); /* below a root of a link itself */
DIR *skl_place_list(const char *path);
int skl_place_stat_in(DIR *open, const char *path, const char *name, struct stat *st); /* path: what was opened */
int skl_place_mkdir(const char *path);
int skl_place_unlink(const char *path);
int skl_place_rmdir(const char *path);
int skl_place_rename(const char *from, const char *to);
/* Between a path and a name in an open folder. */
int skl_place_rename_from(int folder, const char *name, const char *to);
int skl_place_rename_into(const char *from, int folder, const char *name);
int skl_place_link_into(const char *path, int folder,
                        const char *name); /* a second name of the file, never of a link */

bool skl_is_absent(int error);          /* ENOENT or ENOTDIR, and nothing else */
const char *skl_place_error(int error); /* strerror, or plainer words for what stands above */
#endif
