/* Convolutions by their definition: sizes 1, 3 and 7, strides 1 and 2, any number of input channels.
 *
 * An image goes, row by row as it is needed, into a buffer with a zero border; a row of output pixels is a sum of
 * matrix products:
 *
 *     forward           y[oy]  = sum over kh  P[oy*stride + kh] W[kh]      P: x with its border; a pixel's size*c
 *                                                                          neighbours in a row are contiguous
 *     gradient of w     dW[kh] = sum over oy  P[oy*stride + kh]' dy[oy]
 *     gradient of x     dx[y]  = sum over the (oy, kh) with oy*stride + kh - size/2 = y, and likewise along the row:
 *                                with stride 2 the even and the odd pixels of a row see different taps
 *
 * Sizes 1 of stride 1 have no neighbours: they take the pixels of a chunk as one long matrix, block by block. */
#include "core/device/cpu/kernels/ahead.h"
#include "core/device/cpu/kernels/rows.h"
#include "core/device/cpu/kernels/tile.h"

struct plan {
    int h, w, c, k, size, stride, border;
    int oh, ow; /* output rows and columns */
    int edge;   /* border of Q */
    int pw, qw; /* columns of P and Q with their borders */
    int cl;     /* c rounded up to whole vectors: dx is made in these */
};

INLINE struct plan plan_of(const struct skl_conv_shape *s, int c, int k, int size, int stride)
{
    struct plan p = {.h = s->h, .w = s->w, .c = c, .k = k, .size = size, .stride = stride, .border = size / 2};
    p.oh = (s->h + stride - 1) / stride;
    p.ow = (s->w + stride - 1) / stride;
    p.pw = (p.ow - 1) * stride + size > s->w + 2 * p.border ? (p.ow - 1) * stride + size : s->w + 2 * p.border;
    p.edge = size > 3 ? p.border : 1;
    p.qw = p.ow + 2 * p.edge;
    p.cl = (c + LANES - 1) / LANES * LANES;
    return p;
}

static bool is_pointwise(const struct skl_conv_shape *s) { return s->size == 1 && s->stride == 1; }

/* Pixels a pointwise block holds: x, y and the weights stay in the first-level cache. */
INLINE int block_pixels(int c, int k)
{
    const int pixels = 2048 / (c > k ? c : k) / 16 * 16;
    return pixels < 16 ? 16 : pixels > 128 ? 128 : pixels;
}

/* Pixels of a pass over `pixels` of them: of wide layers so many that their weights and gradients, which are in no
 * cache, are not fetched for each block anew.  A multiple of the block; at most WIDE_PIXELS. */
enum { WIDE = 128, WIDE_PIXELS = 128 };
INLINE int pass_pixels(int c, int k, size_t pixels)
{
    const int block = block_pixels(c, k);
    if ((c > k ? c : k) < WIDE) return block;
    const size_t passes = 2 * pixels / WIDE_PIXELS > 1 ? 2 * pixels / WIDE_PIXELS : 1;
    const size_t each = (pixels + passes - 1) / passes;
    return (int)((each + (size_t)block - 1) / (size_t)block) * block;
}
INLINE int most_pixels(int c, int k) { return (c > k ? c : k) < WIDE ? block_pixels(c, k) : WIDE_PIXELS; }

struct buffers {
    float *x;   /* P [h + size][pw][c] */
    float *dy;  /* Q [edge + oh + edge][qw][k] */
    float *row; /* output pixels to be stored, [ow][k] or [w][cl] */
};

INLINE size_t lay_out(const struct plan *p, struct buffers *b, float *scratch)
{
    const size_t x = (size_t)((p->h + p->size + 1) * p->pw * p->c), dy = (size_t)((p->oh + 2 * p->edge) * p->qw * p->k);
    b->x = scratch;
    b->dy = scratch ? b->x + (x + 15) / 16 * 16 : NULL;
    b->row = scratch ? b->dy + (dy + 15) / 16 * 16 : NULL;
    return (x + 15) / 16 * 16 + (dy + 15) / 16 * 16 +
           (size_t)(p->w * p->cl > p->ow * p->k ? p->w * p->cl : p->ow * p->k);
}

