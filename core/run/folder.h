/* folder.h - what a run's folder holds, by name; docs/results.md says what is in each. */
#ifndef SKL_FOLDER_H
#define SKL_FOLDER_H
#include <stdbool.h>
#include <stdint.h>

#define SKL_FILE_CONFIG "config.yaml"
#define SKL_FILE_RECORD "run.json"
#define SKL_FILE_TRAIN "train.csv"
#define SKL_FILE_TEST "test.csv"
#define SKL_FILE_VALIDATION "validation.csv"
#define SKL_FILE_PROBE "probe.csv"
#define SKL_FILE_SUMS "sums.csv"
#define SKL_FILE_RESPONSES "responses.csv"
#define SKL_FILE_TIMING "timing.csv"
#define SKL_FILE_LAST "last.safetensors"
#define SKL_FILE_PREV "prev.safetensors"
#define SKL_FILE_MESSAGES "stderr.log" /* of the process that a sweep started */
#define SKL_FILE_PLAN "plan.json"      /* in the sweep's folder */

/* Those that a finished run is made of and that equal runs have equal, in the order of run.json's list;
 * NULL-terminated.  Not among them: run.json itself, timing.csv, stderr.log. */
extern const char *const skl_result_files[];

/* "kept-4000.safetensors": a checkpoint that stays (train.keep_every), malloc'd; is a name such a one's? */
char *skl_kept_name(int64_t iteration);
bool skl_is_kept(const char *name);
/* The names of those in a folder, by iteration; freed by skl_list_free (core/base/fs.h). */
struct skl_err;
int skl_kept_list(const char *folder, char ***names, int *count, struct skl_err *err);
#endif
