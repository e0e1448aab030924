/* A text as a YAML scalar. */
#include <stdio.h>
#include <string.h>
#include "core/base/grow.h"
#include "core/io/yaml.h"

static bool is_plain(const char *text)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/+-%";
    if (!*text || strspn(text, safe) != strlen(text)) return false;
    const char *number = text + (text[0] == '-' || text[0] == '+');
    number += *number == '.';
    return !strchr("%+-.", text[0]) || (*number >= '0' && *number <= '9');
}

/* One character of a text in double quotes; characters that YAML would read otherwise are escaped.  Returns its
 * length. */
static size_t put_quoted(FILE *out, const unsigned char *p)
{
    if (*p == '"' || *p == '\\') return (size_t)(fprintf(out, "\\%c", *p) > 0);
    if (*p == '\n') return (size_t)(fputs("\\n", out) >= 0);
    if (*p < 0x20 || *p == 0x7f) return (size_t)(fprintf(out, "\\x%02X", *p) > 0);
    if (p[0] == 0xc2 && p[1] < 0xa0) return fprintf(out, "\\x%02X", p[1]), 2; /* C1 controls, NEL */
    if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
        return fprintf(out, "\\u20%02X", p[2] - 0x80), 3;
    if (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) return fputs("\\uFEFF", out), 3;
    if (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe) return fprintf(out, "\\uFF%02X", p[2] + 0x40), 3;
    fputc(*p, out);
    return 1;
}

char *skl_yaml_quoted(const char *text)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p;) p += put_quoted(out, p);
    fputc('"', out);
    return skl_text_close(&t);
}

char *skl_yaml_quote(const char *text) { return is_plain(text) ? skl_strdup(text) : skl_yaml_quoted(text); }