static size_t pointwise_floats(const struct skl_conv_shape *s)
{
    return 4 * (size_t)most_pixels(s->c, s->k) * (size_t)((s->c > s->k ? s->c : s->k) + LANES);
}

static size_t scratch_floats(const struct skl_conv_shape *s)
{
    struct plan p = plan_of(s, s->c, s->k, s->size, s->stride);
    struct buffers b;
    return is_pointwise(s) ? pointwise_floats(s) : lay_out(&p, &b, NULL);
}

/* ---- weights ---- */

/* Forward: for each kh a packed matrix (size*c) x k.  Backward: packed matrices k x cl, taps in falling order; with
 * stride 1 the taps of a row meet adjacent pixels of dy and are one matrix (size*k) x cl. */
static size_t packed_floats(const struct skl_conv_shape *s)
{
    return (size_t)(s->size * s->size) * (size_t)s->k * (size_t)((s->c + LANES - 1) / LANES * LANES);
}

static void prepare_forward(const struct plan *p, const float *w, int c0, int c1, float *packed)
{
    const size_t matrix = (size_t)(p->size * p->c) * (size_t)p->k;
    for (int kh = 0; kh < p->size; kh++)
        for (int kw = 0; kw < p->size; kw++)
            for (int ch = c0; ch < c1; ch++)
                for (int kk = 0; kk < p->k; kk++)
                    packed[(size_t)kh * matrix + packed_at(p->k, p->size * p->c, kw * p->c + ch, kk)] =
                        w[((size_t)((kh * p->size + kw) * p->c + ch)) * (size_t)p->k + (size_t)kk];
}

static void prepare_backward(const struct plan *p, const float *w, int k0, int k1, float *packed)
{
    const int joined = p->stride == 1 ? p->size : 1, last = p->size - 1;
    const size_t matrix = (size_t)(joined * p->k) * (size_t)p->cl;
    for (int tap = 0; tap < p->size * p->size; tap++) {
        const int kh = last - tap / p->size, kw = last - tap % p->size;
        for (int kk = k0; kk < k1; kk++)
            for (int ch = 0; ch < p->cl; ch++)
                packed[(size_t)(tap / joined) * matrix +
                       packed_at(p->cl, joined * p->k, tap % joined * p->k + kk, ch)] =
                    ch < p->c ? w[((size_t)((kh * p->size + kw) * p->c + ch)) * (size_t)p->k + (size_t)kk] : 0;
    }
}

static void prepare(const struct skl_conv_shape *s, const float *w, bool backward, int first, int end, float *packed)
{
    const struct plan p = plan_of(s, s->c, s->k, s->size, s->stride);
    (backward ? prepare_backward : prepare_forward)(&p, w, first, end, packed);
}

/* ---- images with borders ---- */

/* Rows of x up to `end`, from *loaded on: loaded just before they are used, they come from the first-level cache. */
INLINE void load_x_rows(const struct plan *p, skl_load_fn *load, const struct skl_kernel_operand *job, int image,
                        int end, int *loaded, float *x)
{
    for (int y = *loaded; y < end && y < p->h; y++, ++*loaded)
        load_into(load, job, (size_t)(image * p->h + y) * (size_t)p->w, p->w, p->c,
                  x + ((y + p->border) * p->pw + p->border) * p->c);
}

/* Rows [begin, end) of dy. */
INLINE void load_dy_rows(const struct plan *p, skl_load_fn *load, const struct skl_kernel_operand *job, int image,
                         int begin, int end, float *dy)
{
    for (int y = begin; y < end; y++)
        load_into(load, job, (size_t)(image * p->oh + y) * (size_t)p->ow, p->ow, p->k,
                  dy + ((y + p->edge) * p->qw + p->edge) * p->k);
}

INLINE void clear_borders(const struct buffers *b) { memset(b->x, 0, sizeof(float) * (size_t)(b->row - b->x)); }

/* ---- one image ---- */

INLINE void forward_row(const struct plan *p, const float *x, const float *packed, int oy, float *row,
                        struct ahead *ahead)
{
    const size_t matrix = (size_t)(p->size * p->c) * (size_t)p->k;
    multiply_parts(
        p->ow, p->k, p->size, p->size * p->c,
        (struct matrix_a){x + oy * p->stride * p->pw * p->c, (size_t)(p->stride * p->c), 1, (size_t)(p->pw * p->c)},
        (struct matrix_b){packed, 0, matrix}, (struct matrix_d){row, (size_t)p->k}, false, ahead);
}

