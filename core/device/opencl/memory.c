/* Device memory: reserve, up, down, clear, copy. */
#include <stdlib.h>
#include <string.h>
#include "core/device/opencl/internal.h"

/* What goes up is copied first, so that nobody waits: a copy is used again once its transfer is done. */
struct stage {
    struct stage *next;
    size_t size;
    cl_event event; /* NULL: free */
    char data[];
};
enum { STAGES = 8 };

int opencl_reserve(struct skl_device *device, size_t bytes, struct skl_memory **memory, struct skl_err *err)
{
    struct opencl *d = opencl_of(device);
    cl_int code = CL_SUCCESS;
    *memory = skl_alloc(sizeof **memory);
    (*memory)->buffer = clCreateBuffer(d->context, CL_MEM_READ_WRITE, bytes ? bytes : SKL_PLACE_ALIGN, NULL, &code);
    if ((*memory)->buffer) return SKL_OK;
    free(*memory);
    *memory = NULL;
    return skl_fail(err, SKL_USAGE, "opencl:%d (%s): %.1f MiB of its memory: %s (it has %.1f MiB)", d->about.opencl,
                    d->about.name, (double)bytes / 1048576, opencl_error(code), (double)d->about.memory / 1048576);
}

void opencl_release(struct skl_device *device, struct skl_memory *memory)
{
    if (memory && !opencl_of(device)->hangs) clReleaseMemObject(memory->buffer);
    free(memory);
}

void opencl_release_stages(struct opencl *d)
{
    while (d->stages) {
        struct stage *s = d->stages;
        d->stages = s->next;
        if (s->event) clReleaseEvent(s->event);
        free(s);
    }
}

static bool idle(struct stage *s)
{
    cl_int state = CL_QUEUED;
    if (!s->event) return true;
    clGetEventInfo(s->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    if (state > CL_COMPLETE) return false;
    clReleaseEvent(s->event);
    s->event = NULL;
    return true;
}

/* A free copy of `bytes` at least; waits for the oldest where too many are on their way.  NULL: broken. */
static struct stage *free_stage(struct opencl *d, size_t bytes)
{
    int n = 0;
    struct stage **last = NULL;
    for (struct stage **at = &d->stages; *at; at = &(*at)->next, n++) {
        if ((*at)->size >= bytes && idle(*at)) return *at;
        last = at;
    }
    if (n >= STAGES) {
        struct stage *old = *last;
        cl_event event = old->event;
        old->event = NULL;
        *last = NULL;
        const int status = event ? opencl_await(d, event, NULL) : SKL_OK;
        if (d->hangs) return NULL; /* the driver may still read it */
        free(old);
        if (status) return NULL;
    }
    struct stage *s = malloc(sizeof *s + bytes);
    if (!s) skl_out_of_memory(sizeof *s + bytes);
    *s = (struct stage){d->stages, bytes, NULL};
    return d->stages = s;
}

void opencl_upload(struct skl_device *device, const void *from, size_t bytes, struct skl_place to)
{
    struct opencl *d = opencl_of(device);
    if (d->broken.status || bytes == 0) return;
    struct stage *s = free_stage(d, bytes);
    if (!s) return;
    memcpy(s->data, from, bytes);
    cl_int code =
        clEnqueueWriteBuffer(d->queue, to.memory->buffer, CL_FALSE, to.offset, bytes, s->data, 0, NULL, &s->event);
    if (code) s->event = NULL;
    if (!code) code = clFlush(d->queue);
    if (code) opencl_break(d, code, "upload");
}

void opencl_download(struct skl_device *device, struct skl_place from, size_t bytes, void *to)
{
    struct opencl *d = opencl_of(device);
    if (bytes == 0 || d->broken.status) return;
    const cl_int code =
        clEnqueueReadBuffer(d->queue, from.memory->buffer, CL_FALSE, from.offset, bytes, to, 0, NULL, NULL);
    if (code) opencl_break(d, code, "download");
}

void opencl_clear(struct skl_device *device, struct skl_place at, size_t bytes)
{
    struct opencl *d = opencl_of(device);
    if (d->broken.status || bytes == 0) return;
    const cl_uchar zero = 0;
    const cl_int code =
        clEnqueueFillBuffer(d->queue, at.memory->buffer, &zero, sizeof zero, at.offset, bytes, 0, NULL, NULL);
    if (code) opencl_break(d, code, "clear");
}
