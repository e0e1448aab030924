/* facts.h - what a run's folder says about it: the settings in config.yaml, the figures and circumstances in run.json.
 * No model is built and no plug-in loaded. */
#ifndef SKL_FACTS_H
#define SKL_FACTS_H
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"

struct skl_fact {
    char *key, *value;
};
struct skl_facts {
    struct skl_fact *item;
    int count;
};
/* The settings of a config.yaml as dotted keys, in the file's order; lists as "[a, b]".  Left out are
 * name, label, baseline and variants, which do not shape a run. */
int skl_facts_read(const char *path, struct skl_facts *facts, struct skl_err *err);
const char *skl_facts_get(const struct skl_facts *facts, const char *key); /* NULL: absent */
double skl_facts_real(const struct skl_facts *facts, const char *key, double otherwise);
/* The error of guessing in that data set, in %. */
double skl_facts_chance(const struct skl_facts *facts);
void skl_facts_release(struct skl_facts *facts);

/* run.json, described in docs/results.md.  Figures it does not have are NaN, numbers 0, texts "". */
struct skl_run_record {
    double test_error, test_loss, train_error, train_loss, validation_error, validation_loss;
    double seconds, images_per_second;
    int64_t iteration, iterations, parameters, multiply_adds, resumes, threads;
    bool other_numerics, edited; /* edited: the seal of run.json is broken */
    char *state, *cause, *version, *commit, *host, *cpu_level, *kernels, *gemm, *numerics, *config_hash, *data,
        *started, *ended, *on_shortcut, *on_residual;
    char *plugin, *plugin_sha256; /* the variant's; "": built in */
    char *checkpoint;             /* SHA-256 of last.safetensors */
};
/* An absent or damaged run.json gives the record of a run that has none.  SKL_DATA: it cannot be read; the same. */
int skl_run_record_read(const char *folder, struct skl_run_record *record, struct skl_err *err);
void skl_run_record_release(struct skl_run_record *record);
#endif
