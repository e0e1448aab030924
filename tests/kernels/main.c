/* Every kernel of the table at every CPU level this machine has, against the definitions in double precision.
 *
 *     test_kernels [--seed N] [--only TEXT]          TEXT: part of a level's or kernel's name
 *     test_kernels --bench [--threads N] [--images N] [TEXT]
 *         GFLOP/s of each kernel and shape, as the direct algorithm counts them; TEXT: part of "direct-avx2 8x8 64->64"
 *
 * No kernel is named here: the tests walk skl_kernels_for() and skl_conv_kernels(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/cpu.h"
#include "tests/kernels/harness.h"

static void run(const char *name, const char *only, uint64_t seed, const struct skl_kernels *kernels,
                const struct skl_conv_kernel *conv)
{
    const int before = checks_failed;
    if (only && !strstr(name, only)) return;
    random_seed(seed);
    if (conv)
        check_conv(conv, kernels);
    else
        check_vector(kernels);
    printf("%-20s %s\n", name, checks_failed == before ? "ok" : "FAILED");
    fflush(stdout);
}

static void run_all(const char *only, uint64_t seed)
{
    const enum skl_cpu_level best = skl_cpu_best();
    for (int level = SKL_CPU_REF; level <= (int)best; level++) {
        const struct skl_kernels *kernels = skl_kernels_for((enum skl_cpu_level)level);
        if ((int)kernels->cpu == level) run(kernels->level, only, seed, kernels, NULL);
    }
    for (const struct skl_conv_kernel *const *k = skl_conv_kernels(); *k; k++)
        if ((*k)->level <= best) run((*k)->name, only, seed, skl_kernels_for((*k)->level), *k);
    check_select();
}

int main(int argc, char **argv)
{
    uint64_t seed = 20161008; /* the same every time; --seed N for others */
    const char *only = NULL;
    bool benchmark = false;
    int threads = 1, images = 128;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--bench"))
            benchmark = true;
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--only") && i + 1 < argc)
            only = argv[++i];
        else if (!strcmp(argv[i], "--threads") && i + 1 < argc)
            threads = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--images") && i + 1 < argc)
            images = atoi(argv[++i]);
        else
            only = argv[i];
    }
    if (benchmark) {
        bench(only, threads, images);
        return 0;
    }
    printf("seed %llu\n", (unsigned long long)seed);
    run_all(only, seed);
    if (checks_failed)
        fprintf(stderr, "%d checks failed; again with: --seed %llu\n", checks_failed, (unsigned long long)seed);
    return checks_failed != 0;
}
