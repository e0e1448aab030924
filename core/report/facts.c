#include "core/report/facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/config/tree.h"
#include "core/io/yaml.h"

/* ---- config.yaml ---- */

static bool shapes_a_run(const char *key)
{
    static const char *const others[] = {"name", "label", "baseline", "variants", "plugins"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(key, others[i])) return false;
    return true;
}

int skl_facts_read(const char *path, struct skl_facts *facts, struct skl_err *err)
{
    *facts = (struct skl_facts){0};
    struct skl_ynode *root;
    struct skl_entry *entry = NULL;
    int count = 0, status = skl_yaml_read(path, &root, err);
    if (status) return status;
    if (root->kind == SKL_YMAP)
        status = skl_tree_flatten(root, &entry, &count, err);
    else
        status = skl_yaml_fail(root, true, err, "not an experiment file: a mapping of keys is expected");
    facts->item = skl_alloc_array((size_t)count + 1, sizeof *facts->item);
    for (int i = 0; i < count; i++)
        if (shapes_a_run(entry[i].path))
            facts->item[facts->count++] = (struct skl_fact){skl_strdup(entry[i].path), skl_tree_text(entry[i].node)};
    skl_tree_entries_free(entry, count);
    skl_yaml_free(root);
    return status;
}

const char *skl_facts_get(const struct skl_facts *facts, const char *key)
{
    for (int i = 0; i < facts->count; i++)
        if (!strcmp(facts->item[i].key, key)) return facts->item[i].value;
    return NULL;
}

double skl_facts_real(const struct skl_facts *facts, const char *key, double otherwise)
{
    const char *text = skl_facts_get(facts, key);
    if (!text || !*text) return otherwise;
    char *end;
    double value = strtod(text, &end);
    return *end == 0 && isfinite(value) ? value : otherwise;
}

static double classes_by_settings(const struct skl_facts *facts)
{
    const char *set = skl_facts_get(facts, "data.dataset");
    if (set && !strcmp(set, "cifar100")) return 100;
    if (set && !strcmp(set, "synthetic")) return skl_facts_real(facts, "data.synthetic.classes", 10);
    if (!set || strcmp(set, "folder")) return 10;
    const double said = skl_facts_real(facts, "data.classes", 0);
    return said > 0 ? said : INFINITY;
}

double skl_facts_chance(const struct skl_facts *facts, int64_t classes)
{
    return 100 * (1 - 1 / fmax(classes > 0 ? (double)classes : classes_by_settings(facts), 1));
}

void skl_facts_release(struct skl_facts *facts)
{
    for (int i = 0; i < facts->count; i++) {
        free(facts->item[i].key);
        free(facts->item[i].value);
    }
    free(facts->item);
    *facts = (struct skl_facts){0};
}
