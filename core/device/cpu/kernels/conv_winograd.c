/* 3x3 convolutions of stride 1 by Winograd's minimal filtering, F(m x m, 3x3) with m = 4 or 2 (Lavin and Gray, "Fast
 * Algorithms for Convolutional Neural Networks", 2016).
 *
 * A tile is m x m output pixels; it needs a x a input pixels, a = m + 2.  With the matrices B, G, A of the algorithm,
 * all products are over channels only, one small matrix product for each of the a*a frequencies:
 *
 *     forward             Y  = A' [ (G w G') . (B' X B) ] A
 *     gradient of w       dW = G' [ (B' X B) . (A dY A') ] G                  summed over tiles
 *     gradient of X       dX = B  [ (G w G') . (A dY A') ] B'                 tiles overlap by two pixels and add up
 *
 * The two gradients share A dY A', so one pass over the images makes both.
 *
 * Work goes in units of a few tile rows.  A two-dimensional transform is two one-dimensional ones: along the rows,
 * where pixels come in or go out, and down the rows, where buffers of many tiles and channels are one flat loop.
 * Between the two lie half-transformed rows [a][tiles_x][channels].  The a frequencies of one column j share the step
 * down, so the columns are taken one after the other, and what a column needs stays in the first-level cache:
 *
 *     x rows  --along-->  [rows][a][..]
 *     for each column j:  --down-->  V [a][tiles][c]  --a products with U [a][c][k]-->
 *                                    M [a][tiles][k]  --down-->  [rows][j]
 *     [rows][a][..]  --along-->  y rows
 *
 * Where the CPU has 32 registers, M is made and used up in them, a few tiles at a time. Rows are numbered through the
 * whole chunk: a unit may span images, and every row is loaded and stored exactly once. Everything is written once for
 * both m; templates are instantiated for the channel counts of the CIFAR nets. One kernel, from its buffers to its
 * rows in the table: hence the length of the file. */
#include "core/device/cpu/kernels/ahead.h"
#include "core/device/cpu/kernels/rows.h"
#include "core/device/cpu/kernels/tile.h"
#include "core/device/cpu/kernels/winograd.h"

