#undef REAL
#undef MASK
#undef N
#undef GET
#undef PUT
#undef NO_SHARE
#define REAL float4
#define MASK int4
#define N(name) name##4
#define GET(p, i) (*(__global const float4 *)((p) + (i)))
#define PUT(p, i, v) (*(__global float4 *)((p) + (i)) = (v))
static int4 bits4(int byte) { return (int4)(-(byte & 1), -(byte >> 1 & 1), -(byte >> 2 & 1), -(byte >> 3 & 1)); }
