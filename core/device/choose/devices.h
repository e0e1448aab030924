/* devices.h - the devices of this program, and how one is opened by its name. */
#ifndef SKL_DEVICES_H
#define SKL_DEVICES_H
#include "core/device/device.h"

extern const struct skl_device_ops *const skl_devices[]; /* NULL-terminated; the first is the one taken unasked */
/* By name: "cpu" (also NULL); "opencl:1" would be the second of that kind.  SKL_USAGE where there is none. */
int skl_device_open(const char *name, struct skl_pool *pool, struct skl_device **device, struct skl_err *err);
#endif
