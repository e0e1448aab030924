/* fold.h - inside core/data: 64 bits over bytes, to tell data sets apart.  Not cryptographic. */
#ifndef SKL_FOLD_H
#define SKL_FOLD_H
#include <stddef.h>
#include <stdint.h>

uint64_t skl_fold(uint64_t h, const void *data, size_t n);
#endif
