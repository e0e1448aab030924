/* How tensors are read and written, as the kernels know it. */
#include "core/device/cpu/internal.h"

struct skl_kernel_operand operand_of(const struct skl_operand *x)
{
    return (struct skl_kernel_operand){.x = at(x->x),
                                       .scale = at(x->scale),
                                       .shift = at(x->shift),
                                       .add = at(x->add),
                                       .add_scale = at(x->add_scale),
                                       .keep = (const uint8_t *)at(x->keep),
                                       .relu = x->relu,
                                       .out = at(x->out)};
}
struct skl_kernel_result result_of(const struct skl_result *y)
{
    return (struct skl_kernel_result){.y = at(y->y),
                                      .add = at(y->add),
                                      .add_scale = at(y->add_scale),
                                      .keep = (const uint8_t *)at(y->keep),
                                      .mask = at(y->mask),
                                      .mask_scale = at(y->mask_scale),
                                      .mask_shift = at(y->mask_shift),
                                      .sums = skl_there(y->sums),
                                      .partner = at(y->partner),
                                      .pivot = at(y->pivot),
                                      .partner2 = at(y->partner2),
                                      .pivot2 = at(y->pivot2)};
}
