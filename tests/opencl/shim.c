/* A driver with faults, laid over the real one by LD_PRELOAD.  SKL_SHIM is a list of words:
 *   gpu          every device says it is a GPU with memory of its own, and /dev lists one
 *   twice        the first platform lists its first device twice
 *   none         there is no platform
 *   rude         it greets on standard output, and what it says of itself and of a build is no text
 *   crash        it ends the process when it is asked for devices
 *   launch=N     the N-th kernel launched (from 1) fails with CL_OUT_OF_RESOURCES, and all after it
 *   hang=N       after the N-th launch no event ever completes, and ten minutes pass each time somebody looks
 *   memory=N     buffers of more than N bytes cannot be made
 *   buffers=N    the N-th buffer (from 1) cannot be made, and none after it
 *   holds=N      every device says it has so many bytes of memory
 *   reads=FILE   how often something was read from the device's memory so far
 *   wrong=NAME   kernel NAME is never run
 *   side=N       kernels built to join N batch-norm groups at a time are never run
 *   broken=NAME  a text with kernel NAME in it does not build */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dirent.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC visibility push(default)
static int launches;

static const char *word(const char *name)
{
    const char *all = getenv("SKL_SHIM");
    for (const char *p = all; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : "")
        if (!strncmp(p, name, strlen(name))) return p + strlen(name);
    return NULL;
}
static long number(const char *name)
{
    const char *w = word(name);
    return w ? strtol(w, NULL, 10) : 0;
}
static int named(const char *what, const char *name)
{
    const char *w = word(what);
    return w && strlen(name) == strcspn(w, ",") && !strncmp(w, name, strlen(name));
}
static void *real(const char *name)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_LAZY | RTLD_LOCAL), *f = library ? dlsym(library, name) : NULL;
    if (!f) fprintf(stderr, "shim: no %s\n", name), exit(99);
    return f;
}
#define REAL(f) ((__typeof__(&f))real(#f))
static int hangs(void) { return number("hang=") && launches >= number("hang="); }

struct dirent *readdir(DIR *folder)
{
    static struct dirent *(*next)(DIR *);
    if (!next) next = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");
    struct dirent *e = next(folder);
    if (e && word("gpu") && !strcmp(e->d_name, "null")) strcpy(e->d_name, "nvidia0");
    return e;
}

cl_int clGetPlatformIDs(cl_uint entries, cl_platform_id *platforms, cl_uint *count)
{
    if (word("rude")) puts("[driver] hello");
    if (!word("none")) return REAL(clGetPlatformIDs)(entries, platforms, count);
    if (count) *count = 0;
    return -1001;
}

static cl_int say(const char *text, size_t size, void *value, size_t *size_ret)
{
    if (value && size > strlen(text)) strcpy(value, text);
    if (size_ret) *size_ret = strlen(text) + 1;
    return CL_SUCCESS;
}
cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t size, void *value, size_t *size_ret)
{
    if (word("rude") && what == CL_PLATFORM_NAME) return say("Rude\33[31m \xff\xfe OpenCL\n", size, value, size_ret);
    return REAL(clGetPlatformInfo)(platform, what, size, value, size_ret);
}
cl_int clGetProgramBuildInfo(cl_program program, cl_device_id device, cl_program_build_info what, size_t size,
                             void *value, size_t *size_ret)
{
    if (word("rude") && what == CL_PROGRAM_BUILD_LOG)
        return say("note\n\xc3\33]0;error: \xe2\x80 no such thing\n", size, value, size_ret);
    return REAL(clGetProgramBuildInfo)(program, device, what, size, value, size_ret);
}

cl_int clGetDeviceIDs(cl_platform_id platform, cl_device_type type, cl_uint entries, cl_device_id *devices,
                      cl_uint *count)
{
    if (word("crash")) abort();
    const cl_int code = REAL(clGetDeviceIDs)(platform, type, entries, devices, count);
    if (!code && word("twice") && devices && *count < entries) devices[(*count)++] = devices[0];
    return code;
}

cl_int clGetDeviceInfo(cl_device_id device, cl_device_info what, size_t size, void *value, size_t *size_ret)
{
    const cl_int code = REAL(clGetDeviceInfo)(device, what, size, value, size_ret);
    const cl_device_type gpu = CL_DEVICE_TYPE_GPU;
    const cl_bool no = CL_FALSE;
    if (!code && word("gpu") && value && what == CL_DEVICE_TYPE) memcpy(value, &gpu, sizeof gpu);
    if (!code && word("gpu") && value && what == CL_DEVICE_HOST_UNIFIED_MEMORY) memcpy(value, &no, sizeof no);
    const cl_ulong holds = (cl_ulong)number("holds=");
    if (!code && holds && value && what == CL_DEVICE_GLOBAL_MEM_SIZE) memcpy(value, &holds, sizeof holds);
    return code;
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code)
{
    static int buffers;
    const bool few = number("buffers=") && ++buffers >= number("buffers=");
    if (!few && (!number("memory=") || size <= (size_t)number("memory=")))
        return REAL(clCreateBuffer)(context, flags, size, host, code);
    *code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    return NULL;
}

cl_kernel clCreateKernel(cl_program program, const char *name, cl_int *code)
{
    if (!named("broken=", name)) return REAL(clCreateKernel)(program, name, code);
    *code = CL_BUILD_PROGRAM_FAILURE;
    return NULL;
}

static int joins(cl_kernel kernel)
{
    char side[32], options[2000] = "";
    cl_program program = NULL;
    cl_device_id device = NULL;
    if (!word("side=")) return 0;
    clGetKernelInfo(kernel, CL_KERNEL_PROGRAM, sizeof program, &program, NULL);
    clGetProgramInfo(program, CL_PROGRAM_DEVICES, sizeof device, &device, NULL);
    REAL(clGetProgramBuildInfo)(program, device, CL_PROGRAM_BUILD_OPTIONS, sizeof options - 1, options, NULL);
    snprintf(side, sizeof side, "-DSIDE=%ld", number("side="));
    return strstr(options, side) != NULL;
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                              const size_t *global, const size_t *local, cl_uint events, const cl_event *list,
                              cl_event *event)
{
    char name[100] = "";
    clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name - 1, name, NULL);
    launches++;
    if (number("launch=") && launches >= number("launch=")) return CL_OUT_OF_RESOURCES;
    if ((named("wrong=", name) || joins(kernel)) && !event) return CL_SUCCESS;
    return REAL(clEnqueueNDRangeKernel)(queue, kernel, dims, offset, global, local, events, list, event);
}

cl_int clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size,
                           void *to, cl_uint events, const cl_event *list, cl_event *event)
{
    static int reads;
    FILE *f = word("reads=") ? fopen(word("reads="), "w") : NULL;
    if (f) fprintf(f, "%d\n", ++reads), fclose(f);
    return REAL(clEnqueueReadBuffer)(queue, buffer, blocking, offset, size, to, events, list, event);
}

cl_int clGetEventInfo(cl_event event, cl_event_info what, size_t size, void *value, size_t *size_ret)
{
    const cl_int code = REAL(clGetEventInfo)(event, what, size, value, size_ret), submitted = CL_SUBMITTED;
    if (!code && what == CL_EVENT_COMMAND_EXECUTION_STATUS && hangs()) memcpy(value, &submitted, sizeof submitted);
    return code;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    static int asked;
    static int (*ask)(clockid_t, struct timespec *);
    if (!ask) ask = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const int code = ask(clock, t);
    if (clock == CLOCK_MONOTONIC && hangs()) t->tv_sec += 600 * ++asked;
    return code;
}
