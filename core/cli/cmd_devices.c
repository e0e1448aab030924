/* cmd_devices.c - skiplab devices: what this machine could train on. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cpu.h"
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/device/choose/choose.h"
#include "core/io/json.h"

static bool as_json, test;
static const struct skl_option options[] = {
    {"self-test", SKL_OPT_FLAG, NULL, "test every device that could train beside the CPU, now", &test},
    {"json", SKL_OPT_FLAG, NULL, "print one JSON object", &as_json},
    {0},
};

/* The convolutions of the nets of the papers, and one of odd sizes. */
static const struct skl_conv_shape shapes[] = {
    {32, 32, 3, 16, 3, 1}, {32, 32, 16, 16, 3, 1}, {32, 32, 16, 32, 3, 2}, {16, 16, 32, 32, 3, 1},
    {8, 8, 64, 64, 3, 1},  {8, 8, 64, 64, 1, 1},   {9, 7, 12, 20, 3, 2},
};
static const struct skl_selftest what = {shapes, sizeof shapes / sizeof *shapes, 5, 10, true, NULL};

enum verdict { UNKNOWN, PASSED, FAILED };
struct entry {
    struct skl_device_info info;
    enum verdict verdict;
    char trouble[400];
};

static void judge(struct entry *e, struct skl_pool *pool)
{
    if (!e->info.fit) return;
    if (!test) {
        e->verdict = skl_device_trusted(&e->info, &what) ? PASSED : UNKNOWN;
        return;
    }
    char name[24];
    struct skl_err err = {0};
    snprintf(name, sizeof name, "opencl:%d", e->info.opencl);
    e->verdict = skl_device_trust(name, pool, &what, true, &err) ? FAILED : PASSED;
    snprintf(e->trouble, sizeof e->trouble, "%.*s", (int)sizeof e->trouble - 1, err.text);
}

static const char *verdict_word(const struct entry *e)
{
    return e->verdict == PASSED ? "passed" : e->verdict == FAILED ? "failed" : "not run yet";
}

static void print_entry(const struct entry *e)
{
    const struct skl_device_info *d = &e->info;
    char gpu[24] = "";
    if (d->gpu >= 0) snprintf(gpu, sizeof gpu, ", gpu:%d", d->gpu);
    skl_print("opencl:%d%s  %s\n", d->opencl, gpu, d->name);
    skl_print("  driver     %s\n", d->driver);
    skl_print("  memory     %.1f GiB%s, %d units at %d MHz, %zu KiB local\n", (double)d->memory / (1 << 30),
              d->own_memory ? " of its own" : "", d->units, d->mhz, d->local_memory / 1024);
    if (!d->fit)
        skl_print("  not fit    %s\n", d->why);
    else
        skl_print("  fit        %s; self-test %s\n",
                  d->software     ? "a program on the CPU, taken by its name alone"
                  : d->own_memory ? "taken unasked"
                                  : "taken when asked for",
                  verdict_word(e));
    if (e->trouble[0]) skl_print("             %s\n", e->trouble);
}

static void print_text(const struct entry *entry, int n)
{
    skl_print("cpu  %s, %d cores\n", skl_cpu_level_name(skl_cpu_best()), skl_cpu_count());
    for (int i = 0; i < n; i++) print_entry(&entry[i]);
    if (!skl_devices_built())
        skl_print("this skiplab was built without OpenCL (meson option gpu)\n");
    else if (n == 0)
        skl_print("no OpenCL driver lists a device: docs/gpu.md says what a GPU needs\n");
}

static void print_json(const struct entry *entry, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const struct skl_device_info *d = &entry[i].info;
        json_t *o = json_pack(
            "{s:s s:s s:s s:i s:I s:I s:b s:b s:b s:s s:s s:i s:i s:I s:I s:s}", "name", d->name, "vendor", d->vendor,
            "driver", d->driver, "opencl", d->opencl, "memory_bytes", (json_int_t)d->memory, "largest_allocation_bytes",
            (json_int_t)d->largest, "own_memory", d->own_memory, "software", d->software, "fit", d->fit, "why_not",
            d->why, "self_test", verdict_word(&entry[i]), "units", d->units, "mhz", d->mhz, "local_bytes",
            (json_int_t)d->local_memory, "group_items", (json_int_t)d->group, "trouble", entry[i].trouble);
        SKL_CHECK(o);
        json_object_set_new(o, "gpu", d->gpu < 0 ? json_null() : json_integer(d->gpu));
        json_array_append_new(list, o);
    }
    json_t *root = json_pack("{s:b s:s s:i s:o}", "opencl_built", skl_devices_built(), "cpu",
                             skl_cpu_level_name(skl_cpu_best()), "cores", skl_cpu_count(), "devices", list);
    skl_json_print(root);
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_device_info list[SKL_MAX_DEVICES];
    const int n = skl_device_list(list);
    struct entry *entry = skl_alloc_array((size_t)n + 1, sizeof *entry);
    struct skl_pool *pool = test ? skl_pool_new(skl_cpu_count()) : NULL;
    int status = SKL_OK;
    for (int i = 0; i < n; i++) {
        entry[i].info = list[i];
        judge(&entry[i], pool);
        if (entry[i].verdict == FAILED) status = SKL_FAILED;
    }
    if (as_json)
        print_json(entry, n);
    else
        print_text(entry, n);
    if (status) skl_fail(err, status, "a device failed its self-test");
    free(entry);
    if (pool) skl_pool_free(pool);
    return status;
}

const struct skl_command skl_cmd_devices = {
    .name = "devices",
    .summary = "list the CPU and every OpenCL device: driver, memory, whether it could train",
    .usage = "",
    .description =
        "Lists what --device may name.  A GPU of its own memory is taken unasked (--device auto); others, and\n"
        "programs on the CPU such as pocl, only by name.  A device is tested beside the CPU before it trains a\n"
        "net first; that it passed is remembered with its driver's version.",
    .examples = "skiplab devices\nskiplab devices --json",
    .options = options,
    .run = run,
};
