#include "core/report/text.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/say.h"
#include "core/report/fonts.h"

void skl_gnuplot_text(FILE *out, const char *text)
{
    fputc('\'', out);
    while (*text) {
        unsigned code;
        int n = skl_utf8_length(text, &code);
        if (*text == '\'')
            fputs("'.\"'\".'", out); /* gnuplot misreads '' at a string's start and after another '' */
        else if (n == 0 || !skl_printable(code) || !skl_font_has(code))
            fputc('?', out);
        else
            fwrite(text, 1, (size_t)n, out);
        text += n ? n : 1;
    }
    fputc('\'', out);
}

char *skl_text_clean(const char *text)
{
    char *clean = skl_alloc(text ? strlen(text) + 1 : 1), *o = clean;
    for (; text && *text;) {
        unsigned code;
        int n = skl_utf8_length(text, &code);
        if (n == 0 || !skl_printable(code))
            *o++ = '?';
        else
            o = mempcpy(o, text, (size_t)n);
        text += n ? n : 1;
    }
    return clean;
}

/* Advances of the characters from ' ' to '~' in DejaVu Sans, a wide sans-serif and the usual substitute. */
static const unsigned char advance[95] = {32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36,  32, 34, 64, 64, 64,
                                          64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63,
                                          58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63,  61, 73, 68, 99, 69,
                                          61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35,  63, 63, 28, 28, 58,
                                          28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59,  52, 64, 34, 64, 84};
enum { WIDEST = 100 }; /* of anything else, "…" and Chinese characters among them */

static int width_here(const char *text)
{
    unsigned code = 0;
    return skl_utf8_length(text, &code) == 1 && code >= ' ' && code <= '~' ? advance[code - ' '] : WIDEST;
}

int skl_text_width(const char *text)
{
    int width = 0;
    for (; *text; text = skl_utf8_next(text)) width += width_here(text);
    return width;
}

/* The end of the longest beginning that is at most `width` wide. */
static const char *head_end(const char *text, int width)
{
    while (*text && width_here(text) <= width) {
        width -= width_here(text);
        text = skl_utf8_next(text);
    }
    return text;
}

/* The start of the longest end that is at most `width` wide; a width below 0 has room for nothing. */
static const char *tail_start(const char *text, int width)
{
    for (int rest = skl_text_width(text); *text && rest > width; text = skl_utf8_next(text)) rest -= width_here(text);
    return text;
}

char *skl_text_fit(const char *text, int width)
{
    if (skl_text_width(text) <= width) return skl_strdup(text);
    int half = width > WIDEST ? (width - WIDEST) / 2 : 0;
    return skl_format("%.*s…%s", (int)(head_end(text, half) - text), text, tail_start(text, half));
}

/* Where the second line starts: after the last space or comma that leaves both short enough, else where the first
 * line is full. */
static const char *break_of(const char *text, int width)
{
    const char *full = head_end(text, width), *cut = full;
    for (const char *p = tail_start(text, width); p <= full; p = skl_utf8_next(p))
        if (p > text && (p[-1] == ' ' || p[-1] == ',')) cut = p;
    return cut;
}

char *skl_text_wrap(const char *text, int width)
{
    /* A character may not fill the first line's end: leave room for it in the second. */
    char *whole = skl_text_fit(text, 2 * width - WIDEST);
    if (skl_text_width(whole) <= width) return whole;
    const char *cut = break_of(whole, width);
    char *wrapped = skl_format("%.*s\n%s", (int)(cut - whole), whole, cut + strspn(cut, " "));
    free(whole);
    return wrapped;
}
