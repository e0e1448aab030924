/* model.h - a model's stages: what family, depth, units and block say together. */
#ifndef SKL_MODEL_H
#define SKL_MODEL_H
#include "core/config/experiment.h"
#include "core/io/yaml.h"

/* The units of each stage; returns the number of stages, 0: no net of this family and block has this depth. */
int skl_model_stages(const struct skl_model_config *m, int units[SKL_MAX_STAGES]);
/* All units, and the 3x3 convolutions in them; 0 where the depth is none. */
int skl_model_units(const struct skl_model_config *m, int *convs3x3);

/* What it is told of where no data are named: 3x32x32 in 10 classes, or 3x224x224 in 1000. */
void skl_model_usual_images(const struct skl_model_config *m, int *size, int *channels, int *classes);

/* Reads model.units and fills in what follows: depth from units; width and block of the family imagenet.  SKL_USAGE at
 * the key: a depth that is none, keys that contradict each other. */
int skl_model_resolve(const struct skl_ynode *tree, struct skl_model_config *m, struct skl_err *err);
/* "[3, 4, 6, 3]", malloc'd; NULL: as the depth says. */
char *skl_write_units(const struct skl_experiment *exp, bool exact);
#endif
