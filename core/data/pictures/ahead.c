#include "core/data/pictures/ahead.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/parallel.h"

enum state { FREE, WAITING, BUSY, READY };
struct slot {
    enum state state;
    struct skl_item item;
    struct skl_err *why; /* NULL: it could be made */
    uint8_t *image;
};
struct skl_ahead {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    skl_make_fn *make;
    void *context;
    struct slot *slot; /* a ring: count of them from head on are taken, in the order asked for */
    int slots, head, count, threads, started, given;
    bool stop;
    pthread_t *thread;
};

static struct slot *at(const struct skl_ahead *a, int i) { return &a->slot[(a->head + i) % a->slots]; }

static struct slot *next_waiting(const struct skl_ahead *a)
{
    for (int i = 0; i < a->count; i++)
        if (at(a, i)->state == WAITING) return at(a, i);
    return NULL;
}

static void fill(struct skl_ahead *a, struct slot *s)
{
    struct skl_err err = {0};
    s->state = BUSY;
    pthread_mutex_unlock(&a->lock);
    const int status = a->make(a->context, &s->item, s->image, &err);
    pthread_mutex_lock(&a->lock);
    if (status) {
        s->why = skl_alloc(sizeof *s->why);
        *s->why = err;
    }
    s->state = READY;
    pthread_cond_broadcast(&a->done);
}

static void *work(void *arg)
{
    struct skl_ahead *a = arg;
    pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        struct slot *s = next_waiting(a);
        if (s)
            fill(a, s);
        else
            pthread_cond_wait(&a->work, &a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

struct skl_ahead *skl_ahead_new(int threads, int slots, size_t bytes, skl_make_fn *make, void *context)
{
    struct skl_ahead *a = skl_alloc(sizeof *a);
    *a = (struct skl_ahead){.make = make, .context = context, .slots = slots, .threads = threads};
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->work, NULL);
    pthread_cond_init(&a->done, NULL);
    a->slot = skl_alloc_array((size_t)slots, sizeof *a->slot);
    a->thread = skl_alloc_array((size_t)threads, sizeof *a->thread);
    for (int i = 0; i < slots; i++) a->slot[i].image = skl_alloc(bytes);
    return a;
}

static void empty(struct slot *s)
{
    free(s->why);
    s->why = NULL;
    s->state = FREE;
}

void skl_ahead_free(struct skl_ahead *a)
{
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_broadcast(&a->work);
    pthread_mutex_unlock(&a->lock);
    for (int i = 0; i < a->started; i++) pthread_join(a->thread[i], NULL);
    for (int i = 0; i < a->slots; i++) {
        empty(&a->slot[i]);
        free(a->slot[i].image);
    }
    pthread_cond_destroy(&a->work);
    pthread_cond_destroy(&a->done);
    pthread_mutex_destroy(&a->lock);
    free(a->slot);
    free(a->thread);
    free(a);
}

/* Fewer where a limit wants it, as for the pool; one must be. */
static void start(struct skl_ahead *a)
{
    if (a->started) return;
    while (a->started < a->threads && !skl_thread_start(&a->thread[a->started], work, a)) a->started++;
    if (!a->started) skl_die("cannot start a thread that reads pictures: a limit on processes (ulimit -u)?");
}

static void drop(struct skl_ahead *a, int n)
{
    for (int i = 0; i < n; i++) {
        while (at(a, i)->state == BUSY) pthread_cond_wait(&a->done, &a->lock);
        empty(at(a, i));
    }
    a->head = (a->head + n) % a->slots;
    a->count -= n;
}

static bool same(const struct skl_item *a, const struct skl_item *b)
{
    return a->epoch == b->epoch && a->part == b->part && a->image == b->image && a->crop == b->crop;
}

/* Where what stands there is not what is asked for now, all of it goes. */
static void keep_matching(struct skl_ahead *a, const struct skl_item *item, int count)
{
    int kept = 0;
    while (kept < a->count && kept < count && same(&at(a, kept)->item, &item[kept])) kept++;
    if (kept == a->count) return;
    drop(a, a->count);
}

int skl_ahead_take(struct skl_ahead *a, const struct skl_item *item, int n, int count, const uint8_t **image,
                   struct skl_err *err)
{
    SKL_CHECK(n <= count && count <= a->slots);
    int status = SKL_OK;
    start(a);
    pthread_mutex_lock(&a->lock);
    drop(a, a->given);
    keep_matching(a, item, count);
    for (; a->count < count; a->count++) {
        struct slot *s = at(a, a->count);
        s->item = item[a->count];
        s->state = WAITING;
    }
    pthread_cond_broadcast(&a->work);
    for (int i = 0; i < n; i++) {
        struct slot *s = at(a, i);
        while (s->state != READY) pthread_cond_wait(&a->done, &a->lock);
        image[i] = s->image;
        if (s->why && !status) {
            status = s->why->status;
            if (err) *err = *s->why;
        }
    }
    a->given = n;
    pthread_mutex_unlock(&a->lock);
    return status;
}
