#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include "core/base/fs.h"
#include "core/base/rng.h"
#include "core/data/sets.h"
#include "tests/unit/packed.h"

/* A set of two small files in an archive "toy/", made for the test. */
enum { A_BYTES = 1000, B_BYTES = 512 };
static char a[A_BYTES], b[B_BYTES], a_hash[65], b_hash[65], archive_hash[65];
static struct skl_file archive = {"toy.tar.gz", "https://localhost/toy.tar.gz", 0, archive_hash};
static struct skl_set toy = {.name = "toy",
                             .archive = &archive,
                             .folder = "toy",
                             .files = {{"a.bin", NULL, A_BYTES, a_hash}, {"b.bin", NULL, B_BYTES, b_hash}}};

/* A tar archive in memory, written member by member. */
static char tar[1 << 20];
static size_t tar_bytes;

static void add(const char *name, char type, const char *link, const void *data, size_t n)
{
    char *h = tar + tar_bytes;
    memset(h, 0, 512);
    snprintf(h, 100, "%s", name);
    snprintf(h + 100, 8, "%07o", 0644);
    snprintf(h + 124, 12, "%011zo", n);
    h[156] = type;
    if (link) snprintf(h + 157, 100, "%s", link);
    memcpy(h + 257, "ustar\00000", 8);
    memset(h + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++) sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    tar_bytes += 512;
    if (data) memcpy(tar + tar_bytes, data, n);
    if (data) tar_bytes += (n + 511) / 512 * 512;
}

static void end_tar(void)
{
    memset(tar + tar_bytes, 0, 1024);
    tar_bytes += 1024;
}

static void good_tar(void)
{
    tar_bytes = 0;
    memset(tar, 0, sizeof tar);
    add("toy/", '5', NULL, NULL, 0);
    add("toy/readme.html", '0', NULL, "hello", 5);
    add("toy/b.bin", '0', NULL, b, sizeof b);
    add("./toy/a.bin", 0, NULL, a, sizeof a);
    end_tar();
}

static const char *write_tar(void)
{
    const char *path = in_scratch("toy.tar.gz");
    put_gzip(path, tar, tar_bytes);
    return path;
}

static void publish(const char *path)
{
    struct skl_err err;
    char *data;
    size_t n;
    assert_int_equal(skl_file_read(path, 1 << 20, &data, &n, &err), SKL_OK);
    skl_sha256_hex(data, n, archive_hash);
    archive.bytes = (int64_t)n;
    free(data);
}

static int fresh(void **state)
{
    for (uint64_t i = 0; i < A_BYTES; i++) a[i] = (char)skl_rng_bits(1, i);
    for (uint64_t i = 0; i < B_BYTES; i++) b[i] = (char)skl_rng_bits(2, i);
    skl_sha256_hex(a, sizeof a, a_hash);
    skl_sha256_hex(b, sizeof b, b_hash);
    if (scratch_make(state)) return -1;
    struct skl_err err;
    setenv("XDG_DATA_HOME", scratch, 1);
    good_tar();
    publish(write_tar());
    return skl_mkdirs(in_scratch("out"), &err);
}

static int extract(const char *path, struct skl_err *err)
{
    *err = (struct skl_err){0};
    return skl_untar(&toy, path, in_scratch("out"), err);
}

static void assert_content(const char *path, const void *data, size_t n)
{
    struct skl_err err;
    char *found;
    size_t bytes;
    assert_int_equal(skl_file_read(path, 1 << 20, &found, &bytes, &err), SKL_OK);
    assert_int_equal(bytes, n);
    assert_memory_equal(found, data, n);
    free(found);
}

static void takes_the_files_out(void **state)
{
    struct skl_err err;
    assert_int_equal(extract(in_scratch("toy.tar.gz"), &err), SKL_OK);
    assert_content(in_scratch("out/a.bin"), a, sizeof a);
    assert_content(in_scratch("out/b.bin"), b, sizeof b);
    assert_int_equal(count_entries(in_scratch("out")), 2);
}

/* The archive at hand is refused with these words, and nothing but whole files of the set comes out. */
static void assert_refused(const char *words)
{
    struct skl_err err;
    const char *path = write_tar();
    assert_int_equal(extract(path, &err), SKL_DATA);
    assert_contains(err.text, path);
    assert_contains(err.text, words);
    assert_true(count_entries(in_scratch("out")) <= 2);
    assert_int_equal(count_entries(scratch), 2); /* the archive and out/ */
    assert_false(!access("/tmp/escaped", F_OK));
}

