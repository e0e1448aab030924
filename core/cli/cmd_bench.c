/* cmd_bench.c - how fast whole training steps are, where the time goes, and how far that is from the machine's peak. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/base/say.h"
#include "core/base/sort.h"
#include "core/cli/choose.h"
#include "core/cli/cmd.h"
#include "core/config/keys.h"
#include "core/config/model.h"
#include "core/config/plan.h"
#include "core/data/dataset.h"
#include "core/device/choose/choose.h"
#include "core/device/choose/devices.h"
#include "core/io/json.h"
#include "core/train/session.h"

static int depth, batch, threads, steps = 7, warmup = 2;
static bool json, evaluate;
static const char *variant, *conv, *family;

static const char *const *families(void) { return skl_key_find("model.family")->choices; }
static const char *const *conv_words(void) { return skl_key_find("train.conv")->choices; }
static const struct skl_option options[] = {
    {"family", SKL_OPT_CHOICE, "cifar|imagenet",
     "model.family; imagenet: 224x224, 1000 classes, without a config batch 32", &family, 0, 0, .words = families},
    {"depth", SKL_OPT_INT, "N", "model.depth", &depth, 8, 100000},
    {"batch", SKL_OPT_INT, "N", "train.batch", &batch, 1, 65536},
    {"threads", SKL_OPT_INT, "N", "threads (default: all cores)", &threads, 1, 1024},
    {"variant", SKL_OPT_SETTING, "NAME", "the config's variant, or without a config a shortcut with its defaults",
     &variant},
    SKL_PLUGIN_OPTION,
    SKL_DEVICE_OPTION,
    {"conv", SKL_OPT_CHOICE, "NAME", "train.conv: auto, winograd4, winograd2, direct, gemm", &conv,
     .words = conv_words},
    {"steps", SKL_OPT_INT, "N", "timed steps (default 7)", &steps, 1, 100000},
    {"warmup", SKL_OPT_INT, "N", "steps before them (default 2)", &warmup, 0, 1000},
    {"eval", SKL_OPT_FLAG, NULL, "time evaluation instead of training", &evaluate},
    {"json", SKL_OPT_FLAG, NULL, "print one JSON object", &json},
    {0},
};

enum { PHASES = 4, MAX_OVERRIDES = 64 };
static const char *const phase_names[PHASES] = {"data", "forward", "backward", "update"};
struct figures {
    double step[3] /* median, min, max: seconds */, phase[PHASES], peak_flops, images_per_second;
    int64_t multiply_adds, parameters;
    /* a GPU: bytes a second, and what each kernel takes of a step */
    double bandwidth;
    struct skl_opencl_time kernel[64];
    int kernels;
    double moved; /* bytes of tensors that a step reads and writes, each once a kernel */
};

/* ---- random bytes through the real loader ---- */
static void random_images(struct skl_images *im, int count, int size, int channels, int classes)
{
    const size_t bytes = (size_t)count * (size_t)size * (size_t)size * (size_t)channels;
    *im = (struct skl_images){count, size, channels, skl_alloc(bytes + 8),
                              skl_alloc_array((size_t)count, sizeof(int32_t))};
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t bits = skl_rng_bits(1, i);
        memcpy(im->pixels + i, &bits, 8);
    }
    for (int i = 0; i < count; i++) im->labels[i] = (int32_t)(skl_rng_bits(2, (uint64_t)i) % (uint64_t)classes);
}

struct bench {
    const struct skl_experiment *exp;
    struct skl_pool *pool;
    struct skl_net *net;
    struct skl_loader *loader;
    float *images;
    int32_t *labels;
};

/* A device that goes ahead is waited for after so many steps, as in training between two rows. */
enum { AHEAD = 8 };

static double training_step(struct bench *b, int64_t t, bool wait, double phase[PHASES])
{
    const struct skl_train_config *c = &b->exp->train;
    struct skl_step_result result[SKL_NET_STEPS];
    double start = skl_seconds(), seconds[3], data;
    bool sound;
    if (t == 0) skl_loader_train(b->loader, t, b->images, b->labels);
    skl_net_gradient(b->net, b->images, &(struct skl_targets){.labels = b->labels}, t, NULL);
    skl_net_note(b->net);
    skl_net_update(b->net, c, c->lr);
    data = skl_seconds();
    skl_loader_train(b->loader, t + 1, b->images, b->labels); /* while a device works, as in training */
    phase[0] += skl_seconds() - data;
    if (wait) skl_net_noted(b->net, result, &sound);
    const double took = skl_seconds() - start;
    skl_net_times(b->net, seconds);
    for (int k = 0; k < 3; k++) phase[k + 1] += seconds[k];
    return took;
}

