#include "core/base/grow.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

static void *resized(void *p, size_t bytes)
{
    p = realloc(p, bytes);
    if (!p) skl_out_of_memory(bytes);
    return p;
}

/* ---- texts ---- */

/* Not open_memstream(): where its memory runs out, glibc's cuts the text and neither ferror() nor fclose() tells. */
static ssize_t put(void *cookie, const char *data, size_t n)
{
    struct skl_text *t = cookie;
    if (n >= t->room - t->n) t->text = resized(t->text, t->room = 2 * t->room + n); /* a byte is left for the 0 */
    memcpy(t->text + t->n, data, n);
    t->n += n;
    return (ssize_t)n;
}

static int tell(void *cookie, off64_t *offset, int whence)
{
    if (*offset != 0 || whence != SEEK_CUR) return -1;
    *offset = (off64_t)((struct skl_text *)cookie)->n;
    return 0;
}

FILE *skl_text_open(struct skl_text *t)
{
    *t = (struct skl_text){.room = 256};
    t->text = resized(NULL, t->room);
    t->out = fopencookie(t, "w", (cookie_io_functions_t){.write = put, .seek = tell});
    if (!t->out) skl_out_of_memory(0);
    return t->out;
}

char *skl_text_close(struct skl_text *t)
{
    SKL_CHECK(fclose(t->out) == 0);
    t->text[t->n] = 0;
    t->out = NULL;
    return t->text;
}

char *skl_append(char *text, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *more = skl_vformat(fmt, args);
    va_end(args);
    if (!text) return more;
    const size_t n = strlen(text), added = strlen(more) + 1;
    text = resized(text, n + added);
    memcpy(text + n, more, added);
    free(more);
    return text;
}

/* ---- arrays ---- */

/* An array is full where its count is 0 or a power of two; then its room is doubled. */
void *skl_grow(void *array, size_t count, size_t size)
{
    if (count & (count - 1)) return memset((char *)array + count * size, 0, size), array;
    size_t bytes;
    if (__builtin_mul_overflow(count ? 2 * count : 1, size, &bytes)) skl_out_of_memory(SIZE_MAX);
    char *longer = resized(array, bytes);
    memset(longer + count * size, 0, bytes - count * size);
    return longer;
}
