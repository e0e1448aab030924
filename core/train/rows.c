#include "core/train/rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/io/csv.h"
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
    char top5[32] = "";
    if (s->top5) snprintf(top5, sizeof top5, "%.9g,", plain(e->top5));
    snprintf(text, SKL_ROW_MAX, "%lld,%.9g,%.9g,%.9g,%s%s", (long long)iteration, epoch_at(s, iteration),
             plain(e->loss), e->error, top5, hash);
}

int skl_test_header(struct skl_session *s, const char *path, bool begun, const char **header, struct skl_err *err)
{
    static const char top1[] = "iteration,epoch,loss,error,weights", top5[] = "iteration,epoch,loss,error,top5,weights";
    struct skl_lines lines = {0};
    int status = begun ? skl_lines_open(&lines, path, err) : SKL_OK;
    if (!status && begun && skl_lines_next(&lines) && !strcmp(lines.text, top1)) s->top5 = false;
    skl_lines_close(&lines);
    *header = s->top5 ? top5 : top1;
    return status;
}
