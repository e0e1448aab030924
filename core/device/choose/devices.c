#include "core/device/choose/devices.h"
#include <stdlib.h>
#include <string.h>
#include "core/device/cpu/cpu.h"

const struct skl_device_ops *const skl_devices[] = {&skl_device_cpu, NULL};

static const struct skl_device_ops *find(const char *name, size_t length)
{
    for (int i = 0; skl_devices[i]; i++)
        if (strncmp(skl_devices[i]->name, name, length) == 0 && !skl_devices[i]->name[length]) return skl_devices[i];
    return NULL;
}

int skl_device_open(const char *name, struct skl_pool *pool, struct skl_device **device, struct skl_err *err)
{
    *device = NULL;
    if (!name) return skl_devices[0]->open(0, pool, device, err);
    const size_t length = strcspn(name, ":");
    const struct skl_device_ops *ops = find(name, length);
    char *end = (char *)name + length;
    const long index = *end ? strtol(end + 1, &end, 10) : 0;
    if (ops && !*end && index >= 0 && index < 1000) return ops->open((int)index, pool, device, err);
    return skl_fail(err, SKL_USAGE, "there is no device '%s' (%s, ...)", name, skl_devices[0]->name);
}
