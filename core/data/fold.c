#include "core/data/fold.h"

#include <string.h>

/* Eight bytes at a time, multiplied and folded. */
uint64_t skl_fold(uint64_t h, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (; n > 0; n -= n < 8 ? n : 8, p += 8) {
        uint64_t word = 0;
        memcpy(&word, p, n < 8 ? n : 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h;
}
