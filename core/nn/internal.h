/* internal.h - the parts of a net, for core/nn alone.
 *
 * How an image goes through: net.c (groups) -> stem.c -> unit.c, once a unit: branch.c makes F, shortcut.c makes h,
 * merge.c joins them -> head.c.  Each calls the device (core/device/device.h) through layers.c; none looks into a
 * tensor.
 *
 * Lazy signals.  A batch norm, a ReLU and the addition cost memory traffic and nothing else, so no tensor is written
 * for them: a layer's raw output is kept together with an *operand* (device.h) that says how to read it, and whoever
 * reads it applies that.  A unit's output is such a pending operand; its first reader writes it out as it reads.
 *
 * What is fused with what is decided in fuse.c and nowhere else. */
#ifndef SKL_NN_INTERNAL_H
#define SKL_NN_INTERNAL_H
#include "core/device/device.h"
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

/* How a tensor starts: a constant, or He normal over its fan; and where it stands. */
struct tensor_start {
    enum skl_tensor_kind kind;
    enum skl_init init;
    double value;
    double factor; /* on either, 1 unless set later */
};
struct tensor_places {
    struct skl_place value, grad, momentum; /* the last two none for statistics and inference nets */
};

/* ---- the plan (plan.c): which layers, of which shapes ---- */
struct net_plan {
    struct {
        int size, stride; /* of the convolution */
        bool pool;        /* max pooling after its batch norm and ReLU */
    } stem;
    int least; /* side of the images */
    int stages;
    struct {
        int units, channels, stride; /* stride: of its first unit */
    } stage[SKL_MAX_STAGES];
};

struct bn_layer {
    struct skl_norm n;
    int gamma, beta, mean_r, var_r; /* tensor numbers */
    int bias;                       /* of the convolution before it; -1: none */
};
struct conv_layer {
    struct skl_conv_plan plan;
    int weight, bias; /* tensor numbers; bias -1: none */
};

/* A unit's activations; one set for training (alive until backward), one shared by all units for evaluation. */
struct unit_buffers {
    struct skl_place y[SKL_MAX_CONVS]; /* raw outputs of F's convolutions */
    struct skl_place a;     /* the unit's input after its first activation, where that comes before the split */
    struct skl_place py, p; /* projection: raw output of the convolution, projected input */
    struct skl_place ys[SKL_MAX_SHORTCUT_CONVS]; /* raw outputs of the convolutions on the shortcut */
    struct skl_place s, z;                       /* the sum where a batch norm follows it; the unit's output */
};

enum unit_projection { PROJECT_NONE, PROJECT_PAD, PROJECT_CONV };

/* ---- fuse.c: what happens where ---- */
enum coef_kind { COEF_UNKNOWN, COEF_ZERO, COEF_ONE, COEF_NUMBER, COEF_LEARNED, COEF_IMAGES, COEF_MASK };
enum merge_way {
    MERGE_PASS,       /* a pass of the variant's own, or y = a h + b f as one: nothing is fused */
    MERGE_IN_BRANCH,  /* F's last convolution adds a h to what it stores: it makes y, F itself stands nowhere */
    MERGE_AFTER_RELU, /* F ends with a ReLU: a pass reads F and adds a h */
    MERGE_IN_OPERAND  /* y is an operand, b BN(F) + a h: whoever reads it first computes it */
};
struct fusion {
    enum merge_way way;
    bool waits; /* y is not written by the merge: its first reader does */
    bool adds;  /* a is not 0 */
    bool tail;  /* pass: the layer that makes h runs inside it */
    /* The backward pass wants sums over the gradient of y: for a batch norm of F or h, or for coefficients. */
    bool sums;
    bool both; /* the second pair too */
};

/* One of the two coefficients of way 1. */
struct coefficient {
    struct skl_coef said;
    enum coef_kind kind;
    size_t at, back_at;       /* floats from the start of net->coef; back_at: where SKL_SURROGATE_GRAD, else not used */
    struct skl_place v, back; /* spelled out, as skl_factor wants them, group by group */
};

