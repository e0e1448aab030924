/* winograd_rows.h - how conv_winograd.c cuts its work, and the ways of a tile between pixels and frequencies: rows of
 * pixels along their half-transformed rows, and those down into columns of frequencies, or back.
 *
 * An image whose sides are no multiples of m has tiles that hang over its right and its lower edge: what they read
 * there is zero, what they would write there is dropped. */
#ifndef SKL_WINOGRAD_ROWS_H
#define SKL_WINOGRAD_ROWS_H
#include "core/device/cpu/kernels/rows.h"
#include "core/device/cpu/kernels/winograd.h"

/* ---- sizes and buffers ---- */

/* The strides are padded, else the a*a buffers' equal offsets would fall on the same few cache sets. */
enum { TILE_PAD = 16, WEIGHT_PAD = 32 };

/* Two rows more, for what lies above and below the image: zeros to read, and a place for what no one reads. */
enum { ZEROS, WASTE, OUTSIDE };

struct plan {
    int m, a, c, k, h, w;
    bool wide;                 /* the transformed weights are larger than the caches */
    int tiles_x, tiles_y;      /* of one image; the last ones may hang over its edge */
    int step, rows, tiles;     /* tile rows of a small unit; tile rows and tiles of a full one */
    int columns;               /* of V and D that are kept */
    int slots;                 /* rows of x or dx that a unit touches: m of each tile row, one above and one below */
    size_t x_row, y_row;       /* floats of one column of a half-transformed row, [tiles_x][c or k] */
    size_t x_column, y_column; /* floats between columns */
    size_t v_stride, d_stride; /* floats between frequencies in V [a][tiles][c] and D or M [a][tiles][k] */
    size_t u_stride;           /* in U and dU, [a*a][c][k]; frequency j*a + i is row i of column j */
};

/* Tiles a unit aims at: enough rows for the register tiles, few enough for the caches.  Of wide layers so many that
 * their weights and gradients, which are in no cache, are not fetched for every few tiles anew. */
enum { UNIT_TILES = 16, WIDE = 128 * 128, WIDE_TILES = 64 };

INLINE int rows_of(int tiles, int tiles_x) { return tiles_x < tiles ? tiles / tiles_x : 1; }

INLINE struct plan plan_of(int m, int h, int w, int c, int k)
{
    struct plan p = {.m = m, .a = m + 2, .c = c, .k = k, .h = h, .w = w, .wide = c * k >= WIDE};
    p.tiles_x = (w + m - 1) / m;
    p.tiles_y = (h + m - 1) / m;
    p.step = rows_of(UNIT_TILES, p.tiles_x);
    p.rows = p.wide ? rows_of(WIDE_TILES, p.tiles_x) / p.step * p.step : p.step;
    p.columns = p.wide ? p.a : 1;
    p.tiles = p.rows * p.tiles_x;
    p.slots = p.rows * m + 2;
    p.x_row = (size_t)(p.tiles_x * c);
    p.y_row = (size_t)(p.tiles_x * k);
    p.x_column = (size_t)(p.slots + OUTSIDE) * p.x_row + TILE_PAD;
    p.y_column = (size_t)(p.rows * m) * p.y_row + TILE_PAD;
    p.v_stride = (size_t)p.tiles * (size_t)c + TILE_PAD;
    p.d_stride = (size_t)p.tiles * (size_t)k + TILE_PAD;
    p.u_stride = (size_t)c * (size_t)k + WEIGHT_PAD;
    return p;
}

/* The gradient of wide weights is made in blocks of channels, all frequencies of one after the other, so that dU
 * stays in the second-level cache between the products and what is made of it. */
enum { BLOCK_C = 64, BLOCK_K = 64, BLOCK_STRIDE = BLOCK_C * BLOCK_K + WEIGHT_PAD };

