/* Every operation of a device's table, against its definition in double.
 *
 *     test_device [DEVICE] [--seed N] [--threads N] [--only TEXT]
 *
 * DEVICE: a name as core/choose knows it; without one, all devices that are always there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/device/choose/devices.h"
#include "core/device/opencl/device_opencl.h"
#include "tests/device/lab.h"

#define ROW(op, fn) \
    { \
#op, offsetof(struct skl_device_ops, op), fn \
    }
/* What each slot of the table is checked by; NULL: by the lab itself, which cannot do without it. */
static const struct row {
    const char *name;
    size_t offset;
    check_fn *fn;
} rows[] = {
    ROW(name, NULL),
    ROW(library, NULL),
    ROW(open, NULL),
    ROW(close, NULL),
    ROW(arithmetic, NULL),
    ROW(peak, NULL),
    ROW(conv_plan, NULL),
    ROW(variant_fits, NULL),
    ROW(sums_bytes, NULL),
    ROW(norm_bytes, NULL),
    ROW(work_bytes, NULL),
    ROW(ready, NULL),
    ROW(reserve, NULL),
    ROW(release, NULL),
    ROW(upload, check_memory),
    ROW(download, check_memory),
    ROW(clear, check_memory),
    ROW(finish, NULL),
    ROW(conv_forward, check_conv_forward),
    ROW(conv_backward, check_conv_backward),
    ROW(bn_forward, check_bn_forward),
    ROW(bn_recall, check_bn_recall),
    ROW(bn_backward, check_bn_backward),
    ROW(bias_backward, check_bias_backward),
    ROW(blend, check_blend),
    ROW(coef_sums, check_coef_sums),
    ROW(map, check_map),
    ROW(pad, check_pad),
    ROW(max_pool_forward, check_max_pool),
    ROW(max_pool_backward, check_max_pool),
    ROW(keep_bits, check_keep_bits),
    ROW(merge_forward, check_merge_forward),
    ROW(merge_backward, check_merge_backward),
    ROW(head_forward, check_head),
    ROW(head_loss, check_head),
    ROW(read_score, check_head),
    ROW(note, check_note),
    ROW(head_backward, check_head),
    ROW(sgd, check_sgd),
    ROW(find_infinite, check_find_infinite),
};
enum { ROWS = sizeof rows / sizeof *rows };

/* What a device has only where a bit of it says so. */
static bool may_lack(const struct skl_device *d, const char *name)
{
    return !strncmp(name, "max_pool", 8) && !(d->bits & SKL_MAX_POOLS);
}

/* Every slot has a row, and is filled. */
static void check_table(const struct skl_device *d)
{
    const struct skl_device_ops *ops = d->ops;
    for (size_t at = 0; at < sizeof *ops; at += sizeof(void *)) {
        const void *slot;
        size_t i = 0;
        while (i < ROWS && rows[i].offset != at) i++;
        CHECK(i < ROWS, "slot %zu of the table has no check", at / sizeof(void *));
        memcpy(&slot, (const char *)ops + at, sizeof slot);
        CHECK(slot || (i < ROWS && may_lack(d, rows[i].name)), "%s has no %s", ops->name,
              i < ROWS ? rows[i].name : "?");
    }
}

static void check_words(struct lab *lab)
{
    char *a = lab->ops->arithmetic(lab->d, "kernels x1", 64);
    CHECK(lab->d->ops == lab->ops && *lab->d->level && *lab->d->library && *lab->ops->library(), "a device has words");
    CHECK(strstr(a, "kernels x1") && strstr(a, lab->d->level) && !strchr(a, '\n'), "arithmetic: '%s'", a);
    CHECK(lab->ops->peak(lab->d) > 1e6, "peak");
    free(a);
}

static void run(const char *device, int threads, uint64_t seed, const char *only)
{
    static struct skl_conv_plan plan[MAX_PLANS];
    static const struct skl_conv_plan *list[MAX_PLANS];
    struct lab lab;
    lab_open(&lab, device, threads);
    check_table(lab.d);
    int plans = conv_plans(&lab, plan);
    plans += merge_plans(&lab, plan + plans);
    for (int i = 0; i < plans; i++) list[i] = &plan[i];
    const struct skl_needs needs = {.images = 17,
                                    .group = 17,
                                    .groups = 1,
                                    .activation = 16384,
                                    .channels = 64,
                                    .own = 64,
                                    .scratch = 16384,
                                    .whole_groups = true,
                                    .convs = plans,
                                    .conv = list};
    lab_ready(&lab, &needs);
    check_words(&lab);
    for (int i = 0; i < ROWS; i++) {
        const int before = checks_failed;
        if (!rows[i].fn || may_lack(lab.d, rows[i].name) || (i && rows[i].fn == rows[i - 1].fn) ||
            (only && !strstr(rows[i].name, only)))
            continue;
        random_seed(seed);
        rows[i].fn(&lab);
        printf("%s, %d thread%s: %-16s %s\n", device, threads, threads == 1 ? "" : "s", rows[i].name,
               checks_failed == before ? "ok" : "FAILED");
        fflush(stdout);
    }
    lab_close(&lab);
}

int main(int argc, char **argv)
{
    uint64_t seed = 20161008; /* the same every time; --seed N for others */
    const char *only = NULL, *device = NULL;
    int threads = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--only") && i + 1 < argc)
            only = argv[++i];
        else if (!strcmp(argv[i], "--threads") && i + 1 < argc)
            threads = atoi(argv[++i]);
        else
            device = argv[i];
    }
    struct skl_device_info list[SKL_MAX_DEVICES];
    if (device && !strncmp(device, "opencl", 6) && (skl_device_list(list) == 0 || !list[0].fit)) {
        puts("no OpenCL device here that can train");
        return 77; /* meson: skipped */
    }
    printf("seed %llu\n", (unsigned long long)seed);
    for (int t = threads ? threads : 1; t <= (threads ? threads : 3); t += 2)
        run(device ? device : skl_devices[0]->name, t, seed, only);
    if (checks_failed)
        fprintf(stderr, "%d checks failed; again with: --seed %llu\n", checks_failed, (unsigned long long)seed);
    return checks_failed != 0;
}
