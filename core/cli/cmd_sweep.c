/* cmd_sweep.c - skiplab sweep: all runs of an experiment file that are not finished. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/place.h"
#include "core/base/say.h"
#include "core/cli/choose.h"
#include "core/cli/cmd.h"
#include "core/data/dataset.h"
#include "core/device/choose/choose.h"
#include "core/nn/net.h"
#include "core/run/record.h"
#include "core/sweep/display.h"
#include "core/sweep/driver.h"
#include "core/sweep/jobs.h"
#include "core/sweep/launch.h"
#include "core/sweep/planned.h"
#include "core/sweep/slurm.h"
#include "core/train/session.h"

static struct skl_sweep_options options = {.results = "results", .hang_seconds = 1800};
static bool dry_run, slurm;
static const char *retry, *slurm_options, *pack, *launch;

/* ---- --dry-run ---- */

struct forecast {
    int64_t parameters;
    double bytes, work, seconds;
}; /* work: multiply-adds; seconds: NaN unknown */

/* What one run takes: two checkpoints of weights and momentum, and the rows of the logs. */
static int forecast(const struct skl_experiment *exp, struct forecast *f, struct skl_err *err)
{
    enum { TRAIN_ROW = 50, TEST_ROW = 60, TIMING_ROW = 60, OVERHEAD = 8192 };
    int size, channels, classes;
    int status = skl_dataset_shape(&exp->data, &size, &channels, &classes, err);
    if (status) return status;
    struct skl_net_options net = skl_net_options_for(exp, size, channels, classes);
    struct skl_net_info info;
    status = skl_net_describe(&exp->model, &net, &info, err);
    if (status) return status;
    const struct skl_train_config *t = &exp->train;
    double train_rows = (double)t->iterations / (double)t->log_every,
           test_rows = (double)t->iterations / (double)t->test_every;
    f->parameters = info.parameters;
    f->bytes =
        2 * 2 * 4.0 * (double)info.parameters + OVERHEAD + train_rows * (TRAIN_ROW + TIMING_ROW) + test_rows * TEST_ROW;
    f->work = (double)info.multiply_adds * (double)t->iterations * t->batch;
    skl_net_info_release(&info);
    return SKL_OK;
}

/* Runs of one setting differ in the seed only: one forecast does for all. */
static int forecast_all(const struct skl_plan *plan, struct forecast *f, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < plan->count && !status; i++) {
        int same = 0;
        while (same < i && strcmp(plan->run[same].setting, plan->run[i].setting)) same++;
        if (same < i)
            f[i] = f[same];
        else
            status = forecast(&plan->run[i].exp, &f[i], err);
        f[i].seconds = NAN;
    }
    return status;
}

/* Multiply-adds of training a second, over the runs of this sweep that were measured; 0: none was. */
static double measured_speed(const struct skl_plan *plan, const struct forecast *f, const struct skl_run_state *state)
{
    double work = 0, seconds = 0;
    for (int i = 0; i < plan->count; i++) {
        const struct skl_run_state *s = &state[i];
        if (!(s->images_per_second > 0)) continue;
        double images = (double)plan->run[i].exp.train.iterations * plan->run[i].exp.train.batch;
        work += f[i].work;
        seconds += images / s->images_per_second;
    }
    return seconds > 0 ? work / seconds : 0;
}

/* What the sweep would do with a run, or has done. */
static const char *word_of(const struct skl_job *j, const struct skl_run_state *state)
{
    if (j->redo) return "redo";
    if (j->status == SKL_JOB_WAITING && !strcmp(state->state, "failed")) return "retry";
    return skl_sweep_state(j->folder, state);
}

static void print_runs(const struct skl_driver *d, const struct forecast *f, const struct skl_run_state *state)
{
    const struct skl_plan *plan = d->plan;
    double bytes = 0, work = 0, speed = measured_speed(plan, f, state);
    int left = 0, jobs = options.jobs ? options.jobs : 1;
    char text[32];
    skl_print("%-12s %10s  %10s  %s\n", "state", "parameters", "iterations", "run");
    for (int k = 0; k < d->count; k++) {
        const struct skl_job *j = &d->job[k];
        const ptrdiff_t i = j->run - plan->run;
        const int64_t iterations = j->run->exp.train.iterations;
        skl_print("%-12s %10lld  %10lld  %s\n", word_of(j, &state[i]), (long long)f[i].parameters,
                  (long long)iterations, j->run->dir);
        bytes += f[i].bytes;
        if (state[i].complete && !j->redo) continue;
        left++;
        work += f[i].work * (1 - (j->redo ? 0 : (double)state[i].iteration / (double)iterations));
    }
    skl_print("\n%d run%s, %d not finished; about %s on disk in %s/%s", d->count, SKL_S(d->count), left,
              skl_bytes(bytes, text), options.results, plan->name);
    if (speed > 0)
        skl_print("; about %s left with --jobs %d\n", skl_duration(work / speed / jobs, text), jobs);
    else
        skl_print("; time unknown until a first run was measured\n");
}

