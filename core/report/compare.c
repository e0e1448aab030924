#include "core/report/compare.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/bounds.h"
#include "core/io/csv.h"
#include "core/report/collect.h"
#include "core/run/folder.h"

#define BLOCK ((size_t)1 << 20)

/* ---- settings ---- */

static void add_difference(struct skl_pair_of_runs *p, const char *key, const char *a, const char *b)
{
    *SKL_ADD(p->setting, p->settings) =
        (struct skl_difference){skl_strdup(key), a ? skl_strdup(a) : NULL, b ? skl_strdup(b) : NULL};
}

static int read_settings(const char *folder, struct skl_facts *facts, struct skl_err *err)
{
    char *path = skl_path(folder, SKL_FILE_CONFIG);
    *facts = (struct skl_facts){0};
    bool there;
    int status = skl_is_there(path, &there, err);
    if (!status && there) status = skl_facts_read(path, facts, err);
    free(path);
    if (status == SKL_USAGE) status = err->status = SKL_DATA; /* the run's file, not the user's */
    return status;
}

static int compare_settings(struct skl_pair_of_runs *p, struct skl_err *err)
{
    struct skl_facts a, b = {0};
    int status = read_settings(p->folder_a, &a, err);
    if (!status) status = read_settings(p->folder_b, &b, err);
    for (int i = 0; i < a.count && !status; i++) {
        const char *other = skl_facts_get(&b, a.item[i].key);
        if (!other || strcmp(other, a.item[i].value)) add_difference(p, a.item[i].key, a.item[i].value, other);
    }
    for (int i = 0; i < b.count && !status; i++)
        if (!skl_facts_get(&a, b.item[i].key)) add_difference(p, b.item[i].key, NULL, b.item[i].value);
    skl_facts_release(&a);
    skl_facts_release(&b);
    return status;
}

/* ---- logs ---- */

/* Whole lines; NULL where the file is not there. */
static int read_log(const char *folder, const char *name, char **text, size_t *n, struct skl_err *err)
{
    char *path = skl_path(folder, name);
    int status = skl_file_read_if_there(path, SKL_LIMIT_TABLE, text, n, err);
    free(path);
    return status;
}

static int64_t iteration_at(const char *line)
{
    char *end;
    long long v = strtoll(line, &end, 10);
    return end > line && *end == ',' ? v : -1;
}

static void match_lines(const char *a, const char *b, struct skl_log_match *m)
{
    for (int line = 0; *a && *b; line++) {
        size_t n = strcspn(a, "\n");
        if (a[n] != '\n' || strncmp(a, b, n + 1)) break;
        m->equal_rows = line;
        if (line) m->equal_to = iteration_at(a);
        a += n + 1;
        b += n + 1;
    }
    m->other = iteration_at(*a ? a : b);
}

static int compare_log(struct skl_pair_of_runs *p, int k, struct skl_err *err)
{
    struct skl_log_match *m = &p->log[k];
    char *a, *b = NULL;
    size_t na, nb;
    int status = read_log(p->folder_a, skl_log_name[k], &a, &na, err);
    if (!status) status = read_log(p->folder_b, skl_log_name[k], &b, &nb, err);
    if (!status) {
        *m = (struct skl_log_match){.in_a = a != NULL, .in_b = b != NULL, .equal_to = -1, .other = -1};
        m->same = a && b && na == nb && !memcmp(a, b, na);
        if (a && b) match_lines(a, b, m);
        if (m->same) m->other = -1;
    }
    free(a);
    free(b);
    return status;
}

static const char *weights_at(const struct skl_table *t, double iteration)
{
    int x = skl_table_column(t, "iteration"), w = skl_table_column(t, "weights");
    for (int i = 0; i < t->rows && x >= 0 && w >= 0; i++)
        if (t->value[i * t->columns + x] == iteration) return t->text[i * t->columns + w];
    return NULL;
}

