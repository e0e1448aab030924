/* shortcut.h - the contract between skiplab and one shortcut variant.
 *
 * A residual unit computes  y = merge(h(x), F(x)),  x' = f(y)   ("Identity Mappings in Deep Residual
 * Networks", section 3).  The core runs every layer; a variant only says what stands on the shortcut
 * path and how its result h meets the residual branch f.  It never touches threads, batch-norm
 * groups, BLAS or random state.
 *
 * To add a variant:
 *   1. write shortcuts/NAME.c: one SKL_SHORTCUT(NAME) = { ... }; (copy constant_scaling.c, or
 *      exclusive_gating.c, which is a formula),
 *   2. add the word NAME to shortcuts/meson.build.
 * tests/rules fails when step 2 is forgotten; tests/shortcuts checks every registered variant without
 * knowing any by name.  The same file also builds as a plug-in outside the tree.
 *
 * Tensors: float32, NHWC, contiguous.  x: the unit's input, projected to f's shape (SKL_RAW_X: as it
 * came).  h: x after the declared layers (x itself where none are declared).  f: the residual branch.
 * The core owns all memory; a variant allocates nothing and keeps no writable statics. */
#ifndef SKL_SHORTCUT_H
#define SKL_SHORTCUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKL_SHORTCUT_ABI 2
#define SKL_API __attribute__((visibility("default"))) /* what the program offers to plug-ins */

struct skl_err;
struct skl_decl;

struct skl_shape {
    int h, w, c;
};
struct skl_unit {
    int index, count;         /* place in the net: unit index of count, from 0 */
    struct skl_shape in, out; /* shape of the unit's input as it came, and of f */
};

/* One call: images [first, first + n) of a mini-batch, all pointers at the range's first image. */
struct skl_call {
    const struct skl_unit *unit;
    const void *opts; /* the variant's options struct: defaults + YAML, already validated */
    int64_t iteration, iterations;
    bool training;
    int batch, first, n;
    const float *p;        /* the numbers of skl_number, in their order; then zeros, 8 in all */
    uint64_t rng_key;      /* from (seed, purpose, iteration, unit); counters are the caller's */
    const float *const *w; /* the variant's own tensors, in declare() order */
    float *const *dw;      /* this range's partial gradients: add to them; NULL in forward */
    float *keep;           /* [n][floats declared by skl_keep]: from forward to backward */
    float *scratch;        /* [n][floats declared by skl_scratch]: undefined on entry */
};

/* Elements of f: of one image, and of all images of a call. */
static inline size_t skl_image_elements(const struct skl_unit *u)
{
    return (size_t)u->out.h * (size_t)u->out.w * (size_t)u->out.c;
}
static inline size_t skl_elements(const struct skl_call *k) { return (size_t)k->n * skl_image_elements(k->unit); }

/* ---- options: one row a field; the type comes from the field itself ---- */
enum skl_ptype { SKL_BOOL, SKL_INT, SKL_REAL, SKL_CHOICE };
struct skl_param {
    const char *name, *help;
    enum skl_ptype type; /* SKL_CHOICE: an int field holding the index into choices */
    size_t offset;
    double def, min, max;       /* inclusive; NaN and infinity are always refused */
    const char *const *choices; /* NULL-terminated */
};
/* clang-format off: it takes _Generic for labels */
#define SKL_PARAM(T, field, def_, min_, max_, help_) \
    { \
        .name = #field, .help = help_, \
        .type = _Generic(((T *)0)->field, bool \
                         : SKL_BOOL, int \
                         : SKL_INT, double \
                         : SKL_REAL), \
        .offset = offsetof(T, field), .def = def_, .min = min_, .max = max_ \
    }
#define SKL_PARAM_CHOICE(T, field, def_, help_, choices_) \
    { \
        .name = #field, .help = help_, \
        .type = _Generic(((T *)0)->field, int \
                         : SKL_CHOICE), \
        .offset = offsetof(T, field), .def = def_, .min = 0, .max = sizeof choices_ / sizeof *choices_ - 2, \
        .choices = choices_ \
    }
#define SKL_PARAM_END \
    { \
        .name = NULL \
    }