/* Slices of a worker's scratch memory. */
struct buffers {
    float *v, *d;  /* V; D or M: p->columns columns of frequencies */
    float *du;     /* dU of the chunk; where it is wide, in blocks, [block][a*a][BLOCK_C][BLOCK_K] */
    float *m;      /* D U', one column; where no column of V is kept, in V's place */
    float *x, *dx; /* half-transformed rows, [a][OUTSIDE + slots][tiles_x][c]: row g of the chunk stands in
                                  * slot g mod slots */
    float *y;      /* the same of y or dy, [a][rows*m][tiles_x][k] */
    float *pixels; /* rows as loaded or to be stored, [m + 1][w][max(c, k)] */
};

/* The next slice of `base`, NULL where only sizes are asked for. */
INLINE float *slice(float *base, size_t *at, size_t floats)
{
    float *p = base ? base + *at : NULL;
    *at += (floats + 15) / 16 * 16;
    return p;
}

INLINE size_t gradient_floats_of(const struct plan *p)
{
    const int blocks = ((p->c + BLOCK_C - 1) / BLOCK_C) * ((p->k + BLOCK_K - 1) / BLOCK_K);
    return (size_t)(p->a * p->a) * (p->wide ? (size_t)blocks * BLOCK_STRIDE : p->u_stride);
}

INLINE size_t lay_out(const struct plan *p, struct buffers *b, float *scratch)
{
    size_t at = 0;
    b->v = slice(scratch, &at, (size_t)(p->columns * p->a) * p->v_stride);
    b->d = slice(scratch, &at, (size_t)(p->columns * p->a) * p->d_stride);
    b->m = p->wide ? slice(scratch, &at, (size_t)p->a * p->v_stride) : b->v;
    b->x = slice(scratch, &at, (size_t)p->a * p->x_column);
    b->dx = slice(scratch, &at, (size_t)p->a * p->x_column);
    b->y = slice(scratch, &at, (size_t)p->a * p->y_column);
    b->pixels = slice(scratch, &at, (size_t)((p->m + 1) * p->w) * (size_t)(p->c > p->k ? p->c : p->k));
    b->du = slice(scratch, &at, gradient_floats_of(p));
    return at;
}

static size_t scratch_floats(const struct skl_conv_shape *s, int m)
{
    struct plan p = plan_of(m, s->h, s->w, s->c, s->k);
    struct buffers b;
    return lay_out(&p, &b, NULL);
}

/* Tile rows [begin, begin + rows) of the chunk, whose first image is `first`. */
struct unit {
    int first, begin, rows;
    float *x[WIDE_TILES][MAX_A];       /* where the rows m*r - 1 .. m*r + m of x stand for each tile row r */
    float *dx[WIDE_TILES][MAX_A];      /* the same of dx */
    const float *above[WIDE_TILES][2]; /* what the first two rows of dx already hold */
};

/* Rows are counted with those that hang over the images' lower edges. */
INLINE int image_rows(const struct plan *p) { return p->tiles_y * p->m; }

/* How many of `rows` rows from `row` on, which end with their tiles, there are to be loaded or stored at once. */
INLINE int present(const struct plan *p, int row, int rows)
{
    if (p->h % p->m == 0) return rows;
    const int left = p->h - row % image_rows(p);
    return left < 0 ? 0 : left < rows ? left : rows;
}

/* The number of a row's first pixel in the tensor. */
INLINE size_t pixel_of(const struct plan *p, int first, int row)
{
    return (size_t)((first + row / image_rows(p)) * p->h + row % image_rows(p)) * (size_t)p->w;
}

/* Whether column x is in the image: asked of tiles that may hang over its edge. */
INLINE bool inside(const struct plan *p, int x) { return p->w % p->m == 0 || x < p->w; }

INLINE int slot_of(const struct plan *p, int row) { return OUTSIDE + (row + p->slots) % p->slots; }

INLINE void clear_outside(const struct plan *p, const struct buffers *b)
{
    for (int j = 0; j < p->a; j++) {
        memset(b->x + (size_t)j * p->x_column + ZEROS * p->x_row, 0, sizeof(float) * p->x_row);
        memset(b->dx + (size_t)j * p->x_column + ZEROS * p->x_row, 0, sizeof(float) * p->x_row);
    }
}

