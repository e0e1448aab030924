/* device.h - the seam between a net and what computes it: whole-group operations on tensors in a device's memory.
 *
 * A net (core/nn) says what is computed: it reserves memory, names tensors by their place in it and calls the
 * operations of this table.  A device (core/device/cpu, core/device/opencl, ...) says how: chunks, threads, kernels,
 * queues.  A net never looks into a tensor; a device knows no unit, no branch and no order.
 *
 * Places.  A tensor is a place: a memory and an offset in bytes.  Activations are float32, NHWC, contiguous;
 * convolution weights [kh][kw][c][k]; vectors per channel [c].  Every tensor begins at a multiple of SKL_PLACE_ALIGN
 * bytes.
 *
 * Fusion.  Every operation on activations reads through an *operand* and writes through a *result*:
 *
 *     operand   v = relu?( scale∘x + shift + add_scale∘keep?∘add ),   also written to `out` if asked for
 *     result    y = mask?( v + add_scale∘keep?∘add ),                 and sums per channel over y
 *
 * An operand is a batch norm with its ReLU (and the addition of the shortcut, written once as the unit's output); in
 * the backward pass the derivative of a batch norm (x: the gradient, add: what the batch norm read).  A result makes
 * the statistics of the batch norm that follows; in the backward pass it adds the gradient that came along the
 * shortcut, applies the ReLU's mask and makes the two sums of the batch norm below.  Which of their fields are set
 * depends on the net and not on the data: a device may compile a kernel for each combination.
 *
 * Order.  Operations take effect in the order of the calls, as in a queue; a call may return before its work is done.
 * Only download's data and the word of `finish` need the end of the queue, so a training step has no wait in it.  What
 * the host passes by pointer (jobs, operands, results, upload's data) is used up when the call returns.
 *
 * Ahead.  A host that trains need not wait for a step's loss: `note` keeps it on the device, and an int32 there, the
 * *stop*, says from when on a step has gone wrong.  What is told of a stop leaves weights, momenta and running
 * statistics as they are while it is not 0, so that steps enqueued after a wrong one change nothing.
 *
 * Groups.  Operations work on skl_device.groups batch-norm groups of n images each, which stand one behind the other in
 * every tensor.  What belongs to a group stands once a group, [groups][c]: the vectors of operands, results, norms,
 * blends and factors, gradients of coefficients, sums (sums_bytes each, one behind the other).  What belongs to the net
 * stands once: weights, gamma, beta, running statistics and all gradients of those, to which the groups come in their
 * order; the bits are those of one call a group.  A device without SKL_SIDE_BY_SIDE knows one group a call.
 *
 * Bits.  On one device (and driver) an operation gives the same bits whenever it is called with the same numbers, with
 * any number of threads; sums go in an order that depends on shapes and n alone.  `arithmetic` names what else they
 * depend on.
 *
 * Errors.  Opening, planning and reserving return a status (core/base/err.h).  The operations themselves cannot fail
 * in a way that their caller could mend: a device that breaks keeps the first reason, does nothing from then on and
 * tells it at `finish`. */
#ifndef SKL_DEVICE_H
#define SKL_DEVICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/base/parallel.h"
#include "core/device/conv.h"
#include "core/variant/decl.h"
#include "core/variant/shortcut.h"

/* ---- places ---- */
enum { SKL_PLACE_ALIGN = 64 };
struct skl_memory; /* the device's own */
struct skl_place {
    struct skl_memory *memory; /* NULL: no place */
    size_t offset;             /* bytes */
};
static inline bool skl_there(struct skl_place p) { return p.memory != NULL; }
/* So many floats further on: the caller keeps to SKL_PLACE_ALIGN where a tensor of its own begins. */
static inline struct skl_place skl_further(struct skl_place p, size_t floats)
{
    p.offset += floats * sizeof(float);
    return p;
}
static inline bool skl_same_place(struct skl_place a, struct skl_place b)
{
    return a.memory == b.memory && a.offset == b.offset;
}

