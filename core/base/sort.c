#include "core/base/sort.h"

#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void skl_sort_numbers(double *v, size_t n)
{
    if (n > 0) qsort(v, n, sizeof *v, ascending);
}

double skl_sorted_median(const double *v, size_t n) { return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2; }

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void skl_sort_texts(char **text, size_t n)
{
    if (n > 0) qsort(text, n, sizeof *text, by_bytes);
}
