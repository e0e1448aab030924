/* cmd_data.c - which data sets are here, and how to get the others. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/data/sets.h"
#include "core/io/json.h"

static bool json;
static const char *from;
static const struct skl_option options[] = {
    {"from", SKL_OPT_FILE, "PATH", "fetch: take the archive (or the folder with the files) at PATH, download nothing",
     &from, .files = "*"},
    {"json", SKL_OPT_FLAG, NULL, "print a JSON list, one object a set", &json},
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
    int status = skl_set_find(name, &set, err);
    if (status) return status;
    look(set, &l);
    if (l.why.status == SKL_OK) {
        skl_say("skiplab: %s is here already\n", name);
    } else {
        forget(&l);
        char *folder;
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

static int run(int argc, char **argv, struct skl_err *err)
{
    if (argc > 0 && strcmp(argv[0], "fetch") != 0)
        return skl_fail(err, SKL_USAGE, "data: unknown word '%s' (did you mean 'data fetch %s'?)", argv[0], argv[0]);
    if (argc == 1) return skl_fail(err, SKL_USAGE, "data fetch: which set? 'skiplab data' lists them");
    if (argc == 2) return fetch(argv[1], err);
    if (from) return skl_fail(err, SKL_USAGE, "data: --from belongs to 'data fetch NAME'");
    list_sets();
    return SKL_OK;
}

const struct skl_command skl_cmd_data = {
    .name = "data",
    .summary = "which datasets are here; fetch one, checksum verified",
    .usage = "[fetch NAME]",
    .description = "Without words: lists the known datasets, where they are and whether they can be read.\n"
                   "fetch NAME downloads one with curl, checks size and SHA-256 of every file, and puts it into\n"
                   "${XDG_DATA_HOME:-~/.local/share}/skiplab/NAME.",
    .examples = "skiplab data\n"
                "skiplab data fetch cifar10\n"
                "skiplab data fetch cifar10 --from cifar-10-binary.tar.gz\n"
                "skiplab data --json\n",
    .options = options,
    .max_args = 2,
    .words = {SKL_WORD_FETCH, SKL_WORD_DATASET},
    .run = run,
};
