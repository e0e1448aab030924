/* kernels.h - every hot operation behind one table of function pointers.
 *
 * Tensors are float32, NHWC, contiguous: element (n, y, x, c) stands at ((n*h + y)*w + x)*c_count + c.
 * Convolution weights are [kh][kw][c][k] (c: input channel, k: output channel).
 *
 * The idea that makes fusion simple.  Every operation of a residual net loads an *operand* and stores a *result*, as in
 * core/device/device.h, with pointers in place of places:
 *
 *     operand   v = relu?( scale∘x + shift + add_scale∘keep?∘add ),  also written to `out` if asked for
 *     result    y = mask?( v + add_scale∘keep?∘add ),                and per-channel sums over y
 *
 * An operand is BN-apply + ReLU (+ the addition of the shortcut, written once as the unit's output), and in the
 * backward pass the derivative of batch norm (x = gradient, add = the BN's input).  A result makes the batch norm's
 * statistics in the forward pass; in the backward pass it adds the gradient that came along the shortcut, applies the
 * ReLU's mask and makes the two sums of the batch norm below.  So a convolution kernel only has to call load_rows and
 * store_rows; one algorithm serves every place in the net.
 *
 * Determinism: a mini-batch (a batch-norm group) is cut into a fixed number of chunks of whole images
 * (core/base/parallel.h).  A chunk owns its partial sums; sums over chunks are made in chunk order.  Nothing depends
 * on the number of threads. */
#ifndef SKL_KERNELS_H
#define SKL_KERNELS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/cpu.h"
#include "core/device/conv.h"

struct skl_kernel_operand {
    const float *x;               /* [n,h,w,c] */
    const float *scale, *shift;   /* [c]; scale NULL: 1 and 0 */
    const float *add, *add_scale; /* [n,h,w,c] and [c]; add NULL: nothing added; add_scale NULL: 1 */
    const uint8_t *keep; /* one bit an element of add, bit i%8 of byte i/8: 0 drops it; NULL: all kept; c % 8 == 0 */
    bool relu;
    float *out; /* [n,h,w,c], each element written exactly once; NULL: not wanted.  May equal x or add. */
};

struct skl_kernel_result {
    float *y;                     /* [n,h,w,c].  May equal add. */
    const float *add, *add_scale; /* as in skl_kernel_operand */
    const uint8_t *keep;
    /* y = 0 where not mask_scale∘mask + mask_shift > 0; mask NULL: no mask; mask_scale NULL: 1, 0 */
    const float *mask, *mask_scale, *mask_shift;
    /* Sums over y, per channel.  partner NULL: statistics of y itself, sum(y - p) and sum((y - p)^2), where p is
     * the chunk's first pixel (kept in skl_sums.pivot).  Else sum(y) and sum(y*(partner - pivot)), and the same
     * for partner2. */
    bool sums;
    const float *partner, *pivot; /* [n,h,w,c] and [c]; pivot NULL: 0 */
    const float *partner2, *pivot2;
};

/* One chunk's partial sums.  Arrays of c, double so that long chains do not lose bits. */
struct skl_sums {
    int64_t count;
    float *pivot;
    double *sum, *dot, *dot2;
};

/* ---- convolution: shapes and algorithms in core/device/conv.h ---- */
/* Memory that will be needed soon: the next `floats` of each tensor from where the pointers stand.  A kernel may fetch
 * it into the second-level cache while it computes. */
struct skl_prefetch {
    const float *read[8], *write[4];
    int reads, writes, floats;
};

struct skl_kernels;
struct skl_conv_forward {
    struct skl_conv_shape shape;
    const float *packed;
    const struct skl_kernels *kernels; /* whose load_rows and store_rows to use, where the kernel has none of its own */
    const struct skl_kernel_operand *x;
    const struct skl_kernel_result *y;
    const struct skl_prefetch *ahead; /* NULL: what the job itself reads and writes next */
};
struct skl_conv_backward {
    struct skl_conv_shape shape;
    const float *packed;
    const struct skl_kernels *kernels;
    const struct skl_kernel_operand *x;  /* what the forward pass read; its `out` is NULL here */
    const struct skl_kernel_operand *dy; /* gradient of the output */
    const struct skl_kernel_result *dx;  /* where the gradient of the value read goes; NULL: not wanted */
    const struct skl_prefetch *ahead;    /* as in skl_conv_forward */
};

