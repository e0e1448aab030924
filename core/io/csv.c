#include "core/io/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/fs.h"
#include "core/base/bounds.h"

#define MAX_COLUMNS 4096
#define STEP ((size_t)64 << 10)

/* ---- the log ---- */

static int cannot_write(const struct skl_csv *csv, int error, struct skl_err *err)
{
    return skl_because(err, skl_fail(err, SKL_FAILED, "cannot write '%s': %s", csv->path, strerror(error)), error);
}

/* Appends whole or not at all: after a failure the file ends where it ended before. */
static int append(struct skl_csv *csv, const char *text, size_t n, struct skl_err *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t written = write(csv->fd, text + done, n - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            int error = written < 0 ? errno : ENOSPC;
            if (done > 0 && ftruncate(csv->fd, csv->length)) error = errno;
            return cannot_write(csv, error, err);
        }
        done += (size_t)written;
    }
    csv->length += (int64_t)n;
    skl_sha256_add(csv->digest, text, n);
    return SKL_OK;
}

/* Copies the first `length` bytes of an open log to the new one.  *last: the byte before the end. */
static int copy_rows(struct skl_csv *csv, struct skl_atomic *f, int old, size_t length, char *last, struct skl_err *err)
{
    char *step = skl_alloc(STEP);
    int status = SKL_OK;
    for (size_t at = 0; at < length && !status;) {
        ssize_t n = pread(old, step, length - at < STEP ? length - at : STEP, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            status = skl_fail(err, SKL_DATA, "cannot read '%s': %s", csv->path, n ? strerror(errno) : "it was cut");
            break;
        }
        skl_sha256_add(csv->digest, step, (size_t)n);
        status = skl_atomic_write(f, step, (size_t)n, err);
        *last = step[n - 1];
        at += (size_t)n;
    }
    free(step);
    return status;
}

static bool starts_with(int fd, const char *line, size_t n)
{
    char *first = skl_alloc(n + 1);
    bool same = pread(fd, first, n, 0) == (ssize_t)n && memcmp(first, line, n) == 0;
    free(first);
    return same;
}

static int start_file(struct skl_csv *csv, struct skl_atomic *f, const char *line, size_t n, struct skl_err *err)
{
    skl_sha256_add(csv->digest, line, n);
    csv->length = (int64_t)n;
    return skl_atomic_write(f, line, n, err);
}

/* `length` bytes of the old log (0: the header), which must begin with the header and end with a line. */
static int take_over(struct skl_csv *csv, struct skl_atomic *f, int old, const char *line, int64_t length,
                     struct skl_err *err)
{
    struct stat st;
    if (fstat(old, &st)) return cannot_write(csv, errno, err);
    size_t size = (size_t)st.st_size, line_length = strlen(line);
    if (!starts_with(old, line, size < line_length ? size : line_length))
        return skl_fail(err, SKL_DATA, "%s:1: the header is not '%.*s': move the file away", csv->path,
                        (int)line_length - 1, line);
    if (length == 0) return start_file(csv, f, line, line_length, err); /* the same, or a torn header */
    size_t keep = (size_t)length;
    if (keep < line_length || size < keep)
        return skl_fail(err, SKL_DATA, "%s: %zu bytes, but %zu were recorded: edited or damaged", csv->path, size,
                        keep);
    char last = 0;
    int status = copy_rows(csv, f, old, keep, &last, err);
    if (!status && last != '\n')
        status = skl_fail(err, SKL_DATA, "%s: no line ends at byte %zu: edited or damaged", csv->path, keep);
    csv->length = (int64_t)keep;
    return status;
}

static int make_log(struct skl_csv *csv, int desk, int old, const char *line, int64_t length, struct skl_err *err)
{
    struct skl_atomic f;
    int status = desk < 0 ? skl_atomic_open(&f, csv->path, err) : skl_atomic_open_at(&f, desk, csv->path, err);
    if (status) return status;
    status = old < 0 ? start_file(csv, &f, line, strlen(line), err) : take_over(csv, &f, old, line, length, err);
    if (!status) return skl_atomic_commit_open(&f, &csv->fd, err);
    skl_atomic_abort(&f);
    return status;
}

