/* devices.h - the devices of this program, and how one is opened by its name. */
#ifndef SKL_DEVICES_H
#define SKL_DEVICES_H
#include "core/device/device.h"

extern const struct skl_device_ops *const skl_devices[]; /* NULL-terminated; the first is the one taken unasked */
/* By name: "cpu"; "opencl:1" is the second of that kind; NULL: the one in use.  SKL_USAGE where there is none. */
int skl_device_open(const char *name, struct skl_pool *pool, struct skl_device **device, struct skl_err *err);
/* What NULL means from now on: one process computes on one device, whatever it opens nets for.  At first the CPU. */
void skl_device_use(const char *name);
const char *skl_device_used(void);
#endif
