/* reference.h - the plain C definition of every vector operation in the kernel table (see kernels.h for the
 * contracts).  Slow, readable, and the table's content at level "ref". */
#ifndef SKL_REFERENCE_H
#define SKL_REFERENCE_H
#include "core/device/cpu/kernels/kernels.h"

void skl_ref_load_rows(const struct skl_kernel_operand *l, size_t first, int pixels, int c, float *dst);
void skl_ref_store_rows(const struct skl_kernel_result *s, size_t first, int pixels, int c, const float *src,
                        struct skl_sums *sums);
void skl_ref_keep_bits(uint64_t key, double drop, uint64_t first, size_t n, uint8_t *bits);
void skl_ref_sigmoid(size_t n, const float *x, float *y);
void skl_ref_sgd(size_t n, float *w, const float *g, float *v, float lr, float momentum, float weight_decay, bool caffe,
                 bool nesterov);
void skl_ref_pool(int pixels, int c, const float *x, float *y);
void skl_ref_max_pool(const float *const rows[3], int w, int c, float *y, uint8_t *chosen);
void skl_ref_max_unpool(const struct skl_pooled_row *pooled, int count, int w, int c, float *dx);
double skl_ref_fma_burst(int64_t rounds);

/* Convolution by its definition, one image, sums in double: y[oh][ow][k].  x is what was loaded. */
void skl_ref_conv_forward(const struct skl_conv_shape *s, const float *x, const float *w, double *y);
/* dx[h][w][c] (overwritten; NULL: not wanted) and dw[size][size][c][k] (added to) of one image. */
void skl_ref_conv_backward(const struct skl_conv_shape *s, const float *x, const float *w, const float *dy, double *dx,
                           double *dw);
#endif