enum { MAX_CHANNELS = 512 };

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
INLINE void load_x(const struct plan *p, skl_load_fn *load, const struct skl_load *job, int first, int end,
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

INLINE void load_dy(const struct plan *p, const struct unit *u, skl_load_fn *load, const struct skl_load *job,
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

INLINE void store_y(const struct plan *p, const struct unit *u, skl_store_fn *store, const struct skl_store *job,
                    const struct buffers *b, struct skl_sums *sums)
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
INLINE void store_dx_rows(const struct plan *p, int first, int end, skl_store_fn *store, const struct skl_store *job,
                          const struct buffers *b, struct skl_sums *sums, int *stored)
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
INLINE void store_dx(const struct plan *p, const struct unit *u, skl_store_fn *store, const struct skl_store *job,
                     const struct buffers *b, struct skl_sums *sums, int *stored)
{
    const int last = u->begin + u->rows;
    for (int next = u->begin; next < last;) {
        next = next + p->step < last ? next + p->step : last;
        store_dx_rows(p, u->first, next * p->m - (next % p->tiles_y == 0 ? 0 : 1), store, job, b, sums, stored);
    }
}

/* ---- the products of a column, and what is made of them ---- */

/* One column of a matrix product a frequency: y's V U or dx's D U'. */
struct column {
    int j, depth, n;   /* channels read and made */
    const float *from; /* V or D [a][tiles][depth] */
    float *into;       /* M or D U' [a][tiles][n] */
    size_t from_stride, into_stride;
    const float *weights; /* packed, frequency i at i * u_stride */
    bool forward;
};

INLINE struct column column_of(const struct plan *p, const float *packed, int j, const float *from, float *into,
                               bool forward)
{
    const float *weights = packed + (size_t)(j * p->a) * p->u_stride;
    if (forward) return (struct column){j, p->c, p->k, from, into, p->v_stride, p->d_stride, weights, true};
    return (struct column){j, p->k, p->c, from, into, p->d_stride, p->v_stride, weights, false};
}

/* Where column j of V or D is kept. */
INLINE float *kept(const struct plan *p, float *columns, size_t stride, int j)
{
    return columns + (size_t)(j % p->columns * p->a) * stride;
}

/* The frequencies t [a] of tile `tile` and channels from ch on, down to their rows. */
INLINE void down(const struct plan *p, const struct unit *u, const struct buffers *b, const struct column *column,
                 int tile, int ch, const vf *t)
{
    const struct constants constant = constants();
    const size_t e = (size_t)(tile % p->tiles_x) * (size_t)column->n + (size_t)ch;
    if (column->forward)
        y_down(p, b, &constant, column->j, tile / p->tiles_x, e, t);
    else
        dx_down(p, u, &constant, column->j, tile / p->tiles_x, e, t);
}

/* With 32 registers: a few tiles and one vector of channels at a time, for all frequencies of the column, so that
 * the products never leave the registers.  With 16, and with weights from beyond the first-level cache, that would need
 * more loads than the multiply-adds hide. */
enum { BLOCK = 4 };
INLINE bool in_registers(const struct plan *p) { return VECTOR_REGISTERS == 32 && !p->wide; }

INLINE void block_down(const struct plan *p, const struct unit *u, const struct buffers *b, const struct column *column,
                       int tile, int tiles, int ch, struct ahead *ahead)
{
    const int panel = ch / PANEL * PANEL, width = column->n - panel < PANEL ? column->n - panel : PANEL;
    const float *from = column->from + (size_t)tile * (size_t)column->depth;
    const float *weights = column->weights + (size_t)panel * (size_t)column->depth + (size_t)(ch - panel);
    vf t[BLOCK][MAX_A];
    column_products(p->a, tiles, column->depth, from, column->from_stride, weights, p->u_stride, (size_t)width, t,
                    ahead);
#pragma GCC unroll 4
    for (int q = 0; q < tiles; q++) down(p, u, b, column, tile + q, ch, t[q]);
}

INLINE void products_in_registers(const struct plan *p, const struct unit *u, const struct buffers *b,
                                  const struct column *column, struct ahead *ahead)
{
    const int tiles = u->rows * p->tiles_x;
    for (int ch = 0; ch < column->n; ch += LANES) {
        int tile = 0;
        for (; tile + BLOCK <= tiles; tile += BLOCK) block_down(p, u, b, column, tile, BLOCK, ch, ahead);
        for (; tile < tiles; tile++) block_down(p, u, b, column, tile, 1, ch, ahead);
    }
}

/* All products of a column, and their results down to their rows. */
INLINE void products_down(const struct plan *p, const struct unit *u, const struct buffers *b,
                          const struct column *column, struct ahead *ahead)
{
    const int tiles = u->rows * p->tiles_x, depth = column->depth, n = column->n;
    if (in_registers(p)) {
        products_in_registers(p, u, b, column, ahead);
        return;
    }
    for (int i = 0; i < p->a; i++) {
        ahead_fetch(ahead);
        multiply(tiles, n, depth, (struct matrix_a){column->from + (size_t)i * column->from_stride, (size_t)depth, 1},
                 (struct matrix_b){column->weights + (size_t)i * p->u_stride, 0},
                 (struct matrix_d){column->into + (size_t)i * column->into_stride, (size_t)n}, false);
    }
    for (int tile = 0; tile < tiles; tile++)
        for (int ch = 0; ch < n; ch += LANES) {
            vf t[MAX_A];
#pragma GCC unroll 6
            for (int i = 0; i < p->a; i++)
                t[i] = vf_fetch(column->into + (size_t)i * column->into_stride + (size_t)(tile * n + ch));
            down(p, u, b, column, tile, ch, t);
        }
}

/* How often products_down fetches ahead in a unit. */
INLINE int fetches(const struct plan *p, int depth, int n)
{
    return in_registers(p)
               ? p->a * (n / LANES) * ((p->tiles + BLOCK - 1) / BLOCK) * ((depth + FETCH_EVERY - 1) / FETCH_EVERY)
               : p->a * p->a;
}

/* Frequency i of column j, where one is kept: dU (+)= V' D. */
INLINE void weight_products(const struct plan *p, const struct buffers *b, int i, int j, int tiles, bool accumulate)
{
    const size_t c = (size_t)p->c, k = (size_t)p->k;
    multiply(p->c, p->k, tiles, (struct matrix_a){b->v + (size_t)i * p->v_stride, 1, c},
             (struct matrix_b){b->d + (size_t)i * p->d_stride, k},
             (struct matrix_d){b->du + (size_t)(j * p->a + i) * p->u_stride, k}, accumulate);
}

/* dw = G' dU G, of `rows` rows of `n` weights: in dU one after the other, in dw k floats apart. */
INLINE void finish_gradient(const struct plan *p, const float *du, size_t stride, int rows, int n, float *dw, int k)
{
    const int m = p->m, a = p->a;
    const size_t tap = (size_t)p->c * (size_t)p->k;
    for (int row = 0; row < rows; row++)
        for (int at = 0; at < n; at += LANES) {
            vf half[3][MAX_A], t[MAX_A], w[3];
#pragma GCC unroll 6
            for (int j = 0; j < a; j++) {
#pragma GCC unroll 6
                for (int i = 0; i < a; i++) t[i] = vf_load(du + (size_t)(j * a + i) * stride + row * n + at);
                weight_transform_transposed(m, t, w);
                for (int i = 0; i < 3; i++) half[i][j] = w[i];
            }
            for (int i = 0; i < 3; i++) {
                weight_transform_transposed(m, half[i], w);
                for (int j = 0; j < 3; j++) vf_store(dw + (size_t)(i * 3 + j) * tap + (size_t)(row * k + at), w[j]);
            }
        }
}

/* All frequencies of a wide layer's unit, block by block; with the chunk's last unit also dw.  A chunk of one unit has
 * no use for dU afterwards. */
INLINE void wide_gradient(const struct plan *p, const struct buffers *b, int tiles, bool first, bool last, float *dw)
{
    const size_t c = (size_t)p->c, k = (size_t)p->k;
    float *du = b->du;
    for (int c0 = 0; c0 < p->c; c0 += BLOCK_C)
        for (int k0 = 0; k0 < p->k; k0 += BLOCK_K) {
            const int rows = p->c - c0 < BLOCK_C ? p->c - c0 : BLOCK_C, n = p->k - k0 < BLOCK_K ? p->k - k0 : BLOCK_K;
            for (int f = 0; f < p->a * p->a; f++)
                multiply(rows, n, tiles, (struct matrix_a){b->v + (size_t)f * p->v_stride + c0, 1, c},
                         (struct matrix_b){b->d + (size_t)f * p->d_stride + k0, k},
                         (struct matrix_d){du + f * BLOCK_STRIDE, (size_t)n}, !first);
            if (last) finish_gradient(p, du, BLOCK_STRIDE, rows, n, dw + (size_t)c0 * k + k0, p->k);
            if (!first || !last) du += p->a * p->a * BLOCK_STRIDE;
        }
}

/* Pixels of the tensor at which the unit begins, and at which x is needed next. */
INLINE size_t begin_of(const struct plan *p, const struct unit *u) { return pixel_of(p, u->first, u->begin * p->m); }

INLINE size_t end_of(const struct plan *p, const struct unit *u)
{
    return pixel_of(p, u->first, (u->begin + u->rows) * p->m);
}

/* ---- one chunk ---- */

INLINE void forward_chunk(const struct skl_conv_forward *job, int first, int n, struct skl_sums *sums, float *scratch,
                          int m, int h, int w, int c, int k)
{
    const struct plan p = plan_of(m, h, w, c, k);
    skl_load_fn *load = skl_pick_load(job->load);
    skl_store_fn *store = skl_pick_store(job->store);
    const int all = n * p.tiles_y, a = p.a;
    const int unit_floats = p.rows * m * w * c;
    int loaded = 0;
    struct buffers b;
    lay_out(&p, &b, scratch);
    clear_outside(&p, &b);
    for (struct unit u = {.first = first}; u.begin < all; u.begin += u.rows) {
        u.rows = all - u.begin < p.rows ? all - u.begin : p.rows;
        find_rows(&p, &b, &u);
        const int last_row = (u.begin + u.rows) * m + 1;
        const size_t now = begin_of(&p, &u), next = end_of(&p, &u);
        struct ahead ahead = ahead_of(unit_floats, fetches(&p, c, k));
        ahead_load(&ahead, job->load, next * (size_t)c);
        ahead_store(&ahead, job->store, now * (size_t)k);
        load_x(&p, load, job->load, first, last_row < all * m ? last_row : all * m, &b, &loaded);
        for (int j = 0; j < a; j++) {
            x_down(&p, &u, j, b.v);
            const struct column column = column_of(&p, job->packed, j, b.v, b.d, true);
            products_down(&p, &u, &b, &column, &ahead);
        }
        store_y(&p, &u, store, job->store, &b, sums);
    }
}

INLINE void backward_chunk(const struct skl_conv_backward *job, int first, int n, float *dw, struct skl_sums *sums,
                           float *scratch, int m, int h, int w, int c, int k)
{
    const struct plan p = plan_of(m, h, w, c, k);
    skl_load_fn *from_x = skl_pick_load(job->x), *from_dy = skl_pick_load(job->dy);
    skl_store_fn *store = job->dx ? skl_pick_store(job->dx) : NULL;
    const int all = n * p.tiles_y, a = p.a;
    const int unit_floats = p.rows * m * w * c;
    int loaded = 0, stored = 0;
    struct buffers b;
    lay_out(&p, &b, scratch);
    clear_outside(&p, &b);
    for (struct unit u = {.first = first}; u.begin < all; u.begin += u.rows) {
        u.rows = all - u.begin < p.rows ? all - u.begin : p.rows;
        find_rows(&p, &b, &u);
        const int tiles = u.rows * p.tiles_x, last_row = (u.begin + u.rows) * m + 1;
        const size_t now = begin_of(&p, &u), next = end_of(&p, &u);
        struct ahead ahead = ahead_of(unit_floats, a * a + fetches(&p, k, c));
        ahead_load(&ahead, job->x, next * (size_t)c);
        ahead_load(&ahead, job->dy, next * (size_t)k);
        if (job->dx) ahead_store(&ahead, job->dx, now * (size_t)c);
        load_dy(&p, &u, from_dy, job->dy, &b);
        load_x(&p, from_x, job->x, first, last_row < all * m ? last_row : all * m, &b, &loaded);
        for (int j = 0; j < a; j++) {
            float *d = kept(&p, b.d, p.d_stride, j);
            dy_down(&p, &u, &b, j, d);
            x_down(&p, &u, j, kept(&p, b.v, p.v_stride, j));
            for (int i = 0; i < a && !p.wide; i++) {
                ahead_fetch(&ahead);
                weight_products(&p, &b, i, j, tiles, u.begin > 0);
            }
            if (!job->dx) continue;
            const struct column column = column_of(&p, job->packed, j, d, b.m, false);
            products_down(&p, &u, &b, &column, &ahead);
        }
        if (p.wide) wide_gradient(&p, &b, tiles, u.begin == 0, u.begin + u.rows == all, dw);
        if (job->dx) store_dx(&p, &u, store, job->dx, &b, sums, &stored);
    }
    if (n > 0 && !p.wide) finish_gradient(&p, b.du, p.u_stride, 1, c * k, dw, c * k);
    if (n == 0) memset(dw, 0, sizeof *dw * 9 * (size_t)(c * k));
}

/* ---- instances: the shapes of the CIFAR nets, at full and half size, as constants; and any other ---- */
#ifdef SKL_ANY_SHAPE
#define FOR_SHAPES(s, CALL) CALL((s)->h, (s)->w, (s)->c, (s)->k)
#else
#define FOR_SHAPES(s, CALL) \
    if (IS(s, 32, 16)) \
        CALL(32, 32, 16, 16); \
    else if (IS(s, 16, 32)) \
        CALL(16, 16, 32, 32); \
    else if (IS(s, 8, 64)) \
        CALL(8, 8, 64, 64); \
    else if (IS(s, 16, 16)) \
        CALL(16, 16, 16, 16); \
    else if (IS(s, 8, 32)) \
        CALL(8, 8, 32, 32); \
    else if (IS(s, 4, 64)) \
        CALL(4, 4, 64, 64); \
    else \
        CALL((s)->h, (s)->w, (s)->c, (s)->k)
#endif
#define IS(s, W, C) ((s)->h == (W) && (s)->w == (W) && (s)->c == (C) && (s)->k == (C))

#define INSTANCES(M) \
    static void forward_##M(const struct skl_conv_forward *job, int first, int n, struct skl_sums *sums, \
                            float *scratch) \
    { \
        FOR_SHAPES(&job->shape, FORWARD_##M); \
    } \
    static void backward_##M(const struct skl_conv_backward *job, int first, int n, float *dw, struct skl_sums *sums, \
                             float *scratch) \
    { \
        FOR_SHAPES(&job->shape, BACKWARD_##M); \
    }
#define FORWARD_4(H, W, C, K) forward_chunk(job, first, n, sums, scratch, 4, H, W, C, K)
#define FORWARD_2(H, W, C, K) forward_chunk(job, first, n, sums, scratch, 2, H, W, C, K)
#define BACKWARD_4(H, W, C, K) backward_chunk(job, first, n, dw, sums, scratch, 4, H, W, C, K)
#define BACKWARD_2(H, W, C, K) backward_chunk(job, first, n, dw, sums, scratch, 2, H, W, C, K)
INSTANCES(4)
INSTANCES(2)

/* ---- weights: U = G w G' ---- */

static void prepare_forward(const struct skl_conv_shape *s, int m, const float *w, int c0, int c1, float *packed)
{
    const struct plan p = plan_of(m, s->h, s->w, s->c, s->k);
    for (int kk = 0; kk < s->k; kk += LANES)
        for (int ch = c0; ch < c1; ch++) {
            vf taps[9];
            for (int i = 0; i < 9; i++)
                taps[i] = vf_load(w + ((size_t)i * (size_t)s->c + (size_t)ch) * (size_t)s->k + kk);
            transform_weights(m, taps, packed + packed_at(s->k, s->c, ch, kk), p.u_stride);
        }
}

/* Lanes are input channels here: weights that stand k floats apart.  A few output channels at a time, as many as stand
 * in a cache line: in all of wide weights the lines would push each other out between two of their floats. */
static void prepare_backward(const struct skl_conv_shape *s, int m, const float *w, int k0, int k1, float *packed)
{
    const struct plan p = plan_of(m, s->h, s->w, s->c, s->k);
    for (int ch = 0; ch < s->c; ch += LANES)
        for (int from = k0; from < k1; from += LANES) {
            const int n = k1 - from < LANES ? k1 - from : LANES;
            float turned[LANES][9][LANES];
            for (int i = 0; i < 9; i++)
                for (int l = 0; l < LANES; l++) {
                    const float *row = w + ((size_t)i * (size_t)s->c + (size_t)(ch + l)) * (size_t)s->k + (size_t)from;
                    for (int kk = 0; kk < n; kk++) turned[kk][i][l] = row[kk];
                }
            for (int kk = 0; kk < n; kk++) {
                vf taps[9];
                for (int i = 0; i < 9; i++) taps[i] = vf_load(turned[kk][i]);
                transform_weights(m, taps, packed + packed_at(s->c, s->k, from + kk, ch), p.u_stride);
            }
        }
}

/* ---- the kernel table's rows ---- */

static bool supports(const struct skl_conv_shape *s, int m)
{
    return s->size == 3 && s->stride == 1 && s->c > 0 && s->k > 0 && s->c % LANES == 0 && s->k % LANES == 0 &&
           s->c <= MAX_CHANNELS && s->k <= MAX_CHANNELS && s->h > 0 && s->w > 0 &&
           (m == 4 || (s->h % m == 0 && s->w % m == 0));
}

static size_t gradient_floats(const struct skl_conv_shape *s) { return 9 * (size_t)s->c * (size_t)s->k; }

#define ROW(M) \
    static bool supports_##M(const struct skl_conv_shape *s) { return supports(s, M); } \
    static size_t packed_floats_##M(const struct skl_conv_shape *s) \
    { \
        return (M + 2) * (M + 2) * plan_of(M, s->h, s->w, s->c, s->k).u_stride; \
    } \
    static size_t scratch_floats_##M(const struct skl_conv_shape *s) { return scratch_floats(s, M); } \
    static void prepare_##M(const struct skl_conv_shape *s, const float *w, bool backward, int first, int end, \
                            float *packed) \
    { \
        (backward ? prepare_backward : prepare_forward)(s, M, w, first, end, packed); \
    } \
    extern const struct skl_conv_kernel SKL_NAME(skl_winograd##M); \
    const struct skl_conv_kernel SKL_NAME(skl_winograd##M) = { \
        .name = "winograd" #M "-" SKL_LEVEL_TEXT, \
        .algo = SKL_CONV_WINOGRAD##M, \
        .level = SKL_LEVEL_ID, \
        .supports = supports_##M, \
        .packed_floats = packed_floats_##M, \
        .prepare = prepare_##M, \
        .scratch_floats = scratch_floats_##M, \
        .forward = forward_##M, \
        .gradient_floats = gradient_floats, \
        .backward = backward_##M, \
        .reduce = skl_sum_partials, \
    };
ROW(4)
ROW(2)
