/* checkpoint.h - commands that take a checkpoint: a file, or a run's folder, which stands for its last.safetensors. */
#ifndef SKL_CHECKPOINT_H
#define SKL_CHECKPOINT_H
#include <stdbool.h>
#include "core/base/err.h"

struct skl_checkpoint {
    char *path, *config; /* the file, and the config.yaml beside it; malloc'd; path NULL: the word means neither */
};
/* only: the word can mean nothing but a checkpoint; else a word that is neither a folder nor ends in .safetensors gives
 * path NULL.  SKL_DATA: one of the two files is not there, or nobody can tell. */
int skl_checkpoint_find(const char *word, bool only, struct skl_checkpoint *c, struct skl_err *err);
void skl_checkpoint_release(struct skl_checkpoint *c);
#endif
