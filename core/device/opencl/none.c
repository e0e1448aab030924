/* Built without OpenCL. */
#include "core/device/opencl/device_opencl.h"

bool skl_devices_built(void) { return false; }

int skl_device_list(struct skl_device_info list[SKL_MAX_DEVICES]) { return 0; }

void skl_opencl_digest(char hex[65]) { hex[0] = 0; }

void skl_opencl_time_kernels(void) {}

int skl_opencl_times(const struct skl_device *d, struct skl_opencl_time *list, int most) { return 0; }