struct unit {
    struct skl_unit place;
    int stage;       /* from 0 */
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
    struct unit_buffers train, eval, *at;     /* at: the ones in use */
    struct skl_place keep;                    /* way 2: [group][decl.keep] */
    struct skl_place bits;                    /* dropped elements of a mask, one bit each, one group */
    struct skl_place m_scale, m_shift, m_add; /* [groups][c] the merged operand's vectors */
    struct skl_place dcoef;                   /* [groups][2][c] gradients of learned coefficients */
    struct fusion fusion;
    /* way 1, on the host: */
    struct coefficient a, b;
    float *host_keep;                       /* [images of a call][decl.keep] */
    float *host_own, *host_down, *host_sum; /* [own_floats]: the tensors, a group's gradients, the step's */
};

/* A unit's (or the stem's) output: pending until somebody reads it. */
struct signal {
    struct skl_operand pending; /* how to make it; pending.out is none here */
    struct skl_place z;         /* where it goes */
    bool ready;                 /* z is written */
    struct skl_shape shape;
    struct bn_layer *bn; /* the batch norm that reads it first (pre-activation), else NULL */
};

/* Gradients, each as large as the largest activation of a group, named by what stands in them.  On the way through a
 * unit: y is given; then h, p, along on the shortcut; then inner in F, when h and p are used up and share its memory;
 * at the end y holds the gradient of the unit's input. */
struct gradients {
    struct skl_place y;        /* of a unit's merged sum (of its batch norm's output where one follows the addition) */
    struct skl_place along;    /* of the unit's input, what came along the shortcut; F's part is added in place */
    struct skl_place h, p;     /* of the declared layers' output; of the projected input */
    struct skl_place inner[2]; /* of the outputs of F's convolutions, in turn; inner[0] is h, inner[1] is p */
    struct skl_place spare;    /* of F before its last ReLU; between layers on the shortcut */
};

struct skl_net {
    struct skl_model_config model;
    struct skl_net_options o;
    struct skl_device *device;
    struct net_plan plan;
    int slice; /* images that an evaluation takes at once */
    int side;  /* batch-norm groups that a training step takes at once */
    struct skl_tensor *tensor;
    struct tensor_start *start;
    struct tensor_places *at;
    int tensors;
    struct skl_learned *learned; /* those that an update changes */
    int learned_tensors;
    float *staging; /* host: one tensor on its way */
    struct bn_layer **bn;
    int bns;

    struct conv_layer stem;
    struct bn_layer *stem_bn;
    struct skl_place stem_y, stem_z, stem_ye, stem_ze;
    struct skl_place chosen; /* of max pooling: from forward to backward */
    struct unit *unit;
    int units;
    struct signal *signal; /* signal[i]: input of unit i; signal[units]: the last output */
    struct bn_layer *last_bn;
    bool last_relu; /* the extra activation of the pre-activation orders */
    int fc_weight, fc_bias;
    struct skl_head head;
    struct skl_place images; /* of the group in progress */

    struct gradients d;
    struct skl_place sums;        /* of the operation that made some last */
    struct skl_place stop, notes; /* of the steps that nobody has asked about: device.h */
    int noted;                    /* so many steps */
    struct skl_place zeros, ones; /* [side][widest], [widest] */
    int widest;                   /* largest channel count */
    size_t activation;            /* floats of the largest activation of one image */

    struct skl_place coef;             /* every unit's coefficients, */
    float *host_coef, *host_coef_sent; /* the host's copies: as wanted, as last sent */
    float *host_dcoef;                 /* [side][2][widest] a unit */
    size_t coef_floats;
    bool own_stale; /* host_own does not show the tensors as they are */

    struct arena {
        struct skl_memory *memory; /* NULL: only counting */
        size_t used;
    } arena;
    struct skl_memory *memory;

    /* the call in progress */
    bool training, accumulate; /* accumulate: not the step's first group */
    int groups, n, first;      /* groups, images in each; the first one's first image in the batch */
    bool clean;                /* group statistics, but variants as in evaluation */
    double remember;           /* running = remember * old + (1 - remember) * new */
    int64_t iteration;
    double seconds[3];
    struct skl_err trouble; /* what broke in the device first */
    /* probe.c: while it runs, called with the gradient of signal[i] itself in d.y, before the mask of the unit below;
     * else NULL */
    void (*watch)(struct skl_net *net, int l);
    void *watcher;
};

/* ---- layers.c: the device's operations as a net's layers ---- */
/* The convolution and the statistics of the batch norm that follows it (NULL: none). */
void conv_bn_forward(struct skl_net *net, const struct conv_layer *l, struct bn_layer *bn, struct skl_operand x,
                     struct skl_place y);
