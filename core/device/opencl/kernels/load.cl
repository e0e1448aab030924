/* load.cl - an operand's value: REAL is float or float4, channels c to c + 3. */
static MASK N(kept)(__global const uchar *keep, ulong i) { return N(bits)(keep[i >> 3] >> (int)(i & 7)); }

static REAL N(load_value)(const struct operand *l, ulong i, int c)
{
    REAL v = GET(l->x, i);
    if (l->flags & OPERAND_SCALE) v = fma(GET(l->scale, c), v, GET(l->shift, c));
    if (l->flags & OPERAND_ADD) {
        REAL a = GET(l->add, i);
        if (l->flags & OPERAND_KEEP) a = select((REAL)0, a, N(kept)(l->keep, i));
        v = l->flags & OPERAND_ADD_SCALE ? fma(GET(l->add_scale, c), a, v) : v + a;
    }
    if (l->flags & OPERAND_RELU) v = select(v, (REAL)0, v <= 0.0f); /* not a number stays so */
    return v;
}