/* A good archive with one more member before the end. */
static void with(const char *name, char type, const char *link, const void *data, size_t n)
{
    good_tar();
    tar_bytes -= 1024;
    add(name, type, link, data, n);
    end_tar();
}

static void refuses_hostile_members(void **state)
{
    static const char *const names[] = {"../escaped", "/tmp/escaped", "toy/../../escaped", "..", "toy/..",
                                        "toy/a\nb",   "\x1b[2J"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        with(names[i], '0', NULL, "x", 1);
        assert_refused("unsafe name");
    }
    static const char types[] = "12346789LKS"; /* links, devices, FIFO, GNU's long names */
    for (const char *t = types; *t; t++) {
        with("toy/link", *t, "/etc/passwd", NULL, 0);
        assert_refused("link or a device");
    }
    with("toy/a.bin", '2', "/etc/passwd", NULL, 0);
    assert_refused("link or a device");
    with("toy/a.bin", '0', NULL, a, sizeof a);
    assert_refused("twice");
    with("toy/large", '0', NULL, NULL, 2 << 20);
    assert_refused("unexpected member");
}

static void refuses_wrong_members(void **state)
{
    good_tar();
    tar_bytes = 512 + 1024 + 1024; /* the folder, readme and b */
    end_tar();
    assert_refused("'toy/a.bin' is missing");
    tar_bytes = 0;
    add("toy/a.bin", '0', NULL, a, sizeof a - 1);
    end_tar();
    assert_refused("expected 1000 bytes, found 999");
    tar_bytes = 0;
    a[17] ^= 1;
    add("toy/a.bin", '0', NULL, a, sizeof a);
    a[17] ^= 1;
    end_tar();
    assert_refused("expected SHA-256");
    assert_int_equal(count_entries(in_scratch("out")), 1); /* b, which came before the end of the first */
    good_tar();
    tar[1536 + 3]++; /* the name of b */
    assert_refused("checksum");
    good_tar();
    memset(tar + 124, '7', 12);
    assert_refused("checksum");
}

static void refuses_every_truncation(void **state)
{
    struct skl_err err;
    good_tar();
    for (size_t n = 0; n < tar_bytes - 1024; n += 100) {
        put_gzip(in_scratch("toy.tar.gz"), tar, n);
        assert_int_equal(extract(in_scratch("toy.tar.gz"), &err), SKL_DATA);
    }
    char *gz;
    size_t bytes;
    write_tar();
    assert_int_equal(skl_file_read(in_scratch("toy.tar.gz"), 1 << 20, &gz, &bytes, &err), SKL_OK);
    for (size_t n = 0; n + 60 < bytes; n += 7) {
        put_file(in_scratch("toy.tar.gz"), gz, n);
        assert_int_equal(extract(in_scratch("toy.tar.gz"), &err), SKL_DATA);
    }
    free(gz);
}

/* A million members, and a member that inflates without end: refused after the first few, quickly. */
static void refuses_floods(void **state)
{
    gzFile f = gzopen(in_scratch("toy.tar.gz"), "wb1");
    tar_bytes = 0;
    add("toy/empty", '0', NULL, NULL, 0);
    for (int i = 0; i < 1000000 / 1000; i++) {
        static char many[1000 * 512];
        for (int k = 0; k < 1000 && i == 0; k++) memcpy(many + k * 512, tar, 512);
        gzwrite(f, many, sizeof many);
    }
    gzclose(f);
    struct skl_err err;
    clock_t start = clock();
    assert_int_equal(extract(in_scratch("toy.tar.gz"), &err), SKL_DATA);
    assert_contains(err.text, "more than 64 members");
    f = gzopen(in_scratch("toy.tar.gz"), "wb1");
    tar_bytes = 0;
    add("toy/a.bin", '0', NULL, NULL, (size_t)10 << 20);
    gzwrite(f, tar, 512);
    static const char zeros[1 << 20];
    for (int i = 0; i < 10; i++) gzwrite(f, zeros, sizeof zeros);
    gzclose(f);
    assert_int_equal(extract(in_scratch("toy.tar.gz"), &err), SKL_DATA);
    assert_contains(err.text, "expected 1000 bytes");
    took("two floods", (double)(clock() - start) / CLOCKS_PER_SEC, 2);
}

