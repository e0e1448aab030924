/* What cgroups leave of the machine, in made-up trees of both versions. */
#include <math.h>
#include <sys/stat.h>

#include "core/base/fs.h"
#include "core/base/share.h"
#include "tests/unit/scratch.h"

static void put(const char *name, const char *text)
{
    char *path = strdup(in_scratch(name)), *slash = strrchr(path, '/');
    *slash = 0;
    assert_int_equal(skl_mkdirs(path, NULL), 0);
    *slash = '/';
    put_file(path, text, strlen(text));
    free(path);
}

static void assert_limits(double cpus, double bytes)
{
    char *root = strdup(in_scratch("cg")), *self = strdup(in_scratch("self"));
    struct skl_cgroup_limits limits = skl_cgroup_limits(root, self);
    if (limits.cpus != cpus || limits.bytes != bytes)
        fail_msg("%g cores and %g bytes, not %g and %g", limits.cpus, limits.bytes, cpus, bytes);
    free(root);
    free(self);
}

static void nothing_is_no_limit(void **state)
{
    assert_limits(INFINITY, INFINITY); /* no file that names the cgroup */
    put("self", "0::/\n");
    assert_limits(INFINITY, INFINITY);
    put("self", "broken\n:::\n1:\n2:cpu\n3:cpu:nowhere\n");
    assert_limits(INFINITY, INFINITY);
}

static void version_2(void **state)
{
    put("self", "0::/slice/job/step\n");
    put("cg/slice/job/step/cpu.max", "max 100000\n");
    put("cg/slice/job/step/memory.max", "max\n");
    assert_limits(INFINITY, INFINITY);
    put("cg/slice/job/cpu.max", "250000 100000\n"); /* the least of all above counts */
    put("cg/slice/job/memory.max", "8589934592\n");
    put("cg/slice/cpu.max", "800000 100000\n");
    put("cg/slice/memory.max", "4294967296\n");
    assert_limits(2.5, 4294967296.0);
    put("self", "0::/other\n");
    assert_limits(INFINITY, INFINITY);
}

/* In a container the root is the container's cgroup, whatever path the file names. */
static void containers(void **state)
{
    put("cg/cpu.max", "150000 100000\n");
    put("cg/memory.max", "1073741824\n");
    for (int i = 0; i < 3; i++) {
        static const char *const self[] = {"0::/\n", "0::/docker/0a1b\n", "0::/../../job\n"};
        put("self", self[i]);
        assert_limits(1.5, 1073741824.0);
    }
}

static void version_1(void **state)
{
    put("self", "5:memory:/job/step\n4:cpu,cpuacct:/job\n1:name=systemd:/job\n0::/\n");
    put("cg/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
    put("cg/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    put("cg/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_limits(INFINITY, INFINITY);
    put("cg/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
    put("cg/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put("cg/memory/job/memory.limit_in_bytes", "2147483648\n");
    assert_limits(0.5, 2147483648.0);
    put("cg/cpu/job/cpu.cfs_quota_us", "25000\n"); /* mounted by itself */
    put("cg/cpu/job/cpu.cfs_period_us", "100000\n");
    put("cg/unified/memory.max", "1073741824\n"); /* both versions side by side */
    assert_limits(0.25, 1073741824.0);
}

static void at_least_one_core_and_some_memory(void **state)
{
    assert_true(skl_cpu_count() >= 1);
    assert_true(skl_memory_share() > 1 << 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)
    const struct CMUnitTest tests[] = {TEST(nothing_is_no_limit), TEST(version_2), TEST(containers), TEST(version_1),
                                       TEST(at_least_one_core_and_some_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