/* clang-format on */
/* In the descriptor: .opts_size and .params. */
#define SKL_OPTIONS(T, rows) .opts_size = sizeof(T), .params = rows
enum { SKL_OPTS_MAX = 256 }; /* largest options struct, bytes */
/* For check(): why these options cannot go together, one line; returns what check() must return. */
SKL_API int skl_refuse(struct skl_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- declare(): what stands on the shortcut path.  Pure: also run dry for summary and docs ---- */
enum skl_init { SKL_CONST, SKL_HE };  /* a constant value | He normal over fan_in */
enum { SKL_NO_DECAY = 1 };            /* tensor flags: exempt from weight decay */
enum skl_source { SKL_X, SKL_RAW_X }; /* the projected input | the input as it came */
struct skl_conv_spec {
    int kernel, out_channels, stride; /* kernel 1 or 3, padding kernel/2 */
    enum skl_init init;               /* SKL_CONST: weights start at 0 */
    bool bias;
    double bias_init;
    unsigned bias_flags;
};
SKL_API void skl_input(struct skl_decl *d, enum skl_source source);                     /* default SKL_X */
SKL_API void skl_conv(struct skl_decl *d, const char *name, struct skl_conv_spec spec); /* layers, in the */
SKL_API void skl_bn(struct skl_decl *d, const char *name);                              /* order declared */
/* The bias (beta) of the batch norm declared last starts at `bias`; flags as a tensor's. */
SKL_API void skl_bn_start(struct skl_decl *d, double bias, unsigned flags);
/* Way 2: after the layers, h = sigmoid(what they made), a gate's values. */
SKL_API void skl_sigmoid_end(struct skl_decl *d);
SKL_API void skl_tensor(struct skl_decl *d, const char *name, const int *shape /* ends with 0 */, enum skl_init init,
                        double value, unsigned flags); /* own learnable tensors */
/* F starts as `factor` times what it would be: the gamma of the batch norm at its end, or the weights of its last
 * convolution where the unit order has no batch norm there.  0 is refused where F ends with a ReLU: it never starts. */
SKL_API void skl_branch_start(struct skl_decl *d, double factor);
/* The next of the numbers p[0], p[1], ... (8 at most) that the unit's calls and formulas see: options as floats. */
SKL_API void skl_number(struct skl_decl *d, double value);
SKL_API void skl_keep(struct skl_decl *d, size_t floats_per_image);
SKL_API void skl_scratch(struct skl_decl *d, size_t floats_per_image);

/* ---- way 1: y = a*h + b*f.  The core fuses and differentiates ---- */
enum skl_span {
    SKL_ONE,         /* one number: *v, or the constant */
    SKL_PER_CHANNEL, /* v[c] */
    SKL_PER_IMAGE,   /* v[n], one number an image of the call (v[i]: image first + i), not learned */
    SKL_MASK         /* a only: h's elements are dropped at random with rate `drop`, the kept ones times `constant` */
};
struct skl_coef {
    enum skl_span span;
    float constant;
    const float *v; /* NULL: the constant */
    double drop;
    /* SKL_PER_IMAGE: the backward pass takes these instead, [n] as v (SKL_SURROGATE_GRAD); NULL: v */
    const float *back;
};

/* A formula's text (formula.h), for devices that compile it themselves. */
struct skl_code {
    const char *text, *file;
    int line;
};

struct skl_shortcut {
    uint32_t abi, size;                     /* SKL_SHORTCUT_ABI, sizeof(struct skl_shortcut) */
    const char *name;                       /* [a-z0-9_]+, the YAML `type:` */
    const char *summary, *formula, *source; /* one line each; source: the paper */
    const char *on_shortcut, *on_residual;  /* Table 1's two columns, e.g. "1-g(x)", "g(x)" */
    uint32_t flags;                         /* SKL_MIXES_IMAGES, SKL_SURROGATE_GRAD, SKL_PER_PIXEL */
    size_t opts_size;
    const struct skl_param *params;                      /* ends with SKL_PARAM_END; NULL: no options */
    int (*check)(const void *opts, struct skl_err *err); /* cross-field rules: 0 or skl_refuse(); may be NULL */
    void (*declare)(struct skl_decl *d, const struct skl_unit *u, const void *opts); /* may be NULL */

    /* way 1.  affine is called once a batch-norm group and sets *a and *b (preset to the constant 1); a v it sets is a
     * tensor of k->w, or numbers it has written to k->keep, which stay until affine_grad.
     * affine_grad gets da, db summed over a batch-norm group, [1] or [c] as the coefficient's span says (NULL
     * where the coefficient has no v), and adds to k->dw; itself NULL where no coefficient is learned. */
    void (*affine)(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b);
    void (*affine_grad)(const struct skl_call *k, const float *da, const float *db);

    /* way 2: over a range of images.  SKL_FORMULA (formula.h) fills these from a formula; by hand they are for what a
     * formula cannot say: whole images, random numbers, memory.  y may not alias.  backward overwrites dx, dh, df (dx:
     * what reaches x besides through h; the core carries dh back through the declared layers and adds it). */
    void (*forward)(const struct skl_call *k, const float *x, const float *h, const float *f, float *y);
    void (*backward)(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                     float *dx, float *dh, float *df);

    /* for the probe: the factor lambda on x of every element, [n,h,w,c]; may be NULL */
    void (*gain)(const struct skl_call *k, const float *x, const float *h, float *lambda);

    /* the same as text, where formulas made them: SKL_FORMULA, SKL_FORMULA_GAIN; else NULL */
    const struct skl_code *forward_code, *backward_code, *gain_code;
};
enum {
    SKL_MIXES_IMAGES = 1,   /* image i may depend on image j: one call per batch-norm group */
    SKL_SURROGATE_GRAD = 2, /* backward is on purpose not the derivative of forward */
    /* Way 2, faster: forward and backward treat every pixel for itself, wherever it stands: no random numbers, nothing
     * kept.  A call may then be a band of rows of one image; unit->out.h is its height. */
    SKL_PER_PIXEL = 4
};

/* A plug-in exports one function; the core checks abi and size before it reads anything else. */
#define SKL_SHORTCUT_ENTRY skl_shortcut_entry
#ifdef SKL_BUILTIN
#define SKL_SHORTCUT(id) const struct skl_shortcut skl_shortcut_##id
#else
#define SKL_SHORTCUT(id) \
    static const struct skl_shortcut skl_shortcut_##id; \
    __attribute__((visibility("default"))) const struct skl_shortcut *skl_shortcut_entry(void); \
    const struct skl_shortcut *skl_shortcut_entry(void) { return &skl_shortcut_##id; } \
    static const struct skl_shortcut skl_shortcut_##id
#endif
#define SKL_SHORTCUT_HEAD(id) .abi = SKL_SHORTCUT_ABI, .size = sizeof(struct skl_shortcut), .name = #id

#endif
