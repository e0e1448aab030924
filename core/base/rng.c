#include "core/base/rng.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include "core/base/err.h"

#define PHILOX_ROUNDS 10
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u /* the keys' increments: golden ratio, sqrt(3) - 1 */
#define PHILOX_W1 0xBB67AE85u

struct skl_u32x4 skl_philox(uint64_t key, uint64_t hi, uint64_t lo)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)lo, c1 = (uint32_t)(lo >> 32), c2 = (uint32_t)hi, c3 = (uint32_t)(hi >> 32);
    for (int i = 0; i < PHILOX_ROUNDS; i++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    return (struct skl_u32x4){{c0, c1, c2, c3}};
}

static uint64_t low64(struct skl_u32x4 x) { return x.v[0] | (uint64_t)x.v[1] << 32; }

static uint64_t high64(struct skl_u32x4 x) { return x.v[2] | (uint64_t)x.v[3] << 32; }

uint64_t skl_rng_key(uint64_t seed, enum skl_purpose purpose, uint64_t a, uint64_t b)
{
    struct skl_u32x4 x = skl_philox(seed, a, b);
    return low64(skl_philox(low64(x), (uint64_t)purpose, high64(x)));
}

uint64_t skl_rng_bits(uint64_t key, uint64_t index) { return low64(skl_philox(key, 0, index)); }

static double unit_interval(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

double skl_rng_uniform(uint64_t key, uint64_t index) { return unit_interval(skl_rng_bits(key, index)); }

double skl_rng_normal(uint64_t key, uint64_t index)
{
    for (uint64_t attempt = 1;; attempt++) { /* from 1: counters with a high word of 0 belong to skl_rng_bits */
        struct skl_u32x4 x = skl_philox(key, attempt, index);
        double u = 2 * unit_interval(low64(x)) - 1, v = 2 * unit_interval(high64(x)) - 1;
        double s = u * u + v * v;
        if (s > 0 && s < 1) return u * sqrt(-2 * skl_log(s) / s);
    }
}

uint64_t skl_hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) hash = (hash ^ *p) * 0x100000001b3u;
    return hash;
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s) with s = (m - 1) / (m + 1), |s| < 0.172. */
double skl_log(double x)
{
    static const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    SKL_CHECK(x > 0 && x <= DBL_MAX);
    int k = 0;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    k += (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m >= 1.4142135623730951) {
        m *= 0.5;
        k++;
    }
    double s = (m - 1) / (m + 1), z = s * s, series = 0;
    for (int i = 25; i >= 3; i -= 2) series = (series + 1.0 / i) * z;
    return k * ln2_high + (2 * s + (2 * s * series + k * ln2_low));
}

double skl_exp64(double x)
{
    if (!(x > -745)) return isnan(x) ? x : 0;
    if (x > 709) return INFINITY;
    const double ln2_hi = 0x1.62e42fefa3800p-1, ln2_lo = 0x1.ef35793c76730p-45;
    double n = floor(x * 1.4426950408889634 + 0.5);
    double r = x - n * ln2_hi - n * ln2_lo, e = 1, term = 1;
    for (int i = 1; i <= 14; i++) {
        term *= r / i;
        e += term;
    }
    return ldexp(e, (int)n);
}
