/* The only file that knows BLAS. */
#include <cblas.h>
#include <pthread.h>
#include <stdio.h>
#include "core/device/cpu/kernels/kernels.h"

/* OpenBLAS's own threading changes result bits, and its OpenMP flavour keeps the limit per calling thread, so each
 * thread sets it before its first product. */
static _Thread_local bool limited;
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;

void skl_gemm_setup(void)
{
    if (limited) return;
    pthread_mutex_lock(&limit_lock);
    openblas_set_num_threads(1);
    pthread_mutex_unlock(&limit_lock);
    limited = true;
}

void skl_gemm(bool ta, bool tb, int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta,
              float *c, int ldc)
{
    skl_gemm_setup();
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, 1.0f, a, lda, b,
                ldb, beta, c, ldc);
}

const char *skl_gemm_version(void)
{
    static char text[256];
    snprintf(text, sizeof text, "%s, core %s", openblas_get_config(), openblas_get_corename());
    return text;
}
