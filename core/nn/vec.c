/* The helpers of core/vec.h, for this CPU. */
#include "core/kernels/kernels.h"
#include "core/vec.h"

void skl_sigmoid(size_t n, const float *x, float *y) { skl_kernels_for(skl_cpu_best())->sigmoid(n, x, y); }
