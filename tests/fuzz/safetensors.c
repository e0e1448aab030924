/* A safetensors file, foreign or ours.  What is accepted keeps the promises of the format. */
#include <stdbool.h>
#include "core/io/safetensors.h"
#include "tests/fuzz/fuzz.h"

static const size_t size_of[] = {[SKL_F32] = 4, [SKL_I64] = 8, [SKL_F64] = 8, [SKL_I32] = 4, [SKL_U8] = 1};

static bool starts_at(const struct skl_st *st, const char *place)
{
    for (int i = 0; i < st->count; i++)
        if (st->tensor[i].bytes && st->tensor[i].data == place) return true;
    return false;
}

/* Shape and dtype make the size; the tensors lie end to end and fill the file. */
static void check_tensors(const struct skl_st *st, const char *file_end)
{
    size_t total = 0;
    for (int i = 0; i < st->count; i++) {
        const struct skl_st_tensor *t = &st->tensor[i];
        const char *data = t->data, *end = data + t->bytes;
        size_t bytes = size_of[t->dtype];
        FUZZ_CHECK(t->ndim >= 0 && t->ndim <= 8);
        for (int d = 0; d < t->ndim; d++) FUZZ_CHECK(!__builtin_mul_overflow(bytes, (size_t)t->shape[d], &bytes));
        FUZZ_CHECK(bytes == t->bytes && (uintptr_t)data % size_of[t->dtype] == 0);
        if (file_end) { /* the file's own bytes, not an aligned copy */
            FUZZ_CHECK(data > st->buffer && end <= file_end);
            FUZZ_CHECK(t->bytes == 0 || end == file_end || starts_at(st, end));
        }
        FUZZ_CHECK(skl_st_find(st, t->name) == t);
        FUZZ_CHECK(i == 0 || strcmp(st->tensor[i - 1].name, t->name) < 0);
        total += t->bytes;
    }
    if (file_end) FUZZ_CHECK(total <= (size_t)(file_end - st->buffer) - 8);
}

static void parse(const uint8_t *data, size_t n, bool digest)
{
    struct skl_st st;
    struct skl_err err = {0};
    char *copy = fuzz_copy(data, n);
    int status = skl_st_parse("f", copy, n, digest, &st, &err);
    if (status) {
        fuzz_check_error(status, &err);
        FUZZ_CHECK(status == SKL_DATA && !st.buffer);
        return;
    }
    check_tensors(&st, st.buffer == copy ? copy + n : NULL);
    for (int i = 0; i < st.metas; i++) FUZZ_CHECK(skl_st_meta(&st, st.meta[i].key) == st.meta[i].value);
    skl_st_release(&st);
}

void fuzz_one(const uint8_t *data, size_t n)
{
    parse(data, n, false);
    parse(data, n, true);
}
