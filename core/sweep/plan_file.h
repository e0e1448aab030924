/* plan_file.h - results/NAME/plan.json: the list of a sweep's runs, for everyone who reads the results.
 *
 *   {"schema_version": 1, "name": ..., "label": ..., "notes": text, where there are any, "baseline": ..., "hash": ...,
 *    "runs": [{"run": "gates/gate_bias=-6/seed-1", "setting": "gates/gate_bias=-6", "variant": "gates", "seed": 1,
 *              "hash": ..., "paper": "8.70" or null, "iterations": 64000, "batch": 128,
 *              "label": the variant's, where it has one}, ...],
 *    "plugins": {"gates": SHA-256 of the plug-in that variants of this type are trained with, ...},
 *    "figure": {"width": "3.4in", ...}: how figures are to look (figure.h), where the experiment says it,
 *    "data": {"fashion-mnist": fingerprint of the files that all runs on this set are trained with, ...},
 *    "settings": {"gates/gate_bias=-6": the text of its first run's config.yaml, ...}}
 *
 * The runs stand in the plan's order. */
#ifndef SKL_PLAN_FILE_H
#define SKL_PLAN_FILE_H
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/config/plan.h"
#include "core/io/json.h"

struct skl_listed_run {
    char *dir, *setting, *variant, *paper, hash[65];
    char *set; /* the data set that its settings name; "": cannot be told */
    uint64_t seed;
    int64_t iterations;
    int batch;
};
struct skl_listed_plugin {
    char *name, sha256[65];
};
struct skl_listed_data {
    char *set, fingerprint[17]; /* set: or the absolute path of a file that runs begin with */
};
struct skl_run_list {
    char *name, *label, *notes, *baseline;
    struct skl_listed_plugin *plugin; /* none where the list is older than this key */
    int plugins;
    struct skl_listed_data *data; /* none until a run has read the set */
    int sets;
    bool knows_data; /* false: the list is older than this key */
    struct skl_listed_run *run;
    int count;
    enum skl_seal seal;
};

/* SKL_DATA: absent, or not such a file; how to mend it stands in the message. */
int skl_run_list_read(const char *folder, struct skl_run_list *list, struct skl_err *err);
void skl_run_list_release(struct skl_run_list *list);
const char *skl_run_list_plugin(const struct skl_run_list *list, const char *name); /* its SHA-256; NULL: not there */
const struct skl_listed_run *skl_run_list_find(const struct skl_run_list *list, const char *dir); /* NULL: not there */
const char *skl_run_list_data(const struct skl_run_list *list, const char *set);                  /* NULL: not there */
/* The config.yaml of the setting's first run, as planned; malloc'd, NULL: not there. */
char *skl_run_list_settings(const char *folder, const char *setting);
/* Does FOLDER/plan.json say just what would be written for this plan? */
bool skl_run_list_is(const char *folder, const struct skl_plan *plan);
/* Writes FOLDER/plan.json for this plan; a file that says the same already is left alone.  keep_data: the fingerprints
 * that stand there stay.  desk: of the claim on the plan (plan_lock.h). */
int skl_run_list_write(const char *folder, int desk, const struct skl_plan *plan, bool keep_data, struct skl_err *err);
/* Adds the fingerprint of a set to FOLDER/plan.json, or of a file (its first 16 digits). */
int skl_run_list_add_data(const char *folder, int desk, const char *set, const char *fingerprint, struct skl_err *err);
#endif
