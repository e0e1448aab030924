/* cmd_train.c - skiplab train: one run of an experiment file. */
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/place.h"
#include "core/base/say.h"
#include "core/check/check.h"
#include "core/cli/choose.h"
#include "core/cli/cmd.h"
#include "core/cli/commit.h"
#include "core/config/plan.h"
#include "core/data/dataset.h"
#include "core/run/claim.h"
#include "core/run/record.h"
#include "core/sweep/halving.h"
#include "core/sweep/plan_file.h"
#include "core/sweep/planned.h"
#include "core/train/progress.h"
#include "core/train/run.h"

static const char *results = "results", *run_dir;
static int threads;
static const char *hash;
static bool quiet, allow_other_numerics, redo, extend;

static const struct skl_option options[] = {
    SKL_RUN_OPTIONS,
    {"results", SKL_OPT_FOLDER, "DIR", "where results go (default: results)", &results, 0, 0},
    {"run-dir", SKL_OPT_FOLDER, "DIR", "the run's own folder (default: RESULTS/NAME/VARIANT/seed-N)", &run_dir, 0, 0},
    {"threads", SKL_OPT_INT, "N", "threads (default: all cores); the results do not depend on it", &threads, 1, 4096},
    SKL_PLUGIN_OPTION,
    SKL_DEVICE_OPTION,
    {"quiet", SKL_OPT_FLAG, NULL, "no progress on stderr", &quiet, 0, 0},
    {"hash", SKL_OPT_STRING, "HEX", "refuse to train other settings than those of this hash (run.json: config_hash)",
     &hash, 0, 0},
    {"extend", SKL_OPT_FLAG, NULL, "the folder's run had fewer iterations: it goes on to train.iterations", &extend, 0,
     0},
    {"redo", SKL_OPT_FLAG, NULL, "throw away what the folder holds and start again", &redo, 0, 0},
    {"allow-other-numerics", SKL_OPT_FLAG, NULL,
     "resume on another CPU type or BLAS although the bits will differ; marks the run", &allow_other_numerics, 0, 0},
    {NULL}};

/* ---- a run of a plan.json ---- */

static bool fits_listed(const struct skl_listed_run *r, const char *sweep)
{
    if (!skl_chosen_variant && !skl_chosen_seed && run_dir) {
        char *own = skl_path(sweep, r->dir);
        bool same = !strcmp(own, run_dir);
        free(own);
        return same;
    }
    return skl_choose_fits(r->variant, r->setting, r->seed);
}

/* The run of the list that --variant and --seed choose, or that stands in --run-dir; *folder: where, malloc'd. */
static int load_listed(int argc, char **argv, struct skl_plan *plan, char **folder, struct skl_err *err)
{
    const char *slash = strrchr(argv[0], '/');
    char *sweep = slash ? skl_format("%.*s", (int)(slash - argv[0]), argv[0]) : skl_strdup(".");
    struct skl_run_list list = {0};
    const struct skl_listed_run *chosen = NULL;
    skl_root_add(sweep);
    int fitting = 0, status = argc > 1
                                  ? skl_fail(err, SKL_USAGE, "'%s': the runs of a plan are trained as planned", argv[1])
                                  : skl_run_list_read(sweep, &list, err);
    for (int i = 0; i < list.count; i++)
        if (fits_listed(&list.run[i], sweep) && !fitting++) chosen = &list.run[i];
    if (!status && !chosen) status = skl_fail(err, SKL_USAGE, "%s lists no such run; see 'skiplab status'", argv[0]);
    if (fitting > 1 && !quiet)
        skl_say("skiplab: %s lists %d such runs; this is %s ('skiplab sweep' does all)\n", argv[0], fitting,
                chosen->dir);
    if (!status) status = skl_planned_run(sweep, chosen->dir, plan, err);
    if (!status) *folder = run_dir ? skl_strdup(run_dir) : skl_path(sweep, chosen->dir);
    skl_run_list_release(&list);
    free(sweep);
    return status;
}

/* ---- a run of an experiment file ---- */

/* Before anything is written: a new run whose data are missing or damaged leaves no folder behind. */
static int check_data(const struct skl_data_config *data, struct skl_err *err)
{
    struct skl_dataset set;
    int status = skl_dataset_open(data, &set, err);
    if (!status) skl_dataset_release(&set);
    return status;
}

static int check_plugin(const struct skl_model_config *model, struct skl_err *err)
{
    if (!*skl_registry_sha256(model->shortcut)) return SKL_OK; /* built in: the tests have done it */
    return skl_check_before_run(model->shortcut, model->shortcut_opts, err);
}

/* A run of a sweep's folder stays inside the sweep's, another one inside its own. */
static void add_root(const char *sweep, const char *folder)
{
    size_t n = strlen(sweep);
    skl_root_add(!strncmp(folder, sweep, n) && folder[n] == '/' ? sweep : folder);
}

static int load_file(int argc, char **argv, struct skl_plan *plan, const struct skl_plan_run **chosen, char **folder,
                     struct skl_err *err)
{
    int status = skl_choose(argc, argv, quiet ? NULL : " ('skiplab sweep' does all)", plan, chosen, err);
    if (status) return status;
    if (!quiet && !skl_progress_watched()) skl_say_what_is_vain(*chosen, 1);
    char *sweep = skl_path(results, plan->name);
    *folder = run_dir ? skl_strdup(run_dir) : skl_path(sweep, (*chosen)->dir);
    add_root(sweep, *folder);
    free(sweep);
    return SKL_OK;
}

