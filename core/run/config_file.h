/* config_file.h - config.yaml: does a folder belong to this run?  If not: what differs, key by key. */
#ifndef SKL_CONFIG_FILE_H
#define SKL_CONFIG_FILE_H
#include "core/config/plan.h"

/* Compares FOLDER/config.yaml with the run.  SKL_OK: the same settings, no such file, or one that
 * was left by a run that never began; SKL_USAGE: another run lives
 * there, the message lists the keys that differ; SKL_DATA: the file cannot be read. */
int skl_config_file_check(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder,
                          struct skl_err *err);
/* Writes FOLDER/config.yaml unless it is there with these bytes; desk: of a claim on the folder. */
int skl_config_file_write(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder, int desk,
                          struct skl_err *err);
/* "train.lr: 0.1 there, 0.2 here; ..." over two YAML texts; keys that carry no settings (name, label) are left out.
 * malloc'd, "" where nothing differs. */
char *skl_config_file_diff(const char *there, const char *here);
#endif
