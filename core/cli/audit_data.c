#include "core/cli/audit_data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/config/plan.h"
#include "core/data/dataset.h"
#include "core/data/pictures/digest.h"
#include "core/run/folder.h"

/* The sets that were read. */
static struct known {
    char *name, fingerprint[17], *why; /* why: it cannot be read; NULL: it could */
} * known;
static int knowns;

/* "folder /data/imagenet"; what is computed, by all that it is made of. */
static char *name_of(const struct skl_data_config *d)
{
    if (strcmp(d->dataset, "synthetic"))
        return skl_format("%s%s%s", d->dataset, d->path ? " " : "", d->path ? d->path : "");
    return skl_format("synthetic %d %d %d %d %d", d->synthetic.train, d->synthetic.test, d->synthetic.size,
                      d->synthetic.channels, d->synthetic.classes);
}

static int note_digest(const struct skl_dataset *set, struct skl_audit *a, struct skl_err *err)
{
    const struct skl_listing *l = set->listing;
    char hex[65];
    struct skl_pool *pool = skl_pool_new(skl_cpu_count());
    int status = skl_listing_digest(l, pool, hex, err);
    skl_pool_free(pool);
    if (!status)
        skl_audit_note(a, l->path, "%d pictures, SHA-256 over all names and bytes: %s",
                       l->part[SKL_LIST_TRAIN].count + l->part[SKL_LIST_VAL].count, hex);
    return status;
}

static void read_set(const struct skl_data_config *cfg, struct skl_audit *a, struct known *k)
{
    struct skl_dataset set;
    struct skl_err err = {0};
    int status = skl_dataset_open(cfg, &set, &err);
    if (!status) {
        snprintf(k->fingerprint, sizeof k->fingerprint, "%016" PRIx64, set.fingerprint);
        if (set.listing) status = note_digest(&set, a, &err);
        skl_dataset_release(&set);
    }
    if (status) k->why = skl_strdup(err.text);
}

static const struct known *find(const struct skl_data_config *cfg, struct skl_audit *a)
{
    char *name = name_of(cfg);
    for (int i = 0; i < knowns; i++)
        if (!strcmp(known[i].name, name)) {
            free(name);
            return &known[i];
        }
    struct known *k = SKL_ADD(known, knowns);
    k->name = name;
    read_set(cfg, a, k);
    return k;
}

void skl_audit_data(void *context, struct skl_audit *a, const char *folder, const char *recorded)
{
    char *path = skl_path(folder, SKL_FILE_CONFIG);
    struct skl_plan plan;
    struct skl_err err = {0};
    if (skl_plan_load_recorded(path, true, &plan, &err)) {
        skl_audit_note(a, folder, "its data were not looked at: %s", err.text);
    } else {
        const struct known *k = find(&plan.run[0].exp.data, a);
        if (k->why)
            skl_audit_tell(a, SKL_MISSING, folder, "its data: %s", k->why);
        else if (strcmp(k->fingerprint, recorded))
            skl_audit_tell(a, SKL_EDITED, folder,
                           "its data (%s) have changed since it was trained: fingerprint %s, recorded %s", k->name,
                           k->fingerprint, recorded);
        skl_plan_release(&plan);
    }
    free(path);
}

void skl_audit_data_release(void)
{
    for (int i = 0; i < knowns; i++) {
        free(known[i].name);
        free(known[i].why);
    }
    free(known);
    known = NULL;
    knowns = 0;
}