INLINE void find_rows(const struct plan *p, const struct buffers *b, struct unit *u)
{
    for (int r = 0; r < u->rows; r++) {
        const int tile_row = u->begin + r, y = tile_row % p->tiles_y * p->m - 1;
        for (int i = 0; i < p->a; i++) {
            const bool outside = y + i < 0 || y + i >= p->h;
            const int slot = slot_of(p, tile_row * p->m - 1 + i);
            u->x[r][i] = b->x + (size_t)(outside ? ZEROS : slot) * p->x_row;
            u->dx[r][i] = b->dx + (size_t)(outside ? WASTE : slot) * p->x_row;
            if (i < 2) u->above[r][i] = b->dx + (size_t)(y < 0 ? ZEROS : slot) * p->x_row;
        }
    }
}

/* ---- x: along the rows, then down them ---- */

/* One row of pixels [w][c] to [a][tiles_x][c].  A tile starts one pixel left of its output; pixels outside are 0. */
INLINE void x_along(const struct plan *p, const float *pixels, float *row)
{
    const struct constants constant = constants();
    const int m = p->m, a = p->a, c = p->c;
    for (int ch = 0; ch < c; ch += LANES) {
        const float *x = pixels + ch;
        vf d[MAX_A], t[MAX_A];
        d[0] = vf_zero();
        d[1] = vf_fetch(x);
        for (int tile = 0; tile < p->tiles_x; tile++, x += m * c) {
#pragma GCC unroll 6
            for (int j = 2; j < a - 1; j++) d[j] = inside(p, tile * m + j - 1) ? vf_fetch(x + (j - 1) * c) : vf_zero();
            d[a - 1] = tile + 1 < p->tiles_x ? vf_load(x + m * c) : vf_zero();
            input_transform(m, &constant, d, t);
#pragma GCC unroll 6
            for (int j = 0; j < a; j++) vf_store(row + (size_t)j * p->x_column + tile * c + ch, t[j]);
            d[0] = d[m];
            d[1] = d[m + 1];
        }
    }
}

/* Loads rows up to `end` of the chunk, from *loaded on, m at a time. */
INLINE void load_x(const struct plan *p, skl_load_fn *load, const struct skl_kernel_operand *job, int first, int end,
                   const struct buffers *b, int *loaded)
{
    while (*loaded < end) {
        const int rows = end - *loaded < p->m ? end - *loaded : p->m, there = present(p, *loaded, rows);
        if (there > 0) {
            const float *pixels = load(job, pixel_of(p, first, *loaded), there * p->w, p->c, b->pixels);
            for (int i = 0; i < there; i++)
                x_along(p, pixels + i * p->w * p->c, b->x + (size_t)slot_of(p, *loaded + i) * p->x_row);
        }
        *loaded += there > 0 ? there : 1;
    }
}

/* Column j of V, to `column`. */
INLINE void x_down(const struct plan *p, const struct unit *u, int j, float *column)
{
    const struct constants constant = constants();
    const int a = p->a, n = p->tiles_x * p->c;
    for (int r = 0; r < u->rows; r++) {
        const float *row[MAX_A];
        float *v = column + r * n;
        for (int i = 0; i < a; i++) row[i] = u->x[r][i] + (size_t)j * p->x_column;
        for (int e = 0; e < n; e += LANES) {
            vf d[MAX_A], t[MAX_A];
#pragma GCC unroll 6
            for (int i = 0; i < a; i++) d[i] = vf_fetch(row[i] + e);
            input_transform(p->m, &constant, d, t);
#pragma GCC unroll 6
            for (int i = 0; i < a; i++) vf_store(v + (size_t)i * p->v_stride + e, t[i]);
        }
    }
}

/* ---- dy, the same ---- */

