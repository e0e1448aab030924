#include "core/report/follow.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bounds.h"
#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/report/label.h"
#include "core/report/text.h"
#include "core/run/folder.h"

enum { PIECE = 64 << 10, MAX_COLUMNS = 64 };
static const char *const files[SKL_FOLLOWED_LOGS] = {SKL_FILE_TRAIN, SKL_FILE_TEST, SKL_FILE_VALIDATION};

/* Is the metric followed, and does it stand in this log? */
static bool is_of(int metric, const char *file, const struct skl_follow *f)
{
    return f->metrics >> metric & 1 && !strcmp(skl_metric_table[metric].file, file);
}

static void forget(const struct skl_follow *f, struct skl_followed_log *log, const char *file,
                   struct skl_result_run *run)
{
    *log = (struct skl_followed_log){0};
    for (int m = 0; m < SKL_METRICS; m++) {
        if (!is_of(m, file, f)) continue;
        skl_series_release(&run->curve[m]);
        run->curve[m] = (struct skl_series){0};
    }
}

/* Splits a line at its commas, in place; how many cells it has. */
static int split(char *line, char *cell[MAX_COLUMNS])
{
    int n = 0;
    line[strcspn(line, "\r")] = 0;
    for (char *p = line; p && n < MAX_COLUMNS; n++) {
        cell[n] = p;
        p = strchr(p, ',');
        if (p) *p++ = 0;
    }
    return n;
}

static int find(char *const *cell, int n, const char *name)
{
    int i = 0;
    while (i < n && strcmp(cell[i], name)) i++;
    return i < n ? i : -1;
}

static void take_header(const struct skl_follow *f, struct skl_followed_log *log, const char *file, char *line)
{
    char *cell[MAX_COLUMNS];
    log->columns = split(line, cell);
    log->x = find(cell, log->columns, "iteration");
    log->spoilt = log->x < 0;
    for (int m = 0; m < SKL_METRICS; m++) {
        if (!is_of(m, file, f)) continue;
        log->column[m] = find(cell, log->columns, skl_metric_table[m].column);
        log->spoilt = log->spoilt || log->column[m] < 0;
    }
}

static void take_row(const struct skl_follow *f, struct skl_followed_log *log, const char *file, char *line,
                     struct skl_result_run *run)
{
    char *cell[MAX_COLUMNS];
    if (split(line, cell) != log->columns) {
        log->spoilt = true;
        return;
    }
    for (int m = 0; m < SKL_METRICS; m++)
        if (is_of(m, file, f))
            skl_result_add(&run->curve[m], strtod(cell[log->x], NULL), strtod(cell[log->column[m]], NULL));
}

/* The whole lines of what was read; returns their bytes. */
static size_t take_lines(const struct skl_follow *f, struct skl_followed_log *log, const char *file, char *text,
                         size_t n, struct skl_result_run *run)
{
    char *end = memrchr(text, '\n', n), *line = text;
    if (!end || memchr(text, 0, n)) {
        log->spoilt = log->spoilt || end || n == PIECE; /* a NUL byte, or a line that has no end */
        return 0;
    }
    while (line <= end && !log->spoilt) {
        char *next = (char *)memchr(line, '\n', (size_t)(end + 1 - line)) + 1;
        next[-1] = 0;
        if (log->columns)
            take_row(f, log, file, line, run);
        else
            take_header(f, log, file, line);
        line = next;
    }
    return (size_t)(end + 1 - text);
}

static bool read_on(const struct skl_follow *f, int fd, int64_t size, struct skl_followed_log *log, const char *file,
                    struct skl_result_run *run)
{
    const int64_t before = log->end;
    static char text[PIECE + 1]; /* one for all: a block of its own for each log would leave the heap in pieces */
    for (size_t taken = 1; taken && log->end < size && !log->spoilt;) {
        ssize_t got = pread(fd, text, PIECE, (off_t)log->end);
        taken = got > 0 ? take_lines(f, log, file, text, (size_t)got, run) : 0;
        log->end += (int64_t)taken;
    }
    return log->end > before;
}

/* One log; SKL_DATA: it cannot be read. */
static int follow(const struct skl_follow *f, struct skl_followed_log *log, const char *path, const char *file,
                  struct skl_result_run *run, bool *grown, struct skl_err *err)
{
    struct skl_seen seen;
    int fd, status = skl_look(path, &seen, err);
    const bool other = seen.device != log->device || seen.inode != log->inode || seen.size < log->end;
    if (status || seen.kind == SKL_ABSENT || (!other && (seen.size == log->end || log->spoilt))) return status;
    if (seen.size > (int64_t)SKL_LIMIT_TABLE)
        return skl_fail(err, SKL_DATA, "%s: more than %zu MB, it is followed no further", path, SKL_LIMIT_TABLE >> 20);
    status = skl_open(path, O_RDONLY, &fd, err);
    if (status) return status;
    if (other) {
        *grown = *grown || log->end;
        forget(f, log, file, run);
        struct stat st; /* of what was opened: the name may have gone to another file since */
        if (!fstat(fd, &st)) log->device = (uint64_t)st.st_dev, log->inode = (uint64_t)st.st_ino;
    }
    *grown = read_on(f, fd, seen.size, log, file, run) || *grown;
    close(fd);
    return log->spoilt ? skl_fail(err, SKL_DATA, "%s: no table of skiplab's, or a damaged one", path) : SKL_OK;
}

bool skl_follow_run(struct skl_follow *f, const char *folder, struct skl_result_run *run, char **problem)
{
    bool grown = false;
    for (int i = 0; i < SKL_FOLLOWED_LOGS; i++) {
        struct skl_err err = {0};
        bool wanted = false;
        for (int m = 0; m < SKL_METRICS; m++) wanted = wanted || is_of(m, files[i], f);
        if (!wanted) continue;
        char *path = skl_path(folder, files[i]);
        if (follow(f, &f->log[i], path, files[i], run, &grown, &err) && !*problem) *problem = skl_strdup(err.text);
        free(path);
    }
    return grown;
}

void skl_results_of_run(const char *folder, struct skl_results *r)
{
    *r = (struct skl_results){.folder = skl_strdup(folder), .name = skl_strdup(folder), .runs = 1};
    const char *last = strrchr(folder, '/');
    last = last && last[1] ? last + 1 : folder;
    struct skl_result_setting *s = SKL_ADD(r->setting, r->settings);
    *s = (struct skl_result_setting){.path = skl_strdup(last),
                                     .name = skl_label_plain(last, strlen(last)),
                                     .label = skl_text_clean(last),
                                     .variant = skl_label_plain(last, strlen(last))};
    struct skl_result_run *run = SKL_ADD(s->run, s->runs);
    *run = (struct skl_result_run){.state = "waiting"};
}