/* ---- how tensors are read and written ---- */
struct skl_operand {
    struct skl_place x;            /* [n,h,w,c] */
    struct skl_place scale, shift; /* [c], both or none: 1 and 0 */
    struct skl_place add;          /* [n,h,w,c]; none: nothing is added */
    struct skl_place add_scale;    /* [c]; none: 1 */
    struct skl_place keep;         /* one bit an element of add (keep_bits): 0 drops it; none: all kept */
    bool relu;                     /* v <= 0 becomes 0; what is not a number stays so */
    struct skl_place out;          /* [n,h,w,c], each element written once; may be x or add; none: not wanted */
    bool same;                     /* scale and shift stand once, for all groups */
};

struct skl_result {
    struct skl_place y; /* [n,h,w,c]; may be add, and what the operand of a map reads */
    struct skl_place add, add_scale, keep;
    /* y = 0 where not mask_scale∘mask + mask_shift > 0; mask none: everything passes; mask_scale none: 1 and 0 */
    struct skl_place mask, mask_scale, mask_shift;
    /* Sums over y, per channel, to a place of sums_bytes; none: not wanted.  partner none: for the statistics of y
     * (bn_forward).  Else sum(y) and sum(y (partner - pivot)), the same for partner2; pivot [c], none: 0. */
    struct skl_place sums;
    struct skl_place partner, pivot;
    struct skl_place partner2, pivot2;
};

/* ---- convolution ---- */
/* How one layer will be computed: made once by conv_plan, copied freely, valid until the device is closed. */
struct skl_conv_plan {
    struct skl_conv_shape shape;
    const char *kernel; /* "winograd4-avx2", for the run's record */
    const void *own;    /* the device's */
};
struct skl_conv_job {
    const struct skl_conv_plan *plan;
    int n;
    struct skl_place weight;
    struct skl_operand x; /* backward: as in the forward pass, without `out` */
    /* forward: y.  backward: the gradient of x's value; y none: not wanted. */
    struct skl_result y;
    struct skl_operand dy;    /* backward */
    struct skl_place dweight; /* backward: the gradient of the weights */
    bool accumulate;          /* added to what stands at dweight, else it is overwritten */
};

/* ---- batch norm ---- */
struct skl_norm {
    int c;
    struct skl_place gamma, beta, running_mean, running_var, dgamma, dbeta; /* [c] */
    struct skl_place scale, shift; /* [c] BN(y) = scale y + shift; mean [c] is the pivot of its derivative's sums */
    struct skl_place mean;
    struct skl_place spread;     /* norm_bytes(c): the device's own */
    struct skl_place c1, c2, c3; /* [c] the derivative: dy = c1 g + c2 y + c3 */
    struct skl_place stop;       /* running statistics heed it; none: nothing stops them */
};

/* ---- the shortcut's two coefficients (way 1 of core/variant/shortcut.h), spelled out ---- */
struct skl_factor {
    enum skl_span span; /* SKL_MASK: only in a merge; the elements of keep_bits(key, drop, ...) times v */
    struct skl_place v; /* [c] floats whatever the span, but SKL_PER_IMAGE: [n] */
    double drop;
    bool learned;          /* its gradient is wanted */
    struct skl_place back; /* [n]: SKL_PER_IMAGE, of the backward pass; none: v */
};

/* Per channel, y = b f + a h with f and h read through a batch norm (scale none: 1 and 0), as one operand:
 * scale = b f_scale, shift = b f_shift + a h_shift, add_scale = a h_scale.  a, b: [c]. */
struct skl_blend {
    int c;
    struct skl_place a, b, f_scale, f_shift, h_scale, h_shift;
    struct skl_place scale, shift, add_scale; /* results, [c] */
    bool h_same;                              /* h_scale and h_shift stand once, for all groups */
};

/* The gradients of learned coefficients from sums over g with partners f's and h's raw values: da = sum g h, db = sum
 * g f, through the batch norms f and h are read through (NULL: none).  da and db go to d[0..c) and d[c..2c) as floats,
 * in SKL_ONE their totals over the channels to the first of each. */
struct skl_coef_sums {
    int c;
    struct skl_place sums;
    const struct skl_norm *f, *h;
    enum skl_span a, b;
    struct skl_place d; /* [2][c] */
};

