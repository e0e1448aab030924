/* weights.h - a net's tensors to and from safetensors, under PyTorch's names and in PyTorch's layout. */
#ifndef SKL_WEIGHTS_H
#define SKL_WEIGHTS_H
#include <stdbool.h>
#include "core/io/safetensors.h"
#include "core/nn/net.h"

enum skl_weights_mode {
    SKL_WEIGHTS_ONLY,    /* parameters and running statistics; momentum.*, images and labels are ignored */
    SKL_WEIGHTS_MOMENTUM /* a checkpoint: momentum.* of every parameter too, and nothing else */
};
/* Fills the net from a file that is already read.  An unknown, missing or misshapen tensor is SKL_DATA and named;
 * path stands in the message.  The net is unchanged unless everything fits.  *.num_batches_tracked is ignored. */
int skl_weights_load(struct skl_net *net, const struct skl_st *file, enum skl_weights_mode mode, const char *path,
                     struct skl_err *err);
/* The tensor of this name, type and shape; NULL: the file has none. */
const struct skl_st_tensor *skl_weights_fit(const struct skl_st *file, const struct skl_tensor *t);
/* The most that a checkpoint of this net takes, in bytes: a larger file is none of it. */
size_t skl_weights_file_limit(struct skl_net *net);
/* Is every tensor of the file the net's, or one that is ignored (SKL_WEIGHTS_ONLY)?  For a file that brings a
 * mini-batch. */
int skl_weights_check_names(struct skl_net *net, const struct skl_st *file, const char *path, struct skl_err *err);
/* A file of weights, adopted; what was renamed is said in one line. */
int skl_weights_read(const char *path, struct skl_st *file, struct skl_err *err);
/* What to say of a file with names that other programs give ("; the names ..."); "": nothing is known. */
const char *skl_weights_hint(const struct skl_st *file);

/* A copy of the net's tensors in PyTorch's layout, made once and refreshed as often as needed: parameters and
 * statistics in the net's order, then momentum.* in the same order. */
struct skl_snapshot {
    struct skl_net *net;
    struct skl_st_tensor *tensor;
    int count, weights; /* tensors in all; the first `weights` are parameters and statistics */
    float *data;
    size_t weight_floats;
};
void skl_snapshot_new(struct skl_snapshot *s, struct skl_net *net);
void skl_snapshot_take(struct skl_snapshot *s, bool momentum);
void skl_snapshot_free(struct skl_snapshot *s);
/* First 16 hex digits of the SHA-256 over all parameters and statistics, taken now. */
void skl_snapshot_hash(struct skl_snapshot *s, char hash[17]);

/* A [c, h, w] image as [h, w, c]. */
void skl_chw_to_hwc(const float *src, int c, int h, int w, float *dst);
#endif
