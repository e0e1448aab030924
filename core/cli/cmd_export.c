/* cmd_export.c - skiplab export: a sweep's curves for other programs. */
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/place.h"
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/report/export.h"

static const char *to = "csv", *out;

static const char *const *forms(void)
{
    static const char *const words[] = {"csv", "tensorboard", NULL};
    return words;
}

static int write_all(const struct skl_results *r, struct skl_err *err)
{
    char *folder = out ? skl_strdup(out) : skl_path(r->folder, "export");
    char *path = skl_path(folder, strcmp(to, "csv") ? "tensorboard" : "curves.csv");
    int status = skl_mkdirs(folder, err);
    if (!status) status = strcmp(to, "csv") ? skl_export_tensorboard(r, path, err) : skl_export_csv(r, path, err);
    if (!status) status = skl_sync_all(folder, err);
    if (!status) skl_print("%s\n", path);
    free(path);
    free(folder);
    return status;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_results r;
    skl_root_add(argv[0]);
    if (out) skl_root_add(out);
    int status = skl_results_read(argv[0], (1u << SKL_METRICS) - 1, &r, err);
    if (status) return skl_context(err, "export");
    for (int i = 0; i < r.warnings; i++) skl_say("skiplab: export: %s (left out)\n", r.warning[i]);
    status = write_all(&r, err);
    if (!status && r.warnings)
        status = skl_fail(err, SKL_DATA, "export: written, but without what could not be read (see above)");
    skl_results_release(&r);
    return status;
}

static const struct skl_option export_options[] = {
    {"to", SKL_OPT_CHOICE, "FORM", "csv (default): all curves in one file, a row a value; tensorboard: its event files",
     &to, 0, 0, .words = forms},
    {"out", SKL_OPT_FOLDER, "DIR", "write there; default: RESULTS/NAME/export", &out, 0, 0},
    {0},
};

const struct skl_command skl_cmd_export = {
    .name = "export",
    .summary = "a sweep's curves for other programs: one CSV file, TensorBoard",
    .usage = "RESULTS/NAME",
    .description =
        "Writes all curves of all runs, finished or not:\n"
        "  csv          curves.csv: variant,setting,seed,state,metric,iteration,value; for pandas, R, a spreadsheet\n"
        "  tensorboard  tensorboard/SETTING/seed-N/events.out.tfevents.*: 'tensorboard --logdir' shows them\n",
    .examples = "skiplab export results/quickstart\n"
                "skiplab export results/quickstart --to tensorboard --out elsewhere\n",
    .options = export_options,
    .min_args = 1,
    .max_args = 1,
    .words = {SKL_WORD_FOLDER},
    .run = run,
};
