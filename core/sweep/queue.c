/* queue.c - which runs of a sweep the Slurm scheduler knows, by arrays.txt and squeue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/bounds.h"
#include "core/base/program.h"
#include "core/sweep/slurm.h"

enum { OUTPUT_LIMIT = 8 << 20 };

/* Inside a job Slurm's programs find that job's own settings (SLURM_CPU_BIND, SLURM_MEM_PER_CPU ...), and sbatch would
 * hand them on to another's srun, which fails on them.  How Slurm is reached stays, and what the user sets for sbatch
 * (SBATCH_*). */
static void forget_this_job(void)
{
    static const char *const keep[] = {"SLURM_CONF=", "SLURM_CONF_SERVER=", "SLURM_JWT=", "SLURM_CLUSTERS="};
    for (char **word = environ; *word;) {
        bool job = !strncmp(*word, "SLURM_", 6) || !strncmp(*word, "SLURMD_", 7) || !strncmp(*word, "SRUN_", 5) ||
                   !strncmp(*word, "PMI_", 4) || !strncmp(*word, "PMIX_", 5);
        for (size_t i = 0; i < sizeof keep / sizeof *keep; i++)
            if (!strncmp(*word, keep[i], strlen(keep[i]))) job = false;
        char *name = job ? skl_format("%.*s", (int)strcspn(*word, "="), *word) : NULL;
        if (!name || unsetenv(name)) word++;
        free(name);
    }
}

int skl_program_output(char *const argv[], char *text, size_t size)
{
    int ends[2];
    text[0] = 0;
    char *program = skl_program(argv[0]);
    if (!program || pipe(ends)) {
        free(program);
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        forget_this_job();
        execv(program, argv);
        skl_leave(127);
    }
    free(program);
    close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    SKL_CHECK(f);
    size_t n = pid > 0 ? fread(text, 1, size - 1, f) : 0;
    text[n] = 0;
    for (char rest[4096]; pid > 0 && fread(rest, 1, sizeof rest, f) > 0;) continue;
    fclose(f);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
    if (!WIFEXITED(status)) return 128 + WTERMSIG(status);
    return WEXITSTATUS(status) == 127 ? -1 : WEXITSTATUS(status);
}

/* ---- arrays.txt and the lists ---- */

struct array {
    long job;
    char *text, **run; /* the list, cut into lines */
    int count, pack;   /* runs; runs an element */
};

static char *read_text(const char *path)
{
    char *text = NULL;
    size_t n;
    skl_file_read_if_there(path, SKL_LIMIT_QUEUE, &text, &n, NULL);
    return text;
}

static void read_list(struct array *a, const char *path)
{
    a->text = read_text(path);
    size_t lines = 0;
    for (const char *p = a->text; p && (p = strchr(p, '\n')); p++) lines++;
    a->run = skl_alloc_array(lines + 1, sizeof *a->run);
    for (char *p = a->text, *end; p && (end = strchr(p, '\n')); p = end + 1) {
        *end = 0;
        a->run[a->count++] = p;
    }
}

static struct array *read_arrays(const char *folder, int *count)
{
    char *path = skl_format("%s/slurm/arrays.txt", folder), *text = read_text(path);
    struct array *array = NULL;
    *count = 0;
    for (char *p = text, *end; p && (end = strchr(p, '\n')); p = end + 1) {
        char name[256];
        long job;
        int pack = 1; /* arrays of older versions */
        *end = 0;
        if (sscanf(p, "%ld %255s %d", &job, name, &pack) < 2 || strchr(name, '/') || pack < 1) continue;
        char *list = skl_format("%s/slurm/%s", folder, name);
        struct array *a = SKL_ADD(array, *count);
        a->job = job;
        a->pack = pack;
        read_list(a, list);
        free(list);
    }
    free(text);
    free(path);
    return array;
}

/* ---- squeue ---- */

static int by_run(const void *a, const void *b)
{
    return strcmp(((const struct skl_queued *)a)->run, ((const struct skl_queued *)b)->run);
}

