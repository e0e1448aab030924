/* state_meta.h - a checkpoint's metadata, without the net: what state.c writes and reads, and a fuzz target reads
 * alone. */
#ifndef SKL_STATE_META_H
#define SKL_STATE_META_H
#include "core/train/state.h"

enum { SKL_STATE_METAS = 13 + SKL_LOGS };
/* m: [SKL_STATE_METAS]; each value is malloc'd. */
void skl_state_fill_meta(struct skl_st_meta *m, const struct skl_state *state, const struct skl_identity *identity);
/* SKL_DATA: the file is no checkpoint, as this key is missing or wrong. */
int skl_state_bad_meta(const char *path, const char *key, struct skl_err *err);
#endif
