#include "core/base/sort.h"
#include "core/data/pictures/examine.h"

#include <stdlib.h>

#include "core/base/fs.h"
#include "core/base/grow.h"

enum { BLOCK = 256 };

struct result {
    int width, height;
    unsigned odd;
    char *why; /* NULL: it can be read */
};
struct block {
    struct skl_examination *e;
    int64_t first;
    struct result result[BLOCK];
};

static char *path_of(const struct skl_examination *e, int64_t i)
{
    const int train = e->listing.part[SKL_LIST_TRAIN].count;
    return i < train ? skl_listing_path(&e->listing, SKL_LIST_TRAIN, (int)i)
                     : skl_listing_path(&e->listing, SKL_LIST_VAL, (int)(i - train));
}

static void pass_over(void *context, int y, const uint8_t *rgb) {}

static void read_one(void *arg, int k, int worker)
{
    struct block *b = arg;
    struct result *r = &b->result[k];
    struct skl_err err = {0};
    struct skl_picture p = {.turned_wanted = true};
    char *path = path_of(b->e, b->first + k), *data = NULL;
    size_t n;
    int status = skl_file_read(path, SKL_PICTURE_FILE, &data, &n, &err);
    if (!status) status = skl_picture_open(&p, data, n, path, &err);
    if (!status) status = skl_picture_read(&p, 1, (struct skl_region){0, 0, p.width, p.height}, pass_over, NULL, &err);
    *r = status ? (struct result){.why = skl_strdup(err.text)}
                : (struct result){.width = p.width, .height = p.height, .odd = p.odd};
    skl_picture_close(&p);
    free(data);
    free(path);
}

static void keep(struct skl_examination *e, int64_t i, const struct result *r)
{
    e->width[i] = r->width;
    e->height[i] = r->height;
    if (r->why) *SKL_ADD(e->bad, e->bads) = r->why;
    for (int o = 0; o < SKL_ODDS; o++)
        if (r->odd >> o & 1 && e->odd[o]++ == 0) e->odd_example[o] = path_of(e, i);
}

static void add_fault(void *examination, const char *text)
{
    struct skl_examination *e = examination;
    *SKL_ADD(e->bad, e->bads) = skl_strdup(text);
}

int skl_examine(const char *path, struct skl_pool *pool, void (*tell)(int64_t done, int64_t all),
                struct skl_examination *e, struct skl_err *err)
{
    *e = (struct skl_examination){0};
    int status = skl_listing_read(path, add_fault, e, &e->listing, err);
    if (status) {
        skl_examination_release(e);
        return status;
    }
    e->pictures = (int64_t)e->listing.part[SKL_LIST_TRAIN].count + e->listing.part[SKL_LIST_VAL].count;
    e->width = skl_alloc_array((size_t)e->pictures, sizeof *e->width);
    e->height = skl_alloc_array((size_t)e->pictures, sizeof *e->height);
    const int faults = e->bads;
    struct block *b = skl_alloc(sizeof *b);
    b->e = e;
    for (; b->first < e->pictures; b->first += BLOCK) {
        const int n = e->pictures - b->first < BLOCK ? (int)(e->pictures - b->first) : BLOCK;
        skl_parallel(pool, n, read_one, b);
        for (int k = 0; k < n; k++) keep(e, b->first + k, &b->result[k]);
        tell(b->first + n, e->pictures);
    }
    free(b);
    if (e->bads > faults) skl_sort_texts(e->bad + faults, (size_t)(e->bads - faults));
    return SKL_OK;
}

void skl_examination_release(struct skl_examination *e)
{
    for (int i = 0; i < e->bads; i++) free(e->bad[i]);
    for (int o = 0; o < SKL_ODDS; o++) free(e->odd_example[o]);
    free(e->bad);
    free(e->width);
    free(e->height);
    skl_listing_release(&e->listing);
    *e = (struct skl_examination){0};
}
