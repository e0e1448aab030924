#include "core/train/rows.h"

#include <math.h>
#include <stdio.h>

#include "core/train/schedule.h"

static double epoch_at(const struct skl_session *s, int64_t iteration)
{
    return (double)iteration * s->exp->train.batch / skl_part_count(s, SKL_PART_TRAIN);
}

/* printf would write some NaNs as "-nan". */
static double plain(double x) { return isnan(x) ? NAN : x; }

void skl_train_row(char text[SKL_ROW_MAX], const struct skl_session *s, int64_t iteration, double loss, double error)
{
    double lr = skl_lr(&s->exp->train, iteration ? iteration - 1 : 0);
    snprintf(text, SKL_ROW_MAX, "%lld,%.9g,%.9g,%.9g,%.9g", (long long)iteration, epoch_at(s, iteration), lr,
             plain(loss), error);
}

void skl_test_row(char text[SKL_ROW_MAX], const struct skl_session *s, int64_t iteration,
                  const struct skl_evaluation *e, const char *hash)
{
    snprintf(text, SKL_ROW_MAX, "%lld,%.9g,%.9g,%.9g,%s", (long long)iteration, epoch_at(s, iteration), plain(e->loss),
             e->error, hash);
}