static const char *wanted_words;
static int refused_in_child(void)
{
    struct skl_err err;
    return extract(in_scratch("toy.tar.gz"), &err) != SKL_DATA || !strstr(err.text, wanted_words);
}

static void refuses_bombs(void **state)
{
    static const struct {
        const char *name;
        char type;
        size_t size;
        const char *words;
    } members[] = {
        {"toy/a.bin", '0', (size_t)8 << 30, "expected 1000 bytes"},
        {"toy/readme", '0', (size_t)7 << 30, "unexpected member"},
        {"toy/readme", 'x', (size_t)7 << 30, "unexpected member"},
        {"toy/", '5', (size_t)7 << 30, "unexpected member"},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        tar_bytes = 0;
        add(members[i].name, members[i].type, NULL, NULL, members[i].size);
        put_bomb(in_scratch("toy.tar.gz"), tar, tar_bytes, 10000);
        wanted_words = members[i].words;
        in_little(refused_in_child, 64, 2);
    }
    put_bomb(in_scratch("toy.tar.gz"), "", 0, 10000);
    wanted_words = "missing";
    in_little(refused_in_child, 64, 2);
}

static int fetch(const char *from, struct skl_err *err)
{
    char *home = NULL;
    *err = (struct skl_err){0};
    int rc = skl_fetch(&toy, from, &home, err);
    if (rc == SKL_OK) assert_string_equal(home, in_scratch("skiplab/toy"));
    free(home);
    return rc;
}

static void fetches_from_a_file(void **state)
{
    struct skl_err err;
    char *folder;
    bool published;
    assert_int_equal(skl_set_locate(&toy, NULL, &folder, &published, &err), SKL_DATA);
    assert_int_equal(fetch(in_scratch("toy.tar.gz"), &err), SKL_OK);
    assert_content(in_scratch("skiplab/toy/a.bin"), a, sizeof a);
    assert_int_equal(count_entries(in_scratch("skiplab/toy")), 2);
    assert_int_equal(count_entries(in_scratch("skiplab")), 1);
    assert_int_equal(skl_set_locate(&toy, NULL, &folder, &published, &err), SKL_OK);
    assert_string_equal(folder, in_scratch("skiplab/toy"));
    assert_true(published);
    free(folder);
    assert_int_equal(fetch(in_scratch("toy.tar.gz"), &err), SKL_FAILED);
    assert_contains(err.text, "there already");
}

static void leaves_nothing_of_a_bad_archive(void **state)
{
    struct skl_err err;
    with("toy/more", '0', NULL, "x", 1);
    assert_int_equal(fetch(write_tar(), &err), SKL_DATA); /* other bytes than the published ones */
    assert_contains(err.text, "as published");
    publish(in_scratch("toy.tar.gz"));
    archive_hash[5] ^= 1;
    assert_int_equal(fetch(in_scratch("toy.tar.gz"), &err), SKL_DATA);
    assert_contains(err.text, "expected SHA-256");
    with("../escaped", '0', NULL, "x", 1);
    publish(write_tar());
    assert_int_equal(fetch(in_scratch("toy.tar.gz"), &err), SKL_DATA);
    assert_int_equal(count_entries(in_scratch("skiplab")), 0);
    assert_int_equal(fetch(in_scratch("absent"), &err), SKL_DATA);
    assert_contains(err.text, "absent");
}

/* A "curl" of our own, first in PATH: writes down its arguments and does `action` with the --output file in $out. */
static void put_curl(const char *action)
{
    struct skl_err err;
    char text[1024];
    snprintf(text, sizeof text,
             "#!/bin/sh\nfor w; do test \"$last\" = --output && out=$w; last=$w; echo \"$w\"; done >%s/words\n%s\n",
             scratch, action);
    assert_int_equal(skl_mkdirs(in_scratch("bin"), &err), SKL_OK);
    put_file(in_scratch("bin/curl"), text, strlen(text));
    assert_int_equal(chmod(in_scratch("bin/curl"), 0700), 0);
}

