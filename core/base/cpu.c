#include "core/base/cpu.h"
#include "core/base/say.h"

#include <fenv.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

static const char *const level_name[SKL_CPU_LEVELS] = {"ref", "base", "avx2", "avx512"};

const char *skl_cpu_level_name(enum skl_cpu_level level)
{
    return level < SKL_CPU_LEVELS ? level_name[level] : "unknown";
}

int skl_cpu_level_parse(const char *name)
{
    for (int i = 0; i < SKL_CPU_LEVELS; i++)
        if (strcasecmp(name, level_name[i]) == 0) return i;
    if (strcasecmp(name, "sse") == 0 || strcasecmp(name, "neon") == 0) return SKL_CPU_BASE;
    return -1;
}

static enum skl_cpu_level detect(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return SKL_CPU_BASE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return SKL_CPU_AVX512;
    return SKL_CPU_AVX2;
#else
    return SKL_CPU_BASE;
#endif
}

enum skl_cpu_level skl_cpu_best(void)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    enum skl_cpu_level best = detect();
    const char *wish = getenv("SKL_CPU");
    if (!wish || !*wish) return best;
    int level = skl_cpu_level_parse(wish);
    if (level < 0 && !atomic_flag_test_and_set(&warned))
        skl_say("skiplab: SKL_CPU is none of ref, sse, avx2, avx512: ignored\n");
    return level >= 0 && level < (int)best ? (enum skl_cpu_level)level : best;
}

void skl_arithmetic_reset(void) { fesetenv(FE_DFL_ENV); }
