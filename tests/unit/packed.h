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

static inline void append_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}
#endif
