#include "tests/unit/scratch.h"
#include "core/io/csv.h"
#include "core/base/fs.h"
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define HEADER "iteration,loss,error"

static void assert_file(const char *path, const char *want)
{
    char *data;
    size_t n;
    struct skl_err err = {0};
    if (skl_file_read(path, 1 << 20, &data, &n, &err)) fail_msg("%s", err.text);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(data, want, n);
    free(data);
}

static void open_log(struct skl_csv *csv, const char *path, int64_t length)
{
    struct skl_err err = {0};
    if (skl_csv_open(csv, -1, path, HEADER, length, &err)) fail_msg("%s", err.text);
}

static void rows_are_appended(void **state)
{
    struct skl_csv csv;
    struct skl_err err = {0};
    const char *path = in_scratch("log.csv");
    open_log(&csv, path, 0);
    assert_int_equal(csv.length, strlen(HEADER) + 1);
    assert_file(path, HEADER "\n");
    assert_int_equal(skl_csv_row(&csv, &err, "%d,%.9g,%.9g", 100, 0.1, 1.0 / 3), SKL_OK);
    assert_int_equal(skl_csv_row(&csv, &err, "%d,%.9g,%.9g", 200, 1e-30, 1e300), SKL_OK);
    assert_int_equal(skl_csv_sync(&csv, &err), SKL_OK);
    int64_t length = csv.length;
    skl_csv_close(&csv);
    assert_file(path, HEADER "\n100,0.1,0.333333333\n200,1e-30,1e+300\n");
    open_log(&csv, path, length);
    assert_int_equal(csv.length, length);
    assert_int_equal(skl_csv_row(&csv, &err, "300,,"), SKL_OK);
    skl_csv_close(&csv);
    assert_file(path, HEADER "\n100,0.1,0.333333333\n200,1e-30,1e+300\n300,,\n");
}

static void resume_cuts_to_the_recorded_length(void **state)
{
    struct skl_csv csv;
    const char *path = in_scratch("cut.csv"), *text = HEADER "\n1,2,3\n4,5,6\n7,8";
    put_file(path, text, strlen(text));
    open_log(&csv, path, (int64_t)strlen(HEADER "\n1,2,3\n"));
    skl_csv_close(&csv);
    assert_file(path, HEADER "\n1,2,3\n");
    open_log(&csv, path, 0);
    skl_csv_close(&csv);
    assert_file(path, HEADER "\n");
}

static void torn_header_is_written_again(void **state)
{
    struct skl_csv csv;
    const char *path = in_scratch("torn.csv");
    for (size_t n = 0; n <= strlen(HEADER); n += 5) {
        put_file(path, HEADER, n);
        open_log(&csv, path, 0);
        skl_csv_close(&csv);
        assert_file(path, HEADER "\n");
    }
}

static void refuse_log(const char *path, int64_t length, int status, const char *why)
{
    struct skl_csv csv;
    struct skl_err err = {0};
    assert_int_equal(skl_csv_open(&csv, -1, path, HEADER, length, &err), status);
    assert_contains(err.text, path);
    assert_contains(err.text, why);
    assert_int_equal(csv.fd, -1);
}

static void foreign_files_stay_as_they_are(void **state)
{
    const char *path = in_scratch("foreign.csv"), *other = "a,b\n1,2\n", *good = HEADER "\n1,2,3\n";
    put_file(path, other, strlen(other));
    refuse_log(path, 0, SKL_DATA, "header");
    refuse_log(path, 8, SKL_DATA, "header");
    assert_file(path, other);
    put_file(path, "x", 1);
    refuse_log(path, 0, SKL_DATA, "header");
    assert_file(path, "x");
    put_file(path, good, strlen(good));
    refuse_log(path, (int64_t)strlen(good) + 1, SKL_DATA, "were recorded");
    refuse_log(path, (int64_t)strlen(good) - 1, SKL_DATA, "no line ends");
    refuse_log(path, 3, SKL_DATA, "were recorded");
    assert_file(path, good);
    refuse_log(in_scratch("absent.csv"), 30, SKL_DATA, "No such file");
    assert_false(!access(in_scratch("absent.csv"), F_OK));
    refuse_log(scratch, 0, SKL_DATA, "folder");
    refuse_log(in_scratch("no/where.csv"), 0, SKL_FAILED, "No such file");
    refuse_log("/dev/null", 0, SKL_DATA, "regular");
}

