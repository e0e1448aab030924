/* rows.h - the rows of train.csv, test.csv and validation.csv as text, without the line feed.  Training writes them,
 * verify writes them again and compares. */
#ifndef SKL_LOG_ROWS_H
#define SKL_LOG_ROWS_H
#include "core/train/session.h"

enum { SKL_ROW_MAX = 192 };
/* loss, error: means since the last row; iteration 0: of mini-batch 0 alone. */
void skl_train_row(char text[SKL_ROW_MAX], const struct skl_session *s, int64_t iteration, double loss, double error);
/* hash: of the weights (weights.h) */
void skl_test_row(char text[SKL_ROW_MAX], const struct skl_session *s, int64_t iteration,
                  const struct skl_evaluation *e, const char *hash);
#endif
