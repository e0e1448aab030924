/* json.h - JSON: read within limits, written in one way, and sealed.
 *
 * A sealed file is one object whose text ends with the SHA-256 of all before it:
 *     ..., "sealed": true, ...,
 *      "seal": "<64 digits>"
 *     }
 * so that any edit of a character shows, were it in a number, a key or a blank.  It protects against accidents and
 * quiet edits, not against somebody who writes a new seal.  Files of older versions have neither key. */
#ifndef SKL_JSON_H
#define SKL_JSON_H
#include <jansson.h>
#include "core/base/err.h"

enum skl_seal {
    SKL_UNSEALED, /* of an older version */
    SKL_SEALED,
    SKL_SEAL_BROKEN /* edited since it was written */
};
/* The file's text as it is to be written, keys sorted; malloc'd.  Puts "sealed" into the object, takes an earlier seal
 * out. */
char *skl_json_seal(json_t *object);
enum skl_seal skl_json_seal_of(const json_t *root, const char *text, size_t n);

/* Reads an object of at most `values` values.  SKL_DATA: too large, no JSON, another kind of value; the message names
 * the file, and line and column where they are known.  seal may be NULL. */
int skl_json_read(const char *path, size_t bytes, size_t values, json_t **object, enum skl_seal *seal,
                  struct skl_err *err);
int skl_json_parse(const char *name, const char *text, size_t n, size_t values, json_t **object, struct skl_err *err);

/* A number; null where it is not finite. */
json_t *skl_json_real(double value);
/* As all JSON of skiplab's is written that has no seal: nine digits, one line feed at the end.  Both take the value,
 * which must be one. */
char *skl_json_sorted(json_t *value); /* a file's text, keys sorted; malloc'd */
void skl_json_print(json_t *value);   /* a command's answer to standard output, keys in the order they were put */

/* A string; bytes that are no UTF-8 are made visible, as on a terminal (say.h). */
json_t *skl_json_text(const char *text);

/* What a text would make jansson allocate, told without it. */
struct skl_json_size {
    size_t depth, opened, commas; /* levels; objects and arrays; commas outside of strings */
};
struct skl_json_size skl_json_measure(const char *text, size_t n);
#endif
