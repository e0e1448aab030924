/* common.cl - stands before every other text.
 *
 * Tensors are float32, NHWC; one is given as a buffer and the byte in it where it begins.  Nothing is contracted that
 * is not written fma(): the same text gives the same bits on one device and driver.  All work-groups are whole, every
 * barrier is reached by all, and a loop that holds one goes as far as arguments and numbers say, not as a work-group's
 * place does: pocl 5.0 gets those wrong.  No atomics: sums are made within a group by a fixed tree and over the groups,
 * in their order, by whoever reads the partial sums. */
#pragma OPENCL FP_CONTRACT OFF

#define KERNEL(items) __kernel __attribute__((reqd_work_group_size(items, 1, 1))) void
#define TENSOR(name) __global float *name, ulong name##_at
#define BYTES(name) __global uchar *name, ulong name##_at
#define AT(name) ((__global float *)((__global char *)name + name##_at))
#define BYTES_AT(name) (name + name##_at)

/* Batch-norm groups stand one behind the other in every tensor and have vectors of their own.  `span` work-groups (of
 * the first dimension) make one of them: */
#define BN_GROUP ((int)get_group_id(0) / span)
#define IN_GROUP ((int)get_group_id(0) % span)

/* Before every loop over an array of an item's own: an index that is not known when the text is built would put it
 * into memory, and pocl 5.0 mixes such arrays up where a kernel has barriers, in some builds and not in others. */
#define UNROLLED _Pragma("unroll")

/* An int that stops what changes a net, where there is one. */
#define STOP BYTES(stop), int may_stop
#define STOPPED (may_stop && *(__global const int *)BYTES_AT(stop))

/* ---- an operand (device.h): v = relu?( scale x + shift + add_scale keep? add ), also written to out if asked ---- */
struct operand {
    __global const float *x, *scale, *shift, *add, *add_scale;
    __global const uchar *keep;
    __global float *out;
    int flags;
};
#define OPERAND_PARAMS(l) \
    TENSOR(l##x), TENSOR(l##scale), TENSOR(l##shift), TENSOR(l##add), TENSOR(l##add_scale), BYTES(l##keep), \
        TENSOR(l##out), int l##flags
/* skip: where the vectors of this work-group's batch-norm group begin. */
#define OPERAND(l, skip) \
    { \
        AT(l##x), AT(l##scale) + (KNOWN(l##flags) & OPERAND_SAME ? 0 : skip), \
            AT(l##shift) + (KNOWN(l##flags) & OPERAND_SAME ? 0 : skip), AT(l##add), AT(l##add_scale) + skip, \
            BYTES_AT(l##keep), AT(l##out), KNOWN(l##flags) \
    }

/* ---- a result: y = mask?( v + add_scale keep? add ), and sums over y ---- */
struct result {
    __global float *y;
    __global const float *add, *add_scale;
    __global const uchar *keep;
    __global const float *mask, *mask_scale, *mask_shift, *partner, *pivot, *partner2, *pivot2;
    __global float *part; /* [work-groups][SUMS_NUMBERS][c] */
    int flags;
};
#define RESULT_PARAMS(s) \
    TENSOR(s##y), TENSOR(s##add), TENSOR(s##add_scale), BYTES(s##keep), TENSOR(s##mask), TENSOR(s##mask_scale), \
        TENSOR(s##mask_shift), TENSOR(s##partner), TENSOR(s##pivot), TENSOR(s##partner2), TENSOR(s##pivot2), \
        TENSOR(s##part), int s##flags
#define RESULT(s, skip) \
    { \
        AT(s##y), AT(s##add), AT(s##add_scale) + skip, BYTES_AT(s##keep), AT(s##mask), AT(s##mask_scale) + skip, \
            AT(s##mask_shift) + skip, AT(s##partner), AT(s##pivot) + skip, AT(s##partner2), AT(s##pivot2) + skip, \
            AT(s##part), KNOWN(s##flags) \
    }

/* Flags may be known when the text is built (-DKNOWN_l_flags=3): then what is absent costs nothing. */
#define KNOWN(name) KNOWN_##name
#ifndef KNOWN_l_flags
#define KNOWN_l_flags l_flags
#endif
#ifndef KNOWN_x_flags
#define KNOWN_x_flags x_flags
#endif
#ifndef KNOWN_s_flags
#define KNOWN_s_flags s_flags
#endif

/* -DSUMS: what sums a text's result makes.  (Known when the text is built: no barrier may stand behind a condition,
 * pocl 3.1 makes wrong code of it.) */
#define STATISTICS 1
#define PRODUCTS 2
#ifndef SUMS
#define SUMS 0
#endif

/* Philox4x32-10 (core/base/rng.c): the same words. */
static uint4 philox(ulong key, ulong counter)
{
    uint k0 = (uint)key, k1 = (uint)(key >> 32);
    uint4 c = (uint4)((uint)counter, (uint)(counter >> 32), 0, 0);
    for (int i = 0; i < 10; i++) {
        const uint h0 = mul_hi(0xD2511F53u, c.x), l0 = 0xD2511F53u * c.x;
        const uint h1 = mul_hi(0xCD9E8D57u, c.z), l1 = 0xCD9E8D57u * c.z;
        c = (uint4)(h1 ^ c.y ^ k0, l1, h0 ^ c.w ^ k1, l0);
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return c;
}

/* load.cl and store.cl follow twice: for one channel (load_value1) and for four (load_value4). */
