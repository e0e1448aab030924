/* selftest.h - is a device right?  Every operation of its table on made-up numbers, beside another device that is
 * trusted.  Drivers and compilers have their faults: nobody trains on a device that has not passed with his net's
 * shapes. */
#ifndef SKL_SELFTEST_H
#define SKL_SELFTEST_H
#include "core/device/device.h"

struct skl_selftest {
    const struct skl_conv_shape *conv; /* the convolutions to try, each both ways */
    int convs;
    int images, classes;
    bool rest;                          /* and all operations that have no shapes of their own */
    const struct skl_shortcut *variant; /* with a formula: tried too; or NULL */
};
/* SKL_OK; SKL_FAILED: the first operation that is wrong, by how much, or what broke.  Both devices are fresh: `ready`
 * is called here.  Takes a second or two. */
int skl_selftest(struct skl_device *suspect, struct skl_device *trusted, const struct skl_selftest *what,
                 struct skl_err *err);
#endif
