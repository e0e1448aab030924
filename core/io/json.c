#include "core/io/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/say.h"

#define DIGITS_SHOWN JSON_REAL_PRECISION(9)
#define IN_FILES (DIGITS_SHOWN | JSON_INDENT(1) | JSON_SORT_KEYS)
#define TAIL_BEFORE ",\n \"seal\": \""
#define TAIL_AFTER "\"\n}\n"
enum { DIGITS = 64 };

/* ---- the seal ---- */

char *skl_json_seal(json_t *object)
{
    SKL_CHECK(!json_object_set_new(object, "sealed", json_true()));
    json_object_del(object, "seal"); /* of what was read from a sealed file */
    char *body = json_dumps(object, IN_FILES), hex[DIGITS + 1];
    if (!body) skl_out_of_memory(0);
    const size_t n = strlen(body) - 2; /* without the last "\n}" */
    skl_sha256_hex(body, n, hex);
    char *text = skl_format("%.*s" TAIL_BEFORE "%s" TAIL_AFTER, (int)n, body, hex);
    free(body);
    return text;
}

enum skl_seal skl_json_seal_of(const json_t *root, const char *text, size_t n)
{
    const size_t before = sizeof TAIL_BEFORE - 1, after = sizeof TAIL_AFTER - 1, tail = before + DIGITS + after;
    if (!json_object_get(root, "sealed") && !json_object_get(root, "seal")) return SKL_UNSEALED;
    if (n < tail) return SKL_SEAL_BROKEN;
    const char *at = text + n - tail;
    char hex[DIGITS + 1];
    if (memcmp(at, TAIL_BEFORE, before) || memcmp(at + before + DIGITS, TAIL_AFTER, after)) return SKL_SEAL_BROKEN;
    skl_sha256_hex(text, n - tail, hex);
    return memcmp(at + before, hex, DIGITS) ? SKL_SEAL_BROKEN : SKL_SEALED;
}

/* ---- reading ---- */

struct skl_json_size skl_json_measure(const char *text, size_t n)
{
    struct skl_json_size size = {0};
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > size.depth) size.depth = depth;
            size.opened++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == ',') {
            size.commas++;
        }
    }
    return size;
}

int skl_json_parse(const char *name, const char *text, size_t n, size_t values, json_t **object, struct skl_err *err)
{
    const struct skl_json_size size = skl_json_measure(text, n);
    json_error_t why;
    *object = NULL;
    if (size.opened + size.commas > values)
        return skl_fail(err, SKL_DATA, "%s: more than %zu values: not a file of skiplab's", name, values);
    json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!json) return skl_fail(err, SKL_DATA, "%s:%d:%d: %s", name, why.line, why.column, why.text);
    if (json_is_object(json)) {
        *object = json;
        return SKL_OK;
    }
    json_decref(json);
    return skl_fail(err, SKL_DATA, "%s:1:1: not a JSON object", name);
}

int skl_json_read(const char *path, size_t bytes, size_t values, json_t **object, enum skl_seal *seal,
                  struct skl_err *err)
{
    char *text;
    size_t n;
    *object = NULL;
    int status = skl_file_read(path, bytes, &text, &n, err);
    if (status) return status;
    status = skl_json_parse(path, text, n, values, object, err);
    if (!status && seal) *seal = skl_json_seal_of(*object, text, n);
    free(text);
    return status;
}

/* ---- writing ---- */

json_t *skl_json_real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static char *lines_of(json_t *value, size_t flags)
{
    SKL_CHECK(value); /* json_pack() gives none for a number that is not finite */
    char *text = json_dumps(value, flags);
    if (!text) skl_out_of_memory(0);
    json_decref(value);
    return skl_append(text, "\n");
}

char *skl_json_sorted(json_t *value) { return lines_of(value, IN_FILES); }

void skl_json_print(json_t *value)
{
    char *lines = lines_of(value, DIGITS_SHOWN | JSON_INDENT(2));
    skl_print_raw(lines);
    free(lines);
}

json_t *skl_json_text(const char *text)
{
    json_t *value = json_string(text);
    if (value) return value;
    char *visible = skl_visible(text);
    value = json_string(visible);
    free(visible);
    return value;
}
