/* cmd_config.c - skiplab config: what a run's settings will be, before it runs. */
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/base/say.h"
#include "core/cli/choose.h"
#include "core/cli/cmd.h"

static const struct skl_option config_options[] = {
    SKL_RUN_OPTIONS,
    SKL_PLUGIN_OPTION,
    {0},
};

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_plan plan;
    const struct skl_plan_run *chosen = NULL;
    int status = skl_choose(argc, argv, "", &plan, &chosen, err);
    if (status) return status;
    char *text = skl_plan_emit(&plan, chosen), *figure = skl_plan_emit_figure(&plan);
    text = skl_append(text, "%s", figure);
    free(figure);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        skl_print("%.*s\n", (int)strcspn(line, "\n"), line);
    free(text);
    skl_plan_release(&plan);
    return SKL_OK;
}

const struct skl_command skl_cmd_config = {
    .name = "config",
    .summary = "the settings of a run, every default written out",
    .usage = "CONFIG.yaml [key=value ...]",
    .description =
        "Prints what the run (the first one, or that of --variant) would have as its config.yaml: the file, what it\n"
        "includes, its variant's settings, grid and overrides put together, and all defaults. It is an experiment "
        "file\n"
        "of this one run; what the figures are to look like (figure:), which no run knows, follows it. Opens no "
        "data.\n",
    .examples = "skiplab config configs/quickstart.yaml\n"
                "skiplab config configs/quickstart.yaml --variant dropout --seed 2 train.schedule=cosine "
                "'train.lr_drops={at: []}'\n",
    .options = config_options,
    .min_args = 1,
    .max_args = -1,
    .words = {SKL_WORD_CONFIG, SKL_WORD_KEY},
    .run = run,
};
