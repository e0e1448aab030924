/* begin.h - where a run's weights come from before its first iteration. */
#ifndef SKL_BEGIN_H
#define SKL_BEGIN_H
#include "core/train/session.h"

/* What init_from found; all zero where it is not set. */
struct skl_beginning {
    char path[4096], sha256[65];
    int taken, count; /* tensors of the net that are the file's; all of the net's */
    char kept[256];   /* names of some that keep their initial values */
};
/* train.init_from: weights and running statistics of another run or framework over the net's initial ones; momentum
 * stays zero.  strict: the file has the net's tensors and no others.  partial: those of the same name and shape are
 * taken, at least one.  SKL_DATA: the file. */
int skl_begin(struct skl_session *s, struct skl_beginning *b, struct skl_err *err);
#endif
