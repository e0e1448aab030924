/* paths.h - what a path in an experiment file is relative to: the folder of the file it stands in. */
#ifndef SKL_PATHS_H
#define SKL_PATHS_H
#include <stdbool.h>
#include "core/io/yaml.h"

/* "folder of file"/path; path itself if absolute; "~/..." in the home folder; malloc'd. */
char *skl_path_beside(const char *file, const char *path);
/* The path that a value gives, made absolute; malloc'd.  A word of the command line is relative to the working folder,
 * and so is what stands among results: older versions wrote it there as it was given. */
char *skl_path_given(const struct skl_ynode *value);
/* A run's own config.yaml, or a file in a folder of results, or up to seven folders below one. */
bool skl_stands_among_results(const char *path);
#endif
