#include "core/train/schedule.h"

double skl_lr(const struct skl_train_config *c, int64_t t)
{
    if (t < c->warmup.iterations) return c->warmup.lr;
    double lr = c->lr;
    for (int i = 0; i < c->lr_drops.count; i++)
        if (c->lr_drops.at[i] <= t) lr *= c->lr_drops.factor;
    return lr;
}

bool skl_due(int64_t n, int64_t every, int64_t end) { return n > 0 && (n == end || n % every == 0); }
