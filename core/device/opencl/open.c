/* A device opened and closed. */
#include <stdio.h>
#include <stdlib.h>
#include "core/base/cpu.h"
#include "core/device/opencl/device_opencl.h"
#include "core/device/opencl/internal.h"

/* A device that is closed stays as it is until it is opened again: a context and kernels take long to make, and what
 * checks a variant opens dozens of nets one after the other. */
static struct opencl *parked[SKL_MAX_DEVICES];

static void destroy(struct opencl *d)
{
    opencl_release_stages(d);
    opencl_release_programs(d);
    if (d->queue) clReleaseCommandQueue(d->queue);
    if (d->context) clReleaseContext(d->context);
    free(d);
}

void opencl_close(struct opencl *d)
{
    opencl_finish(&d->head, NULL);
    if (d->hangs) return; /* every call could hang as well: the system takes it all back when the process ends */
    const int number = d->about.opencl;
    if (d->broken.status || parked[number] || d->timing)
        destroy(d);
    else
        parked[number] = d;
}

static int refuse(struct opencl *d, const char *what, cl_int code, struct skl_err *err)
{
    skl_fail(err, SKL_FAILED, "opencl:%d (%s): %s: %s", d->about.opencl, d->about.name, what, opencl_error(code));
    destroy(d);
    return SKL_FAILED;
}

static int begin(struct opencl *d, struct skl_err *err)
{
    cl_device_fp_config config = 0;
    cl_int code;
    clGetDeviceInfo(d->id, CL_DEVICE_SINGLE_FP_CONFIG, sizeof config, &config, NULL);
    d->divides = config & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT;
    d->context = clCreateContext(NULL, 1, &d->id, NULL, NULL, &code);
    if (!d->context) return refuse(d, "no context", code, err);
    d->queue = clCreateCommandQueue(d->context, d->id, d->timing ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
    skl_arithmetic_reset();
    return d->queue ? SKL_OK : refuse(d, "no queue", code, err);
}

static bool timed; /* the next device opened tells how long its kernels took */
void skl_opencl_time_kernels(void) { timed = true; }

int opencl_open(int number, struct opencl **out, struct skl_err *err)
{
    struct skl_device_info list[SKL_MAX_DEVICES];
    cl_device_id ids[SKL_MAX_DEVICES];
    const int tried = skl_device_list(list); /* in a child, first: a driver may crash */
    const int n = tried ? opencl_find(list, ids) : 0;
    if (number < 0 || number >= n)
        return skl_fail(err, SKL_USAGE, "there is no device opencl:%d, %d in all ('skiplab devices' lists them)",
                        number, n);
    if (!list[number].fit)
        return skl_fail(err, SKL_USAGE, "device opencl:%d (%s) cannot be used: %s", number, list[number].name,
                        list[number].why);
    struct opencl *d = timed ? NULL : parked[number];
    if (d) {
        parked[number] = NULL;
        *out = d;
        return SKL_OK;
    }
    d = skl_alloc(sizeof *d);
    d->about = list[number], d->id = ids[number], d->timing = timed;
    snprintf(d->doing, sizeof d->doing, "start");
    const int status = begin(d, err);
    if (!status) *out = d;
    return status;
}