static double evaluation_step(struct bench *b, double phase[PHASES])
{
    double start = skl_seconds();
    skl_loader_clean(b->loader, SKL_PART_TRAIN, 0, b->exp->train.batch, b->images, b->labels);
    phase[0] = skl_seconds() - start;
    skl_net_evaluate(b->net, b->images, b->labels, b->exp->train.batch, NULL);
    phase[1] = skl_seconds() - start - phase[0];
    return skl_seconds() - start;
}

static void time_steps(struct bench *b, struct figures *f)
{
    double *seconds = skl_alloc_array((size_t)steps, sizeof *seconds), phase[PHASES] = {0}, total = 0;
    const int block = !evaluate && skl_net_goes_ahead(b->net) ? AHEAD : 1;
    for (int i = -warmup; i < steps; i++) {
        double p[PHASES] = {0}, s = 0;
        for (int j = 0; j < block; j++)
            s += evaluate ? evaluation_step(b, p) : training_step(b, (i + warmup) * block + j, j + 1 == block, p);
        if (i < 0) continue;
        seconds[i] = s / block;
        for (int k = 0; k < PHASES; k++) phase[k] += p[k], total += p[k];
    }
    skl_sort_numbers(seconds, (size_t)steps);
    f->step[0] = skl_sorted_median(seconds, (size_t)steps);
    f->step[1] = seconds[0], f->step[2] = seconds[steps - 1];
    f->images_per_second = b->exp->train.batch / f->step[0];
    for (int k = 0; k < PHASES; k++) f->phase[k] = phase[k] / total;
    free(seconds);
}

/* A second net on a queue that tells how long its kernels took. */
static int time_kernels(struct bench *b, const struct skl_net_options *o, struct figures *f, struct skl_err *err)
{
    double phase[PHASES] = {0};
    if (!strcmp(skl_device_used(), "cpu")) return SKL_OK;
    f->bandwidth = skl_net_bandwidth(b->net);
    skl_net_free(b->net);
    b->net = NULL;
    skl_opencl_time_kernels();
    const int status = skl_net_new(&b->exp->model, o, &b->net, err);
    for (int i = 0; i <= steps && !status; i++) {
        if (evaluate)
            evaluation_step(b, phase);
        else
            training_step(b, i, true, phase);
        f->kernels = skl_opencl_times(skl_net_device(b->net), f->kernel, 64); /* of this step alone */
    }
    for (int k = 0; k < f->kernels; k++) f->moved += f->kernel[k].bytes;
    return status;
}

static int run_bench(struct bench *b, const struct skl_net_options *o, struct figures *f, struct skl_err *err)
{
    struct skl_net_info info;
    int status = skl_net_describe(&b->exp->model, o, &info, err);
    if (status) return status;
    f->multiply_adds = info.multiply_adds, f->parameters = info.parameters;
    skl_net_info_release(&info);
    status = skl_net_new(&b->exp->model, o, &b->net, err);
    if (status) return status;
    const size_t image = (size_t)o->size * (size_t)o->size * (size_t)o->channels;
    b->images = skl_alloc_array((size_t)o->batch * image, sizeof(float));
    b->labels = skl_alloc_array((size_t)o->batch, sizeof(int32_t));
    f->peak_flops = skl_net_peak(b->net);
    time_steps(b, f);
    status = time_kernels(b, o, f, err);
    return status ? status : skl_net_sound(b->net, err);
}

/* ---- output ---- */
static double peak_memory(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss * 1024;
}

/* Floating-point operations a training step's convolutions would take directly: two a multiply-add, three passes. */
static double direct_operations(const struct figures *f) { return 2.0 * (double)f->multiply_adds * (evaluate ? 1 : 3); }

static double bandwidth_share(const struct figures *f)
{
    return f->bandwidth > 0 ? f->moved / f->step[0] / f->bandwidth : NAN;
}

