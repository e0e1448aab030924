/* update.cl - what happens to all tensors of a net in one launch: a table has a row a work-group. */
#define ITEMS 256

/* dw[0..count) = (accumulate ? dw : 0) + sum over parts in order of from[part * stride]. */
struct reduction {
    ulong from, to; /* floats from the buffers' beginnings */
    int parts, stride, count, accumulate;
};
KERNEL(ITEMS)
reduce(__global const uchar *table, __global const float *from, __global float *to)
{
    const struct reduction r = ((__global const struct reduction *)table)[get_group_id(0)];
    const int i = get_local_id(0);
    if (i >= r.count) return;
    float sum = r.accumulate ? to[r.to + i] : 0;
    for (int p = 0; p < r.parts; p++) sum += from[r.from + (ulong)p * r.stride + i];
    to[r.to + i] = sum;
}

struct learned {
    ulong value, grad, momentum;
    int count, decay;
};
KERNEL(ITEMS)
sgd(__global const uchar *table, __global float *value, __global const float *grad, __global float *momentum, float lr,
    float m, float weight_decay, int caffe, int nesterov, STOP)
{
    if (STOPPED) return;
    const struct learned t = ((__global const struct learned *)table)[get_group_id(0)];
    const float wd = t.decay ? weight_decay : 0;
    for (int i = get_local_id(0); i < t.count; i += ITEMS) {
        const float w = value[t.value + i], g = fma(wd, w, grad[t.grad + i]);
        const float d = caffe ? lr * g : g, v = fma(m, momentum[t.momentum + i], d), step = nesterov ? fma(m, v, d) : v;
        momentum[t.momentum + i] = v;
        value[t.value + i] = caffe ? w - step : fma(-lr, step, w);
    }
}

/* All that write, write the same. */
KERNEL(ITEMS)
find_infinite(TENSOR(v), ulong floats, BYTES(flag))
{
    for (ulong i = get_global_id(0); i < floats; i += get_global_size(0))
        if (!(fabs(AT(v)[i]) <= FLT_MAX)) *(__global int *)BYTES_AT(flag) = 1;
}
