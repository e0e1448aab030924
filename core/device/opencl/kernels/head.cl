/* head.cl - average pooling, fully connected layer, softmax cross-entropy, both ways. */
#define ITEMS 256

/* pooled[image][c] = mean of the loaded values; work-groups (image, block of `lanes` channels). */
KERNEL(ITEMS)
pool(OPERAND_PARAMS(l_), int pixels, int c, int lanes, TENSOR(pooled), int span)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const struct operand l = OPERAND(l_, BN_GROUP * c);
    const int t = get_local_id(0), lane = t % lanes, row = t / lanes, ch = get_group_id(1) * lanes + lane;
    const ulong image = get_group_id(0);
    struct sums1 r = {0, 0, 0, 0};
    if (ch < c)
        for (int p = row; p < pixels; p += ITEMS / lanes) {
            const ulong at = (image * pixels + p) * c + ch;
            const float v = load_value1(&l, at, ch);
            if (l.flags & OPERAND_OUT) l.out[at] = v;
            r.a += v;
        }
    join_rows1(0, red, ITEMS, ITEMS / lanes, lanes, row, lane, r);
    if (row == 0 && ch < c) AT(pooled)[image * c + ch] = red[lane] / pixels;
}

KERNEL(ITEMS)
logits(TENSOR(pooled), TENSOR(weight), TENSOR(bias), int n, int c, int classes, TENSOR(to))
{
    const int i = get_global_id(0), image = i / classes, k = i % classes;
    if (i >= n * classes) return;
    float sum = AT(bias)[k];
    for (int j = 0; j < c; j++) sum = fma(AT(weight)[k * c + j], AT(pooled)[(ulong)image * c + j], sum);
    AT(to)[i] = sum;
}

/* score->loss, a double of the host, += v.  Where the device has no doubles the sum is made in float32. */
static void add_loss(__global ulong *loss, float v)
{
#ifdef cl_khr_fp64
    *loss = as_ulong(as_double(*loss) + v);
#else
    const ulong bits = *loss;
    const int exponent = (int)(bits >> 52 & 0x7ff) - 1023 + 127;
    float old = 0;
    if (exponent > 0)
        old = as_float((uint)(min(exponent, 255) << 23) | (uint)(exponent < 255 ? bits >> 29 & 0x7fffff : 0));
    v += bits >> 63 ? -old : old;
    const uint f = as_uint(v);
    const ulong e = f >> 23 & 0xff;
    *loss = (ulong)(f >> 31) << 63 | (e == 0 ? 0 : (e == 255 ? 0x7fful : e + 896) << 52 | (ulong)(f & 0x7fffff) << 29);
#endif
}

/* An image's loss and error; d = (softmax - target) / batch. */
static struct sums1 image_loss(__global const float *z, __global float *d, int label, int other, int classes, int batch,
                               float mix, float smoothing)
{
    int best = 0;
    for (int k = 1; k < classes; k++)
        if (z[k] > z[best]) best = k;
    float sum = 0;
    for (int k = 0; k < classes; k++) sum += exp(z[k] - z[best]);
    float wanted = 0;
    for (int k = 0; k < classes; k++) {
        const float share = smoothing / classes + (1 - smoothing) * ((1 - mix) * (k == label) + mix * (k == other));
        d[k] = (exp(z[k] - z[best]) / sum - share) / batch;
        if (share > 0) wanted = fma(share, z[k], wanted);
    }
    const struct sums1 r = {z[best] - wanted + (sum > 0 ? log(sum) : sum), !(best == label && z[best] == z[best]), 0,
                            0};
    return r;
}

/* One work-group: the images' losses and errors summed, batch-norm group by group, added to the score. */
KERNEL(ITEMS)
loss(TENSOR(logits), BYTES(labels), BYTES(others), TENSOR(dlogits), BYTES(score), int groups, int n, int classes,
     int batch, float mix, float smoothing)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int t = get_local_id(0);
    for (int g = 0; g < groups; g++) {
        struct sums1 r = {0, 0, 0, 0};
        for (int i = g * n + t; i < (g + 1) * n; i += ITEMS) {
            const struct sums1 one =
                image_loss(AT(logits) + (ulong)i * classes, AT(dlogits) + (ulong)i * classes,
                           ((__global const int *)BYTES_AT(labels))[i], ((__global const int *)BYTES_AT(others))[i],
                           classes, batch, mix, smoothing);
            r.a += one.a, r.b += one.b;
        }
        join_rows1(0, red, ITEMS, ITEMS, 1, t, 0, r);
        if (t == 0) {
            __global ulong *to = (__global ulong *)BYTES_AT(score);
            add_loss(to, red[0]);
            to[1] += (ulong)red[ITEMS];
        }
    }
}

/* Three 64-bit numbers: the score's two, the stop as it was (device.h).  A double is not finite where all bits of its
 * exponent are set. */
KERNEL(ITEMS)
note(BYTES(score), BYTES(stop), BYTES(to))
{
    if (get_local_id(0) != 0) return;
    __global const ulong *from = (__global const ulong *)BYTES_AT(score);
    __global ulong *row = (__global ulong *)BYTES_AT(to);
    __global int *flag = (__global int *)BYTES_AT(stop);
    row[0] = from[0], row[1] = from[1], row[2] = (ulong)*flag;
    if ((from[0] >> 52 & 0x7ff) == 0x7ff) *flag = 1;
}

/* Item (k, j): dweight[k][j]; j = c: dbias[k]. */
KERNEL(ITEMS)
head_weights(TENSOR(dlogits), TENSOR(pooled), int groups, int n, int c, int classes, TENSOR(dweight), TENSOR(dbias),
             int accumulate)
{
    const int i = get_global_id(0), k = i / (c + 1), j = i % (c + 1);
    if (k >= classes) return;
    __global float *to = j < c ? AT(dweight) + (ulong)k * c + j : AT(dbias) + k;
    for (int g = 0; g < groups; g++) {
        float sum = 0;
        for (int m = g * n; m < (g + 1) * n; m++) {
            const float d = AT(dlogits)[(ulong)m * classes + k];
            sum = j < c ? fma(d, AT(pooled)[(ulong)m * c + j], sum) : sum + d;
        }
        *to = accumulate || g > 0 ? *to + sum : sum;
    }
}

KERNEL(ITEMS)
head_data(TENSOR(dlogits), TENSOR(weight), int n, int c, int classes, TENSOR(dpooled))
{
    const int i = get_global_id(0), image = i / c, j = i % c;
    if (i >= n * c) return;
    float sum = 0;
    for (int k = 0; k < classes; k++)
        sum = fma(AT(dlogits)[(ulong)image * classes + k], AT(weight)[(ulong)k * c + j], sum);
    AT(dpooled)[i] = sum;
}