/* What output rows [oy, oy + rows) add. */
INLINE void weight_gradient(const struct plan *p, const float *x, const float *dy, int oy, int rows, bool accumulate,
                            float *dw, struct ahead *ahead)
{
    for (int kh = 0; kh < p->size; kh++)
        multiply_parts(
            p->size * p->c, p->k, rows, p->ow,
            (struct matrix_a){x + (oy * p->stride + kh) * p->pw * p->c, 1, (size_t)(p->stride * p->c),
                              (size_t)(p->stride * p->pw * p->c)},
            (struct matrix_b){dy + ((oy + p->edge) * p->qw + p->edge) * p->k, (size_t)p->k, (size_t)(p->qw * p->k)},
            (struct matrix_d){dw + (size_t)kh * (size_t)(p->size * p->c) * (size_t)p->k, (size_t)p->k}, accumulate,
            ahead);
}

/* Row y of dx, pixels px, px + stride, ...: their taps are those kh, kw with y + border - kh and px + border - kw
 * multiples of the stride.  Taps stand in falling order in `packed`, so oy and ox rise. */
INLINE void input_gradient_phase(const struct plan *p, const float *dy, const float *packed, int y, int px, float *row,
                                 struct ahead *ahead)
{
    const int joined = p->stride == 1 ? p->size : 1, pixels = (p->w - px + p->stride - 1) / p->stride;
    bool accumulate = false;
    for (int tap = 0; tap < p->size * p->size; tap += joined) {
        const int kh = p->size - 1 - tap / p->size, kw = p->size - 1 - tap % p->size;
        const int ys = y + p->border - kh, xs = px + p->border - kw;
        if (ys & (p->stride - 1) || xs & (p->stride - 1)) continue;
        const int oy = ys >> (p->stride - 1), ox = xs >> (p->stride - 1);
        multiply_ahead(pixels, p->cl, joined * p->k,
                       (struct matrix_a){dy + ((oy + p->edge) * p->qw + ox + p->edge) * p->k, (size_t)p->k, 1},
                       (struct matrix_b){packed + (size_t)tap * (size_t)p->k * (size_t)p->cl, 0},
                       (struct matrix_d){row + px * p->cl, (size_t)(p->stride * p->cl)}, accumulate, ahead);
        accumulate = true;
    }
    for (int i = 0; !accumulate && i < pixels; i++)
        memset(row + (px + i * p->stride) * p->cl, 0, sizeof *row * (size_t)p->cl);
}

/* [pixels][cl] to [pixels][c] at `place`, which may be the row itself. */
INLINE void drop_padding(int pixels, int c, int cl, const float *row, float *place)
{
    for (int i = 0; c != cl && i < pixels; i++) memmove(place + i * c, row + i * cl, sizeof *row * (size_t)c);
}

/* How often multiply_ahead fetches, about: tiles that are not full come on top. */
INLINE int fetches(int rows, int depth, int n)
{
    const int vectors = n / PANEL, left = n % PANEL > 0;
    return (vectors * ((rows + ROWS2 - 1) / ROWS2) + left * ((rows + ROWS1 - 1) / ROWS1)) *
           ((depth + FETCH_EVERY - 1) / FETCH_EVERY);
}

INLINE int forward_fetches(const struct plan *p) { return p->oh * p->size * fetches(p->ow, p->size * p->c, p->k); }

