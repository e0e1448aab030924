/* probe_data.h - what the probes of a setting's runs say together, read from their probe.csv, sums.csv,
 * responses.csv. */
#ifndef SKL_PROBE_DATA_H
#define SKL_PROBE_DATA_H
#include "core/report/collect.h"

enum { SKL_MAP_COLUMNS = 60, SKL_STAGES_SHOWN = 8 };
enum { SKL_AT_START, SKL_AT_END };

/* A figure unit by unit (or layer by layer): median, least and greatest of the seeds; NaN where none has it. */
struct skl_profile {
    int n; /* 0: there is none */
    double *value, *low, *high;
};
struct skl_probed {
    int units; /* 0: no run was probed */
    int stages,
        stage_start[SKL_STAGES_SHOWN + 1]; /* their first units, then `units`; stages 0: not known, or too many */
    double end;                            /* iterations done at the newest probe of all */
    struct skl_profile direct[2], gradient[2], sum[2], responses[2]; /* at the start, at each run's newest probe */
    int columns;   /* of the map, at equal distances from 0 to end; 0: none */
    double *map;   /* [columns][units]: medians of direct_gain */
    char *warning; /* NULL: none */
};
/* Reads all runs of a setting.  Files that cannot be read or are of another net's size are left out; the first of
 * those that cannot is told in `warning`. */
void skl_probed_read(const struct skl_result_setting *setting, struct skl_probed *p);
void skl_probed_release(struct skl_probed *p);
#endif
