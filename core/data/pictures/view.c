#include "core/data/pictures/view.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "core/data/pictures/picture.h"
#include "core/data/pictures/resize.h"

/* ---- draws ---- */

/* Numbers 0 to 2 of an image's key are the small sets' (crop, flip, cutout); flip and cutout are the same here. */
enum { DRAW_FLIP = 1, DRAW_SIDE = 3, DRAW_TOP, DRAW_LEFT, DRAW_COLOUR, DRAW_TRIES = 16, TRIES = 10 };

static uint64_t key_of(uint64_t seed, int64_t epoch, int image)
{
    return skl_rng_key(seed, SKL_RNG_AUGMENT, (uint64_t)epoch, (uint64_t)image);
}

/* A whole number from low to high, both included. */
static int between(uint64_t key, uint64_t index, int low, int high)
{
    return low + (int)(skl_rng_uniform(key, index) * ((double)high - low + 1));
}

/* The whole picture, its shorter side resized to `side`; the other as torchvision has it, rounded down. */
static struct skl_view resized(int side, int width, int height)
{
    struct skl_view v = {.w = width, .h = height, .across = side, .down = side};
    if (width < height)
        v.down = (int)((int64_t)side * height / width);
    else
        v.across = (int)((int64_t)side * width / height);
    return v;
}

static struct skl_view draw_side(const struct skl_data_config *cfg, uint64_t key, int width, int height)
{
    const int *range = cfg->augment.resize, size = cfg->size;
    const int low = range[0] ? range[0] : (size * 8 + 3) / 7, high = range[0] ? range[1] : (size * 15 + 3) / 7;
    struct skl_view v = resized(between(key, DRAW_SIDE, low, high), width, height);
    v.top = between(key, DRAW_TOP, 0, v.down - size);
    v.left = between(key, DRAW_LEFT, 0, v.across - size);
    return v;
}

/* The same bits everywhere, which the C library's does not promise; |x| below 3. */
static double own_exp(double x)
{
    double term = 1, sum = 1;
    for (int i = 1; i < 40; i++) sum += term = term * x / i;
    return sum;
}

/* As torchvision's RandomResizedCrop: ten tries, then the largest part in the middle that has an aspect allowed. */
static struct skl_view draw_area(const struct skl_data_config *cfg, uint64_t key, int width, int height)
{
    const double *area = cfg->augment.area, usual[2] = {0.75, 4.0 / 3}, all = (double)width * height;
    const double *aspect = cfg->augment.aspect[0] > 0 ? cfg->augment.aspect : usual;
    const double low = skl_log(aspect[0]), high = skl_log(aspect[1]);
    struct skl_view v = {.across = cfg->size, .down = cfg->size};
    for (uint64_t i = DRAW_TRIES; i < DRAW_TRIES + 4 * TRIES; i += 4) {
        const double part = all * (area[0] + (area[1] - area[0]) * skl_rng_uniform(key, i)),
                     ratio = own_exp(low + (high - low) * skl_rng_uniform(key, i + 1));
        v.w = (int)(sqrt(part * ratio) + 0.5);
        v.h = (int)(sqrt(part / ratio) + 0.5);
        if (v.w < 1 || v.h < 1 || v.w > width || v.h > height) continue;
        v.y = between(key, i + 2, 0, height - v.h);
        v.x = between(key, i + 3, 0, width - v.w);
        return v;
    }
    const double own = (double)width / height;
    v.w = own > aspect[1] ? (int)fmax(1, height * aspect[1] + 0.5) : width;
    v.h = own < aspect[0] ? (int)fmax(1, width / aspect[0] + 0.5) : height;
    v.x = (width - v.w) / 2;
    v.y = (height - v.h) / 2;
    return v;
}

struct skl_view skl_view_draw(const struct skl_data_config *cfg, uint64_t seed, int64_t epoch, int image, int width,
                              int height)
{
    const uint64_t key = key_of(seed, epoch, image);
    struct skl_view v =
        cfg->augment.area[0] > 0 ? draw_area(cfg, key, width, height) : draw_side(cfg, key, width, height);
    v.flip = cfg->augment.flip && skl_rng_bits(key, DRAW_FLIP) >> 63;
    return v;
}

