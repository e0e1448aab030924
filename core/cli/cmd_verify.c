/* cmd_verify.c - skiplab verify: trains a stretch of a run again and compares the bits. */
#include <jansson.h>

#include "core/base/place.h"
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/io/json.h"
#include "core/run/record.h"
#include "core/train/verify.h"

static int threads;
static bool quiet, json;

static const struct skl_option options[] = {
    {"threads", SKL_OPT_INT, "N", "threads (default: all cores); the results do not depend on it", &threads, 1, 4096},
    SKL_PLUGIN_OPTION,
    SKL_DEVICE_OPTION,
    {"quiet", SKL_OPT_FLAG, NULL, "no progress on stderr", &quiet, 0, 0},
    {"json", SKL_OPT_FLAG, NULL, "print JSON", &json, 0, 0},
    {NULL}};

static void print(const struct skl_replayed *v)
{
    long long from = v->from, to = v->to;
    if (json) {
        json_t *o =
            json_pack("{s:b, s:I, s:I, s:i, s:s, s:s?}", "same", v->same, "from", (json_int_t)from, "to",
                      (json_int_t)to, "rows", v->rows, "weights", v->weights, "differs", v->same ? NULL : v->differs);
        skl_json_print(o);
    } else if (v->same) {
        skl_print("iterations %lld to %lld: every bit is the same, %d row%s of the logs too; weights %s\n", from, to,
                  v->rows, SKL_S(v->rows), v->weights);
    } else {
        skl_print("iterations %lld to %lld: %s differs; weights %s\n", from, to, v->differs, v->weights);
    }
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_replayed found;
    skl_root_add(argv[0]);
    struct skl_run_state there = {0};
    skl_run_state_read(argv[0], &there, NULL); /* what it cannot tell, skl_verify says */
    int status = skl_device_start(NULL, there.numerics, false, quiet, err);
    if (!status) status = skl_verify(argv[0], threads, quiet, &found, err);
    if (status) return status;
    print(&found);
    if (found.same) return SKL_OK;
    return skl_fail(err, SKL_FAILED, "%s: the replay does not give what the run recorded: %s differs first", argv[0],
                    found.differs);
}

const struct skl_command skl_cmd_verify = {
    .name = "verify",
    .summary = "replay a stretch of a run and compare every bit",
    .usage = "RUN",
    .description =
        "Trains again from a run's older checkpoint (from the initial weights where there is one checkpoint only) to\n"
        "the newer one and compares every parameter, running statistic, momentum and row of the logs, bit by bit.\n"
        "Exit 0: the same; 1: not.  Writes nothing.",
    .examples = "skiplab verify results/quickstart/original/seed-1\n",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .words = {SKL_WORD_FOLDER},
    .run = run,
};
