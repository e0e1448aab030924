/* step.h - one forward pass, backward pass and update on given numbers: for comparing with other frameworks.
 * No data set, no schedule: the weights and the mini-batch come from files, the learning rate is train.lr. */
#ifndef SKL_STEP_H
#define SKL_STEP_H
#include <stdbool.h>
#include "core/config/experiment.h"
#include "core/io/safetensors.h"
#include "core/nn/net.h"

/* A mini-batch as the net wants it. */
struct skl_batch {
    int count, size, channels;
    float *images; /* [count, size, size, channels] */
    int32_t *labels;
};
/* From the tensors `images` (float32 [N,C,H,W], H = W) and `labels` (int64 or int32 [N], each below classes).  A
 * leading axis more, [K,N,C,H,W] and [K,N], is a stack of batches; `index` picks one.  SKL_DATA names the tensor. */
int skl_batch_read(const struct skl_st *file, const char *path, int classes, int index, struct skl_batch *batch,
                   struct skl_err *err);
void skl_batch_release(struct skl_batch *batch);

/* A net for a mini-batch of `count` such images, with the weights of the file; classes follow from fc.weight.
 * train.bn_batch is the group size, train.batch is not looked at. */
int skl_step_net(const struct skl_experiment *exp, const struct skl_st *weights, const char *path,
                 const struct skl_batch *batch, bool inference, struct skl_pool *pool, struct skl_net **net,
                 struct skl_err *err);
/* The number of classes: rows of fc.weight. */
int skl_step_classes(const struct skl_st *weights, const char *path, int *classes, struct skl_err *err);

/* Named float32 tensors with memory of their own. */
struct skl_outputs {
    struct skl_st_tensor *tensor;
    int count, room;
    struct skl_st_meta meta[8];
    int metas;
};
const struct skl_st_tensor *skl_outputs_find(const struct skl_outputs *out, const char *name);
void skl_outputs_release(struct skl_outputs *out);
/* after.<name>: every parameter and running statistic of the net as it is now. */
void skl_outputs_after(struct skl_outputs *out, struct skl_net *net);

/* The whole of `skiplab step`.  Training: loss [1], logits [N,classes], grad.<parameter> (without weight decay),
 * after.<name> (after one SGD step from zero momentum), mask.<unit> where a variant drops elements.  eval: loss and
 * logits with running statistics.  The metadata name mode and kernels. */
int skl_step(const struct skl_experiment *exp, const struct skl_st *weights, const char *weights_path,
             const struct skl_st *batch, const char *batch_path, bool eval, struct skl_pool *pool,
             struct skl_outputs *out, struct skl_err *err);
#endif
