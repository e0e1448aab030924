/* tile.h - small matrix products held in registers: the inner loops of every convolution here.
 *
 *     D[rows][n] (+)= sum over p < depth of A(i, p) * B[p][n]
 *
 * A(i, p) = a.p[i*a.row + p*a.depth] is broadcast, so A may stand either way round; rows of D are contiguous.
 * n, a multiple of LANES, is cut into panels of PANEL columns; the last may be narrower.  B is either a plain matrix
 * with rows b.row floats apart, or packed (b.row 0): one panel after the other, each with contiguous rows.
 * A sum of several such products, a.part and b.part floats apart, is made in one go: D stays in registers. */
#ifndef SKL_TILE_H
#define SKL_TILE_H
#include <stdbool.h>
#include "core/device/cpu/kernels/ahead.h"
#include "core/device/cpu/kernels/simd.h"

/* Accumulators: rows x vectors.  They, the B vectors and one broadcast must fit in the registers.  Two vectors a row
 * load least for their size; where n is a single vector, more rows make up for it. */
enum {
    PANEL_VECTORS = 2,
    PANEL = PANEL_VECTORS * LANES,
    ROWS2 = VECTOR_REGISTERS == 32 ? 8 : 6,
    ROWS1 = VECTOR_REGISTERS == 32 ? 16 : 12,
    DEPTH_UNROLL = VECTOR_REGISTERS == 32 ? 4 : 1, /* with 16 registers gcc would spill accumulators */
};

struct matrix_a {
    const float *p;
    size_t row, depth, part;
};
struct matrix_b {
    const float *p;
    size_t row, part;
};
struct matrix_d {
    float *p;
    size_t row;
};

INLINE void tile_step(int rows, int vectors, const float *a, size_t a_row, const float *b, vf acc[16][PANEL_VECTORS])
{
    vf bp[PANEL_VECTORS];
#pragma GCC unroll 2
    for (int j = 0; j < vectors; j++) bp[j] = vf_hold(vf_load(b + j * LANES));
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        vf x = vf_set1(a[(size_t)i * a_row]);
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) acc[i][j] = vf_fma(x, bp[j], acc[i][j]);
    }
}

/* rows x (vectors * LANES) of D; rows and vectors are constants at every call. */
INLINE void tile(int rows, int vectors, int parts, int depth, struct matrix_a a, struct matrix_b b, struct matrix_d d,
                 bool accumulate, struct ahead *ahead)
{
    vf acc[16][PANEL_VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            acc[i][j] = accumulate ? vf_load(d.p + (size_t)i * d.row + j * LANES) : vf_zero();
    for (int part = 0; part < parts; part++, a.p += a.part, b.p += b.part) {
#pragma GCC unroll DEPTH_UNROLL
        for (int p = 0; p < depth; p++) {
            if (ahead && p % FETCH_EVERY == 0) ahead_fetch(ahead);
            tile_step(rows, vectors, a.p + (size_t)p * a.depth, a.row, b.p + (size_t)p * b.row, acc);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) vf_store(d.p + (size_t)i * d.row + j * LANES, acc[i][j]);
}

/* All rows of one panel of `vectors` vectors: full tiles, then ever smaller ones. */
INLINE void panel(int rows, int vectors, int parts, int depth, struct matrix_a a, struct matrix_b b, struct matrix_d d,
                  bool accumulate, struct ahead *ahead)
{
    const int full = vectors == 1 ? ROWS1 : ROWS2;
#define TILES(step) TILES_WHILE(step, true)
#define TILES_WHILE(step, condition) \
    for (; rows >= (step) && (condition); rows -= (step), a.p += (step)*a.row, d.p += (step)*d.row) \
    tile(step, vectors, parts, depth, a, b, d, accumulate, ahead)
    if (full == 16) TILES(16);
    if (full == 12) TILES(12);
    if (full == 6) TILES_WHILE(6, rows != 8); /* 8 = 4 + 4: a tile of 2 would wait for its own results */
    if (full >= 9) TILES_WHILE(9, rows == 9); /* the same: the stem has three taps of three channels */
    if (full >= 8) TILES(8);
    TILES(4);
    TILES(2);
    TILES(1);
#undef TILES
#undef TILES_WHILE
}

/* The sum of `parts` products. */
INLINE void multiply_parts(int rows, int n, int parts, int depth, struct matrix_a a, struct matrix_b b,
                           struct matrix_d d, bool accumulate, struct ahead *ahead)
{
    const bool packed = b.row == 0;
    int at = 0;
    for (; at + PANEL <= n; at += PANEL) {
        if (packed) b.row = PANEL;
        panel(rows, PANEL_VECTORS, parts, depth, a, b, d, accumulate, ahead);
        b.p += packed ? (size_t)PANEL * (size_t)depth : PANEL;
        d.p += PANEL;
    }
    if (packed) b.row = LANES;
    if (at < n) panel(rows, 1, parts, depth, a, b, d, accumulate, ahead);
}

INLINE void multiply_ahead(int rows, int n, int depth, struct matrix_a a, struct matrix_b b, struct matrix_d d,
                           bool accumulate, struct ahead *ahead)
{
    multiply_parts(rows, n, 1, depth, a, b, d, accumulate, ahead);
}

INLINE void multiply(int rows, int n, int depth, struct matrix_a a, struct matrix_b b, struct matrix_d d,
                     bool accumulate)
{
    multiply_parts(rows, n, 1, depth, a, b, d, accumulate, NULL);
}

/* Where element (p, j) of a packed depth x n matrix stands. */
INLINE size_t packed_at(int n, int depth, int p, int j)
{
    const int at = j / PANEL * PANEL, width = n - at < PANEL ? n - at : PANEL;
    return (size_t)at * (size_t)depth + (size_t)p * (size_t)width + (size_t)(j - at);
}
#endif
