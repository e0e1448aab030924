/* experiment.h - one run's settings, resolved and checked: what a YAML file becomes (docs/experiment-file.md).
 * Field names and defaults are the YAML keys'; the rows in keys.c are the one source for parser, the run's
 * config.yaml, the hash and the documentation (keys.h). */
#ifndef SKL_EXPERIMENT_H
#define SKL_EXPERIMENT_H
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/variant/shortcut.h"

enum skl_family { SKL_CIFAR, SKL_IMAGENET };
enum skl_stride_in { SKL_STRIDE_IN_3X3, SKL_STRIDE_IN_1X1 };
enum skl_block { SKL_BASIC, SKL_BOTTLENECK };
enum skl_order { SKL_ORIGINAL, SKL_BN_AFTER_ADD, SKL_RELU_BEFORE_ADD, SKL_RELU_ONLY_PREACT, SKL_FULL_PREACT };
enum skl_projection { SKL_PROJECTION_A, SKL_PROJECTION_B };
enum skl_normalize { SKL_NORM_PIXEL_MEAN, SKL_NORM_CHANNEL, SKL_NORM_NONE };
enum skl_colour_shift { SKL_COLOUR_NONE, SKL_COLOUR_PCA };
enum skl_momentum_form { SKL_MOMENTUM_TORCH, SKL_MOMENTUM_CAFFE };
enum skl_decay_on { SKL_DECAY_ALL, SKL_DECAY_WEIGHTS };
enum skl_init_rule { SKL_HE_FAN_IN, SKL_HE_FAN_OUT };
enum skl_fc_init { SKL_FC_UNIFORM, SKL_FC_HE, SKL_FC_NORMAL_001 };
enum skl_schedule { SKL_STEP, SKL_COSINE, SKL_LINEAR, SKL_ONE_CYCLE, SKL_CONSTANT };
enum skl_halving_by { SKL_BY_VALIDATION, SKL_BY_TRAIN };
enum skl_warmup_shape { SKL_WARMUP_FLAT, SKL_WARMUP_LINEAR };
enum { SKL_MAX_DROPS = 16, SKL_MAX_STAGES = 5 };

struct skl_model_config {
    int family, depth, width;  /* depth: also where units were given */
    int stages;                /* of units; 0: as the depth says (model.h) */
    int units[SKL_MAX_STAGES]; /* of each stage */
    int block, stride_in;      /* the enums above, family too */
    int order, projection;
    const struct skl_shortcut *shortcut;
    _Alignas(16) char shortcut_opts[SKL_OPTS_MAX];
    int shortcut_from, shortcut_to; /* units the variant stands in (shortcut_at); identity elsewhere. all: 0, INT_MAX */
    bool shortcut_same_shape;       /* shortcut_at: same_shape */
};
struct skl_data_config {
    char *dataset, *path;                /* path NULL: the default places */
    int size, train_images, test_images; /* size 0: the set's own (28x28 padded to 32); images 0: all */
    struct {
        int train, test, size, channels, classes;
    } synthetic;
    int classes, test_resize, test_crops; /* of a folder; 0: counted; 0: 8/7 of size; 1 or 10 */
    int validation;
    int normalize;
    struct {
        int pad;
        bool flip;
        int cutout;
        double mixup;
        int resize[2];             /* of a folder: the shorter side; 0: size is 7/8 to 7/15 of it */
        double area[2], aspect[2]; /* ... or parts of the picture; area[0] 0: no */
        int colour;
    } augment;
    bool shuffle;
};
struct skl_train_config {
    int64_t iterations;
    int batch, bn_batch;
    double lr;
    int schedule; /* enum skl_schedule */
    struct {
        double lr;
        int64_t iterations;
        int shape; /* enum skl_warmup_shape */
    } warmup;
    struct {
        int64_t at[SKL_MAX_DROPS];
        int count;
        double factor;
    } lr_drops;
    double momentum;
    int momentum_form;
    bool nesterov;
    double label_smoothing;
    double weight_decay;
    int weight_decay_on;
    int init, fc_init;
    int conv;        /* enum skl_conv_algo */
    char *init_from; /* "PATH", "PATH:strict" or "PATH:partial"; NULL: none */
    int64_t log_every, test_every, checkpoint_every, keep_every;
};
struct skl_experiment {
    char *name, *label; /* the sweep's; label NULL: none */
    char *variant;      /* this run's variant */
    uint64_t seed;
    struct skl_model_config model;
    bool has_data; /* a `data:` section was given */
    struct skl_data_config data;
    struct skl_train_config train;
    struct {
        int64_t iteration;
        double train_error_above;
        struct {
            int64_t every;
            double keep;
            int by;
        } halving; /* every 0: never; what it means: core/sweep/halving.h */
    } give_up;     /* iteration 0: never */
    struct {
        int64_t every;
    } probe;       /* 0: no probe */
    char hash[65]; /* SHA-256 of the canonical settings (not name, label, paper) */
};

/* Owned by the experiment: name, label, variant, data.dataset, data.path, train.init_from.  The shortcut is the
 * registry's. */
struct skl_ynode;
void skl_experiment_defaults(struct skl_experiment *exp); /* every key's default; hash and names empty */
/* Reads the run keys of a merged tree (model, data, train, give_up, probe; `paper` and the keys of the whole file
 * are skipped), checks what spans keys, fills in what follows from other keys (bn_batch, percents).  Does not set
 * name, variant, seed, hash.  Every error is SKL_USAGE at the key's place. */
int skl_experiment_read(const struct skl_ynode *tree, struct skl_experiment *exp, struct skl_err *err);
/* Only what can be said of a tree that variants will still change: unknown keys, types, ranges. */
int skl_experiment_check_keys(const struct skl_ynode *tree, struct skl_err *err);
void skl_experiment_copy(const struct skl_experiment *from, struct skl_experiment *to);
void skl_experiment_release(struct skl_experiment *exp);
/* Does the sweep rank its settings when this run has done so many iterations? */
bool skl_experiment_is_rung(const struct skl_experiment *exp, int64_t iteration);
/* The settings that decide the numbers, one "key=value" a line in the order of the table, doubles %.17g; malloc'd.
 * exp->hash is the SHA-256 of this text. */
char *skl_experiment_canonical(const struct skl_experiment *exp);
void skl_experiment_hash(struct skl_experiment *exp);
#endif
