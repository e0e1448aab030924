/* plan_file.h - results/NAME/plan.json: the list of a sweep's runs, for everyone who reads the results.
 *
 *   {"schema_version": 1, "name": ..., "label": ..., "baseline": ..., "hash": ...,
 *    "runs": [{"run": "gates/gate_bias=-6/seed-1", "setting": "gates/gate_bias=-6", "variant": "gates", "seed": 1,
 *              "hash": ..., "paper": "8.70" or null, "iterations": 64000, "batch": 128}, ...],
 *    "plugins": {"gates": SHA-256 of the plug-in that variants of this type are trained with, ...},
 *    "settings": {"gates/gate_bias=-6": the text of its first run's config.yaml, ...}}
 *
 * The runs stand in the plan's order. */
#ifndef SKL_PLAN_FILE_H
#define SKL_PLAN_FILE_H
#include <stdint.h>
#include "core/base/err.h"
#include "core/config/plan.h"
#include "core/io/json.h"

struct skl_listed_run {
    char *dir, *setting, *variant, *paper, hash[65];
    uint64_t seed;
    int64_t iterations;
    int batch;
};
struct skl_listed_plugin {
    char *name, sha256[65];
};
struct skl_run_list {
    char *name, *label, *baseline;
    struct skl_listed_plugin *plugin; /* none where the list is older than this key */
    int plugins;
    struct skl_listed_run *run;
    int count;
    enum skl_seal seal;
};

/* SKL_DATA: absent, or not such a file. */
int skl_run_list_read(const char *folder, struct skl_run_list *list, struct skl_err *err);
void skl_run_list_release(struct skl_run_list *list);
const char *skl_run_list_plugin(const struct skl_run_list *list, const char *name); /* its SHA-256; NULL: not there */
/* The config.yaml of the setting's first run, as planned; malloc'd, NULL: not there. */
char *skl_run_list_settings(const char *folder, const char *setting);
/* Writes FOLDER/plan.json for this plan; a file that says the same already is left alone. */
int skl_run_list_write(const char *folder, const struct skl_plan *plan, struct skl_err *err);
#endif
