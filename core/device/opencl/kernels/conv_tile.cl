/* conv_tile.cl - 3x3 convolutions of stride 1 between equal shapes, forward or (-DBACK=1) the data's gradient.
 *
 * -D: H W C  the image and its channels, in and out;  R rows of an image a work-group, PX rows a thread;
 *     CB channels read at a time, KB channels written.  A thread makes PX pixels, one below the other, of four
 *     channels.
 * Taps go over the tile in local memory: (R + 2) rows of W + 2 pixels, what lies outside the image being 0. */
#define QUADS (KB / 4)
#define TILE_W (W + 2)
#define PIXEL (CB + 4) /* floats a pixel in the tile: an odd number of quads keeps the banks apart */
#define TILE ((R + 2) * TILE_W * PIXEL)
#define WEIGHTS (9 * CB * KB)
#define ITEMS (W * QUADS * (R / PX))
#define ROOM (TILE + WEIGHTS > 4 * SUMS_NUMBERS * ITEMS ? TILE + WEIGHTS : 4 * SUMS_NUMBERS * ITEMS)

static void fill_tile(const struct operand *l, int image, int row, int c0, __local float *tile)
{
    for (int i = get_local_id(0); i < (R + 2) * TILE_W * (CB / 4); i += ITEMS) {
        const int c = i % (CB / 4) * 4, pixel = i / (CB / 4), x = pixel % TILE_W - 1, y = pixel / TILE_W - 1 + row;
        float4 v = 0;
        if (x >= 0 && x < W && y >= 0 && y < H) {
            const ulong at = (((ulong)image * H + y) * W + x) * C + c0 + c;
            v = load_value4(l, at, c0 + c);
            if ((l->flags & OPERAND_OUT) && get_group_id(1) == 0 && y >= row && y < row + R) PUT(l->out, at, v);
        }
        *(__local float4 *)(tile + pixel * PIXEL + c) = v;
    }
}

/* weights[tap][CB][KB]; backward they are turned round and in and out change places. */
static void fill_weights(__global const float *w, int c0, int k0, __local float *weights)
{
    for (int i = get_local_id(0); i < WEIGHTS / 4; i += ITEMS) {
#if BACK
        const int c = i % (CB / 4) * 4, k = i / (CB / 4) % KB, tap = i / (CB / 4 * KB);
        const float4 v = GET(w, ((8 - tap) * C + k0 + k) * C + c0 + c);
        __local float *to = weights + (tap * CB + c) * KB + k;
        to[0] = v.x, to[KB] = v.y, to[2 * KB] = v.z, to[3 * KB] = v.w;
#else
        const int k = i % QUADS * 4, c = i / QUADS % CB, tap = i / (QUADS * CB);
        *(__local float4 *)(weights + i * 4) = GET(w, (tap * C + c0 + c) * C + k0 + k);
#endif
    }
}

KERNEL(ITEMS)
conv_tile(OPERAND_PARAMS(l_), TENSOR(w), RESULT_PARAMS(s_), int span)
{
    __local float room[ROOM] __attribute__((aligned(16)));
    const int skip = BN_GROUP * C;
    const struct operand l = OPERAND(l_, skip);
    const struct result s = RESULT(s_, skip);
    const int t = get_local_id(0), group = get_group_id(0), image = group / (H / R), row = group % (H / R) * R;
    const int column = t % W, quad = t / W % QUADS, band = t / (W * QUADS), k0 = get_group_id(1) * KB;
    __local float *tile = room, *weights = room + TILE;
    float4 sum[PX];
    UNROLLED
    for (int p = 0; p < PX; p++) sum[p] = 0;
    for (int c0 = 0; c0 < C; c0 += CB) {
        barrier(CLK_LOCAL_MEM_FENCE);
        fill_tile(&l, image, row, c0, tile);
        fill_weights(AT(w), c0, k0, weights);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int c = 0; c < CB; c += 4)
            for (int dx = 0; dx < 3; dx++) {
                float4 v[PX + 2];
                UNROLLED
                for (int p = 0; p < PX + 2; p++)
                    v[p] = *(__local const float4 *)(tile + ((band * PX + p) * TILE_W + column + dx) * PIXEL + c);
                UNROLLED
                for (int dy = 0; dy < 3; dy++) {
                    __local const float4 *q = (__local const float4 *)(weights + ((dy * 3 + dx) * CB + c) * KB) + quad;
                    const float4 w0 = q[0], w1 = q[QUADS], w2 = q[2 * QUADS], w3 = q[3 * QUADS];
                    UNROLLED
                    for (int p = 0; p < PX; p++) {
                        sum[p] = fma(w0, v[p + dy].x, sum[p]);
                        sum[p] = fma(w1, v[p + dy].y, sum[p]);
                        sum[p] = fma(w2, v[p + dy].z, sum[p]);
                        sum[p] = fma(w3, v[p + dy].w, sum[p]);
                    }
                }
            }
    }
    struct share4 share = NO_SHARE;
    UNROLLED
    for (int p = 0; p < PX; p++) {
        const ulong pixel = ((ulong)image * H + row + band * PX + p) * W + column;
        store_value4(&s, pixel * C + k0 + quad * 4, k0 + quad * 4, sum[p], &share);
    }
#if SUMS
    __local float4 *red = (__local float4 *)room;
    join_rows4(SUMS == STATISTICS, red, ITEMS, W * (R / PX), QUADS, band * W + column, quad, sums_of4(&share));
    if (t >= QUADS) return;
    put_sums4(&s, group, C, k0 + t * 4, sums_at4(red, ITEMS, t));
#endif
}
