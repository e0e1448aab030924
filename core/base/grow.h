/* grow.h - texts and arrays that grow.
 * Want of memory for them ends the process with one line, as in skl_alloc() (err.h): no caller asks. */
#ifndef SKL_GROW_H
#define SKL_GROW_H
#include <stddef.h>
#include <stdio.h>

/* A text that is written like a file:
 *     struct skl_text t;
 *     FILE *out = skl_text_open(&t);
 *     fprintf(out, ...);
 *     return skl_text_close(&t);
 * The text is malloc'd and ends with a 0 byte; t.n: its bytes. */
struct skl_text {
    FILE *out;
    char *text; /* whole from skl_text_close() on, as is n */
    size_t n, room;
};
FILE *skl_text_open(struct skl_text *t); /* ftell() tells the bytes so far */
char *skl_text_close(struct skl_text *t);

/* `text` (malloc'd or NULL; freed) with what the format makes at its end; malloc'd. */
char *skl_append(char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for one more behind the `count` elements of an array that has grown by this function alone (NULL: none yet),
 * zeroed; malloc'd. */
void *skl_grow(void *array, size_t count, size_t size);
/* A pointer to one more element, zeroed, at the end of a list and its count. */
#define SKL_ADD(list, count) ((list) = skl_grow((list), (size_t)(count), sizeof *(list)), &(list)[(count)++])
#endif
