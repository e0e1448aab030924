/* tile.h - small matrix products held in registers: the inner loops of every convolution here.
 *
 *     D[rows][n] (+)= sum over p < depth of A(i, p) * B[p][n]
 *
 * A(i, p) = a.p[i*a.row + p*a.depth] is broadcast, so A may stand either way round; rows of D are contiguous.
 * n, a multiple of LANES, is cut into panels of PANEL columns; the last may be narrower.  B is either a plain matrix
 * with rows b.row floats apart, or packed (b.row 0): one panel after the other, each with contiguous rows. */
#ifndef SKL_TILE_H
#define SKL_TILE_H
#include <stdbool.h>
#include "core/kernels/ahead.h"
#include "core/kernels/simd.h"

/* Accumulators: rows x vectors.  They, the B vectors and one broadcast must fit in the registers.  Two vectors a row
 * load least for their size; where n is a single vector, more rows make up for it. */
enum {
    PANEL_VECTORS = 2,
    PANEL = PANEL_VECTORS * LANES,
    ROWS2 = VECTOR_REGISTERS == 32 ? 8 : 6,
    ROWS1 = VECTOR_REGISTERS == 32 ? 16 : 12,
    DEPTH_UNROLL = VECTOR_REGISTERS == 32 ? 4 : 1,      /* with 16 registers gcc would spill accumulators */
};

struct matrix_a { const float *p; size_t row, depth; };
struct matrix_b { const float *p; size_t row; };
struct matrix_d { float *p; size_t row; };

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
INLINE void tile(int rows, int vectors, int depth, const float *a, size_t a_row, size_t a_depth, const float *b, size_t b_row,
                 float *d, size_t d_row, bool accumulate, struct ahead *ahead)
{
    vf acc[16][PANEL_VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) acc[i][j] = accumulate ? vf_load(d + (size_t)i * d_row + j * LANES) : vf_zero();
#pragma GCC unroll DEPTH_UNROLL
    for (int p = 0; p < depth; p++) {
        if (ahead && p % FETCH_EVERY == 0) ahead_fetch(ahead);
        tile_step(rows, vectors, a + (size_t)p * a_depth, a_row, b + (size_t)p * b_row, acc);
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) vf_store(d + (size_t)i * d_row + j * LANES, acc[i][j]);
}

/* All rows of one panel of `vectors` vectors: full tiles, then ever smaller ones. */
INLINE void panel(int rows, int vectors, int depth, struct matrix_a a, const float *b, size_t b_row, struct matrix_d d, bool accumulate, struct ahead *ahead)
{
    const int full = vectors == 1 ? ROWS1 : ROWS2;
    int i = 0;
#define TILES(step) TILES_WHILE(step, true)
#define TILES_WHILE(step, condition)                                                                                   \
    for (; i + (step) <= rows && (condition); i += (step))                                                             \
    tile(step, vectors, depth, a.p + (size_t)i * a.row, a.row, a.depth, b, b_row, d.p + (size_t)i * d.row, d.row, accumulate, ahead)
    if (full == 16) TILES(16);
    if (full == 12) TILES(12);
    if (full == 6) TILES_WHILE(6, rows - i != 8);      /* 8 = 4 + 4: a tile of 2 would wait for its own results */
    if (full >= 8) TILES(8);
    TILES(4);
    TILES(2);
    TILES(1);
#undef TILES
#undef TILES_WHILE
}

INLINE void multiply_ahead(int rows, int n, int depth, struct matrix_a a, struct matrix_b b, struct matrix_d d, bool accumulate, struct ahead *ahead)
{
    const bool packed = b.row == 0;
    int at = 0;
    for (; at + PANEL <= n; at += PANEL) {
        panel(rows, PANEL_VECTORS, depth, a, b.p, packed ? PANEL : b.row, d, accumulate, ahead);
        b.p += packed ? (size_t)PANEL * (size_t)depth : PANEL;
        d.p += PANEL;
    }
    if (at < n) panel(rows, 1, depth, a, b.p, packed ? LANES : b.row, d, accumulate, ahead);
}

INLINE void multiply(int rows, int n, int depth, struct matrix_a a, struct matrix_b b, struct matrix_d d, bool accumulate)
{
    multiply_ahead(rows, n, depth, a, b, d, accumulate, NULL);
}

/* Where element (p, j) of a packed depth x n matrix stands. */
INLINE size_t packed_at(int n, int depth, int p, int j)
{
    const int at = j / PANEL * PANEL, width = n - at < PANEL ? n - at : PANEL;
    return (size_t)at * (size_t)depth + (size_t)p * (size_t)width + (size_t)(j - at);
}
#endif