/* A backup may share the file (cp -al), and a process that stood still may have it open. */
static void a_log_taken_up_again_is_a_file_of_its_own(void **state)
{
    struct skl_csv csv;
    struct skl_err err = {0};
    const char *path = in_scratch("shared.csv"), *copy = in_scratch("copy.csv"), *text = HEADER "\n1,2,3\n4,5,6\n";
    put_file(path, text, strlen(text));
    assert_int_equal(link(path, copy), 0);
    int woken = open(path, O_WRONLY | O_APPEND);
    open_log(&csv, path, (int64_t)strlen(HEADER "\n1,2,3\n"));
    assert_int_equal(write(woken, "7,8,9\n", 6), 6);
    assert_int_equal(skl_csv_row(&csv, &err, "2,2,2"), SKL_OK);
    assert_int_equal(skl_csv_check(&csv, true, &err), SKL_OK);
    skl_csv_close(&csv);
    close(woken);
    assert_file(path, HEADER "\n1,2,3\n2,2,2\n");
    assert_file(copy, HEADER "\n1,2,3\n4,5,6\n7,8,9\n");
}

static void expect_spoilt(const struct skl_csv *csv, bool whole, const char *why)
{
    struct skl_err err = {0};
    assert_int_equal(skl_csv_check(csv, whole, &err), SKL_DATA);
    assert_contains(err.text, why);
    assert_contains(err.text, csv->path);
}

static void what_others_do_to_a_log_is_noticed(void **state)
{
    struct skl_csv csv;
    struct skl_err err = {0};
    const char *path = in_scratch("watched.csv"), *want = HEADER "\n1,2,3\n";
    char hex[65], all[65];
    open_log(&csv, path, 0);
    skl_csv_row(&csv, &err, "1,2,3");
    skl_csv_digest(&csv, hex);
    skl_sha256_hex(want, strlen(want), all);
    assert_string_equal(hex, all);
    assert_int_equal(skl_file_sha256(path, -1, hex, NULL, &err), SKL_OK);
    assert_string_equal(hex, all);
    assert_int_equal(skl_csv_check(&csv, true, &err), SKL_OK);
    int other = open(path, O_WRONLY);
    assert_int_equal(pwrite(other, "9", 1, (off_t)strlen(HEADER) + 1), 1);
    assert_int_equal(skl_csv_check(&csv, false, &err), SKL_OK); /* the same length: only a look at every byte tells */
    expect_spoilt(&csv, true, "edited");
    assert_int_equal(ftruncate(other, 4), 0);
    expect_spoilt(&csv, false, "cut");
    assert_int_equal(ftruncate(other, 400), 0);
    expect_spoilt(&csv, false, "added to");
    close(other);
    unlink(path);
    expect_spoilt(&csv, false, "removed");
    put_file(path, want, strlen(want));
    expect_spoilt(&csv, false, "replaced");
    skl_csv_close(&csv);
}

/* A limit on the file's size stands for a full disk. */
static void full_disk_leaves_whole_rows(void **state)
{
    struct skl_csv csv;
    struct skl_err err = {0};
    struct rlimit before, tight;
    const char *path = in_scratch("full.csv");
    open_log(&csv, path, 0);
    assert_int_equal(skl_csv_row(&csv, &err, "1,2,3"), SKL_OK);
    int64_t length = csv.length;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)length + 4;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int status = skl_csv_row(&csv, &err, "%s", "123456789,2,3");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, SKL_FAILED);
    assert_contains(err.text, path);
    assert_int_equal(csv.length, length);
    assert_file(path, HEADER "\n1,2,3\n");
    assert_int_equal(skl_csv_row(&csv, &err, "4,5,6"), SKL_OK);
    skl_csv_close(&csv);
    assert_file(path, HEADER "\n1,2,3\n4,5,6\n");
}

