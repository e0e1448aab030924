/* sort.h - the orders that are wanted in many places. */
#ifndef SKL_SORT_H
#define SKL_SORT_H
#include <stddef.h>

/* Ascending; none of them is NaN.  Of n = 0 the pointer is not looked at, as below. */
void skl_sort_numbers(double *v, size_t n);
/* The middle of n > 0 sorted numbers; of an even n halfway between the two, as infinite as they are. */
double skl_sorted_median(const double *v, size_t n);
void skl_sort_texts(char **text, size_t n); /* by their bytes */
#endif
