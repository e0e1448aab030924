#include "tests/unit/scratch.h"
#include "core/base/fs.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static void assert_file(const char *path, const char *want)
{
    char *data;
    size_t n;
    struct skl_err err = {0};
    if (skl_file_read(path, 1 << 20, &data, &n, &err)) fail_msg("%s", err.text);
    assert_int_equal(n, strlen(want));
    assert_string_equal(data, want);
    free(data);
}

static void write_then_read(void **state)
{
    struct skl_err err = {0};
    const char *path = in_scratch("a");
    assert_int_equal(skl_file_write(path, "one", 3, &err), SKL_OK);
    assert_file(path, "one");
    assert_int_equal(skl_file_write(path, "", 0, &err), SKL_OK);
    assert_file(path, "");
    assert_int_equal(skl_file_write(path, "second", 6, &err), SKL_OK);
    assert_file(path, "second");
    assert_int_equal(count_entries(scratch), 1);
}

static void pieces_become_visible_at_once(void **state)
{
    struct skl_atomic f;
    struct skl_err err = {0};
    const char *path = in_scratch("b");
    put_file(path, "old", 3);
    assert_int_equal(skl_atomic_open(&f, path, &err), SKL_OK);
    assert_int_equal(skl_atomic_write(&f, "new ", 4, &err), SKL_OK);
    assert_int_equal(skl_atomic_write(&f, "text", 4, &err), SKL_OK);
    assert_file(path, "old");
    assert_int_equal(skl_atomic_commit(&f, &err), SKL_OK);
    assert_file(path, "new text");
    assert_null(f.tmp);
    skl_atomic_abort(&f); /* nothing to do */
    assert_file(path, "new text");
}

static void abort_leaves_the_old_file(void **state)
{
    struct skl_atomic f;
    struct skl_err err = {0};
    const char *path = in_scratch("b");
    int before = count_entries(scratch);
    assert_int_equal(skl_atomic_open(&f, path, &err), SKL_OK);
    assert_int_equal(skl_atomic_write(&f, "x", 1, &err), SKL_OK);
    assert_int_equal(count_entries(scratch), before + 1);
    skl_atomic_abort(&f);
    assert_file(path, "new text");
    assert_int_equal(count_entries(scratch), before);
}

/* Two writers at once, and the leftovers of a killed process with the same pid. */
static void temporary_names_do_not_clash(void **state)
{
    struct skl_atomic f, g;
    struct skl_err err = {0};
    const char *path = in_scratch("c");
    char stale[600];
    snprintf(stale, sizeof stale, "%s.%ld-0.tmp", path, (long)getpid());
    put_file(stale, "stale", 5);
    assert_int_equal(skl_atomic_open(&f, path, &err), SKL_OK);
    assert_int_equal(skl_atomic_open(&g, path, &err), SKL_OK);
    assert_string_not_equal(f.tmp, g.tmp);
    assert_int_equal(skl_atomic_write(&f, "f", 1, &err), SKL_OK);
    assert_int_equal(skl_atomic_write(&g, "g", 1, &err), SKL_OK);
    assert_int_equal(skl_atomic_commit(&g, &err), SKL_OK);
    assert_int_equal(skl_atomic_commit(&f, &err), SKL_OK);
    assert_file(path, "f");
    assert_file(stale, "stale");
    unlink(stale);
}

