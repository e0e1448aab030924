#include "core/base/sort.h"
#include "core/data/pictures/listing.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/rng.h"
#include "core/data/fold.h"

enum { DEPTH_MAX = 32, NAMES_MAX = 100000000 };
const char *const skl_part_folder[SKL_LIST_PARTS] = {"train", "val"};

struct level {
    char *path, *inner; /* of this folder, and below its class: "" or "sub/" */
    uint64_t device, inode;
};
struct walk {
    struct skl_listing *l;
    skl_fault_fn *tell;
    void *context;
    struct skl_names *to;
    int32_t label;
    int depth;
    struct level level[DEPTH_MAX];
};

static int fault(struct walk *w, struct skl_err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int fault(struct walk *w, struct skl_err *err, const char *fmt, ...)
{
    struct skl_err why;
    char text[sizeof why.text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!w->tell) return skl_fail(err, SKL_DATA, "%s", text);
    skl_fail(&why, SKL_DATA, "%s", text);
    w->tell(w->context, why.text);
    return SKL_OK;
}

/* ---- one part's names ---- */

static void *longer(void *p, size_t count, size_t size)
{
    void *grown = reallocarray(p, count, size);
    if (!grown) skl_die("out of memory: %zu names of pictures", count);
    return grown;
}

static void add_name(struct skl_names *n, const char *inner, const char *name, int64_t size, int32_t label)
{
    const size_t a = strlen(inner), b = strlen(name) + 1;
    if (n->count == n->room) {
        n->room = n->room ? 2 * n->room : 1024;
        n->name = longer(n->name, (size_t)n->room, sizeof *n->name);
        n->label = longer(n->label, (size_t)n->room, sizeof *n->label);
    }
    if (n->used + a + b > n->text_room) {
        n->text_room = 2 * (n->used + a + b);
        n->text = longer(n->text, n->text_room, 1);
    }
    memcpy(n->text + n->used, inner, a);
    memcpy(n->text + n->used + a, name, b);
    n->name[n->count] = (struct skl_name){n->used, size};
    n->label[n->count++] = label;
    n->used += a + b;
}

static bool ends_in(const char *name, const char *const *endings)
{
    const char *dot = strrchr(name, '.');
    for (; dot && *endings; endings++)
        if (!strcasecmp(dot + 1, *endings)) return true;
    return false;
}

/* ---- one class ---- */

static int walk_folder(struct walk *w, const struct skl_seen *seen, struct skl_err *err);

static int descend(struct walk *w, const char *name, const struct skl_seen *seen, struct skl_err *err)
{
    const struct level *here = &w->level[w->depth - 1];
    char *path = skl_path(here->path, name), *inner = skl_format("%s%s/", here->inner, name);
    bool again = false;
    for (int i = 0; i < w->depth; i++)
        again = again || (w->level[i].inode == seen->inode && w->level[i].device == seen->device);
    int status = SKL_OK;
    if (again || w->depth == DEPTH_MAX) {
        status = again ? fault(w, err, "%s: a link to a folder that it stands in", path)
                       : fault(w, err, "%s: more than %d folders within each other", path, DEPTH_MAX);
    } else {
        w->level[w->depth] = (struct level){.path = path, .inner = inner};
        status = walk_folder(w, seen, err);
    }
    free(path);
    free(inner);
    return status;
}

static int add_entry(void *context, const char *name, const struct skl_seen *seen, struct skl_err *err)
{
    static const char *const pictures[] = {"jpg", "jpeg", "png", NULL};
    static const char *const others[] = {"bmp", "pgm", "ppm", "tif", "tiff", "webp", NULL};
    struct walk *w = context;
    if (name[0] == '.') return SKL_OK;
    if (seen->kind == SKL_FOLDER) return descend(w, name, seen, err);
    const bool other = ends_in(name, others);
    if (!other && !ends_in(name, pictures)) return SKL_OK;
    const struct level *here = &w->level[w->depth - 1];
    if (seen->kind != SKL_FILE)
        return fault(w, err, "%s/%s: %s", here->path, name,
                     seen->kind == SKL_ABSENT ? "a link that leads nowhere" : "is no regular file");
    if (other) return fault(w, err, "%s/%s: only JPEG and PNG are read here; convert it", here->path, name);
    if (w->to->count == NAMES_MAX) return skl_fail(err, SKL_DATA, "%s: more than %d pictures", w->l->path, NAMES_MAX);
    add_name(w->to, here->inner, name, seen->size, w->label);
    return SKL_OK;
}

/* level[depth] holds the names; it is this folder's from here on. */
static int walk_folder(struct walk *w, const struct skl_seen *seen, struct skl_err *err)
{
    struct level *here = &w->level[w->depth++];
    here->device = seen->device;
    here->inode = seen->inode;
    int status = skl_each(here->path, add_entry, w, err);
    w->depth--;
    return status;
}

static int by_text(const void *a, const void *b, void *text)
{
    const struct skl_name *x = a, *y = b;
    return strcmp((const char *)text + x->at, (const char *)text + y->at);
}

static int read_class(struct walk *w, const char *folder, const char *name, struct skl_err *err)
{
    const int first = w->to->count;
    char *path = skl_path(folder, name);
    struct skl_seen seen;
    int status = skl_look(path, &seen, err);
    w->level[0] = (struct level){.path = path, .inner = (char *)""};
    if (!status) status = walk_folder(w, &seen, err);
    const int count = w->to->count - first;
    if (!status && !count) status = fault(w, err, "%s: a class without pictures", path);
    if (!status && count) qsort_r(w->to->name + first, (size_t)count, sizeof *w->to->name, by_text, w->to->text);
    free(path);
    return status;
}

/* ---- classes ---- */

static int add_class(void *context, const char *name, const struct skl_seen *seen, struct skl_err *err)
{
    struct skl_names *n = context;
    if (name[0] == '.' || seen->kind != SKL_FOLDER) return SKL_OK;
    if (n->classes == INT16_MAX) return skl_fail(err, SKL_DATA, "more than %d classes", INT16_MAX);
    *SKL_ADD(n->class_name, n->classes) = skl_strdup(name);
    return SKL_OK;
}

static int list_classes(const char *path, int part, struct skl_names *n, struct skl_err *err)
{
    char *folder = skl_path(path, skl_part_folder[part]);
    struct skl_seen top, seen;
    int status = skl_look(path, &top, err);
    if (!status) status = skl_look(folder, &seen, err);
    if (!status && top.kind != SKL_FOLDER)
        status = skl_fail(err, SKL_DATA, "data.path: there is no folder %s", path);
    else if (!status && seen.kind != SKL_FOLDER)
        status = skl_fail(err, SKL_DATA, "%s: no folder '%s' in it: train/CLASS/... and val/CLASS/... are expected",
                          path, skl_part_folder[part]);
    if (!status) status = skl_each(folder, add_class, n, err);
    if (!status && n->classes < 2)
        status = skl_fail(err, SKL_DATA, "%s: %s: at least two classes, a folder each, are expected", folder,
                          n->classes ? "one class" : "no class");
    skl_sort_texts(n->class_name, (size_t)n->classes);
    free(folder);
    return status;
}

/* Both lists are sorted; every name that is in one alone is a fault. */
static int compare_classes(struct walk *w, struct skl_err *err)
{
    const struct skl_names *train = &w->l->part[SKL_LIST_TRAIN], *val = &w->l->part[SKL_LIST_VAL];
    int status = SKL_OK;
    for (int i = 0, k = 0; !status && (i < train->classes || k < val->classes);) {
        const int order = i == train->classes ? 1
                          : k == val->classes ? -1
                                              : strcmp(train->class_name[i], val->class_name[k]);
        if (order)
            status = fault(w, err, "%s: class '%s' is in '%s' and not in '%s'", w->l->path,
                           order < 0 ? train->class_name[i] : val->class_name[k], skl_part_folder[order > 0],
                           skl_part_folder[order < 0]);
        i += order <= 0;
        k += order >= 0;
    }
    return status;
}

/* ---- all ---- */

/* Fisher and Yates, by numbers that are the same for every folder and run. */
static void mix(struct skl_names *n, uint64_t part)
{
    const uint64_t key = skl_rng_key(0, SKL_RNG_SHUFFLE, 0, part);
    for (int i = n->count - 1; i > 0; i--) {
        const int k = (int)(skl_rng_bits(key, (uint64_t)i) % (uint64_t)(i + 1));
        const struct skl_name name = n->name[i];
        const int32_t label = n->label[i];
        n->name[i] = n->name[k], n->label[i] = n->label[k];
        n->name[k] = name, n->label[k] = label;
    }
}

static uint64_t fold_names(uint64_t h, const struct skl_names *n)
{
    for (int i = 0; i < n->count; i++) {
        const char *name = n->text + n->name[i].at;
        const int64_t numbers[2] = {n->name[i].size, n->label[i]};
        h = skl_fold(skl_fold(h, name, strlen(name)), numbers, sizeof numbers);
    }
    for (int c = 0; c < n->classes; c++) h = skl_fold(h, n->class_name[c], strlen(n->class_name[c]));
    return h;
}

static int read_part(struct walk *w, int part, struct skl_err *err)
{
    char *folder = skl_path(w->l->path, skl_part_folder[part]);
    int status = SKL_OK;
    w->to = &w->l->part[part];
    for (w->label = 0; w->label < w->to->classes && !status; w->label++)
        status = read_class(w, folder, w->to->class_name[w->label], err);
    free(folder);
    if (status) return status;
    w->l->fingerprint = fold_names(w->l->fingerprint, w->to);
    mix(w->to, (uint64_t)part);
    return SKL_OK;
}

int skl_listing_read(const char *path, skl_fault_fn *tell, void *context, struct skl_listing *l, struct skl_err *err)
{
    struct walk w = {.l = l, .tell = tell, .context = context};
    *l = (struct skl_listing){.path = skl_strdup(path)};
    int status = SKL_OK;
    for (int p = 0; p < SKL_LIST_PARTS && !status; p++) status = list_classes(path, p, &l->part[p], err);
    if (!status) status = compare_classes(&w, err);
    for (int p = 0; p < SKL_LIST_PARTS && !status; p++) status = read_part(&w, p, err);
    if (status) skl_listing_release(l);
    return status;
}

void skl_listing_release(struct skl_listing *l)
{
    for (int p = 0; p < SKL_LIST_PARTS; p++) {
        struct skl_names *n = &l->part[p];
        free(n->text);
        free(n->name);
        free(n->label);
        skl_list_free(n->class_name, n->classes);
    }
    free(l->path);
    *l = (struct skl_listing){0};
}

char *skl_listing_path(const struct skl_listing *l, int part, int i)
{
    const struct skl_names *n = &l->part[part];
    return skl_format("%s/%s/%s/%s", l->path, skl_part_folder[part], n->class_name[n->label[i]],
                      n->text + n->name[i].at);
}

int skl_listing_classes(const char *path, int *classes, struct skl_err *err)
{
    struct skl_names n = {0};
    int status = list_classes(path, SKL_LIST_TRAIN, &n, err);
    *classes = n.classes;
    skl_list_free(n.class_name, n.classes);
    return status;
}
