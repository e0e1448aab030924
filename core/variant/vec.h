/* vec.h - what a variant in plain C may call besides the declarations of shortcut.h. */
#ifndef SKL_VEC_H
#define SKL_VEC_H
#include <stddef.h>
#include <stdint.h>
#include "core/variant/shortcut.h"

/* Uniform numbers in [0, 1) as a function of a key and a counter: use skl_call.rng_key and count from the image's
 * place in the mini-batch (k->first + i), so that the numbers do not depend on how the batch is cut. */
SKL_API double skl_rng_uniform(uint64_t key, uint64_t index);

/* A function whose loops are compiled for several CPUs, chosen when the program starts.  Contraction is off, so
 * every copy gives the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define SKL_VECTORIZE __attribute__((target_clones("avx512f", "fma", "default"), optimize("O3")))
#else
#define SKL_VECTORIZE
#endif
#endif
