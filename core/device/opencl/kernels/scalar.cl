#define REAL float
#define MASK int
#define N(name) name##1
#define GET(p, i) ((p)[i])
#define PUT(p, i, v) ((p)[i] = (v))
static int bits1(int byte) { return byte & 1; }
