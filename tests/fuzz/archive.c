/* A tar archive, gzipped or not.  An odd first byte: the checksums of the headers are put right here.  Nothing but the
 * set's files may appear, whole, and nothing outside the folder. */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/fs.h"
#include "core/data/sets.h"
#include "tests/fuzz/fuzz.h"

enum { BLOCK = 512, SIZE_AT = 124, SUM_AT = 148 };
static const char a[] = "abc", b[] = "hello";
static char a_hash[65], b_hash[65];
static const struct skl_file archive = {"toy.tar.gz", "https://localhost/toy.tar.gz", 0, ""};
static const struct skl_set toy = {.name = "toy",
                                   .archive = &archive,
                                   .folder = "toy",
                                   .files = {{"a.bin", NULL, 3, a_hash}, {"b.bin", NULL, 5, b_hash}}};

static void right_checksums(uint8_t *tar, size_t n)
{
    for (size_t at = 0; at + BLOCK <= n; at += BLOCK) {
        unsigned sum = 8 * ' ', zero = 1;
        for (size_t i = 0; i < BLOCK; i++) {
            zero = zero && tar[at + i] == 0;
            if (i < SUM_AT || i >= SUM_AT + 8) sum += tar[at + i];
        }
        if (zero) continue;
        snprintf((char *)tar + at + SUM_AT, 8, "%06o", sum);
        long size = strtol((char *)tar + at + SIZE_AT, NULL, 8); /* ends at a blank or at the next field */
        if (size > 0 && (size_t)size < n) at += ((size_t)size + BLOCK - 1) / BLOCK * BLOCK;
    }
}

static void check_content(const char *path, const char *want, size_t n)
{
    char *data;
    size_t got;
    FUZZ_CHECK(skl_file_read(path, 100, &data, &got, NULL) == SKL_OK && got == n && !memcmp(data, want, n));
    free(data);
    unlink(path);
}

static int entries(const char *folder)
{
    int count = 0;
    DIR *d = opendir(folder);
    FUZZ_CHECK(d);
    while (readdir(d)) count++;
    closedir(d);
    return count - 2; /* . and .. */
}

void fuzz_one(const uint8_t *data, size_t n)
{
    static char *out, *path_a, *path_b;
    if (n < 1) return;
    if (!out) {
        skl_sha256_hex(a, 3, a_hash);
        skl_sha256_hex(b, 5, b_hash);
        out = skl_path(fuzz_folder(), "out");
        path_a = skl_path(out, "a.bin");
        path_b = skl_path(out, "b.bin");
        FUZZ_CHECK(mkdir(out, 0700) == 0);
    }
    char *tar = fuzz_copy(data + 1, n - 1);
    if (data[0] & 1) right_checksums((uint8_t *)tar, n - 1);
    struct skl_err err = {0};
    int status = skl_untar(&toy, fuzz_file("toy.tar", tar, n - 1), out, &err);
    free(tar);
    if (status) fuzz_check_error(status, &err);
    FUZZ_CHECK(status || (!access(path_a, F_OK) && !access(path_b, F_OK)));
    if (!access(path_a, F_OK)) check_content(path_a, a, 3);
    if (!access(path_b, F_OK)) check_content(path_b, b, 5);
    FUZZ_CHECK(entries(out) == 0 && entries(fuzz_folder()) == 2);
}
