/* csv.h - append-only logs and their reader.  Rows are whole lines, numbers %.9g in the C locale. */
#ifndef SKL_CSV_H
#define SKL_CSV_H
#include <stdint.h>
#include "core/base/err.h"

struct skl_csv {
    int fd;
    char *path;
    int64_t length; /* bytes in the file now */
};
/* Opens for appending: creates the file with the header line, or truncates it to `length` bytes (0: to the header)
 * and checks that the header is this one. */
int skl_csv_open(struct skl_csv *csv, const char *path, const char *header, int64_t length, struct skl_err *err);
/* Adds \n. */
int skl_csv_row(struct skl_csv *csv, struct skl_err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int skl_csv_sync(struct skl_csv *csv, struct skl_err *err); /* fdatasync */
void skl_csv_close(struct skl_csv *csv);

struct skl_table {
    int rows, columns;
    char **name;
    double *value; /* [row*columns + col]; NaN where not a number */
    char **text;   /* the cells */
};
int skl_table_read(const char *path, struct skl_table *t, struct skl_err *err); /* a torn last line is left out */
int skl_table_column(const struct skl_table *t, const char *name);              /* -1: absent */
void skl_table_release(struct skl_table *t);
#endif
