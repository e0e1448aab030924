#include "core/data/pictures/resize.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

enum { BITS = 22 };

static double triangle(double x)
{
    x = x < 0 ? -x : x;
    return x < 1 ? 1 - x : 0;
}

static void make_one(struct skl_taps *t, int at, double centre, double spread, int min, int max)
{
    int first = (int)floor(centre - spread + 0.5), end = (int)floor(centre + spread + 0.5);
    if (first < min) first = min;
    if (end > max) end = max;
    double sum = 0;
    for (int i = first; i < end; i++) sum += triangle((i - centre + 0.5) / spread);
    for (int i = first; i < end; i++)
        t->weight[(size_t)at * (size_t)t->room + (size_t)(i - first)] =
            (int32_t)(0.5 + triangle((i - centre + 0.5) / spread) / sum * (1 << BITS));
    t->first[at] = first;
    t->n[at] = end - first;
}

void skl_taps_make(struct skl_taps *t, double low, double high, int min, int max, int size, int from, int count,
                   int mirrored)
{
    const double scale = (high - low) / size, spread = scale < 1 ? 1 : scale;
    *t = (struct skl_taps){.count = count, .room = (int)ceil(spread) * 2 + 1};
    t->first = skl_alloc_array((size_t)count, sizeof *t->first);
    t->n = skl_alloc_array((size_t)count, sizeof *t->n);
    t->weight = skl_alloc_array((size_t)count * (size_t)t->room, sizeof *t->weight);
    for (int i = 0; i < count; i++)
        make_one(t, mirrored ? count - 1 - i : i, low + (from + i + 0.5) * scale, spread, min, max);
}

void skl_taps_free(struct skl_taps *t)
{
    free(t->first);
    free(t->n);
    free(t->weight);
    *t = (struct skl_taps){0};
}

void skl_taps_span(const struct skl_taps *t, int *first, int *end)
{
    *first = INT_MAX;
    *end = 0;
    for (int i = 0; i < t->count; i++) {
        if (t->first[i] < *first) *first = t->first[i];
        if (t->first[i] + t->n[i] > *end) *end = t->first[i] + t->n[i];
    }
}

static uint8_t rounded(int32_t sum)
{
    const int32_t v = (sum + (1 << (BITS - 1))) >> BITS;
    return (uint8_t)(v > 255 ? 255 : v);
}

void skl_resize_row(const struct skl_taps *x, const uint8_t *row, int start, uint8_t *out)
{
    for (int i = 0; i < x->count; i++, out += 3) {
        const int32_t *w = x->weight + (size_t)i * (size_t)x->room;
        const uint8_t *p = row + (size_t)(x->first[i] - start) * 3;
        int32_t r = 0, g = 0, b = 0;
        for (int k = 0; k < x->n[i]; k++, p += 3) {
            r += w[k] * p[0];
            g += w[k] * p[1];
            b += w[k] * p[2];
        }
        out[0] = rounded(r);
        out[1] = rounded(g);
        out[2] = rounded(b);
    }
}

void skl_resize_columns(const struct skl_taps *y, const uint8_t *rows, int start, int bytes, uint8_t *out)
{
    int32_t *sum = skl_alloc_array((size_t)bytes, sizeof *sum);
    for (int i = 0; i < y->count; i++, out += bytes) {
        memset(sum, 0, sizeof *sum * (size_t)bytes);
        for (int k = 0; k < y->n[i]; k++) {
            const int32_t w = y->weight[(size_t)i * (size_t)y->room + (size_t)k];
            const uint8_t *restrict p = rows + (size_t)(y->first[i] + k - start) * (size_t)bytes;
            int32_t *restrict to = sum;
            for (int c = 0; c < bytes; c++) to[c] += w * p[c];
        }
        for (int c = 0; c < bytes; c++) out[c] = rounded(sum[c]);
    }
    free(sum);
}
