/* Runs with probes: the same bytes as runs without, and files of probes that no interruption changes. */
#include "tests/train/lab.h"

#define EVERY "probe.every=4"

static void expect_same_file(const char *a, const char *b, const char *file)
{
    char *pa = lab_path(a, file), *pb = lab_path(b, file);
    size_t na, nb;
    char *da = lab_read(pa, &na), *db = lab_read(pb, &nb);
    if (!da || !db || na != nb || memcmp(da, db, na)) fail_msg("%s differs between %s and %s", file, a, b);
    free(da), free(db), free(pa), free(pb);
}

static const char *const probe_files[] = {"probe.csv", "sums.csv", "responses.csv"};
enum { FILES = sizeof probe_files / sizeof *probe_files };

static void run(const char *folder, const char *threads, const char *every)
{
    struct launch l = {folder, {"--quiet", "--threads", threads, every}};
    lab_remove(folder);
    lab_expect(lab_train(&l), 0, folder);
}

static void same_with_probes(const char *a, const char *b)
{
    lab_same(a, b);
    for (int i = 0; i < FILES; i++) expect_same_file(a, b, probe_files[i]);
}

static void a_probe_changes_nothing_else(void **state)
{
    static const char *const files[] = {"train.csv", "test.csv", "validation.csv", "last.safetensors",
                                        "prev.safetensors"};
    for (int i = 0; lab_variants[i]; i++) {
        lab_write_config(lab_variants[i]);
        run("without", "2", "probe.every=0");
        run("with", "1", EVERY);
        for (size_t k = 0; k < sizeof files / sizeof *files; k++) expect_same_file("without", "with", files[k]);
        char *path = lab_path("without", "probe.csv");
        assert_false(!access(path, F_OK));
        free(path);
        run("threads", "3", EVERY);
        same_with_probes("with", "threads");
    }
}

/* Rows after 0, 4, 8, 12, 16 and all 18 iterations, one a unit; and on record as a result file. */
static void rows(void **state)
{
    lab_write_config("{type: exclusive_gating}");
    run("with", "2", EVERY);
    char *path = lab_path("with", "probe.csv");
    size_t n;
    char *text = lab_read(path, &n), *line = text;
    assert_non_null(text);
    assert_int_equal(
        strncmp(line,
                "iteration,unit,stage,signal_rms,branch_rms,gradient_rms,shortcut_gain,direct_gain,direct_share,"
                "direct_cosine,clipped,gate_mean\n",
                125),
        0);
    for (int i = 0; i < 18; i++) {
        const int iteration = i / 3 * 4 > 18 ? 18 : i / 3 * 4;
        char start[32];
        line = strchr(line, '\n') + 1;
        snprintf(start, sizeof start, "%d,%d,%d,", iteration, i % 3, i % 3 + 1);
        if (strncmp(line, start, strlen(start))) fail_msg("row %d does not start with %s: %.20s", i, start, line);
    }
    assert_int_equal(*(strchr(line, '\n') + 1), 0);
    free(text), free(path);
    for (int i = 0; i < FILES; i++) {
        char *quoted = skl_format("\"%s\"", probe_files[i]);
        lab_run_json_says("with", quoted);
        free(quoted);
    }
}

/* ResNet-8: three units, and the stem with two layers a unit. */
static void other_rows(void **state)
{
    static const struct {
        const char *file, *head, *first, *last;
        int rows;
    } expected[] = {{"sums.csv", "iteration,unit,sum_share\n0,0,", "\n4,0,", "\n18,2,", 18},
                    {"responses.csv", "iteration,layer,name,mean,std\n0,1,conv1,", "\n4,2,layer1.0.conv1,",
                     "\n18,7,layer3.0.conv2,", 42}};
    lab_write_config("{type: identity}");
    run("with", "2", EVERY);
    for (int i = 0; i < 2; i++) {
        char *path = lab_path("with", expected[i].file);
        size_t n;
        char *text = lab_read(path, &n);
        assert_non_null(text);
        assert_int_equal(strncmp(text, expected[i].head, strlen(expected[i].head)), 0);
        assert_contains(text, expected[i].first);
        assert_contains(text, expected[i].last);
        int lines = 0;
        for (const char *p = text; *p; p++) lines += *p == '\n';
        assert_int_equal(lines, 1 + expected[i].rows);
        free(text), free(path);
    }
}