INLINE void dy_along(const struct plan *p, const float *pixels, float *row)
{
    const struct constants constant = constants();
    const int m = p->m, a = p->a, k = p->k;
    for (int ch = 0; ch < k; ch += LANES)
        for (int tile = 0; tile < p->tiles_x; tile++) {
            vf y[MAX_A], t[MAX_A];
#pragma GCC unroll 6
            for (int j = 0; j < m; j++)
                y[j] = inside(p, tile * m + j) ? vf_fetch(pixels + (tile * m + j) * k + ch) : vf_zero();
            output_transform_transposed(m, &constant, y, t);
#pragma GCC unroll 6
            for (int j = 0; j < a; j++) vf_store(row + (size_t)j * p->y_column + tile * k + ch, t[j]);
        }
}

INLINE void load_dy(const struct plan *p, const struct unit *u, skl_load_fn *load, const struct skl_kernel_operand *job,
                    const struct buffers *b)
{
    for (int r = 0; r < u->rows; r++) {
        const int row = (u->begin + r) * p->m, there = present(p, row, p->m);
        const float *pixels = load(job, pixel_of(p, u->first, row), there * p->w, p->k, b->pixels);
        for (int i = 0; i < p->m; i++) {
            float *y = b->y + (size_t)(r * p->m + i) * p->y_row;
            if (i < there)
                dy_along(p, pixels + i * p->w * p->k, y);
            else
                for (int j = 0; j < p->a; j++) memset(y + (size_t)j * p->y_column, 0, sizeof *y * p->y_row);
        }
    }
}

/* Column j of D, to `column`. */
INLINE void dy_down(const struct plan *p, const struct unit *u, const struct buffers *b, int j, float *column)
{
    const struct constants constant = constants();
    const int m = p->m, a = p->a, n = p->tiles_x * p->k;
    for (int r = 0; r < u->rows; r++) {
        const float *row = b->y + (size_t)j * p->y_column + (size_t)(r * m) * p->y_row;
        float *d = column + r * n;
        for (int e = 0; e < n; e += LANES) {
            vf y[MAX_A], t[MAX_A];
#pragma GCC unroll 6
            for (int i = 0; i < m; i++) y[i] = vf_fetch(row + (size_t)i * p->y_row + e);
            output_transform_transposed(m, &constant, y, t);
#pragma GCC unroll 6
            for (int i = 0; i < a; i++) vf_store(d + (size_t)i * p->d_stride + e, t[i]);
        }
    }
}

/* ---- y: M down the rows, then along them ---- */

/* One vector of column j: its frequencies t [a], from float e of tile row r on. */
INLINE void y_down(const struct plan *p, const struct buffers *b, const struct constants *constant, int j, int r,
                   size_t e, const vf *t)
{
    float *row = b->y + (size_t)j * p->y_column + (size_t)(r * p->m) * p->y_row + e;
    vf y[MAX_A];
    output_transform(p->m, constant, t, y);
#pragma GCC unroll 6
    for (int i = 0; i < p->m; i++) vf_store(row + (size_t)i * p->y_row, y[i]);
}

INLINE void y_along(const struct plan *p, const float *row, float *pixels)
{
    const struct constants constant = constants();
    const int m = p->m, a = p->a, k = p->k;
    for (int ch = 0; ch < k; ch += LANES)
        for (int tile = 0; tile < p->tiles_x; tile++) {
            vf t[MAX_A], y[MAX_A];
#pragma GCC unroll 6
            for (int j = 0; j < a; j++) t[j] = vf_fetch(row + (size_t)j * p->y_column + tile * k + ch);
            output_transform(m, &constant, t, y);
#pragma GCC unroll 6
            for (int j = 0; j < m; j++)
                if (inside(p, tile * m + j)) vf_store(pixels + (tile * m + j) * k + ch, y[j]);
        }
}

