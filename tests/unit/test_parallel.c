#include "tests/unit/scratch.h"
#include "core/base/parallel.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define MOST 1000

struct run {
    int count, threads;
    atomic_int hits[MOST];
    atomic_int in_use[64];
    atomic_int faults;
    double value[MOST];
};

static void visit(void *arg, int i, int worker)
{
    struct run *run = arg;
    if (i < 0 || i >= run->count || worker < 0 || worker >= run->threads) {
        atomic_fetch_add(&run->faults, 1);
        return;
    }
    if (atomic_fetch_add(&run->in_use[worker], 1)) atomic_fetch_add(&run->faults, 1); /* a worker does one at a time */
    atomic_fetch_add(&run->hits[i], 1);
    run->value[i] = 1.0 / (i + 1);
    atomic_fetch_sub(&run->in_use[worker], 1);
}

static void each_task_runs_once(void **state)
{
    static struct run run;
    for (int threads = 1; threads <= 9; threads++) {
        struct skl_pool *pool = skl_pool_new(threads);
        run.threads = threads;
        assert_int_equal(skl_pool_threads(pool), threads);
        for (int call = 0; call < 400; call++) {
            run.count = call == 399 ? MOST : call % 40;
            for (int i = 0; i < run.count; i++) atomic_store(&run.hits[i], 0);
            skl_parallel(pool, run.count, visit, &run);
            for (int i = 0; i < run.count; i++)
                if (run.hits[i] != 1)
                    fail_msg("%d threads, call %d: task %d ran %d times", threads, call, i, run.hits[i]);
        }
        skl_pool_free(pool);
    }
    assert_int_equal(run.faults, 0);
}

static void sums_do_not_depend_on_threads(void **state)
{
    static struct run run;
    double first = 0;
    for (int threads = 1; threads <= 5; threads++) {
        struct skl_pool *pool = skl_pool_new(threads);
        run.threads = threads;
        run.count = MOST;
        memset(run.value, 0, sizeof run.value);
        skl_parallel(pool, MOST, visit, &run);
        double sum = 0;
        for (int i = 0; i < MOST; i++) sum += run.value[i];
        if (threads == 1) first = sum;
        assert_memory_equal(&sum, &first, sizeof sum);
        skl_pool_free(pool);
    }
}

static void set_int(void *arg, int i, int worker) { ((int *)arg)[i] = i + 1; }

/* Other functions, arguments and counts follow each other closely: a late worker must not mix two calls. */
static void calls_do_not_mix(void **state)
{
    static int numbers[3][50];
    static struct run run = {.count = 7, .threads = 4};
    struct skl_pool *pool = skl_pool_new(4);
    for (int call = 0; call < 20000; call++) {
        int *a = numbers[call % 3], count = 1 + call % 50;
        memset(a, 0, sizeof numbers[0]);
        skl_parallel(pool, count, set_int, a);
        for (int i = 0; i < 50; i++)
            if (a[i] != (i < count ? i + 1 : 0)) fail_msg("call %d of %d tasks: [%d] = %d", call, count, i, a[i]);
        skl_parallel(pool, 7, visit, &run);
    }
    assert_int_equal(run.faults, 0);
    for (int i = 0; i < 7; i++) assert_int_equal(run.hits[i], 20000);
    skl_pool_free(pool);
}

static void nap(void *arg, int i, int worker)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* Long gaps and long tasks: workers and the caller fall asleep and must be woken. */
static void sleepers_wake(void **state)
{
    atomic_int done = 0;
    struct skl_pool *pool = skl_pool_new(3);
    for (int call = 0; call < 10; call++) {
        skl_parallel(pool, 4, nap, &done);
        nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    }
    assert_int_equal(done, 40);
    skl_pool_free(pool);
}

static void meet(void *arg, int i, int worker) { pthread_barrier_wait(arg); }

/* Hangs unless three tasks are really under way at the same time. */
static void tasks_run_at_the_same_time(void **state)
{
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 3);
    struct skl_pool *pool = skl_pool_new(3);
    alarm(60);
    for (int call = 0; call < 50; call++) skl_parallel(pool, 3, meet, &barrier);
    alarm(0);
    skl_pool_free(pool);
    pthread_barrier_destroy(&barrier);
}

static void check_mask(void *arg, int i, int worker)
{
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    bool blocked = sigismember(&set, SIGTERM) && sigismember(&set, SIGINT) && sigismember(&set, SIGUSR1);
    if (blocked != (worker != 0)) atomic_fetch_add((atomic_int *)arg, 1);
    nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL); /* leaves some for the others */
}

static void signals_reach_the_caller_alone(void **state)
{
    atomic_int wrong = 0;
    struct skl_pool *pool = skl_pool_new(4);
    skl_parallel(pool, 40, check_mask, &wrong);
    assert_int_equal(wrong, 0);
    skl_pool_free(pool);
}

static struct skl_pool *inner;

static void nested_task(void *arg, int i, int worker) { skl_parallel(inner, 2, set_int, arg); }

static void nested_call(void)
{
    int numbers[2];
    inner = skl_pool_new(1);
    skl_parallel(inner, 2, nested_task, numbers);
}

static void nesting_is_caught(void **state) { assert_int_equal(child_end(nested_call), SIGABRT); }

static void some_cores(void **state) { assert_in_range(skl_cpu_count(), 1, 1 << 16); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_runs_once),        cmocka_unit_test(sums_do_not_depend_on_threads),
        cmocka_unit_test(calls_do_not_mix),           cmocka_unit_test(sleepers_wake),
        cmocka_unit_test(tasks_run_at_the_same_time), cmocka_unit_test(signals_reach_the_caller_alone),
        cmocka_unit_test(nesting_is_caught),          cmocka_unit_test(some_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
