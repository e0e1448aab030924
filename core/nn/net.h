/* net.h - a residual net: built from a model configuration, trained one mini-batch at a time.
 *
 * Images are [n, size, size, channels] float32.  All memory is allocated in skl_net_new; a step allocates nothing.
 * A mini-batch is cut into batch-norm groups of `group` images.  On the CPU they run one after another, forward and
 * backward, so that only one group's activations live; a device that can takes as many side by side as its memory
 * holds, and no number depends on how many those are. */
#ifndef SKL_NET_H
#define SKL_NET_H
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/base/parallel.h"
#include "core/config/experiment.h"
#include "core/device/conv.h"

struct skl_net_options {
    int size, channels, classes; /* of the images */
    int batch, group;            /* images a mini-batch; images a batch-norm group (divides batch) */
    bool inference;              /* no backward pass: less memory */
    enum skl_conv_algo conv;
    int init, fc_init;  /* enum skl_init_rule, skl_fc_init */
    uint64_t seed;      /* initial weights; also keys the shortcuts' random numbers */
    int64_t iterations; /* of the run, told to the variants */
    int weight_decay_on;
    double label_smoothing;
    bool pointwise;        /* the plain way: way 1 unfused, no bands: for tests */
    const char *device;    /* core/device/choose/devices.h; NULL: the CPU */
    struct skl_pool *pool; /* the host's threads, borrowed */
};

/* One learnable tensor or one running statistic.  Its numbers stand in the device's memory. */
struct skl_tensor {
    char name[96];      /* PyTorch's, "layer1.0.conv1.weight" */
    int ndim, shape[4]; /* PyTorch's: OIHW for convolutions */
    size_t count;
    bool learned; /* has a gradient and a momentum: neither a running statistic nor in an inference net */
    bool conv;    /* stands as [kh][kw][i][o] */
    bool decay;   /* weight decay applies */
};

struct skl_net;
struct skl_decl;
/* SKL_USAGE: there is no such net or device, the variant does not fit, or images, memory are too small for it;
 * SKL_FAILED: the device has not passed its test (core/device/choose/choose.h). */
int skl_net_new(const struct skl_model_config *model, const struct skl_net_options *options, struct skl_net **net,
                struct skl_err *err);
void skl_net_free(struct skl_net *net);

/* All tensors in the net's order: parameters first come, first served, statistics among them as in PyTorch. */
int skl_net_tensors(const struct skl_net *net, const struct skl_tensor **tensors);
/* A tensor of this net, [count] in PyTorch's order.  Waits for the device. */
enum skl_tensor_part { SKL_VALUE, SKL_GRADIENT, SKL_MOMENTUM };
void skl_tensor_read(struct skl_net *net, const struct skl_tensor *t, enum skl_tensor_part part, float *to);
void skl_tensor_write(struct skl_net *net, const struct skl_tensor *t, enum skl_tensor_part part, const float *from);

/* Unit i as it was planned. */
struct skl_planned_unit {
    const struct skl_unit *place;
    const struct skl_decl *decl; /* what its variant declared */
    const char *name;            /* "layer1.0" */
};
int skl_net_units(const struct skl_net *net);
struct skl_planned_unit skl_net_unit(const struct skl_net *net, int i);

/* What the loss of a mini-batch compares with: class labels[i], [batch]; mixed by 0 < mix <= 1/2 with others[i].  Where
 * label_smoothing is set each class has its share besides. */
struct skl_targets {
    const int32_t *labels, *others;
    double mix;
};
struct skl_step_result {
    double loss; /* mean over the batch */
    int errors;  /* images misclassified: not labels[i] */
};
/* Forward and backward of one mini-batch; fills every tensor's gradient, updates running statistics.  iteration keys
 * dropout's masks.  logits: [batch, classes] or NULL.  May return before the work is done, unless logits are wanted. */
void skl_net_gradient(struct skl_net *net, const float *images, const struct skl_targets *targets, int64_t iteration,
                      float *logits);
/* Of the last mini-batch; waits for it.  The loss is not a number where the device broke. */
struct skl_step_result skl_net_result(struct skl_net *net);
/* One SGD update of every parameter from its gradient (which is left as it is): momentum and decay of c, this rate. */
void skl_net_update(struct skl_net *net, const struct skl_train_config *c, double lr);
/* Instead of skl_net_result: keeps the last mini-batch's result where it is, for skl_net_noted, without waiting.
 * From a loss that is not finite on, or weights and statistics that are not after the update behind it, gradients and
 * updates leave weights, momenta and running statistics as they are, until skl_net_noted was asked.  At most
 * SKL_NET_STEPS. */
enum { SKL_NET_STEPS = 64 };
void skl_net_note(struct skl_net *net);
/* Waits, and tells the results noted since the last call, in order, up to the first step that went wrong: with that one
 * *sound is false.  Returns how many. */
int skl_net_noted(struct skl_net *net, struct skl_step_result result[SKL_NET_STEPS], bool *sound);
bool skl_net_goes_ahead(const struct skl_net *net); /* to wait for its device costs time */
/* Evaluation with running statistics, n <= batch images.  Returns summed loss and errors. */
struct skl_step_result skl_net_evaluate(struct skl_net *net, const float *images, const int32_t *labels, int n,
                                        float *logits);

/* Batch-norm statistics estimated anew: one mini-batch in groups, forward only, weights untouched, variants as in
 * evaluation (nothing dropped).  running = mean over all groups so far; *groups counts them, 0 at first. */
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
    size_t memory;                     /* that its device has; 0: the computer's */
};
int skl_net_describe(const struct skl_model_config *model, const struct skl_net_options *options,
                     struct skl_net_info *info, struct skl_err *err);
void skl_net_info_release(struct skl_net_info *info);
/* The convolution kernels in use, "winograd4-avx2 x104, gemm x5": for the run's record. malloc'd. */
char *skl_net_kernels(const struct skl_net *net);
/* What the bits of its results depend on besides model, data and seed: device, kernels, library. malloc'd. */
char *skl_net_arithmetic(const struct skl_net *net);
struct skl_device;
const struct skl_device *skl_net_device(const struct skl_net *net);
int skl_net_sound(const struct skl_net *net, struct skl_err *err); /* SKL_FAILED with that line */
/* Multiply-adds in registers alone, as fast as its device can, now: operations a second, two each. */
double skl_net_peak(struct skl_net *net);
/* Bytes a second that its device reads and writes when it copies 64 MiB; 0: there is no room for them. */
double skl_net_bandwidth(struct skl_net *net);
/* Time spent since the last call, seconds: forward, backward, update. */
void skl_net_times(struct skl_net *net, double seconds[3]);
#endif
