/* csv.h - append-only logs and their reader.  Rows are whole lines, numbers %.9g in the C locale. */
#ifndef SKL_CSV_H
#define SKL_CSV_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "core/base/sha256.h"

struct skl_csv {
    int fd;
    char *path;
    int64_t length;            /* bytes in the file now */
    struct skl_sha256 *digest; /* of these bytes, as they were written */
};
/* Makes a file of its own that begins with `length` bytes of the one at `path`, or with the header line alone (length
 * 0, or no such file), and puts it there: whoever still has the old one open, or its name in another folder, shares
 * nothing with us.  The old file must begin with this header.  desk: as in skl_file_write_at; -1: beside path.
 * SKL_DATA: another header, a shorter file, no line that ends there. */
int skl_csv_open(struct skl_csv *csv, int desk, const char *path, const char *header, int64_t length,
                 struct skl_err *err);
/* SHA-256 of all bytes up to now. */
void skl_csv_digest(const struct skl_csv *csv, char hex[65]);
/* Is the file at `path` still the one that is written, as long as it was made?  SKL_DATA: no.  whole: its bytes are
 * compared too. */
int skl_csv_check(const struct skl_csv *csv, bool whole, struct skl_err *err);
/* Adds \n. */
int skl_csv_row(struct skl_csv *csv, struct skl_err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int skl_csv_sync(struct skl_csv *csv, struct skl_err *err); /* fdatasync */
void skl_csv_close(struct skl_csv *csv);

/* A log line by line, whatever its size. */
struct skl_lines {
    FILE *file;      /* NULL: there is no such file */
    char text[4096]; /* the line, without its end */
    int64_t end;     /* bytes up to the end of this line */
};
int skl_lines_open(struct skl_lines *lines, const char *path, struct skl_err *err);
/* false: no whole line is left; one that is torn, or longer than any of ours, is none. */
bool skl_lines_next(struct skl_lines *lines);
void skl_lines_rewind(struct skl_lines *lines);
void skl_lines_close(struct skl_lines *lines);

struct skl_table {
    int rows, columns;
    char **name;
    double *value; /* [row*columns + col]; NaN where not a number */
    char **text;   /* the cells */
};
int skl_table_read(const char *path, struct skl_table *t, struct skl_err *err); /* a torn last line is left out */
/* The header and the last whole line alone, whatever the size of the file; rows 0: there is none. */
int skl_table_read_last(const char *path, struct skl_table *t, struct skl_err *err);
int skl_table_column(const struct skl_table *t, const char *name); /* -1: absent */
void skl_table_release(struct skl_table *t);
#endif
