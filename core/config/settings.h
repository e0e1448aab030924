/* settings.h - the variants of a file, each combination of its grid and zip resolved: the runs but for the seeds. */
#ifndef SKL_SETTINGS_H
#define SKL_SETTINGS_H
#include "core/config/layers.h"
#include "core/config/plan.h"

struct seeds {
    uint64_t *seed;
    int count;
};
struct setting {
    char *folder; /* "VARIANT[/k1=v1,k2=v2]" */
    char *label;  /* the variant's; NULL: none */
    struct skl_pair *papers;
    int paper_count;
    struct skl_pair *axis;
    int axis_count;
    struct skl_experiment exp;     /* with its variant's name; without sweep name, seed and hash */
    const struct skl_ynode *place; /* for messages; borrowed from the layers */
};
struct settings {
    struct setting *item;
    int count;
};

/* At most `limit` settings. */
int skl_settings_read(const struct skl_layers *layers, int limit, struct settings *settings, struct skl_err *err);
void skl_settings_release(struct settings *settings);
#endif
