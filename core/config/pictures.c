#include "core/config/pictures.h"

#include <string.h>

#include "core/config/tree.h"

bool skl_is_folder(const struct skl_data_config *data) { return strcmp(data->dataset, "folder") == 0; }

/* ---- pairs ---- */

/* Nonzero: no list of two numbers within [min, max], ascending. */
static int read_pair(const struct skl_ynode *node, double min, double max, double pair[2])
{
    if (node->kind != SKL_YLIST || skl_tree_count(node) != 2) return 1;
    const struct skl_ynode *item = node->child;
    for (int i = 0; i < 2; i++, item = item->next)
        if (item->kind != SKL_YSCALAR || skl_yaml_real(item, &pair[i]) || !(pair[i] >= min && pair[i] <= max)) return 1;
    return pair[0] > pair[1];
}

static char *write_pair(const double pair[2], bool exact)
{
    return exact ? skl_format("[%.17g, %.17g]", pair[0], pair[1]) : skl_format("[%.9g, %.9g]", pair[0], pair[1]);
}

int skl_read_resize(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    double pair[2];
    const int least = skl_is_folder(&exp->data) ? exp->data.size : 1;
    if (read_pair(node, least, 4096, pair) || pair[0] != (int)pair[0] || pair[1] != (int)pair[1])
        return skl_tree_fail(node, true, err,
                             "data.augment.resize must be a list of two whole numbers from data.size (%d) to 4096, "
                             "ascending, like [256, 480]",
                             exp->data.size);
    for (int i = 0; i < 2; i++) exp->data.augment.resize[i] = (int)pair[i];
    return SKL_OK;
}

char *skl_write_resize(const struct skl_experiment *exp, bool exact)
{
    const int *r = exp->data.augment.resize;
    return r[0] ? skl_format("[%d, %d]", r[0], r[1]) : NULL;
}

int skl_read_area(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    if (!read_pair(node, 1e-4, 1, exp->data.augment.area)) return SKL_OK;
    return skl_tree_fail(node, true, err,
                         "data.augment.area must be a list of two numbers from 0.0001 to 1, ascending, like [0.08, 1]");
}

char *skl_write_area(const struct skl_experiment *exp, bool exact)
{
    return exp->data.augment.area[0] > 0 ? write_pair(exp->data.augment.area, exact) : NULL;
}

int skl_read_aspect(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    if (!read_pair(node, 0.1, 10, exp->data.augment.aspect)) return SKL_OK;
    return skl_tree_fail(node, true, err,
                         "data.augment.aspect must be a list of two numbers from 0.1 to 10, ascending, like "
                         "[0.75, 1.3333]");
}

char *skl_write_aspect(const struct skl_experiment *exp, bool exact)
{
    return exp->data.augment.aspect[0] > 0 ? write_pair(exp->data.augment.aspect, exact) : NULL;
}

/* ---- crops ---- */

/* A synthetic set tries an experiment on a folder out. */
int skl_read_crop(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    long long crop = 0;
    if (node->kind == SKL_YSCALAR && !skl_yaml_int(node, &crop) &&
        (crop == exp->data.size || !strcmp(exp->data.dataset, "synthetic")))
        return SKL_OK;
    return skl_tree_fail(node, true, err, "data.augment.crop must be data.size, %d%s", exp->data.size,
                         skl_is_folder(&exp->data) ? "" : " (augment.pad crops small images)");
}

/* data.size says it. */
char *skl_write_crop(const struct skl_experiment *exp, bool exact) { return NULL; }

int skl_read_test_crops(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err)
{
    long long crops = 0;
    if (node->kind != SKL_YSCALAR || skl_yaml_int(node, &crops) || (crops != 1 && crops != 10))
        return skl_tree_fail(node, true, err, "data.test_crops must be 1 or 10");
    exp->data.test_crops = (int)crops;
    return SKL_OK;
}

char *skl_write_test_crops(const struct skl_experiment *exp, bool exact)
{
    return exp->data.test_crops == 10 ? skl_strdup("10") : NULL;
}

/* ---- together ---- */

int skl_check_pictures(const struct skl_ynode *tree, const struct skl_data_config *d, struct skl_err *err)
{
    if (!skl_is_folder(d)) return SKL_OK;
    const struct skl_ynode *set = skl_tree_place(tree, "data.dataset");
    if (!d->path) return skl_tree_fail(set, true, err, "dataset: folder needs data.path beside it");
    if (d->augment.resize[0] && d->augment.area[0] > 0)
        return skl_tree_fail(skl_tree_place(tree, "data.augment.area"), false, err,
                             "data.augment.area and data.augment.resize exclude each other");
    if (d->augment.aspect[0] > 0 && !(d->augment.area[0] > 0))
        return skl_tree_fail(skl_tree_place(tree, "data.augment.aspect"), false, err,
                             "data.augment.aspect needs data.augment.area beside it");
    if (d->test_resize && d->test_resize < d->size)
        return skl_tree_fail(skl_tree_place(tree, "data.test_resize"), true, err,
                             "data.test_resize %d is less than data.size %d", d->test_resize, d->size);
    return SKL_OK;
}
