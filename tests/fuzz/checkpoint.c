/* A checkpoint's metadata.  The digest, which nothing but a whole file passes, is not asked for, so that what stands
 * behind it is reached. */
#include <math.h>
#include "core/io/safetensors.h"
#include "core/run/checkpoint.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t n)
{
    struct skl_st st;
    struct skl_state state;
    struct skl_err err = {0};
    if (skl_st_parse("f", fuzz_copy(data, n), n, false, &st, &err)) return;
    int status = skl_state_parse(&st, "f", &state, &err);
    if (status) {
        fuzz_check_error(status, &err);
        FUZZ_CHECK(status == SKL_DATA);
    } else {
        FUZZ_CHECK(state.iteration >= 0 && state.end >= state.iteration && state.tested >= 0);
        FUZZ_CHECK(state.errors >= 0 && state.count >= 0);
        FUZZ_CHECK(state.outcome >= SKL_RUNNING && state.outcome <= SKL_DIVERGED);
        for (int i = 0; i < SKL_LOGS; i++) FUZZ_CHECK(state.length[i] >= 0);
    }
    skl_st_release(&st);
}
