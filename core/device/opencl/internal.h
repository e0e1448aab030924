/* internal.h - one OpenCL device: its queue, memory and kernels.  For core/device/opencl alone.
 *
 * Everything goes down one in-order queue, so that kernels see each other's results without events.  The first error is
 * kept (struct opencl.broken) and makes all that follows do nothing: whoever downloads or finishes gets it, once, as
 * one line with the kernel's name. */
#ifndef SKL_OPENCL_INTERNAL_H
#define SKL_OPENCL_INTERNAL_H
#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/device/device.h"
#include "core/device/opencl/device_opencl.h"

struct skl_memory {
    cl_mem buffer;
};

struct program; /* program.c: built text */
struct opencl {
    struct skl_device head;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    struct skl_device_info about;
    struct program *programs; /* built so far */
    struct skl_err broken;    /* the first error; status 0: none */
    char doing[160];          /* the kernel enqueued last, for messages */
    struct stage *stages;     /* memory.c: copies of what is on its way up */
    bool hangs;               /* does not answer: nothing of it is called any more */
    bool timing;              /* the queue tells how long each kernel took: bench */
    int unflushed;            /* launches that the driver may not have passed on yet */
    bool divides;             /* divisions and roots can be correctly rounded */
    struct spent *spent;      /* program.c: seconds by kernel, when timing */
    struct timed *timed;
    int timings;
    struct tables *tables; /* tables.c: reductions that wait, sums and where they are */
    struct conv_way *ways; /* conv.c: plans */
};
static inline struct opencl *opencl_of(struct skl_device *d) { return (struct opencl *)d; }

/* ---- list.c ---- */
int opencl_find(struct skl_device_info list[SKL_MAX_DEVICES], cl_device_id ids[SKL_MAX_DEVICES]);

/* ---- open.c ---- */
/* Opens device opencl:N.  SKL_USAGE: no such device, not fit; SKL_FAILED: the driver's fault. */
int opencl_open(int number, struct opencl **device, struct skl_err *err);
void opencl_close(struct opencl *d);

/* ---- wait.c ---- */
const char *opencl_error(cl_int code); /* "CL_OUT_OF_RESOURCES" */
/* What a driver says goes into logs, keys and JSON: its printable ASCII alone, without blanks at the ends.  to may be
 * text. */
void opencl_printable(const char *text, char *to, size_t size);
/* Remembers the first error. */
void opencl_break(struct opencl *d, cl_int code, const char *doing);
/* Waits until all is done.  Returns the status of all that was enqueued so far. */
int opencl_finish(struct skl_device *d, struct skl_err *err);
int opencl_await(struct opencl *d, cl_event event, struct skl_err *err); /* releases the event */

/* ---- memory.c: the table's own ---- */
int opencl_reserve(struct skl_device *d, size_t bytes, struct skl_memory **memory, struct skl_err *err);
void opencl_release(struct skl_device *d, struct skl_memory *memory);
void opencl_upload(struct skl_device *d, const void *from, size_t bytes, struct skl_place to);
void opencl_download(struct skl_device *d, struct skl_place from, size_t bytes, void *to);
void opencl_clear(struct skl_device *d, struct skl_place at, size_t bytes);
void opencl_release_stages(struct opencl *d);

/* ---- program.c ---- */
/* A kernel of a text that stands behind common.cl, load.cl and store.cl, built with these -D options once a process;
 * `named` tells texts apart, also in messages.  NULL: broken. */
cl_kernel opencl_kernel_of(struct opencl *d, const char *named, const char *source, const char *kernel,
                           const char *options, ...) __attribute__((format(printf, 5, 6)));
/* The same of one of the embedded texts. */
#define opencl_kernel(d, text, kernel, ...) opencl_kernel_of(d, text, opencl_text(text), kernel, __VA_ARGS__)
void opencl_release_programs(struct opencl *d);
const char *opencl_text(const char *name); /* an embedded one */
/* The line of the compiler's log that tells most about why the program did not build. */
void opencl_build_line(cl_program p, cl_device_id id, char *line, size_t size);

/* Arguments are given in the kernel's order; the first one that fails breaks the device. */
struct call {
    struct opencl *d;
    cl_kernel kernel;
    const char *name;
    cl_uint next;
    double bytes; /* of tensors that it reads and writes, each once */
};
struct call call_begin(struct opencl *d, cl_kernel kernel, const char *name);
void call_place(struct call *c, struct skl_place p);    /* two arguments: the buffer, and the byte in it */
void call_buffer(struct call *c, struct skl_memory *m); /* the buffer alone */
void call_int(struct call *c, int v);
void call_float(struct call *c, double v);
void call_ulong(struct call *c, uint64_t v);
void call_stop(struct call *c, struct skl_place stop); /* STOP of kernels/common.cl */
void call_float8(struct call *c, const float v[8]);
/* groups[] of `size` work-items each, in one to three dimensions (0 ends); items stand in the first. */
void call_run(struct call *c, size_t groups_x, size_t groups_y, size_t groups_z, size_t items);

