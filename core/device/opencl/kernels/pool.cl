/* pool.cl - max pooling, 3x3 with stride 2 and padding 1 (device.h), both ways. */
#define ITEMS 256

/* One item an output element.  Of equal values the first stays chosen; what is not a number is larger than any. */
KERNEL(ITEMS)
max_pool(OPERAND_PARAMS(l_), TENSOR(y), BYTES(chosen), int keep, int h, int w, int c, int oh, int ow, ulong count,
         int span)
{
    const int g = BN_GROUP;
    const struct operand l = OPERAND(l_, g * c);
    const ulong in_group = (ulong)IN_GROUP * ITEMS + get_local_id(0), at = g * count + in_group;
    if (in_group >= count) return;
    const int ch = at % c, ox = at / c % ow, oy = at / c / ow % oh;
    const ulong image = at / c / ow / oh;
    float best = 0;
    int which = -1;
    for (int k = 0; k < 9; k++) {
        const int iy = 2 * oy - 1 + k / 3, ix = 2 * ox - 1 + k % 3;
        if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
        const float v = load_value1(&l, ((image * h + iy) * w + ix) * c + ch, ch);
        if (which < 0 || v > best || (v != v && best == best)) best = v, which = k;
    }
    AT(y)[at] = best;
    if (keep) BYTES_AT(chosen)[at] = (uchar)which;
}

/* What the windows that chose this pixel give it; work-groups as in map.cl. */
static float given(__global const float *dy, __global const uchar *chosen, ulong image, int y, int x, int ch, int c,
                   int oh, int ow)
{
    float sum = 0;
    for (int oy = y / 2; oy <= (y + 1) / 2 && oy < oh; oy++)
        for (int ox = x / 2; ox <= (x + 1) / 2 && ox < ow; ox++) {
            const ulong at = ((image * oh + oy) * ow + ox) * c + ch;
            if (chosen[at] == 3 * (y - 2 * oy + 1) + x - 2 * ox + 1) sum += dy[at];
        }
    return sum;
}

KERNEL(ITEMS)
max_unpool(TENSOR(dy), BYTES(chosen), RESULT_PARAMS(s_), int h, int w, int c, int oh, int ow, int pixels, int lanes,
           int per, int span)
{
    __local float red[SUMS_NUMBERS * ITEMS];
    const int g = BN_GROUP;
    const struct result s = RESULT(s_, g * c);
    const int t = get_local_id(0), lane = t % lanes, row = t / lanes, ch = get_group_id(1) * lanes + lane;
    const int first = g * pixels + IN_GROUP * per, end = min((g + 1) * pixels, first + per);
    struct share1 share = NO_SHARE;
    if (ch < c)
        for (int p = first + row; p < end; p += ITEMS / lanes) {
            const float v = given(AT(dy), BYTES_AT(chosen), p / (h * w), p / w % h, p % w, ch, c, oh, ow);
            store_value1(&s, (ulong)p * c + ch, ch, v, &share);
        }
#if SUMS
    join_rows1(SUMS == STATISTICS, red, ITEMS, ITEMS / lanes, lanes, row, lane, sums_of1(&share));
    if (row == 0 && ch < c) put_sums1(&s, get_group_id(0), c, ch, sums_at1(red, ITEMS, lane));
#endif
}
