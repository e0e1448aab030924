/* Operands and results (device.h) as the arguments of a kernel (kernels/common.cl). */
#include "core/device/opencl/kernels/flags.h"
#include "core/device/opencl/internal.h"

int operand_flags(const struct skl_operand *o)
{
    return (skl_there(o->scale) ? OPERAND_SCALE : 0) | (skl_there(o->add) ? OPERAND_ADD : 0) |
           (skl_there(o->add_scale) ? OPERAND_ADD_SCALE : 0) | (skl_there(o->keep) ? OPERAND_KEEP : 0) |
           (o->relu ? OPERAND_RELU : 0) | (skl_there(o->out) ? OPERAND_OUT : 0) | (o->same ? OPERAND_SAME : 0);
}

int result_flags(const struct skl_result *r)
{
    return (skl_there(r->add) ? RESULT_ADD : 0) | (skl_there(r->add_scale) ? RESULT_ADD_SCALE : 0) |
           (skl_there(r->keep) ? RESULT_KEEP : 0) | (skl_there(r->mask) ? RESULT_MASK : 0) |
           (skl_there(r->mask_scale) ? RESULT_MASK_SCALE : 0) | (skl_there(r->sums) ? RESULT_SUMS : 0) |
           (skl_there(r->partner) ? RESULT_PARTNER : 0) | (skl_there(r->pivot) ? RESULT_PIVOT : 0) |
           (skl_there(r->partner2) ? RESULT_PARTNER2 : 0) | (skl_there(r->pivot2) ? RESULT_PIVOT2 : 0);
}

void call_operand(struct call *c, const struct skl_operand *o)
{
    const struct skl_place all[] = {o->x, o->scale, o->shift, o->add, o->add_scale, o->keep, o->out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) call_place(c, all[i]);
    call_int(c, operand_flags(o));
}

void call_result(struct call *c, const struct skl_result *r, struct skl_place part)
{
    const struct skl_place all[] = {r->y,          r->add,     r->add_scale, r->keep,     r->mask,   r->mask_scale,
                                    r->mask_shift, r->partner, r->pivot,     r->partner2, r->pivot2, part};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) call_place(c, all[i]);
    call_int(c, result_flags(r));
}

int sums_kind(const struct skl_result *r) { return !skl_there(r->sums) ? 0 : skl_there(r->partner) ? 2 : 1; }

/* The tensors among these places, each counted once. */
static int tensors(const struct skl_place *list, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        bool known = !skl_there(list[i]);
        for (int k = 0; k < i; k++) known = known || skl_same_place(list[i], list[k]);
        count += !known;
    }
    return count;
}
void moves_operand(struct call *c, const struct skl_operand *o, double elements)
{
    const struct skl_place read[] = {o->x, o->add};
    c->bytes += elements * (4.0 * (tensors(read, 2) + skl_there(o->out)) + skl_there(o->keep) / 8.0);
}
void moves_result(struct call *c, const struct skl_result *r, double elements)
{
    const struct skl_place read[] = {r->add, r->mask, r->partner, r->partner2};
    c->bytes += elements * (4.0 * (1 + tensors(read, 4)) + skl_there(r->keep) / 8.0);
}