static void locale_changes_nothing(void **state)
{
    struct skl_csv csv;
    struct skl_err err = {0};
    struct skl_table t;
    if (!set_comma_locale()) skip();
    open_log(&csv, in_scratch("locale.csv"), 0);
    skl_csv_row(&csv, &err, "1,%.9g,%.9g", 0.5, 1.25);
    skl_csv_close(&csv);
    assert_file(in_scratch("locale.csv"), HEADER "\n1,0.5,1.25\n");
    assert_int_equal(skl_table_read(in_scratch("locale.csv"), &t, &err), SKL_OK);
    assert_true(t.value[1] == 0.5);
    skl_table_release(&t);
    assert_string_equal(localeconv()->decimal_point, ","); /* the caller's locale is still his */
    setlocale(LC_NUMERIC, "C");
}

static void read_table(const char *text, struct skl_table *t)
{
    struct skl_err err = {0};
    put_file(in_scratch("table.csv"), text, strlen(text));
    if (skl_table_read(in_scratch("table.csv"), t, &err)) fail_msg("'%s': %s", text, err.text);
}

static void table_of_numbers_and_texts(void **state)
{
    struct skl_table t;
    read_table("iteration,loss,weights\n100,0.25,a1b2\n200,,nan\n-3,1e-3,7x\n", &t);
    assert_int_equal(t.rows, 3);
    assert_int_equal(t.columns, 3);
    assert_string_equal(t.name[2], "weights");
    assert_int_equal(skl_table_column(&t, "loss"), 1);
    assert_int_equal(skl_table_column(&t, "los"), -1);
    assert_true(t.value[0] == 100 && t.value[1] == 0.25 && t.value[6] == -3 && t.value[7] == 1e-3);
    assert_true(isnan(t.value[2]) && isnan(t.value[4]) && isnan(t.value[5]) && isnan(t.value[8]));
    assert_string_equal(t.text[2], "a1b2");
    assert_string_equal(t.text[4], "");
    assert_string_equal(t.text[8], "7x");
    skl_table_release(&t);
    assert_null(t.text);
}

static void torn_last_line_is_left_out(void **state)
{
    static const char *const texts[] = {"a,b\n1,2\n", "a,b\n1,2\n3", "a,b\n1,2\n3,", "a,b\n1,2\n3,4",
                                        "a,b\r\n1,2\r\n3,4"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct skl_table t;
        read_table(texts[i], &t);
        assert_int_equal(t.rows, 1);
        assert_true(t.value[0] == 1 && t.value[1] == 2);
        assert_string_equal(t.name[1], "b");
        skl_table_release(&t);
    }
}

static void table_without_rows_or_of_one_column(void **state)
{
    struct skl_table t;
    read_table("a,b\n", &t);
    assert_int_equal(t.rows, 0);
    assert_int_equal(t.columns, 2);
    skl_table_release(&t);
    read_table("a\n1\n\n3\n", &t);
    assert_int_equal(t.rows, 3);
    assert_true(t.value[0] == 1 && isnan(t.value[1]) && t.value[2] == 3);
    skl_table_release(&t);
}

/* What was written as %.9g comes back as the nearest double of those digits. */
static void numbers_survive(void **state)
{
    static const double numbers[] = {0,     1,    -1,  0.1, 1.0 / 3, 123456789, 1e-300, 5e-324, 1.79769313e308,
                                     64000, 2e22, 1e23};
    struct skl_csv csv;
    struct skl_err err = {0};
    struct skl_table t;
    assert_int_equal(skl_csv_open(&csv, -1, in_scratch("n.csv"), "x", 0, &err), SKL_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) skl_csv_row(&csv, &err, "%.9g", numbers[i]);
    skl_csv_close(&csv);
    assert_int_equal(skl_table_read(in_scratch("n.csv"), &t, &err), SKL_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[40];
        snprintf(text, sizeof text, "%.9g", numbers[i]);
        assert_true(t.value[i] == strtod(text, NULL));
    }
    skl_table_release(&t);
}

