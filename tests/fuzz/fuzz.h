/* fuzz.h - what the fuzz targets share.  docs/hardening.md says how they are run.
 *
 * A target is one file that defines fuzz_one(): it gives the bytes to a reader and ends the process if the reader
 * breaks a promise.  `./dev fuzz` links it with libFuzzer, the tests link it with replay.c, which feeds it the files of
 * corpus/TARGET.  To add one: write the file, add a row to meson.build, put a few small inputs into the corpus. */
#ifndef SKL_FUZZ_H
#define SKL_FUZZ_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/err.h"

void fuzz_one(const uint8_t *data, size_t n);

/* A folder of this process's own in memory (/dev/shm), removed when the process ends. */
const char *fuzz_folder(void);
/* Writes FOLDER/name anew; the path is valid for ever.  At most 8 names. */
const char *fuzz_file(const char *name, const void *data, size_t n);
/* A malloc'd copy of exactly n bytes, so that a read beyond them is seen. */
char *fuzz_copy(const uint8_t *data, size_t n);
/* The same with a 0 byte at the end, as text. */
char *fuzz_text(const uint8_t *data, size_t n);

/* A reader's failure must carry a message of one line and a status that is an exit code. */
void fuzz_check_error(int status, const struct skl_err *err);

/* For what checks a reader's work: libFuzzer has nothing to learn from its branches, and following them takes long. */
#ifdef __clang__
#define FUZZ_UNTRACED __attribute__((no_sanitize("coverage")))
#else
#define FUZZ_UNTRACED
#endif

#define FUZZ_CHECK(cond) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "%s:%d: promise broken: %s\n", __FILE__, __LINE__, #cond); \
            abort(); \
        } \
    } while (0)
#endif
