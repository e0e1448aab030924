/* cmd_step.c - skiplab step: one step on given numbers. */
#include <string.h>

#include "core/cli/choose.h"
#include "core/cli/cmd.h"
#include "core/config/plan.h"
#include "core/train/step.h"
#include "core/train/weights.h"

static const char *weights_path, *batch_path, *out_path, *mode = "train";
static int threads;

static const char *const *modes(void)
{
    static const char *const words[] = {"train", "eval", NULL};
    return words;
}

static const struct skl_option options[] = {
    SKL_RUN_OPTIONS,
    {"weights", SKL_OPT_FILE, "FILE", "safetensors with all parameters and running statistics", &weights_path, 0, 0,
     .files = "*"},
    {"batch", SKL_OPT_FILE, "FILE", "safetensors with images [N,C,H,W] and labels [N] (default: the weights' file)",
     &batch_path, 0, 0, .files = "*"},
    {"out", SKL_OPT_FILE, "FILE", "where the results go", &out_path, 0, 0, .files = "*"},
    {"mode", SKL_OPT_CHOICE, "train|eval", "train (default), or eval: loss and logits with running statistics", &mode,
     0, 0, .words = modes},
    SKL_PLUGIN_OPTION,
    SKL_DEVICE_OPTION,
    {"threads", SKL_OPT_INT, "N", "threads (default: all cores)", &threads, 1, 4096},
    {NULL}};

static int check_options(struct skl_err *err)
{
    if (!weights_path) return skl_fail(err, SKL_USAGE, "step: --weights FILE is needed");
    if (!out_path) return skl_fail(err, SKL_USAGE, "step: --out FILE is needed");
    if (!batch_path) batch_path = weights_path;
    return SKL_OK;
}

static int step(const struct skl_experiment *exp, struct skl_err *err)
{
    struct skl_st weights = {0}, batch = {0};
    struct skl_outputs out = {0};
    bool one_file = !strcmp(weights_path, batch_path);
    int status = skl_weights_read(weights_path, &weights, err);
    if (!status && !one_file) status = skl_st_read(batch_path, false, &batch, err);
    if (!status) {
        struct skl_pool *pool = skl_pool_new(threads ? threads : skl_cpu_count());
        status = skl_step(exp, &weights, weights_path, one_file ? &weights : &batch, batch_path, !strcmp(mode, "eval"),
                          pool, &out, err);
        skl_pool_free(pool);
    }
    if (!status) status = skl_st_write(out_path, out.tensor, out.count, out.meta, out.metas, true, err);
    skl_outputs_release(&out);
    skl_st_release(&weights);
    skl_st_release(&batch);
    return status;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_plan plan;
    const struct skl_plan_run *chosen = NULL;
    int status = check_options(err);
    if (!status) status = skl_choose(argc, argv, "", &plan, &chosen, err);
    if (status) return status;
    status = skl_device_start(chosen->exp.model.shortcut, NULL, false, true, err);
    if (!status) status = step(&chosen->exp, err);
    skl_plan_release(&plan);
    return status;
}

const struct skl_command skl_cmd_step = {
    .name = "step",
    .summary = "one forward, backward and update on given numbers",
    .usage = "CONFIG.yaml --weights FILE --batch FILE --out FILE [key=value ...]",
    .description =
        "For comparing with other frameworks: reads weights and a mini-batch, writes loss [1], logits,\n"
        "grad.<parameter> (without weight decay), after.<name> (after one SGD step from zero momentum with train.lr,\n"
        "warm-up ignored) and, for dropout, mask.<unit>.  Names and layouts are PyTorch's.  The batch-norm group is\n"
        "train.bn_batch, the mini-batch all images of the file.",
    .examples =
        "skiplab step model.yaml --weights in.safetensors --batch batch.safetensors --out out.safetensors\n"
        "skiplab step model.yaml --weights in.safetensors --out out.safetensors --mode eval train.conv=direct\n",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .words = {SKL_WORD_CONFIG, SKL_WORD_KEY},
    .run = run,
};
