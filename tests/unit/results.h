/* results.h - folders of finished runs for tests, in the scratch folder. */
#ifndef SKL_TEST_RESULTS_H
#define SKL_TEST_RESULTS_H
#include <math.h>

#include "core/base/fs.h"
#include "tests/unit/scratch.h"

static void put_text(const char *path, const char *text) { put_file(path, text, strlen(text)); }

struct fixture {
    const char *sweep, *setting, *extra; /* extra: lines of config.yaml */
    const char *dataset;
    int depth;
    int classes; /* as run.json says; 0: it does not */
};

static const char paper_schedule[] =
    "train: {iterations: 64000, batch: 128, lr: 0.1, lr_drops: {at: [32000, 48000], factor: 0.1}}\n";

/* A run that ends with this test error, or in this state without one. */
static void put_run(const struct fixture *f, int seed, const char *run_state, double error, const char *cause)
{
    char folder[700], path[800], text[2048];
    snprintf(folder, sizeof folder, "%s/%s/seed-%d", in_scratch(f->sweep), f->setting, seed);
    assert_int_equal(skl_mkdirs(folder, NULL), SKL_OK);
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    snprintf(text, sizeof text, "name: x\nmodel: {depth: %d, shortcut: {type: identity}}\ndata: {dataset: %s}\n%s%s",
             f->depth, f->dataset, paper_schedule, f->extra);
    put_text(path, text);
    snprintf(path, sizeof path, "%s/train.csv", folder);
    put_text(
        path,
        "iteration,epoch,lr,loss,error\n0,0,0.1,2.3,8\n100,1,0.1,1.0,40\n200,2,0.1,0.5,9.5\n64000,3,0.1,0.1,1.5\n");
    snprintf(path, sizeof path, "%s/test.csv", folder);
    snprintf(text, sizeof text, "iteration,epoch,loss,error,weights\n32000,1,0.5,%.9g,aa\n64000,2,0.4,%.9g,%d\n",
             error - 0.25, error, seed);
    if (isfinite(error)) put_text(path, text);
    snprintf(path, sizeof path, "%s/run.json", folder);
    snprintf(text, sizeof text,
             "{\"state\": \"%s\", \"cause\": \"%s\", \"iterations\": 64000, \"iteration\": 64000, "
             "\"train_error_final\": 0.5, "
             "\"train_loss_final\": 0.01, \"images_per_second\": %d, \"seconds\": 7200, \"parameters\": 1727962, "
             "\"multiply_adds\": 252887040, \"host\": \"h\", \"version\": \"1\", \"commit\": \"c\", \"config_hash\": "
             "\"abc\", \"classes\": %d}",
             run_state, cause, 100 * seed, f->classes);
    put_text(path, text);
}

static void put_runs(const struct fixture *f, const double *error, int count)
{
    for (int i = 0; i < count; i++) {
        bool diverged = isinf(error[i]);
        put_run(f, i + 1, diverged ? "diverged" : "done", diverged ? NAN : error[i], diverged ? "loss not finite" : "");
    }
}
#endif
