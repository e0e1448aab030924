/* formula.h - way 2 as a formula, written once: a C loop on the CPU, and the text for other devices.
 *
 *     SKL_FORWARD(y = (1 - h) * x + h * f;)
 *     SKL_BACKWARD(dx = (1 - h) * dy; df = h * dy; dh = dy * (f - x);)
 *     SKL_GAIN(lambda = 1 - h;)
 *     SKL_SHORTCUT(my_gate) = { SKL_SHORTCUT_HEAD(my_gate), SKL_FORMULA_GAIN, ... };   (SKL_FORMULA without the last)
 *
 * A formula is for one element; x, h and f have the branch's shape.  Each must set all on its right:
 *
 *     SKL_FORWARD    sees x, h, f, p         sets y
 *     SKL_BACKWARD   sees x, h, f, dy, p     sets dx, dh, df (dx: what reaches x besides through h)
 *     SKL_GAIN       sees x, h, p            sets lambda, the factor on x, for the probe
 *
 * p[0] to p[7] are the numbers that declare() gave with skl_number(): options, or what depends on the unit's place.
 *
 * It must mean the same in C and OpenCL C, so it is made of
 *     statements `name = expression;` (+= -= *= /= too) and, for values of its own (small letters),
 *     `float name = expression;`
 *     + - * /  comparisons  && || !  ? :  parentheses,
 *     numbers with an f where they have a point or exponent (0.5f, 1e-3f; 2 is fine, but 1 / 2 is 0),
 *     skl_exp skl_sigmoid skl_tanh skl_abs skl_min skl_max (functions.h),
 * and of nothing else: no macros, no constants of the file, no other functions.  A variant is refused by the name of
 * what is not allowed.  What needs whole images, random numbers, own tensors or memory is written as plain C
 * functions. */
#ifndef SKL_FORMULA_H
#define SKL_FORMULA_H
#include "core/variant/functions.h"
#include "core/variant/vec.h"

#define SKL_FORMULA_FUNCTION static inline __attribute__((always_inline, unused))
SKL_FORMULA_FUNCTION float skl_fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
/* 2^n for integral n in [-126, 127]: the low bits of n + 1.5 * 2^23 are n. */
SKL_FORMULA_FUNCTION float skl_power2(float n)
{
    union {
        float number;
        uint32_t bits;
    } u = {n + 12582912.0f};
    u.bits = (u.bits + (127u - 0x4B400000u)) << 23;
    return u.number;
}
/* clang-format off */
SKL_FORMULA_FUNCTION SKL_EXP_TEXT
SKL_FORMULA_FUNCTION SKL_SIGMOID_TEXT
SKL_FORMULA_FUNCTION SKL_TANH_TEXT
SKL_FORMULA_FUNCTION SKL_ABS_TEXT
SKL_FORMULA_FUNCTION SKL_MIN_TEXT
SKL_FORMULA_FUNCTION SKL_MAX_TEXT
/* clang-format on */

#define SKL_CODE(name, ...) static const struct skl_code name = {#__VA_ARGS__, __FILE__, __LINE__}

/* `restrict` stands on the parameters: on locals the compiler does not believe it. */
#define SKL_FORWARD(...) \
    SKL_VECTORIZE static void skl_forward_loop(size_t n_, const float *restrict p, const float *restrict x_, \
                                               const float *restrict h_, const float *restrict f_, float *restrict y_) \
    { \
        (void)p; \
        for (size_t i_ = 0; i_ < n_; i_++) { \
            const float x = x_[i_], h = h_[i_], f = f_[i_]; \
            float y; \
            (void)x, (void)h, (void)f; \
            __VA_ARGS__ \
            y_[i_] = y; \
        } \
    } \
    static void skl_forward_formula(const struct skl_call *k, const float *x, const float *h, const float *f, \
                                    float *y) \
    { \
        skl_forward_loop(skl_elements(k), k->p, x, h, f, y); \
    } \
    SKL_CODE(skl_forward_code, __VA_ARGS__);

#define SKL_BACKWARD(...) \
    SKL_VECTORIZE static void skl_backward_loop(size_t n_, const float *restrict p, const float *restrict x_, \
                                                const float *restrict h_, const float *restrict f_, \
                                                const float *restrict dy_, float *restrict dx_, float *restrict dh_, \
                                                float *restrict df_) \
    { \
        (void)p; \
        for (size_t i_ = 0; i_ < n_; i_++) { \
            const float x = x_[i_], h = h_[i_], f = f_[i_], dy = dy_[i_]; \
            float dx, dh, df; \
            (void)x, (void)h, (void)f, (void)dy; \
            __VA_ARGS__ \
            dx_[i_] = dx, dh_[i_] = dh, df_[i_] = df; \
        } \
    } \
    static void skl_backward_formula(const struct skl_call *k, const float *x, const float *h, const float *f, \
                                     const float *dy, float *dx, float *dh, float *df) \
    { \
        skl_backward_loop(skl_elements(k), k->p, x, h, f, dy, dx, dh, df); \
    } \
    SKL_CODE(skl_backward_code, __VA_ARGS__);

#define SKL_GAIN(...) \
    SKL_VECTORIZE static void skl_gain_loop(size_t n_, const float *restrict p, const float *restrict x_, \
                                            const float *restrict h_, float *restrict lambda_) \
    { \
        (void)p; \
        for (size_t i_ = 0; i_ < n_; i_++) { \
            const float x = x_[i_], h = h_[i_]; \
            float lambda; \
            (void)x, (void)h; \
            __VA_ARGS__ \
            lambda_[i_] = lambda; \
        } \
    } \
    static void skl_gain_formula(const struct skl_call *k, const float *x, const float *h, float *lambda) \
    { \
        skl_gain_loop(skl_elements(k), k->p, x, h, lambda); \
    } \
    SKL_CODE(skl_gain_code, __VA_ARGS__);

/* In the descriptor: forward and backward; with SKL_GAIN's; with flags like SKL_SURROGATE_GRAD. */
#define SKL_FORMULA SKL_FORMULA_FLAGS(0)
#define SKL_FORMULA_GAIN SKL_FORMULA, .gain = skl_gain_formula, .gain_code = &skl_gain_code
#define SKL_FORMULA_FLAGS(more) \
    .flags = SKL_PER_PIXEL | (more), .forward = skl_forward_formula, .forward_code = &skl_forward_code, \
    .backward = skl_backward_formula, .backward_code = &skl_backward_code
#endif
