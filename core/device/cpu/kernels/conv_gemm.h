/* conv_gemm.h - the general convolution, one row of the kernel list. */
#ifndef SKL_CONV_GEMM_H
#define SKL_CONV_GEMM_H
#include "core/device/cpu/kernels/kernels.h"
extern const struct skl_conv_kernel skl_conv_gemm;
#endif