static void read_states(const struct skl_plan *plan, struct skl_run_state *state)
{
    for (int i = 0; i < plan->count; i++) {
        char *folder = skl_format("%s/%s/%s", options.results, plan->name, plan->run[i].dir);
        struct skl_err ignored;
        if (skl_run_state_read(folder, &state[i], &ignored))
            snprintf(state[i].state, sizeof state[i].state, "unreadable");
        free(folder);
    }
}

/* The sweep's own look at its runs: what it would refuse is refused. */
static int list_runs(const struct skl_plan *plan, struct skl_err *err)
{
    size_t n = (size_t)plan->count + 1;
    struct forecast *f = skl_alloc_array(n, sizeof *f);
    struct skl_run_state *state = skl_alloc_array(n, sizeof *state);
    struct skl_driver d;
    int status = skl_jobs_look(&d, plan, &options, err);
    if (!status) status = forecast_all(plan, f, err);
    read_states(plan, state);
    if (!status) print_runs(&d, f, state);
    skl_jobs_release(&d);
    free(f);
    free(state);
    return status;
}

/* ---- --pack ---- */

/* The longest of the runs that are not finished, at the speed of those that were measured; NaN: none was. */
static int longest_run(const struct skl_plan *plan, double *seconds, struct skl_err *err)
{
    size_t n = (size_t)plan->count + 1;
    struct forecast *f = skl_alloc_array(n, sizeof *f);
    struct skl_run_state *state = skl_alloc_array(n, sizeof *state);
    int status = forecast_all(plan, f, err);
    read_states(plan, state);
    const double speed = status ? 0 : measured_speed(plan, f, state);
    *seconds = speed > 0 ? 0 : NAN;
    for (int i = 0; i < plan->count && speed > 0; i++)
        if (!state[i].complete) *seconds = fmax(*seconds, f[i].work / speed);
    free(f);
    free(state);
    return status;
}

/* As many runs as together take half an hour. */
static int pack_auto(const struct skl_plan *plan, struct skl_err *err)
{
    enum { AT_ONCE = 1800, MOST = 1000 };
    double seconds;
    char text[32];
    int status = longest_run(plan, &seconds, err);
    if (status) return status;
    if (isnan(seconds))
        return skl_fail(err, SKL_USAGE,
                        "--pack auto: how long a run takes is not known, as none of %s was measured yet: give a "
                        "number, --pack 4, or let one run begin first (--only 'PATTERN')",
                        plan->name);
    if (seconds == 0) return SKL_OK; /* all are finished */
    options.pack = (int)fmin(fmax(AT_ONCE / fmax(seconds, 1e-3), 1), MOST);
    skl_say("%s: a run takes about %s: %d run%s an element of the array\n", plan->name, skl_duration(seconds, text),
            options.pack, SKL_S(options.pack));
    return SKL_OK;
}

static int read_pack(const struct skl_plan *plan, struct skl_err *err)
{
    char *end;
    if (!pack) return SKL_OK;
    if (!slurm) return skl_fail(err, SKL_USAGE, "sweep: --pack goes with --slurm");
    if (!strcmp(pack, "auto")) return pack_auto(plan, err);
    const long n = strtol(pack, &end, 10);
    if (*pack < '0' || *pack > '9' || *end || n < 1 || n > 1000)
        return skl_fail(err, SKL_USAGE, "--pack '%s': a whole number from 1 to 1000, or auto", pack);
    options.pack = (int)n;
    return SKL_OK;
}

/* ---- what is asked for ---- */

static int check_planned(const struct skl_plan *plan, const struct skl_dataset *set, struct skl_err *err)
{
    if (!skl_dataset_has_files(set->name)) return SKL_OK;
    char *folder = skl_path(options.results, plan->name), fingerprint[17];
    snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)set->fingerprint);
    int status = skl_planned_data_look(folder, set->name, fingerprint, err);
    free(folder);
    return status;
}

