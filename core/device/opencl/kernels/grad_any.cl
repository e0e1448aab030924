/* grad_any.cl - the weights' gradient of any convolution as a matrix product: rows r = (tap, input channel), columns
 * the output channels, the sum over the output's pixels of a range.
 *
 * -D: T rows and columns a work-group (16, 32, 64). */
#define ITEMS 256
#define TQ (T / 4)
#define SPLIT (ITEMS / (TQ * TQ)) /* items that share the pixels */
#define PB (T == 64 ? 32 : 64)    /* pixels at a time */
#define ROW (T + 4)

KERNEL(ITEMS)
grad_any(OPERAND_PARAMS(x_), OPERAND_PARAMS(l_), int h, int width, int c, int oh, int ow, int k, int size, int stride,
         int pixels, int range_pixels, TENSOR(part), int span)
{
    __local float room[2 * PB * ROW > 4 * ITEMS ? 2 * PB * ROW : 4 * ITEMS] __attribute__((aligned(16)));
    __local int4 place[PB];
    const int g = BN_GROUP;
    const struct operand lx = OPERAND(x_, g * c), ld = OPERAND(l_, g * k);
    const int t = get_local_id(0), range = get_group_id(0), rows = size * size * c;
    const int first = g * pixels + IN_GROUP * range_pixels, end = min((g + 1) * pixels, first + range_pixels);
    /* what this item reads: always the same row and column of the tiles */
    const int lane = t % T, r = get_group_id(1) * T + lane, col = get_group_id(2) * T + lane;
    const int tap = r / c, ch = r % c, a = tap / size, b = tap % size;
    /* what it makes: rows 4 rq.., columns 4 kq.. */
    const int rq = t % TQ, kq = t / TQ % TQ, split = t / (TQ * TQ);
    __local float *xt = room, *dt = room + PB * ROW;
    float4 sum[4] = {0, 0, 0, 0};
    for (int done = 0; done < range_pixels; done += PB) {
        const int p0 = first + done;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (t < PB) {
            const int m = p0 + t;
            place[t] = m < end ? (int4)(m / (ow * oh), m / ow % oh * stride - size / 2, m % ow * stride - size / 2, 0)
                               : (int4)(-1, 0, 0, 0);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int p = t / T; p < PB; p += ITEMS / T) {
            const int4 at = place[p];
            const int y = at.y + a, x = at.z + b;
            float v = 0, d = 0;
            if (at.x >= 0 && r < rows && y >= 0 && y < h && x >= 0 && x < width)
                v = load_value1(&lx, (((ulong)at.x * h + y) * width + x) * c + ch, ch);
            if (at.x >= 0 && col < k) d = load_value1(&ld, (ulong)(p0 + p) * k + col, col);
            xt[p * ROW + lane] = v;
            dt[p * ROW + lane] = d;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int p = split; p < PB; p += SPLIT) {
            const float4 x = *(__local const float4 *)(xt + p * ROW + rq * 4);
            const float4 d = *(__local const float4 *)(dt + p * ROW + kq * 4);
            sum[0] = fma(d, x.x, sum[0]), sum[1] = fma(d, x.y, sum[1]);
            sum[2] = fma(d, x.z, sum[2]), sum[3] = fma(d, x.w, sum[3]);
        }
    }
    __local float4 *red = (__local float4 *)room;
    UNROLLED
    for (int j = 0; j < 4; j++) {
        barrier(CLK_LOCAL_MEM_FENCE);
        red[t] = sum[j];
        barrier(CLK_LOCAL_MEM_FENCE);
        const int row = get_group_id(1) * T + rq * 4 + j;
        if (split == 0 && row < rows) {
            float4 v = red[t];
            for (int q = 1; q < SPLIT; q++) v += red[t + q * TQ * TQ];
            float four[4];
            vstore4(v, 0, four);
            UNROLLED
            for (int i = 0; i < 4; i++) {
                const int column = get_group_id(2) * T + kq * 4 + i;
                if (column < k) AT(part)[((ulong)range * rows + row) * k + column] = four[i];
            }
        }
    }
}