int skl_csv_open(struct skl_csv *csv, int desk, const char *path, const char *header, int64_t length,
                 struct skl_err *err)
{
    SKL_CHECK(length >= 0);
    *csv = (struct skl_csv){.fd = -1};
    int old;
    /* Rows that were recorded cannot be in a new file. */
    int status = length > 0 ? skl_open(path, O_RDONLY, &old, err) : skl_open_if_there(path, O_RDONLY, &old, err);
    if (status) return status;
    *csv = (struct skl_csv){.fd = -1, .path = skl_strdup(path), .digest = skl_sha256_new()};
    char *line = skl_format("%s\n", header);
    status = make_log(csv, desk, old, line, length, err);
    if (!status && fcntl(csv->fd, F_SETFL, O_APPEND)) status = cannot_write(csv, errno, err);
    free(line);
    if (old >= 0) close(old);
    if (status) skl_csv_close(csv);
    return status;
}

void skl_csv_digest(const struct skl_csv *csv, char hex[65]) { skl_sha256_sum(csv->digest, hex); }

static int spoilt(const struct skl_csv *csv, const char *how, struct skl_err *err)
{
    return skl_fail(err, SKL_DATA, "%s: %s by another process while this run wrote it: --redo begins the run anew",
                    csv->path, how);
}

int skl_csv_check(const struct skl_csv *csv, bool whole, struct skl_err *err)
{
    struct skl_seen named;
    struct stat own;
    int status = skl_look(csv->path, &named, err);
    if (status) return status;
    if (fstat(csv->fd, &own)) return cannot_write(csv, errno, err);
    if (named.kind == SKL_ABSENT) return spoilt(csv, "removed", err);
    if (named.device != own.st_dev || named.inode != own.st_ino) return spoilt(csv, "replaced", err);
    if (own.st_size != csv->length) return spoilt(csv, own.st_size < csv->length ? "cut" : "added to", err);
    char ours[65], theirs[65];
    if (whole) status = skl_file_sha256(csv->path, -1, theirs, NULL, err);
    if (!whole || status) return status;
    skl_csv_digest(csv, ours);
    return strcmp(ours, theirs) ? spoilt(csv, "edited", err) : SKL_OK;
}

int skl_csv_row(struct skl_csv *csv, struct skl_err *err, const char *fmt, ...)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c);
    SKL_CHECK(c);
    va_list args;
    va_start(args, fmt);
    char *row = skl_vformat(fmt, args);
    va_end(args);
    uselocale(before);
    freelocale(c);
    const size_t n = strlen(row);
    row[n] = '\n'; /* in the place of the final 0 */
    int status = append(csv, row, n + 1, err);
    free(row);
    return status;
}

int skl_csv_sync(struct skl_csv *csv, struct skl_err *err)
{
    return fdatasync(csv->fd) ? cannot_write(csv, errno, err) : SKL_OK;
}

void skl_csv_close(struct skl_csv *csv)
{
    if (csv->fd >= 0) close(csv->fd);
    free(csv->digest);
    free(csv->path);
    *csv = (struct skl_csv){.fd = -1};
}

/* ---- its lines ---- */

int skl_lines_open(struct skl_lines *l, const char *path, struct skl_err *err)
{
    int fd, status = skl_open_if_there(path, O_RDONLY, &fd, err);
    *l = (struct skl_lines){.file = !status && fd >= 0 ? fdopen(fd, "r") : NULL};
    SKL_CHECK(status || fd < 0 || l->file);
    return status;
}

bool skl_lines_next(struct skl_lines *l)
{
    if (!l->file || !fgets(l->text, sizeof l->text, l->file)) return false;
    char *end = strchr(l->text, '\n');
    if (!end) return false;
    *end = 0;
    l->end += end + 1 - l->text;
    return true;
}

void skl_lines_rewind(struct skl_lines *l)
{
    if (l->file) rewind(l->file);
    l->end = 0;
}

void skl_lines_close(struct skl_lines *l)
{
    if (l->file) fclose(l->file);
    *l = (struct skl_lines){0};
}

/* ---- the table ---- */

static double number(const char *cell, locale_t c)
{
    if (!*cell) return NAN;
    char *end;
    double value = strtod_l(cell, &end, c);
    return *end ? NAN : value;
}

static int count_char(const char *text, const char *end, char c)
{
    int count = 0;
    for (const char *p = text; (p = memchr(p, c, (size_t)(end - p))); p++) count++;
    return count;
}

/* Splits the line at `p` into `columns` cells, in place; NULL: another number of columns.  Returns the next line. */
static char *split_line(char *p, int columns, char **cell)
{
    char *end = strchr(p, '\n');
    *end = 0;
    if (end > p && end[-1] == '\r') end[-1] = 0;
    for (int i = 0; i < columns; i++) {
        char *comma = strchr(p, ',');
        if (!comma != (i == columns - 1)) return NULL;
        cell[i] = p;
        if (comma) *comma = 0, p = comma + 1;
    }
    return end + 1;
}

