/* What lies between the operations: partial sums and where they are, partial gradients that wait, all tensors'
 * update. */
#include <stdlib.h>
#include <string.h>
#include "core/device/opencl/internal.h"
#include "core/device/opencl/kernels/flags.h"

/* ---- rows of kernels/update.cl ---- */
struct reduction {
    cl_ulong from, to;
    cl_int parts, stride, count, accumulate;
};
struct learned {
    cl_ulong value, grad, momentum;
    cl_int count, decay;
};
enum { REDUCTION_BLOCK = 256, SGD_BLOCK = 1024 };

/* A table on the device, uploaded where it differs from the one there: from step to step it is the same. */
struct table {
    struct skl_memory *memory;
    char *there;
    size_t bytes, room;
};

struct tables {
    struct sums_note note[64];
    int notes;
    struct skl_memory *parts; /* partial sums that are too many for their place */
    size_t parts_bytes;
    struct skl_memory *extra; /* a merge's second sums */
    size_t extra_bytes;
    struct skl_memory *gradients;
    size_t gradient_bytes, gradient_used;
    struct reduction *waiting;
    int waits, waiting_room;
    struct skl_memory *to; /* the memory that all waiting ones go to */
    struct table reduce[2] /* overwriting, accumulating */, update;
};

static struct tables *tables_of(struct opencl *d)
{
    if (!d->tables) d->tables = skl_alloc(sizeof *d->tables);
    return d->tables;
}

static void release_table(struct opencl *d, struct table *t)
{
    opencl_release(&d->head, t->memory);
    free(t->there);
}
void tables_release(struct opencl *d)
{
    struct tables *t = d->tables;
    if (!t) return;
    opencl_release(&d->head, t->parts), opencl_release(&d->head, t->extra), opencl_release(&d->head, t->gradients);
    for (int i = 0; i < 2; i++) release_table(d, &t->reduce[i]);
    release_table(d, &t->update);
    free(t->waiting), free(t);
    d->tables = NULL;
}

static bool send_table(struct opencl *d, struct table *t, const void *rows, size_t bytes)
{
    if (t->bytes == bytes && t->there && !memcmp(t->there, rows, bytes)) return true;
    if (bytes > t->room) {
        release_table(d, t);
        *t = (struct table){.room = bytes};
        if (opencl_reserve(&d->head, bytes, &t->memory, &d->broken)) return false;
        t->there = skl_alloc(bytes);
    }
    memcpy(t->there, rows, bytes);
    t->bytes = bytes;
    opencl_upload(&d->head, rows, bytes, (struct skl_place){t->memory, 0});
    return true;
}

/* ---- sums ---- */
size_t opencl_sums_bytes(const struct skl_device *d, int c)
{
    return (size_t)SUMS_PARTS * SUMS_NUMBERS * (size_t)c * sizeof(float);
}

struct skl_place parts_begin(struct opencl *d, struct skl_place sums, int parts, int c)
{
    if (!skl_there(sums) || parts <= SUMS_PARTS) return sums;
    struct tables *t = tables_of(d);
    const size_t bytes = (size_t)(d->head.groups * parts) * SUMS_NUMBERS * (size_t)c * sizeof(float);
    if (bytes > t->parts_bytes && !d->broken.status) {
        opencl_release(&d->head, t->parts);
        t->parts = NULL, t->parts_bytes = bytes;
        opencl_reserve(&d->head, bytes, &t->parts, &d->broken);
    }
    return (struct skl_place){t->parts, 0};
}

struct skl_place extra_sums(struct opencl *d, int c)
{
    struct tables *t = tables_of(d);
    const size_t bytes = (size_t)d->head.groups * opencl_sums_bytes(&d->head, c);
    if (bytes > t->extra_bytes && !d->broken.status) {
        opencl_release(&d->head, t->extra);
        t->extra = NULL, t->extra_bytes = bytes;
        opencl_reserve(&d->head, bytes, &t->extra, &d->broken);
    }
    return (struct skl_place){t->extra, 0};
}

static void note(struct tables *t, struct sums_note n)
{
    for (int i = 0; i < t->notes; i++)
        if (skl_same_place(t->note[i].at, n.at)) {
            t->note[i] = n;
            return;
        }
    const int most = (int)(sizeof t->note / sizeof *t->note);
    if (t->notes == most) memmove(t->note, t->note + 1, (size_t)--t->notes * sizeof *t->note); /* the oldest goes */
    t->note[t->notes++] = n;
}

void parts_end(struct opencl *d, struct skl_place sums, int parts, int c, bool statistics, int64_t count)
{
    if (!skl_there(sums)) return;
    if (parts > SUMS_PARTS) {
        struct call k = call_begin(d, opencl_kernel(d, "norm", "squeeze", " "), "squeeze");
        call_place(&k, (struct skl_place){tables_of(d)->parts, 0});
        call_int(&k, parts), call_int(&k, c), call_int(&k, statistics);
        call_place(&k, sums), call_int(&k, SUMS_PARTS);
        call_run(&k, SUMS_PARTS, (size_t)((c + 255) / 256), (size_t)d->head.groups, 256);
    }
    note(tables_of(d), (struct sums_note){sums, parts > SUMS_PARTS ? SUMS_PARTS : parts, count});
}

const struct sums_note *parts_noted(const struct opencl *d, struct skl_place sums)
{
    static const struct sums_note none;
    if (d->broken.status) return &none; /* nothing is computed any more */
    for (int i = 0; d->tables && i < d->tables->notes; i++)
        if (skl_same_place(d->tables->note[i].at, sums)) return &d->tables->note[i];
    SKL_BUG("no sums at this place");
}

