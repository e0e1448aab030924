/* A pair of IDX files.  The first byte says what the rest is: bit 0 labels (else images), bit 1 to be gzipped here. */
#include <stdbool.h>
#include <zlib.h>
#include "core/data/sets.h"
#include "tests/fuzz/fuzz.h"

enum { LABELS = 1, PACK = 2, N = 2, IMAGE = 784 };

static const char *put(const char *name, const uint8_t *data, size_t n, bool pack)
{
    static uint8_t packed[1 << 20];
    if (!pack) return fuzz_file(name, data, n);
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)data, .avail_in = (uInt)n, .next_out = packed};
    z.avail_out = sizeof packed;
    FUZZ_CHECK(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    FUZZ_CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return fuzz_file(name, packed, z.total_out);
}

void fuzz_one(const uint8_t *data, size_t n)
{
    static const uint8_t labels[8 + N] = {0, 0, 8, 1, 0, 0, 0, N, 3, 9};
    static const uint8_t images[16 + N * IMAGE] = {0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, 28, 0, 0, 0, 28};
    if (n < 1 || n > 1 << 19) return;
    bool is_labels = data[0] & LABELS, pack = data[0] & PACK;
    const char *given = put(is_labels ? "labels" : "images", data + 1, n - 1, pack);
    const char *other =
        is_labels ? put("images", images, sizeof images, false) : put("labels", labels, sizeof labels, false);
    struct skl_images out;
    struct skl_err err = {0};
    int status = skl_idx_read(is_labels ? other : given, is_labels ? given : other, 10, &out, &err);
    if (status) {
        fuzz_check_error(status, &err);
        FUZZ_CHECK(status == SKL_DATA);
    } else {
        FUZZ_CHECK(out.count == N && out.size == 32 && out.channels == 1);
        for (int i = 0; i < N; i++) FUZZ_CHECK(out.labels[i] >= 0 && out.labels[i] < 10);
    }
    free(out.pixels);
    free(out.labels);
}
