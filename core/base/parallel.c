/* The calls are short (a training step makes about a thousand), so a call takes no lock and waits for no worker
 * that got no task: a worker that the kernel has not scheduled costs nothing.
 * One 64-bit word holds the number of the call and of the tasks nobody has taken yet.  A task is taken by
 * compare-and-swap on that word, so a worker that comes late finds another call's number and can take nothing with
 * what it read before. */
#include "core/base/parallel.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "core/base/err.h"

#define SPINS 4000 /* pauses before sleeping: 50 to 150 us */

struct worker {
    struct skl_pool *pool;
    pthread_t thread;
    int number;
};

struct skl_pool {
    int threads, spins;
    struct worker *worker;
    /* The current call.  Atomic, because a late worker may read them while the next call is written. */
    _Atomic(skl_task_fn *) task;
    _Atomic(void *) arg;
    atomic_int count;
    atomic_bool stop, busy;
    _Alignas(64) _Atomic uint64_t call; /* its number << 32 | tasks not yet taken */
    _Alignas(64) atomic_int unfinished; /* tasks of this call */
    atomic_int caller_sleeps;
    _Alignas(64) atomic_int calls; /* what idle workers watch */
    _Alignas(64) atomic_int sleepers;
};

static void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

static void futex_wait(atomic_int *word, int expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(atomic_int *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void finish_task(struct skl_pool *pool)
{
    if (atomic_fetch_sub(&pool->unfinished, 1) == 1 && atomic_load(&pool->caller_sleeps))
        futex_wake(&pool->unfinished, 1);
}

/* Takes tasks of the current call until none is left.  As long as one is left, the caller cannot have returned and
 * rewritten task, arg and count: what was read before a successful exchange belongs to the call of `word`. */
static void work(struct skl_pool *pool, int number)
{
    uint64_t word = atomic_load(&pool->call);
    while ((uint32_t)word > 0) {
        skl_task_fn *task = atomic_load_explicit(&pool->task, memory_order_relaxed);
        void *arg = atomic_load_explicit(&pool->arg, memory_order_relaxed);
        int count = atomic_load_explicit(&pool->count, memory_order_relaxed);
        if (!atomic_compare_exchange_weak(&pool->call, &word, word - 1)) continue;
        task(arg, count - (int)(uint32_t)word, number);
        finish_task(pool);
        word = atomic_load(&pool->call);
    }
}

static void wait_for_call(struct skl_pool *pool, int seen)
{
    for (int i = 0; i < pool->spins; i++) {
        if (atomic_load_explicit(&pool->calls, memory_order_acquire) != seen) return;
        cpu_relax();
    }
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->calls) == seen) futex_wait(&pool->calls, seen);
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void *worker_main(void *p)
{
    struct worker *w = p;
    struct skl_pool *pool = w->pool;
    while (!atomic_load(&pool->stop)) {
        int seen = atomic_load(&pool->calls); /* before work(): a call that comes meanwhile is noticed */
        work(pool, w->number);
        if (atomic_load(&pool->stop)) break;
        wait_for_call(pool, seen);
    }
    return NULL;
}

static void wait_for_tasks(struct skl_pool *pool)
{
    for (int i = 0; i < pool->spins; i++) {
        if (atomic_load(&pool->unfinished) == 0) return;
        cpu_relax();
    }
    atomic_store(&pool->caller_sleeps, 1);
    int left;
    while ((left = atomic_load(&pool->unfinished)) != 0) futex_wait(&pool->unfinished, left);
    atomic_store(&pool->caller_sleeps, 0);
}

static void announce(struct skl_pool *pool, int wanted)
{
    atomic_fetch_add(&pool->calls, 1);
    if (atomic_load(&pool->sleepers) > 0) futex_wake(&pool->calls, wanted);
}

void skl_parallel(struct skl_pool *pool, int count, skl_task_fn *task, void *arg)
{
    SKL_CHECK(!atomic_exchange(&pool->busy, true));
    if (pool->threads == 1 || count <= 1) {
        for (int i = 0; i < count; i++) task(arg, i, 0);
    } else {
        uint64_t number = (atomic_load(&pool->call) >> 32) + 1;
        atomic_store_explicit(&pool->task, task, memory_order_relaxed);
        atomic_store_explicit(&pool->arg, arg, memory_order_relaxed);
        atomic_store_explicit(&pool->count, count, memory_order_relaxed);
        atomic_store(&pool->unfinished, count);
        atomic_store(&pool->call, number << 32 | (uint32_t)count);
        announce(pool, count - 1);
        work(pool, 0);
        wait_for_tasks(pool);
    }
    atomic_store(&pool->busy, false);
}

struct skl_pool *skl_pool_new(int threads)
{
    SKL_CHECK(threads >= 1);
    struct skl_pool *pool = skl_alloc(sizeof *pool);
    pool->worker = skl_alloc_array((size_t)threads, sizeof *pool->worker);
    pool->threads = threads;
    pool->spins = threads > skl_cpu_count() ? 0 : SPINS; /* a spinning thread would hold a core others need */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals then reach the main thread alone */
    for (int i = 1; i < threads; i++) {
        pool->worker[i] = (struct worker){.pool = pool, .number = i};
        int error = pthread_create(&pool->worker[i].thread, NULL, worker_main, &pool->worker[i]);
        if (error) {
            fprintf(stderr, "skiplab: only %d of %d threads could be started: %s\n", i, threads, strerror(error));
            pool->threads = i;
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pool;
}

void skl_pool_free(struct skl_pool *pool)
{
    if (!pool) return;
    atomic_store(&pool->stop, true);
    announce(pool, INT_MAX);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->worker[i].thread, NULL);
    free(pool->worker);
    free(pool);
}

int skl_pool_threads(const struct skl_pool *pool)
{
    return pool->threads;
}

/* A container's share of the machine, rounded up; 0: no limit. */
static int cgroup_cpus(void)
{
    long long quota, period;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!f) return 0;
    int fields = fscanf(f, "%lld %lld", &quota, &period);
    fclose(f);
    if (fields != 2 || quota <= 0 || period <= 0 || quota / period >= INT_MAX) return 0;
    return (int)((quota + period - 1) / period);
}

int skl_cpu_count(void)
{
    long count = 0;
    size_t bytes = CPU_ALLOC_SIZE(8192);
    cpu_set_t *set = CPU_ALLOC(8192);
    if (set && sched_getaffinity(0, bytes, set) == 0) count = CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    if (count < 1) count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count < 1) count = 1;
    int share = cgroup_cpus();
    return share > 0 && share < count ? share : (int)count;
}