/* ---- a variant's own forward and backward (way 2), or y = a h + b f as a plain pass (way 1) ---- */
/* The layer whose output is h, where it is to run inside the same pass.  1x1 or 3x3, stride 1, no batch norm. */
struct skl_tail {
    const struct skl_conv_plan *plan;
    struct skl_operand x;
    struct skl_place weight, dweight, bias, dbias; /* bias, dbias: none where the layer has none */
};
struct skl_merge {
    const struct skl_shortcut *variant;
    /* What the variant is told: unit, opts, iteration, iterations, training, batch, first, n, rng_key are set; w, dw,
     * keep, scratch are not (below).  The device may call it for parts of the group, as the contract says. */
    struct skl_call call;
    const struct skl_decl *decl;
    struct skl_factor a, b; /* way 1 (variant->affine set) */
    struct skl_shape x_shape, h_shape;
    struct skl_place x;   /* [n, x_shape] */
    struct skl_operand h; /* [n, h_shape] before the sigmoid of decl->sigmoid */
    struct skl_operand f; /* [n, unit->out] */
    bool layers;          /* h comes out of layers; else it is x, and dh belongs to dx */
    /* NULL: h stands there.  Else forward makes h.x: the raw output or, with a sigmoid, its values, which backward
     * finds there. */
    const struct skl_tail *tail;
    struct skl_place own[SKL_MAX_OWN], down[SKL_MAX_OWN]; /* the variant's tensors; down: their gradients */
    struct skl_place keep;                                /* [n][decl->keep]: from forward to backward */
    bool plain;                                           /* whole images in one go: for tests */
    /* forward: y = relu?(variant), [n, unit->out], with statistics at y.sums if that is a place; nothing else of it is
     * set */
    struct skl_result y;
    bool relu;
    /* backward */
    struct skl_place dy; /* [n, unit->out] */
    struct skl_place dx; /* [n, x_shape] overwritten: what reaches x besides through layers below h */
    struct skl_place dh; /* [n, h_shape] overwritten where layers and no tail; with a tail it is used up here */
    struct skl_result df;
    struct skl_place dcoef; /* way 1 with learned coefficients: [2][c] as in skl_coef_sums */
    bool accumulate;
};

/* ---- max pooling: 3x3, stride 2, padding 1 ---- */
/* What comes out: half the size, rounded up. */
static inline struct skl_shape skl_max_pooled(struct skl_shape in)
{
    return (struct skl_shape){(in.h + 1) / 2, (in.w + 1) / 2, in.c};
}
/* Output (y, x) looks at the pixels (2y - 1 + i, 2x - 1 + j), 0 <= i, j < 3, that lie inside the image, channel by
 * channel.  Of equal values the first in the order of i, then j, is the chosen one; what is not a number is larger
 * than any number. */
struct skl_max_pool {
    struct skl_shape in;     /* of one image */
    struct skl_operand x;    /* [n, in]; out is none */
    struct skl_place y;      /* forward: [n, skl_max_pooled(in)]; not what x reads */
    struct skl_place chosen; /* one byte an element of y: 3 i + j.  Forward: written; none: not wanted */
    struct skl_place dy;     /* backward: [n, skl_max_pooled(in)] */
    struct skl_result dx;    /* backward: [n, in], the sum of dy over the windows that chose a pixel, row by row */
};

/* ---- the head: average pooling, fully connected layer, softmax cross-entropy ---- */
struct skl_head {
    struct skl_shape shape; /* what is pooled */
    int classes;
    struct skl_place weight, bias, dweight, dbias; /* [classes][c], [classes] */
    struct skl_place pooled, dpooled;              /* [n][c] */
    struct skl_place logits, dlogits;              /* [n][classes] */
    struct skl_place labels;                       /* [n] int32 */
    struct skl_place score;                        /* SKL_PLACE_ALIGN bytes, in the device's own form */
    /* What the softmax is compared with: class k of an image has smoothing / classes + (1 - smoothing) times
     * 1 - mix where k is its label, mix where k is its other label. */
    struct skl_place others; /* [n] int32, looked at where mix > 0 */
    float mix, smoothing;
};
/* Summed over images until its place is cleared, so that nobody needs to read it in every step. */
struct skl_score {
    double loss;    /* sum of the images' losses */
    int64_t errors; /* images misclassified; logits that are not numbers count */
};
/* What is kept of one step on the device: the host reads many at once. */
struct skl_note {
    struct skl_score score;
    int64_t stopped; /* the stop before this step's loss was looked at */
};