/* Is the run asked for, and not complete? */
static bool to_do(const struct skl_plan *plan, const struct skl_plan_run *r)
{
    struct skl_run_state state;
    if (options.only && !skl_plan_matches(r, options.only)) return false;
    if (options.redo && skl_plan_matches(r, options.redo)) return true;
    char *folder = skl_format("%s/%s/%s", options.results, plan->name, r->dir);
    const bool complete = !skl_run_state_read(folder, &state, NULL) && state.complete;
    free(folder);
    return !complete;
}

/* Missing data is said once, before anything starts, not by every run. */
static int check_data(const struct skl_plan *plan, struct skl_err *err)
{
    const struct skl_data_config *checked = NULL;
    for (int i = 0; i < plan->count; i++) {
        const struct skl_plan_run *r = &plan->run[i];
        const struct skl_data_config *data = &r->exp.data;
        if (checked && !strcmp(data->dataset, checked->dataset) &&
            !strcmp(data->path ? data->path : "", checked->path ? checked->path : ""))
            continue;
        if (!to_do(plan, r)) continue;
        struct skl_dataset set;
        int status = skl_dataset_open(data, &set, err);
        if (status) return status;
        if (skl_sweep_keeps_data(plan, options.redo)) status = check_planned(plan, &set, err);
        skl_dataset_release(&set);
        if (status) return status;
        checked = data;
    }
    return SKL_OK;
}

/* So is a device that was named and is not here. */
static int check_device(const struct skl_plan *plan, struct skl_err *err)
{
    struct skl_device_wish wish;
    struct skl_device_choice choice;
    int i = 0;
    while (i < plan->count && !to_do(plan, &plan->run[i])) i++;
    int status = skl_device_parse(skl_device_word, &wish, err);
    if (status || i == plan->count || wish.kind == SKL_DEVICE_AUTO) return status;
    for (int turn = 0; !status && (turn == 0 || turn < wish.count); turn++)
        status = skl_device_choose(&wish, turn, &choice, err);
    return status;
}

static int check_machine(const struct skl_plan *plan, struct skl_err *err)
{
    const int status = check_data(plan, err);
    return status ? status : check_device(plan, err);
}

/* What is missing here is no fault of the list: it may be made for another machine. */
static int dry(const struct skl_plan *plan, struct skl_err *err)
{
    struct skl_err why = {0};
    int status = list_runs(plan, err);
    if (!status && check_machine(plan, &why)) skl_say("skiplab: note: the sweep would end here: %s\n", why.text);
    return status;
}

/* One run at a time on each GPU. */
static int share_devices(struct skl_err *err)
{
    struct skl_device_wish wish;
    const int status = skl_device_parse(skl_device_word, &wish, err);
    options.device = skl_device_word;
    if (status || options.jobs || slurm || launch) return status;
    const int gpus = skl_device_count(&wish);
    options.jobs = gpus > 1 ? gpus : 1;
    return SKL_OK;
}

static int do_what_is_asked(const struct skl_plan *plan, struct skl_err *err)
{
    if (dry_run) return dry(plan, err);
    if (launch) return skl_sweep_launch(plan, &options, launch, err);
    if (slurm) return skl_sweep_slurm(plan, &options, slurm_options, err);
    const int status = check_machine(plan, err);
    return status ? status : skl_sweep(plan, &options, err);
}

static int run(int argc, char **argv, struct skl_err *err)
{
    if (slurm_options && !slurm) return skl_fail(err, SKL_USAGE, "sweep: --slurm-options goes with --slurm");
    if (launch && (slurm || options.jobs))
        return skl_fail(err, SKL_USAGE, "sweep: --launch prints commands: --%s is not for them",
                        slurm ? "slurm" : "jobs");
    options.retry_failed = retry != NULL;
    int status = share_devices(err);
    if (status) return status;
    struct skl_plan plan;
    status = skl_plan_load(argv[0], argv + 1, argc - 1, &plan, err);
    if (status) return status;
    skl_say_what_is_vain(plan.run, plan.count);
    char *folder = skl_path(options.results, plan.name);
    skl_root_add(folder);
    free(folder);
    status = read_pack(&plan, err);
    if (!status) status = do_what_is_asked(&plan, err);
    skl_plan_release(&plan);
    return status;
}

static const char *const *retried(void)
{
    static const char *const words[] = {"failed", NULL};
    return words;
}

