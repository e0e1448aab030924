/* What core/data/pictures makes of a file, to standard output, for tests that compare it with Pillow.
 *
 *   tool list DIR                            "classes training test seconds bytes" of listing its names
 *   tool decode FILE SHRINK X Y W H          rows of the region (W 0: all), 3 bytes a pixel
 *   tool size FILE                           "width height odd"
 *   tool train FILE SIZE SEED EPOCH IMAGE KEY=VALUE...     an image of training
 *   tool test FILE SIZE CROP KEY=VALUE...                  one of testing
 *   tool view FILE SIZE SEED EPOCH IMAGE KEY=VALUE...      "x y w h across down left top flip"
 *   tool speed DIR SIZE COUNT THREADS KEY=VALUE...         "seconds, processor seconds" of so many images of training
 * Keys: resize=a,b area=a,b aspect=a,b flip=0|1 test_resize=n */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "core/base/fs.h"
#include "core/data/pictures/listing.h"
#include "core/data/pictures/picture.h"
#include "core/data/pictures/supply.h"
#include "core/data/pictures/view.h"

static void put_row(void *context, int y, const uint8_t *rgb) { fwrite(rgb, 3, *(const size_t *)context, stdout); }

static void set(struct skl_data_config *cfg, const char *word)
{
    const char *v = strchr(word, '=') + 1, *comma = strchr(word, ',');
    const double a = strtod(v, NULL), b = comma ? strtod(comma + 1, NULL) : 0;
    if (!strncmp(word, "resize", 6)) cfg->augment.resize[0] = (int)a, cfg->augment.resize[1] = (int)b;
    if (!strncmp(word, "area", 4)) cfg->augment.area[0] = a, cfg->augment.area[1] = b;
    if (!strncmp(word, "aspect", 6)) cfg->augment.aspect[0] = a, cfg->augment.aspect[1] = b;
    if (!strncmp(word, "flip", 4)) cfg->augment.flip = a > 0;
    if (!strncmp(word, "test_resize", 11)) cfg->test_resize = (int)a;
}

static int number(const char *text) { return (int)strtol(text, NULL, 10); }

static int make(const char *mode, struct skl_picture *p, char **arg, struct skl_err *err)
{
    struct skl_data_config cfg = {.size = number(arg[0])};
    const bool test = !strcmp(mode, "test");
    for (char **word = arg + (test ? 2 : 4); *word; word++) set(&cfg, *word);
    const struct skl_view v =
        test ? skl_view_test(&cfg, number(arg[1]), p->width, p->height)
             : skl_view_draw(&cfg, strtoull(arg[1], NULL, 10), number(arg[2]), number(arg[3]), p->width, p->height);
    if (!strcmp(mode, "view")) {
        printf("%d %d %d %d %d %d %d %d %d\n", v.x, v.y, v.w, v.h, v.across, v.down, v.left, v.top, v.flip);
        return SKL_OK;
    }
    uint8_t *out = skl_alloc((size_t)cfg.size * (size_t)cfg.size * 3);
    int status = skl_view_make(p, &v, cfg.size, out, err);
    if (!status) fwrite(out, 3, (size_t)cfg.size * (size_t)cfg.size, stdout);
    free(out);
    return status;
}

static int decode(struct skl_picture *p, char **arg, struct skl_err *err)
{
    const int shrink = number(arg[0]);
    struct skl_region r = {number(arg[1]), number(arg[2]), number(arg[3]), number(arg[4])};
    if (!r.w) r.w = (p->width + shrink - 1) / shrink, r.h = (p->height + shrink - 1) / shrink;
    size_t row = (size_t)r.w;
    return skl_picture_read(p, shrink, r, put_row, &row, err);
}

static int list(const char *path, struct skl_err *err)
{
    struct skl_listing l;
    struct timespec from, to;
    struct rusage used;
    clock_gettime(CLOCK_MONOTONIC, &from);
    int status = skl_listing_read(path, NULL, NULL, &l, err);
    if (status) return status;
    clock_gettime(CLOCK_MONOTONIC, &to);
    getrusage(RUSAGE_SELF, &used);
    printf("%d %d %d %.3f %ld\n", l.part[0].classes, l.part[0].count, l.part[1].count,
           (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec), used.ru_maxrss * 1024);
    skl_listing_release(&l);
    return SKL_OK;
}

static double clock_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int speed(const char *path, char **arg, struct skl_err *err)
{
    enum { BATCH = 32 };
    struct skl_listing l;
    struct skl_data_config cfg = {.size = number(arg[0])};
    struct skl_item item[2 * BATCH];
    const uint8_t *image[BATCH];
    for (char **word = arg + 3; *word; word++) set(&cfg, *word);
    int status = skl_listing_read(path, NULL, NULL, &l, err);
    if (status) return status;
    struct skl_supply *s = skl_supply_new(&l, &cfg, 1, number(arg[2]), BATCH);
    const double wall = clock_of(CLOCK_MONOTONIC), processor = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    for (int first = 0; first < number(arg[1]) && !status; first += BATCH) {
        for (int i = 0; i < 2 * BATCH; i++)
            item[i] = (struct skl_item){.epoch = (first + i) / l.part[0].count, .image = (first + i) % l.part[0].count};
        status = skl_supply_take(s, item, BATCH, 2 * BATCH, image, err);
    }
    printf("%.3f %.3f\n", clock_of(CLOCK_MONOTONIC) - wall, clock_of(CLOCK_PROCESS_CPUTIME_ID) - processor);
    skl_supply_free(s);
    skl_listing_release(&l);
    return status;
}

int main(int argc, char **argv)
{
    struct skl_picture p = {.turned_wanted = true};
    struct skl_err err = {0};
    char *data = NULL;
    size_t n;
    if (argc < 3) return 2;
    const bool names = !strcmp(argv[1], "list") || !strcmp(argv[1], "speed");
    int status = !strcmp(argv[1], "list")    ? list(argv[2], &err)
                 : !strcmp(argv[1], "speed") ? speed(argv[2], argv + 3, &err)
                                             : skl_file_read(argv[2], SKL_PICTURE_FILE, &data, &n, &err);
    if (!status && !names) status = skl_picture_open(&p, data, n, argv[2], &err);
    if (!status && !strcmp(argv[1], "decode"))
        status = decode(&p, argv + 3, &err);
    else if (!status && !strcmp(argv[1], "size"))
        printf("%d %d %u\n", p.width, p.height, p.odd);
    else if (!status && !names)
        status = make(argv[1], &p, argv + 3, &err);
    if (status) fprintf(stderr, "%s\n", err.text);
    skl_picture_close(&p);
    free(data);
    return status;
}