/* ---- update ---- */
struct skl_learned {
    struct skl_place value, grad, momentum;
    size_t count;
    bool decay;
};
struct skl_sgd {
    float lr, momentum, weight_decay;
    bool caffe;            /* v = m v + lr (g + wd w), w -= v; else torch: v = m v + (g + wd w), w -= lr v */
    bool nesterov;         /* w takes m v + what v just took in place of v */
    struct skl_place stop; /* none: nothing stops it */
};

/* ---- what a net will need of a device: the largest of each over all its operations ---- */
struct skl_needs {
    int images, group; /* of any call; of a batch-norm group */
    int groups;        /* of any call */
    bool inference;    /* no backward pass */
    size_t activation; /* floats of one image's largest tensor */
    int channels;      /* widest tensor, classes among them */
    size_t own;        /* floats of the tensors that one unit's variant owns */
    size_t scratch;    /* floats an image, skl_scratch */
    bool whole_groups; /* some variant mixes images */
    int convs;
    const struct skl_conv_plan *const *conv; /* all layers */
};

/* ---- the table ---- */
enum skl_device_bits {
    SKL_RUNS_C = 1,      /* calls a variant's C functions; else only what variant_fits says */
    SKL_GOES_AHEAD = 2,  /* its calls return before their work is done: to wait costs time */
    SKL_MAX_POOLS = 4,   /* has max_pool_forward and max_pool_backward; else these slots are NULL */
    SKL_SIDE_BY_SIDE = 8 /* takes many batch-norm groups in one call */
};
struct skl_device_ops;
/* The head of a device; its own fields follow in a larger struct. */
struct skl_device {
    const struct skl_device_ops *ops;
    const char *level;   /* "avx2": the instructions in use; a GPU's name */
    const char *library; /* of matrix products; a GPU's driver */
    unsigned bits;       /* enum skl_device_bits */
    size_t memory;       /* bytes that reserve can give at most */
    int groups;          /* of the operations that follow: set by whoever calls them, 1 at first */
};

struct skl_device_ops {
    const char *name;             /* "cpu" */
    const char *(*library)(void); /* what it computes with, without opening it: for --version */

    /* ---- life ---- */
    /* One device a net: it keeps that net's work memory.  pool: the host's threads, borrowed.  index: of several
     * alike. */
    int (*open)(int index, struct skl_pool *pool, struct skl_device **device, struct skl_err *err);
    void (*close)(struct skl_device *d); /* after all its memories are released */
    /* What the bits of a net's results depend on, one line: level, kernels as the net counts them, library, how a
     * group of `group` images is cut.  malloc'd.  Stands in every checkpoint. */
    char *(*arithmetic)(const struct skl_device *d, const char *kernels, int group);
    double (*peak)(struct skl_device *d); /* multiply-adds in registers alone, now: operations a second, two each */

    /* ---- planning: before any memory is reserved ---- */
    int (*conv_plan)(struct skl_device *d, struct skl_conv_shape shape, enum skl_conv_algo algo,
                     struct skl_conv_plan *plan, struct skl_err *err);
    int (*variant_fits)(struct skl_device *d, const struct skl_shortcut *variant, struct skl_err *err);
    size_t (*sums_bytes)(const struct skl_device *d, int c); /* of a place for one result's sums */
    size_t (*norm_bytes)(const struct skl_device *d, int c); /* of skl_norm.spread */
    size_t (*work_bytes)(const struct skl_device *d, const struct skl_needs *needs); /* what ready would take */
    /* Once, before the first operation. */
    int (*ready)(struct skl_device *d, const struct skl_needs *needs, struct skl_err *err);

    /* ---- memory ---- */
    /* What it gives is not cleared. */
    int (*reserve)(struct skl_device *d, size_t bytes, struct skl_memory **memory, struct skl_err *err);
    void (*release)(struct skl_device *d, struct skl_memory *memory); /* NULL: nothing */
    void (*upload)(struct skl_device *d, const void *from, size_t bytes, struct skl_place to);
    void (*download)(struct skl_device *d, struct skl_place from, size_t bytes, void *to); /* there after finish */
    void (*clear)(struct skl_device *d, struct skl_place at, size_t bytes);                /* every byte 0 */
    /* Waits for all before it; tells what broke (SKL_FAILED). */
    int (*finish)(struct skl_device *d, struct skl_err *err);

