/* The calls are short (a training step makes about a thousand), so a call takes no lock and waits for no worker
 * that got no task: a worker that the kernel has not scheduled costs nothing.
 * Tasks are shared out in ranges: worker w of T begins with tasks [count*w/T, count*(w+1)/T), the same ones in every
 * call, so that a chunk of images mostly stays in the caches of one core.  Who is done takes from the far end of
 * another's range.  A range is one 64-bit word, the number of the call and the tasks nobody has taken yet, and changes
 * by compare-and-swap alone: a worker that comes late finds another call's number and can take nothing with what it
 * read before. */
#include "core/base/parallel.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "core/base/cpu.h"
#include "core/base/err.h"
#include "core/base/say.h"

#define STACK_BYTES ((size_t)8 << 20)
#define SPINS 4000 /* pauses before sleeping: 50 to 150 us */

struct worker {
    struct skl_pool *pool;
    pthread_t thread;
    int number;
    _Alignas(64) _Atomic uint64_t range; /* the call's number << 40 | first << 20 | end */
};
enum { TASK_BITS = 20, MAX_TASKS = (1 << TASK_BITS) - 1 };

struct skl_pool {
    int threads, spins;
    struct worker *worker;
    /* The current call.  Atomic, because a late worker may read them while the next call is written. */
    _Atomic(skl_task_fn *) task;
    _Atomic(void *) arg;
    atomic_bool stop, busy;
    uint64_t number;                    /* of the call; the caller's */
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

/* Takes one task of w's range: the first if it is the worker's own, else the last.  -1: none left.  As long as one is
 * left, the caller cannot have returned and rewritten task and arg: what was read before a successful exchange belongs
 * to the call of `word`. */
static int take(struct skl_pool *pool, struct worker *w, bool own, skl_task_fn **task, void **arg)
{
    uint64_t word = atomic_load(&w->range);
    for (;;) {
        const int first = (int)(word >> TASK_BITS) & MAX_TASKS, end = (int)word & MAX_TASKS;
        if (first >= end) return -1;
        *task = atomic_load_explicit(&pool->task, memory_order_relaxed);
        *arg = atomic_load_explicit(&pool->arg, memory_order_relaxed);
        if (atomic_compare_exchange_weak(&w->range, &word, own ? word + (1 << TASK_BITS) : word - 1))
            return own ? first : end - 1;
    }
}

static void work(struct skl_pool *pool, int number)
{
    for (int i = 0; i < pool->threads; i++) {
        struct worker *w = &pool->worker[(number + i) % pool->threads];
        skl_task_fn *task;
        void *arg;
        for (int t; (t = take(pool, w, i == 0, &task, &arg)) >= 0;) {
            task(arg, t, number);
            finish_task(pool);
        }
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

/* Ours return; who waits for its task would wait for ever. */
static void ended_from_inside(void *p)
{
    skl_die("a thread was ended from inside, before the work was done (pthread_exit in a plug-in?)");
}

static void *worker_main(void *p)
{
    skl_arithmetic_reset();
    struct worker *w = p;
    struct skl_pool *pool = w->pool;
    pthread_cleanup_push(ended_from_inside, NULL);
    for (int seen = 0;;) {
        wait_for_call(pool, seen);
        if (atomic_load(&pool->stop)) break;
        seen = atomic_load(&pool->calls); /* before work(): a call that comes meanwhile is noticed */
        work(pool, w->number);
    }
    pthread_cleanup_pop(0);
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

static void share_out(struct skl_pool *pool, int count)
{
    pool->number++;
    for (int i = 0; i < pool->threads; i++) {
        const uint64_t first = (uint64_t)count * (uint64_t)i / (uint64_t)pool->threads;
        const uint64_t end = (uint64_t)count * ((uint64_t)i + 1) / (uint64_t)pool->threads;
        atomic_store(&pool->worker[i].range, pool->number << (2 * TASK_BITS) | first << TASK_BITS | end);
    }
}

void skl_parallel(struct skl_pool *pool, int count, skl_task_fn *task, void *arg)
{
    SKL_CHECK(!atomic_exchange(&pool->busy, true) && count <= MAX_TASKS);
    if (pool->threads == 1 || count <= 1) {
        for (int i = 0; i < count; i++) task(arg, i, 0);
    } else {
        atomic_store_explicit(&pool->task, task, memory_order_relaxed);
        atomic_store_explicit(&pool->arg, arg, memory_order_relaxed);
        atomic_store(&pool->unfinished, count);
        share_out(pool, count);
        announce(pool, count - 1);
        work(pool, 0);
        wait_for_tasks(pool);
    }
    atomic_store(&pool->busy, false);
}

int skl_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals then reach the main thread alone */
    int error = pthread_create(thread, &attr, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return error;
}

struct skl_pool *skl_pool_new(int threads)
{
    SKL_CHECK(threads >= 1);
    skl_arithmetic_reset();
    struct skl_pool *pool = skl_alloc(sizeof *pool);
    pool->worker = skl_alloc_array((size_t)threads, sizeof *pool->worker);
    pool->threads = threads;
    pool->spins = threads > skl_cpu_count() ? 0 : SPINS; /* a spinning thread would hold a core others need */
    for (int i = 1; i < threads; i++) {
        pool->worker[i] = (struct worker){.pool = pool, .number = i};
        int error = skl_thread_start(&pool->worker[i].thread, worker_main, &pool->worker[i]);
        if (error) {
            skl_say("skiplab: only %d of %d threads could be started: %s\n", i, threads, strerror(error));
            pool->threads = i;
            break;
        }
    }
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

int skl_pool_threads(const struct skl_pool *pool) { return pool->threads; }

/* Chunks of 8 images, at least 8 and at most SKL_MAX_CHUNKS of them where the group is large enough: enough to share
 * out evenly, few enough that summing their weight gradients costs little.  A function of the group alone. */
int skl_chunk_count(int images)
{
    int chunks = images / 8;
    if (chunks < 8) chunks = 8;
    if (chunks > SKL_MAX_CHUNKS) chunks = SKL_MAX_CHUNKS;
    return chunks < images ? chunks : images;
}
