/* dataset.h - images and labels in memory, and the stream of mini-batches.
 * A dataset is a row of sets.c's table: name, default folder, reader.  skiplab data walks the table. */
#ifndef SKL_DATASET_H
#define SKL_DATASET_H
#include <stdint.h>
#include "core/base/err.h"
#include "core/base/parallel.h"
#include "core/config/experiment.h"

struct skl_listing;
struct skl_images {
    int count, size, channels;
    uint8_t *pixels; /* [n, size, size, channels]; NULL: pictures in files, read when they are needed */
    int32_t *labels;
    int part, first; /* pictures: which of the listing's parts, and where this one begins in it */
};
struct skl_dataset {
    char *name;
    int classes;
    struct skl_images train, validation, test; /* validation is the tail of train's memory */
    struct skl_listing *listing;               /* of pictures; NULL: all images are in memory */
    uint64_t fingerprint;                      /* of all images and labels read; of pictures the names and sizes */
};

/* Reads what cfg asks for: path or default places, size/record/label checks (SKL_DATA names file and what is wrong),
 * 28x28 padded with raw 0 to 32x32, train_images/test_images first N, validation = last N of the training set.
 * size: 16 keeps 32x32 pixels here; the loader halves after cropping.  `synthetic` is the same set for every run, as if
 * it were read from files.  Of `folder` the names are read, no picture.  In the default places CIFAR files must be the
 * published ones (SHA-256); under path their form alone is checked.  SKL_USAGE: a key that does not fit the set. */
int skl_dataset_open(const struct skl_data_config *cfg, struct skl_dataset *set, struct skl_err *err);
void skl_dataset_release(struct skl_dataset *set);
/* What the loader will give (size: after halving); reads no file.  A folder's classes: data.classes, else counted. */
int skl_dataset_shape(const struct skl_data_config *cfg, int *size, int *channels, int *classes, struct skl_err *err);
bool skl_dataset_has_files(const char *name); /* else it is made of its settings alone */
/* Names of the known sets, NULL-terminated. */
const char *const *skl_dataset_names(void);

/* The loader: normalisation constants from the training images, permutations, crops and flips from the counter RNG.
 * set, cfg and pool must outlive it.  Pictures of a folder are decoded ahead, in as many threads of its own as pool
 * has.  No call depends on an earlier one, nothing depends on the number of threads. */
struct skl_loader;
int skl_loader_new(const struct skl_dataset *set, const struct skl_data_config *cfg, uint64_t seed, int batch,
                   struct skl_pool *pool, struct skl_loader **loader, struct skl_err *err);
void skl_loader_free(struct skl_loader *l);
int skl_loader_size(const struct skl_loader *l); /* side of the images it gives */
/* Mini-batch of iteration t: stream positions [tB, (t+1)B), augmented, normalised: images [B, size, size, channels]. */
void skl_loader_train(struct skl_loader *l, int64_t iteration, float *images, int32_t *labels);
/* Mixup of that mini-batch, in place: two images that are a pair (one may be its own partner) take a share of each
 * other, the same share for all, at most 1/2; others[i] is the label of what image i took.  Returns the share; 0:
 * data.augment.mixup is off.  Pairs and share follow from seed and iteration. */
double skl_loader_mix(struct skl_loader *l, int64_t iteration, float *images, const int32_t *labels, int32_t *others);
/* n images from number `first` of one part, clean (no augmentation), normalised as in training. */
enum skl_part { SKL_PART_TRAIN, SKL_PART_VALIDATION, SKL_PART_TEST };
void skl_loader_clean(struct skl_loader *l, enum skl_part part, int first, int n, float *images, int32_t *labels);
/* How many crops there are of each image of a part (data.test_crops), and one of them; crop 0 is skl_loader_clean(). */
int skl_loader_crops(const struct skl_loader *l, enum skl_part part);
void skl_loader_crop(struct skl_loader *l, enum skl_part part, int first, int n, int crop, float *images,
                     int32_t *labels);
/* Pictures are read when they are needed: SKL_DATA once one could not be, with its name.  What was loaded is void. */
int skl_loader_sound(const struct skl_loader *l, struct skl_err *err);
#endif
