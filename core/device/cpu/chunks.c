/* A group cut into chunks, and the chunks' sums. */
#include "core/device/cpu/internal.h"

static int first_of(int n, int chunk) { return (int)((int64_t)n * chunk / skl_chunk_count(n)); }

struct chunk_job {
    struct cpu *cpu;
    chunk_fn *fn;
    void *arg;
    int n;
};
static void run_chunk(void *arg, int i, int worker)
{
    struct chunk_job *job = arg;
    const int first = first_of(job->n, i);
    job->fn(job->cpu, job->arg, i, first, first_of(job->n, i + 1) - first, job->cpu->scratch[worker]);
}
void for_chunks(struct cpu *cpu, int n, chunk_fn *fn, void *arg)
{
    struct chunk_job job = {cpu, fn, arg, n};
    skl_parallel(cpu->pool, skl_chunk_count(n), run_chunk, &job);
}

/* ---- sums: the chunks' heads, then each chunk's arrays on cache lines of their own ---- */
static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }
static size_t array_bytes(int c) { return lines((size_t)c * sizeof(float)) + 3 * lines((size_t)c * sizeof(double)); }

size_t sums_bytes(int c) { return lines(sizeof(struct chunk_sums)) + SKL_MAX_CHUNKS * array_bytes(c); }

struct chunk_sums *sums_begin(struct skl_place place, int c, int n)
{
    if (!skl_there(place)) return NULL;
    struct chunk_sums *sums = (void *)at(place);
    sums->chunks = skl_chunk_count(n);
    for (int i = 0; i < sums->chunks; i++) {
        char *arrays = (char *)sums + lines(sizeof *sums) + (size_t)i * array_bytes(c);
        struct skl_sums *s = &sums->chunk[i];
        s->count = 0;
        s->pivot = (void *)arrays;
        s->sum = (void *)(arrays += lines((size_t)c * sizeof(float)));
        s->dot = (void *)(arrays += lines((size_t)c * sizeof(double)));
        s->dot2 = (void *)(arrays + lines((size_t)c * sizeof(double)));
        for (int k = 0; k < c; k++) s->sum[k] = s->dot[k] = s->dot2[k] = 0;
    }
    return sums;
}

const struct chunk_sums *sums_at(struct skl_place place) { return (const void *)at(place); }

double sum_total(const struct chunk_sums *sums, enum which_sum which, int c)
{
    double total = 0;
    for (int i = 0; i < sums->chunks; i++) {
        const struct skl_sums *s = &sums->chunk[i];
        total += which == SUM ? s->sum[c] : which == DOT ? s->dot[c] : s->dot2[c];
    }
    return total;
}
