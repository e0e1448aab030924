/* layers.h - the file, what it includes, and the command line's overrides, laid over each other. */
#ifndef SKL_LAYERS_H
#define SKL_LAYERS_H
#include <stdbool.h>
#include <stdint.h>
#include "core/io/yaml.h"

/* Whose file it is.  A plug-in runs with all rights of whoever loads it, so results never name one to be loaded. */
enum skl_trust {
    SKL_NAMED,     /* the user named it: its plug-ins are loaded, unless it stands among results */
    SKL_RECORDED,  /* a run's own config.yaml: plug-ins must have been given already, in the recorded builds */
    SKL_ANY_BUILD, /* likewise, builds not compared: nothing of it will be run */
};

struct skl_layers {
    struct skl_ynode *root;      /* include, file, and the overrides of keys of the whole file */
    struct skl_ynode *run;       /* of root: what one run is read from, without the whole file's keys */
    struct skl_ynode **override; /* each a mapping of one dotted key, laid over every run */
    int override_count;
    enum skl_trust trust;
    const char *given; /* the file's text, where it does not come out of the file; else NULL */
    char *withheld; /* the first plug-in that a file names and that was not loaded; NULL: none */
    bool lacking;   /* the failure is that a plug-in was not given, or another build of it */
    char **text;
    int text_count; /* file names and override texts that nodes point to */
};
/* Reads and merges; loads plug-ins where the file is trusted with that, so that their types are known; checks unknown
 * keys, types and ranges of what stands in the files.  text: the file's (then path only names it), NULL: it is read.
 * Release in every case. */
int skl_layers_read(const char *path, const char *text, enum skl_trust trust, char *const *overrides, int count,
                    struct skl_layers *layers, struct skl_err *err);
void skl_layers_release(struct skl_layers *layers);
/* Checks the keys of one layer by itself: a mistake shows even where a later layer hides it. */
int skl_check_layer(const struct skl_ynode *layer, struct skl_err *err);
/* The override sets this dotted key, or a mapping above it. */
bool skl_layers_overridden(const struct skl_layers *layers, const char *path);
/* A key of the whole file: not for set, grid or zip. */
bool skl_is_plan_key(const char *path);
#endif