/* One algorithm on one CPU level: a row of kernels.def. */
struct skl_conv_kernel {
    const char *name; /* "winograd4-avx2", for the run's record */
    enum skl_conv_algo algo;
    enum skl_cpu_level level; /* the least level that can run it */
    bool (*supports)(const struct skl_conv_shape *s);
    /* The weights in compute form, made once a step.  prepare packs those of the channels [first, end) that are read:
     * input channels forward, output channels backward.  Different ranges may run at the same time. */
    size_t (*packed_floats)(const struct skl_conv_shape *s);
    void (*prepare)(const struct skl_conv_shape *s, const float *w, bool backward, int first, int end, float *packed);
    size_t (*scratch_floats)(const struct skl_conv_shape *s); /* one worker's; undefined on entry */
    /* Images [first, first + n): whole chunk in one call.  sums: this chunk's (NULL where y->sums or dx->sums is
     * false). */
    void (*forward)(const struct skl_conv_forward *job, int first, int n, struct skl_sums *sums, float *scratch);
    /* dw: this chunk's partial gradient in the kernel's own form, gradient_floats long, overwritten. */
    size_t (*gradient_floats)(const struct skl_conv_shape *s);
    void (*backward)(const struct skl_conv_backward *job, int first, int n, float *dw, struct skl_sums *sums,
                     float *scratch);
    /* dw[.][.][c0..c1)[.] = (accumulate ? dw : 0) + sum over chunks in order of partial[i*stride]. */
    void (*reduce)(const struct skl_conv_shape *s, const float *partial, int chunks, size_t stride, int c0, int c1,
                   bool accumulate, float *dw);
};

/* ---- the table ---- */
/* A row of outputs of max pooling, 3x3 of stride 2 and padding 1 (core/device/device.h), that looks at some input row
 * as its row i. */
struct skl_pooled_row {
    const float *dy;       /* [ow][c], ow = (w + 1) / 2 */
    const uint8_t *chosen; /* [ow][c]: 3 i + j */
    int i;
};

struct skl_kernels {
    const char *level; /* "avx2": name of the CPU level the table was made for */
    enum skl_cpu_level cpu;

    /* dst[p*c + i] = the loaded value of `pixels` pixels from pixel number `first` (of the whole tensor) on. */
    void (*load_rows)(const struct skl_kernel_operand *x, size_t first, int pixels, int c, float *dst);
    /* Stores src[pixels][c], which may be y's own pixels, at pixel `first`; adds to sums. */
    void (*store_rows)(const struct skl_kernel_result *y, size_t first, int pixels, int c, const float *src,
                       struct skl_sums *sums);

    /* keep bits for elements [first, first + n), first and n multiples of 8: element e is kept iff its 32 random bits
     * (word e%4 of philox(key, 0, e/4)) >= drop * 2^32. bits[0] is the byte of element `first`. */
    void (*keep_bits)(uint64_t key, double drop, uint64_t first, size_t n, uint8_t *bits);

    void (*sigmoid)(size_t n, const float *x, float *y); /* y may equal x; own exp: same bits on one level everywhere */
    /* SGD, one tensor, d = g + wd w.  torch: v = m v + d, w -= lr v.  caffe: v = m v + lr d, w -= v.  nesterov: what w
     * takes is m v + d (caffe: m v + lr d) in place of v. */
    void (*sgd)(size_t n, float *w, const float *g, float *v, float lr, float momentum, float weight_decay, bool caffe,
                bool nesterov);
    /* Multiply-adds in registers alone, as fast as this level can: returns the floating-point operations done (two
     * each). For bench: the peak rate that a direct convolution could reach. */
    double (*fma_burst)(int64_t rounds);
    /* Average pooling over `pixels` pixels of one image: y[c]. */
    void (*pool)(int pixels, int c, const float *x, float *y);
    /* One row of max pooling, y[ow][c], of the three input rows [w][c], NULL outside the image; the middle one is
     * inside. chosen [ow][c], NULL: not wanted. */
    void (*max_pool)(const float *const rows[3], int w, int c, float *y, uint8_t *chosen);
    /* The gradient of one input row, dx[w][c] overwritten: from the rows of outputs that look at it, added in their
     * order and each from left to right. */
    void (*max_unpool)(const struct skl_pooled_row *pooled, int count, int w, int c, float *dx);
};

/* The table for this CPU (or a lower level); built once, constant afterwards. */
const struct skl_kernels *skl_kernels_for(enum skl_cpu_level level);
/* All rows of kernels.def, best first, NULL-terminated: for tests and --help. */
const struct skl_conv_kernel *const *skl_conv_kernels(void);
/* The first row that fits: algorithm (AUTO: winograd4, winograd2, direct, gemm in this order), level at most `level`,
 * shape.  gemm fits every shape, so one is always found: an algorithm that does not support a shape falls to direct,
 * then gemm. */
const struct skl_conv_kernel *skl_conv_select(enum skl_conv_algo algo, enum skl_cpu_level level,
                                              const struct skl_conv_shape *s);

/* gemm.c, the only user of BLAS.  C[m][n] (+)= op(A) op(B), row-major.  Always single-threaded: OpenBLAS's own
 * threading changes bits. */
/* Loads OpenBLAS, the first time; ends the process where it cannot be (skl_die).  Before other threads are started. */
void skl_gemm_setup(void);
void skl_gemm(bool ta, bool tb, int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta,
              float *c, int ldc);
const char *skl_gemm_version(void); /* "OpenBLAS 0.3.21 ... SkylakeX" for the numerics key */
#endif