/* The parts of an operand and of a result as arguments; their flags (kernels/flags.h). */
int operand_flags(const struct skl_operand *o);
int result_flags(const struct skl_result *r);
int sums_kind(const struct skl_result *r); /* SUMS of kernels/common.cl */
void call_operand(struct call *c, const struct skl_operand *o);
void call_result(struct call *c, const struct skl_result *r, struct skl_place part);
/* For the times that bench shows: so many elements go through an operand, through a result (NULL: none). */
void moves_operand(struct call *c, const struct skl_operand *o, double elements);
void moves_result(struct call *c, const struct skl_result *r, double elements);

/* ---- tables.c: what lies between the operations ---- */
enum { SUMS_PARTS = 512 }; /* partial sums of one result at most: more are squeezed */
size_t opencl_sums_bytes(const struct skl_device *d, int c);
/* Where a kernel of `parts` work-groups a batch-norm group writes the partial sums for `sums`; and after it ran: they
 * are sums over `count` elements a channel and group. */
struct skl_place parts_begin(struct opencl *d, struct skl_place sums, int parts, int c);
void parts_end(struct opencl *d, struct skl_place sums, int parts, int c, bool statistics, int64_t count);
struct skl_place extra_sums(struct opencl *d, int c); /* a place for a second result's */
/* What is known of them: how many parts, over how many elements a channel; of one batch-norm group. */
struct sums_note {
    struct skl_place at;
    int parts;
    int64_t count;
};
const struct sums_note *parts_noted(const struct opencl *d, struct skl_place sums);

/* Partial gradients wait until somebody wants them: one launch adds all up. */
struct skl_place gradient_room(struct opencl *d, size_t floats, struct skl_place to);
void gradient_wait(struct opencl *d, struct skl_place from, int parts, size_t count, struct skl_place to,
                   bool accumulate);
void gradients_finish(struct opencl *d);
int tables_ready(struct opencl *d, size_t gradient_floats, struct skl_err *err);
void tables_release(struct opencl *d);
void opencl_find_infinite(struct skl_device *d, struct skl_place at, size_t floats, struct skl_place flag);
void opencl_sgd(struct skl_device *d, const struct skl_learned *tensor, int tensors, const struct skl_sgd *sgd);

/* ---- conv.c ---- */
int opencl_conv_plan(struct skl_device *d, struct skl_conv_shape shape, enum skl_conv_algo algo,
                     struct skl_conv_plan *plan, struct skl_err *err);
/* Partial ones of so many groups of n images. */
size_t conv_gradient_floats(const struct skl_conv_plan *plan, int groups, int n);
void conv_release(struct opencl *d);
void opencl_conv_forward(struct skl_device *d, const struct skl_conv_job *job);
void opencl_conv_backward(struct skl_device *d, const struct skl_conv_job *job);

/* ---- norm.c ---- */
size_t opencl_norm_bytes(const struct skl_device *d, int c);
void opencl_bn_forward(struct skl_device *d, const struct skl_norm *norm, struct skl_place sums, struct skl_place bias,
                       double remember);
void opencl_bn_recall(struct skl_device *d, const struct skl_norm *norm, struct skl_place bias);
void opencl_bn_backward(struct skl_device *d, const struct skl_norm *norm, struct skl_place sums, bool second,
                        struct skl_place factor, bool accumulate);
void opencl_bias_backward(struct skl_device *d, int c, struct skl_place sums, struct skl_place factor,
                          struct skl_place dbias, bool accumulate);
void opencl_blend(struct skl_device *d, const struct skl_blend *job);
void opencl_coef_sums(struct skl_device *d, const struct skl_coef_sums *job);
void merge_coef_sums(struct opencl *d, struct skl_place part, int parts, int c, enum skl_span a, enum skl_span b,
                     struct skl_place to);

/* ---- map.c ---- */
/* How a pass over a batch-norm group's pixels is cut: columns of channels, pixels a work-group, so many work-groups. */
struct cut {
    int lanes, per, span, blocks;
};
struct cut cut_of(int64_t pixels, int c);
void opencl_map(struct skl_device *d, const struct skl_operand *x, const struct skl_result *y, int n,
                struct skl_shape shape);
void opencl_spread(struct opencl *d, struct skl_place pooled, const struct skl_result *y, int n,
                   struct skl_shape shape);
void opencl_pad(struct skl_device *d, struct skl_place from, struct skl_place to, int n, struct skl_shape in,
                struct skl_shape out, bool backward);
void opencl_max_pool_forward(struct skl_device *d, const struct skl_max_pool *job, int n);
void opencl_max_pool_backward(struct skl_device *d, const struct skl_max_pool *job, int n);
void opencl_keep_bits(struct skl_device *d, uint64_t key, double drop, int first, int n, size_t image,
                      struct skl_place bits);

/* ---- merge.c ---- */
int opencl_variant_fits(struct skl_device *d, const struct skl_shortcut *variant, struct skl_err *err);
void opencl_merge_forward(struct skl_device *d, const struct skl_merge *job);
void opencl_merge_backward(struct skl_device *d, const struct skl_merge *job);

/* ---- head.c ---- */
void opencl_head_forward(struct skl_device *d, const struct skl_head *head, const struct skl_operand *x, int n);
void opencl_head_loss(struct skl_device *d, const struct skl_head *head, int n, int batch);
void opencl_note(struct skl_device *d, struct skl_place score, struct skl_place stop, struct skl_place note);
void opencl_head_backward(struct skl_device *d, const struct skl_head *head, const struct skl_result *dx, int n,
                          bool accumulate);

#endif
