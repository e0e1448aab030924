/* cmd_eval.c - skiplab eval: loss and error of a checkpoint on the test set. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/say.h"
#include "core/cli/checkpoint.h"
#include "core/cli/cmd.h"
#include "core/config/plan.h"
#include "core/io/json.h"
#include "core/train/session.h"
#include "core/train/state.h"

static int threads, bn_from_train;
static bool json;

static const struct skl_option options[] = {
    {"threads", SKL_OPT_INT, "N", "threads (default: all cores)", &threads, 1, 4096},
    {"bn-from-train", SKL_OPT_INT, "N",
     "estimate batch-norm statistics anew on the first N training batches, nothing dropped", &bn_from_train, 1,
     1000000},
    SKL_PLUGIN_OPTION,
    SKL_DEVICE_OPTION,
    {"json", SKL_OPT_FLAG, NULL, "print JSON", &json, 0, 0},
    {NULL}};

static void print(const char *path, int64_t iteration, int images, const struct skl_evaluation *e)
{
    if (!json) {
        skl_print("iteration  %lld\nimages     %d\ntest loss  %.9g\ntest error %.9g %%\n", (long long)iteration, images,
                  e->loss, e->error);
        if (!isnan(e->top5)) skl_print("top-5      %.9g %%\n", e->top5);
        return;
    }
    json_t *o =
        json_pack("{s:o, s:I, s:i, s:o, s:o}", "checkpoint", skl_json_text(path), "iteration", (json_int_t)iteration,
                  "images", images, "test_loss", skl_json_real(e->loss), "test_error", skl_json_real(e->error));
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

static int evaluate(const char *path, const struct skl_experiment *exp, struct skl_err *err)
{
    struct skl_session session;
    struct skl_evaluation e;
    struct skl_state state;
    int status = skl_session_open(&session, exp, threads, !bn_from_train, err);
    if (status) return status;
    const struct skl_identity identity = skl_session_identity(&session);
    status = skl_state_load_weights(path, session.net, &state, &identity, err);
    if (!status && bn_from_train && skl_part_count(&session, SKL_PART_TRAIN) < exp->train.batch)
        status = skl_fail(err, SKL_USAGE, "--bn-from-train needs a training set of at least one batch (%d images)",
                          exp->train.batch);
    if (!status) {
        if (bn_from_train) estimate_statistics(&session);
        skl_evaluate(&session, SKL_PART_TEST, NULL, NULL, &e);
        status = skl_session_sound(&session, err);
        if (!status) print(path, state.iteration, skl_part_count(&session, SKL_PART_TEST), &e);
    }
    skl_session_close(&session);
    return status;
}

static int run(int argc, char **argv, struct skl_err *err)
{
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
    .usage = "CHECKPOINT",
    .description = "Evaluates a checkpoint, or a run's folder (its last.safetensors), on the test set of the "
                   "config.yaml beside it.",
    .examples = "skiplab eval results/quickstart/original/seed-1\n"
                "skiplab eval results/quickstart/dropout/seed-1 --bn-from-train 20\n"
                "skiplab eval results/quickstart/original/seed-1/prev.safetensors --json\n",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .words = {SKL_WORD_CHECKPOINT | SKL_WORD_FOLDER},
    .run = run,
};
