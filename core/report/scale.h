/* scale.h - ranges and ticks of a figure's axes: round numbers, few of them. */
#ifndef SKL_SCALE_H
#define SKL_SCALE_H
#include <stdbool.h>

struct skl_scale {
    double min, max;
    double step; /* linear: between ticks */
    bool log;
    char tics[256]; /* the ticks, apart by spaces: "1.0e-05 0.001 0.1" */
    double unit;    /* iterations: so many are 1 on the axis; else 1 */
    char label[64]; /* iterations: "Iterations (×10⁴)", "Images seen"; else "" */
};

/* 1, 2 or 5 times a power of ten, so that span holds at most `intervals` of them. */
double skl_nice_step(double span, int intervals);
/* min..max as they are; unit a power of ten from 10^3 on, so that the numbers at the ticks stay short. */
struct skl_scale skl_scale_iterations(double min, double max);
struct skl_scale skl_scale_images(double min, double max); /* the same for images seen */
/* From 0 to the first tick at or above top. */
struct skl_scale skl_scale_linear(double top);
/* From the 1, 2 or 5 times a power of ten at or below low to that at or above high; ticks at the powers, or at
 * 1, 2 and 5 where the range is under two decades.  0 < low <= high. */
struct skl_scale skl_scale_log(double low, double high);
#endif
