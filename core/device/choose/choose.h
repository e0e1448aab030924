/* choose.h - which device: what this machine could compute on, and what a user asked for.
 *
 * A device is named cpu, gpu:N or opencl:N.  opencl:N counts every OpenCL device in the order in which the drivers list
 * them; gpu:N counts those GPUs alone that can train, the best first.  A program on the CPU that calls itself an OpenCL
 * device (pocl, llvmpipe) has an opencl:N only: nobody gets it unasked. */
#ifndef SKL_CHOOSE_H
#define SKL_CHOOSE_H
#include "core/device/choose/selftest.h"
#include "core/device/opencl/device_opencl.h"

/* Could there be a GPU?  False where the system shows no such device: the drivers need not be loaded to know. */
bool skl_devices_possible(void);

/* What a user asked for with --device or SKL_DEVICE: the words auto, cpu, gpu, gpu:N[,M...], opencl:N. */
enum skl_device_kind { SKL_DEVICE_AUTO, SKL_DEVICE_CPU, SKL_DEVICE_GPU, SKL_DEVICE_OPENCL };
struct skl_device_wish {
    enum skl_device_kind kind;
    int count, number[16]; /* gpu: none named: count 0 */
};
/* SKL_USAGE: no such form.  word NULL: what SKL_DEVICE says, else auto. */
int skl_device_parse(const char *word, struct skl_device_wish *wish, struct skl_err *err);

/* The wish as the name of one device (device.h): "cpu" or "opencl:N"; why: a few words for the first line a run prints.
 * turn: of several runs at once, which one this is: they share out the GPUs that were named, or all.  SKL_USAGE: there
 * is no such device, or it is not fit. */
struct skl_device_choice {
    char name[24], why[200];
};
int skl_device_choose(const struct skl_device_wish *wish, int turn, struct skl_device_choice *choice,
                      struct skl_err *err);
/* The device that a run was begun on, from its numerics key.  SKL_USAGE: it is not here. */
int skl_device_begun(const char *numerics, struct skl_device_choice *choice, struct skl_err *err);
/* Can a device run this variant?  SKL_USAGE: what the variant would have to be. */
int skl_device_fits(const char *name, const struct skl_shortcut *variant, struct skl_err *err);
/* GPUs that the wish would use: 0 where it is the CPU or asks for no GPU. */
int skl_device_count(const struct skl_device_wish *wish);

/* Makes sure that device `name` computes rightly: what is not known, from the user's cache folder, to have passed there
 * with this driver and these kernels is tested (selftest.h) beside the CPU first; `anew`: all of it.  Each operation
 * and shape is known for itself, so a second net tests only what is new in it.  SKL_FAILED: the operation that is
 * wrong. */
int skl_device_trust(const char *name, struct skl_pool *pool, const struct skl_selftest *what, bool anew,
                     struct skl_err *err);
/* Is all of it known? */
bool skl_device_trusted(const struct skl_device_info *device, const struct skl_selftest *what);
#endif
