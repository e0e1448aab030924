/* cmd_data.c - which data sets are here, and how to get the others. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/cli/pictures.h"
#include "core/data/sets.h"
#include "core/io/json.h"

static bool json;
static const char *from;
static int train, test, threads;
static const struct skl_option options[] = {
    {"from", SKL_OPT_FILE, "PATH", "fetch: take the archive (or the folder with the files) at PATH, download nothing",
     &from, .files = "*"},
    {"train", SKL_OPT_INT, "N", "export: the first N training images (default: all)", &train, 1, 1000000000},
    {"test", SKL_OPT_INT, "N", "export: the first N test images (default: all)", &test, 1, 1000000000},
    {"threads", SKL_OPT_INT, "N", "check, export: threads (default: all cores)", &threads, 1, 4096},
    {"json", SKL_OPT_FLAG, NULL, "print a JSON list, one object a set; check: one object", &json},
    {0},
};

/* What is known about one set.  The images are really read, so "here" means that training will find them. */
struct listing {
    const struct skl_set *set;
    char *folder;
    struct skl_dataset data;
    struct skl_err why;
};

static void look(const struct skl_set *set, struct listing *l)
{
    memset(l, 0, sizeof *l);
    l->set = set;
    if (!set->files[0].name) return;
    struct skl_data_config cfg = {.dataset = (char *)set->name};
    bool published;
    l->why.status = skl_set_locate(set, NULL, &l->folder, &published, &l->why);
    if (l->why.status == SKL_OK) l->why.status = skl_dataset_open(&cfg, &l->data, &l->why);
}

static void forget(struct listing *l)
{
    skl_dataset_release(&l->data);
    free(l->folder);
}

static void print_absent(const struct skl_set *set)
{
    char *places[SKL_PLACES], *get = skl_set_get_command(set);
    int n = skl_set_places(set, places);
    skl_print("%-14s absent   %s; looked in", set->name, set->title);
    for (int i = 0; i < n; i++) {
        skl_print("%s %s", i ? "," : "", places[i]);
        free(places[i]);
    }
    skl_print("; get it with %s\n", get);
    free(get);
}

static void print_row(const struct listing *l)
{
    const struct skl_set *s = l->set;
    if (!s->files[0].name) {
        skl_print("%-14s %s    %s\n", s->name, s->pictures ? "yours" : "here ", s->title);
    } else if (l->why.status == SKL_OK) {
        skl_print("%-14s here     %s; %d training and %d test images, %dx%dx%d, %d classes; in %s\n", s->name, s->title,
                  l->data.train.count, l->data.test.count, s->size, s->size, s->channels, s->classes, l->folder);
    } else if (l->folder) {
        skl_print("%-14s damaged  %s\n", s->name, l->why.text);
    } else {
        print_absent(s);
    }
}

static json_t *places_json(const struct skl_set *set)
{
    json_t *list = json_array();
    char *places[SKL_PLACES];
    int n = skl_set_places(set, places);
    for (int i = 0; i < n; i++) {
        json_array_append_new(list, skl_json_text(places[i]));
        free(places[i]);
    }
    return list;
}

static json_t *row_json(const struct listing *l)
{
    const struct skl_set *s = l->set;
    const bool computed = !s->files[0].name, here = l->why.status == SKL_OK;
    json_t *o = json_pack("{s:s, s:s, s:b, s:s}", "name", s->name, "title", s->title, "here", here, "state",
                          here        ? "here"
                          : l->folder ? "damaged"
                                      : "absent");
    if (computed) return o;
    json_object_set_new(o, "size", json_integer(s->size));
    json_object_set_new(o, "channels", json_integer(s->channels));
    json_object_set_new(o, "classes", json_integer(s->classes));
    json_object_set_new(o, "looked_in", places_json(s));
    if (l->folder) json_object_set_new(o, "path", skl_json_text(l->folder));
    if (here) {
        json_object_set_new(o, "train_images", json_integer(l->data.train.count));
        json_object_set_new(o, "test_images", json_integer(l->data.test.count));
    } else {
        json_object_set_new(o, "problem", json_string(l->why.text));
    }
    return o;
}

