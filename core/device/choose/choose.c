/* The words of --device, and which device they mean here. */
#include "core/device/choose/choose.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/fs.h"
#include "core/device/choose/devices.h"

static int wrong(const char *word, bool variable, struct skl_err *err)
{
    return skl_fail(err, SKL_USAGE,
                    "%s '%s': wants auto, cpu, gpu, gpu:N[,M...] or opencl:N ('skiplab devices' lists them)",
                    variable ? "SKL_DEVICE" : "--device", word);
}

/* "3", "0,2": numbers below 1000, none twice. */
static bool read_numbers(const char *text, struct skl_device_wish *wish, int most)
{
    for (;; text++) {
        char *end;
        if (!isdigit((unsigned char)*text) || wish->count == most) return false;
        const long v = strtol(text, &end, 10);
        if (v > 999) return false;
        for (int i = 0; i < wish->count; i++)
            if (wish->number[i] == v) return false;
        wish->number[wish->count++] = (int)v;
        if (!*end) return true;
        if (*end != ',') return false;
        text = end;
    }
}

int skl_device_parse(const char *word, struct skl_device_wish *wish, struct skl_err *err)
{
    const bool variable = !word;
    *wish = (struct skl_device_wish){.kind = SKL_DEVICE_AUTO};
    if (variable) word = getenv("SKL_DEVICE");
    if (!word || !*word || !strcmp(word, "auto")) return SKL_OK;
    const int most = (int)(sizeof wish->number / sizeof *wish->number);
    if (!strcmp(word, "cpu")) {
        wish->kind = SKL_DEVICE_CPU;
    } else if (!strcmp(word, "gpu") || !strncmp(word, "gpu:", 4)) {
        wish->kind = SKL_DEVICE_GPU;
        if (word[3] && !read_numbers(word + 4, wish, most)) return wrong(word, variable, err);
    } else if (!strncmp(word, "opencl:", 7)) {
        wish->kind = SKL_DEVICE_OPENCL;
        if (!read_numbers(word + 7, wish, 1)) return wrong(word, variable, err);
    } else
        return wrong(word, variable, err);
    return SKL_OK;
}

static bool lists(const char *folder, const char *const prefixes[])
{
    char **names;
    int n;
    bool found = false;
    if (skl_list(folder, &names, &n, NULL)) return false;
    for (int i = 0; i < n && !found; i++)
        for (int k = 0; prefixes[k] && !found; k++) found = !strncmp(names[i], prefixes[k], strlen(prefixes[k]));
    skl_list_free(names, n);
    return found;
}

/* Loading the drivers takes a tenth of a second, and pocl's is a compiler: not for nothing in every run of a sweep. */
bool skl_devices_possible(void)
{
    static const char *const own[] = {"nvidia", "kfd", "dxg", "mali", NULL}, *const shared[] = {"renderD", NULL};
    return lists("/dev", own) || lists("/dev/dri", shared);
}

/* ---- which one ---- */
static const struct skl_device_info *gpu_numbered(const struct skl_device_info *list, int n, int gpu)
{
    for (int i = 0; i < n; i++)
        if (list[i].gpu == gpu) return &list[i];
    return NULL;
}
static int count_gpus(const struct skl_device_info *list, int n)
{
    int gpus = 0;
    while (gpu_numbered(list, n, gpus)) gpus++;
    return gpus;
}

static void choose(struct skl_device_choice *c, const struct skl_device_info *d, const char *why)
{
    snprintf(c->name, sizeof c->name, "opencl:%d", d->opencl);
    snprintf(c->why, sizeof c->why, "%.120s, %.1f GiB, %.40s", d->name, (double)d->memory / (1 << 30), why);
}
static void choose_cpu(struct skl_device_choice *c, const char *why)
{
    *c = (struct skl_device_choice){"cpu", ""};
    snprintf(c->why, sizeof c->why, "%s", why);
}

static int no_gpu(const struct skl_device_info *list, int n, int wanted, struct skl_err *err)
{
    if (!skl_devices_built())
        return skl_fail(err, SKL_USAGE, "this skiplab was built without OpenCL (meson option gpu): it knows no GPU");
    const int gpus = count_gpus(list, n);
    if (gpus > 0)
        return skl_fail(err, SKL_USAGE, "there is no gpu:%d, %d in all ('skiplab devices' lists them)", wanted, gpus);
    return skl_fail(err, SKL_USAGE, "%s ('skiplab devices' says what there is)",
                    n ? "no OpenCL device here is a GPU that could train" : "no OpenCL driver lists a device");
}

