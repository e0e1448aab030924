/* internal.h - what the conformance checks share; for core/check alone. */
#ifndef SKL_CHECK_INTERNAL_H
#define SKL_CHECK_INTERNAL_H
#include "core/base/err.h"
#include "core/check/check.h"
#include "core/nn/net.h"
#include "core/variant/decl.h"

/* ---- options to check with (variations.c): the defaults, then one option changed at a time ---- */
struct variation {
    char label[96]; /* "defaults", "rate=0.99" */
    bool extreme;   /* a number at the end of its range, far from 1 */
    _Alignas(16) char opts[SKL_OPTS_MAX];
};
enum { VARIATIONS_MAX = 48 };

/* One check's view: the variant, and where the verdict goes. */
struct check {
    const struct skl_shortcut *s;
    struct variation *variation;
    int variations;
    int64_t iteration; /* the one a variant is told without a net */
    struct skl_check_row *row;
};
int make_variations(const struct skl_shortcut *s, struct variation variation[VARIATIONS_MAX]);

/* The first failure stays. */
void fail(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skip(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void note(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* the text of a pass */
bool failed(const struct check *c);

/* ---- memory with walls (wall.c) ----
 * Each buffer lies between two pages that nobody may touch, so that reading or writing next to it ends the process at
 * once, with a verdict that names buffer and function.  A buffer begins or ends exactly at its wall. */
struct wall {
    char name[48];
    float *data;
    size_t floats; /* floats 0: data points at the wall */
    char *map;
    size_t bytes;
    bool sealed;
};
void wall_new(struct check *c, struct wall *w, size_t floats, bool at_end, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void wall_free(struct wall *w);
void wall_seal(struct wall *w, bool sealed);   /* read-only from now on */
void wall_poison(struct wall *w);              /* every float becomes a NaN that can be told from others */
size_t wall_poisoned(const struct wall *w);    /* floats that still are */
bool wall_margins_clean(const struct wall *w); /* nothing between the buffer and the far wall was written */
void wall_watch(struct check *c);              /* from now on a touched wall or a crash becomes a verdict */
extern const char *volatile doing;             /* the function of the variant that runs: "forward" */

/* ---- a variant called without a net (stage.c) ---- */
struct stage {
    struct check *c;
    const struct variation *set;
    struct skl_unit unit;
    struct skl_decl decl;
    int batch;
    bool at_end, training;
    int64_t iteration;
    uint64_t key;
    size_t x_image, h_image, f_image; /* floats an image */
    int row, rows;                    /* rows > 0: calls are for a band of so many rows of one image, from `row` on */
    struct skl_unit told;             /* what a call says of the unit */
    struct wall opts, x, h, f, dy, y, dx, dh, df, lambda, keep, scratch, own[SKL_MAX_OWN], grad[SKL_MAX_OWN];
    const float *own_at[SKL_MAX_OWN];
    float *grad_at[SKL_MAX_OWN];
};
/* Random inputs (multiples of 2^-10, so that small steps are exact) from `seed`; own tensors near their start. */
void stage_open(struct stage *st, struct check *c, const struct variation *set, struct skl_unit unit, int batch,
                bool at_end, uint64_t seed);
void stage_close(struct stage *st);
bool stage_has_layers(const struct stage *st);
void stage_affine(struct stage *st, int first, int n, struct skl_coef *a, struct skl_coef *b); /* way 1 */
void stage_affine_grad(struct stage *st, const float *da, const float *db);
void stage_forward(struct stage *st, int first, int n); /* way 2 */
void stage_backward(struct stage *st, int first, int n);
void stage_gain(struct stage *st, int first, int n);
void stage_poison_outputs(struct stage *st);
void stage_clear_grads(struct stage *st);
/* One word for messages: "4x6x3, batch 6, rate=0.99". */
const char *stage_words(const struct stage *st);

struct skl_unit plain_unit(int h, int w, int c);   /* in and out alike */
struct skl_unit strided_unit(int h, int w, int c); /* in h x w x c, out half as large with 2c channels */
/* A unit for this variant: strided if it asks for the input as it came. */
struct skl_unit usual_unit(const struct check *c);
struct skl_decl declared(const struct check *c, const struct variation *set, const struct skl_unit *unit);

/* ---- a whole small net (lab.c) ---- */
struct lab_options {
    int order, projection, size, batch, group, threads;
    enum skl_conv_algo conv;
    bool pointwise;
};
struct lab {
    struct skl_net *net;
    const struct skl_tensor *tensor;
    int tensors;
    struct skl_pool *pool;
    struct lab_options o;
    float *images, *logits;
    int32_t *labels;
    size_t image;
};
bool lab_open(struct lab *lab, struct check *c, const struct variation *set, struct lab_options o); /* false: failed */
void lab_close(struct lab *lab);
/* Parameters with which no ReLU is near its kink, so that the loss is smooth: see lab.c. */
void lab_smooth(struct lab *lab);
double lab_loss(struct lab *lab, int64_t iteration);                        /* a gradient call */
const struct skl_tensor *lab_find(const struct lab *lab, const char *name); /* NULL: there is none */
/* A tensor in PyTorch's order, malloc'd. */
float *lab_read(struct lab *lab, const struct skl_tensor *t, enum skl_tensor_part part);
enum { LAB_CLASSES = 5, LAB_CHANNELS = 3, LAB_WIDTH = 4 };

/* Standard normal numbers, their directions +-1. */
double normal(uint64_t key, uint64_t i);
double sign_of(uint64_t key, uint64_t i);

/* ---- the checks ---- */
typedef void check_fn(struct check *c);
check_fn check_descriptor, check_options, check_declaration;
check_fn check_writes, check_finite, check_repeat, check_ranges, check_images, check_evaluation, check_odd_shapes;
check_fn check_gradients;
check_fn check_net_gradients, check_threads, check_resume, check_fused, check_cost;
/* gradients.c, also for odd shapes: one stage against central differences. */
void gradients_of(struct check *c, const struct variation *set, struct skl_unit unit, int batch, double *worst);
#endif