static void fetches_with_curl(void **state)
{
    struct skl_err err;
    char *old = skl_strdup(getenv("PATH")), *path = skl_format("%s/bin:%s", scratch, old), action[300], *words;
    size_t n;
    setenv("PATH", path, 1);
    put_curl("exit 22");
    assert_int_equal(fetch(NULL, &err), SKL_DATA);
    assert_contains(err.text, "curl: exit status 22");
    put_curl("head -c 2000000 /dev/zero >$out; exit 0"); /* more than was announced: cut off by the limit */
    assert_int_equal(fetch(NULL, &err), SKL_DATA);
    assert_int_equal(count_entries(in_scratch("skiplab")), 0);
    snprintf(action, sizeof action, "cat %s >$out", in_scratch("toy.tar.gz"));
    put_curl(action);
    assert_int_equal(fetch(NULL, &err), SKL_OK);
    assert_content(in_scratch("skiplab/toy/b.bin"), b, sizeof b);
    assert_int_equal(count_entries(in_scratch("skiplab/toy")), 2); /* the archive itself is not kept */
    assert_int_equal(skl_file_read(in_scratch("words"), 1 << 16, &words, &n, &err), SKL_OK);
    assert_contains(words, "-q\n--proto\n=https\n--proto-redir\n=https\n");
    assert_contains(words, "--fail\n");
    assert_contains(words, "--url\nhttps://localhost/toy.tar.gz\n");
    setenv("PATH", "/nowhere", 1);
    unlink(in_scratch("skiplab/toy/a.bin"));
    unlink(in_scratch("skiplab/toy/b.bin"));
    rmdir(in_scratch("skiplab/toy"));
    assert_int_equal(fetch(NULL, &err), SKL_FAILED);
    assert_contains(err.text, "apt install curl");
    setenv("PATH", old, 1);
    free(words);
    free(path);
    free(old);
}

/* Rests of a killed fetch are swept away; a fetch that is under way is left alone. */
static void shares_its_place(void **state)
{
    struct skl_err err;
    const char *part = in_scratch("skiplab/toy.part");
    assert_int_equal(skl_mkdirs(part, &err), SKL_OK);
    put_file(in_scratch("skiplab/toy.part/a.bin.17-0.tmp"), "x", 1);
    int fd = open(in_scratch("skiplab/toy.part"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(fetch(in_scratch("toy.tar.gz"), &err), SKL_BUSY);
    assert_true(!access(in_scratch("skiplab/toy.part/a.bin.17-0.tmp"), F_OK));
    close(fd);
    assert_int_equal(fetch(in_scratch("toy.tar.gz"), &err), SKL_OK);
    assert_int_equal(count_entries(in_scratch("skiplab/toy")), 2);
}

/* The published table itself: what stands in it can be meant. */
static void the_table_is_sound(void **state)
{
    for (int i = 0; skl_set_get(i); i++) {
        const struct skl_set *s = skl_set_get(i);
        assert_string_equal(skl_dataset_names()[i], s->name);
        const struct skl_set *found;
        assert_int_equal(skl_set_find(s->name, &found, NULL), SKL_OK);
        assert_ptr_equal(found, s);
        assert_non_null(s->read);
        const struct skl_file *list[SKL_SET_FILES + 1] = {s->archive};
        for (int k = 0; s->files[k].name; k++) list[k + 1] = &s->files[k];
        for (int k = 0; k <= SKL_SET_FILES; k++) {
            if (!list[k]) continue;
            assert_int_equal(strspn(list[k]->sha256, "0123456789abcdef"), 64);
            assert_int_equal(strlen(list[k]->sha256), 64);
            assert_true(list[k]->bytes > 0);
            bool whole = k == 0 || !s->archive; /* downloaded as it is */
            assert_true(whole == (list[k]->url != NULL));
            if (whole) assert_int_equal(strncmp(list[k]->url, "https://", 8), 0);
        }
        if (s->archive) assert_non_null(s->folder);
    }
    assert_null(skl_dataset_names()[6]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, scratch_remove)
    const struct CMUnitTest tests[] = {
        TEST(takes_the_files_out),
        TEST(refuses_hostile_members),
        TEST(refuses_wrong_members),
        TEST(refuses_every_truncation),
        TEST(refuses_floods),
        TEST(refuses_bombs),
        TEST(fetches_from_a_file),
        TEST(leaves_nothing_of_a_bad_archive),
        TEST(fetches_with_curl),
        TEST(shares_its_place),
        cmocka_unit_test(the_table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