INLINE void forward_chunk(const struct skl_conv_forward *job, int first, int n, struct skl_sums *sums, float *scratch,
                          const struct plan p)
{
    skl_load_fn *load = skl_pick_load(job->x);
    skl_store_fn *store = skl_pick_store(job->y);
    struct buffers b;
    lay_out(&p, &b, scratch);
    clear_borders(&b);
    const int x_floats = p.h * p.w * p.c, y_floats = p.oh * p.ow * p.k;
    for (int image = first; image < first + n; image++) {
        struct ahead x = ahead_of(x_floats, forward_fetches(&p)), y = ahead_of(y_floats, forward_fetches(&p));
        ahead_operand(&x, job->x, (size_t)(image + 1) * (size_t)x_floats);
        ahead_result(&y, job->y, (size_t)(image + 1) * (size_t)y_floats);
        x.also = &y;
        for (int oy = 0, loaded = 0; oy < p.oh; oy++) {
            load_x_rows(&p, load, job->x, image, oy + 1 == p.oh ? p.h : oy * p.stride + p.size - p.border, &loaded,
                        b.x);
            const size_t at = (size_t)(image * p.oh + oy) * (size_t)p.ow;
            float *row = place_at(job->y, at, p.k, b.row);
            forward_row(&p, b.x, job->packed, oy, row, &x);
            store(job->y, at, p.ow, p.k, row, sums);
        }
    }
}

/* Output rows whose share of the weights' gradient is summed in registers; all of an image where the gradient is larger
 * than the caches that it passes through.  The order of the sums is the same. */
enum { GRADIENT_ROWS = 4, LARGE_GRADIENT = 1 << 18 };
INLINE int gradient_rows(const struct plan *p)
{
    return p->size * p->size * p->c * p->k >= LARGE_GRADIENT ? p->oh : GRADIENT_ROWS;
}

INLINE int gradient_fetches(const struct plan *p) { return p->oh * p->size * fetches(p->size * p->c, p->ow, p->k); }

/* All phases together make one product for each row of y and tap. */
INLINE int input_fetches(const struct plan *p) { return p->oh * p->size * p->size * fetches(p->ow, p->k, p->cl); }

INLINE void backward_chunk(const struct skl_conv_backward *job, int first, int n, float *dw, struct skl_sums *sums,
                           float *scratch, const struct plan p)
{
    skl_load_fn *load_x = skl_pick_load(job->x), *load_dy = skl_pick_load(job->dy);
    skl_store_fn *store = job->dx ? skl_pick_store(job->dx) : NULL;
    struct buffers b;
    lay_out(&p, &b, scratch);
    clear_borders(&b);
    const int x_floats = p.h * p.w * p.c, y_floats = p.oh * p.ow * p.k;
    for (int image = first; image < first + n; image++) {
        struct ahead dx = ahead_of(x_floats, gradient_fetches(&p)), dy = ahead_of(y_floats, gradient_fetches(&p));
        struct ahead x = ahead_of(x_floats, input_fetches(&p));
        if (job->dx) ahead_result(&dx, job->dx, (size_t)image * (size_t)x_floats);
        ahead_operand(&dy, job->dy, (size_t)(image + 1) * (size_t)y_floats);
        ahead_operand(&x, job->x, (size_t)(image + 1) * (size_t)x_floats);
        dx.also = &dy;
        for (int oy = 0, loaded = 0; oy < p.oh; oy += gradient_rows(&p)) {
            const int end = oy + gradient_rows(&p) < p.oh ? oy + gradient_rows(&p) : p.oh;
            load_x_rows(&p, load_x, job->x, image, (end - 1) * p.stride + p.size - p.border, &loaded, b.x);
            load_dy_rows(&p, load_dy, job->dy, image, oy, end, b.dy);
            weight_gradient(&p, b.x, b.dy, oy, end - oy, image > first || oy > 0, dw, &dx);
        }
        for (int y = 0; job->dx && y < p.h; y++) {
            const size_t at = (size_t)(image * p.h + y) * (size_t)p.w;
            float *place = place_at(job->dx, at, p.c, b.row), *row = p.c == p.cl ? place : b.row;
            for (int px = 0; px < p.stride && px < p.w; px++)
                input_gradient_phase(&p, b.dy, job->packed, y, px, row, &x);
            drop_padding(p.w, p.c, p.cl, row, place);
            store(job->dx, at, p.w, p.c, place, sums);
        }
    }
}

/* ---- pointwise: no neighbours, no images ---- */

INLINE int backward_fetches(int pixels, int c, int k) { return fetches(c, pixels, k) + fetches(pixels, k, c); }

