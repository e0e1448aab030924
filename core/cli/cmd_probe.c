/* cmd_probe.c - skiplab probe: how signal and gradient travel through a net, at its start or in a checkpoint. */
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/say.h"
#include "core/cli/checkpoint.h"
#include "core/cli/choose.h"
#include "core/cli/cmd.h"
#include "core/config/model.h"
#include "core/config/plan.h"
#include "core/io/json.h"
#include "core/nn/probe.h"
#include "core/train/begin.h"
#include "core/train/session.h"
#include "core/train/state.h"
#include "core/train/step.h"
#include "core/train/weights.h"

static const char *weights_path, *batch_path;
static int images = SKL_PROBE_IMAGES, threads;
static bool json, responses;

static const struct skl_option options[] = {
    SKL_RUN_OPTIONS,
    {"images", SKL_OPT_INT, "N", "the first N training images (default 32)", &images, 1, 65536},
    {"weights", SKL_OPT_FILE, "FILE", "instead of initial weights those of a safetensors file, as in 'step'",
     &weights_path, .files = "*"},
    {"batch", SKL_OPT_FILE, "FILE", "with --weights: images [N,C,H,W] and labels [N] (default: the weights' file)",
     &batch_path, .files = "*"},
    {"responses", SKL_OPT_FLAG, NULL, "instead: mean and standard deviation of every 3x3 layer's response", &responses},
    SKL_PLUGIN_OPTION,
    SKL_DEVICE_OPTION,
    {"threads", SKL_OPT_INT, "N", "threads (default: all cores); the figures do not depend on it", &threads, 1, 4096},
    {"json", SKL_OPT_FLAG, NULL, "print a JSON list", &json},
    {NULL}};

/* ---- output ---- */

static json_t *unit_json(const struct skl_probe_unit *u)
{
    json_t *o = json_pack("{s:i, s:i, s:s}", "unit", u->unit, "stage", u->stage, "name", u->name);
    for (const struct skl_probe_column *c = skl_probe_columns; c->name; c++)
        json_object_set_new(o, c->name, skl_json_real(skl_probe_value(u, c)));
    json_object_set_new(o, "sum_share", skl_json_real(u->sum_share));
    return o;
}

static json_t *response_json(const struct skl_probe_response *r, int layer)
{
    return json_pack("{s:i, s:s, s:o, s:o}", "layer", layer, "name", r->name, "mean", skl_json_real(r->mean), "std",
                     skl_json_real(r->std));
}

static void print_json(const struct skl_probe *p)
{
    json_t *list = json_array();
    for (int i = 0; i < (responses ? p->responses : p->units); i++)
        json_array_append_new(list, responses ? response_json(&p->response[i], i + 1) : unit_json(&p->unit[i]));
    skl_json_print(list);
}

static void print_cell(double v)
{
    if (isnan(v))
        skl_print(" %10s", "-");
    else
        skl_print(" %10.4g", v);
}

static void print_units(const struct skl_probe *p)
{
    static const char *const head[] = {"signal", "branch", "gradient", "lambda", "direct",
                                       "share",  "cosine", "clipped",  "gate"};
    skl_print("%-10s", "unit");
    for (int i = 0; skl_probe_columns[i].name; i++) skl_print(" %10s", head[i]);
    skl_print(" %10s\n", "sum");
    for (int i = 0; i < p->units; i++) {
        skl_print("%-10s", p->unit[i].name);
        for (const struct skl_probe_column *c = skl_probe_columns; c->name; c++)
            print_cell(skl_probe_value(&p->unit[i], c));
        print_cell(p->unit[i].sum_share);
        skl_print("\n");
    }
}

static void print_responses(const struct skl_probe *p)
{
    skl_print("%5s  %-18s %10s %10s\n", "layer", "name", "mean", "std");
    for (int i = 0; i < p->responses; i++)
        skl_print("%5d  %-18s %10.4g %10.4g\n", i + 1, p->response[i].name, p->response[i].mean, p->response[i].std);
}

static void print(const struct skl_experiment *exp, const struct skl_probe *p, int n)
{
    if (json) {
        print_json(p);
        return;
    }
    skl_print("ResNet-%d, %s (%s), %d image%s, loss %.4f\n\n", exp->model.depth, exp->variant,
              exp->model.shortcut->name, n, SKL_S(n), p->loss);
    (responses ? print_responses : print_units)(p);
}

static int probe_and_print(const struct skl_experiment *exp, struct skl_net *net, const float *x, const int32_t *labels,
                           int n, struct skl_err *err)
{
    struct skl_probe p;
    skl_net_probe(net, x, labels, n, &p);
    const int status = skl_net_sound(net, err);
    if (!status) print(exp, &p, n);
    skl_probe_release(&p);
    return status;
}

/* ---- weights and a mini-batch from files ---- */
static int probe_files(const struct skl_experiment *exp, struct skl_pool *pool, struct skl_err *err)
{
    struct skl_st weights = {0}, other = {0};
    struct skl_batch batch = {0};
    struct skl_net *net = NULL;
    struct skl_experiment one_group = *exp;
    int classes;
    const char *path = batch_path ? batch_path : weights_path;
    int status = skl_weights_read(weights_path, &weights, err);
    if (!status && batch_path) status = skl_st_read(batch_path, false, &other, err);
    if (!status) status = skl_step_classes(&weights, weights_path, &classes, err);
    if (!status) status = skl_batch_read(batch_path ? &other : &weights, path, classes, 0, &batch, err);
    one_group.train.bn_batch = INT_MAX;
    if (!status) status = skl_step_net(&one_group, &weights, weights_path, &batch, false, pool, &net, err);
    if (!status) status = probe_and_print(exp, net, batch.images, batch.labels, batch.count, err);
    skl_net_free(net);
    skl_batch_release(&batch);
    skl_st_release(&weights);
    skl_st_release(&other);
    return status;
}

