#include "tests/unit/scratch.h"
#include "core/base/cpu.h"

static void names_round_trip(void **state)
{
    for (int level = 0; level < SKL_CPU_LEVELS; level++)
        assert_int_equal(skl_cpu_level_parse(skl_cpu_level_name((enum skl_cpu_level)level)), level);
    assert_int_equal(skl_cpu_level_parse("sse"), SKL_CPU_BASE);
    assert_int_equal(skl_cpu_level_parse("AVX2"), SKL_CPU_AVX2);
    assert_int_equal(skl_cpu_level_parse("avx"), -1);
    assert_int_equal(skl_cpu_level_parse(""), -1);
}

static void environment_only_lowers(void **state)
{
    unsetenv("SKL_CPU");
    int best = (int)skl_cpu_best();
    assert_true(best >= SKL_CPU_BASE);
    for (int level = 0; level < SKL_CPU_LEVELS; level++) {
        setenv("SKL_CPU", skl_cpu_level_name((enum skl_cpu_level)level), 1);
        assert_int_equal(skl_cpu_best(), level < best ? level : best);
    }
    unsetenv("SKL_CPU");
    assert_int_equal(skl_cpu_best(), best);
}

/* Lines that three calls with an unknown name write to stderr. */
static int count_warnings(void)
{
    int ends[2], lines = 0, saved = dup(2);
    assert_int_equal(pipe(ends), 0);
    fflush(stderr);
    dup2(ends[1], 2);
    for (int i = 0; i < 3; i++) skl_cpu_best();
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    close(ends[1]);
    for (char c; read(ends[0], &c, 1) == 1;) lines += c == '\n';
    close(ends[0]);
    return lines;
}

static void unknown_level_warns_once(void **state)
{
    unsetenv("SKL_CPU");
    int best = (int)skl_cpu_best();
    setenv("SKL_CPU", "pentium", 1);
    assert_int_equal(count_warnings(), 1);
    assert_int_equal(skl_cpu_best(), best);
    setenv("SKL_CPU", "", 1);
    assert_int_equal(count_warnings(), 0);
    unsetenv("SKL_CPU");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_round_trip),
        cmocka_unit_test(environment_only_lowers),
        cmocka_unit_test(unknown_level_warns_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