/* In blocks, whose sums are made one by one. */
INLINE void store_blocks(skl_store_fn *store, const struct skl_kernel_result *job, size_t at, int pixels, int c,
                         int block, const float *from, struct skl_sums *sums)
{
    for (int i = 0; i < pixels; i += block)
        store(job, at + (size_t)i, pixels - i < block ? pixels - i : block, c, from + i * c, sums);
}

INLINE void pointwise_forward(const struct skl_conv_forward *job, int first, int n, struct skl_sums *sums,
                              float *scratch, int c, int k)
{
    skl_load_fn *load = skl_pick_load(job->x);
    skl_store_fn *store = skl_pick_store(job->y);
    const size_t image = (size_t)(job->shape.h * job->shape.w), end = (size_t)(first + n) * image;
    const int block = block_pixels(c, k), pass = pass_pixels(c, k, (size_t)n * image);
    float *xs = scratch, *ys = scratch + pass * (c + LANES);
    struct ahead ahead;
    if (job->ahead) ahead = ahead_from(job->ahead, fetches(n * (int)image, c, k));
    for (size_t at = (size_t)first * image; at < end; at += (size_t)pass) {
        const int pixels = end - at < (size_t)pass ? (int)(end - at) : pass;
        if (!job->ahead) {
            ahead = ahead_of(pass * c, fetches(pixels, c, k));
            ahead_operand(&ahead, job->x, (at + (size_t)pass) * (size_t)c);
            ahead_result(&ahead, job->y, (at + (size_t)pass) * (size_t)k);
        }
        const float *x = load(job->x, at, pixels, c, xs);
        float *y = place_at(job->y, at, k, ys);
        multiply_ahead(pixels, k, c, (struct matrix_a){x, (size_t)c, 1}, (struct matrix_b){job->packed, 0},
                       (struct matrix_d){y, (size_t)k}, false, &ahead);
        store_blocks(store, job->y, at, pixels, k, block, y, sums);
    }
}

INLINE void pointwise_backward(const struct skl_conv_backward *job, int first, int n, float *dw, struct skl_sums *sums,
                               float *scratch, int c, int k)
{
    skl_load_fn *load_x = skl_pick_load(job->x), *load_dy = skl_pick_load(job->dy);
    skl_store_fn *store = job->dx ? skl_pick_store(job->dx) : NULL;
    const size_t image = (size_t)(job->shape.h * job->shape.w), begin = (size_t)first * image,
                 end = (size_t)(first + n) * image;
    const int block = block_pixels(c, k), pass = pass_pixels(c, k, end - begin), cl = (c + LANES - 1) / LANES * LANES;
    float *xs = scratch, *dx = xs + pass * (c + LANES), *dys = dx + pass * (cl + LANES);
    struct ahead ahead;
    if (job->ahead) ahead = ahead_from(job->ahead, backward_fetches(n * (int)image, c, k));
    for (size_t at = begin; at < end; at += (size_t)pass) {
        const int pixels = end - at < (size_t)pass ? (int)(end - at) : pass;
        const float *x = load_x(job->x, at, pixels, c, xs);
        const float *dy = load_dy(job->dy, at, pixels, k, dys);
        if (!job->ahead) {
            ahead = ahead_of(pass * c, backward_fetches(pixels, c, k));
            ahead_operand(&ahead, job->x, (at + (size_t)pass) * (size_t)c);
            ahead_operand(&ahead, job->dy, (at + (size_t)pass) * (size_t)k);
            if (job->dx) ahead_result(&ahead, job->dx, (at + (size_t)pass) * (size_t)c);
        }
        multiply_ahead(c, k, pixels, (struct matrix_a){x, 1, (size_t)c}, (struct matrix_b){dy, (size_t)k},
                       (struct matrix_d){dw, (size_t)k}, at > begin, &ahead);
        if (!job->dx) continue;
        float *place = place_at(job->dx, at, c, dx), *row = c == cl ? place : dx;
        multiply_ahead(pixels, cl, k, (struct matrix_a){dy, (size_t)k, 1}, (struct matrix_b){job->packed, 0},
                       (struct matrix_d){row, (size_t)cl}, false, &ahead);
        drop_padding(pixels, c, cl, row, place);
        store_blocks(store, job->dx, at, pixels, c, block, place, sums);
    }
}

