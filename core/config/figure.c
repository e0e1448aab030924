#include "core/config/figure.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/say.h"

enum { LEAST_POINTS = 5, MOST_POINTS = 24 };

const char *const skl_figure_metrics[] = {"train_loss",      "train_error",      "test_loss", "test_error",
                                          "validation_loss", "validation_error", NULL};
const char *const skl_figure_widths[] = {"3.4in", "6.6in", "slide", NULL};
const char *const skl_figure_legends[] = {"below",        "top-left", "top-right", "bottom-left",
                                          "bottom-right", "none",     NULL};

int skl_figure_find(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], word)) return i;
    return -1;
}

/* ---- ranges ---- */

/* One side of A:B; an empty one keeps *v. */
static bool read_bound(const char *text, size_t n, double *v)
{
    char copy[32], *end;
    if (n == 0) return true;
    if (n >= sizeof copy) return false;
    memcpy(copy, text, n);
    copy[n] = 0;
    if (strspn(copy, "0123456789.eE+-") != n) return false;
    *v = strtod(copy, &end);
    return *end == 0 && *v >= 0 && *v <= 1e15;
}

static bool read_range(const char *text, double *min, double *max)
{
    const char *colon = strchr(text, ':');
    *min = *max = 0;
    return colon && read_bound(text, (size_t)(colon - text), min) && read_bound(colon + 1, strlen(colon + 1), max);
}

bool skl_figure_iterations(const char *text, double *min, double *max)
{
    return read_range(text, min, max) && strlen(text) > 1 && (*max == 0 ? text[strlen(text) - 1] == ':' : *max > *min);
}

bool skl_figure_values(const char *text, double *min, double *max) { return read_range(text, min, max) && *max > *min; }

/* ---- fonts ---- */

static bool may_stand_in_a_name(unsigned code)
{
    const bool letter = (code | 32) >= 'a' && (code | 32) <= 'z', digit = code >= '0' && code <= '9';
    return letter || digit || (code < 128 ? code && strchr(" +-.", (int)code) : skl_printable(code));
}

bool skl_figure_font(const char *text, char name[SKL_FONT_NAME_MAX], double *points)
{
    const size_t n = strcspn(text, ",");
    *points = 0;
    if (!*text || n >= SKL_FONT_NAME_MAX || (n && (text[0] == ' ' || text[n - 1] == ' '))) return false;
    memcpy(name, text, n);
    name[n] = 0;
    for (const char *p = name; *p;) {
        unsigned code;
        const int length = skl_utf8_length(p, &code);
        if (length == 0 || !may_stand_in_a_name(code)) return false;
        p += length;
    }
    if (!text[n]) return true;
    const char *size = text + n + 1;
    return *size && read_bound(size, strlen(size), points) && *points >= LEAST_POINTS && *points <= MOST_POINTS;
}
