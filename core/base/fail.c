/* Messages; err.c, which stands below say.c, has the rest of err.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/say.h"

int skl_fail(struct skl_err *err, int status, const char *fmt, ...)
{
    if (!err) return status;
    va_list args;
    va_start(args, fmt);
    char *text = skl_vformat_visible(fmt, args); /* not into err->text at once: the arguments may point into it */
    va_end(args);
    size_t n = strlen(text), room = sizeof err->text - 1;
    if (n > room) {
        for (n = room - 3; ((unsigned char)text[n] & 0xc0) == 0x80;) n--; /* no character is cut in two */
        memcpy(text + n, "...", 4);
    }
    memcpy(err->text, text, strlen(text) + 1);
    free(text);
    err->advice[0] = 0;
    err->status = status;
    err->error = 0;
    return status;
}

int skl_because(struct skl_err *err, int status, int error)
{
    if (err) err->error = error;
    return status;
}

void skl_advise(struct skl_err *err, const char *advice)
{
    if (err) snprintf(err->advice, sizeof err->advice, "%s", advice);
}

int skl_context(struct skl_err *err, const char *fmt, ...)
{
    if (!err) return SKL_FAILED;
    char where[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(where, sizeof where, fmt, args);
    va_end(args);
    int error = err->error;
    return skl_because(err, skl_fail(err, err->status, "%s: %s", where, err->text), error);
}