/* ---- instances: the CIFAR nets' shapes as constants, and any other ---- */
#ifdef SKL_ANY_SHAPE
#define FOR_SHAPES(call) call(s->c, s->k, s->size, s->stride)
#define FOR_WIDTHS(call, c, k) call(c, k)
#else

#define IF_SHAPE(C, K, SIZE, STRIDE, call) \
    if (s->c == C && s->k == K && s->size == SIZE && s->stride == STRIDE) { \
        call(C, K, SIZE, STRIDE); \
        return; \
    }
#define FOR_SHAPES(call) \
    IF_SHAPE(16, 16, 3, 1, call) \
    IF_SHAPE(32, 32, 3, 1, call) \
    IF_SHAPE(64, 64, 3, 1, call) \
    IF_SHAPE(16, 32, 3, 2, call) \
    IF_SHAPE(32, 64, 3, 2, call) \
    IF_SHAPE(3, 16, 3, 1, call) \
    IF_SHAPE(3, 64, 7, 2, call) \
    call(s->c, s->k, s->size, s->stride)
#define FOR_WIDTHS(call, c, k) \
    if (c == 16 && k == 16) \
        call(16, 16); \
    else if (c == 32 && k == 32) \
        call(32, 32); \
    else if (c == 64 && k == 64) \
        call(64, 64); \
    else \
        call(c, k)
#endif

static void forward_spatial(const struct skl_conv_forward *job, int first, int n, struct skl_sums *sums, float *scratch)
{
    const struct skl_conv_shape *s = &job->shape;
#define CALL(C, K, SIZE, STRIDE) forward_chunk(job, first, n, sums, scratch, plan_of(s, C, K, SIZE, STRIDE))
    FOR_SHAPES(CALL);
#undef CALL
}

static void backward_spatial(const struct skl_conv_backward *job, int first, int n, float *dw, struct skl_sums *sums,
                             float *scratch)
{
    const struct skl_conv_shape *s = &job->shape;
#define CALL(C, K, SIZE, STRIDE) backward_chunk(job, first, n, dw, sums, scratch, plan_of(s, C, K, SIZE, STRIDE))
    FOR_SHAPES(CALL);
#undef CALL
}

static void forward(const struct skl_conv_forward *job, int first, int n, struct skl_sums *sums, float *scratch)
{
    const int c = job->shape.c, k = job->shape.k;
#define CALL(C, K) pointwise_forward(job, first, n, sums, scratch, C, K)
    if (!is_pointwise(&job->shape))
        forward_spatial(job, first, n, sums, scratch);
    else
        FOR_WIDTHS(CALL, c, k);
#undef CALL
}

static size_t gradient_floats(const struct skl_conv_shape *s)
{
    return (size_t)(s->size * s->size) * (size_t)s->c * (size_t)s->k;
}

static void backward(const struct skl_conv_backward *job, int first, int n, float *dw, struct skl_sums *sums,
                     float *scratch)
{
    const int c = job->shape.c, k = job->shape.k;
    if (n == 0)
        memset(dw, 0, sizeof *dw * gradient_floats(&job->shape));
    else if (!is_pointwise(&job->shape))
        backward_spatial(job, first, n, dw, sums, scratch);
#define CALL(C, K) pointwise_backward(job, first, n, dw, sums, scratch, C, K)
    else
        FOR_WIDTHS(CALL, c, k);
#undef CALL
}

static bool supports(const struct skl_conv_shape *s)
{
    return (s->size == 1 || s->size == 3 || s->size == 7) && (s->stride == 1 || s->stride == 2) && s->h > 0 &&
           s->w > 0 && s->c > 0 && s->k > 0 && s->k % LANES == 0;
}

extern const struct skl_conv_kernel SKL_NAME(skl_direct);
const struct skl_conv_kernel SKL_NAME(skl_direct) = {
    .name = "direct-" SKL_LEVEL_TEXT,
    .algo = SKL_CONV_DIRECT,
    .level = SKL_LEVEL_ID,
    .supports = supports,
    .packed_floats = packed_floats,
    .prepare = prepare,
    .scratch_floats = scratch_floats,
    .forward = forward,
    .gradient_floats = gradient_floats,
    .backward = backward,
    .reduce = skl_sum_partials,
};