static void list_sets(void)
{
    json_t *list = json ? json_array() : NULL;
    for (int i = 0; skl_set_get(i); i++) {
        struct listing l;
        look(skl_set_get(i), &l);
        if (json)
            json_array_append_new(list, row_json(&l));
        else
            print_row(&l);
        forget(&l);
    }
    if (json) skl_json_print(list);
}

static int fetch(const char *name, struct skl_err *err)
{
    const struct skl_set *set;
    struct listing l;
    char *folder;
    int status = skl_set_find(name, &set, err);
    if (!status && set->pictures) status = skl_fetch(set, from, &folder, err); /* says why not */
    if (status) return status;
    look(set, &l);
    if (l.why.status == SKL_OK) {
        skl_say("skiplab: %s is here already\n", name);
    } else {
        forget(&l);
        status = skl_fetch(set, from, &folder, err);
        if (status) return status;
        free(folder);
        look(set, &l);
    }
    status = l.why.status;
    if (status)
        *err = l.why;
    else if (json)
        skl_json_print(row_json(&l));
    else
        print_row(&l);
    forget(&l);
    return status;
}

/* Options belong to some of the words. */
static int check_options(bool fetches, bool checks, bool exports, struct skl_err *err)
{
    if (from && !fetches) return skl_fail(err, SKL_USAGE, "data: --from belongs to 'data fetch NAME'");
    if ((train || test) && !exports)
        return skl_fail(err, SKL_USAGE, "data: --train and --test belong to 'data export NAME DIR'");
    if (threads && !checks && !exports)
        return skl_fail(err, SKL_USAGE, "data: --threads belongs to 'data check DIR' and 'data export NAME DIR'");
    if (json && exports) return skl_fail(err, SKL_USAGE, "data: --json is not for 'data export'");
    return SKL_OK;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    const char *word = argc ? argv[0] : "";
    const bool fetches = !strcmp(word, "fetch"), checks = !strcmp(word, "check"), exports = !strcmp(word, "export");
    if (argc > 0 && !fetches && !checks && !exports) {
        static const char *const words[] = {"fetch", "check", "export", NULL};
        const char *near = skl_nearest(word, words);
        return skl_fail(err, SKL_USAGE, "data: unknown word '%s' (did you mean 'data %s%s'?)", word,
                        near ? near : "fetch ", near ? "" : word);
    }
    int status = check_options(fetches, checks, exports, err);
    if (status) return status;
    if (argc == 1)
        return skl_fail(err, SKL_USAGE, "data %s: %s", word,
                        checks ? "which folder?" : "which set? 'skiplab data' lists them");
    if (exports && argc == 2) return skl_fail(err, SKL_USAGE, "data export: into which folder? It must be a new one");
    if (argc == 3 && !exports) return skl_fail(err, SKL_USAGE, "data %s: one word too many: '%s'", word, argv[2]);
    if (fetches) return fetch(argv[1], err);
    if (checks) return skl_data_check(argv[1], threads, json, err);
    if (exports) return skl_data_export(argv[1], argv[2], train, test, threads, err);
    list_sets();
    return SKL_OK;
}

const struct skl_command skl_cmd_data = {
    .name = "data",
    .summary = "which datasets are here; fetch one, check a folder of pictures",
    .usage = "[fetch|check|export NAME|DIR [DIR]]",
    .description =
        "Without words: lists the known datasets, where they are and whether they can be read.\n"
        "fetch NAME downloads one with curl, checks size and SHA-256 of every file, and puts it into\n"
        "${XDG_DATA_HOME:-~/.local/share}/skiplab/NAME.\n"
        "check DIR reads every picture of DIR/train/CLASS and DIR/val/CLASS: how many a class has, sizes, what\n"
        "is unusual, and the name of each file that cannot be read; exit 3 where there is one.\n"
        "export NAME DIR writes a set as such a folder, JPEGs of four sizes, to try things with.",
    .examples = "skiplab data\n"
                "skiplab data fetch cifar10\n"
                "skiplab data fetch cifar10 --from cifar-10-binary.tar.gz\n"
                "skiplab data export fashion-mnist fashion-pictures --train 600 --test 100\n"
                "skiplab data check fashion-pictures\n"
                "skiplab data --json\n",
    .options = options,
    .max_args = 3,
    .words = {SKL_WORD_OF_DATA, SKL_WORD_DATASET | SKL_WORD_FOLDER},
    .run = run,
};
