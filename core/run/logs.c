#include "core/run/logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"

int skl_log_open(struct skl_csv *csv, const char *folder, int desk, enum skl_log log, const char *header,
                 const struct skl_state *state, struct skl_err *err)
{
    char *path = skl_path(folder, skl_log_name[log]), found[65];
    const int64_t length = state->length[log];
    int status = skl_csv_open(csv, desk, path, header, length, err);
    if (!status && length && *state->digest[log]) {
        skl_csv_digest(csv, found);
        if (strcmp(found, state->digest[log]))
            status = skl_fail(err, SKL_DATA,
                              "%s: its first %lld bytes are not those that were written: edited or damaged (--redo "
                              "begins the run anew)",
                              path, (long long)length);
    }
    free(path);
    return status;
}

/* Its rows differ between identical runs, so their length cannot stand in a checkpoint. */
int skl_timing_until(const char *path, int64_t iteration, int64_t *length, double *seconds, struct skl_err *err)
{
    struct skl_lines lines;
    *length = 0;
    *seconds = 0;
    int status = skl_lines_open(&lines, path, err);
    while (skl_lines_next(&lines)) {
        long long at;
        double spent;
        bool row = sscanf(lines.text, "%lld,%lf", &at, &spent) == 2;
        if (*length && (!row || at > iteration)) break;
        if (row) *seconds = spent;
        *length = lines.end;
    }
    skl_lines_close(&lines);
    return status;
}

int skl_logs_check(const struct skl_csv log[SKL_LOGS], bool whole, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < SKL_LOGS && !status; i++)
        if (log[i].path) status = skl_csv_check(&log[i], whole, err);
    return status;
}

int skl_logs_mark(struct skl_csv log[SKL_LOGS], struct skl_state *state, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < SKL_LOGS && !status; i++) {
        state->length[i] = 0;
        state->digest[i][0] = 0;
        if (!log[i].path) continue;
        status = skl_csv_sync(&log[i], err);
        state->length[i] = log[i].length;
        skl_csv_digest(&log[i], state->digest[i]);
    }
    return status;
}

void skl_logs_close(struct skl_csv log[SKL_LOGS])
{
    for (int i = 0; i < SKL_LOGS; i++)
        if (log[i].path) skl_csv_close(&log[i]);
}
