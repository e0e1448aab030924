/* cpu.h - the CPU as a device: for the list of devices (core/device/choose). */
#ifndef SKL_CPU_DEVICE_H
#define SKL_CPU_DEVICE_H
#include "core/device/device.h"
extern const struct skl_device_ops skl_device_cpu;
#endif