void conv_forward(struct skl_net *net, const struct conv_layer *l, struct skl_operand x, struct skl_result y);
/* dx.y none: no gradient of the input wanted.  The weight's gradient is always made. */
void conv_backward(struct skl_net *net, const struct conv_layer *l, struct skl_operand x, struct skl_operand dy,
                   struct skl_result dx);
void map(struct skl_net *net, struct skl_operand x, struct skl_result y, struct skl_shape shape);
void bn_forward(struct skl_net *net, struct bn_layer *bn); /* in training: from the sums made last */
/* The derivative from the sums made last; dy = what bn_gradient reads. */
void bn_backward(struct skl_net *net, struct bn_layer *bn);
void bias_backward(struct skl_net *net, const struct conv_layer *l, struct skl_place factor);
struct skl_operand plain(struct skl_place x);
struct skl_operand bn_view(const struct bn_layer *bn, struct skl_place y, bool relu); /* bn NULL: y itself */
struct skl_operand bn_gradient(const struct bn_layer *bn, struct skl_place g, struct skl_place y);
/* A result with the two sums of the derivative of bn, which reads `raw`; bn NULL: of a bias alone. */
struct skl_result summed(struct skl_net *net, struct skl_place y, const struct bn_layer *bn, struct skl_place raw);
/* A result under the ReLU's mask: 0 where what `act` reads is not positive; with sums for bn, which reads act.x (NULL:
 * none). */
struct skl_result masked(struct skl_net *net, struct skl_place y, struct skl_operand act, const struct bn_layer *bn);
void clear_gradient(struct skl_net *net, int tensor); /* nothing reaches this tensor in this group; -1: no tensor */
void net_finish(struct skl_net *net);                 /* waits; keeps what broke in net->trouble */
static inline int all_images(const struct skl_net *net) { return net->groups * net->n; } /* of the call in progress */
static inline struct skl_place value_of(const struct skl_net *net, int tensor)
{
    return tensor >= 0 ? net->at[tensor].value : (struct skl_place){NULL, 0};
}

/* What a variant is told of the first group, without w, dw, keep and scratch. */
struct skl_call make_call(const struct skl_net *net, const struct unit *u);

/* ---- signals (layers.c) ---- */
void signal_write(struct skl_net *net, struct signal *v); /* now */
struct skl_operand signal_take(struct signal *v);         /* to be read by one convolution, which writes it */

/* ---- coefficients.c: way 1's host side ---- */
/* Every unit's affine, group by group.  False: some unit wants its groups merged in different ways, so that they cannot
 * go side by side. */
bool coefficients_ask(struct skl_net *net);
void coefficients_forward(struct skl_net *net); /* what they said goes to the device */
/* Every unit's affine_grad: the only wait of a step, and only if one learns. */
void coefficients_backward(struct skl_net *net);
static inline bool learns(const struct unit *u)
{
    return u->variant->affine_grad && (u->a.kind == COEF_LEARNED || u->b.kind == COEF_LEARNED);
}

/* ---- fuse.c ---- */
enum coef_kind kind_of(const struct skl_coef *k);
struct fusion fuse(const struct skl_net *net, const struct unit *u); /* from the plan and the coefficients' kinds */
/* How the gradient of signal[l] is written: the ReLU mask of the unit that made it, the sums its batch norms need. */
struct skl_result signal_sink(struct skl_net *net, int l);
/* The sums over the gradient of y that this unit's merge wants. */
void sums_for_merge(struct skl_net *net, const struct unit *u, struct skl_result *dy);

/* ---- branch.c ---- */
/* F(x_l), to be read once; where the merge happens in F's last convolution, what that one reads. */
struct skl_operand branch_forward(struct skl_net *net, struct unit *u, struct signal *in);
struct skl_operand branch_view(const struct unit *u); /* F as the merge reads it */

/* The gradient that came along the shortcut, scale∘keep?∘g, as a result adds it; g none: nothing comes. */
struct along {
    struct skl_place g, scale, keep;
};
/* dF: gradient of the last convolution's raw output.  Down to the unit's input, where `along` is added: to d.y. */
void branch_backward(struct skl_net *net, struct unit *u, struct signal *in, struct skl_operand dF, struct along along);