static int read_rows(const char *path, char *p, struct skl_table *t, struct skl_err *err)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    int status = SKL_OK;
    for (int row = 0; row < t->rows && !status; row++) {
        char **cell = t->text + (size_t)row * (size_t)t->columns;
        p = split_line(p, t->columns, cell);
        if (!p) status = skl_fail(err, SKL_DATA, "%s:%d: not %d columns as in line 1", path, row + 2, t->columns);
        for (int i = 0; i < t->columns && !status; i++) t->value[row * (size_t)t->columns + i] = number(cell[i], c);
    }
    freelocale(c);
    return status;
}

/* One block holds the pointers to all cells and then the file's bytes they point into, the header's first. */
static int read_table(const char *path, const char *data, size_t n, struct skl_table *t, struct skl_err *err)
{
    const char *end = data && n ? memrchr(data, '\n', n) : NULL; /* what follows is a line being written, or torn */
    if (!end) return skl_fail(err, SKL_DATA, "%s: no header line", path);
    n = (size_t)(end + 1 - data);
    if (memchr(data, 0, n)) return skl_fail(err, SKL_DATA, "%s: a NUL byte: damaged", path);
    t->columns = count_char(data, memchr(data, '\n', n), ',') + 1;
    t->rows = count_char(data, data + n, '\n') - 1;
    if (t->columns > MAX_COLUMNS) return skl_fail(err, SKL_DATA, "%s:1: more than %d columns", path, MAX_COLUMNS);
    /* Each row has columns - 1 commas and a line end, so the cells cannot outnumber the bytes. */
    if ((size_t)t->rows * (size_t)t->columns > n)
        return skl_fail(err, SKL_DATA, "%s: not every line has the %d columns of line 1", path, t->columns);
    size_t cells = (size_t)t->rows * (size_t)t->columns;
    t->text = skl_alloc(cells * sizeof *t->text + n + 1);
    t->value = skl_alloc_array(cells, sizeof *t->value);
    t->name = skl_alloc_array((size_t)t->columns, sizeof *t->name);
    char *bytes = (char *)(t->text + cells);
    memcpy(bytes, data, n);
    char *rows = split_line(bytes, t->columns, t->name);
    SKL_CHECK(rows);
    return read_rows(path, rows, t, err);
}

int skl_table_read(const char *path, struct skl_table *t, struct skl_err *err)
{
    char *data;
    size_t n;
    *t = (struct skl_table){0};
    int status = skl_file_read(path, SKL_LIMIT_TABLE, &data, &n, err);
    if (status) return status;
    status = read_table(path, data, n, t, err);
    free(data);
    if (status) skl_table_release(t);
    return status;
}

/* Bytes of an open file from `at` on, up to n; a 0 follows. */
static size_t read_part(int fd, int64_t at, char *part, size_t n)
{
    size_t have = 0;
    for (ssize_t got = 1; got > 0 && have<n; have += got> 0 ? (size_t)got : 0)
        got = pread(fd, part + have, n - have, (off_t)at + (off_t)have);
    part[have] = 0;
    return have;
}

int skl_table_read_last(const char *path, struct skl_table *t, struct skl_err *err)
{
    enum { LINE = 64 << 10 }; /* a row has a few hundred bytes */
    int fd, status = skl_open(path, O_RDONLY, &fd, err);
    *t = (struct skl_table){0};
    if (status) return status;
    char *text = skl_alloc(2 * LINE + 2), *tail = skl_alloc(LINE + 1);
    struct stat st;
    int64_t size = fstat(fd, &st) ? 0 : (int64_t)st.st_size, from = size > LINE ? size - LINE : 0;
    size_t n = read_part(fd, 0, text, LINE);
    const char *line = memchr(text, '\n', n);
    size_t header = line ? (size_t)(line + 1 - text) : 0;
    n = read_part(fd, from, tail, LINE);
    char *end = memrchr(tail, '\n', n), *start = end ? memrchr(tail, '\n', (size_t)(end - tail)) : NULL;
    if (header && start && end - start > 1) memcpy(text + header, start + 1, (size_t)(end - start));
    size_t row = header && start && end - start > 1 ? (size_t)(end - start) : 0;
    status = read_table(path, text, header + row, t, err);
    free(text);
    free(tail);
    close(fd);
    if (status) skl_table_release(t);
    return status;
}

int skl_table_column(const struct skl_table *t, const char *name)
{
    for (int i = 0; i < t->columns; i++)
        if (strcmp(t->name[i], name) == 0) return i;
    return -1;
}

void skl_table_release(struct skl_table *t)
{
    free(t->name);
    free(t->value);
    free(t->text);
    *t = (struct skl_table){0};
}
