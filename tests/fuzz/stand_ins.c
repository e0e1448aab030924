/* Readers share libraries with the net, whose kernels take minutes to compile for fuzzing.  No reader calls these. */
#include "core/train/weights.h"
#include "core/vec.h"

#define NEVER SKL_BUG("a reader calls the net")

void skl_sigmoid(size_t n, const float *x, float *y) { NEVER; }
void skl_input(struct skl_decl *d, enum skl_source source) { NEVER; }
void skl_conv(struct skl_decl *d, const char *name, struct skl_conv_spec spec) { NEVER; }
void skl_bn(struct skl_decl *d, const char *name) { NEVER; }
void skl_bn_start(struct skl_decl *d, double bias, unsigned flags) { NEVER; }
void skl_sigmoid_end(struct skl_decl *d) { NEVER; }
void skl_tensor(struct skl_decl *d, const char *name, const int *shape, enum skl_init init, double value,
                unsigned flags)
{
    NEVER;
}
void skl_branch_start(struct skl_decl *d, double factor) { NEVER; }
void skl_keep(struct skl_decl *d, size_t floats_per_image) { NEVER; }
void skl_scratch(struct skl_decl *d, size_t floats_per_image) { NEVER; }
int skl_weights_load(struct skl_net *net, const struct skl_st *file, enum skl_weights_mode mode, const char *path,
                     struct skl_err *err)
{
    NEVER;
}
void skl_snapshot_take(struct skl_snapshot *s, bool momentum) { NEVER; }