/* Old ones and those of a folder's only writer; "PID-N" is the form of earlier versions. */
static void what_the_dead_left_is_cleaned_up(void **state)
{
    static const char *const gone[] = {"mine.12-0.tmp", "mine.0123456789abcdef.tmp"}, *const kept[] = {
                                                                                          "mine", "mine.tmp2",
                                                                                          "mine.x-0.tmp",
                                                                                          "mine.12-0.tmp.csv",
                                                                                          "mine.tmp"};
    const char *folder = in_scratch("dead");
    assert_int_equal(mkdir(folder, 0777), 0);
    for (int i = 0; i < 7; i++) {
        char *path = skl_path(folder, i < 2 ? gone[i] : kept[i - 2]);
        put_file(path, "x", 1);
        assert_int_equal(skl_is_leftover(strrchr(path, '/') + 1), i < 2);
        free(path);
    }
    skl_leftovers_remove(in_scratch("absent"), true);
    skl_leftovers_remove(folder, false); /* their writers may be alive */
    assert_int_equal(count_entries(folder), 7);
    char *old = skl_path(folder, gone[0]);
    struct timespec then[2] = {{.tv_sec = time(NULL) - 3700}, {.tv_sec = time(NULL) - 3700}};
    assert_int_equal(utimensat(AT_FDCWD, old, then, 0), 0);
    free(old);
    skl_leftovers_remove(folder, false);
    assert_int_equal(count_entries(folder), 6);
    skl_leftovers_remove(folder, true);
    assert_int_equal(count_entries(folder), 5);
    for (int i = 0; i < 5; i++) {
        char *path = skl_path(folder, kept[i]);
        assert_int_equal(unlink(path), 0);
        free(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* A limit on the file's size stands for a full disk: the kernel ends the write in the same place. */
static void failed_write_keeps_the_old_file(void **state)
{
    struct skl_err err = {0};
    struct rlimit before, tight = {100, 100};
    const char *path = in_scratch("full");
    static char data[5000];
    put_file(path, "old", 3);
    int entries = count_entries(scratch);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int status = skl_file_write(path, data, sizeof data, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, SKL_FAILED);
    assert_contains(err.text, path);
    assert_contains(err.text, "File too large");
    assert_file(path, "old");
    assert_int_equal(count_entries(scratch), entries);
}

static void commit_onto_a_folder_fails_cleanly(void **state)
{
    struct skl_err err = {0};
    const char *path = in_scratch("folder");
    assert_int_equal(skl_mkdirs(path, &err), SKL_OK);
    int before = count_entries(scratch);
    assert_int_equal(skl_file_write(path, "x", 1, &err), SKL_FAILED);
    assert_contains(err.text, path);
    assert_int_equal(count_entries(scratch), before);
}

static void write_errors_name_the_file(void **state)
{
    struct skl_err err = {0};
    assert_int_equal(skl_file_write(in_scratch("none/x"), "x", 1, &err), SKL_FAILED);
    assert_contains(err.text, "none/x': No such file or directory");
    assert_int_equal(skl_file_write(in_scratch("none/x"), "x", 1, NULL), SKL_FAILED);
}

static void refuse(const char *path, size_t limit, const char *why)
{
    char *data = (char *)1;
    size_t n;
    struct skl_err err = {0};
    assert_int_equal(skl_file_read(path, limit, &data, &n, &err), SKL_DATA);
    assert_null(data);
    assert_contains(err.text, path);
    assert_contains(err.text, why);
}

static void read_refuses_what_is_no_file(void **state)
{
    const char *fifo = in_scratch("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refuse(fifo, 100, "not a regular file");
    refuse("/dev/zero", 100, "not a regular file");
    refuse(scratch, 100, "folder");
    refuse(in_scratch("absent"), 100, "No such file or directory");
}

static void read_keeps_to_the_limit(void **state)
{
    char *data;
    size_t n;
    struct skl_err err = {0};
    const char *path = in_scratch("ten");
    put_file(path, "0123456789", 10);
    refuse(path, 9, "larger than 9 bytes");
    assert_int_equal(skl_file_read(path, 10, &data, &n, &err), SKL_OK);
    assert_int_equal(n, 10);
    assert_int_equal(data[10], 0);
    free(data);
}

/* Files under /proc say that they are empty, as a file does to which somebody appends after our look. */
static void read_goes_to_the_end(void **state)
{
    char *data;
    size_t n;
    struct skl_err err = {0};
    assert_int_equal(skl_file_read("/proc/self/status", 1 << 20, &data, &n, &err), SKL_OK);
    assert_true(n > 100);
    assert_int_equal(strlen(data), n);
    free(data);
    refuse("/proc/self/status", 50, "");
}

static void mkdirs_like_mkdir_p(void **state)
{
    struct skl_err err = {0};
    struct stat st;
    assert_int_equal(skl_mkdirs(in_scratch("p/q//r/"), &err), SKL_OK);
    assert_int_equal(stat(in_scratch("p/q/r"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(skl_mkdirs(in_scratch("p/q/r"), &err), SKL_OK);
    assert_int_equal(skl_mkdirs("/", &err), SKL_OK);
    assert_int_equal(skl_mkdirs(".", &err), SKL_OK);
    put_file(in_scratch("p/file"), "x", 1);
    assert_int_equal(skl_mkdirs(in_scratch("p/file/s"), &err), SKL_FAILED);
    assert_contains(err.text, "p/file");
    assert_int_equal(skl_mkdirs(in_scratch("p/file"), &err), SKL_FAILED);
    assert_int_equal(skl_mkdirs("", &err), SKL_FAILED);
}

static void relative_paths(void **state)
{
    struct skl_err err = {0};
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scratch), 0);
    assert_int_equal(skl_mkdirs("rel/deep", &err), SKL_OK);
    assert_int_equal(skl_file_write("plain", "1", 1, &err), SKL_OK);
    assert_int_equal(skl_file_write("rel/deep/file", "2", 1, &err), SKL_OK);
    assert_int_equal(chdir(before), 0);
    assert_file(in_scratch("plain"), "1");
    assert_file(in_scratch("rel/deep/file"), "2");
}

static void paths_and_existence(void **state)
{
    static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = skl_path(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
    struct skl_seen seen;
    struct skl_err err = {0};
    bool there;
    assert_int_equal(skl_look(scratch, &seen, &err), SKL_OK);
    assert_int_equal(seen.kind, SKL_FOLDER);
    assert_int_equal(skl_is_there(in_scratch("absent"), &there, &err), SKL_OK);
    assert_false(there);
    put_file(in_scratch("seen"), "12345", 5);
    assert_int_equal(skl_look(in_scratch("seen"), &seen, &err), SKL_OK);
    assert_int_equal(seen.kind, SKL_FILE);
    assert_int_equal(seen.size, 5);
    assert_int_equal(skl_is_there(in_scratch("seen/x"), &there, &err), SKL_OK); /* ENOTDIR */
    assert_false(there);
    char *endless = skl_format("%s/%0300d", scratch, 0);
    assert_int_equal(skl_is_there(endless, &there, &err), SKL_DATA); /* ENAMETOOLONG: no answer */
    free(endless);
    assert_contains(err.text, "File name too long");
}

static void folders_are_listed(void **state)
{
    struct skl_err err = {0};
    char **names;
    int count;
    assert_int_equal(skl_mkdirs(in_scratch("list/seed-10"), &err), SKL_OK);
    assert_int_equal(skl_mkdirs(in_scratch("list/seed-2"), &err), SKL_OK);
    put_file(in_scratch("list/.hidden"), "", 0);
    assert_int_equal(skl_list(in_scratch("list"), &names, &count, &err), SKL_OK);
    assert_int_equal(count, 3);
    assert_string_equal(names[0], ".hidden");
    assert_string_equal(names[1], "seed-2");
    assert_string_equal(names[2], "seed-10");
    skl_list_free(names, count);
    assert_int_equal(skl_list(in_scratch("absent"), &names, &count, &err), SKL_DATA);
    assert_null(names);
}

/* A pipe is read where it was given, not where it lies about. */
static void a_given_pipe_is_read(void **state)
{
    char *data, path[32];
    size_t n;
    int ends[2];
    struct skl_err err = {0};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_int_equal(skl_file_read(path, 10, &data, &n, &err), SKL_OK);
    assert_string_equal(data, "abc");
    free(data);
    close(ends[0]);
}

static void sha256_of_published_vectors(void **state)
{
    char hex[65];
    skl_sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    skl_sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void descriptors_are_closed(void **state)
{
    char *data;
    size_t n;
    struct skl_err err;
    int before = open("/dev/null", O_RDONLY);
    close(before);
    for (int i = 0; i < 20; i++) {
        skl_file_write(in_scratch("fd"), "x", 1, &err);
        skl_file_write(in_scratch("folder"), "x", 1, &err);
        if (skl_file_read(in_scratch("fd"), 10, &data, &n, &err) == SKL_OK) free(data);
        skl_file_read(scratch, 10, &data, &n, &err);
        skl_mkdirs(in_scratch("m/n"), &err);
    }
    int after = open("/dev/null", O_RDONLY);
    close(after);
    assert_int_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_then_read),
        cmocka_unit_test(pieces_become_visible_at_once),
        cmocka_unit_test(abort_leaves_the_old_file),
        cmocka_unit_test(temporary_names_do_not_clash),
        cmocka_unit_test(what_the_dead_left_is_cleaned_up),
        cmocka_unit_test(failed_write_keeps_the_old_file),
        cmocka_unit_test(commit_onto_a_folder_fails_cleanly),
        cmocka_unit_test(write_errors_name_the_file),
        cmocka_unit_test(read_refuses_what_is_no_file),
        cmocka_unit_test(read_keeps_to_the_limit),
        cmocka_unit_test(read_goes_to_the_end),
        cmocka_unit_test(mkdirs_like_mkdir_p),
        cmocka_unit_test(relative_paths),
        cmocka_unit_test(paths_and_existence),
        cmocka_unit_test(folders_are_listed),
        cmocka_unit_test(a_given_pipe_is_read),
        cmocka_unit_test(sha256_of_published_vectors),
        cmocka_unit_test(descriptors_are_closed),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