static void bad_tables_are_refused(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *why;
    } cases[] = {
        {"", 0, "no header"},
        {"a,b", 3, "no header"},
        {"a,b\n1\n", 6, "2: not 2 columns"},
        {"a,b\n1,2\n1,2,3\n", 14, "3: not 2 columns"},
        {"a,b\n\n", 5, ":2: not 2 columns"},
        {"a,b\n1,2\n\n3,4\n", 13, ":3: not 2 columns"},
        {"a,b,c,d,e,f,g,h\n\n\n\n\n\n", 21, "columns"},
        {"a,b\n1,\0\n", 8, "NUL"},
        {"\0\0\0\n", 4, "NUL"},
        {",,,,,,,,,,,\n\n\n\n\n\n\n\n", 19, "columns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct skl_table t;
        struct skl_err err = {0};
        put_file(in_scratch("bad.csv"), cases[i].text, cases[i].n);
        assert_int_equal(skl_table_read(in_scratch("bad.csv"), &t, &err), SKL_DATA);
        assert_contains(err.text, "bad.csv");
        assert_contains(err.text, cases[i].why);
        assert_null(t.text);
    }
    struct skl_table t;
    struct skl_err err = {0};
    char *commas = malloc(10000);
    memset(commas, ',', 9999);
    commas[9999] = '\n';
    put_file(in_scratch("bad.csv"), commas, 10000);
    free(commas);
    assert_int_equal(skl_table_read(in_scratch("bad.csv"), &t, &err), SKL_DATA);
    assert_int_equal(skl_table_read(in_scratch("absent"), &t, &err), SKL_DATA);
}

/* A cut of a good file at any byte: the rows before the cut, or (within the header) refused. */
static void cut_files(void **state)
{
    static const char text[] = "a,b\n1,2\n3,4\n5,6\n";
    for (size_t n = 0; n < sizeof text; n++) {
        struct skl_table t;
        struct skl_err err = {0};
        put_file(in_scratch("cut"), text, n);
        int status = skl_table_read(in_scratch("cut"), &t, &err);
        assert_int_equal(status, n < 4 ? SKL_DATA : SKL_OK);
        if (!status) assert_int_equal(t.rows, (n - 4) / 4);
        skl_table_release(&t);
    }
}

/* The last row, and line by line, where a hole of gigabytes follows or nothing does. */
static void files_of_any_size(void **state)
{
    static const char text[] = "a,b\n1,2\n3,4\n5,6";
    struct skl_err err = {0};
    struct skl_table t;
    struct skl_lines lines;
    put_file(in_scratch("long"), text, sizeof text - 1);
    for (int hole = 0; hole < 2; hole++) {
        assert_int_equal(skl_lines_open(&lines, in_scratch("long"), &err), SKL_OK);
        assert_true(skl_lines_next(&lines) && lines.end == 4 && !strcmp(lines.text, "a,b"));
        assert_true(skl_lines_next(&lines) && lines.end == 8 && !strcmp(lines.text, "1,2"));
        assert_true(skl_lines_next(&lines) && lines.end == 12);
        assert_false(skl_lines_next(&lines)); /* torn */
        skl_lines_rewind(&lines);
        assert_true(skl_lines_next(&lines) && lines.end == 4);
        skl_lines_close(&lines);
        assert_int_equal(skl_table_read_last(in_scratch("long"), &t, &err), SKL_OK);
        assert_int_equal(t.rows, hole ? 0 : 1);
        if (!hole) assert_true(t.value[0] == 3 && t.value[1] == 4);
        skl_table_release(&t);
        assert_int_equal(truncate(in_scratch("long"), (off_t)7 << 30), 0);
    }
    assert_int_equal(skl_lines_open(&lines, in_scratch("absent"), &err), SKL_OK);
    assert_false(skl_lines_next(&lines));
    skl_lines_close(&lines);
    put_file(in_scratch("header"), "a,b\n", 4);
    assert_int_equal(skl_table_read_last(in_scratch("header"), &t, &err), SKL_OK);
    assert_int_equal(t.rows, 0);
    skl_table_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_appended),
        cmocka_unit_test(resume_cuts_to_the_recorded_length),
        cmocka_unit_test(torn_header_is_written_again),
        cmocka_unit_test(foreign_files_stay_as_they_are),
        cmocka_unit_test(a_log_taken_up_again_is_a_file_of_its_own),
        cmocka_unit_test(what_others_do_to_a_log_is_noticed),
        cmocka_unit_test(full_disk_leaves_whole_rows),
        cmocka_unit_test(locale_changes_nothing),
        cmocka_unit_test(table_of_numbers_and_texts),
        cmocka_unit_test(torn_last_line_is_left_out),
        cmocka_unit_test(table_without_rows_or_of_one_column),
        cmocka_unit_test(numbers_survive),
        cmocka_unit_test(bad_tables_are_refused),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(files_of_any_size),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
