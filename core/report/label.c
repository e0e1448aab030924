#include "core/report/label.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/grow.h"

/* The papers' signs. */
static const struct {
    const char *key, *sign;
} signs[] = {{"gate_bias", "b_g"}};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *skl_label_plain(const char *path, size_t n)
{
    char *out = skl_alloc(2 * n + 1), *o = out;
    bool settings = false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)path[i];
        if (c == '%' && i + 2 < n && hex_digit(path[i + 1]) >= 0 && hex_digit(path[i + 2]) >= 0) {
            c = (unsigned char)(hex_digit(path[i + 1]) * 16 + hex_digit(path[i + 2]));
            i += 2;
        } else if (c == '/' || (c == ',' && settings)) {
            settings = true;
            *o++ = ',';
            c = ' ';
        }
        *o++ = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    *o = 0;
    return out;
}

/* A key may have parts of its path before it: shortcut.gate_bias. */
static const char *sign_of(const char *key)
{
    const char *dot = strrchr(key, '.'), *last = dot ? dot + 1 : key;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (!strcmp(last, signs[i].key)) return signs[i].sign;
    return NULL;
}

char *skl_label_key(const char *key)
{
    const char *sign = sign_of(key);
    char *words = skl_strdup(sign ? sign : key);
    for (char *p = words; *p && !sign; p++)
        if (*p == '_') *p = ' ';
    return words;
}

/* "k=v" of n bytes; what has no '=' stays as it is. */
static void put_setting(FILE *out, const char *text, size_t n)
{
    char *plain = skl_label_plain(text, n), *value = strchr(plain, '=');
    if (value) {
        *value++ = 0;
        char *key = skl_label_key(plain);
        bool negative = *value == '-' && strchr("0123456789.", value[1]) && value[1];
        fprintf(out, ", %s%s%s%s", key, sign_of(plain) ? " = " : " ", negative ? "−" : "", value + negative);
        free(key);
    } else {
        fprintf(out, ", %s", plain);
    }
    free(plain);
}

char *skl_label_as(const char *variant, const char *path)
{
    size_t n = strcspn(path, "/");
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs(variant, out);
    for (path += n; *path; path += n) {
        n = strcspn(++path, "/,");
        if (n) put_setting(out, path, n);
    }
    return skl_text_close(&t);
}

char *skl_label(const char *path)
{
    char *variant = skl_label_plain(path, strcspn(path, "/")), *label = skl_label_as(variant, path);
    free(variant);
    return label;
}
