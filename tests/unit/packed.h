/* packed.h - gzipped files for the tests of core/data. */
#ifndef SKL_TEST_PACKED_H
#define SKL_TEST_PACKED_H
#include <zlib.h>
#include "tests/unit/scratch.h"

static inline void put_gzip(const char *path, const void *data, size_t n)
{
    gzFile f = gzopen(path, "wb6");
    assert_non_null(f);
    if (n) assert_int_equal(gzwrite(f, data, (unsigned)n), n);
    assert_int_equal(gzclose(f), Z_OK);
}

/* A gzip file of `head` and then `mib` MiB of zeros, about a thousandth of that on disk. */
static inline void put_bomb(const char *path, const void *head, size_t n, int mib)
{
    enum { MIB = 1 << 20 };
    uint8_t *zeros = calloc(1, MIB), *out = malloc(MIB);
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)head, .avail_in = (uInt)n, .next_out = out, .avail_out = MIB};
    uLong sum = crc32(0, head, (uInt)n), sum_of_zeros = crc32(0, zeros, MIB);
    FILE *f = fopen(path, "wb");
    assert_true(zeros && out && f && deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    for (int i = 0; i < 2; i++) { /* after a full flush the next block stands for itself, and can be repeated */
        assert_int_equal(deflate(&z, Z_FULL_FLUSH), Z_OK);
        size_t length = MIB - z.avail_out;
        for (int k = 0; k < (i ? mib : 1); k++) assert_int_equal(fwrite(out, 1, length, f), length);
        z.next_in = zeros, z.avail_in = MIB, z.next_out = out, z.avail_out = MIB;
    }
    deflateEnd(&z);
    for (int k = 0; k < mib; k++) sum = crc32_combine(sum, sum_of_zeros, MIB);
    const uint32_t trailer[2] = {(uint32_t)sum, (uint32_t)(n + (size_t)mib * MIB)};
    fwrite("\3\0", 1, 2, f); /* an empty last block */
    fwrite(trailer, 4, 2, f);
    assert_int_equal(fclose(f), 0);
    free(zeros);
    free(out);
}

static inline void append_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}
#endif
