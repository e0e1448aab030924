/* Which OpenCL devices there are, which of them can run the kernels, and which are GPUs. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/base/cpu.h"
#include "core/base/say.h"
#include "core/base/trial.h"
#include "core/device/opencl/internal.h"

/* What every kernel counts on (kernels/): a work-group's items and its local memory. */
enum { NEED_ITEMS = 256, NEED_LOCAL = 32 * 1024 };

bool skl_devices_built(void) { return true; }

static void text_of(cl_device_id id, cl_device_info what, char *to, size_t size)
{
    char text[512] = "";
    if (clGetDeviceInfo(id, what, sizeof text - 1, text, NULL)) text[0] = 0;
    opencl_printable(text, to, size);
}
static void maker_of(cl_platform_id platform, char *to, size_t size)
{
    char text[512] = "";
    if (clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof text - 1, text, NULL)) text[0] = 0;
    opencl_printable(text, to, size);
}
static uint64_t number_of(cl_device_id id, cl_device_info what)
{
    uint64_t v = 0; /* little-endian: the shorter types fill its low end */
    return clGetDeviceInfo(id, what, sizeof v, &v, NULL) ? 0 : v;
}

static bool is_software(const struct skl_device_info *a, cl_device_type type)
{
    static const char *const names[] = {"llvmpipe", "softpipe", "swrast", "SwiftShader", "Oclgrind"};
    if (type & CL_DEVICE_TYPE_CPU) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(a->name, names[i]) || strstr(a->driver, names[i])) return true;
    return false;
}

static void judge(struct skl_device_info *a, cl_device_id id)
{
    const uint64_t needed = CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST;
    if (!number_of(id, CL_DEVICE_AVAILABLE))
        snprintf(a->why, sizeof a->why, "it is not available");
    else if (!number_of(id, CL_DEVICE_COMPILER_AVAILABLE))
        snprintf(a->why, sizeof a->why, "its driver has no compiler");
    else if (!number_of(id, CL_DEVICE_ENDIAN_LITTLE))
        snprintf(a->why, sizeof a->why, "it is big-endian");
    else if (a->group < NEED_ITEMS)
        snprintf(a->why, sizeof a->why, "%zu work-items a group, %d are needed", a->group, NEED_ITEMS);
    else if (a->local_memory < NEED_LOCAL)
        snprintf(a->why, sizeof a->why, "%zu bytes of local memory, %d are needed", a->local_memory, NEED_LOCAL);
    else if ((number_of(id, CL_DEVICE_SINGLE_FP_CONFIG) & needed) != needed)
        snprintf(a->why, sizeof a->why, "its float32 has no infinities or does not round to nearest");
    a->fit = !a->why[0];
}