static void print_text(const struct bench *b, const struct figures *f, const char *kernels, const char *name)
{
    const double rate = f->images_per_second * direct_operations(f), roofline = f->peak_flops / direct_operations(f);
    skl_print("ResNet-%d, %s, batch %d in groups of %d, %d thread%s, %s\n", b->exp->model.depth, name,
              b->exp->train.batch, b->exp->train.bn_batch, skl_pool_threads(b->pool), SKL_S(skl_pool_threads(b->pool)),
              kernels);
    skl_print("%s  %.1f images/s   step %.1f ms (%.1f to %.1f over %d steps)\n", evaluate ? "evaluation" : "training  ",
              f->images_per_second, 1e3 * f->step[0], 1e3 * f->step[1], 1e3 * f->step[2], steps);
    skl_print("time       ");
    for (int k = 0; k < PHASES; k++) skl_print(" %s %.1f %%", phase_names[k], 100 * f->phase[k]);
    skl_print(
        "\nrate        %.0f GFLOP/s of direct convolution; the machine's multiply-add peak is %.0f: %.2f times what "
        "direct convolution could reach (%.0f images/s)\n",
        rate * 1e-9, f->peak_flops * 1e-9, f->images_per_second / roofline, roofline);
    skl_print("memory      %.2f GiB at most\n", peak_memory() / (1 << 30));
    if (f->kernels)
        skl_print("share       %.0f %% of that peak; %.2f GB of tensors a step: %.0f %% of the %.0f GB/s of a copy\n",
                  100 * rate / f->peak_flops, 1e-9 * f->moved, 100 * bandwidth_share(f), 1e-9 * f->bandwidth);
    for (int k = 0; k < f->kernels; k++)
        skl_print("  %-24s %5lld calls  %9.3f ms of the last step  %8.1f GB/s\n", f->kernel[k].name,
                  (long long)f->kernel[k].calls, 1e3 * f->kernel[k].seconds,
                  f->kernel[k].seconds > 0 ? 1e-9 * f->kernel[k].bytes / f->kernel[k].seconds : 0);
}

static void print_json(const struct bench *b, const struct figures *f, const char *kernels, const char *name)
{
    json_t *shares = json_object();
    for (int k = 0; k < PHASES; k++) json_object_set_new(shares, phase_names[k], skl_json_real(f->phase[k]));
    json_t *o = json_pack("{s:i s:s s:i s:i s:i s:s s:b s:f s:f s:f s:f s:o s:f s:f s:f s:I s:I s:f}", "depth",
                          b->exp->model.depth, "variant", name, "batch", b->exp->train.batch, "bn_batch",
                          b->exp->train.bn_batch, "threads", skl_pool_threads(b->pool), "kernels", kernels,
                          "evaluation", evaluate, "images_per_second", f->images_per_second, "step_seconds", f->step[0],
                          "step_seconds_min", f->step[1], "step_seconds_max", f->step[2], "phases", shares, "gflops",
                          1e-9 * f->images_per_second * direct_operations(f), "peak_gflops", 1e-9 * f->peak_flops,
                          "times_direct_roofline", f->images_per_second * direct_operations(f) / f->peak_flops,
                          "multiply_adds", (json_int_t)f->multiply_adds, "parameters", (json_int_t)f->parameters,
                          "peak_memory_bytes", peak_memory());
    json_t *times = json_object();
    for (int k = 0; k < f->kernels; k++)
        json_object_set_new(times, f->kernel[k].name,
                            json_pack("{s:f, s:f, s:I}", "seconds", f->kernel[k].seconds, "bytes", f->kernel[k].bytes,
                                      "calls", (json_int_t)f->kernel[k].calls));
    json_object_set_new(o, "share_of_peak", skl_json_real(f->images_per_second * direct_operations(f) / f->peak_flops));
    if (f->kernels) json_object_set_new(o, "share_of_bandwidth", skl_json_real(bandwidth_share(f)));
    json_object_set_new(o, "step_bytes", skl_json_real(f->moved));
    json_object_set_new(o, "device", json_string(skl_device_used()));
    json_object_set_new(o, "bandwidth_bytes_per_second", skl_json_real(f->bandwidth));
    json_object_set_new(o, "kernel_times", times);
    skl_json_print(o);
}

