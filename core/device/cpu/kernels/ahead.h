/* ahead.h - prefetching.  Tensors are far larger than the caches, so while one piece of the work computes, the memory
 * that the next steps read and write is fetched into the second-level cache, a share of it every few hundred
 * multiply-adds: in larger shares the requests would queue up before what is wanted now.  A share is a fixed number of
 * cache lines: loops of changing length would be mispredicted, and there are many of them. */
#ifndef SKL_AHEAD_H
#define SKL_AHEAD_H
#include "core/device/cpu/kernels/kernels.h"
#include "core/device/cpu/kernels/simd.h"

enum { LINE = 64, FETCH_EVERY = 8 }; /* bytes; steps of a matrix product */
struct ahead {
    const char *read[8], *write[4]; /* enough for two operands, one of them without out, and a result */
    int reads, writes;
    int share, left;    /* lines of each */
    struct ahead *also; /* tensors of another size, fetched at the same times; or NULL */
};

/* `floats` of each tensor, in at least `shares` shares. */
INLINE struct ahead ahead_of(int floats, int shares)
{
    const int lines = floats * (int)sizeof(float) / LINE;
    return (struct ahead){.left = lines, .share = lines / (shares + 1) + 1};
}

/* Tensor p, from its float number `at` on; NULL: nothing. */
INLINE void ahead_read(struct ahead *a, const float *p, size_t at)
{
    for (int i = 0; p && i < a->reads; i++)
        if (a->read[i] == (const char *)(p + at)) return;
    if (p) a->read[a->reads++] = (const char *)(p + at);
}

INLINE void ahead_write(struct ahead *a, const float *p, size_t at)
{
    if (p) a->write[a->writes++] = (const char *)(p + at);
}

/* All that an operand or a result touches from float `at` on. */
INLINE void ahead_operand(struct ahead *a, const struct skl_kernel_operand *l, size_t at)
{
    ahead_read(a, l->x, at);
    ahead_read(a, l->add, at);
    ahead_write(a, l->out, at);
}

INLINE void ahead_result(struct ahead *a, const struct skl_kernel_result *s, size_t at)
{
    ahead_read(a, s->add, at);
    ahead_read(a, s->mask, at);
    ahead_read(a, s->partner, at);
    ahead_read(a, s->partner2, at);
    ahead_write(a, s->y, at);
}

/* The same of what a caller names. */
INLINE struct ahead ahead_from(const struct skl_prefetch *from, int shares)
{
    struct ahead a = ahead_of(from->floats, shares);
    for (int i = 0; i < from->reads; i++) ahead_read(&a, from->read[i], 0);
    for (int i = 0; i < from->writes; i++) ahead_write(&a, from->write[i], 0);
    return a;
}

INLINE void ahead_fetch_one(struct ahead *a)
{
    if (a->left <= 0) return;
    a->left -= a->share;
    for (int i = 0; i < a->reads; i++) {
        for (int line = 0; line < a->share; line++) __builtin_prefetch(a->read[i] + line * LINE, 0, 2);
        a->read[i] += a->share * LINE;
    }
    for (int i = 0; i < a->writes; i++) {
        for (int line = 0; line < a->share; line++) __builtin_prefetch(a->write[i] + line * LINE, 1, 2);
        a->write[i] += a->share * LINE;
    }
}

/* The next share of all. */
INLINE void ahead_fetch(struct ahead *a)
{
    for (; a; a = a->also) ahead_fetch_one(a);
}
#endif
