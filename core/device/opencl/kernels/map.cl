/* map.cl - element by element: store(load), the pooled gradient spread over its pixels, option A's padding, keep bits.
 *
 * A work-group has `lanes` columns (a power of two), one a channel, and 256 / lanes rows of items that walk over `per`
 * pixels. */
#define ITEMS 256

KERNEL(ITEMS)
map(OPERAND_PARAMS(l_), RESULT_PARAMS(s_), int pixels, int c, int lanes, int per, int spread, int span)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int g = BN_GROUP;
    const struct operand l = OPERAND(l_, g * c);
    const struct result s = RESULT(s_, g * c);
    const int t = get_local_id(0), lane = t % lanes, row = t / lanes, ch = get_group_id(1) * lanes + lane;
    const int first = g * pixels + IN_GROUP * per, end = min((g + 1) * pixels, first + per);
    struct share1 share = NO_SHARE;
    if (ch < c)
        for (int p = first + row; p < end; p += ITEMS / lanes) {
            const ulong at = (ulong)p * c + ch;
            const float v = spread ? l.x[(ulong)(p / spread) * c + ch] / spread : load_value1(&l, at, ch);
            if (l.flags & OPERAND_OUT) l.out[at] = v;
            store_value1(&s, at, ch, v, &share);
        }
#if SUMS
    join_rows1(SUMS == STATISTICS, red, ITEMS, ITEMS / lanes, lanes, row, lane, sums_of1(&share));
    if (row == 0 && ch < c) put_sums1(&s, get_group_id(0), c, ch, sums_at1(red, ITEMS, lane));
#endif
}

/* Forward: to[y][x] = from[y stride][x stride], and 0 in the channels that are new.  Backward: the transpose. */
KERNEL(ITEMS)
pad(TENSOR(from), TENSOR(to), int back, int h, int w, int c, int oh, int ow, int oc, int stride, ulong count)
{
    const ulong i = get_global_id(0);
    if (i >= count) return;
    const int tc = back ? c : oc, tw = back ? w : ow, th = back ? h : oh;
    const int ch = i % tc, x = i / tc % tw, y = i / tc / tw % th;
    const ulong image = i / tc / tw / th;
    float v = 0;
    if (back && y % stride == 0 && x % stride == 0)
        v = AT(from)[((image * oh + y / stride) * ow + x / stride) * oc + ch];
    else if (!back && ch < c)
        v = AT(from)[((image * h + y * stride) * w + x * stride) * c + ch];
    AT(to)[i] = v;
}

static uint kept_bits(uint4 words, ulong limit)
{
    return (words.x >= limit) | (words.y >= limit) << 1 | (words.z >= limit) << 2 | (words.w >= limit) << 3;
}
/* Byte i: elements first + 8 i to first + 8 i + 7, kept where their word >= limit. */
KERNEL(ITEMS)
keep_bits(ulong key, ulong limit, ulong first, ulong bytes, BYTES(bits))
{
    const ulong i = get_global_id(0), counter = first / 4 + 2 * i;
    if (i >= bytes) return;
    BYTES_AT(bits)[i] = kept_bits(philox(key, counter), limit) | kept_bits(philox(key, counter + 1), limit) << 4;
}