static int choose_gpu(const struct skl_device_wish *wish, int turn, const struct skl_device_info *list, int n,
                      struct skl_device_choice *choice, struct skl_err *err)
{
    const int gpus = count_gpus(list, n), number = wish->count ? wish->number[turn % wish->count]
                                                   : gpus      ? turn % gpus
                                                               : 0;
    const struct skl_device_info *d = gpu_numbered(list, n, number);
    if (!d) return no_gpu(list, n, number, err);
    choose(choice, d, "asked for");
    return SKL_OK;
}

/* A GPU of its own memory; one that shares the computer's is slow, and nobody gets it unasked. */
static int own_memory_gpus(const struct skl_device_info *list, int n)
{
    int gpus = 0;
    for (const struct skl_device_info *d; (d = gpu_numbered(list, n, gpus)) && d->own_memory;) gpus++;
    return gpus;
}

int skl_device_choose(const struct skl_device_wish *wish, int turn, struct skl_device_choice *choice,
                      struct skl_err *err)
{
    struct skl_device_info list[SKL_MAX_DEVICES];
    choose_cpu(choice, "asked for");
    if (wish->kind == SKL_DEVICE_CPU) return SKL_OK;
    if (wish->kind == SKL_DEVICE_AUTO && (!skl_devices_built() || !skl_devices_possible())) {
        choose_cpu(choice, skl_devices_built() ? "no GPU here" : "built without OpenCL");
        return SKL_OK;
    }
    const int n = skl_device_list(list);
    if (wish->kind == SKL_DEVICE_GPU) return choose_gpu(wish, turn, list, n, choice, err);
    if (wish->kind == SKL_DEVICE_AUTO) {
        const int gpus = own_memory_gpus(list, n);
        if (gpus)
            choose(choice, gpu_numbered(list, n, turn % gpus), "a GPU of its own memory");
        else
            choose_cpu(choice, "no GPU of its own memory that could train");
        return SKL_OK;
    }
    const int number = wish->number[0];
    if (number >= n)
        return n || !skl_devices_built()
                   ? skl_fail(err, SKL_USAGE, "there is no opencl:%d, %d in all ('skiplab devices' lists them)", number,
                              n)
                   : no_gpu(list, n, 0, err);
    if (!list[number].fit)
        return skl_fail(err, SKL_USAGE, "opencl:%d (%s) cannot train: %s", number, list[number].name, list[number].why);
    choose(choice, &list[number], "asked for");
    return SKL_OK;
}

int skl_device_count(const struct skl_device_wish *wish)
{
    struct skl_device_info list[SKL_MAX_DEVICES];
    if (wish->kind == SKL_DEVICE_CPU || !skl_devices_built()) return 0;
    if (wish->kind == SKL_DEVICE_OPENCL || wish->count) return wish->count;
    if (wish->kind == SKL_DEVICE_AUTO && !skl_devices_possible()) return 0;
    const int n = skl_device_list(list);
    return wish->kind == SKL_DEVICE_AUTO ? own_memory_gpus(list, n) : count_gpus(list, n);
}

/* core/device/opencl writes "NAME; DRIVER; opencl: KERNELS; ..." */
int skl_device_begun(const char *numerics, struct skl_device_choice *choice, struct skl_err *err)
{
    const char *end = strstr(numerics, "; opencl: ");
    struct skl_device_info list[SKL_MAX_DEVICES];
    choose_cpu(choice, "the run was begun on it");
    if (!end) return SKL_OK;
    const int n = skl_device_list(list), length = (int)(end - numerics);
    for (int i = 0; i < n; i++) {
        char *name = skl_format("%s; %s", list[i].name, list[i].driver);
        const bool same = list[i].fit && (int)strlen(name) == length && !strncmp(name, numerics, (size_t)length);
        free(name);
        if (!same) continue;
        choose(choice, &list[i], "the run was begun on it");
        return SKL_OK;
    }
    return skl_fail(
        err, SKL_USAGE,
        "the run was begun on %.*s, which is not here: --allow-other-numerics goes on all the same, on what "
        "--device says, and marks the run",
        length, numerics);
}

int skl_device_fits(const char *name, const struct skl_shortcut *variant, struct skl_err *err)
{
    struct skl_device *d;
    if (!variant || !strcmp(name, "cpu")) return SKL_OK;
    int status = skl_device_open(name, NULL, &d, err);
    if (status) return status;
    status = d->ops->variant_fits(d, variant, err);
    d->ops->close(d);
    return status;
}
