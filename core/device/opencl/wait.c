/* What a driver says and errors as one line, and waiting for a device that may not answer. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "core/base/clock.h"
#include "core/device/opencl/internal.h"

const char *opencl_error(cl_int code)
{
    static const struct {
        cl_int code;
        const char *name;
    } names[] = {
        {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE"},
        {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE"},
        {CL_MEM_OBJECT_ALLOCATION_FAILURE, "out of device memory"},
        {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
        {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
        {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE"},
        {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "an earlier command failed"},
        {CL_INVALID_BUFFER_SIZE, "more than the device can allocate at once"},
        {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE (the device is lost)"},
        {CL_INVALID_CONTEXT, "CL_INVALID_CONTEXT (the device is lost)"},
        {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS"},
        {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == code) return names[i].name;
    static char text[32];
    snprintf(text, sizeof text, "OpenCL error %d", code);
    return text;
}

void opencl_printable(const char *text, char *to, size_t size)
{
    size_t n = 0;
    for (const char *p = text + strspn(text, " "); *p && n + 1 < size; p++)
        if ((unsigned char)*p >= ' ' && (unsigned char)*p < 127) to[n++] = *p;
    while (n > 0 && to[n - 1] == ' ') n--;
    to[n] = 0;
}

void opencl_break(struct opencl *d, cl_int code, const char *doing)
{
    if (d->broken.status) return;
    skl_fail(&d->broken, SKL_FAILED, "opencl:%d (%s): %s: %s", d->about.opencl, d->about.name, doing,
             opencl_error(code));
    /* What was queued before may still run, in memory that its owner is about to release. */
    opencl_finish(&d->head, NULL);
}

enum { PATIENCE = 300 }; /* seconds without progress after which a device counts as hanging */

static int broken(const struct opencl *d, struct skl_err *err)
{
    return d->broken.status ? skl_fail(err, d->broken.status, "%s", d->broken.text) : SKL_OK;
}

/* Asks again and again instead of clWaitForEvents, which never comes back from a driver that hangs.  After an error
 * too: what was enqueued before it still reads and writes the host's memory, which is its owner's again when this
 * returns. */
int opencl_await(struct opencl *d, cl_event event, struct skl_err *err)
{
    const double start = skl_seconds();
    cl_int state = CL_QUEUED;
    while (!d->hangs && state > CL_COMPLETE) {
        const cl_int code = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
        if (code || state < 0) opencl_break(d, code ? code : state, d->doing);
        if (code || state <= CL_COMPLETE) break;
        const double waited = skl_seconds() - start;
        if (waited > PATIENCE) {
            d->hangs = true;
            if (!d->broken.status)
                skl_fail(&d->broken, SKL_FAILED, "opencl:%d (%s): %s: no progress for %d seconds: the driver hangs",
                         d->about.opencl, d->about.name, d->doing, PATIENCE);
        }
        if (waited < 0.0005)
            sched_yield();
        else
            nanosleep(&(struct timespec){0, waited < 0.05 ? 50000 : 1000000}, NULL);
    }
    if (!d->hangs) clReleaseEvent(event);
    return broken(d, err);
}

int opencl_finish(struct skl_device *device, struct skl_err *err)
{
    struct opencl *d = opencl_of(device);
    cl_event event;
    cl_int code = CL_SUCCESS;
    if (d->hangs) return broken(d, err);
    code = clEnqueueMarkerWithWaitList(d->queue, 0, NULL, &event);
    if (!code) code = clFlush(d->queue);
    if (code) opencl_break(d, code, d->doing);
    return code ? broken(d, err) : opencl_await(d, event, err);
}
