/* yaml.h - a bounded YAML reader on libyaml that keeps line and column.
 * Refused with SKL_USAGE and file:line:column: anchors, aliases, tags, merge keys, several documents, doubled keys,
 * depth over 32, more than 50000 values, files over 1 MiB, an empty file, NUL bytes, invalid UTF-8, non-scalar or
 * empty keys.  A value that is left out (`key:`) is a scalar with the text "". */
#ifndef SKL_YAML_H
#define SKL_YAML_H
#include <stdbool.h>
#include <stddef.h>
#include "core/base/err.h"

enum skl_ykind { SKL_YSCALAR, SKL_YLIST, SKL_YMAP };
struct skl_ynode {
    enum skl_ykind kind;
    char *key;   /* in a map: this entry's key */
    char *text;  /* scalar: its text */
    bool quoted; /* scalar: 'x' or "x", always a string then */
    const char *file;
    int line, column;               /* from 1; of the key where there is one; file is borrowed */
    int value_line, value_column;   /* of the value */
    struct skl_ynode *child, *next; /* list items and map entries, in file order */
};
int skl_yaml_read(const char *path, struct skl_ynode **root, struct skl_err *err); /* absent: SKL_USAGE naming it */
int skl_yaml_parse(const char *name, const char *text, size_t n, struct skl_ynode **root, struct skl_err *err);
void skl_yaml_free(struct skl_ynode *node);                    /* the node, its children; not its siblings */
struct skl_ynode *skl_yaml_copy(const struct skl_ynode *node); /* deep, without siblings */
struct skl_ynode *skl_yaml_get(const struct skl_ynode *map, const char *key); /* NULL: absent */
/* An error at a node: "file:line:column: ..." (of the key, or of the value with at_value). */
int skl_yaml_fail(const struct skl_ynode *node, bool at_value, struct skl_err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Scalars as values; 0 if the text is one, else nonzero (no message). Numbers: decimal, finite, whole text, C
 * locale. */
int skl_yaml_bool(const struct skl_ynode *node, bool *v); /* true false */
int skl_yaml_int(const struct skl_ynode *node, long long *v);
int skl_yaml_real(const struct skl_ynode *node, double *v);
/* yaml_quote.c: text as a scalar, plain where that is safe, else in double quotes; quoted in any case.  malloc'd. */
char *skl_yaml_quote(const char *text);
char *skl_yaml_quoted(const char *text);
#endif
