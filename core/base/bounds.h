/* bounds.h - how much is read at most, in bytes; in one place, since every number is a promise about memory.
 * Whatever is larger is refused by its size, before it is read.  Result files that are only hashed (skl_file_sha256)
 * have no limit: they pass through a buffer. */
#ifndef SKL_BOUNDS_H
#define SKL_BOUNDS_H
#include <stddef.h>

#define SKL_LIMIT_CONFIG ((size_t)1 << 20)  /* an experiment file, a run's config.yaml */
#define SKL_LIMIT_PLUGIN ((size_t)64 << 20) /* a shared object */
#define SKL_LIMIT_RECORD ((size_t)1 << 20)  /* run.json */
#define SKL_LIMIT_PLAN ((size_t)128 << 20)  /* plan.json: 20,000 runs, each with settings of its own, have half of it */
#define SKL_LIMIT_TABLE ((size_t)256 << 20) /* a log as a table: its cells take up to eight times as much */
#define SKL_LIMIT_WEIGHTS ((size_t)8 << 30) /* a file of weights; of a checkpoint what its net needs */
#define SKL_LIMIT_QUEUE ((size_t)64 << 20)  /* lists of runs given to Slurm */
#define SKL_LIMIT_FIGURE ((size_t)32 << 20) /* an SVG that goes into report.html */

/* JSON: values, since each takes far more memory than its text. */
#define SKL_LIMIT_RECORD_VALUES ((size_t)10000)
#define SKL_LIMIT_PLAN_VALUES ((size_t)400000)
#endif