/* Before every 7th change of the file system, or at any moment, with whatever half of a probe is written then. */
static void killed_at_any_change(void **state)
{
    lab_write_config("{type: dropout}");
    run("whole", "1", EVERY);
    int code, k = getenv("SKL_TEST_SLOW") ? 0 : -3;
    do {
        char at[32];
        snprintf(at, sizeof at, "kill %d", k += getenv("SKL_TEST_SLOW") ? 1 : 7);
        struct launch l = {"caught", {"--quiet", "--threads", "1", EVERY}, .fault = at};
        struct launch again = {"caught", {"--quiet", "--threads", "1", EVERY}};
        lab_remove("caught");
        code = lab_train(&l);
        if (code != 1000 + SIGKILL) lab_expect(code, 0, "caught");
        lab_expect(lab_train(&again), 0, "caught");
        same_with_probes("whole", "caught");
    } while (code == 1000 + SIGKILL);
    print_message("%d places\n", k - 1);
    assert_true(k > 100);
}

static void cut(const char *folder, const char *file, long from_end)
{
    char *path = lab_path(folder, file);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - from_end), 0);
    free(path);
}

/* The end of the last probe is lost, within a line or between two: it is measured again.  So is all that came after the
 * checkpoint the run goes on from. */
static void a_torn_file_is_mended(void **state)
{
    static const long lost[] = {0, 1, 5, 150, 250};
    lab_write_config("{type: conv1x1}");
    run("whole", "2", EVERY);
    for (int i = 0; i < 10; i++) {
        lab_copy("whole", "torn");
        lab_unlink("torn", "run.json");
        if (i >= 5) lab_unlink("torn", "last.safetensors"); /* goes on from iteration 15 */
        cut("torn", "probe.csv", lost[i % 5]);
        cut("torn", "sums.csv", lost[i / 2 % 3]);
        cut("torn", "responses.csv", lost[(i + 2) % 5]);
        struct launch l = {"torn", {"--quiet", EVERY}};
        lab_expect(lab_train(&l), 0, "torn");
        for (int k = 0; k < FILES; k++) expect_same_file("whole", "torn", probe_files[k]);
        expect_same_file("whole", "torn", "last.safetensors");
    }
}

/* Probes asked for, or asked for more often, in the middle of a run. */
static void asked_for_later(void **state)
{
    lab_write_config("{type: identity}");
    run("whole", "2", "probe.every=0");
    lab_copy("whole", "later");
    lab_unlink("later", "run.json");
    lab_unlink("later", "last.safetensors");
    struct launch l = {"later", {"--quiet", EVERY}};
    lab_expect(lab_train(&l), 0, "later");
    expect_same_file("whole", "later", "last.safetensors");
    char *path = lab_path("later", "probe.csv");
    size_t n;
    char *text = lab_read(path, &n);
    assert_contains(text, "\n16,0,1,");
    assert_contains(text, "\n18,2,3,");
    assert_null(strstr(text, "\n12,0,1,"));
    free(text), free(path);
}

static void a_foreign_file_is_refused(void **state)
{
    lab_write_config("{type: identity}");
    run("foreign", "2", EVERY);
    lab_unlink("foreign", "run.json");
    char *path = lab_path("foreign", "probe.csv");
    put_file(path, "a,b,c\n1,2,3\n", 12);
    free(path);
    struct launch l = {"foreign", {"--quiet", EVERY}};
    lab_expect(lab_train(&l), 3, "foreign");
    char *text = lab_stderr("foreign");
    assert_contains(text, "probe.csv");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_changes_nothing_else),
        cmocka_unit_test(rows),
        cmocka_unit_test(other_rows),
        cmocka_unit_test(killed_at_any_change),
        cmocka_unit_test(a_torn_file_is_mended),
        cmocka_unit_test(asked_for_later),
        cmocka_unit_test(a_foreign_file_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
