/* A CIFAR file of one record.  The first byte says: bit 0 CIFAR-100, bit 1 filled up to the right size. */
#include <stdbool.h>
#include "core/data/sets.h"
#include "tests/fuzz/fuzz.h"

enum { PIXELS = 3072 };

void fuzz_one(const uint8_t *data, size_t n)
{
    static uint8_t record[2 + PIXELS], pixels[PIXELS];
    if (n < 1) return;
    int label_bytes = data[0] & 1 ? 2 : 1;
    size_t right = (size_t)label_bytes + PIXELS;
    const char *path;
    if (data[0] & 2) {
        memset(record, 0, sizeof record);
        memcpy(record, data + 1, n - 1 < right ? n - 1 : right);
        path = fuzz_file("record", record, right);
    } else {
        path = fuzz_file("record", data + 1, n - 1);
    }
    int32_t label = -1;
    struct skl_err err = {0};
    int status = skl_cifar_read(path, 1, label_bytes, NULL, pixels, &label, &err);
    if (status) {
        fuzz_check_error(status, &err);
        FUZZ_CHECK(status == SKL_DATA);
        return;
    }
    FUZZ_CHECK(label >= 0 && label < (label_bytes == 2 ? 100 : 10));
}