/* Halves go to the even number, as torchvision's do. */
static int middle(int room) { return room / 2 + (room & room / 2 & 1); }

struct skl_view skl_view_test(const struct skl_data_config *cfg, int crop, int width, int height)
{
    const int size = cfg->size, side = cfg->test_resize ? cfg->test_resize : (size * 8 + 3) / 7, place = crop % 5;
    struct skl_view v = resized(side, width, height);
    const int down = v.down - size, across = v.across - size;
    v.top = place == 0 ? middle(down) : place > 2 ? down : 0;
    v.left = place == 0 ? middle(across) : place % 2 ? 0 : across;
    v.flip = crop >= 5;
    return v;
}

/* ---- colour ---- */

/* Krizhevsky's: principal components of ImageNet's colours, each times a normal number of deviation 0.1. */
void skl_colour_draw(const struct skl_data_config *cfg, uint64_t seed, int64_t epoch, int image, double rgb[3])
{
    static const double value[3] = {0.2175, 0.0188, 0.0045};
    static const double vector[3][3] = {
        {-0.5675, 0.7192, 0.4009}, {-0.5808, -0.0045, -0.8140}, {-0.5836, -0.6948, 0.4203}};
    const uint64_t key = skl_rng_bits(key_of(seed, epoch, image), DRAW_COLOUR);
    double times[3];
    for (int k = 0; k < 3; k++) times[k] = 0.1 * value[k] * skl_rng_normal(key, (uint64_t)k);
    for (int c = 0; c < 3; c++)
        rgb[c] = 255 * (vector[c][0] * times[0] + vector[c][1] * times[1] + vector[c][2] * times[2]);
    if (cfg->augment.colour == SKL_COLOUR_NONE) rgb[0] = rgb[1] = rgb[2] = 0;
}

/* ---- making it ---- */

/* The decoder's reduction leaves twice the sides that are needed: the rest is done as for all others. */
static int shrink_of(const struct skl_picture *p, const struct skl_view *v)
{
    int shrink = 1;
    while (p->jpeg && shrink < 8 && v->w >= 4 * shrink * v->across && v->h >= 4 * shrink * v->down) shrink *= 2;
    return shrink;
}

struct making {
    struct skl_taps x, y;
    struct skl_region source;
    int bytes; /* of a row of the image */
    uint8_t *rows;
};

static void take_row(void *context, int y, const uint8_t *rgb)
{
    const struct making *m = context;
    skl_resize_row(&m->x, rgb, m->source.x, m->rows + (size_t)(y - m->source.y) * (size_t)m->bytes);
}

static void taps(struct skl_taps *t, int at, int length, int shrink, int all, int to, int from, int size, bool flip)
{
    const double low = (double)at / shrink, high = (double)(at + length) / shrink;
    const int max = (at + length + shrink - 1) / shrink, sides = (all + shrink - 1) / shrink;
    skl_taps_make(t, low, high, at / shrink, max < sides ? max : sides, to, from, size, flip);
}

int skl_view_make(struct skl_picture *p, const struct skl_view *v, int size, uint8_t *out, struct skl_err *err)
{
    const int shrink = shrink_of(p, v);
    struct making m = {.bytes = 3 * size};
    int right, bottom;
    taps(&m.x, v->x, v->w, shrink, p->width, v->across, v->left, size, v->flip);
    taps(&m.y, v->y, v->h, shrink, p->height, v->down, v->top, size, false);
    skl_taps_span(&m.x, &m.source.x, &right);
    skl_taps_span(&m.y, &m.source.y, &bottom);
    m.source.w = right - m.source.x;
    m.source.h = bottom - m.source.y;
    m.rows = skl_alloc_array((size_t)m.source.h, (size_t)m.bytes);
    int status = skl_picture_read(p, shrink, m.source, take_row, &m, err);
    if (!status) skl_resize_columns(&m.y, m.rows, m.source.y, m.bytes, out);
    free(m.rows);
    skl_taps_free(&m.x);
    skl_taps_free(&m.y);
    return status;
}