/* ---- both ---- */

struct planned {
    char *sweep, *dir; /* NULL: no plan lists the run */
    const struct skl_plan_run *run;
};

static int admit_data(void *context, const char *set, const char *fingerprint, struct skl_err *err)
{
    const struct planned *p = context;
    if (!p->sweep || (*set != '/' && !skl_dataset_has_files(set))) return SKL_OK;
    return skl_planned_data(p->sweep, set, fingerprint, err);
}

static int at_rung(void *context, int64_t iteration, enum skl_rung *rung, char **why, struct skl_err *err)
{
    const struct planned *p = context;
    struct skl_halving *halving;
    int status = skl_halving_read(p->sweep, &p->run->exp, &halving, err);
    if (!status) *rung = skl_halving_ask(halving, p->run->setting, iteration, why);
    skl_halving_release(halving);
    return status;
}

/* Its place among others is asked for. */
static int check_halving(const struct planned *p, struct skl_err *err)
{
    if (!p->run->exp.give_up.halving.every) return SKL_OK;
    if (!p->sweep)
        return skl_fail(err, SKL_USAGE,
                        "give_up.halving ranks the settings of a sweep, and this run is in none: 'skiplab sweep', or "
                        "give_up.halving.every=0");
    if (extend)
        return skl_fail(err, SKL_USAGE, "--extend: others of %s were ranked beside this run (give_up.halving)",
                        p->sweep);
    return SKL_OK;
}

/* With the run's claim: what a plan says of it stays so until it has begun. */
static int check_planned(const char *folder, struct planned *p, const struct skl_plan *plan,
                         const struct skl_plan_run *run, struct skl_err *err)
{
    int status = skl_planned_where(folder, &p->sweep, &p->dir, err);
    return status || !p->sweep ? status : skl_planned_check(p->sweep, p->dir, plan, run, err);
}

/* A run that was begun goes on where it was begun. */
static int choose_device(const struct skl_plan_run *chosen, const char *folder, struct skl_err *err)
{
    struct skl_run_state there = {0};
    const bool known = !redo && !skl_run_state_read(folder, &there, NULL) && there.iteration > 0;
    return skl_device_start(chosen->exp.model.shortcut, known ? there.numerics : NULL, allow_other_numerics, quiet,
                            err);
}

static int train(const struct skl_plan *plan, const struct skl_plan_run *chosen, const char *folder,
                 struct skl_err *err)
{
    struct planned planned = {.run = chosen};
    struct skl_run_options o = {.threads = threads,
                                .quiet = quiet,
                                .allow_other_numerics = allow_other_numerics,
                                .redo = redo,
                                .extend = extend,
                                .version = SKL_VERSION,
                                .commit = SKL_COMMIT,
                                .admit_data = admit_data,
                                .at_rung = chosen->exp.give_up.halving.every ? at_rung : NULL,
                                .context = &planned};
    struct skl_claim *claim = NULL;
    bool there = true;
    int status = check_plugin(&chosen->exp.model, err);
    if (!status && hash && strcmp(hash, chosen->exp.hash))
        status =
            skl_fail(err, SKL_USAGE, "%s: these settings have another hash (%.12s, not %.12s): has the plan changed?",
                     folder, chosen->exp.hash, hash);
    if (!status && skl_is_there(folder, &there, err)) status = err->status = SKL_FAILED; /* a place to write to */
    if (!status && !there) status = check_data(&chosen->exp.data, err);
    if (!status) status = choose_device(chosen, folder, err);
    if (!status) status = skl_mkdirs(folder, err);
    if (!status) status = skl_claim_take(folder, &claim, err);
    if (!status) status = check_planned(folder, &planned, plan, chosen, err);
    if (!status) status = check_halving(&planned, err);
    if (!status) status = skl_run(plan, chosen, folder, claim, &o, err);
    skl_claim_release(claim);
    free(planned.sweep);
    free(planned.dir);
    return status;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_plan plan;
    const struct skl_plan_run *chosen = NULL;
    char *folder = NULL;
    int status = skl_is_plan_file(argv[0]) ? load_listed(argc, argv, &plan, &folder, err)
                                           : load_file(argc, argv, &plan, &chosen, &folder, err);
    if (status) return status;
    status = train(&plan, chosen ? chosen : &plan.run[0], folder, err);
    if (status == SKL_FAILED) skl_progress_cause(skl_cause_words[skl_cause_of_error(err)]);
    free(folder);
    skl_plan_release(&plan);
    return status;
}

const struct skl_command skl_cmd_train = {
    .name = "train",
    .summary = "train one run, or go on with it",
    .usage = "CONFIG.yaml [key=value ...]",
    .description =
        "Trains one run of an experiment file in its folder and logs it there.  The same command goes on where an\n"
        "interrupted run stopped, with the same bytes as if it had never stopped.  Any key of the file can be\n"
        "overridden: model.depth=20.  A run's own config.yaml is such a file; so is a sweep's plan.json, whose runs "
        "are\n"
        "trained as planned.",
    .examples = "skiplab train configs/quickstart.yaml --variant dropout\n"
                "skiplab train configs/table1.yaml --variant original --seed 3 --threads 8\n"
                "skiplab train configs/quickstart.yaml train.iterations=100 --run-dir try\n",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .words = {SKL_WORD_CONFIG, SKL_WORD_KEY},
    .run = run,
};
