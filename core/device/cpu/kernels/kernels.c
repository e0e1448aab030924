/* The kernel table: what is built in, and which of it fits.  The rows are in kernels.def. */
#include "core/device/cpu/kernels/kernels.h"
#include "core/base/err.h"
#include "core/device/cpu/kernels/conv_gemm.h"
#include "core/device/cpu/kernels/reference.h"

static const struct skl_kernels skl_table_ref = {
    .level = "ref",
    .cpu = SKL_CPU_REF,
    .load_rows = skl_ref_load_rows,
    .store_rows = skl_ref_store_rows,
    .keep_bits = skl_ref_keep_bits,
    .sigmoid = skl_ref_sigmoid,
    .sgd = skl_ref_sgd,
    .pool = skl_ref_pool,
    .max_pool = skl_ref_max_pool,
    .max_unpool = skl_ref_max_unpool,
    .fma_burst = skl_ref_fma_burst,
};

#define KERNEL(algorithm, level) extern const struct skl_conv_kernel skl_##algorithm##_##level;
#define TABLE(level) extern const struct skl_kernels skl_table_##level;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
#include "core/device/cpu/kernels/kernels.def"
#pragma GCC diagnostic pop

static const struct skl_kernels *const tables[] = {
#define TABLE(level) &skl_table_##level,
#include "core/device/cpu/kernels/kernels.def"
};

static const struct skl_conv_kernel *const kernels[] = {
#define KERNEL(algorithm, level) &skl_##algorithm##_##level,
#include "core/device/cpu/kernels/kernels.def"
    &skl_conv_gemm,
    NULL,
};

const struct skl_kernels *skl_kernels_for(enum skl_cpu_level level)
{
    size_t i = 0;
    while (tables[i]->cpu > level) i++; /* the last table is ref, the least level */
    return tables[i];
}

const struct skl_conv_kernel *const *skl_conv_kernels(void) { return kernels; }

/* F(2x2, 3x3) passes 16 numbers a weight and its gradient through the caches: of wide layers more than it saves.
 * F(4x4, 3x3) makes 36 products for each tile of 4x4 pixels, where F(2x2) makes 4 a pixel and a direct sum 9: small
 * images leave too much of their tiles empty. */
enum { WIDEST_WINOGRAD2 = 128 };
static bool worth_it(enum skl_conv_algo algo, const struct skl_conv_shape *s)
{
    const bool narrow = s->c <= WIDEST_WINOGRAD2 || s->k <= WIDEST_WINOGRAD2;
    if (algo == SKL_CONV_WINOGRAD2) return narrow;
    const int otherwise = narrow && s->h % 2 == 0 && s->w % 2 == 0 ? 4 : 9, tiles = ((s->h + 3) / 4) * ((s->w + 3) / 4);
    return algo != SKL_CONV_WINOGRAD4 || 36 * tiles < otherwise * s->h * s->w;
}

static const struct skl_conv_kernel *first_fit(enum skl_conv_algo algo, enum skl_cpu_level level,
                                               const struct skl_conv_shape *s)
{
    for (size_t i = 0; kernels[i]; i++)
        if (kernels[i]->algo == algo && kernels[i]->level <= level && kernels[i]->supports(s)) return kernels[i];
    return NULL;
}

const struct skl_conv_kernel *skl_conv_select(enum skl_conv_algo algo, enum skl_cpu_level level,
                                              const struct skl_conv_shape *s)
{
    static const enum skl_conv_algo order[] = {SKL_CONV_WINOGRAD4, SKL_CONV_WINOGRAD2, SKL_CONV_DIRECT, SKL_CONV_GEMM};
    const struct skl_conv_kernel *kernel = algo == SKL_CONV_AUTO ? NULL : first_fit(algo, level, s);
    const size_t from = algo == SKL_CONV_AUTO ? 0 : 2; /* one that does not fit falls to direct, then gemm */
    for (size_t i = from; !kernel && i < sizeof order / sizeof *order; i++)
        if (worth_it(order[i], s)) kernel = first_fit(order[i], level, s);
    SKL_CHECK(kernel);
    return kernel;
}
