/* cmd.h - one command of skiplab.
 * To add a command: write cmd_NAME.c with one `const struct skl_command skl_cmd_NAME`, add its word to the list in
 * core/cli/meson.build.  tests/cli walks the table: --help of every command, every option in its help. */
#ifndef SKL_CMD_H
#define SKL_CMD_H
#include <stdbool.h>
#include "core/base/err.h"
#include "core/config/registry.h"

enum skl_option_kind {
    SKL_OPT_FLAG,
    SKL_OPT_INT,
    SKL_OPT_REAL,
    /* Words: */
    SKL_OPT_STRING, /* any */
    SKL_OPT_CHOICE, /* one of words() */
    SKL_OPT_FILE,   /* ends as `files` says */
    SKL_OPT_FOLDER,
    SKL_OPT_SETTING, /* a setting of the experiment file on the line; without one a shortcut */
    SKL_OPT_PATTERN, /* of such settings */
    SKL_OPT_EACH     /* may be repeated: each goes to take() */
};
struct skl_option {
    const char *name; /* without the dashes; NULL ends the list */
    enum skl_option_kind kind;
    const char *argument; /* "N", "DIR": shown in --help; NULL for flags */
    const char *help;
    void *target;                                        /* bool *, int *, double *, const char **; EACH: NULL */
    double min, max;                                     /* INT, REAL: inclusive */
    int (*take)(const char *value, struct skl_err *err); /* EACH */
    const char *const *(*words)(void);                   /* CHOICE; STRING: what a shell offers; else NULL */
    const char *files;                                   /* FILE, EACH: "*.so", what a shell offers; else NULL */
};
/* The words of a command that are no options: bits of what may stand there. */
enum {
    SKL_WORD_CONFIG = 1,
    SKL_WORD_CHECKPOINT = 2,
    SKL_WORD_FOLDER = 4, /* of results */
    SKL_WORD_KEY = 8,    /* key=value */
    SKL_WORD_SHORTCUT = 16,
    SKL_WORD_PLUGIN = 32,
    SKL_WORD_OF_DATA = 64, /* fetch, check, export */
    SKL_WORD_DATASET = 128,
    SKL_WORD_NEW = 256 /* a name that is not there yet */
};
struct skl_command {
    const char *name, *summary;
    const char *usage;       /* after "skiplab NAME ": "CONFIG.yaml [key=value ...]" */
    const char *description; /* a few lines */
    const char *examples;    /* lines, each a command that works */
    const struct skl_option *options;
    int min_args, max_args;                                 /* words that are no options; max -1: any */
    unsigned words[2];                                      /* SKL_WORD_...: of the first, of those after it */
    int (*run)(int argc, char **argv, struct skl_err *err); /* argc words left after the options; an enum skl_status */
};
/* For every command that reads an experiment file or a run's own settings. */
#define SKL_PLUGIN_OPTION \
    { \
        "plugin", SKL_OPT_EACH, "PLUGIN.so", \
            "load this shortcut plug-in; may be repeated. What results name is never loaded by itself", NULL, 0, 0, \
            skl_registry_ask, NULL, "*.so" \
    }
/* For every command that opens nets. */
#define SKL_DEVICE_OPTION \
    { \
        "device", SKL_OPT_STRING, "NAME", \
            "auto, cpu, gpu, gpu:N or opencl:N ('skiplab devices' lists them); default: SKL_DEVICE, else auto", \
            &skl_device_word, 0, 0, NULL, skl_device_words \
    }
extern const char *skl_device_word;
const char *const *skl_device_words(void); /* some that may stand there */
/* Decides what this process computes on, and says so unless quiet.  begun: the numerics that a run was begun with,
 * which `auto` goes on with (elsewhere: or not, where that is not here); NULL: it is a new one.  variant: must run on
 * what `auto` takes.  SKL_USAGE: there is no such device, or it is not fit. */
int skl_device_start(const struct skl_shortcut *variant, const char *begun, bool elsewhere, bool quiet,
                     struct skl_err *err);
#endif
