/* sets.h - inside core/data: the table of known sets, their readers, and how files are opened.
 *
 * To add a set: write a reader (see cifar.c), add a row to the table in sets.c and, when it can be downloaded, its
 * files with sizes and SHA-256.  `skiplab data`, the messages about missing files and the tests walk the table. */
#ifndef SKL_SETS_H
#define SKL_SETS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
#include "core/data/dataset.h"

/* One published file.  url: NULL where it comes out of an archive. */
struct skl_file {
    const char *name, *url;
    int64_t bytes;
    const char *sha256;
};
enum { SKL_SET_FILES = 6 };
struct skl_set {
    const char *name, *title;
    int size, channels, classes;                       /* as the loader sees it: after padding to 32x32 */
    const struct skl_file *archive;                    /* NULL: the files are downloaded one by one */
    struct skl_file files[SKL_SET_FILES + 1];          /* ends with name NULL; none: the set is computed */
    const char *folder;                                /* the archive's folder, NULL: none */
    const char *torchvision;                           /* where torchvision puts the same files, NULL: it has others */
    const char *python, *python_file, *python_archive; /* the version for Python: its folder, a file, its archive */
    const char *package;                               /* Debian's, NULL: none */
    bool pictures;                                     /* in a folder of the user's, data.path, in no place of ours */
    /* Fills train and test (all images, nothing cut) from files in folder.  published: every byte must be the
     * published one (SHA-256), else the file's form alone is checked. */
    int (*read)(const struct skl_set *set, const struct skl_data_config *cfg, const char *folder, bool published,
                struct skl_dataset *out, struct skl_err *err);
};
int skl_set_find(const char *name, const struct skl_set **set, struct skl_err *err); /* unknown: SKL_USAGE */
const struct skl_set *skl_set_get(int i);                                            /* NULL: past the end */

/* Places where a set may lie, best first; malloc'd, NULL-terminated.  The last is where `data fetch` puts it. */
enum { SKL_PLACES = 4 };
int skl_set_places(const struct skl_set *set, char *places[SKL_PLACES]); /* how many */
char *skl_set_home(const struct skl_set *set, struct skl_err *err);      /* NULL: neither XDG_DATA_HOME nor HOME */
char *skl_set_get_command(const struct skl_set *set);                    /* "`apt install ...` or `skiplab data ...`" */
/* The file of this name, gzipped or not; malloc'd, NULL: absent. */
int skl_set_file(const char *folder, const char *name, char **found, struct skl_err *err);
/* Where the set is: path if given, else the first place that holds one of its files (itself or in set->folder).
 * SKL_DATA lists the places looked at and the command that mends it.  *folder is malloc'd. */
int skl_set_locate(const struct skl_set *set, const char *path, char **folder, bool *published, struct skl_err *err);

int skl_idx_open(const struct skl_set *, const struct skl_data_config *, const char *, bool, struct skl_dataset *,
                 struct skl_err *);
int skl_cifar10_open(const struct skl_set *, const struct skl_data_config *, const char *, bool, struct skl_dataset *,
                     struct skl_err *);
int skl_cifar100_open(const struct skl_set *, const struct skl_data_config *, const char *, bool, struct skl_dataset *,
                      struct skl_err *);
int skl_synthetic_open(const struct skl_set *, const struct skl_data_config *, const char *, bool, struct skl_dataset *,
                       struct skl_err *);
int skl_folder_open(const struct skl_set *, const struct skl_data_config *, const char *, bool, struct skl_dataset *,
                    struct skl_err *);

int skl_synthetic_check(const struct skl_data_config *cfg, struct skl_err *err); /* the ranges of data.synthetic */

/* Images and labels from a pair of IDX files, 28x28 padded with 0 to 32x32 in the middle.  Both are read through and
 * checked before memory is taken for images. */
int skl_idx_read(const char *images, const char *labels, int classes, struct skl_images *out, struct skl_err *err);
/* Exactly `records` records of one CIFAR file into pixels [records, 32, 32, 3] and labels.  label_bytes 1: label below
 * 10; 2: coarse label below 20, then the fine one, below 100, which is kept.  sha256: the expected one, or NULL. */
int skl_cifar_read(const char *path, int records, int label_bytes, const char *sha256, uint8_t *pixels, int32_t *labels,
                   struct skl_err *err);

/* A regular file read front to back, gunzipped (all members) if it starts like a gzip file.  Nothing is inflated before
 * it is asked for, so a reader that knows how much it wants cannot be flooded. */
struct skl_stream {
    char *path;
    int fd;
    bool gzip, ended;
    int64_t file_bytes;
    z_stream z;
    uint8_t *input;
};
int skl_stream_open(struct skl_stream *s, const char *path, struct skl_err *err);
/* *got < n only at the end. */
int skl_stream_read(struct skl_stream *s, void *to, size_t n, size_t *got, struct skl_err *err);
/* SKL_DATA unless all was read; checks the CRC.  Zeros behind the data are padding, up to 64 KiB of them. */
int skl_stream_end(struct skl_stream *s, struct skl_err *err);
void skl_stream_close(struct skl_stream *s);
int skl_open_regular(const char *path, int64_t *bytes, struct skl_err *err); /* fd or -1; no FIFO, device, folder */

/* Takes the files of set from the .tar.gz at path into folder.  Names written are the table's, never the archive's;
 * links, devices, absolute names and '..', doubled, missing or misshapen members are SKL_DATA. */
int skl_untar(const struct skl_set *set, const char *path, const char *folder, struct skl_err *err);
/* Brings the set home: downloads with curl, or takes it from `from` (the archive; for a set without one the folder
 * with its files).  Sizes and SHA-256 are checked first; whole or absent.  *folder is malloc'd: where it lies now.
 * err must not be NULL. */
int skl_fetch(const struct skl_set *set, const char *from, char **folder, struct skl_err *err);
#endif
