/* cpu.h - what the CPU can do, lowered by SKL_CPU=ref|sse|avx2|avx512 for tests. */
#ifndef SKL_CPU_H
#define SKL_CPU_H
enum skl_cpu_level { SKL_CPU_REF, SKL_CPU_BASE, SKL_CPU_AVX2, SKL_CPU_AVX512, SKL_CPU_LEVELS };
/* REF: plain C, the definition.  BASE: 4-lane vectors of the build's baseline (SSE2, NEON). */
enum skl_cpu_level skl_cpu_best(void); /* detected, then lowered by the environment variable SKL_CPU */
const char *skl_cpu_level_name(enum skl_cpu_level level); /* "ref", "base", "avx2", "avx512" */
int skl_cpu_level_parse(const char *name);                /* -1: unknown */
/* Puts this thread's arithmetic into the one state that all results are made in: rounding to nearest, denormal numbers
 * kept (docs/hardening.md says why), no exception trapped, 64-bit x87.  A library's constructor may have left another,
 * and threads inherit it. */
void skl_arithmetic_reset(void);
#endif
