/* grad_tile.cl - the weights' gradient of 3x3 convolutions of stride 1 between equal shapes.
 *
 * -D: H W C  as in conv_tile.cl;  CB and KB: the block of input and output channels of a work-group, BR rows read at a
 *     time, BI items.  A work-group makes its block's gradient over range_images of its batch-norm group's images: a
 *     thread makes 4 x 4 channels of three taps in a row of taps; SPLIT threads share the rows of the image, and their
 *     sums are added in order. */
#define CQ (CB / 4)
#define KQ (KB / 4)
#define SPLIT (BI / (CQ * KQ * 3))
#define TILE_W (W + 2)
#define X_PIXEL (CB + 4)
#define D_PIXEL (KB + 4)
#define X_TILE ((BR + 2) * TILE_W * X_PIXEL)
#define D_TILE (BR * W * D_PIXEL)

/* Of no image, where `there` is false: zeros. */
static void fill_x(const struct operand *x, bool there, ulong image, int row, int c0, __local float *tile)
{
    for (int i = get_local_id(0); i < (BR + 2) * TILE_W * CQ; i += BI) {
        const int c = i % CQ * 4, pixel = i / CQ, px = pixel % TILE_W - 1, y = pixel / TILE_W - 1 + row;
        float4 v = 0;
        if (there && px >= 0 && px < W && y >= 0 && y < H)
            v = load_value4(x, ((image * H + y) * W + px) * C + c0 + c, c0 + c);
        *(__local float4 *)(tile + pixel * X_PIXEL + c) = v;
    }
}
static void fill_d(const struct operand *d, bool there, ulong image, int row, int k0, __local float *tile)
{
    for (int i = get_local_id(0); i < BR * W * KQ; i += BI) {
        const int k = i % KQ * 4, pixel = i / KQ;
        float4 v = 0;
        if (there) v = load_value4(d, ((image * H + row) * W + pixel) * C + k0 + k, k0 + k);
        *(__local float4 *)(tile + pixel * D_PIXEL + k) = v;
    }
}

/* sum[tap][c] += x c d, four output channels each. */
static void add_products(float4 sum[4], float4 x, float4 d)
{
    sum[0] = fma(d, x.x, sum[0]), sum[1] = fma(d, x.y, sum[1]);
    sum[2] = fma(d, x.z, sum[2]), sum[3] = fma(d, x.w, sum[3]);
}

KERNEL(BI)
grad_tile(OPERAND_PARAMS(x_), OPERAND_PARAMS(l_), int images, int range_images, TENSOR(part), int span)
{
    __local float room[X_TILE + D_TILE] __attribute__((aligned(16)));
    __local float *xt = room, *dt = room + X_TILE;
    const int g = BN_GROUP;
    const struct operand lx = OPERAND(x_, g * C), ld = OPERAND(l_, g * C);
    const int t = get_local_id(0), range = get_group_id(0), c0 = get_group_id(1) * CB, k0 = get_group_id(2) * KB;
    const int cq = t % CQ, kq = t / CQ % KQ, dy = t / (CQ * KQ) % 3, split = t / (CQ * KQ * 3);
    const int first = g * images + IN_GROUP * range_images, end = min((g + 1) * images, first + range_images);
    float4 sum[3][4];
    UNROLLED
    for (int i = 0; i < 3; i++) sum[i][0] = 0, sum[i][1] = 0, sum[i][2] = 0, sum[i][3] = 0;
    for (int image = 0; image < range_images; image++)
        for (int row = 0; row < H; row += BR) {
            barrier(CLK_LOCAL_MEM_FENCE);
            fill_x(&lx, first + image < end, first + image, row, c0, xt);
            fill_d(&ld, first + image < end, first + image, row, k0, dt);
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int r = split; r < BR; r += SPLIT) {
                __local const float *xp = xt + ((r + dy) * TILE_W) * X_PIXEL + cq * 4;
                __local const float *dp = dt + r * W * D_PIXEL + kq * 4;
                float4 a = *(__local const float4 *)xp, b = *(__local const float4 *)(xp + X_PIXEL);
                for (int i = 0; i < W; i++) {
                    const float4 c = *(__local const float4 *)(xp + (i + 2) * X_PIXEL);
                    const float4 d = *(__local const float4 *)(dp + i * D_PIXEL);
                    add_products(sum[0], a, d), add_products(sum[1], b, d), add_products(sum[2], c, d);
                    a = b, b = c;
                }
            }
        }
    __local float4 *red = (__local float4 *)room;
    UNROLLED
    for (int i = 0; i < 3; i++)
        UNROLLED
        for (int j = 0; j < 4; j++) {
            barrier(CLK_LOCAL_MEM_FENCE);
            red[t] = sum[i][j];
            barrier(CLK_LOCAL_MEM_FENCE);
            if (split == 0) {
                float4 v = red[t];
                for (int q = 1; q < SPLIT; q++) v += red[t + q * CQ * KQ * 3];
                PUT(AT(part), (((ulong)range * 9 + dy * 3 + i) * C + c0 + cq * 4 + j) * C + k0 + kq * 4, v);
            }
        }
}
