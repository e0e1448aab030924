/* session.h - one experiment brought to life: its data, its net, its mini-batches; one iteration, one evaluation.
 * Used by training, evaluation and replay, so that all do the same sums in the same order. */
#ifndef SKL_SESSION_H
#define SKL_SESSION_H
#include <stdbool.h>
#include <sys/types.h>
#include "core/config/experiment.h"
#include "core/data/dataset.h"
#include "core/nn/net.h"
#include "core/train/state.h"

struct skl_session {
    const struct skl_experiment *exp; /* borrowed */
    pid_t process;                    /* it may be used in this one alone */
    struct skl_pool *pool;
    struct skl_dataset set;
    struct skl_loader *loader;
    struct skl_net *net;
    float *images; /* [batch, size, size, channels] */
    int32_t *labels, *others;
    double mix;     /* mixup's share of the others in this mini-batch */
    bool top5;      /* top-5 errors are counted: more than 10 classes */
    int64_t loaded; /* the iteration whose mini-batch stands there; -1: of none */
    char *kernels;  /* convolution kernels in use */
    char *numerics; /* all that decides the bits of a result besides the config */
};
/* threads 0: all cores.  inference: no backward pass.  SKL_USAGE: does not fit the machine's memory, bn_batch does not
 * divide batch; SKL_DATA: the data. */
int skl_session_open(struct skl_session *s, const struct skl_experiment *exp, int threads, bool inference,
                     struct skl_err *err);
void skl_session_close(struct skl_session *s);
/* What a checkpoint of this experiment must agree with; borrows from the session. */
struct skl_identity skl_session_identity(const struct skl_session *s);

/* The net's settings that follow from an experiment and the shape of its images. */
struct skl_net_options skl_net_options_for(const struct skl_experiment *exp, int size, int channels, int classes);
/* Images a batch-norm group for a mini-batch of `batch`: bn_batch, or batch if that is smaller.  SKL_USAGE naming both
 * keys where it does not divide. */
int skl_group_size(int batch, int bn_batch, int *group, struct skl_err *err);

/* Iteration t of a run of `end`, its result noted (net.h); while a device works, the host makes the next mini-batch. */
void skl_session_iteration(struct skl_session *s, int64_t t, int64_t end);
/* Iteration t: forward, backward and one update on a mini-batch.  No update where the loss is not
 * finite. */
struct skl_step_result skl_iteration(struct skl_net *net, const struct skl_train_config *c, int64_t t,
                                     const float *images, const struct skl_targets *targets);

struct skl_evaluation {
    double loss, error, top5;
}; /* mean loss; errors in %; top5: the label is not among the five likeliest, NaN where the session has none */
/* The net and the loader: SKL_FAILED, SKL_DATA, what went wrong since they were opened; figures are void.  Asked before
 * anything is written; a process that was forked from the session's ends here. */
int skl_session_sound(struct skl_session *s, struct skl_err *err);
/* All images of one part, clean, with running statistics; of more than one crop the chances are averaged.
 * go_on(context) is asked before each mini-batch (NULL: nobody is); once it says no the figures are void and false is
 * returned. */
bool skl_evaluate(struct skl_session *s, enum skl_part part, bool (*go_on)(void *context), void *context,
                  struct skl_evaluation *out);
int skl_part_count(const struct skl_session *s, enum skl_part part);
#endif
