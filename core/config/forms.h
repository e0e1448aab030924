/* forms.h - keys that are more than one scalar: readers and writers for the rows of keys.c. */
#ifndef SKL_FORMS_H
#define SKL_FORMS_H
#include "core/config/experiment.h"
#include "core/io/yaml.h"

int skl_read_shortcut(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
int skl_read_shortcut_at(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
int skl_read_size(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
int skl_read_drops(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
int skl_read_paper(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err); /* checks only */

char *skl_write_shortcut(const struct skl_experiment *exp, bool exact);
char *skl_write_shortcut_at(const struct skl_experiment *exp, bool exact);
char *skl_write_size(const struct skl_experiment *exp, bool exact);
char *skl_write_drops(const struct skl_experiment *exp, bool exact);

/* Is it an option of a registered shortcut (type NULL: of any), with a value that it can have?  node has the value. */
int skl_check_option(const struct skl_ynode *node, const char *name, const char *type, struct skl_err *err);
/* The default of an option, malloc'd; NULL: the shortcut (node NULL: identity) has none of this name. */
char *skl_default_option(const struct skl_ynode *type, const char *name);
/* "unknown shortcut 'X' (did you mean 'Y'?)" unless the mapping's `type` is a registered variant. */
int skl_check_shortcut_type(const struct skl_ynode *type, const struct skl_shortcut **found, struct skl_err *err);
#endif
