/* functions.h - the functions that a formula may call, written once for C and for OpenCL C: a device gets these texts
 * (skl_code_functions), a variant's C loop is compiled from them.  They give the same bits on every CPU and device:
 * each operation is one rounding, skl_fma is one rounding too, nothing else is fused.  A device must therefore divide
 * correctly rounded (-cl-fp32-correctly-rounded-divide-sqrt) and fuse nothing (FP_CONTRACT OFF).
 * Where an argument is not a number, so is the result; skl_min and skl_max return their second argument then. */
#ifndef SKL_FUNCTIONS_H
#define SKL_FUNCTIONS_H

/* e^x for x in [-87, 88], else that of the nearer end: x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 is split so that n
 * times its high part is exact; e^r by its series to r^7.  Adding 1.5 * 2^23 rounds to the nearest integer. */
#define SKL_EXP_TEXT \
    float skl_exp(float x) \
    { \
        float t = x < -87.0f ? -87.0f : x; \
        t = t > 88.0f ? 88.0f : t; \
        const float n = (t * 1.44269504f + 12582912.0f) - 12582912.0f; \
        const float r = skl_fma(n, 2.12194440e-4f, skl_fma(n, -0.693359375f, t)); \
        float e = skl_fma(1 / 5040.0f, r, 1 / 720.0f); \
        e = skl_fma(e, r, 1 / 120.0f); \
        e = skl_fma(e, r, 1 / 24.0f); \
        e = skl_fma(e, r, 1 / 6.0f); \
        e = skl_fma(e, r, 0.5f); \
        e = skl_fma(e, r, 1.0f); \
        e = skl_fma(e, r, 1.0f); \
        return e * skl_power2(n); \
    }
#define SKL_SIGMOID_TEXT \
    float skl_sigmoid(float x) { return 1 / (1 + skl_exp(-x)); }
/* Its series near 0, where the quotient would cancel. */
#define SKL_TANH_TEXT \
    float skl_tanh(float x) \
    { \
        const float s = x * x, e = skl_exp(-2 * (x < 0 ? -x : x)), t = (1 - e) / (1 + e); \
        const float series = \
            x + \
            x * s * (-1 / 3.0f + s * (2 / 15.0f + s * (-17 / 315.0f + s * (62 / 2835.0f - s * (1382 / 155925.0f))))); \
        return s < 0.09f ? series : x < 0 ? -t : t; \
    }
#define SKL_ABS_TEXT \
    float skl_abs(float x) { return x < 0 ? -x : x; }
#define SKL_MIN_TEXT \
    float skl_min(float a, float b) { return a < b ? a : b; }
#define SKL_MAX_TEXT \
    float skl_max(float a, float b) { return a > b ? a : b; }
#endif
