/* internal.h - the CPU as a device (device.h), for core/device/cpu alone.
 *
 * A group is cut into chunks of whole images (kernels.h); threads share the chunks out.  A place is an address. */
#ifndef SKL_CPU_DEVICE_INTERNAL_H
#define SKL_CPU_DEVICE_INTERNAL_H
#include "core/device/cpu/kernels/kernels.h"
#include "core/device/device.h"

struct skl_memory {
    char *base;
    size_t bytes;
};

struct cpu {
    struct skl_device d; /* first */
    const struct skl_kernels *kernels;
    struct skl_pool *pool;
    struct skl_memory work; /* all below lies in it */
    float *packed;          /* one convolution's weights */
    float *partial;         /* [chunks][partial_stride] weights' gradients */
    size_t partial_stride;
    float *own_partial; /* [chunks][own_stride] gradients of a variant's tensors */
    size_t own_stride;
    double *coef_sum, *bias_sum; /* [chunks][2][channels], [chunks][channels]: a merge's sums */
    size_t channels;
    float **scratch; /* one a thread: range_floats for pieces and map, conv_floats, one partial gradient */
    size_t range_floats, conv_floats;
};
static inline struct cpu *cpu_of(struct skl_device *d) { return (struct cpu *)(void *)d; }

/* ---- places ---- */
static inline float *at(struct skl_place p) { return p.memory ? (float *)(void *)(p.memory->base + p.offset) : NULL; }
/* places.c */
struct skl_kernel_operand operand_of(const struct skl_operand *x);
struct skl_kernel_result result_of(const struct skl_result *y);

/* ---- chunks.c ---- */
/* Runs fn(cpu, arg, chunk, first, n, scratch) for every chunk of n images. */
typedef void chunk_fn(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch);
void for_chunks(struct cpu *cpu, int n, chunk_fn *fn, void *arg);

/* What stands at a place for sums. */
struct chunk_sums {
    int chunks;
    struct skl_sums chunk[SKL_MAX_CHUNKS];
};
size_t sums_bytes(int c);
/* Cleared, for n images; NULL where no sums are wanted. */
struct chunk_sums *sums_begin(struct skl_place place, int c, int n);
static inline struct skl_sums *sums_of(struct chunk_sums *s, int chunk) { return s ? &s->chunk[chunk] : NULL; }
const struct chunk_sums *sums_at(struct skl_place place);
enum which_sum { SUM, DOT, DOT2 };
double sum_total(const struct chunk_sums *s, enum which_sum which, int c);
/* *g = v, or added to it. */
static inline void add_gradient(float *g, double v, bool accumulate) { *g = accumulate ? *g + (float)v : (float)v; }

/* ---- conv.c ---- */
static inline const struct skl_conv_kernel *kernel_of(const struct skl_conv_plan *plan) { return plan->own; }
void conv_prepare(struct cpu *cpu, const struct skl_conv_plan *plan, struct skl_place weight, bool backward);
/* The chunks' partial gradients to the weight's. */
void conv_reduce(struct cpu *cpu, const struct skl_conv_plan *plan, int n, struct skl_place dweight, bool accumulate);

/* ---- norm.c ---- */
/* da, db [c] each, summed over the chunks, to d as skl_coef_sums says. */
void write_coefficients(const double *da, const double *db, int c, enum skl_span a, enum skl_span b, float *d);

/* ---- pieces.c: what one call of a variant sees: an image; the whole group where the variant mixes images; or, where
 * it treats every pixel for itself, a band of rows of one image ---- */
struct piece {
    int image, images, row, rows; /* rows 0: all.  images 0: there is no piece */
};
/* The first piece of images [first, first + n), and from a piece to the next; `end` is the image after the last. */
struct piece first_piece(const struct skl_merge *job, int first, int n);
struct piece next_piece(const struct skl_merge *job, struct piece p, int end);
bool mixes_images(const struct skl_merge *job);

