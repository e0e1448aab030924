/* harness.h - what the kernel tests share: random numbers from a seed that is printed, buffers that catch every byte
 * read or written outside them, and a count of failures. */
#ifndef KERNEL_HARNESS_H
#define KERNEL_HARNESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/parallel.h"
#include "core/device/cpu/kernels/kernels.h"

/* Fails the test and says why, without ending it.  At most 20 messages are printed. */
#define CHECK(cond, ...) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, __VA_ARGS__))
void check_failed(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
extern int checks_failed;

void random_seed(uint64_t seed);
uint64_t random_bits(void);
int random_below(int n);
double random_normal(void);

/* Kinds of data, from friendly to hostile. */
enum data {
    DATA_NORMAL,   /* N(0, 1) */
    DATA_OFFSET,   /* 1000 + N(0, 1)/100: large mean, small deviation */
    DATA_ZEROS,    /* half of them exactly 0: what stands at a ReLU */
    DATA_DENORMAL, /* 1e-39 times N(0, 1) */
    DATA_WIDE,     /* N(0, 1)^3 times 2^(-8..8) */
    DATA_KINDS
};
void fill(float *p, size_t n, enum data kind);
void fill_nan(float *p, size_t n);

/* A buffer that ends at a page no one may touch: reading or writing past the end ends the test with a signal.  Bytes
 * before it are checked when it is freed.  Its start is aligned only as its length allows. */
void *guarded(size_t bytes);
float *guarded_floats(size_t n);
void guarded_free(void *p);

double max_abs(const float *p, size_t n);
/* |a - b| / |b| in the Frobenius norm; a is judged against b. */
double relative_error(const float *a, const double *b, size_t n);

void check_vector(const struct skl_kernels *kernels);                                     /* check_vector.c */
void check_conv(const struct skl_conv_kernel *kernel, const struct skl_kernels *kernels); /* check_conv.c */
void check_select(void);
void bench(const char *filter, int threads, int images); /* bench.c */
#endif