static void match_weights(const struct skl_table *a, const struct skl_table *b, struct skl_log_match *m)
{
    int x = skl_table_column(a, "iteration");
    *m = (struct skl_log_match){.in_a = true, .in_b = true, .equal_to = -1, .other = -1};
    for (int i = 0; i < a->rows && x >= 0 && m->other < 0; i++) {
        double iteration = a->value[i * a->columns + x];
        const char *own = weights_at(a, iteration), *other = weights_at(b, iteration);
        if (!own || !other) continue;
        if (strcmp(own, other)) {
            m->other = (int64_t)iteration;
        } else {
            m->equal_to = (int64_t)iteration;
            m->equal_rows++;
        }
    }
    m->same = m->other < 0 && m->equal_rows > 0;
}

static int compare_weights(struct skl_pair_of_runs *p, struct skl_err *err)
{
    if (!p->log[1].in_a || !p->log[1].in_b) return SKL_OK;
    char *path_a = skl_path(p->folder_a, SKL_FILE_TEST), *path_b = skl_path(p->folder_b, SKL_FILE_TEST);
    struct skl_table a, b;
    int status = skl_table_read(path_a, &a, err);
    if (!status) {
        status = skl_table_read(path_b, &b, err);
        if (!status) {
            match_weights(&a, &b, &p->weights);
            skl_table_release(&b);
        }
        skl_table_release(&a);
    }
    free(path_a);
    free(path_b);
    return status;
}

/* ---- checkpoints ---- */

static bool same_bytes(int a, int b)
{
    char *x = skl_alloc(BLOCK), *y = skl_alloc(BLOCK);
    bool same = true;
    ssize_t n = 1;
    while (same && n > 0) {
        n = read(a, x, BLOCK);
        ssize_t k = 0, got = 1;
        while (n > 0 && k < n && (got = read(b, y + k, (size_t)(n - k))) > 0) k += got;
        same = n >= 0 && k == n && !memcmp(x, y, (size_t)n);
    }
    same = same && read(b, y, 1) == 0;
    free(x);
    free(y);
    return same;
}

static int compare_checkpoints(struct skl_pair_of_runs *p, struct skl_err *err)
{
    char *path_a = skl_path(p->folder_a, SKL_FILE_LAST), *path_b = skl_path(p->folder_b, SKL_FILE_LAST);
    int a, b = -1, status = skl_open_if_there(path_a, O_RDONLY, &a, err);
    if (!status) status = skl_open_if_there(path_b, O_RDONLY, &b, err);
    p->checkpoints = a >= 0 && b >= 0;
    p->same_checkpoint = p->checkpoints && same_bytes(a, b);
    if (a >= 0) close(a);
    if (b >= 0) close(b);
    free(path_a);
    free(path_b);
    return status;
}

/* ---- pairs ---- */

/* Takes the three texts. */
static int add_pair(struct skl_comparison *c, char *name, char *folder_a, char *folder_b, struct skl_err *err)
{
    struct skl_pair_of_runs *p = SKL_ADD(c->pair, c->pairs);
    *p = (struct skl_pair_of_runs){.name = name, .folder_a = folder_a, .folder_b = folder_b};
    p->weights.equal_to = p->weights.other = -1;
    int status = skl_run_record_read(folder_a, &p->a, err), other = skl_run_record_read(folder_b, &p->b, err);
    if (!status) status = other;
    if (!status) status = compare_settings(p, err);
    for (int k = 0; k < SKL_LOGS && !status; k++) status = compare_log(p, k, err);
    if (!status) status = compare_weights(p, err);
    if (!status) status = compare_checkpoints(p, err);
    if (status) return status;
    p->identical = p->settings == 0 && p->same_checkpoint;
    for (int k = 0; k < SKL_LOGS; k++)
        p->identical = p->identical && (p->log[k].same || (!p->log[k].in_a && !p->log[k].in_b));
    c->identical += p->identical;
    return SKL_OK;
}

