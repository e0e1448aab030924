/* lab.h - what the tests of a device share: one memory whose every byte is known, before an operation and after it.
 *
 * A test lays tensors into the lab's memory (put, out), uploads it, runs the operation and downloads all of it again.
 * Bytes that no tensor marked for writing owns must be as they were. */
#ifndef DEVICE_LAB_H
#define DEVICE_LAB_H
#include "core/device/device.h"
#include "tests/kernels/harness.h"

struct lab {
    struct skl_device *d;
    const struct skl_device_ops *ops;
    struct skl_pool *pool;
    struct skl_memory *memory;
    size_t used;
    char *before, *after; /* on the host: what was uploaded, what came back */
    bool *mine;           /* a byte that the operation may write */
};
void lab_open(struct lab *lab, const char *device, int threads);
void lab_ready(struct lab *lab, const struct skl_needs *needs); /* once, with all plans made */
void lab_close(struct lab *lab);
void lab_reset(struct lab *lab); /* no tensors, every byte hostile */
void lab_upload(struct lab *lab);
void lab_download(struct lab *lab, const char *what); /* finishes, and checks the bytes nobody may write */

/* A tensor in the lab's memory; place.memory NULL: there is none. */
struct tensor {
    struct skl_place place;
    size_t n;
    float *before, *after;
};
struct tensor put(struct lab *lab, size_t n, enum data kind);                 /* to be read */
struct tensor put_if(struct lab *lab, bool wanted, size_t n, enum data kind); /* or none */
struct tensor out(struct lab *lab, size_t n);                                 /* to be written; holds NaN */
struct tensor out_bytes(struct lab *lab, size_t bytes);
void writable(struct lab *lab, const struct tensor *t); /* it may be written too */

/* ---- operands and results, and what they mean, in double ---- */
enum {
    SCALED = 1,
    ADDED = 2,
    ADD_SCALED = 4,
    KEPT = 8,
    RELU = 16,
    WRITTEN = 32,    /* operand: to `out` */
    MASKED = 64,     /* result */
    SUMS = 128,      /* result: sum and partner's */
    SUMS2 = 256,     /* and the second */
    STATISTICS = 512 /* result: sums without partner */
};
struct operand {
    struct skl_operand o;
    struct tensor x, scale, shift, add, add_scale, keep, out;
    int c;
};
struct operand make_operand(struct lab *lab, int ask, size_t n, int c, enum data kind); /* n floats */
/* The value of element i from what stood there before; *size: of the terms, for tolerances. */
double operand_value(const struct operand *o, size_t i, double *size);
void expect_out(const struct operand *o, const char *what); /* after the operation */

struct result {
    struct skl_result r;
    struct tensor y, add, add_scale, keep, mask, mask_scale, mask_shift, sums, partner, pivot, partner2, pivot2;
    int c;
};
struct result make_result(struct lab *lab, int ask, size_t n, int c, enum data kind);
/* v: what was made, [n]; tolerance: of each element's v, absolute.  Compares y, then the sums through other
 * operations. */
void expect_result(struct lab *lab, const struct result *r, const double *v, const double *tolerance, size_t n,
                   const char *what);

/* A batch norm with all its vectors, gamma near 1; state: mean, scale, ... stand there already (bn_recall has run). */
struct norm {
    struct skl_norm n;
    struct tensor gamma, beta, running_mean, running_var, dgamma, dbeta, scale, shift, mean, spread, c1, c2, c3;
};
struct norm make_norm(struct lab *lab, int c);
void close_to(double got, double want, double tolerance, const char *what, size_t i);

/* ---- the checks: one of each operation of the table ---- */
typedef void check_fn(struct lab *lab);
check_fn check_memory, check_map, check_pad, check_max_pool, check_keep_bits, check_bn_forward, check_bn_recall,
    check_bn_backward, check_bias_backward, check_blend, check_coef_sums, check_conv_forward, check_conv_backward,
    check_merge_forward, check_merge_backward, check_head, check_note, check_sgd, check_find_infinite;
/* conv.c and merge.c: the plans that their checks use, for lab_ready. */
int conv_plans(struct lab *lab, struct skl_conv_plan *plan);
int merge_plans(struct lab *lab, struct skl_conv_plan *plan);
enum { MAX_PLANS = 400 };
#endif
