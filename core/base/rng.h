/* rng.h - random numbers as functions of (seed, purpose, counters): Philox4x32-10
 * (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 * Nothing to save, nothing that threads could reorder. */
#ifndef SKL_RNG_H
#define SKL_RNG_H
#include <stdint.h>

enum skl_purpose {
    SKL_RNG_INIT = 1,
    SKL_RNG_SHUFFLE,
    SKL_RNG_AUGMENT,
    SKL_RNG_SHORTCUT,
    SKL_RNG_SYNTHETIC,
    SKL_RNG_PROBE,
    SKL_RNG_MIXUP,
    SKL_RNG_SAMPLE
};

struct skl_u32x4 {
    uint32_t v[4];
};
/* The published function: key (2x32 bits, low word first) and a counter of 4x32 bits (hi:lo, low word first). */
struct skl_u32x4 skl_philox(uint64_t key, uint64_t hi, uint64_t lo);
/* A 64-bit key for one purpose and up to two counters: philox(seed, a, b) folded with the purpose. */
uint64_t skl_rng_key(uint64_t seed, enum skl_purpose purpose, uint64_t a, uint64_t b);
uint64_t skl_rng_bits(uint64_t key, uint64_t index); /* 64 bits */
__attribute__((visibility("default")))               /* for plug-ins too: core/variant/vec.h */
double
skl_rng_uniform(uint64_t key, uint64_t index);       /* [0, 1), 53 bits */
double skl_rng_normal(uint64_t key, uint64_t index); /* polar method on counters (index, attempt), own log */
uint64_t skl_hash_name(const char *name);            /* FNV-1a, to key a stream by a tensor's name */
double skl_log(double x);                            /* own, so that bits do not depend on libm; x > 0 */
/* e^x, own too: relative error under 1e-15; 0 below -745, inf above 709. */
double skl_exp64(double x);
#endif
