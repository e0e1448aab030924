/* facts.h - the settings that a run's config.yaml says; no model is built and no plug-in loaded. */
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
 * name, label, baseline, variants and plugins, which do not shape a run. */
int skl_facts_read(const char *path, struct skl_facts *facts, struct skl_err *err);
const char *skl_facts_get(const struct skl_facts *facts, const char *key); /* NULL: absent */
double skl_facts_real(const struct skl_facts *facts, const char *key, double otherwise);
/* The error of guessing in that data set, in %.  classes: as its run.json says; 0: it does not.  Then the settings do,
 * and where those of a folder leave the classes to be counted, it is 100, which no guessing exceeds. */
double skl_facts_chance(const struct skl_facts *facts, int64_t classes);
void skl_facts_release(struct skl_facts *facts);
#endif
