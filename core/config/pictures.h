/* pictures.h - the keys of a data set that is a folder of pictures: crops and resizing, forms of the table (keys.h). */
#ifndef SKL_CONFIG_PICTURES_H
#define SKL_CONFIG_PICTURES_H
#include "core/config/experiment.h"
#include "core/io/yaml.h"

int skl_read_resize(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
char *skl_write_resize(const struct skl_experiment *exp, bool exact);
int skl_read_crop(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
char *skl_write_crop(const struct skl_experiment *exp, bool exact);
int skl_read_area(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
char *skl_write_area(const struct skl_experiment *exp, bool exact);
int skl_read_aspect(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
char *skl_write_aspect(const struct skl_experiment *exp, bool exact);
int skl_read_test_crops(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
char *skl_write_test_crops(const struct skl_experiment *exp, bool exact);

bool skl_is_folder(const struct skl_data_config *data);
/* What spans these keys: a folder has a path; resize or area, not both; aspect with area alone.  With other data sets
 * they have no effect, so that data.dataset=synthetic tries an experiment out. */
int skl_check_pictures(const struct skl_ynode *tree, const struct skl_data_config *data, struct skl_err *err);
#endif
