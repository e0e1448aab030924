/* Every operation of the OpenCL device beside the CPU's (selftest.h), on opencl:0: where there is no GPU, pocl.
 * Shapes: each row of the table of tiles, and what no table knows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/config/registry.h"
#include "core/device/choose/beside.h"
#include "core/device/choose/selftest.h"
#include "core/device/cpu/cpu.h"
#include "core/device/opencl/device_opencl.h"
#include "core/device/opencl/internal.h"

static struct skl_pool *pool;

static bool as_on_a_gpu; /* kernels built for the parts of a load and a store that are there, as for a GPU */
static void run(const struct skl_selftest *what)
{
    struct skl_device *suspect = NULL, *cpu = NULL;
    struct skl_err err = {0};
    assert_int_equal(skl_device_opencl.open(0, pool, &suspect, &err), SKL_OK);
    assert_int_equal(skl_device_cpu.open(0, pool, &cpu, &err), SKL_OK);
    const bool software = opencl_of(suspect)->about.software;
    if (as_on_a_gpu) opencl_of(suspect)->about.software = false;
    if (skl_selftest(suspect, cpu, what, &err)) fail_msg("%s", err.text);
    opencl_of(suspect)->about.software = software; /* it stays as it is for the next who opens it */
    suspect->ops->close(suspect);
    cpu->ops->close(cpu);
}

/* Batch-norm groups in one call, and one after another: the same bytes. */
static void run_beside(const struct skl_selftest *what)
{
    struct skl_device *d = NULL;
    struct skl_err err = {0};
    assert_int_equal(skl_device_opencl.open(0, pool, &d, &err), SKL_OK);
    if (skl_beside_test(d, what, 0, &err)) fail_msg("%s", err.text);
    d->ops->close(d);
}

static void test_tiles(void **state)
{
    static const struct skl_conv_shape shapes[] = {
        {32, 32, 16, 16, 3, 1}, {16, 16, 32, 32, 3, 1}, {8, 8, 64, 64, 3, 1}};
    run(&(struct skl_selftest){shapes, 3, 5, 10, true, NULL});
}

/* Odd sizes, few and many channels, strides, kernels of 1, 3 and 7. */
static void test_any_shape(void **state)
{
    static const struct skl_conv_shape shapes[] = {
        {9, 7, 12, 20, 3, 2}, {7, 7, 3, 5, 7, 2}, {6, 5, 40, 24, 1, 2}, {4, 4, 130, 70, 3, 1}, {1, 1, 4, 4, 3, 1},
    };
    run(&(struct skl_selftest){shapes, sizeof shapes / sizeof *shapes, 3, 7, false, NULL});
}

static void test_known_parts(void **state)
{
    static const struct skl_conv_shape shapes[] = {{8, 8, 64, 64, 3, 1}, {5, 7, 8, 12, 3, 2}};
    as_on_a_gpu = true;
    run(&(struct skl_selftest){shapes, 2, 3, 5, false, NULL});
    as_on_a_gpu = false;
}

/* More work-groups than a place for sums holds parts of. */
static void test_many_groups(void **state)
{
    static const struct skl_conv_shape shapes[] = {{32, 32, 12, 12, 1, 1}};
    run(&(struct skl_selftest){shapes, 1, 140, 3, false, NULL});
}

/* Channels whose mean is 100,000 times their deviation, through a convolution that leaves them as they are: the
 * variance that comes out must be theirs. */
static void hostile(struct skl_conv_shape s, int n)
{
    const size_t c = (size_t)s.c, floats = (size_t)(n * s.h * s.w) * c, weights = (size_t)(s.size * s.size) * c * c;
    struct skl_err err = {0};
    struct skl_device *d = NULL;
    struct skl_memory *memory = NULL;
    struct skl_conv_plan plan;
    assert_int_equal(skl_device_opencl.open(0, pool, &d, &err), SKL_OK);
    assert_int_equal(d->ops->conv_plan(d, s, SKL_CONV_AUTO, &plan, &err), SKL_OK);
    const size_t x = 0, y = x + floats * 4, w = y + floats * 4, v = w + weights * 4, sums = v + 14 * 64 * 4;
    assert_int_equal(d->ops->reserve(d, sums + d->ops->sums_bytes(d, s.c), &memory, &err), SKL_OK);
    float *host = skl_alloc(sums);
    uint32_t random = 1;
    for (size_t i = 0; i < floats; i++)
        host[i] = 1000 + (float)((random = random * 1664525 + 1013904223) >> 8) * (0.02f / (1 << 24));
    for (size_t i = 0; i < c; i++) host[w / 4 + (weights / c / c / 2 * c + i) * c + i] = 1;
    d->ops->upload(d, host, sums, (struct skl_place){memory, 0});
    const struct skl_conv_job job = {.plan = &plan,
                                     .n = n,
                                     .weight = {memory, w},
                                     .x = {.x = {memory, x}},
                                     .y = {.y = {memory, y}, .sums = {memory, sums}}};
    struct skl_place p[13]; /* gamma to c3 */
    for (size_t i = 0; i < 13; i++) p[i] = (struct skl_place){memory, v + i * 256};
    const struct skl_norm norm = {s.c, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12]};
    d->ops->conv_forward(d, &job);
    d->ops->bn_forward(d, &norm, job.y.sums, (struct skl_place){NULL, 0}, 0);
    float var[64];
    d->ops->download(d, norm.running_var, c * sizeof *var, var);
    assert_int_equal(d->ops->finish(d, &err), SKL_OK);
    for (size_t k = 0; k < c; k++) {
        const double m = (double)(floats / c);
        double mean = 0, want = 0;
        for (size_t i = k; i < floats; i += c) mean += host[i] / m;
        for (size_t i = k; i < floats; i += c) want += (host[i] - mean) * (host[i] - mean) / (m - 1);
        if (fabs(var[k] - want) > 1e-5 * want) fail_msg("variance %.9g of channel %zu, not %.9g", var[k], k, want);
    }
    free(host);
    d->ops->release(d, memory);
    d->ops->close(d);
}
static void test_hostile_statistics(void **state)
{
    hostile((struct skl_conv_shape){8, 8, 64, 64, 3, 1}, 5);
    hostile((struct skl_conv_shape){32, 32, 12, 12, 1, 1}, 140);
}

