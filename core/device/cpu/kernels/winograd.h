/* winograd.h - the transforms of F(4x4, 3x3) and F(2x2, 3x3), and the products between them, on vectors of channels.
 * m: output pixels of a tile, 4 or 2, a constant at every call; a = m + 2.  Arguments must not overlap. */
#ifndef SKL_WINOGRAD_H
#define SKL_WINOGRAD_H
#include "core/device/cpu/kernels/ahead.h"
#include "core/device/cpu/kernels/simd.h"

enum { MAX_A = 6 };

/* Their constants, loaded anew by every step below: gcc would load them once before all the loops, and they would hold
 * registers that the matrix products between the steps need (AVX2 has sixteen). */
struct constants {
    vf two, four, five, eight;
};
INLINE struct constants constants(void)
{
    static const float value[] = {2, 4, 5, 8};
    const float *v = value;
    __asm__ volatile("" : "+r"(v));
    return (struct constants){vf_set1(v[0]), vf_set1(v[1]), vf_set1(v[2]), vf_set1(v[3])};
}

/* t = B' d, a -> a */
INLINE void input_transform(int m, const struct constants *k, const vf *d, vf *t)
{
    if (m == 4) {
        const vf two = k->two, four = k->four, five = k->five;
        vf p = vf_fnma(four, d[2], d[4]), q = vf_fnma(four, d[1], d[3]);
        vf r = d[4] - d[2], s = d[3] - d[1];
        t[0] = vf_fma(four, d[0], vf_fnma(five, d[2], d[4]));
        t[1] = p + q;
        t[2] = p - q;
        t[3] = vf_fma(two, s, r);
        t[4] = vf_fnma(two, s, r);
        t[5] = vf_fma(four, d[1], vf_fnma(five, d[3], d[5]));
    } else {
        t[0] = d[0] - d[2];
        t[1] = d[1] + d[2];
        t[2] = d[2] - d[1];
        t[3] = d[1] - d[3];
    }
}

/* x = B t, a -> a */
INLINE void input_transform_transposed(int m, const struct constants *k, const vf *t, vf *x)
{
    if (m == 4) {
        const vf two = k->two, four = k->four, five = k->five;
        vf s12 = t[1] + t[2], d12 = t[1] - t[2], s34 = t[3] + t[4], d34 = t[3] - t[4];
        x[0] = four * t[0];
        x[1] = vf_fma(four, t[5] - d12, -two * d34);
        x[2] = vf_fnma(five, t[0], vf_fnma(four, s12, -s34));
        x[3] = vf_fnma(five, t[5], vf_fma(two, d34, d12));
        x[4] = t[0] + (s12 + s34);
        x[5] = t[5];
    } else {
        x[0] = t[0];
        x[1] = (t[1] - t[2]) + t[3];
        x[2] = (t[1] + t[2]) - t[0];
        x[3] = -t[3];
    }
}

/* y = A' t, a -> m */
INLINE void output_transform(int m, const struct constants *k, const vf *t, vf *y)
{
    vf s12 = t[1] + t[2], d12 = t[1] - t[2];
    if (m == 4) {
        vf s34 = t[3] + t[4], d34 = t[3] - t[4];
        y[0] = (t[0] + s12) + s34;
        y[1] = vf_fma(k->two, d34, d12);
        y[2] = vf_fma(k->four, s34, s12);
        y[3] = vf_fma(k->eight, d34, d12) + t[5];
    } else {
        y[0] = t[0] + s12;
        y[1] = d12 - t[3];
    }
}

/* t = A y, m -> a */
INLINE void output_transform_transposed(int m, const struct constants *k, const vf *y, vf *t)
{
    if (m == 4) {
        vf even = y[0] + y[2], odd = y[1] + y[3];
        vf even2 = vf_fma(k->four, y[2], y[0]), odd2 = vf_fma(k->four, y[3], y[1]);
        t[0] = y[0];
        t[1] = even + odd;
        t[2] = even - odd;
        t[3] = vf_fma(k->two, odd2, even2);
        t[4] = vf_fnma(k->two, odd2, even2);
        t[5] = y[3];
    } else {
        t[0] = y[0];
        t[1] = y[0] + y[1];
        t[2] = y[0] - y[1];
        t[3] = -y[1];
    }
}

/* Matrix products of one column of frequencies, held in registers: t[q][i] = sum over p < depth of v_i[q][p] * u_i[p],
 * for `tiles` tiles and one vector of channels.  v_i = v + i * v_stride is [tiles][depth]; u_i = u + i * u_stride has
 * rows u_row floats apart.  tiles: a constant at every call. */
INLINE void column_products(int a, int tiles, int depth, const float *v, size_t v_stride, const float *u,
                            size_t u_stride, size_t u_row, vf t[][MAX_A], struct ahead *ahead)
{
#pragma GCC unroll 4
    for (int q = 0; q < tiles; q++)
#pragma GCC unroll 6
        for (int i = 0; i < a; i++) t[q][i] = vf_zero();
#pragma GCC unroll 2
    for (int p = 0; p < depth; p++) {
        if (p % FETCH_EVERY == 0) ahead_fetch(ahead);
#pragma GCC unroll 6
        for (int i = 0; i < a; i++) {
            const vf w = vf_fetch(u + (size_t)i * u_stride + (size_t)p * u_row);
#pragma GCC unroll 4
            for (int q = 0; q < tiles; q++)
                t[q][i] = vf_fma(vf_set1(v[(size_t)i * v_stride + (size_t)(q * depth + p)]), w, t[q][i]);
        }
    }
}

static const float g4[6][3] = {{1 / 4.0f, 0, 0},
                               {-1 / 6.0f, -1 / 6.0f, -1 / 6.0f},
                               {-1 / 6.0f, 1 / 6.0f, -1 / 6.0f},
                               {1 / 24.0f, 1 / 12.0f, 1 / 6.0f},
                               {1 / 24.0f, -1 / 12.0f, 1 / 6.0f},
                               {0, 0, 1}};
static const float g2[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};

/* t = G w, 3 -> a */
INLINE void weight_transform(int m, const vf *w, vf *t)
{
    for (int i = 0; i < m + 2; i++) {
        const float *g = m == 4 ? g4[i] : g2[i];
        t[i] = vf_fma(vf_set1(g[2]), w[2], vf_fma(vf_set1(g[1]), w[1], vf_set1(g[0]) * w[0]));
    }
}

/* w = G' t, a -> 3 */
INLINE void weight_transform_transposed(int m, const vf *t, vf *w)
{
    for (int j = 0; j < 3; j++) {
        w[j] = vf_zero();
        for (int i = 0; i < m + 2; i++) w[j] = vf_fma(vf_set1(m == 4 ? g4[i][j] : g2[i][j]), t[i], w[j]);
    }
}

/* U = G w G': both ways, frequency j*a + i to packed[(j*a + i) * stride]. */
INLINE void transform_weights(int m, const vf *w /* [9] */, float *packed, size_t stride)
{
    const int a = m + 2;
    vf half[MAX_A][3], column[3], t[MAX_A];
    for (int j = 0; j < 3; j++) {
        for (int i = 0; i < 3; i++) column[i] = w[i * 3 + j];
        weight_transform(m, column, t);
        for (int i = 0; i < a; i++) half[i][j] = t[i];
    }
    for (int i = 0; i < a; i++) {
        weight_transform(m, half[i], t);
        for (int j = 0; j < a; j++) vf_store(packed + (size_t)(j * a + i) * stride, t[j]);
    }
}
#endif
