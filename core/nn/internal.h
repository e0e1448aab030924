/* internal.h - the parts of a net, for core/nn alone.
 *
 * How one image goes through:  net.c (stem, units in order, head) -> unit.c (convolutions of F, shortcut path) ->
 * merge.c, pointwise.c (how they meet) -> layers.c (one convolution or batch norm over all chunks) -> the kernel table.
 *
 * Lazy values.  A batch norm, a ReLU and the addition cost memory traffic and nothing else, so no tensor is written
 * for them: a layer's raw output is kept together with a *load* (kernels.h) that says how to read it, and whoever reads
 * it applies that.  A unit's output is such a pending load; the next unit's first convolution writes it out as it reads.
 *
 * Gradients.  Going down, net->g holds the gradient of a unit's merged sum y (of its BN's output where a batch norm
 * follows the addition).  The unit above writes it through the *sink* of the unit below: a store with that unit's ReLU
 * mask and the two sums its batch norm needs. */
#ifndef SKL_NN_INTERNAL_H
#define SKL_NN_INTERNAL_H
#include "core/nn/net.h"
#include "core/variant/decl.h"

enum { SKL_MAX_CONVS = 3, SKL_EVAL_SLICE = 128 };
enum skl_tensor_kind {
    SKL_KIND_CONV,
    SKL_KIND_FC,
    SKL_KIND_BIAS,
    SKL_KIND_GAMMA,
    SKL_KIND_BETA,
    SKL_KIND_MEAN,
    SKL_KIND_VAR,
    SKL_KIND_OWN
};

/* How a tensor starts: a constant, or He normal over its fan. */
struct tensor_start {
    enum skl_tensor_kind kind;
    enum skl_init init;
    double value;
    double factor; /* on either, 1 unless set later */
};

struct bn_layer {
    int c;
    int gamma, beta, mean_r, var_r; /* tensor numbers */
    float *mean, *scale, *shift;    /* [c] of the current group: BN(y) = scale y + shift */
    double *rstd;                   /* [c] */
    float *c1, *c2, *c3;            /* [c] the derivative: dy = c1 g + c2 y + c3 */
};

struct conv_layer {
    struct skl_conv_shape shape;
    const struct skl_conv_kernel *kernel;
    int weight, bias; /* tensor numbers; bias -1: none */
};

/* A unit's tensors; one set for training (alive until backward), one shared by all units for evaluation. */
struct unit_buffers {
    float *y[SKL_MAX_CONVS]; /* raw outputs of F's convolutions */
    float *a;                /* the unit's input after its first activation, where that comes before the split */
    float *py, *p;           /* projection: raw output of the convolution, projected input */
    float *ys[SKL_MAX_SHORTCUT_CONVS]; /* raw outputs of the convolutions on the shortcut */
    float *s, *z;                      /* the sum where a batch norm follows it; the unit's output */
};

enum unit_projection { PROJECT_NONE, PROJECT_PAD, PROJECT_CONV };

struct unit {
    struct skl_unit place;
    char prefix[32]; /* "layer2.0" */
    const struct skl_shortcut *variant;
    const void *opts;
    /* F: pre -> conv[0] -> mid[0], ReLU -> conv[1] -> ... -> end;  y = merge;  post.  NULL: no batch norm there. */
    int convs;
    struct conv_layer conv[SKL_MAX_CONVS];
    struct bn_layer *mid[SKL_MAX_CONVS], *pre, *end, *post;
    bool pre_relu, pre_before_split, end_relu, post_relu;
    enum unit_projection projection;
    struct conv_layer project_conv;
    struct bn_layer *project_bn;
    struct skl_decl decl;
    struct conv_layer shortcut_conv[SKL_MAX_SHORTCUT_CONVS];
    struct bn_layer *shortcut_bn[SKL_MAX_SHORTCUT_CONVS];
    int own[SKL_MAX_OWN]; /* tensor numbers */
    size_t own_floats;
    struct unit_buffers train, eval, *b; /* b: the ones in use */
    float *keep;                         /* [group][decl.keep] */
    uint8_t *mask;                       /* dropped elements of a way-1 mask, one bit each, one group */
    /* set by the forward pass: */
    bool fused;       /* way 1 inside the neighbours' loads and stores; else pointwise passes */
    bool in_epilogue; /* the sum was made by F's last convolution, y[last] is not kept */
    struct skl_coef a_coef, b_coef;
    float *a_vec, *b_vec;             /* [c] the coefficients spelled out */
    float *m_scale, *m_shift, *m_add; /* [c] the merged load's vectors */
};

/* A unit's (or the stem's) output: pending until somebody reads it. */
struct value {
    struct skl_load pending; /* how to make it; pending.out is NULL here */
    float *z;                /* where it goes */
    bool ready;              /* z is written */
    struct skl_shape shape;
    struct bn_layer *bn; /* the batch norm that reads it first (pre-activation), else NULL */
};

