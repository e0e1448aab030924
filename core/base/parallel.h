/* parallel.h - a pool of threads that runs numbered tasks.
 * Which worker takes a task is free; what a task computes must depend on its number alone and be written to
 * memory the task owns.  Sums across tasks are made afterwards, in the tasks' order.  So results do not depend
 * on the number of threads. */
#ifndef SKL_PARALLEL_H
#define SKL_PARALLEL_H
#include <pthread.h>
#include "core/base/share.h"

struct skl_pool;
/* threads >= 1; the caller is worker 0, so its arithmetic is reset too (skl_arithmetic_reset).  Fewer are started where
 * a limit wants it.  Workers spin briefly between calls, then sleep. */
struct skl_pool *skl_pool_new(int threads);
void skl_pool_free(struct skl_pool *pool);
int skl_pool_threads(const struct skl_pool *pool);
/* Runs task(arg, i, worker) for i in [0, count), returns when all are done.  Not reentrant. */
typedef void skl_task_fn(void *arg, int i, int worker);
void skl_parallel(struct skl_pool *pool, int count, skl_task_fn *task, void *arg);
/* A thread that no signal reaches, with the usual 8 MiB of stack whatever the limit of the process is.  Returns 0 or an
 * errno. */
int skl_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

/* A mini-batch is cut into a fixed number of chunks of whole images: chunk i holds images [images*i/chunks,
 * images*(i+1)/chunks).  Sums belong to chunks and are added in their order. */
enum { SKL_MAX_CHUNKS = 32 };
int skl_chunk_count(int images);
#endif