/* Where a piece begins in a tensor, its size, where it ends. */
static inline size_t begin_of(const struct piece *p, struct skl_shape s)
{
    return (size_t)(p->image * s.h + p->row) * (size_t)s.w; /* pixels */
}
static inline size_t pixels_of(const struct piece *p, struct skl_shape s)
{
    return (size_t)p->images * (size_t)(p->rows ? p->rows : s.h) * (size_t)s.w;
}
static inline size_t floats_of(const struct piece *p, struct skl_shape s) { return pixels_of(p, s) * (size_t)s.c; }
static inline size_t float_of(const struct piece *p, struct skl_shape s) { return begin_of(p, s) * (size_t)s.c; }
static inline size_t end_of(const struct piece *p, struct skl_shape s) { return float_of(p, s) + floats_of(p, s); }

/* How the variant is told of a piece.  A band is an image of fewer rows. */
struct told {
    struct skl_call call;
    struct skl_unit place;
    const float *w[SKL_MAX_OWN];
    float *dw[SKL_MAX_OWN];
};
/* own_gradients: this chunk's, or NULL. */
void tell(struct told *t, const struct skl_merge *job, const struct piece *p, float *own_gradients, float *scratch);
size_t own_count(const struct skl_decl *d, int tensor); /* floats */

/* ---- affine.c: way 1 as the plain formula, on one piece; image: its place in the group ---- */
void affine_forward(const struct skl_merge *job, const struct skl_call *k, int image, const float *h, const float *f,
                    float *y);
void affine_backward(const struct skl_merge *job, const struct skl_call *k, int image, const float *h, const float *f,
                     const float *dy, float *dh, float *df, double *da, double *db);

/* ---- the table's rows ---- */
int cpu_conv_plan(struct skl_device *d, struct skl_conv_shape shape, enum skl_conv_algo algo,
                  struct skl_conv_plan *plan, struct skl_err *err);
void cpu_conv_forward(struct skl_device *d, const struct skl_conv_job *job);
void cpu_conv_backward(struct skl_device *d, const struct skl_conv_job *job);
size_t cpu_norm_bytes(const struct skl_device *d, int c);
void cpu_bn_forward(struct skl_device *d, const struct skl_norm *norm, struct skl_place sums, struct skl_place bias,
                    double remember);
void cpu_bn_recall(struct skl_device *d, const struct skl_norm *norm, struct skl_place bias);
void cpu_bn_backward(struct skl_device *d, const struct skl_norm *norm, struct skl_place sums, bool second,
                     struct skl_place factor, bool accumulate);
void cpu_bias_backward(struct skl_device *d, int c, struct skl_place sums, struct skl_place factor,
                       struct skl_place dbias, bool accumulate);
void cpu_blend(struct skl_device *d, const struct skl_blend *job);
void cpu_coef_sums(struct skl_device *d, const struct skl_coef_sums *job);
void cpu_map(struct skl_device *d, const struct skl_operand *x, const struct skl_result *y, int n,
             struct skl_shape shape);
void cpu_pad(struct skl_device *d, struct skl_place from, struct skl_place to, int n, struct skl_shape in,
             struct skl_shape out, bool backward);
void cpu_max_pool_forward(struct skl_device *d, const struct skl_max_pool *job, int n);
void cpu_max_pool_backward(struct skl_device *d, const struct skl_max_pool *job, int n);
void cpu_keep_bits(struct skl_device *d, uint64_t key, double drop, int first, int n, size_t image,
                   struct skl_place bits);
void cpu_merge_forward(struct skl_device *d, const struct skl_merge *job);
void cpu_merge_backward(struct skl_device *d, const struct skl_merge *job);
void cpu_head_forward(struct skl_device *d, const struct skl_head *head, const struct skl_operand *x, int n);
void cpu_head_loss(struct skl_device *d, const struct skl_head *head, int n, int batch);
void cpu_note(struct skl_device *d, struct skl_place score, struct skl_place stop, struct skl_place note);
void cpu_read_score(struct skl_device *d, struct skl_place score, struct skl_score *to);
void cpu_head_backward(struct skl_device *d, const struct skl_head *head, const struct skl_result *dx, int n,
                       bool accumulate);
/* Is this a stop that is not 0? */
bool stopped(struct skl_place stop);
void cpu_find_infinite(struct skl_device *d, struct skl_place at, size_t floats, struct skl_place flag);
void cpu_sgd(struct skl_device *d, const struct skl_learned *tensor, int tensors, const struct skl_sgd *sgd);
#endif