/* ---- no data: random images ---- */
static int probe_random(const struct skl_experiment *exp, struct skl_pool *pool, struct skl_err *err)
{
    int size, channels, classes;
    skl_model_usual_images(&exp->model, &size, &channels, &classes);
    struct skl_net_options o = skl_net_options_for(exp, size, channels, classes);
    struct skl_net *net;
    o.batch = o.group = images;
    o.pool = pool;
    int status = skl_net_new(&exp->model, &o, &net, err);
    if (status) return status;
    const size_t image = (size_t)o.size * (size_t)o.size * (size_t)o.channels, floats = (size_t)images * image;
    const uint64_t key = skl_rng_key(0, SKL_RNG_PROBE, 0, 0); /* not the run's seed: the same images for all */
    float *x = skl_alloc_array(floats, sizeof *x);
    int32_t *labels = skl_alloc_array((size_t)images, sizeof *labels);
    for (size_t i = 0; i < floats; i++) x[i] = (float)skl_rng_normal(key, i);
    for (int i = 0; i < images; i++) labels[i] = i % o.classes;
    status = probe_and_print(exp, net, x, labels, images, err);
    free(x);
    free(labels);
    skl_net_free(net);
    return status;
}

/* ---- data, and a checkpoint's weights or the initial ones ---- */
static int load_checkpoint(const char *path, struct skl_session *session, struct skl_err *err)
{
    struct skl_state state;
    const struct skl_identity identity = skl_session_identity(session);
    return skl_state_load_weights(path, session->net, &state, &identity, err);
}

static int probe_data(const struct skl_experiment *exp, const char *checkpoint, struct skl_err *err)
{
    struct skl_session session;
    struct skl_experiment one_group = *exp; /* borrows what exp owns */
    one_group.train.batch = one_group.train.bn_batch = images;
    int status = skl_session_open(&session, &one_group, threads, false, err);
    if (status) return status;
    const int have = skl_part_count(&session, SKL_PART_TRAIN), n = images < have ? images : have;
    skl_loader_clean(session.loader, SKL_PART_TRAIN, 0, n, session.images, session.labels);
    struct skl_beginning b;
    status = skl_loader_sound(session.loader, err);
    if (!status) status = checkpoint ? load_checkpoint(checkpoint, &session, err) : skl_begin(&session, &b, err);
    if (!status) status = probe_and_print(exp, session.net, session.images, session.labels, n, err);
    skl_session_close(&session);
    return status;
}

/* ---- the command ---- */
static int probe(const struct skl_experiment *exp, const char *checkpoint, struct skl_err *err)
{
    const int chosen = skl_device_start(exp->model.shortcut, NULL, false, true, err);
    if (chosen) return chosen;
    if (exp->has_data && !weights_path) return probe_data(exp, checkpoint, err);
    struct skl_pool *pool = skl_pool_new(threads ? threads : skl_cpu_count());
    int status = weights_path ? probe_files(exp, pool, err) : probe_random(exp, pool, err);
    skl_pool_free(pool);
    return status;
}

static int probe_config(int argc, char **argv, struct skl_err *err)
{
    struct skl_plan plan;
    const struct skl_plan_run *run = NULL;
    int status = skl_choose(argc, argv, "", &plan, &run, err);
    if (status) return status;
    status = probe(&run->exp, NULL, err);
    skl_plan_release(&plan);
    return status;
}

static int probe_checkpoint(const struct skl_checkpoint *c, struct skl_err *err)
{
    struct skl_plan plan;
    int status = skl_plan_load_recorded(c->config, false, &plan, err);
    if (status) return status;
    status = probe(&plan.run[0].exp, c->path, err);
    skl_plan_release(&plan);
    return status;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_checkpoint c;
    int status = skl_checkpoint_find(argv[0], false, &c, err);
    if (status) return status;
    if (c.path && (argc > 1 || skl_chosen_variant || skl_chosen_seed || weights_path))
        status =
            skl_fail(err, SKL_USAGE,
                     "probe: a checkpoint has its settings and weights: no key=value, --variant, --seed or --weights");
    else if (batch_path && !weights_path)
        status = skl_fail(err, SKL_USAGE, "probe: --batch goes with --weights FILE");
    if (!status) status = c.path ? probe_checkpoint(&c, err) : probe_config(argc, argv, err);
    skl_checkpoint_release(&c);
    return status;
}

const struct skl_command skl_cmd_probe = {
    .name = "probe",
    .summary = "how signal and gradient travel through a net",
    .usage = "CONFIG.yaml|CHECKPOINT [key=value ...]",
    .description =
        "For every unit of a net with its initial weights, or of a checkpoint (a run's folder: its last.safetensors):\n"
        "size of the signal, the branch and the gradient, the shortcut's factor lambda, and how much of the gradient\n"
        "comes along the shortcuts alone (equations (8) and (10)).  One mini-batch: the first training images, clean; "
        "the\n"
        "images of --batch; random ones where the file has no data: section.  docs/probe.md explains the columns.",
    .examples = "skiplab probe configs/table1.yaml --variant original\n"
                "skiplab probe configs/figure3.yaml --json model.depth=20\n"
                "skiplab probe results/quickstart/original/seed-1\n"
                "skiplab probe results/quickstart/original/seed-1/prev.safetensors --responses\n",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .words = {SKL_WORD_CONFIG | SKL_WORD_CHECKPOINT | SKL_WORD_FOLDER, SKL_WORD_KEY},
    .run = run,
};
