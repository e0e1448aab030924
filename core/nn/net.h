/* net.h - a CIFAR residual net: built from a model configuration, trained one mini-batch at a time.
 *
 * Images are [n, size, size, channels] float32.  All memory is allocated in skl_net_new; a step allocates nothing.
 * A mini-batch is cut into batch-norm groups of `group` images that run one after another, forward and backward, so
 * that only one group's activations live. */
#ifndef SKL_NET_H
#define SKL_NET_H
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/base/parallel.h"
#include "core/config/experiment.h"
#include "core/device/cpu/kernels/kernels.h"

struct skl_net_options {
    int size, channels, classes; /* of the images */
    int batch, group;            /* images a mini-batch; images a batch-norm group (divides batch) */
    bool inference;              /* no backward pass: less memory */
    enum skl_conv_algo conv;
    int init, fc_init;  /* enum skl_init_rule, skl_fc_init */
    uint64_t seed;      /* initial weights; also keys the shortcuts' random numbers */
    int64_t iterations; /* of the run, told to the variants */
    int weight_decay_on;
    bool pointwise; /* the plain way: way 1 unfused, no bands: for tests */
    const struct skl_kernels *kernels;
    struct skl_pool *pool; /* borrowed */
};

/* One learnable tensor or one running statistic. */
struct skl_tensor {
    char name[96];      /* design: PyTorch's names, "layer1.0.conv1.weight" */
    int ndim, shape[4]; /* PyTorch's: OIHW for convolutions */
    size_t count;
    float *value;           /* in compute layout */
    float *grad, *momentum; /* NULL for running statistics */
    bool conv;              /* compute layout is [kh][kw][i][o]; export turns it to OIHW */
    bool decay;             /* weight decay applies */
};

struct skl_net;
int skl_net_new(const struct skl_model_config *model, const struct skl_net_options *options, struct skl_net **net,
                struct skl_err *err);
void skl_net_free(struct skl_net *net);

/* All tensors in the net's order: parameters first come, first served, statistics among them as in PyTorch. */
int skl_net_tensors(struct skl_net *net, struct skl_tensor **tensors);
/* Between compute layout (src: value, grad or momentum of t) and PyTorch's. */
void skl_tensor_export(const struct skl_tensor *t, const float *src, float *dst);
void skl_tensor_import(const struct skl_tensor *t, const float *src, float *dst);

struct skl_step_result {
    double loss; /* mean over the batch */
    int errors;  /* images misclassified */
};
/* Forward and backward of one mini-batch; fills every tensor's grad, updates running statistics.  iteration keys
 * dropout's masks.  logits: [batch, classes] or NULL. */
struct skl_step_result skl_net_gradient(struct skl_net *net, const float *images, const int32_t *labels,
                                        int64_t iteration, float *logits);
/* One SGD update of every parameter from its grad (grad itself is left as it is). */
void skl_net_update(struct skl_net *net, double lr, double momentum, double weight_decay, int momentum_form);
/* Evaluation with running statistics, n <= batch images.  Returns summed loss and errors. */
struct skl_step_result skl_net_evaluate(struct skl_net *net, const float *images, const int32_t *labels, int n,
                                        float *logits);

/* Batch-norm statistics estimated anew: one mini-batch in groups, forward only, weights untouched, variants as in
 * evaluation (nothing dropped).  running = mean over all groups so far; *groups counts them, 0 before the first call. */
void skl_net_statistics(struct skl_net *net, const float *images, int64_t *groups);

/* A way-1 dropout mask of the last gradient call, NCHW [batch, c, h, w] as 0/1; false if unit u has none. */
bool skl_net_mask(struct skl_net *net, int unit, float *mask, int shape[4]);

/* ---- what a net costs, without building it ---- */
struct skl_unit_info {
    char name[32];
    int h, w, c;
    int64_t parameters, multiply_adds;
    int64_t shortcut_parameters, shortcut_multiply_adds; /* those on the shortcut: projection, gate, ... */
};
struct skl_net_info {
    int units;
    struct skl_unit_info *unit;        /* free with skl_net_info_release */
    int64_t parameters, multiply_adds; /* of one image: convolutions and fc, gates and projections included */
    size_t bytes;                      /* memory of a training net of this batch and group */
};
int skl_net_describe(const struct skl_model_config *model, const struct skl_net_options *options,
                     struct skl_net_info *info, struct skl_err *err);
void skl_net_info_release(struct skl_net_info *info);
/* 6n+2 (basic), 9n+2 (bottleneck): n, or SKL_USAGE. */
int skl_depth_units(int depth, int block, int *n, struct skl_err *err);
/* The convolution kernels in use, "winograd4-avx2 x104, gemm x5": for the run's record. malloc'd. */
char *skl_net_kernels(const struct skl_net *net);
/* Time spent since the last call, seconds: forward, backward, update. */
void skl_net_times(struct skl_net *net, double seconds[3]);
#endif