static void describe(struct skl_device_info *a, cl_platform_id platform, cl_device_id id)
{
    char maker[96], driver[64];
    maker_of(platform, maker, sizeof maker);
    text_of(id, CL_DEVICE_NAME, a->name, sizeof a->name);
    text_of(id, CL_DEVICE_VENDOR, a->vendor, sizeof a->vendor);
    text_of(id, CL_DRIVER_VERSION, driver, sizeof driver);
    snprintf(a->driver, sizeof a->driver, "%s %s", maker, driver);
    a->software = is_software(a, (cl_device_type)number_of(id, CL_DEVICE_TYPE));
    a->own_memory = !a->software && !number_of(id, CL_DEVICE_HOST_UNIFIED_MEMORY);
    a->memory = number_of(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    a->largest = number_of(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    a->units = (int)number_of(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    a->mhz = (int)number_of(id, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    a->local_memory = number_of(id, CL_DEVICE_LOCAL_MEM_SIZE);
    a->group = number_of(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    a->gpu = -1;
    judge(a, id);
}

static bool better(const struct skl_device_info *a, const struct skl_device_info *b)
{
    if (a->own_memory != b->own_memory) return a->own_memory;
    const int64_t x = (int64_t)a->units * a->mhz, y = (int64_t)b->units * b->mhz;
    return x != y ? x > y : a->opencl < b->opencl;
}
static void number_gpus(struct skl_device_info *list, int n)
{
    for (int rank = 0;; rank++) {
        int best = -1;
        for (int i = 0; i < n; i++)
            if (list[i].fit && !list[i].software && list[i].gpu < 0 && (best < 0 || better(&list[i], &list[best])))
                best = i;
        if (best < 0) return;
        list[best].gpu = rank;
    }
}

/* Some drivers greet on standard output, where what other programs read may stand: they do so on standard error. */
static cl_int load_drivers(cl_uint most, cl_platform_id *platforms, cl_uint *count)
{
    skl_print_flush();
    const int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (out >= 0) dup2(STDERR_FILENO, STDOUT_FILENO);
    const cl_int code = clGetPlatformIDs(most, platforms, count);
    skl_arithmetic_reset();
    skl_print_flush(); /* the driver's words: it has the same buffer */
    if (out >= 0) dup2(out, STDOUT_FILENO), close(out);
    return code;
}

int opencl_find(struct skl_device_info list[SKL_MAX_DEVICES], cl_device_id ids[SKL_MAX_DEVICES])
{
    cl_platform_id platforms[16];
    cl_uint count = 0;
    int n = 0;
    if (load_drivers(16, platforms, &count)) return 0;
    for (cl_uint p = 0; p < count && p < 16; p++) {
        cl_device_id found[SKL_MAX_DEVICES];
        cl_uint devices = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, SKL_MAX_DEVICES, found, &devices)) continue;
        for (cl_uint i = 0; i < devices && n < SKL_MAX_DEVICES; i++, n++) {
            list[n] = (struct skl_device_info){.opencl = n};
            ids[n] = found[i];
            describe(&list[n], platforms[p], found[i]);
        }
    }
    number_gpus(list, n);
    return n;
}

/* ---- drivers are foreign code, and may crash as soon as they are asked (pocl where there is no /sys) ---- */

enum { LIST_SECONDS = 60 };
struct found {
    int count;
    struct skl_device_info list[SKL_MAX_DEVICES];
};

/* Some drivers build nothing at all: Ubuntu 22.04's pocl on CPUs that its LLVM does not know.  A GPU is not asked: that
 * would take a context of each, which is slow, and what it cannot build is said when it is used. */
static void try_compiler(struct skl_device_info *a, cl_device_id id)
{
    const char *text = "__kernel void nothing(__global int *x) { x[0] = 0; }";
    cl_int code;
    cl_context context = clCreateContext(NULL, 1, &id, NULL, NULL, &code);
    cl_program p = context ? clCreateProgramWithSource(context, 1, &text, NULL, &code) : NULL;
    if (p) code = clBuildProgram(p, 1, &id, "", NULL, NULL);
    cl_kernel kernel = p && !code ? clCreateKernel(p, "nothing", &code) : NULL;
    if (p && !kernel) {
        char line[sizeof a->why - 40];
        opencl_build_line(p, id, line, sizeof line);
        snprintf(a->why, sizeof a->why, "its compiler builds nothing: %s", line[0] ? line : opencl_error(code));
        a->fit = false;
    }
    if (kernel) clReleaseKernel(kernel);
    if (p) clReleaseProgram(p);
    if (context) clReleaseContext(context);
}

static void find_in_child(void *arg)
{
    struct found *f = arg;
    cl_device_id ids[SKL_MAX_DEVICES];
    f->count = opencl_find(f->list, ids);
    for (int i = 0; i < f->count; i++)
        if (f->list[i].fit && f->list[i].software) try_compiler(&f->list[i], ids[i]);
}

static void try_drivers(struct found *known)
{
    struct found *f = skl_shared(sizeof *f);
    if (!f) return;
    const struct skl_trial trial = skl_trial(find_in_child, f, LIST_SECONDS);
    char words[160];
    skl_trial_words(&trial, LIST_SECONDS, words, sizeof words);
    if (trial.returned)
        *known = *f;
    else
        skl_say("skiplab: note: no OpenCL device is used: asking the drivers for them %s\n", words);
    skl_shared_free(f, sizeof *f);
}

int skl_device_list(struct skl_device_info list[SKL_MAX_DEVICES])
{
    static struct found known;
    static bool tried;
    if (!tried) try_drivers(&known);
    tried = true;
    memcpy(list, known.list, sizeof known.list);
    return known.count;
}
