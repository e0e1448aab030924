#include "core/base/say.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/grow.h"

/* ---- characters ---- */

int skl_utf8_length(const char *s, unsigned *code)
{
    const unsigned char *u = (const unsigned char *)s;
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    int n = u[0] < 0x80 ? 1 : u[0] >= 0xf0 && u[0] < 0xf8 ? 4 : u[0] >= 0xe0 ? 3 : u[0] >= 0xc2 ? 2 : 0;
    if (n == 0 || u[0] >= 0xf8) return 0;
    *code = n == 1 ? u[0] : u[0] & (0xffu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80) return 0;
        *code = *code << 6 | (u[i] & 0x3fu);
    }
    return *code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ? 0 : n;
}

const char *skl_utf8_next(const char *s)
{
    unsigned code;
    const int n = skl_utf8_length(s, &code);
    return s + (n ? n : 1);
}

bool skl_printable(unsigned code)
{
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
    if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) || code == 0x61c) return false;
    return !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff;
}

static void put_escape(FILE *out, unsigned code, bool byte)
{
    if (code == '\n' || code == '\t' || code == '\r')
        fprintf(out, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
    else
        fprintf(out, byte || code < 0x80 ? "\\x%02x" : "\\u%04x", code);
}

/* The first n bytes of text, made visible; returns the number of characters written. */
static int put_visible(FILE *out, const char *text, size_t n)
{
    long before = ftell(out);
    int hidden = 0; /* bytes that stand in no column of their own */
    for (const char *end = text + n; text < end;) {
        unsigned code = 0;
        int bytes = skl_utf8_length(text, &code);
        if (bytes > 0 && skl_printable(code)) {
            fwrite(text, 1, (size_t)bytes, out);
            hidden += bytes - 1;
        } else {
            put_escape(out, bytes ? code : (unsigned char)*text, !bytes);
        }
        text += bytes ? bytes : 1;
    }
    return (int)(ftell(out) - before) - hidden;
}

char *skl_visible(const char *text)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    put_visible(out, text, strlen(text));
    return skl_text_close(&t);
}

/* ---- formats ---- */

struct conversion {
    char spec[64]; /* all of it, * replaced by its number */
    char kind, length;
    bool left;
    int width, precision; /* -1: none */
};

static int read_number(const char **p, va_list *args, int none)
{
    if (**p == '*') {
        ++*p;
        return va_arg(*args, int);
    }
    int n = none;
    for (; **p >= '0' && **p <= '9'; ++*p) n = (n < 0 ? 0 : n) * 10 + (**p - '0');
    return n;
}

/* p stands behind the %; returns what follows the conversion. */
static const char *read_conversion(const char *p, va_list *args, struct conversion *c)
{
    char flags[8] = "";
    int n = 0;
    *c = (struct conversion){.precision = -1};
    for (; *p && strchr("-+ #0'", *p) && n < 7; p++) flags[n++] = *p;
    c->width = read_number(&p, args, 0);
    if (c->width < 0 && n < 7) flags[n++] = '-';
    c->width = abs(c->width);
    c->left = strchr(flags, '-') != NULL;
    if (*p == '.') {
        p++;
        c->precision = read_number(&p, args, 0);
    }
    const char *length = p;
    p += strspn(p, "hlqjzt");
    c->length = p - length == 2 && *length == 'l' ? 'q' : p > length ? *length : 0;
    c->kind = *p;
    SKL_CHECK(*p && strchr("diouxXeEfFgGaAcsp", *p));
    char width[16] = "", precision[16] = "";
    if (c->width) snprintf(width, sizeof width, "%d", c->width);
    if (c->precision >= 0) snprintf(precision, sizeof precision, ".%d", c->precision);
    snprintf(c->spec, sizeof c->spec, "%%%s%s%s%.*s%c", flags, width, precision, (int)(p - length), length, *p);
    return p + 1;
}

static void put_integer(FILE *out, const struct conversion *c, va_list *args)
{
    switch (c->length) {
    case 'l':
        fprintf(out, c->spec, va_arg(*args, long));
        break;
    case 'q':
        fprintf(out, c->spec, va_arg(*args, long long));
        break;
    case 'j':
        fprintf(out, c->spec, va_arg(*args, intmax_t));
        break;
    case 'z':
    case 't':
        fprintf(out, c->spec, va_arg(*args, size_t));
        break;
    default:
        fprintf(out, c->spec, va_arg(*args, int));
    }
}

static void put_text(FILE *out, const struct conversion *c, const char *text)
{
    size_t n = c->precision >= 0 ? strnlen(text, (size_t)c->precision) : strlen(text);
    unsigned code;
    for (int back = 1; text[n] && back < 4 && n >= (size_t)back; back++) /* no character is cut in two */
        if (skl_utf8_length(text + n - back, &code) > back) n -= (size_t)back;
    struct skl_text t;
    FILE *line = skl_text_open(&t);
    int columns = put_visible(line, text, n);
    skl_text_close(&t);
    int blanks = c->width > columns ? c->width - columns : 0;
    fprintf(out, "%*s%s%*s", c->left ? 0 : blanks, "", t.text, c->left ? blanks : 0, "");
    free(t.text);
}

static void put_formatted(FILE *out, const char *fmt, va_list *args)
{
    while (*fmt) {
        size_t n = strcspn(fmt, "%");
        fwrite(fmt, 1, n, out);
        fmt += n;
        if (!*fmt) return;
        if (fmt[1] == '%') {
            fputc('%', out);
            fmt += 2;
            continue;
        }
        struct conversion c;
        fmt = read_conversion(fmt + 1, args, &c);
        if (c.kind == 's')
            put_text(out, &c, va_arg(*args, const char *));
        else if (c.kind == 'c')
            put_text(out, &c, (char[]){(char)va_arg(*args, int), 0});
        else if (c.kind == 'p')
            fprintf(out, c.spec, va_arg(*args, void *));
        else if (strchr("eEfFgGaA", c.kind))
            fprintf(out, c.spec, va_arg(*args, double));
        else
            put_integer(out, &c, args);
    }
}

char *skl_vformat_visible(const char *fmt, va_list args)
{
    va_list copy;
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    va_copy(copy, args); /* an array type in some ABIs: &args would not be a va_list * */
    put_formatted(out, fmt, &copy);
    va_end(copy);
    return skl_text_close(&t);
}

/* ---- printing ---- */

void skl_vprint_to(FILE *out, const char *fmt, va_list args)
{
    char *text = skl_vformat_visible(fmt, args);
    fputs(text, out); /* in one piece: lines of several processes do not mix */
    free(text);
}

void skl_print(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    skl_vprint_to(stdout, fmt, args);
    va_end(args);
}

void skl_say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    skl_vprint_to(stderr, fmt, args);
    va_end(args);
}

void skl_print_raw(const char *text) { fputs(text, stdout); }

void skl_print_flush(void) { fflush(stdout); }
