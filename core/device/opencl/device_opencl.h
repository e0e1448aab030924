/* device_opencl.h - OpenCL's devices: opencl:N is the N-th of skl_device_list.  Without OpenCL in the program (meson
 * option gpu) there are none. */
#ifndef SKL_DEVICE_OPENCL_H
#define SKL_DEVICE_OPENCL_H
#include "core/device/device.h"

extern const struct skl_device_ops skl_device_opencl;

struct skl_device_info {
    char name[128], vendor[96], driver[224]; /* driver: platform, its version, the device's driver version */
    int opencl, gpu;                         /* the N of opencl:N and gpu:N; gpu -1: no GPU that could train */
    bool own_memory;                         /* not the computer's */
    bool software;                           /* runs on the CPU */
    bool fit;                                /* can run the kernels at all */
    char why[160];                           /* not fit: why not */
    uint64_t memory, largest;                /* bytes in all, and of one allocation */
    int units, mhz;
    size_t local_memory, group; /* bytes and work-items a work-group */
};
enum { SKL_MAX_DEVICES = 64 };
/* Fills list; returns how many there are, 0 where no driver is installed or the program was built without OpenCL.  The
 * drivers are asked once, in a child: where that crashes or hangs, one line says so and there are none. */
int skl_device_list(struct skl_device_info list[SKL_MAX_DEVICES]);
bool skl_devices_built(void); /* was the program built with OpenCL? */
/* Of all kernels' texts, hexadecimal: what a verdict on them belongs to. */
void skl_opencl_digest(char hex[65]);

/* For bench: devices opened from now on note what each kernel takes; skl_opencl_times waits and tells, since the last
 * call.  Returns how many. */
struct skl_opencl_time {
    char name[64];
    double seconds, bytes; /* bytes: of tensors read and written, each once a call */
    int64_t calls;
};
void skl_opencl_time_kernels(void);
int skl_opencl_times(const struct skl_device *d, struct skl_opencl_time *list, int most);
#endif