    /* ---- operations ---- */
    void (*conv_forward)(struct skl_device *d, const struct skl_conv_job *job);
    void (*conv_backward)(struct skl_device *d, const struct skl_conv_job *job);

    /* mean, spread, scale, shift from the statistics at `sums`; running = remember * running + (1 - remember) * them
     * (of the variance count/(count-1) times).  bias [c] or none: of the convolution before it, left out of y, told to
     * the running mean. */
    void (*bn_forward)(struct skl_device *d, const struct skl_norm *norm, struct skl_place sums, struct skl_place bias,
                       double remember);
    /* The same from the running statistics. */
    void (*bn_recall)(struct skl_device *d, const struct skl_norm *norm, struct skl_place bias);
    /* c1, c2, c3, dgamma and dbeta from sums over g with partner y and pivot mean (second: partner2); factor [c] or
     * none scales g first. */
    void (*bn_backward)(struct skl_device *d, const struct skl_norm *norm, struct skl_place sums, bool second,
                        struct skl_place factor, bool accumulate);
    /* dbias [c] = factor (or 1) times the sum of g. */
    void (*bias_backward)(struct skl_device *d, int c, struct skl_place sums, struct skl_place factor,
                          struct skl_place dbias, bool accumulate);
    void (*blend)(struct skl_device *d, const struct skl_blend *job);
    void (*coef_sums)(struct skl_device *d, const struct skl_coef_sums *job);

    /* y = x, element by element, of n images of this shape. */
    void (*map)(struct skl_device *d, const struct skl_operand *x, const struct skl_result *y, int n,
                struct skl_shape shape);
    /* Option A: to = every stride-th pixel of from, channels appended that are 0; backward: the transpose, from in the
     * shape `out`, to in the shape `in`. */
    void (*pad)(struct skl_device *d, struct skl_place from, struct skl_place to, int n, struct skl_shape in,
                struct skl_shape out, bool backward);
    void (*max_pool_forward)(struct skl_device *d, const struct skl_max_pool *job, int n);
    /* Reads chosen and dy; x is not looked at. */
    void (*max_pool_backward)(struct skl_device *d, const struct skl_max_pool *job, int n);
    /* Bits for the operand's and result's keep: element e counted from the mini-batch's first, image `first` being the
     * group's first; kept iff word e%4 of philox(key, 0, e/4) >= drop * 2^32.  image: elements, a multiple of 8. */
    void (*keep_bits)(struct skl_device *d, uint64_t key, double drop, int first, int n, size_t image,
                      struct skl_place bits);

    void (*merge_forward)(struct skl_device *d, const struct skl_merge *job);
    void (*merge_backward)(struct skl_device *d, const struct skl_merge *job);

    void (*head_forward)(struct skl_device *d, const struct skl_head *head, const struct skl_operand *x, int n);
    /* Adds to the score, whose errors are those against `labels`; dlogits = (softmax - target) / batch. */
    void (*head_loss)(struct skl_device *d, const struct skl_head *head, int n, int batch);
    void (*read_score)(struct skl_device *d, struct skl_place score, struct skl_score *to); /* there after finish */
    /* note = score and stop; the stop becomes 1 where the score's loss is not finite.  note: of sizeof(struct skl_note)
     * bytes, in the host's form. */
    void (*note)(struct skl_device *d, struct skl_place score, struct skl_place stop, struct skl_place note);
    /* dweight, dbias; the pooled pixels' gradient through `dx`. */
    void (*head_backward)(struct skl_device *d, const struct skl_head *head, const struct skl_result *dx, int n,
                          bool accumulate);

    void (*sgd)(struct skl_device *d, const struct skl_learned *tensor, int tensors, const struct skl_sgd *sgd);
    /* The int32 at `flag` becomes 1 where one of these numbers is not finite, else it stays as it is. */
    void (*find_infinite)(struct skl_device *d, struct skl_place at, size_t floats, struct skl_place flag);
};
#endif