struct skl_net {
    struct skl_model_config model;
    struct skl_net_options o;
    struct skl_tensor *tensor;
    struct tensor_start *start;
    int tensors;
    struct bn_layer **bn;
    int bns;
    float *slab; /* values, gradients, momenta */

    struct conv_layer stem;
    struct bn_layer *stem_bn;
    float *stem_y, *stem_z, *stem_ye, *stem_ze;
    struct unit *unit;
    int units;
    struct value *value; /* value[i]: input of unit i; value[units]: the last output */
    struct bn_layer *last_bn;
    bool last_relu; /* the extra activation of the pre-activation orders */
    int fc_weight, fc_bias;
    float *pooled, *logits, *dlogits, *dpooled;

    float *g, *r, *t[3]; /* gradients, each as large as the largest activation of a group */
    float *packed, *partial;
    size_t partial_stride;
    float **scratch; /* one a worker */
    struct skl_sums sums[SKL_MAX_CHUNKS];
    float *own_partial;
    size_t own_stride;
    double *coef_sum, *bias_sum;      /* [SKL_MAX_CHUNKS][2][widest], [SKL_MAX_CHUNKS][widest]: the merge's sums */
    float *coef_float;                /* [2][widest] */
    float *zeros, *ones;              /* [largest c] */
    int widest;                       /* largest channel count */
    size_t activation;                /* floats of the largest activation of one image */
    size_t scratch_floats;            /* one worker's; the first range_floats are for pointwise ranges and map */
    size_t range_floats, conv_floats; /* then what a convolution needs, then one partial gradient */
    struct arena {
        char *base;
        size_t used, size;
    } arena; /* base NULL: only counting */

    /* the call in progress */
    bool training, accumulate; /* accumulate: not the step's first group */
    int n, first, chunks;      /* images in the group, its first image in the batch */
    bool clean;                /* group statistics, but variants as in evaluation */
    double remember;           /* running = remember * old + (1 - remember) * new */
    int64_t iteration;
    double seconds[3];
    /* probe.c: while it runs, called with the gradient of value[i] itself in g, before the mask of the unit below; else NULL */
    void (*watch)(struct skl_net *net, int value);
    void *watcher;
};

/* ---- layers.c ---- */
int chunk_first(const struct skl_net *net, int i);
/* Runs fn(net, arg, chunk, first, n, scratch) for every chunk of the group. */
typedef void chunk_fn(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch);
void for_chunks(struct skl_net *net, chunk_fn *fn, void *arg);
void clear_sums(struct skl_net *net, int c);
void conv_forward(struct skl_net *net, const struct conv_layer *l, const struct skl_load *load,
                  const struct skl_store *store);
/* dx NULL: no gradient of the input wanted.  The weight's gradient is always made. */
void conv_backward(struct skl_net *net, const struct conv_layer *l, const struct skl_load *x, const struct skl_load *dy,
                   const struct skl_store *dx);
/* Packs its weights into net->packed. */
void conv_prepare(struct skl_net *net, const struct conv_layer *l, bool backward);
void conv_reduce(struct skl_net *net, const struct conv_layer *l); /* the chunks' partial gradients to the weight's */
/* Every element of the group's tensor [n, pixels, c]: store(load). */
void map(struct skl_net *net, const struct skl_load *load, const struct skl_store *store, struct skl_shape shape);
void bn_from_sums(struct skl_net *net, struct bn_layer *bn, const float *bias); /* after a store with statistics */
void bn_from_running(struct skl_net *net, struct bn_layer *bn, const float *bias);
/* From sum(g) and sum(g (y - mean)) in the chunks' sums, or the second pair; factor [c] (NULL: 1) scales g first. */
void bn_gradient(struct skl_net *net, struct bn_layer *bn, const float *factor, bool second);
double chunk_total(const struct skl_net *net, int which, int c);               /* 0 sum, 1 dot, 2 dot2 */
struct skl_load bn_view(const struct bn_layer *bn, const float *y, bool relu); /* bn NULL: y itself */
struct skl_load bn_gradient_load(const struct bn_layer *bn, const float *g, const float *y);
void add_gradient(struct skl_net *net, int tensor, size_t i, double v);