static const struct skl_result_run *find_run(const struct skl_results *r, const char *path, uint64_t seed)
{
    for (int i = 0; i < r->settings; i++)
        for (int k = 0; k < r->setting[i].runs && !strcmp(r->setting[i].path, path); k++)
            if (r->setting[i].run[k].seed == seed && r->setting[i].run[k].folder) return &r->setting[i].run[k];
    return NULL;
}

static char *run_name(const char *path, uint64_t seed)
{
    return skl_format("%s/seed-%llu", path, (unsigned long long)seed);
}

static int pair_up(struct skl_comparison *c, const struct skl_results *a, const struct skl_results *b,
                   struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < a->settings; i++) {
        const struct skl_result_setting *s = &a->setting[i];
        for (int k = 0; k < s->runs && !status; k++) {
            if (!s->run[k].folder) continue;
            const struct skl_result_run *other = find_run(b, s->path, s->run[k].seed);
            char *name = run_name(s->path, s->run[k].seed);
            if (other)
                status = add_pair(c, name, skl_strdup(s->run[k].folder), skl_strdup(other->folder), err);
            else
                *SKL_ADD(c->only_a, c->only_as) = name;
        }
    }
    for (int i = 0; i < b->settings; i++)
        for (int k = 0; k < b->setting[i].runs; k++)
            if (b->setting[i].run[k].folder && !find_run(a, b->setting[i].path, b->setting[i].run[k].seed))
                *SKL_ADD(c->only_b, c->only_bs) = run_name(b->setting[i].path, b->setting[i].run[k].seed);
    return status;
}

static int compare_sweeps(struct skl_comparison *c, const char *a, const char *b, struct skl_err *err)
{
    struct skl_results ra, rb;
    int status = skl_results_read(a, 0, &ra, err);
    if (status) return status;
    status = skl_results_read(b, 0, &rb, err);
    if (!status) {
        status = pair_up(c, &ra, &rb, err);
        skl_results_release(&rb);
    }
    skl_results_release(&ra);
    return status;
}

static int look_for_run(const char *folder, bool *is_run, struct skl_err *err)
{
    static const char *const files[] = {SKL_FILE_CONFIG, SKL_FILE_RECORD, SKL_FILE_TRAIN};
    int status = SKL_OK;
    *is_run = false;
    for (size_t i = 0; i < sizeof files / sizeof *files && !*is_run && !status; i++) {
        char *path = skl_path(folder, files[i]);
        status = skl_is_there(path, is_run, err);
        free(path);
    }
    return status;
}

int skl_compare(const char *a, const char *b, struct skl_comparison *c, struct skl_err *err)
{
    bool run_a, run_b = false;
    int status = look_for_run(a, &run_a, err);
    if (!status) status = look_for_run(b, &run_b, err);
    *c = (struct skl_comparison){.sweeps = !run_a};
    if (status) return status;
    if (run_a != run_b)
        status = skl_fail(err, SKL_USAGE, "%s is one run, and %s is none: compare two runs or two sweeps",
                          run_a ? a : b, run_a ? b : a);
    else if (run_a)
        status = add_pair(c, skl_strdup(""), skl_strdup(a), skl_strdup(b), err);
    else
        status = compare_sweeps(c, a, b, err);
    if (status) skl_comparison_release(c);
    return status;
}

static void release_pair(struct skl_pair_of_runs *p)
{
    for (int i = 0; i < p->settings; i++) {
        free(p->setting[i].key);
        free(p->setting[i].a);
        free(p->setting[i].b);
    }
    skl_run_record_release(&p->a);
    skl_run_record_release(&p->b);
    free(p->setting);
    free(p->name);
    free(p->folder_a);
    free(p->folder_b);
}

void skl_comparison_release(struct skl_comparison *c)
{
    for (int i = 0; i < c->pairs; i++) release_pair(&c->pair[i]);
    for (int i = 0; i < c->only_as; i++) free(c->only_a[i]);
    for (int i = 0; i < c->only_bs; i++) free(c->only_b[i]);
    free(c->pair);
    free(c->only_a);
    free(c->only_b);
    *c = (struct skl_comparison){0};
}