/* ---- gradients ---- */
int tables_ready(struct opencl *d, size_t gradient_floats, struct skl_err *err)
{
    struct tables *t = tables_of(d);
    t->gradient_bytes = gradient_floats * sizeof(float);
    return t->gradient_bytes ? opencl_reserve(&d->head, t->gradient_bytes, &t->gradients, err) : SKL_OK;
}

struct skl_place gradient_room(struct opencl *d, size_t floats, struct skl_place to)
{
    struct tables *t = tables_of(d);
    const size_t bytes = (floats * sizeof(float) + SKL_PLACE_ALIGN - 1) / SKL_PLACE_ALIGN * SKL_PLACE_ALIGN;
    bool flush = t->gradient_used + bytes > t->gradient_bytes || (t->waits && t->to != to.memory);
    for (int i = 0; i < t->waits && !flush; i++) flush = t->waiting[i].to == to.offset / sizeof(float);
    if (flush) gradients_finish(d);
    SKL_CHECK(d->broken.status || bytes <= t->gradient_bytes);
    const struct skl_place at = {t->gradients, t->gradient_used};
    t->gradient_used += bytes;
    return at;
}

static void wait_block(struct tables *t, struct reduction r)
{
    if (t->waits == t->waiting_room) {
        t->waiting_room = t->waiting_room ? 2 * t->waiting_room : 1024;
        const size_t bytes = (size_t)t->waiting_room * sizeof *t->waiting;
        t->waiting = realloc(t->waiting, bytes);
        if (!t->waiting) skl_out_of_memory(bytes);
    }
    t->waiting[t->waits++] = r;
}

void gradient_wait(struct opencl *d, struct skl_place from, int parts, size_t count, struct skl_place to,
                   bool accumulate)
{
    struct tables *t = tables_of(d);
    t->to = to.memory;
    for (size_t i = 0; i < count; i += REDUCTION_BLOCK)
        wait_block(
            t, (struct reduction){from.offset / sizeof(float) + i, to.offset / sizeof(float) + i, parts, (cl_int)count,
                                  (cl_int)(count - i < REDUCTION_BLOCK ? count - i : REDUCTION_BLOCK), accumulate});
}

void gradients_finish(struct opencl *d)
{
    struct tables *t = d->tables;
    if (!t) return;
    struct table *table = &t->reduce[t->waits && t->waiting[0].accumulate];
    if (t->waits && !d->broken.status && send_table(d, table, t->waiting, (size_t)t->waits * sizeof *t->waiting)) {
        struct call k = call_begin(d, opencl_kernel(d, "update", "reduce", " "), "reduce");
        call_buffer(&k, table->memory), call_buffer(&k, t->gradients), call_buffer(&k, t->to);
        k.bytes = (double)t->gradient_used;
        call_run(&k, (size_t)t->waits, 0, 0, 256);
    }
    t->waits = 0, t->gradient_used = 0;
}

/* ---- update ---- */
static void learn(struct opencl *d, const struct learned *rows, int n, const struct skl_learned *first,
                  const struct skl_sgd *sgd)
{
    if (!send_table(d, &tables_of(d)->update, rows, (size_t)n * sizeof *rows)) return;
    struct call k = call_begin(d, opencl_kernel(d, "update", "sgd", " "), "sgd");
    call_buffer(&k, tables_of(d)->update.memory);
    call_buffer(&k, first->value.memory), call_buffer(&k, first->grad.memory), call_buffer(&k, first->momentum.memory);
    call_float(&k, sgd->lr), call_float(&k, sgd->momentum), call_float(&k, sgd->weight_decay), call_int(&k, sgd->caffe);
    call_int(&k, sgd->nesterov);
    call_stop(&k, sgd->stop);
    k.bytes = 5.0 * 4 * SGD_BLOCK * n;
    call_run(&k, (size_t)n, 0, 0, 256);
}

void opencl_sgd(struct skl_device *device, const struct skl_learned *tensor, int tensors, const struct skl_sgd *sgd)
{
    struct opencl *d = opencl_of(device);
    gradients_finish(d);
    int n = 0;
    for (int i = 0; i < tensors; i++) n += (int)((tensor[i].count + SGD_BLOCK - 1) / SGD_BLOCK);
    struct learned *rows = skl_alloc_array((size_t)n + 1, sizeof *rows);
    n = 0;
    for (int i = 0; i < tensors; i++) {
        const struct skl_learned *t = &tensor[i];
        SKL_CHECK(t->value.memory == tensor->value.memory && t->grad.memory == tensor->grad.memory &&
                  t->momentum.memory == tensor->momentum.memory);
        for (size_t e = 0; e < t->count; e += SGD_BLOCK)
            rows[n++] = (struct learned){t->value.offset / sizeof(float) + e, t->grad.offset / sizeof(float) + e,
                                         t->momentum.offset / sizeof(float) + e,
                                         (cl_int)(t->count - e < SGD_BLOCK ? t->count - e : SGD_BLOCK), t->decay};
    }
    if (n && !d->broken.status) learn(d, rows, n, tensor, sgd);
    free(rows);
}

void opencl_find_infinite(struct skl_device *device, struct skl_place at, size_t floats, struct skl_place flag)
{
    const size_t groups = (floats + 1023) / 1024;
    struct call k = call_begin(opencl_of(device), opencl_kernel(opencl_of(device), "update", "find_infinite", " "),
                               "find_infinite");
    call_place(&k, at), call_ulong(&k, floats), call_place(&k, flag);
    call_run(&k, groups < 1024 ? groups : 1024, 0, 0, 256);
}