/* ---- the command ---- */
static int load_plan(int argc, char **argv, struct skl_plan *plan, const struct skl_plan_run **run, struct skl_err *err)
{
    const bool config = argc > 0 && !strchr(argv[0], '=');
    char *given[MAX_OVERRIDES];
    int n = 0, own;
    if (argc > MAX_OVERRIDES - 8) return skl_fail(err, SKL_USAGE, "too many overrides (%d)", argc);
    if (!config) given[n++] = skl_strdup("name=bench");
    if (!config && variant) given[n++] = skl_format("model.shortcut={type: %s}", variant);
    if (family) given[n++] = skl_format("model.family=%s", family);
    if (family && !config && !strcmp(family, "imagenet") && !batch) given[n++] = skl_strdup("train.batch=32");
    if (depth) given[n++] = skl_format("model.depth=%d", depth);
    if (batch) given[n++] = skl_format("train.batch=%d", batch);
    if (conv) given[n++] = skl_format("train.conv=%s", conv);
    own = n;
    for (int i = config; i < argc; i++) given[n++] = argv[i];
    int status = skl_plan_load(config ? argv[0] : NULL, given, n, plan, err);
    for (int i = 0; i < own; i++) free(given[i]);
    if (status) return status;
    status = skl_choose_run(plan, config ? argv[0] : "bench", config ? variant : NULL, "", run, err);
    if (status) skl_plan_release(plan);
    return status;
}

static int open_and_run(const struct skl_plan_run *run, struct skl_err *err)
{
    struct bench b = {.exp = &run->exp};
    struct figures f = {.images_per_second = 0};
    struct skl_dataset set = {.classes = 10};
    int size, channels;
    skl_model_usual_images(&run->exp.model, &size, &channels, &set.classes);
    struct skl_data_config data = run->exp.data;
    data.size = run->exp.has_data ? data.size : size;
    if (run->exp.has_data) {
        int status = skl_dataset_shape(&data, &size, &channels, &set.classes, err);
        if (status) return status;
    }
    b.pool = skl_pool_new(threads ? threads : skl_cpu_count());
    random_images(&set.train, run->exp.train.batch * 4, run->exp.has_data && data.size == 16 ? 2 * size : size,
                  channels, set.classes);
    int status = skl_loader_new(&set, &data, 1, run->exp.train.batch, b.pool, &b.loader, err);
    if (status == SKL_OK) {
        struct skl_net_options o = skl_net_options_for(&run->exp, skl_loader_size(b.loader), channels, set.classes);
        o.pool = b.pool;
        o.inference = evaluate;
        status = skl_group_size(run->exp.train.batch, run->exp.train.bn_batch, &o.group, err);
        if (status == SKL_OK) status = run_bench(&b, &o, &f, err);
    }
    if (status == SKL_OK) {
        char *kernels = skl_net_kernels(b.net);
        (json ? print_json : print_text)(&b, &f, kernels, run->exp.model.shortcut->name);
        free(kernels);
    }
    skl_net_free(b.net);
    if (b.loader) skl_loader_free(b.loader);
    skl_dataset_release(&set);
    skl_pool_free(b.pool);
    free(b.images), free(b.labels);
    return status;
}

static int bench(int argc, char **argv, struct skl_err *err)
{
    struct skl_plan plan;
    const struct skl_plan_run *run = NULL;
    int status = load_plan(argc, argv, &plan, &run, err);
    if (status) return status;
    status = skl_device_start(run->exp.model.shortcut, NULL, false, json, err);
    if (!status) status = open_and_run(run, err);
    skl_plan_release(&plan);
    return status;
}

const struct skl_command skl_cmd_bench = {
    .name = "bench",
    .summary = "measure training speed: images/s, time per phase, memory",
    .usage = "[CONFIG.yaml] [key=value ...]",
    .description =
        "Times whole training steps (data, forward, backward, update) on random images and compares them with the\n"
        "multiply-add rate measured in the same run.  Needs no data.  Without a config: ResNet-110, 3x32x32, 10 "
        "classes.",
    .examples = "skiplab bench\nskiplab bench --depth 20 --variant exclusive_gating --threads 1\nskiplab bench "
                "configs/quickstart.yaml --json\n"
                "skiplab bench --depth 8 --batch 16 --steps 1 train.conv=gemm",
    .options = options,
    .min_args = 0,
    .max_args = -1,
    .words = {SKL_WORD_CONFIG | SKL_WORD_KEY, SKL_WORD_KEY},
    .run = bench,
};
