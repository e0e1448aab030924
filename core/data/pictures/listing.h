/* listing.h - inside core/data: the names of a folder of pictures, DIR/train/CLASS/... and DIR/val/CLASS/..., as
 * torchvision's ImageFolder reads it.
 *
 * Classes are the folders in a part, by sorted name (bytes); pictures are all files below them, at any depth, whose
 * names end in .jpg, .jpeg or .png in any case.  Names that begin with a dot are skipped, links are followed. */
#ifndef SKL_LISTING_H
#define SKL_LISTING_H
#include <stdint.h>
#include "core/base/err.h"

enum { SKL_LIST_TRAIN, SKL_LIST_VAL, SKL_LIST_PARTS };
extern const char *const skl_part_folder[SKL_LIST_PARTS]; /* "train", "val" */

struct skl_name {
    size_t at; /* in the part's text: "n01440764_10026.JPEG", below the class's folder */
    int64_t size;
};
/* The pictures of one part, in an order that mixes the classes and is always the same: so the first or last N are a
 * sample of them all. */
struct skl_names {
    int count, room;
    char *text;
    size_t used, text_room;
    struct skl_name *name;
    int32_t *label;
    char **class_name;
    int classes;
};
struct skl_listing {
    char *path;
    struct skl_names part[SKL_LIST_PARTS];
    uint64_t fingerprint; /* of all names and sizes */
};

/* What is wrong with one name; a line. */
typedef void skl_fault_fn(void *context, const char *text);

/* Reads all names and sizes, opens no picture.  Faults: a part or its classes are missing, a class is empty or in one
 * part alone, a name of a picture leads to no file, a picture of a kind that ImageFolder reads and skiplab does not, a
 * folder that contains itself.  tell NULL: the first fault is the error, SKL_DATA; else each is told, and what can be
 * listed is.  SKL_DATA: path is no folder, or cannot be read. */
int skl_listing_read(const char *path, skl_fault_fn *tell, void *context, struct skl_listing *l, struct skl_err *err);
void skl_listing_release(struct skl_listing *l);
char *skl_listing_path(const struct skl_listing *l, int part, int i); /* malloc'd */
int skl_listing_classes(const char *path, int *classes,
                        struct skl_err *err); /* train's alone; reads no picture's name */
#endif
