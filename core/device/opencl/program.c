/* Kernels from embedded texts: built once a process for each set of -D options, and called. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/device/opencl/device_opencl.h"
#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/device/opencl/internal.h"
#include "core/device/opencl/texts.h"

struct program {
    struct program *next;
    char *key; /* name, options and kernel: what was asked for */
    cl_program built;
    cl_kernel kernel;
};

struct spent {
    struct spent *next;
    char name[64];
    double seconds, bytes;
    int64_t calls;
};
struct timed {
    cl_event event;
    struct spent *spent;
};
enum { TIMED = 4096, FLUSH_EVERY = 32 };

/* ---- building ---- */
/* The line of a compiler's log that tells most: the first with "error", else the first. */
static void telling_line(const char *log, char *line, size_t size)
{
    const char *at = strstr(log, "error");
    while (at && at > log && at[-1] != '\n') at--;
    if (!at) at = log + strspn(log, " \n");
    snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
    opencl_printable(line, line, size);
}

void opencl_build_line(cl_program p, cl_device_id id, char *line, size_t size)
{
    size_t n = 0;
    line[0] = 0;
    clGetProgramBuildInfo(p, id, CL_PROGRAM_BUILD_LOG, 0, NULL, &n);
    char *log = skl_alloc(n + 1);
    if (n && !clGetProgramBuildInfo(p, id, CL_PROGRAM_BUILD_LOG, n, log, NULL)) telling_line(log, line, size);
    free(log);
}

static void build_failed(struct opencl *d, cl_program p, const char *named, cl_int code)
{
    char line[200];
    opencl_build_line(p, d->id, line, sizeof line);
    if (!d->broken.status)
        skl_fail(&d->broken, SKL_FAILED, "opencl:%d (%s, %s): kernel %s does not build: %s%s%s", d->about.opencl,
                 d->about.name, d->about.driver, named, opencl_error(code), line[0] ? ": " : "", line);
}

const char *opencl_text(const char *name)
{
    for (const struct skl_cl_text *t = skl_cl_texts; t->name; t++)
        if (!strcmp(t->name, name)) return t->text;
    SKL_BUG("no text %s", name);
}

static cl_program build(struct opencl *d, const char *named, const char *source, const char *options)
{
    const char *parts[] = {opencl_text("flags"), opencl_text("common"), opencl_text("scalar"),
                           opencl_text("load"),  opencl_text("store"),  opencl_text("vector"),
                           opencl_text("load"),  opencl_text("store"),  source};
    cl_int code;
    cl_program p = clCreateProgramWithSource(d->context, sizeof parts / sizeof *parts, parts, NULL, &code);
    if (!p) {
        opencl_break(d, code, named);
        return NULL;
    }
    char *all = skl_format("-cl-std=CL1.2 %s%s", d->divides ? "-cl-fp32-correctly-rounded-divide-sqrt " : "", options);
    code = clBuildProgram(p, 1, &d->id, all, NULL, NULL);
    free(all);
    if (!code) return p;
    build_failed(d, p, named, code);
    clReleaseProgram(p);
    return NULL;
}

/* The program that `named` and these options made before, or a new one. */
static cl_program program_for(struct opencl *d, const char *named, const char *source, const char *options)
{
    char *prefix = skl_format("%s %s|", named, options);
    cl_program p = NULL;
    for (const struct program *q = d->programs; q && !p; q = q->next)
        if (!strncmp(q->key, prefix, strlen(prefix))) p = q->built;
    free(prefix);
    if (p) clRetainProgram(p);
    return p ? p : build(d, named, source, options);
}

static cl_kernel kernel_for(struct opencl *d, const char *named, const char *source, const char *kernel,
                            const char *options)
{
    if (d->broken.status) return NULL;
    char *key = skl_format("%s %s|%s", named, options, kernel);
    for (const struct program *q = d->programs; q; q = q->next)
        if (!strcmp(q->key, key)) {
            free(key);
            return q->kernel;
        }
    cl_program p = program_for(d, named, source, options);
    cl_int code = CL_SUCCESS;
    cl_kernel k = p ? clCreateKernel(p, kernel, &code) : NULL;
    if (!k) {
        if (p) opencl_break(d, code, kernel), clReleaseProgram(p);
        free(key);
        return NULL;
    }
    struct program *q = skl_alloc(sizeof *q);
    *q = (struct program){d->programs, key, p, k};
    d->programs = q;
    return k;
}

cl_kernel opencl_kernel_of(struct opencl *d, const char *named, const char *source, const char *kernel,
                           const char *options, ...)
{
    char all[512];
    va_list args;
    va_start(args, options);
    const int n = vsnprintf(all, sizeof all, options, args);
    va_end(args);
    SKL_CHECK(n < (int)sizeof all);
    return kernel_for(d, named, source, kernel, all);
}

