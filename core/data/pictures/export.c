#include "core/data/pictures/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/place.h"
#include "core/data/pictures/jpeg_write.h"
#include "core/data/pictures/listing.h"
#include "core/data/pictures/resize.h"

enum { QUALITY = 90, SIDES = 4, BLOCK = 512 };
static const int sides[SIDES] = {64, 80, 96, 112};

static const char *const fashion[] = {"t-shirt", "trouser", "pullover", "dress", "coat",
                                      "sandal",  "shirt",   "sneaker",  "bag",   "ankle-boot"};

static char *class_name(const struct skl_dataset *set, int label)
{
    int digits = 1;
    for (int most = set->classes - 1; most > 9; most /= 10) digits++;
    const bool named = !strcmp(set->name, "fashion-mnist");
    return skl_format("%0*d%s%s", digits, label, named ? "-" : "", named ? fashion[label] : "");
}

static char *class_folder(const struct skl_dataset *set, const char *folder, int part, int label)
{
    char *name = class_name(set, label), *path = skl_format("%s/%s/%s", folder, skl_part_folder[part], name);
    free(name);
    return path;
}

static int make_folders(const struct skl_dataset *set, const char *folder, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < SKL_LIST_PARTS * set->classes && !status; i++) {
        char *path = class_folder(set, folder, i / set->classes, i % set->classes);
        status = skl_mkdirs(path, err);
        free(path);
    }
    return status;
}

/* ---- images ---- */

/* The image enlarged, [side, side, 3]. */
static uint8_t *enlarge(const struct skl_images *im, int i, int side)
{
    const int size = im->size, bytes = 3 * side;
    const uint8_t *from = im->pixels + (size_t)i * (size_t)size * (size_t)size * (size_t)im->channels;
    uint8_t *row = skl_alloc((size_t)size * 3), *rows = skl_alloc((size_t)size * (size_t)bytes),
            *out = skl_alloc((size_t)side * (size_t)bytes);
    struct skl_taps taps;
    skl_taps_make(&taps, 0, size, 0, size, side, 0, side, 0);
    for (int y = 0; y < size; y++) {
        for (int k = 0; k < 3 * size; k++) row[k] = im->channels == 3 ? from[3 * y * size + k] : from[y * size + k / 3];
        skl_resize_row(&taps, row, 0, rows + (size_t)y * (size_t)bytes);
    }
    skl_resize_columns(&taps, rows, 0, bytes, out);
    skl_taps_free(&taps);
    free(row);
    free(rows);
    return out;
}

struct exporting {
    const struct skl_dataset *set;
    const struct skl_images *im;
    const char *folder;
    int part, first;
    struct skl_err err[BLOCK];
};

static void write_image(void *arg, int k, int worker)
{
    struct exporting *e = arg;
    const int i = e->first + k, side = sides[i % SIDES], channels = e->im->channels;
    uint8_t *pixels = enlarge(e->im, i, side);
    if (channels == 1)
        for (int p = 0; p < side * side; p++) pixels[p] = pixels[3 * p];
    size_t n;
    unsigned char *jpeg = skl_jpeg_write(pixels, side, side, channels, QUALITY, &n);
    char *folder = class_folder(e->set, e->folder, e->part, e->im->labels[i]),
         *path = skl_format("%s/%05d.jpg", folder, i + 1);
    skl_file_write_quick(path, jpeg, n, &e->err[k]);
    free(path);
    free(folder);
    free(jpeg);
    free(pixels);
}

static int write_part(struct exporting *e, struct skl_pool *pool, void (*tell)(int64_t, int64_t), int64_t done,
                      struct skl_err *err)
{
    const int64_t all = (int64_t)e->set->train.count + e->set->test.count;
    for (e->first = 0; e->first < e->im->count; e->first += BLOCK) {
        const int n = e->im->count - e->first < BLOCK ? e->im->count - e->first : BLOCK;
        skl_parallel(pool, n, write_image, e);
        for (int k = 0; k < n; k++)
            if (e->err[k].status) {
                if (err) *err = e->err[k];
                return e->err[k].status;
            }
        tell(done + e->first + n, all);
    }
    return SKL_OK;
}

/* ---- all ---- */

/* No run reads a folder with an empty class. */
static int check_classes(const struct skl_dataset *set, const struct skl_images *im, const char *option,
                         struct skl_err *err)
{
    bool *seen = skl_alloc_array((size_t)set->classes, sizeof *seen);
    int missing = 0;
    for (int i = 0; i < im->count; i++) seen[im->labels[i]] = true;
    while (missing < set->classes && seen[missing]) missing++;
    free(seen);
    if (missing == set->classes) return SKL_OK;
    char *name = class_name(set, missing);
    int status = skl_fail(err, SKL_USAGE,
                          "--%s: none of the first %d images is of class %s, and no run reads a class without "
                          "pictures: take more",
                          option, im->count, name);
    free(name);
    return status;
}

static int write_all(const struct skl_dataset *set, const char *folder, struct skl_pool *pool,
                     void (*tell)(int64_t, int64_t), struct skl_err *err)
{
    struct exporting *e = skl_alloc(sizeof *e);
    *e = (struct exporting){.set = set, .im = &set->train, .folder = folder, .part = SKL_LIST_TRAIN};
    int status = make_folders(set, folder, err);
    if (!status) status = write_part(e, pool, tell, 0, err);
    e->im = &set->test;
    e->part = SKL_LIST_VAL;
    if (!status) status = write_part(e, pool, tell, set->train.count, err);
    free(e);
    return status ? status : skl_sync_all(folder, err);
}

int skl_export(const struct skl_dataset *set, const char *folder, struct skl_pool *pool,
               void (*tell)(int64_t done, int64_t all), struct skl_err *err)
{
    char *part = skl_format("%s.part", folder);
    bool there, begun = false;
    int status = skl_is_there(folder, &there, err);
    if (!status && !there) status = skl_is_there(part, &begun, err);
    if (!status) status = check_classes(set, &set->train, "train", err);
    if (!status) status = check_classes(set, &set->test, "test", err);
    if (!status && (there || begun)) {
        status = skl_fail(err, SKL_FAILED, "%s is there already%s", there ? folder : part,
                          there ? "; give a new name" : ": another export is at it, or was killed; then remove it");
    } else if (!status) {
        status = write_all(set, part, pool, tell, err);
        if (!status && skl_place_rename(part, folder))
            status = skl_fail(err, SKL_FAILED, "cannot rename '%s' to '%s': %s", part, folder, skl_place_error(errno));
        if (status) skl_folder_remove(part);
    }
    free(part);
    return status;
}
