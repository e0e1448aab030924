/* rows.h - the rows of train.csv, test.csv and validation.csv as text, without the line feed.  Training writes them,
 * verify writes them again and compares. */
#ifndef SKL_LOG_ROWS_H
#define SKL_LOG_ROWS_H
#include "core/train/session.h"

enum { SKL_ROW_MAX = 192 };
/* loss, error: means since the last row; iteration 0: of mini-batch 0 alone. */
void skl_train_row(char text[SKL_ROW_MAX], const struct skl_session *s, int64_t iteration, double loss, double error);
/* hash: of the weights (weights.h).  top5 stands in it where the session has it. */
void skl_test_row(char text[SKL_ROW_MAX], const struct skl_session *s, int64_t iteration,
                  const struct skl_evaluation *e, const char *hash);
/* The first line of test.csv.  A log that was begun (its first bytes hold one) without top-5 errors goes on so: the
 * session then has none.  SKL_DATA: the log cannot be read. */
int skl_test_header(struct skl_session *s, const char *path, bool begun, const char **header, struct skl_err *err);
#endif
