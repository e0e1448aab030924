/* A log.  The table's cells put together again are the file without its torn last line; and a log that was taken up
 * again ends with a whole line. */
#include <math.h>
#include "core/base/fs.h"
#include "core/io/csv.h"
#include "tests/fuzz/fuzz.h"

static void put_line(FILE *out, char *const *cell, int n)
{
    for (int i = 0; i < n; i++) fprintf(out, "%s%s", i ? "," : "", cell[i]);
    fputc('\n', out);
}

/* The bytes up to the last line end, without carriage returns before line ends. */
static char *expected(const uint8_t *data, size_t n)
{
    while (n > 0 && data[n - 1] != '\n') n--;
    char *text = malloc(n + 1);
    FUZZ_CHECK(text);
    size_t length = 0;
    for (size_t i = 0; i < n; i++)
        if (data[i] != '\r' || i + 1 == n || data[i + 1] != '\n') text[length++] = (char)data[i];
    text[length] = 0;
    return text;
}

static void check_table(const struct skl_table *t, const uint8_t *data, size_t n)
{
    char *text = NULL, *want = expected(data, n);
    size_t size;
    FILE *out = open_memstream(&text, &size);
    FUZZ_CHECK(out && t->rows >= 0 && t->columns > 0);
    put_line(out, t->name, t->columns);
    for (int r = 0; r < t->rows; r++) put_line(out, t->text + (size_t)r * (size_t)t->columns, t->columns);
    fclose(out);
    FUZZ_CHECK(!strcmp(text, want));
    FUZZ_CHECK(skl_table_column(t, t->name[0]) == 0 && skl_table_column(t, "no such, name") == -1);
    free(text);
    free(want);
}

static void take_up(const char *path, int64_t length)
{
    struct skl_csv csv;
    struct skl_err err = {0};
    int status = skl_csv_open(&csv, -1, path, "iteration,loss", length, &err);
    if (status) {
        fuzz_check_error(status, &err);
        return;
    }
    FUZZ_CHECK(length == 0 || csv.length == length);
    FUZZ_CHECK(skl_csv_row(&csv, &err, "%d,%.9g", 7, 0.5) == SKL_OK);
    int64_t whole = csv.length;
    skl_csv_close(&csv);
    char *data;
    size_t n;
    FUZZ_CHECK(skl_file_read(path, 1 << 24, &data, &n, NULL) == SKL_OK && (int64_t)n == whole);
    FUZZ_CHECK(!memcmp(data, "iteration,loss\n", 15) && !memcmp(data + n - 7, "\n7,0.5\n", 7));
    free(data);
}

void fuzz_one(const uint8_t *data, size_t n)
{
    struct skl_table t;
    struct skl_err err = {0};
    const char *path = fuzz_file("log.csv", data, n);
    int status = skl_table_read(path, &t, &err);
    if (status) {
        fuzz_check_error(status, &err);
        FUZZ_CHECK(status == SKL_DATA);
    } else {
        check_table(&t, data, n);
        skl_table_release(&t);
    }
    take_up(path, n ? 1 + data[n - 1] : 0);
    take_up(fuzz_file("log.csv", data, n), 0);
}
