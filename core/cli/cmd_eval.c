/* cmd_eval.c - skiplab eval: loss and error of a checkpoint on the test set. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/base/say.h"
#include "core/cli/checkpoint.h"
#include "core/cli/choose.h"
#include "core/cli/cmd.h"
#include "core/config/plan.h"
#include "core/io/json.h"
#include "core/train/session.h"
#include "core/train/state.h"

static int threads, bn_from_train;
static bool json;
static const char *weights_path;

static const struct skl_option options[] = {
    SKL_RUN_OPTIONS,
    {"weights", SKL_OPT_FILE, "FILE",
     "safetensors of any program, instead of a checkpoint: for CONFIG.yaml's net and data", &weights_path, 0, 0,
     .files = "*"},
    {"threads", SKL_OPT_INT, "N", "threads (default: all cores)", &threads, 1, 4096},
    {"bn-from-train", SKL_OPT_INT, "N",
     "estimate batch-norm statistics anew on the first N training batches, nothing dropped", &bn_from_train, 1,
     1000000},
    SKL_PLUGIN_OPTION,
    SKL_DEVICE_OPTION,
    {"json", SKL_OPT_FLAG, NULL, "print JSON", &json, 0, 0},
    {NULL}};

/* iteration -1: weights of another program have none. */
static void print(const char *path, int64_t iteration, int images, const struct skl_evaluation *e)
{
    if (!json) {
        if (iteration >= 0) skl_print("iteration  %lld\n", (long long)iteration);
        skl_print("images     %d\ntest loss  %.9g\ntest error %.9g %%\n", images, e->loss, e->error);
        if (!isnan(e->top5)) skl_print("top-5      %.9g %%\n", e->top5);
        return;
    }
    json_t *o = json_pack("{s:o, s:i, s:o, s:o}", iteration >= 0 ? "checkpoint" : "weights", skl_json_text(path),
                          "images", images, "test_loss", skl_json_real(e->loss), "test_error", skl_json_real(e->error));
    if (iteration >= 0) json_object_set_new(o, "iteration", json_integer(iteration));
    if (!isnan(e->top5)) json_object_set_new(o, "test_top5", json_real(e->top5));
    skl_json_print(o);
}

/* Whole mini-batches of clean training images, front to back and again. */
static void estimate_statistics(struct skl_session *s)
{
    const int batch = s->exp->train.batch, count = skl_part_count(s, SKL_PART_TRAIN);
    int64_t groups = 0;
    for (int i = 0, first = 0; i < bn_from_train; i++, first += batch) {
        if (first + batch > count) first = 0;
        skl_loader_clean(s->loader, SKL_PART_TRAIN, first, batch, s->images, s->labels);
        skl_net_statistics(s->net, s->images, &groups);
    }
}

/* *iteration: the checkpoint's; -1 for a file of weights. */
static int load(const char *path, struct skl_session *s, int64_t *iteration, struct skl_err *err)
{
    struct skl_state state;
    struct skl_st file;
    *iteration = -1;
    if (!weights_path) {
        const struct skl_identity identity = skl_session_identity(s);
        const int status = skl_state_load_weights(path, s->net, &state, &identity, err);
        *iteration = state.iteration;
        return status;
    }
    int status = skl_weights_read(path, &file, err);
    if (status) return status;
    status = skl_weights_load(s->net, &file, SKL_WEIGHTS_ONLY, path, err);
    skl_st_release(&file);
    return status;
}

static int evaluate(const char *path, const struct skl_experiment *exp, struct skl_err *err)
{
    struct skl_session session;
    struct skl_evaluation e;
    int64_t iteration;
    int status = skl_session_open(&session, exp, threads, !bn_from_train, err);
    if (status) return status;
    status = load(path, &session, &iteration, err);
    if (!status && bn_from_train && skl_part_count(&session, SKL_PART_TRAIN) < exp->train.batch)
        status = skl_fail(err, SKL_USAGE, "--bn-from-train needs a training set of at least one batch (%d images)",
                          exp->train.batch);
    if (!status) {
        if (bn_from_train) estimate_statistics(&session);
        skl_evaluate(&session, SKL_PART_TEST, NULL, NULL, &e);
        status = skl_session_sound(&session, err);
        if (!status) print(path, iteration, skl_part_count(&session, SKL_PART_TEST), &e);
    }
    skl_session_close(&session);
    return status;
}

static int run_weights(int argc, char **argv, struct skl_err *err)
{
    struct skl_plan plan;
    const struct skl_plan_run *chosen = NULL;
    int status = skl_choose(argc, argv, "", &plan, &chosen, err);
    if (status) return status;
    status = skl_device_start(chosen->exp.model.shortcut, NULL, false, json, err);
    if (!status) status = evaluate(weights_path, &chosen->exp, err);
    skl_plan_release(&plan);
    return status;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    if (weights_path) return run_weights(argc, argv, err);
    if (argc > 1 || skl_chosen_variant || skl_chosen_seed)
        return skl_fail(err, SKL_USAGE,
                        "eval: a checkpoint stands alone; a config's variant, seed and keys go with --weights");
    struct skl_checkpoint c;
    struct skl_plan plan;
    int status = skl_checkpoint_find(argv[0], true, &c, err);
    if (status) return status;
    status = skl_plan_load_recorded(c.config, false, &plan, err);
    if (!status) {
        status = skl_device_start(plan.run[0].exp.model.shortcut, NULL, false, json, err);
        if (!status) status = evaluate(c.path, &plan.run[0].exp, err);
        skl_plan_release(&plan);
    }
    skl_checkpoint_release(&c);
    return status;
}

const struct skl_command skl_cmd_eval = {
    .name = "eval",
    .summary = "test loss and error of a checkpoint",
    .usage = "CHECKPOINT | --weights FILE CONFIG.yaml [key=value ...]",
    .description =
        "Evaluates a checkpoint, or a run's folder (its last.safetensors), on the test set of the "
        "config.yaml beside it.\n"
        "With --weights a file of another program, torchvision's or timm's state_dict as it is saved, on the "
        "test set\n"
        "of a config whose model it fits.",
    .examples = "skiplab eval results/quickstart/original/seed-1\n"
                "skiplab eval results/quickstart/dropout/seed-1 --bn-from-train 20\n"
                "skiplab eval results/quickstart/original/seed-1/prev.safetensors --json\n"
                "skiplab eval --weights resnet50.safetensors configs/imagenet.yaml --variant resnet-50 "
                "model.stride_in=3x3\n",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .words = {SKL_WORD_CHECKPOINT | SKL_WORD_FOLDER | SKL_WORD_CONFIG, SKL_WORD_KEY},
    .run = run,
};