/* ---- merge.c ---- */
void merge_coefficients(struct skl_net *net, struct unit *u); /* calls affine, decides fused or pointwise */
struct skl_load shortcut_view(struct skl_net *net, const struct unit *u, const float *x); /* h */
struct skl_load branch_view(const struct unit *u);                                        /* f */
struct skl_load merged_load(struct skl_net *net, struct unit *u, const float *x);         /* fused: y before post */
void merge_sums_to_gradients(struct skl_net *net, struct unit *u);                        /* learned coefficients */
bool coef_learned(const struct skl_coef *k);
/* da = sum g h and db = sum g f, each [c], on to the variant's tensors. */
void coefficient_gradient(struct skl_net *net, struct unit *u, const double *da, const double *db);
static inline bool has_layers(const struct unit *u) { return u->decl.convs > 0; }
uint64_t unit_key(const struct skl_net *net, const struct unit *u);
/* Images [first, first + n) of the group, as a variant is told of them; own_gradients [own_floats] or NULL. */
struct own_tensors {
    const float *w[SKL_MAX_OWN];
    float *dw[SKL_MAX_OWN];
};
struct skl_call make_call(struct skl_net *net, struct unit *u, int first, int n, float *own_gradients,
                          struct own_tensors *own);

/* What layer i on the shortcut path reads. */
struct skl_load shortcut_input(struct skl_net *net, const struct unit *u, int i, const float *x);

/* ---- pointwise.c ---- */
void pointwise_forward(struct skl_net *net, struct unit *u, const float *x, struct value *out);
/* g: in, the gradient of y; out, that of F's end-BN output, with sums for that BN.  Makes the gradients of x (dx, in the
 * shape the variant sees) and h (dh, where layers are declared). */
void pointwise_backward(struct skl_net *net, struct unit *u, const float *x, float *g, float *dx, float *dh);
const struct conv_layer *pointwise_tail(const struct unit *u); /* the layer that pointwise_* run themselves, or NULL */
/* h of images [first, first + n), each element. */
void pointwise_h(struct skl_net *net, const struct unit *u, const float *x, int first, int n, float *h);

/* ---- unit.c ---- */
void value_write(struct skl_net *net, struct value *v); /* materialise */
struct skl_load value_take(struct value *v);            /* to be read by one convolution, which writes it */
void unit_forward(struct skl_net *net, struct unit *u, struct value *in, struct value *out);
void unit_backward(struct skl_net *net, struct unit *u, struct value *in);
void value_sink(struct skl_net *net, int value, struct skl_store *sink); /* how the gradient of value[i] is written */
const float *unit_x(const struct unit *u, const struct value *in);       /* the input as the variant sees it */
/* unit_backward as if the branch F were a constant: net->g becomes what reaches the unit's input along the shortcut. */
void unit_shortcut_backward(struct skl_net *net, struct unit *u, struct value *in);
/* net.c: forward and backward of n images as one batch-norm group at iteration 0, for net->watch.  Returns the mean loss. */
double net_watched(struct skl_net *net, const float *images, const int32_t *labels, int n);

/* ---- build.c, tensors.c ---- */
int net_plan(struct skl_net *net, struct skl_err *err); /* layers, shapes, tensors; no memory of activations */
void net_allocate(struct skl_net *net);
size_t net_bytes(struct skl_net *net);                             /* what net_allocate would take */
void describe_net(struct skl_net *net, struct skl_net_info *info); /* describe.c; all but bytes */
int add_tensor(struct skl_net *net, struct tensor_start start, bool decay, int ndim, const int *shape, const char *fmt,
               ...) __attribute__((format(printf, 6, 7)));
void tensors_allocate(struct skl_net *net);
void tensors_init(struct skl_net *net);
void *arena_take(struct skl_net *net, size_t bytes);
static inline float *tensor_value(const struct skl_net *net, int i) { return net->tensor[i].value; }
static inline float *tensor_grad(const struct skl_net *net, int i) { return net->tensor[i].grad; }
static inline size_t shape_floats(struct skl_shape s) { return (size_t)s.h * (size_t)s.w * (size_t)s.c; }
/* Sizes are rounded up: 5 pixels become 3. */
static inline int unit_stride(const struct skl_unit *u) { return u->out.h < u->in.h ? 2 : 1; }
static inline struct skl_shape conv_in(const struct conv_layer *l)
{
    return (struct skl_shape){l->shape.h, l->shape.w, l->shape.c};
}
static inline struct skl_shape conv_out(const struct conv_layer *l)
{
    return (struct skl_shape){(l->shape.h + l->shape.stride - 1) / l->shape.stride,
                              (l->shape.w + l->shape.stride - 1) / l->shape.stride, l->shape.k};
}
/* What the variant sees as x, and h, which in way 2 need not have f's shape: a gate may be one number a pixel. */
static inline struct skl_shape x_shape(const struct unit *u)
{
    return u->decl.source == SKL_RAW_X ? u->place.in : u->place.out;
}
static inline struct skl_shape h_shape(const struct unit *u)
{
    return has_layers(u) ? conv_out(&u->shortcut_conv[u->decl.convs - 1]) : x_shape(u);
}
#endif
