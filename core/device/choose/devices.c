#include "core/device/choose/devices.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/device/cpu/cpu.h"
#include "core/device/opencl/device_opencl.h"

const struct skl_device_ops *const skl_devices[] = {
    &skl_device_cpu,
#ifdef SKL_HAVE_OPENCL
    &skl_device_opencl,
#endif
    NULL,
};
static char chosen[24] = "cpu";

static const struct skl_device_ops *find(const char *name, size_t length)
{
    for (int i = 0; skl_devices[i]; i++)
        if (strncmp(skl_devices[i]->name, name, length) == 0 && !skl_devices[i]->name[length]) return skl_devices[i];
    return NULL;
}

int skl_device_open(const char *name, struct skl_pool *pool, struct skl_device **device, struct skl_err *err)
{
    *device = NULL;
    if (!name) name = chosen;
    const size_t length = strcspn(name, ":");
    const struct skl_device_ops *ops = find(name, length);
    char *end = (char *)name + length;
    const long index = *end ? strtol(end + 1, &end, 10) : 0;
    if (ops && !*end && index >= 0 && index < 1000) return ops->open((int)index, pool, device, err);
    return skl_fail(err, SKL_USAGE, "there is no device '%s' (%s, ...)", name, skl_devices[0]->name);
}

void skl_device_use(const char *name) { snprintf(chosen, sizeof chosen, "%s", name); }

const char *skl_device_used(void) { return chosen; }
