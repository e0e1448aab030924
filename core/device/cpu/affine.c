/* y = a h + b f as the plain formula: what cannot be fused, and what the fused ways are tested against. */
#include "core/base/rng.h"
#include "core/device/cpu/internal.h"

static float coefficient(const struct skl_factor *k, struct skl_place v, int image, size_t i, int c)
{
    return at(v)[k->span == SKL_PER_IMAGE ? (size_t)image : i % (size_t)c];
}
static float forwards(const struct skl_factor *k, int image, size_t i, int c)
{
    return coefficient(k, k->v, image, i, c);
}
static float backwards(const struct skl_factor *k, int image, size_t i, int c)
{
    return coefficient(k, skl_there(k->back) ? k->back : k->v, image, i, c);
}
static float mask_factor(const struct skl_factor *a, uint64_t key, uint64_t element)
{
    if (a->span != SKL_MASK) return 1;
    return skl_philox(key, 0, element / 4).v[element % 4] >= a->drop * 4294967296.0;
}
/* One number an image for both, nothing learned: stochastic depth. */
static bool plain_numbers(const struct skl_merge *j) { return !j->a.learned && !j->b.learned && j->a.span != SKL_MASK; }

void affine_forward(const struct skl_merge *j, const struct skl_call *k, int image, const float *h, const float *f,
                    float *y)
{
    const size_t n = skl_image_elements(k->unit);
    const int c = k->unit->out.c;
    const float a0 = forwards(&j->a, image, 0, c), b0 = forwards(&j->b, image, 0, c);
    if (plain_numbers(j)) {
        for (size_t i = 0; i < n; i++) y[i] = a0 * h[i] + b0 * f[i];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float a = forwards(&j->a, image, i, c) * mask_factor(&j->a, k->rng_key, (uint64_t)k->first * n + i);
        y[i] = a * h[i] + forwards(&j->b, image, i, c) * f[i];
    }
}

void affine_backward(const struct skl_merge *j, const struct skl_call *k, int image, const float *h, const float *f,
                     const float *dy, float *dh, float *df, double *da, double *db)
{
    const size_t n = skl_image_elements(k->unit);
    const int c = k->unit->out.c;
    const float a0 = backwards(&j->a, image, 0, c), b0 = backwards(&j->b, image, 0, c);
    if (plain_numbers(j)) {
        for (size_t i = 0; i < n; i++) dh[i] = a0 * dy[i], df[i] = b0 * dy[i];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float m = mask_factor(&j->a, k->rng_key, (uint64_t)k->first * n + i);
        dh[i] = backwards(&j->a, image, i, c) * m * dy[i];
        df[i] = backwards(&j->b, image, i, c) * dy[i];
        da[i % (size_t)c] += (double)dy[i] * m * h[i];
        db[i % (size_t)c] += (double)dy[i] * f[i];
    }
}