void opencl_release_programs(struct opencl *d)
{
    while (d->programs) {
        struct program *q = d->programs;
        d->programs = q->next;
        clReleaseKernel(q->kernel), clReleaseProgram(q->built);
        free(q->key), free(q);
    }
    while (d->spent) {
        struct spent *s = d->spent;
        d->spent = s->next;
        free(s);
    }
    free(d->timed);
}

/* ---- calling ---- */
struct call call_begin(struct opencl *d, cl_kernel kernel, const char *name)
{
    return (struct call){d, d->broken.status ? NULL : kernel, name, 0, 0};
}

static void argument(struct call *c, size_t size, const void *value)
{
    if (!c->kernel) return;
    const cl_int code = clSetKernelArg(c->kernel, c->next++, size, value);
    if (!code) return;
    opencl_break(c->d, code, c->name);
    c->kernel = NULL;
}

void call_buffer(struct call *c, struct skl_memory *m)
{
    const cl_mem buffer = m ? m->buffer : NULL;
    argument(c, sizeof buffer, &buffer);
}
void call_place(struct call *c, struct skl_place p)
{
    const cl_ulong at = p.memory ? p.offset : 0;
    call_buffer(c, p.memory);
    argument(c, sizeof at, &at);
}
void call_int(struct call *c, int v)
{
    const cl_int x = v;
    argument(c, sizeof x, &x);
}
void call_float(struct call *c, double v)
{
    const cl_float x = (cl_float)v;
    argument(c, sizeof x, &x);
}
void call_ulong(struct call *c, uint64_t v)
{
    const cl_ulong x = v;
    argument(c, sizeof x, &x);
}

void call_stop(struct call *c, struct skl_place stop)
{
    call_place(c, stop);
    call_int(c, skl_there(stop));
}

void call_float8(struct call *c, const float v[8]) { argument(c, 8 * sizeof *v, v); }

static struct spent *spent_on(struct opencl *d, const char *name)
{
    for (struct spent *s = d->spent; s; s = s->next)
        if (!strcmp(s->name, name)) return s;
    struct spent *s = skl_alloc(sizeof *s);
    snprintf(s->name, sizeof s->name, "%s", name);
    s->next = d->spent;
    return d->spent = s;
}

/* Adds up what the timed kernels took; all of them are done. */
static void collect_times(struct opencl *d)
{
    for (int i = 0; i < d->timings; i++) {
        struct timed *t = &d->timed[i];
        cl_ulong start = 0, end = 0;
        clGetEventProfilingInfo(t->event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
        clGetEventProfilingInfo(t->event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
        t->spent->seconds += 1e-9 * (double)(end - start), t->spent->calls++;
        clReleaseEvent(t->event);
    }
    d->timings = 0;
}

void call_run(struct call *c, size_t groups_x, size_t groups_y, size_t groups_z, size_t items)
{
    struct opencl *d = c->d;
    if (!c->kernel || groups_x == 0) return;
    const size_t local[3] = {items, 1, 1},
                 global[3] = {groups_x * items, groups_y ? groups_y : 1, groups_z ? groups_z : 1};
    const cl_uint dims = groups_z ? 3 : groups_y ? 2 : 1;
    cl_event event = NULL;
    snprintf(d->doing, sizeof d->doing, "kernel %s", c->name);
    const cl_int code =
        clEnqueueNDRangeKernel(d->queue, c->kernel, dims, NULL, global, local, 0, NULL, d->timing ? &event : NULL);
    if (code) {
        opencl_break(d, code, d->doing);
        return;
    }
    if (++d->unflushed == FLUSH_EVERY) clFlush(d->queue), d->unflushed = 0; /* so that the device begins at once */
    if (!d->timing) return;
    if (!d->timed) d->timed = skl_alloc_array(TIMED, sizeof *d->timed);
    struct spent *spent = spent_on(d, c->name);
    spent->bytes += c->bytes;
    d->timed[d->timings++] = (struct timed){event, spent};
    if (d->timings == TIMED) {
        opencl_finish(&d->head, NULL);
        collect_times(d);
    }
}

int skl_opencl_times(const struct skl_device *device, struct skl_opencl_time *list, int most)
{
    struct opencl *d = opencl_of((struct skl_device *)(uintptr_t)device);
    int n = 0;
    opencl_finish(&d->head, NULL);
    collect_times(d);
    for (struct spent *s = d->spent; s && n < most; s = s->next) {
        snprintf(list[n].name, sizeof list[n].name, "%s", s->name);
        list[n].seconds = s->seconds, list[n].bytes = s->bytes, list[n++].calls = s->calls;
        s->seconds = 0, s->bytes = 0, s->calls = 0;
    }
    return n;
}

void skl_opencl_digest(char hex[65])
{
    char *all = skl_strdup("");
    for (const struct skl_cl_text *t = skl_cl_texts; t->name; t++) all = skl_append(all, "%s\n", t->text);
    skl_sha256_hex(all, strlen(all), hex);
    free(all);
}
