/* flags.h - numbers that C and OpenCL C share: which parts of an operand or a result (load.cl, store.cl) are present,
 * how wide sums are, what a coefficient belongs to. */
#ifndef SKL_CL_FLAGS_H
#define SKL_CL_FLAGS_H
#define OPERAND_SCALE 1
#define OPERAND_ADD 2
#define OPERAND_ADD_SCALE 4
#define OPERAND_KEEP 8
#define OPERAND_RELU 16
#define OPERAND_OUT 32
#define OPERAND_SAME 64
#define RESULT_ADD 1
#define RESULT_ADD_SCALE 2
#define RESULT_KEEP 4
#define RESULT_MASK 8
#define RESULT_MASK_SCALE 16
#define RESULT_SUMS 32
#define RESULT_PARTNER 64
#define RESULT_PIVOT 128
#define RESULT_PARTNER2 256
#define RESULT_PIVOT2 512
#define SUMS_NUMBERS 4 /* a channel, of a work-group's sums (store.cl) */
/* What a merge's coefficient has one number for (merge.cl). */
#define SPAN_CHANNEL 0
#define SPAN_IMAGE 1
#define SPAN_MASK 2
#endif
