/* The only file that knows BLAS.
 * OpenBLAS is loaded at the first product: its constructor starts a thread a core, which a limit on processes answers
 * with a signal and one on memory with threads that spin for ever, unless it is told beforehand to start none; and what
 * needs no product (status, report, --help) needs no OpenBLAS. */
#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "core/base/err.h"
#include "core/device/cpu/kernels/kernels.h"

#define SONAME "libopenblas.so.0"

static struct {
    __typeof__(&cblas_sgemm) sgemm;
    __typeof__(&openblas_set_num_threads) set_num_threads;
    __typeof__(&openblas_get_config) get_config;
    __typeof__(&openblas_get_corename) get_corename;
} blas;

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (!found) skl_die("this OpenBLAS does not have %s: install a newer one", name);
    return found;
}

/* OpenBLAS maps a buffer when it is loaded and one for each thread that multiplies, of up to 128 MiB (0.3.29), and asks
 * again for ever where the system has none. */
static void check_room(size_t beside)
{
    const size_t bytes = ((size_t)128 << 20) + beside;
    skl_unmap(skl_map(bytes), bytes);
}

/* The variable is read when the library is loaded: by the main thread, before any other looks at the environment. */
static void load(void)
{
    const size_t library_bytes = (size_t)48 << 20;
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    check_room(library_bytes);
    void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        char reason[512];
        snprintf(reason, sizeof reason, "%s", why ? why : "unknown");
        library = *SKL_BLAS_DIR ? dlopen(SKL_BLAS_DIR "/" SONAME, RTLD_NOW | RTLD_LOCAL) : NULL;
        if (!library) skl_die("OpenBLAS cannot be loaded: %s", reason);
    }
    blas.sgemm = (__typeof__(blas.sgemm))symbol(library, "cblas_sgemm");
    blas.set_num_threads = (__typeof__(blas.set_num_threads))symbol(library, "openblas_set_num_threads");
    blas.get_config = (__typeof__(blas.get_config))symbol(library, "openblas_get_config");
    blas.get_corename = (__typeof__(blas.get_corename))symbol(library, "openblas_get_corename");
}

/* OpenBLAS's own threading changes result bits, and its OpenMP flavour keeps the limit per calling thread, so each
 * thread sets it before its first product. */
static _Thread_local bool limited;
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

void skl_gemm_setup(void)
{
    if (limited) return;
    pthread_once(&loaded, load);
    pthread_mutex_lock(&limit_lock);
    check_room(0);
    blas.set_num_threads(1);
    pthread_mutex_unlock(&limit_lock);
    limited = true;
}

void skl_gemm(bool ta, bool tb, int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta,
              float *c, int ldc)
{
    skl_gemm_setup();
    blas.sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, 1.0f, a, lda, b,
               ldb, beta, c, ldc);
}

const char *skl_gemm_version(void)
{
    skl_gemm_setup();
    static char text[256];
    snprintf(text, sizeof text, "%s, core %s", blas.get_config(), blas.get_corename());
    return text;
}
