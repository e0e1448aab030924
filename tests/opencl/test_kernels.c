/* Every operation of the OpenCL device beside the CPU's (selftest.h), on opencl:0: where there is no GPU, pocl.
 * Shapes: each row of the table of tiles, and what no table knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/config/registry.h"
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

/* One formula; those of all variants are tried when their nets are (test_runs.py). */
static void test_a_formula(void **state)
{
    static const struct skl_conv_shape shapes[] = {{6, 7, 24, 24, 1, 1}};
    run(&(struct skl_selftest){shapes, 1, 2, 2, false, skl_registry_find("exclusive_gating")});
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

int main(void)
{
    struct skl_device_info list[SKL_MAX_DEVICES];
    if (skl_device_list(list) == 0) {
        puts("no OpenCL device here");
        return 77; /* meson: skipped */
    }
    pool = skl_pool_new(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles),       cmocka_unit_test(test_any_shape), cmocka_unit_test(test_many_groups),
        cmocka_unit_test(test_known_parts), cmocka_unit_test(test_a_formula), cmocka_unit_test(test_a_wrong_device),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    skl_pool_free(pool);
    return failed;
}
