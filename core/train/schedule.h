/* schedule.h - what changes with the iteration number: the learning rate, and when something is due.
 * Iterations count from 0; "after n iterations" means that mini-batches 0 .. n-1 have been trained on. */
#ifndef SKL_SCHEDULE_H
#define SKL_SCHEDULE_H
#include <stdbool.h>
#include <stdint.h>
#include "core/config/experiment.h"

/* The learning rate of iteration t of c->iterations.  In the warm-up, of W iterations, warmup.lr, or a line from there
 * to lr at t = W; then, with s = (t - W) / (iterations - W):
 *   step      lr * factor^(number of drops <= t)
 *   cosine    lr * (1 + cos(pi s)) / 2
 *   linear    lr * (1 - s)
 *   constant  lr
 * one_cycle: half a cosine up from warmup.lr to lr at t = W - 1, half a cosine down to warmup.lr / 10000 at the last
 * iteration. */
double skl_lr(const struct skl_train_config *c, int64_t t);
/* Is something that happens every `every` iterations, and at the end, due after n iterations?  Never at n = 0. */
bool skl_due(int64_t n, int64_t every, int64_t end);
#endif