static const struct skl_option sweep_options[] = {
    {"jobs", SKL_OPT_INT, "N", "runs at a time, each a process of its own; default 1, or one a GPU (--slurm: no limit)",
     &options.jobs, 1, 1024},
    {"threads", SKL_OPT_INT, "N", "threads a run; default: all cores / jobs (--slurm: 1)", &options.threads, 1, 1024},
    {"results", SKL_OPT_FOLDER, "DIR", "where the sweep's folder stands; default results", &options.results, 0, 0},
    {"dry-run", SKL_OPT_FLAG, NULL, "list the runs with their state, parameters, disk and time; start nothing",
     &dry_run, 0, 0},
    {"only", SKL_OPT_PATTERN, "GLOB", "only runs whose folder (VARIANT/.../seed-N, or without /seed-N) fits",
     &options.only, 0, 0},
    {"retry", SKL_OPT_CHOICE, "failed", "try runs again that ended in an error", &retry, 0, 0, .words = retried},
    {"redo", SKL_OPT_PATTERN, "GLOB", "throw these runs' results away and begin them anew", &options.redo, 0, 0},
    {"extend", SKL_OPT_FLAG, NULL,
     "the experiment has more runs than when the sweep began, or more iterations a run: add them", &options.extend, 0,
     0},
    {"hang", SKL_OPT_REAL, "SECONDS",
     "end a run that neither iterates nor evaluates for so long; default 1800, 0: never", &options.hang_seconds, 0,
     1e7},
    {"fail-fast", SKL_OPT_FLAG, NULL, "stop all when one run fails", &options.fail_fast, 0, 0},
    {"slurm", SKL_OPT_FLAG, NULL, "submit the runs as Slurm job arrays instead of running them here", &slurm, 0, 0},
    {"slurm-options", SKL_OPT_STRING, "WORDS", "what sbatch should know besides: '--partition=long --time=4:00:00'",
     &slurm_options, 0, 0},
    {"pack", SKL_OPT_STRING, "K|auto",
     "with --slurm: K short runs an element, one after another; auto: half an hour's, by the runs measured so far",
     &pack, 0, 0},
    {"launch", SKL_OPT_STRING, "CMD",
     "print, for other schedulers, a line a run: CMD, in which {} is its command as one word, {#} its number", &launch,
     0, 0},
    SKL_PLUGIN_OPTION,
    SKL_DEVICE_OPTION,
    {"allow-other-numerics", SKL_OPT_FLAG, NULL, "resume runs begun with other kernels or BLAS; marks them",
     &options.allow_other_numerics, 0, 0},
    {0},
};

const struct skl_command skl_cmd_sweep = {
    .name = "sweep",
    .summary = "train all runs of an experiment file that are not finished",
    .usage = "CONFIG.yaml [key=value ...]",
    .description =
        "A run is one variant with one seed; its files stand in results/NAME/VARIANT/seed-N. Finished runs are left\n"
        "alone, interrupted ones go on from their checkpoint with the same bits: the same command may be given again "
        "at\n"
        "any time, and several may work on one folder, on several machines too. A run that fails does not stop the\n"
        "others; one that was killed, or found the disk full, is resumed next time, any other failure stays until\n"
        "--retry failed. Words like train.iterations=10 override the file.\n"
        "With --slurm every run is an element of a job array, queued again when it is preempted or its time is over;\n"
        "--slurm-options, or sbatch's own variables such as SBATCH_PARTITION, say where and how long. --launch prints "
        "a\n"
        "line of shell for every run instead, for GNU parallel and others.\n",
    .examples = "skiplab sweep configs/quickstart.yaml\n"
                "skiplab sweep configs/quickstart.yaml --dry-run\n"
                "skiplab sweep configs/table1-mini.yaml --jobs 2 --only 'original/*'\n"
                "skiplab sweep configs/quickstart.yaml --retry failed\n"
                "skiplab sweep configs/quickstart.yaml --extend seeds=3\n"
                "skiplab sweep configs/table1.yaml --slurm --threads 8 --jobs 20 --slurm-options '--time=4:00:00'\n"
                "skiplab sweep configs/quickstart.yaml --results elsewhere --launch 'sh -c {}' > commands.txt\n"
                "skiplab sweep configs/quickstart.yaml name=short train.iterations=20\n",
    .options = sweep_options,
    .min_args = 1,
    .max_args = -1,
    .words = {SKL_WORD_CONFIG, SKL_WORD_KEY},
    .run = run,
};