/* One formula; those of all variants are tried when their nets are (test_runs.py). */
static void test_a_formula(void **state)
{
    static const struct skl_conv_shape shapes[] = {{6, 7, 24, 24, 1, 1}};
    run(&(struct skl_selftest){shapes, 1, 2, 2, false, skl_registry_find("exclusive_gating")});
}

static void test_groups_side_by_side(void **state)
{
    static const struct skl_conv_shape shapes[] = {{8, 8, 64, 64, 3, 1}, {5, 3, 12, 20, 3, 2}};
    run_beside(&(struct skl_selftest){shapes, 2, 3, 0, true, skl_registry_find("exclusive_gating")});
}

/* A device that computes wrongly is found out by the operation's name. */
static const struct skl_device_ops *right;
static void wrong_sgd(struct skl_device *d, const struct skl_learned *tensor, int tensors, const struct skl_sgd *sgd)
{
    struct skl_sgd other = *sgd;
    other.lr *= 1.001f;
    right->sgd(d, tensor, tensors, &other);
}
static void test_a_wrong_device(void **state)
{
    static const struct skl_conv_shape shapes[] = {{6, 7, 24, 24, 1, 1}};
    struct skl_device *suspect = NULL, *cpu = NULL;
    struct skl_err err = {0};
    assert_int_equal(skl_device_opencl.open(0, pool, &suspect, &err), SKL_OK);
    assert_int_equal(skl_device_cpu.open(0, pool, &cpu, &err), SKL_OK);
    right = suspect->ops;
    struct skl_device_ops ops = *suspect->ops;
    ops.sgd = wrong_sgd;
    suspect->ops = &ops;
    assert_int_equal(skl_selftest(suspect, cpu, &(struct skl_selftest){shapes, 1, 2, 2, true, NULL}, &err), SKL_FAILED);
    assert_non_null(strstr(err.text, "sgd computes wrongly"));
    suspect->ops = right;
    suspect->ops->close(suspect);
    cpu->ops->close(cpu);
}

/* For a simulator that looks at every access, and is slow: one image in each tile, and small shapes. */
static void test_simulated(void **state)
{
    static const struct skl_conv_shape shapes[] = {
        {32, 32, 16, 16, 3, 1}, {16, 16, 32, 32, 3, 1}, {8, 8, 64, 64, 3, 1}, {5, 3, 6, 10, 3, 2}, {7, 7, 3, 5, 7, 2}};
    run(&(struct skl_selftest){shapes, sizeof shapes / sizeof *shapes, 1, 3, false, NULL});
    run(&(struct skl_selftest){shapes, 0, 2, 3, true, skl_registry_find("exclusive_gating")});
    run_beside(&(struct skl_selftest){shapes + 2, 2, 1, 0, true, skl_registry_find("exclusive_gating")});
}

int main(int argc, char **argv)
{
    struct skl_device_info list[SKL_MAX_DEVICES];
    if (skl_device_list(list) == 0 || !list[0].fit) {
        puts("no OpenCL device here that can train");
        return 77; /* meson: skipped */
    }
    pool = skl_pool_new(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_any_shape),
        cmocka_unit_test(test_many_groups),
        cmocka_unit_test(test_known_parts),
        cmocka_unit_test(test_groups_side_by_side),
        cmocka_unit_test(test_a_formula),
        cmocka_unit_test(test_a_wrong_device),
        cmocka_unit_test(test_hostile_statistics),
    };
    if (argc > 1 && !strcmp(argv[1], "--simulated")) {
        const struct CMUnitTest one[] = {cmocka_unit_test(test_simulated)};
        return cmocka_run_group_tests(one, NULL, NULL);
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    skl_pool_free(pool);
    return failed;
}