INLINE void store_y(const struct plan *p, const struct unit *u, skl_store_fn *store,
                    const struct skl_kernel_result *job, const struct buffers *b, struct skl_sums *sums)
{
    for (int r = 0; r < u->rows; r++) {
        const int row = (u->begin + r) * p->m, there = present(p, row, p->m);
        const size_t at = pixel_of(p, u->first, row);
        float *pixels = place_at(job, at, p->k, b->pixels);
        for (int i = 0; i < there; i++) y_along(p, b->y + (size_t)(r * p->m + i) * p->y_row, pixels + i * p->w * p->k);
        store(job, at, there * p->w, p->k, pixels, sums);
    }
}

/* ---- dx, the same; neighbouring tiles share two rows and two columns, which add up ---- */

/* As y_down.  A tile row's first two rows meet the last two of the one above. */
INLINE void dx_down(const struct plan *p, const struct unit *u, const struct constants *constant, int j, int r,
                    size_t e, const vf *t)
{
    const size_t at = (size_t)j * p->x_column + e;
    vf x[MAX_A];
    input_transform_transposed(p->m, constant, t, x);
    x[0] += vf_load(u->above[r][0] + at);
    x[1] += vf_load(u->above[r][1] + at);
#pragma GCC unroll 6
    for (int i = 0; i < p->a; i++) vf_store(u->dx[r][i] + at, x[i]);
}

/* A tile's last two pixels are the next one's first two; the pixels left and right of the image are dropped. */
INLINE void dx_along(const struct plan *p, const float *row, float *pixels)
{
    const struct constants constant = constants();
    const int m = p->m, a = p->a, c = p->c;
    for (int ch = 0; ch < c; ch += LANES) {
        vf left = vf_zero(), right = vf_zero();
        float *x_out = pixels + ch;
        for (int tile = 0; tile < p->tiles_x; tile++, x_out += m * c) {
            vf t[MAX_A], x[MAX_A];
#pragma GCC unroll 6
            for (int j = 0; j < a; j++) t[j] = vf_fetch(row + (size_t)j * p->x_column + tile * c + ch);
            input_transform_transposed(m, &constant, t, x);
            if (tile > 0) vf_store(x_out - c, x[0] + left);
            vf_store(x_out, x[1] + right);
#pragma GCC unroll 4
            for (int j = 2; j < m; j++)
                if (inside(p, tile * m + j - 1)) vf_store(x_out + (j - 1) * c, x[j]);
            left = x[m];
            right = x[m + 1];
        }
        if (p->w % m == 0) vf_store(x_out - c, left);
    }
}

/* Stores the rows up to `end`, from *stored on. */
INLINE void store_dx_rows(const struct plan *p, int first, int end, skl_store_fn *store,
                          const struct skl_kernel_result *job, const struct buffers *b, struct skl_sums *sums,
                          int *stored)
{
    while (*stored < end) {
        const int rows = end - *stored < p->m ? end - *stored : p->m, there = present(p, *stored, rows);
        if (there > 0) {
            const size_t at = pixel_of(p, first, *stored);
            float *pixels = place_at(job, at, p->c, b->pixels);
            for (int i = 0; i < there; i++)
                dx_along(p, b->dx + (size_t)slot_of(p, *stored + i) * p->x_row, pixels + i * p->w * p->c);
            store(job, at, there * p->w, p->c, pixels, sums);
        }
        *stored += there > 0 ? there : 1;
    }
}

/* Stores the rows that are finished: all but the last of every small unit, unless that one ends an image.  (Sums are
 * made store by store: these are their order, whatever a unit's size.) */
INLINE void store_dx(const struct plan *p, const struct unit *u, skl_store_fn *store,
                     const struct skl_kernel_result *job, const struct buffers *b, struct skl_sums *sums, int *stored)
{
    const int last = u->begin + u->rows;
    for (int next = u->begin; next < last;) {
        next = next + p->step < last ? next + p->step : last;
        store_dx_rows(p, u->first, next * p->m - (next % p->tiles_y == 0 ? 0 : 1), store, job, b, sums, stored);
    }
}
#endif
