/* beside.h - are batch-norm groups right that a device takes side by side?  Its kernels for several are built anew, and
 * no other device has them: so each operation is tried beside itself, one call a group, which selftest.h compares. */
#ifndef SKL_BESIDE_H
#define SKL_BESIDE_H
#include "core/device/choose/selftest.h"

/* On a fresh device with SKL_SIDE_BY_SIDE: every operation that has groups, with 2 and with 5 of what->images images,
 * what->convs convolutions (4 at most) and the formula of what->variant.  SKL_FAILED: the first that differs by more
 * than tolerance * (1 + its value); 0: in one byte. */
int skl_beside_test(struct skl_device *d, const struct skl_selftest *what, double tolerance, struct skl_err *err);
#endif
