/* The helpers of core/variant/vec.h.  Every multiply-add is one rounding (fmaf), so that the bits are those of the
 * kernels on a CPU that has the instruction, and the same on one that has not. */
#include "core/variant/vec.h"
#include <math.h>
#include <string.h>

/* e^x for x in [-87, 88], as core/device/cpu/kernels/vector.c makes it: x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its series. */
static float exp_clamped(float x)
{
    static const float coefficient[] = {1 / 5040.0f, 1 / 720.0f, 1 / 120.0f, 1 / 24.0f, 1 / 6.0f, 0.5f, 1, 1};
    const float big = 0x1.8p23f; /* leaves no place for a fraction: rounds to the nearest integer */
    const float n = (x * 1.44269504f + big) - big;
    const float r = fmaf(-n, -2.12194440e-4f, fmaf(-n, 0.693359375f, x));
    const uint32_t bits = (uint32_t)((int)n + 127) << 23;
    float e = coefficient[0], scale;
    for (int i = 1; i < 8; i++) e = fmaf(e, r, coefficient[i]);
    memcpy(&scale, &bits, sizeof scale);
    return e * scale;
}

void skl_sigmoid(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        float t = -x[i] < -87 ? -87 : -x[i]; /* not a number stays so */
        y[i] = 1 / (1 + exp_clamped(t > 88 ? 88 : t));
    }
}
