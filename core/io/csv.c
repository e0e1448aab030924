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

#define MAX_TABLE ((size_t)1 << 30)
#define MAX_COLUMNS 4096

/* ---- the log ---- */

static int cannot_write(const struct skl_csv *csv, int error, struct skl_err *err)
{
    return skl_fail(err, SKL_FAILED, "cannot write '%s': %s", csv->path, strerror(error));
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
    return SKL_OK;
}

static int sync_folder(const char *path, struct skl_err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = !slash ? skl_strdup(".") : skl_format("%.*s", slash == path ? 1 : (int)(slash - path), path);
    int status = skl_fsync_dir(folder, err);
    free(folder);
    return status;
}

static bool starts_with(int fd, const char *line, size_t n)
{
    char *first = skl_alloc(n);
    bool same = pread(fd, first, n, 0) == (ssize_t)n && memcmp(first, line, n) == 0;
    free(first);
    return same;
}

static int start_file(struct skl_csv *csv, const char *line, size_t line_length, struct skl_err *err)
{
    if (ftruncate(csv->fd, 0)) return cannot_write(csv, errno, err);
    int status = append(csv, line, line_length, err);
    if (!status) status = skl_csv_sync(csv, err);
    return status ? status : sync_folder(csv->path, err);
}

/* Keeps `length` bytes (0: the header), which must begin with the header and end with a line. */
static int resume(struct skl_csv *csv, const char *line, size_t line_length, int64_t length, struct skl_err *err)
{
    struct stat st;
    if (fstat(csv->fd, &st)) return cannot_write(csv, errno, err);
    size_t size = (size_t)st.st_size;
    if (!starts_with(csv->fd, line, size < line_length ? size : line_length))
        return skl_fail(err, SKL_DATA, "%s:1: the header is not '%.*s': move the file away", csv->path,
                        (int)line_length - 1, line);
    if (length == 0 && size < line_length) return start_file(csv, line, line_length, err); /* new, or a torn header */
    size_t keep = length ? (size_t)length : line_length;
    if (keep < line_length || size < keep)
        return skl_fail(err, SKL_DATA, "%s: %zu bytes, but %zu were recorded: edited or damaged", csv->path, size,
                        keep);
    char last = 0;
    if (pread(csv->fd, &last, 1, (off_t)keep - 1) != 1 || last != '\n')
        return skl_fail(err, SKL_DATA, "%s: no line ends at byte %zu: edited or damaged", csv->path, keep);
    if (ftruncate(csv->fd, (off_t)keep)) return cannot_write(csv, errno, err);
    csv->length = (int64_t)keep;
    return SKL_OK;
}

int skl_csv_open(struct skl_csv *csv, const char *path, const char *header, int64_t length, struct skl_err *err)
{
    SKL_CHECK(length >= 0);
    *csv = (struct skl_csv){.fd = -1};
    int create = length == 0 ? O_CREAT : 0; /* rows that were recorded cannot be in a new file */
    int fd, status = skl_open_if_there(path, O_RDWR | O_APPEND | create, &fd, err);
    if (status) return status;
    if (fd < 0)
        return skl_fail(err, length > 0 ? SKL_DATA : SKL_FAILED, "cannot write '%s': %s", path, strerror(ENOENT));
    *csv = (struct skl_csv){.fd = fd, .path = skl_strdup(path)};
    char *line = skl_format("%s\n", header);
    status = resume(csv, line, strlen(line), length, err);
    free(line);
    if (status) skl_csv_close(csv);
    return status;
}

int skl_csv_row(struct skl_csv *csv, struct skl_err *err, const char *fmt, ...)
{
    char *row = NULL;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c);
    SKL_CHECK(c);
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&row, fmt, args);
    va_end(args);
    uselocale(before);
    freelocale(c);
    if (n < 0) return skl_fail(err, SKL_FAILED, "cannot write '%s': out of memory", csv->path);
    row[n] = '\n'; /* in the place of the final 0 */
    int status = append(csv, row, (size_t)n + 1, err);
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
    free(csv->path);
    *csv = (struct skl_csv){.fd = -1};
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
    int status = skl_file_read(path, MAX_TABLE, &data, &n, err);
    if (status) return status;
    status = read_table(path, data, n, t, err);
    free(data);
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
