#include "core/cli/pictures.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/say.h"
#include "core/data/pictures/examine.h"
#include "core/data/pictures/export.h"
#include "core/data/sets.h"
#include "core/io/json.h"

static double last_told;

static void tell(int64_t done, int64_t all)
{
    if (done < all && skl_seconds() - last_told < 2) return;
    if (done < all) skl_say("skiplab: %lld of %lld pictures\n", (long long)done, (long long)all);
    last_told = skl_seconds();
}

static struct skl_pool *make_pool(int threads)
{
    last_told = skl_seconds();
    return skl_pool_new(threads > 0 ? threads : skl_cpu_count());
}

/* ---- check ---- */

static int by_number(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

struct range {
    int least, middle, most;
};

/* Of what could be read, sorting it; all 0: nothing could. */
static struct range range_of(int *value, int64_t n)
{
    int64_t bad = 0;
    if (n) qsort(value, (size_t)n, sizeof *value, by_number);
    while (bad < n && value[bad] == 0) bad++;
    if (bad == n) return (struct range){0};
    return (struct range){value[bad], value[bad + (n - bad) / 2], value[n - 1]};
}

static void count_classes(const struct skl_names *n, int *count)
{
    for (int i = 0; i < n->count; i++) count[n->label[i]]++;
}

static json_t *part_json(const struct skl_names *n)
{
    int *count = skl_alloc_array((size_t)n->classes, sizeof *count);
    json_t *classes = json_object();
    count_classes(n, count);
    for (int c = 0; c < n->classes; c++) {
        char *name = skl_visible(n->class_name[c]);
        json_object_set_new(classes, name, json_integer(count[c]));
        free(name);
    }
    free(count);
    return json_pack("{s:i, s:o}", "pictures", n->count, "classes", classes);
}

static json_t *range_json(struct range r) { return json_pack("[iii]", r.least, r.middle, r.most); }

static void print_json(struct skl_examination *e)
{
    json_t *o = json_object(), *bad = json_array(), *odd = json_object();
    for (int p = 0; p < SKL_LIST_PARTS; p++) json_object_set_new(o, skl_part_folder[p], part_json(&e->listing.part[p]));
    for (int k = 0; k < SKL_ODDS; k++)
        if (e->odd[k]) json_object_set_new(odd, skl_odd_name[k], json_integer(e->odd[k]));
    for (int i = 0; i < e->bads; i++) json_array_append_new(bad, skl_json_text(e->bad[i]));
    json_object_set_new(o, "width", range_json(range_of(e->width, e->pictures)));
    json_object_set_new(o, "height", range_json(range_of(e->height, e->pictures)));
    json_object_set_new(o, "oddities", odd);
    json_object_set_new(o, "bad", bad);
    skl_json_print(o);
}

static void print_part(const struct skl_names *n, const char *name)
{
    int *count = skl_alloc_array((size_t)n->classes, sizeof *count);
    count_classes(n, count);
    skl_print("%s: %d picture%s in %d class%s\n", name, n->count, SKL_S(n->count), n->classes,
              n->classes == 1 ? "" : "es");
    for (int c = 0; c < n->classes; c++) skl_print("%8d  %s\n", count[c], n->class_name[c]);
    free(count);
}

static void print_text(struct skl_examination *e)
{
    for (int p = 0; p < SKL_LIST_PARTS; p++) print_part(&e->listing.part[p], skl_part_folder[p]);
    const struct range w = range_of(e->width, e->pictures), h = range_of(e->height, e->pictures);
    skl_print("width %d to %d, median %d; height %d to %d, median %d\n", w.least, w.most, w.middle, h.least, h.most,
              h.middle);
    for (int k = 0; k < SKL_ODDS; k++)
        if (e->odd[k]) skl_print("%8lld  %s, first %s\n", (long long)e->odd[k], skl_odd_name[k], e->odd_example[k]);
    for (int i = 0; i < e->bads; i++) skl_print("bad: %s\n", e->bad[i]);
}

int skl_data_check(const char *folder, int threads, bool json, struct skl_err *err)
{
    struct skl_examination e;
    struct skl_pool *pool = make_pool(threads);
    int status = skl_examine(folder, pool, tell, &e, err);
    skl_pool_free(pool);
    if (status) return status;
    if (json)
        print_json(&e);
    else
        print_text(&e);
    if (e.bads)
        status = skl_fail(err, SKL_DATA, "%s: %d fault%s among %lld pictures; mend or remove what is named", folder,
                          e.bads, SKL_S(e.bads), (long long)e.pictures);
    skl_examination_release(&e);
    return status;
}

/* ---- export ---- */

int skl_data_export(const char *name, const char *folder, int train, int test, int threads, struct skl_err *err)
{
    struct skl_data_config cfg = {.dataset = (char *)name, .train_images = train, .test_images = test};
    const struct skl_set *row;
    struct skl_dataset set;
    int status = skl_set_find(name, &row, err);
    if (!status && !row->files[0].name)
        status = skl_fail(err, SKL_USAGE, "data export: '%s' is no set of images that is read from files", name);
    if (status) return status;
    status = skl_dataset_open(&cfg, &set, err);
    if (status) return status;
    struct skl_pool *pool = make_pool(threads);
    status = skl_export(&set, folder, pool, tell, err);
    skl_pool_free(pool);
    if (!status)
        skl_print("%s: %d training and %d test pictures in %d classes\n", folder, set.train.count, set.test.count,
                  set.classes);
    skl_dataset_release(&set);
    return status;
}
