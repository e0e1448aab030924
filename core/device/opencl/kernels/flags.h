/* flags.h - which parts of a load or a store (load.cl, store.cl) are present, and how wide sums are:
 * for C and OpenCL C. */
#ifndef SKL_CL_FLAGS_H
#define SKL_CL_FLAGS_H
#define LOAD_SCALE 1
#define LOAD_ADD 2
#define LOAD_ADD_SCALE 4
#define LOAD_KEEP 8
#define LOAD_RELU 16
#define LOAD_OUT 32
#define LOAD_SAME 64
#define STORE_ADD 1
#define STORE_ADD_SCALE 2
#define STORE_KEEP 4
#define STORE_GATE 8
#define STORE_GATE_SCALE 16
#define STORE_SUMS 32
#define STORE_PARTNER 64
#define STORE_PIVOT 128
#define STORE_PARTNER2 256
#define STORE_PIVOT2 512
#define SUMS_NUMBERS 4 /* a channel, of a group's sums (store.cl) */
#endif