/* ---- shortcut.c ---- */
struct skl_operand shortcut_forward(struct skl_net *net, struct unit *u, struct signal *in); /* h(x_l) */
struct skl_operand shortcut_view(const struct skl_net *net, const struct unit *u, struct skl_place x);
/* dh: what merge_backward gave.  Returns what reaches the unit's input. */
struct along shortcut_backward(struct skl_net *net, struct unit *u, struct signal *in, struct along dh);
struct skl_place unit_x(const struct unit *u, const struct signal *in); /* the input as the variant sees it */
/* What h reads before its sigmoid: the last layer's raw output or x. */
struct skl_place shortcut_raw(const struct unit *u, struct skl_place x);
struct skl_operand arrived(const struct skl_net *net, struct along along); /* as an operand */
/* Where a pass leaves the gradient of what the variant sees as x. */
struct skl_place shortcut_dx(const struct skl_net *net, const struct unit *u);

/* ---- merge.c ---- */
/* y_l = h(x_l) + F(x_l), x_{l+1} = f(y_l). */
void merge_forward(struct skl_net *net, struct unit *u, struct signal *in, struct skl_operand h, struct skl_operand F,
                   struct signal *out);
/* From d.y and its sums: the gradient of F's last raw output; *dh, that of h. */
struct skl_operand merge_backward(struct skl_net *net, struct unit *u, struct signal *in, struct along *dh);
struct skl_operand merged(struct skl_net *net, struct unit *u, struct skl_operand h, struct skl_operand F);
/* The pass alone, to `y`, with a ReLU or not. */
void merge_pass(struct skl_net *net, struct unit *u, struct skl_place x, struct skl_result y, bool relu);

/* ---- unit.c, stem.c, head.c ---- */
void unit_forward(struct skl_net *net, struct unit *u, struct signal *in, struct signal *out);
void unit_backward(struct skl_net *net, struct unit *u, struct signal *in);
/* unit_backward as if the branch F were a constant: d.y becomes what reaches the unit's input along the shortcut. */
void unit_shortcut_backward(struct skl_net *net, struct unit *u, struct signal *in);
void stem_forward(struct skl_net *net);
void stem_backward(struct skl_net *net);
void head_forward(struct skl_net *net);
void head_loss(struct skl_net *net, const struct skl_targets *targets); /* of the whole mini-batch */
void head_backward(struct skl_net *net);
/* net.c: forward and backward of n images as one batch-norm group at iteration 0, for net->watch.  Returns the mean
 * loss. */
double net_watched(struct skl_net *net, const float *images, const int32_t *labels, int n);

/* ---- plan.c, memory.c, tensors.c, describe.c ---- */
int net_plan(struct skl_net *net, struct skl_err *err);  /* layers, shapes, tensors; no memory of activations */
int net_trust(struct skl_net *net, struct skl_err *err); /* of its device (core/device/choose/choose.h) */
int net_reserve(struct skl_net *net, struct skl_err *err);
size_t net_bytes(struct skl_net *net); /* what net_reserve would take */
void net_fit(struct skl_net *net);     /* chooses net->side */
void host_free(struct skl_net *net);
void describe_net(struct skl_net *net, struct skl_net_info *info); /* all but bytes */
int add_tensor(struct skl_net *net, struct tensor_start start, bool decay, int ndim, const int *shape, const char *fmt,
               ...) __attribute__((format(printf, 6, 7)));
void tensors_take(struct skl_net *net);
void tensors_init(struct skl_net *net);
void stop_if_infinite(struct skl_net *net); /* a weight or a running statistic */
/* The next place of the net's memory; arena.memory NULL: only counted. */
static inline struct skl_place arena_take(struct skl_net *net, size_t bytes)
{
    const struct skl_place place = {net->arena.memory, net->arena.used};
    net->arena.used += (bytes + SKL_PLACE_ALIGN - 1) / SKL_PLACE_ALIGN * SKL_PLACE_ALIGN;
    return place;
}
static inline bool is_statistic(enum skl_tensor_kind kind) { return kind == SKL_KIND_MEAN || kind == SKL_KIND_VAR; }

static inline bool has_layers(const struct unit *u) { return u->decl.convs > 0; }
static inline struct skl_shape conv_out(const struct conv_layer *l)
{
    const struct skl_conv_shape *s = &l->plan.shape;
    return (struct skl_shape){(s->h + s->stride - 1) / s->stride, (s->w + s->stride - 1) / s->stride, s->k};
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
static inline bool projected(const struct unit *u) { return u->projection != PROJECT_NONE && u->decl.source == SKL_X; }
#endif
