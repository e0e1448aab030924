#include "core/train/schedule.h"

/* (1 + cos(pi x)) / 2 for x from 0 to 1: the square of a sine's series, so that its bits depend on no libm. */
static double half_cosine(double x)
{
    const double u = (1 - x) * 1.5707963267948966, square = u * u;
    double sine = 1;
    for (int i = 12; i > 0; i--) sine = 1 - sine * square / (2 * i * (2 * i + 1));
    return u * sine * (u * sine);
}

/* How much of the way from `from` to `to` lies behind after t. */
static double progress(double from, double t, double to) { return to > from ? (t - from) / (to - from) : 0; }

static double warmup(const struct skl_train_config *c, int64_t t)
{
    const double lr = c->warmup.lr;
    if (c->warmup.shape == SKL_WARMUP_FLAT) return lr;
    return lr + (c->lr - lr) * progress(0, (double)t, (double)c->warmup.iterations);
}

static double step(const struct skl_train_config *c, int64_t t)
{
    double lr = c->lr;
    for (int i = 0; i < c->lr_drops.count; i++)
        if (c->lr_drops.at[i] <= t) lr *= c->lr_drops.factor;
    return lr;
}

/* PyTorch's OneCycleLR: its peak is at the last iteration of the warm-up, its end at the last of all. */
static double one_cycle(const struct skl_train_config *c, int64_t t)
{
    const double peak = (double)c->warmup.iterations - 1, last = (double)c->iterations - 1, low = c->warmup.lr,
                 end = low * 1e-4;
    if ((double)t < peak) return c->lr + (low - c->lr) * half_cosine(progress(0, (double)t, peak));
    return end + (c->lr - end) * half_cosine(progress(peak, (double)t, last));
}

double skl_lr(const struct skl_train_config *c, int64_t t)
{
    if (c->schedule == SKL_ONE_CYCLE) return one_cycle(c, t);
    if (t < c->warmup.iterations) return warmup(c, t);
    const double done = progress((double)c->warmup.iterations, (double)t, (double)c->iterations);
    switch ((enum skl_schedule)c->schedule) {
    case SKL_COSINE:
        return c->lr * half_cosine(done);
    case SKL_LINEAR:
        return c->lr * (1 - done);
    case SKL_STEP:
        return step(c, t);
    default:
        return c->lr;
    }
}

bool skl_due(int64_t n, int64_t every, int64_t end) { return n > 0 && (n == end || n % every == 0); }
