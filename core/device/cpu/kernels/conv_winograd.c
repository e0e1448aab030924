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
 * both m; templates are instantiated for the channel counts of the CIFAR nets. Buffers, and the steps along and down:
 * winograd_rows.h.
 *
 * Wide layers, whose 36 matrices U and dU fit in no cache, take many more tiles at a time: the products are those of
 * large matrices, their results go through memory, and the gradient of w is made last, in blocks of channels. The
 * order of every sum is that of the narrow layers. */
#include "core/device/cpu/kernels/ahead.h"
#include "core/device/cpu/kernels/rows.h"
#include "core/device/cpu/kernels/tile.h"
#include "core/device/cpu/kernels/winograd.h"
#include "core/device/cpu/kernels/winograd_rows.h"

enum { MAX_CHANNELS = 512 };

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
    skl_load_fn *load = skl_pick_load(job->x);
    skl_store_fn *store = skl_pick_store(job->y);
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
        ahead_operand(&ahead, job->x, next * (size_t)c);
        ahead_result(&ahead, job->y, now * (size_t)k);
        load_x(&p, load, job->x, first, last_row < all * m ? last_row : all * m, &b, &loaded);
        for (int j = 0; j < a; j++) {
            x_down(&p, &u, j, b.v);
            const struct column column = column_of(&p, job->packed, j, b.v, b.d, true);
            products_down(&p, &u, &b, &column, &ahead);
        }
        store_y(&p, &u, store, job->y, &b, sums);
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
        ahead_operand(&ahead, job->x, next * (size_t)c);
        ahead_operand(&ahead, job->dy, next * (size_t)k);
        if (job->dx) ahead_result(&ahead, job->dx, now * (size_t)c);
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
