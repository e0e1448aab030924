#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/base/fs.h"
#include "core/base/place.h"
#include "core/base/program.h"

/* SCRATCH/link leads to SCRATCH/real, the root; beside it stands SCRATCH/outside. */
static void make_folders(void)
{
    struct skl_err err = {0};
    assert_int_equal(skl_mkdirs(in_scratch("real/a/b"), &err), SKL_OK);
    assert_int_equal(skl_mkdirs(in_scratch("outside/b"), &err), SKL_OK);
    put_file(in_scratch("outside/secret"), "secret", 6);
    put_file(in_scratch("real/a/file"), "inside", 6);
    assert_int_equal(symlink(in_scratch("real"), in_scratch("link")), 0);
    assert_int_equal(symlink("../outside", in_scratch("real/out")), 0);
    assert_int_equal(symlink("../../outside/secret", in_scratch("real/a/stolen")), 0);
    assert_int_equal(symlink("b", in_scratch("real/a/inner")), 0); /* nor one that stays inside */
    skl_root_add(in_scratch("link/"));
}

static void expect(int result, int error)
{
    assert_int_equal(result, -1);
    assert_int_equal(errno, error);
}

static void the_root_may_be_a_link_and_what_is_in_it_not(void **state)
{
    struct stat st;
    DIR *d;
    int fd = skl_place_open(in_scratch("link/a/file"), O_RDONLY);
    assert_true(fd >= 0);
    close(fd);
    static const char *const behind[] = {"link/a/stolen",  "link/out/secret",   "link/a/../../outside/secret",
                                         "link/a/inner/x", "link//out//secret", "link/.."};
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        expect(skl_place_open(in_scratch(behind[i]), O_RDONLY), ELOOP);
        expect(skl_place_open(in_scratch(behind[i]), O_WRONLY | O_CREAT), ELOOP);
    }
    assert_int_equal(skl_place_stat(in_scratch("link/a/stolen"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    expect(skl_place_stat(in_scratch("link/out/secret"), &st), ELOOP);
    expect(skl_place_open_folder(in_scratch("link/out")), ELOOP);
    d = skl_place_list(in_scratch("link/a/inner"));
    assert_null(d);
    assert_int_equal(errno, ELOOP);
    expect(skl_place_mkdir(in_scratch("link/out/new")), ELOOP);
    expect(skl_place_unlink(in_scratch("link/out/secret")), ELOOP);
    expect(skl_place_rmdir(in_scratch("link/out/b")), ELOOP);
    expect(skl_place_rename(in_scratch("link/a/file"), in_scratch("link/out/file")), ELOOP);
    expect(skl_place_rename(in_scratch("link/out/secret"), in_scratch("link/a/file")), ELOOP);
    d = skl_place_list(in_scratch("link/a"));
    assert_non_null(d);
    closedir(d);
    assert_int_equal(skl_place_mkdir(in_scratch("link/a/new")), 0);
    assert_int_equal(skl_place_rmdir(in_scratch("link/a/new")), 0);
}

static void whole_files_stay_inside(void **state)
{
    struct skl_err err = {0};
    char *data;
    size_t n;
    assert_int_equal(skl_file_write(in_scratch("link/a/stolen"), "new", 3, &err), SKL_OK); /* takes the link's place */
    assert_int_equal(skl_file_read(in_scratch("outside/secret"), 10, &data, &n, &err), SKL_OK);
    assert_string_equal(data, "secret");
    free(data);
    assert_int_equal(skl_file_write(in_scratch("link/out/x"), "new", 3, &err), SKL_FAILED);
    assert_contains(err.text, "none is followed");
    assert_int_equal(skl_mkdirs(in_scratch("link/out/deep"), &err), SKL_FAILED);
    assert_contains(err.text, "none is followed");
    assert_int_equal(count_entries(in_scratch("outside")), 2);
    assert_int_equal(skl_mkdirs(in_scratch("link/c/d"), &err), SKL_OK);
    struct skl_seen seen;
    assert_int_equal(skl_look(in_scratch("link/out"), &seen, &err), SKL_OK);
    assert_int_equal(seen.kind, SKL_LINK);
    assert_int_equal(skl_look(in_scratch("real/out"), &seen, &err), SKL_OK); /* no root */
    assert_int_equal(seen.kind, SKL_FOLDER);
}

/* Each would hang, or do something, if it were opened as a file is. */
static void what_is_no_file_is_not_opened(void **state)
{
    static const int flags[] = {O_RDONLY, O_RDWR, O_WRONLY | O_APPEND, O_RDWR | O_CREAT, O_WRONLY | O_CREAT | O_APPEND};
    assert_int_equal(mkfifo(in_scratch("fifo"), 0600), 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%.100s", in_scratch("socket"));
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&name, sizeof name), 0);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        expect(skl_place_open(in_scratch("fifo"), flags[i]), ENXIO);
        expect(skl_place_open(in_scratch("socket"), flags[i]), ENXIO);
        expect(skl_place_open("/dev/null", flags[i]), ENXIO);
        expect(skl_place_open(scratch, flags[i]), EISDIR);
    }
    close(s);
    int fd = skl_place_open(in_scratch("new"), O_RDWR | O_CREAT);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

static void programs_come_from_absolute_folders(void **state)
{
    struct skl_err err = {0};
    char before[4096], path[2000], *usual = skl_strdup(getenv("PATH"));
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(skl_mkdirs(in_scratch("bin/prog"), &err), SKL_OK); /* a folder is no program */
    assert_int_equal(skl_mkdirs(in_scratch("bin2"), &err), SKL_OK);
    put_file(in_scratch("prog"), "x", 1);
    assert_int_equal(chmod(in_scratch("prog"), 0755), 0);
    assert_int_equal(chdir(scratch), 0);
    static const char *const relative[] = {".", "", "./", "..", "bin", ":", "::"};
    for (size_t i = 0; i < sizeof relative / sizeof *relative; i++) {
        snprintf(path, sizeof path, "%s:%s:%s", relative[i], in_scratch("bin"), relative[i]);
        setenv("PATH", path, 1);
        assert_null(skl_program("prog"));
        char *kept = skl_program_path();
        assert_string_equal(kept, in_scratch("bin"));
        free(kept);
    }
    snprintf(path, sizeof path, "%s:%s:%s", in_scratch("bin"), in_scratch("bin2"), scratch);
    setenv("PATH", path, 1);
    put_file(in_scratch("bin2/prog"), "x", 1); /* cannot be run */
    char *found = skl_program("prog");
    assert_non_null(found);
    assert_string_equal(found, in_scratch("prog"));
    free(found);
    setenv("PATH", usual, 1);
    free(usual);
    assert_int_equal(chdir(before), 0);
}

static int make(void **state)
{
    if (scratch_make(state)) return -1;
    make_folders();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_may_be_a_link_and_what_is_in_it_not),
        cmocka_unit_test(whole_files_stay_inside),
        cmocka_unit_test(what_is_no_file_is_not_opened),
        cmocka_unit_test(programs_come_from_absolute_folders),
    };
    return cmocka_run_group_tests(tests, make, scratch_remove);
}
