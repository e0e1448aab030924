/* keys.h - the one table of the experiment file's keys.
 * Every key is a row: dotted path, field, default, range, help.  Defaults, parser, the run's config.yaml, the
 * configuration hash and the documentation are all read from these rows.  To add a key: add a field to
 * experiment.h, a row to keys.c, and a line to docs/experiment-file.md (test_experiment tells if that is missing).
 * Options of a shortcut are rows of the variant itself (shortcut.h); skl_key_of_param() turns one into a key. */
#ifndef SKL_KEYS_H
#define SKL_KEYS_H
#include <stdbool.h>
#include <stddef.h>
#include "core/base/err.h"
#include "core/io/yaml.h"
#include "core/variant/shortcut.h"

struct skl_experiment;

enum skl_key_kind {
    SKL_KEY_BOOL,
    SKL_KEY_INT,    /* int */
    SKL_KEY_INT64,  /* int64_t */
    SKL_KEY_REAL,   /* double */
    SKL_KEY_CHOICE, /* int: index into choices */
    SKL_KEY_TEXT,   /* char *, malloc'd or NULL; with choices: one of them */
    SKL_KEY_FORM    /* lists, mappings and words: `form` says what may stand there */
};
enum {
    SKL_KEY_HASHED = 1,  /* decides numbers: part of the configuration hash */
    SKL_KEY_PLAN = 2,    /* of the whole file (struct skl_plan), not of one run: not for set, grid or zip */
    SKL_KEY_VARIANT = 4, /* of one entry of `variants` (path "variants.NAME") */
    SKL_KEY_PATH = 8,    /* TEXT: a path, kept as an absolute one (paths.h) */
    SKL_KEY_LATER = 16,  /* HASHED, but only where it is not the default: younger than the results that there are */
    SKL_KEY_SHOWN = 32   /* PLAN: how figures look (figure.h); in no run's config.yaml */
};
struct skl_key {
    const char *path, *help;
    enum skl_key_kind kind;
    unsigned flags;
    size_t offset;                   /* in struct skl_experiment; SKL_KEY_PLAN: in struct skl_plan */
    double def, min, max;            /* numbers: inclusive; NaN and infinity are always refused */
    const char *def_text;            /* TEXT, FORM and computed defaults: what the documentation says; NULL: none */
    const char *const *choices;      /* NULL-terminated */
    const char *form;                /* FORM, TEXT with takes(): "a list of ..." */
    bool (*takes)(const char *text); /* TEXT: is it one of its values?  NULL: any that is not empty */
    /* FORM: read() after all plain keys; write() gives the value as YAML (malloc'd; NULL: nothing to write),
     * `exact` with %.17g for the hash.  Both NULL where plan.c reads the key; read NULL: model.c does. */
    int (*read)(const struct skl_ynode *node, struct skl_experiment *exp, struct skl_err *err);
    char *(*write)(const struct skl_experiment *exp, bool exact);
};

int skl_key_count(void);
const struct skl_key *skl_key_get(int i);             /* grouped by section, in the order of the documentation */
const struct skl_key *skl_key_find(const char *path); /* NULL: no such row */
bool skl_key_is_section(const char *path);            /* a mapping with rows below it, like "train.warmup" */

/* "unknown key 'X' (did you mean 'Y'?)" at node; prefix: the section it stands in, "" at the top. */
int skl_key_unknown(const struct skl_ynode *node, const char *prefix, struct skl_err *err);
/* The same for a whole dotted path. */
int skl_path_unknown(const struct skl_ynode *node, const char *path, struct skl_err *err);

/* ---- key_value.c: one key's value ---- */
struct skl_key skl_key_of_param(const struct skl_param *param); /* path: the bare name; offset in the options struct */
char *skl_key_range(const struct skl_key *key);                 /* "a whole number from 1 to 1024"; malloc'd */
char *skl_key_default(const struct skl_key *key); /* "110", "original", "the batch"; malloc'd; NULL: none */

/* The value in `base` (the struct that offset counts from) set to the row's default. */
void skl_key_set_default(const struct skl_key *key, void *base);
bool skl_key_takes(const struct skl_key *key, const char *text); /* TEXT: is it one of its values? */
/* Reads a plain key (not FORM) into base.  name: the dotted path for messages. */
int skl_key_read(const struct skl_key *key, const char *name, const struct skl_ynode *node, void *base,
                 struct skl_err *err);
/* The value as YAML text, malloc'd; NULL: an absent text. */
char *skl_key_write(const struct skl_key *key, const void *base, bool exact);
char *skl_join_words(const char *const *words); /* "a, b, c"; malloc'd */
#endif