static int by_run_and_state(const void *a, const void *b)
{
    int order = by_run(a, b);
    return order ? order : strcmp(((const struct skl_queued *)a)->state, ((const struct skl_queued *)b)->state);
}

static void add_element(struct skl_queue *q, const struct array *array, int arrays, const char *line)
{
    struct skl_queued e = {0};
    long job;
    int index;
    if (sscanf(line, "%ld %d %23s %95[^\n]", &job, &index, e.state, e.reason) < 3) return;
    for (int i = 0; i < arrays; i++) {
        const struct array *a = &array[i];
        if (a->job != job) continue;
        snprintf(e.job, sizeof e.job, "%ld_%d", job, index);
        for (int64_t k = (int64_t)(index - 1) * a->pack, n = k + a->pack; k >= 0 && k < n && k < a->count; k++) {
            e.run = skl_strdup(a->run[k]);
            *SKL_ADD(q->run, q->count) = e;
        }
    }
}

/* The elements of all arrays that are in the queue no more; a later array's comes after an earlier's. */
static void add_gone(struct skl_queue *q, const struct array *array, int arrays)
{
    size_t all = 0;
    for (int i = 0; i < arrays; i++) all += (size_t)array[i].count;
    struct skl_queued *last = skl_alloc_array(all, sizeof *last);
    for (int i = arrays - 1, k = 0; i >= 0; i--)
        for (int e = 0; e < array[i].count; e++, k++) {
            last[k].run = array[i].run[e];
            snprintf(last[k].job, sizeof last[k].job, "%ld_%d", array[i].job, e / array[i].pack + 1);
            snprintf(last[k].state, sizeof last[k].state, "%010d", k); /* the order, for the sorting */
        }
    qsort(last, all, sizeof *last, by_run_and_state);
    q->gone = skl_alloc_array(all, sizeof *q->gone);
    for (size_t k = 0; k < all; k++) {
        if ((k && !strcmp(last[k].run, last[k - 1].run)) || skl_queue_find(q, last[k].run)) continue;
        q->gone[q->gone_count] = last[k];
        q->gone[q->gone_count].state[0] = 0;
        q->gone[q->gone_count++].run = skl_strdup(last[k].run);
    }
    free(last);
}

void skl_queue_read(const char *folder, struct skl_queue *q)
{
    int arrays;
    struct array *array = read_arrays(folder, &arrays);
    *q = (struct skl_queue){0};
    if (arrays) {
        char user[32], *text = skl_alloc(OUTPUT_LIMIT);
        snprintf(user, sizeof user, "--user=%ld", (long)getuid());
        char *argv[] = {"squeue", "--noheader", "--array", "--format=%F %K %T %r", user, NULL};
        const bool answered = skl_program_output(argv, text, OUTPUT_LIMIT) == 0;
        if (answered)
            for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1) {
                *end = 0;
                add_element(q, array, arrays, p);
            }
        free(text);
        if (q->count) qsort(q->run, (size_t)q->count, sizeof *q->run, by_run);
        if (answered) add_gone(q, array, arrays);
        q->silent = !answered;
    }
    for (int i = 0; i < arrays; i++) {
        free(array[i].text);
        free(array[i].run);
    }
    free(array);
}

const struct skl_queued *skl_queue_find(const struct skl_queue *q, const char *run)
{
    struct skl_queued key = {.run = (char *)run};
    return q->count ? bsearch(&key, q->run, (size_t)q->count, sizeof *q->run, by_run) : NULL;
}

const struct skl_queued *skl_queue_gone(const struct skl_queue *q, const char *run)
{
    struct skl_queued key = {.run = (char *)run};
    return q->gone_count ? bsearch(&key, q->gone, (size_t)q->gone_count, sizeof *q->gone, by_run) : NULL;
}

void skl_queue_release(struct skl_queue *q)
{
    for (int i = 0; i < q->count; i++) free(q->run[i].run);
    for (int i = 0; i < q->gone_count; i++) free(q->gone[i].run);
    free(q->gone);
    free(q->run);
    *q = (struct skl_queue){0};
}
