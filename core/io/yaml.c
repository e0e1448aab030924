/* Reader: libyaml's events, one recursive function a kind of node.  The depth is checked as the events come, which
 * also keeps libyaml 0.2.5, quadratic in the depth of brackets, from ever going deep. */
#include "core/io/yaml.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "core/base/fs.h"
#include "core/base/bounds.h"

#define MAX_DEPTH 32
#define MAX_NODES 50000 /* bounds the memory a file of 1 MiB can ask for */

struct reader {
    yaml_parser_t parser;
    const char *name, *text;
    size_t n;
    int nodes;
    struct skl_err *err;
};

static struct skl_ynode *read_node(struct reader *r, const yaml_event_t *event, int depth);

static int fail_at(struct reader *r, yaml_mark_t mark, const char *what)
{
    return skl_fail(r->err, SKL_USAGE, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1, what);
}

/* The byte at a mark, which counts characters; 0 at the end. */
static char byte_at(const struct reader *r, yaml_mark_t mark)
{
    size_t offset = 0;
    for (size_t index = 0; index < mark.index && offset < r->n; index++) do
            offset++;
        while (offset < r->n && ((unsigned char)r->text[offset] & 0xc0) == 0x80);
    return offset < r->n ? r->text[offset] : 0;
}

static void fail_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "not YAML";
    if (p->error == YAML_MEMORY_ERROR) {
        skl_fail(r->err, SKL_FAILED, "%s: out of memory", r->name);
        return;
    }
    if (byte_at(r, p->problem_mark) == '\t') {
        fail_at(r, p->problem_mark, "a tab: indent with spaces");
        return;
    }
    char where[200] = ""; /* an unclosed quote or bracket shows at the end only: say where it begins */
    if (p->context && p->context_mark.index < p->problem_mark.index)
        snprintf(where, sizeof where, ", %s that begins at %zu:%zu", p->context, p->context_mark.line + 1,
                 p->context_mark.column + 1);
    skl_fail(r->err, SKL_USAGE, "%s:%zu:%zu: %s%s", r->name, p->problem_mark.line + 1, p->problem_mark.column + 1,
             problem, where);
}

/* 0: event is the next one, to be deleted by the caller. */
static int next_event(struct reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event)) return 0;
    fail_syntax(r);
    return -1;
}

static const char *forbidden(const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_ALIAS_EVENT) return "aliases (*name) are not supported: repeat the value";
    if (e->type == YAML_SCALAR_EVENT) anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
    if (e->type == YAML_SEQUENCE_START_EVENT) anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
    if (e->type == YAML_MAPPING_START_EVENT) anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
    if (anchor) return "anchors (&name) are not supported: repeat the value";
    if (tag) return "tags (!name) are not supported: remove it, or quote the text";
    return NULL;
}

static struct skl_ynode *new_node(struct reader *r, const yaml_event_t *event, enum skl_ykind kind)
{
    struct skl_ynode *node = skl_alloc(sizeof *node);
    node->kind = kind;
    node->file = r->name;
    node->line = node->value_line = (int)event->start_mark.line + 1;
    node->column = node->value_column = (int)event->start_mark.column + 1;
    return node;
}

/* NULL after a failure: a scalar's text holds a NUL ("\0"). */
static char *scalar_text(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) == event->data.scalar.length) return skl_strdup(text);
    fail_at(r, event->start_mark, "a NUL character in a text");
    return NULL;
}

static struct skl_ynode *read_scalar(struct reader *r, const yaml_event_t *event)
{
    char *text = scalar_text(r, event);
    if (!text) return NULL;
    struct skl_ynode *node = new_node(r, event, SKL_YSCALAR);
    node->text = text;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return node;
}

static struct skl_ynode *read_list(struct reader *r, const yaml_event_t *start, int depth)
{
    struct skl_ynode *list = new_node(r, start, SKL_YLIST), **end = &list->child;
    for (;;) {
        yaml_event_t event;
        if (next_event(r, &event)) break;
        bool done = event.type == YAML_SEQUENCE_END_EVENT;
        *end = done ? NULL : read_node(r, &event, depth + 1);
        yaml_event_delete(&event);
        if (done) return list;
        if (!*end) break;
        end = &(*end)->next;
    }
    skl_yaml_free(list);
    return NULL;
}

/* The key of a map's entry, malloc'd; NULL after a failure. */
static char *read_key(struct reader *r, const yaml_event_t *event)
{
    const char *why = forbidden(event);
    if (!why && event->type != YAML_SCALAR_EVENT) why = "a key must be a plain name, not a list or map";
    if (!why && event->data.scalar.length == 0) why = "a key is missing before ':'";
    if (!why && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        strcmp((const char *)event->data.scalar.value, "<<") == 0)
        why = "merge keys (<<) are not supported: write the keys out";
    if (!why) return scalar_text(r, event);
    fail_at(r, event->start_mark, why);
    return NULL;
}

static struct skl_ynode *read_entry(struct reader *r, const yaml_event_t *key_event, int depth)
{
    char *key = read_key(r, key_event);
    if (!key) return NULL;
    yaml_event_t event;
    struct skl_ynode *node = NULL;
    if (!next_event(r, &event)) {
        node = read_node(r, &event, depth + 1);
        yaml_event_delete(&event);
    }
    if (!node) {
        free(key);
        return NULL;
    }
    node->key = key;
    node->line = (int)key_event->start_mark.line + 1;
    node->column = (int)key_event->start_mark.column + 1;
    return node;
}

static int by_key_then_place(const void *a, const void *b)
{
    const struct skl_ynode *x = *(struct skl_ynode *const *)a, *y = *(struct skl_ynode *const *)b;
    int order = strcmp(x->key, y->key);
    if (order) return order;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

static int check_doubled(struct reader *r, const struct skl_ynode *map)
{
    size_t count = 0, i = 0;
    int status = SKL_OK;
    for (const struct skl_ynode *c = map->child; c; c = c->next) count++;
    if (count < 2) return status;
    struct skl_ynode **sorted = skl_alloc_array(count, sizeof *sorted);
    for (struct skl_ynode *c = map->child; c; c = c->next) sorted[i++] = c;
    qsort(sorted, count, sizeof *sorted, by_key_then_place);
    for (i = 1; i < count && !status; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            status = skl_yaml_fail(sorted[i], false, r->err, "doubled key '%s' (first on line %d)", sorted[i]->key,
                                   sorted[i - 1]->line);
    free(sorted);
    return status;
}

static struct skl_ynode *read_map(struct reader *r, const yaml_event_t *start, int depth)
{
    struct skl_ynode *map = new_node(r, start, SKL_YMAP), **end = &map->child;
    for (;;) {
        yaml_event_t event;
        if (next_event(r, &event)) break;
        bool done = event.type == YAML_MAPPING_END_EVENT;
        *end = done ? NULL : read_entry(r, &event, depth);
        yaml_event_delete(&event);
        if (done && check_doubled(r, map)) break;
        if (done) return map;
        if (!*end) break;
        end = &(*end)->next;
    }
    skl_yaml_free(map);
    return NULL;
}

/* The node that starts with `event`; NULL after a failure. */
static struct skl_ynode *read_node(struct reader *r, const yaml_event_t *event, int depth)
{
    const char *why = forbidden(event);
    if (!why && depth > MAX_DEPTH) why = "nested deeper than 32 levels";
    if (!why && ++r->nodes > MAX_NODES) why = "more than 50000 values in one file";
    if (why) {
        fail_at(r, event->start_mark, why);
        return NULL;
    }
    if (event->type == YAML_SCALAR_EVENT) return read_scalar(r, event);
    if (event->type == YAML_SEQUENCE_START_EVENT) return read_list(r, event, depth);
    if (event->type == YAML_MAPPING_START_EVENT) return read_map(r, event, depth);
    SKL_BUG("libyaml event %d", (int)event->type);
}

/* Fetches the next event and wants it to be of this type. */
static int expect(struct reader *r, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t event;
    if (next_event(r, &event)) return -1;
    bool right = event.type == type;
    if (!right) fail_at(r, event.start_mark, otherwise);
    yaml_event_delete(&event);
    return right ? 0 : -1;
}

static struct skl_ynode *read_document(struct reader *r)
{
    yaml_event_t event;
    if (expect(r, YAML_STREAM_START_EVENT, "not YAML")) return NULL;
    if (expect(r, YAML_DOCUMENT_START_EVENT, "the file is empty")) return NULL;
    if (next_event(r, &event)) return NULL;
    struct skl_ynode *root = read_node(r, &event, 1);
    yaml_event_delete(&event);
    if (root && (expect(r, YAML_DOCUMENT_END_EVENT, "text after the document") ||
                 expect(r, YAML_STREAM_END_EVENT, "a second document ('---'): one file holds one"))) {
        skl_yaml_free(root);
        return NULL;
    }
    return root;
}

/* Length of the UTF-8 character at p (RFC 3629: no overlong forms, no surrogates), 0: invalid. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80) return 1;
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || length > left) return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
    return length;
}

/* Bytes that no YAML file of ours holds, found before libyaml, which names no line for them. */
static int check_bytes(const char *name, const char *text, size_t n, struct skl_err *err)
{
    const unsigned char *p = (const unsigned char *)text;
    if (n >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        return skl_fail(err, SKL_USAGE, "%s:1:1: the file is in UTF-16: save it as UTF-8", name);
    int line = 1, column = 1;
    for (size_t i = 0; i < n;) {
        size_t length = utf8_length(p + i, n - i);
        const char *why = NULL;
        if (length == 0) why = "invalid UTF-8: save the file as UTF-8";
        if (p[i] == 0) why = "a NUL byte: this is not a text file";
        if (p[i] == 0x7f || (p[i] < 0x20 && !strchr("\t\n\r", p[i])))
            why = why ? why : "a control character: remove it";
        if (why) return skl_fail(err, SKL_USAGE, "%s:%d:%d: %s", name, line, column, why);
        bool line_end = p[i] == '\n' || (p[i] == '\r' && !(i + 1 < n && p[i + 1] == '\n'));
        column = line_end ? 1 : column + 1;
        line += line_end;
        i += length;
    }
    return SKL_OK;
}

int skl_yaml_parse(const char *name, const char *text, size_t n, struct skl_ynode **root, struct skl_err *err)
{
    *root = NULL;
    if (n > SKL_LIMIT_CONFIG) return skl_fail(err, SKL_USAGE, "%s: larger than 1 MiB", name);
    int status = check_bytes(name, text, n, err);
    if (status) return status;
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, n -= 3; /* a UTF-8 byte order mark */
    struct skl_err own = {.status = SKL_USAGE};
    struct reader r = {.name = name, .text = text, .n = n, .err = err ? err : &own};
    if (!yaml_parser_initialize(&r.parser)) return skl_fail(err, SKL_FAILED, "%s: out of memory", name);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    *root = read_document(&r);
    yaml_parser_delete(&r.parser);
    return *root ? SKL_OK : r.err->status;
}

int skl_yaml_read(const char *path, struct skl_ynode **root, struct skl_err *err)
{
    char *text;
    size_t n;
    *root = NULL;
    if (skl_file_read(path, SKL_LIMIT_CONFIG, &text, &n, err)) {
        if (err) err->status = SKL_USAGE;
        return SKL_USAGE;
    }
    int status = skl_yaml_parse(path, text, n, root, err);
    free(text);
    return status;
}

void skl_yaml_free(struct skl_ynode *node)
{
    if (!node) return;
    for (struct skl_ynode *child = node->child, *next; child; child = next) {
        next = child->next;
        skl_yaml_free(child);
    }
    free(node->key);
    free(node->text);
    free(node);
}

struct skl_ynode *skl_yaml_copy(const struct skl_ynode *node)
{
    struct skl_ynode *copy = skl_alloc(sizeof *copy), **end = &copy->child;
    *copy = *node;
    copy->child = copy->next = NULL;
    if (node->key) copy->key = skl_strdup(node->key);
    if (node->text) copy->text = skl_strdup(node->text);
    for (const struct skl_ynode *child = node->child; child; child = child->next, end = &(*end)->next)
        *end = skl_yaml_copy(child);
    return copy;
}

struct skl_ynode *skl_yaml_get(const struct skl_ynode *map, const char *key)
{
    if (!map || map->kind != SKL_YMAP) return NULL;
    for (struct skl_ynode *child = map->child; child; child = child->next)
        if (child->key && strcmp(child->key, key) == 0) return child;
    return NULL;
}

int skl_yaml_fail(const struct skl_ynode *node, bool at_value, struct skl_err *err, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return skl_fail(err, SKL_USAGE, "%s:%d:%d: %s", node->file, at_value ? node->value_line : node->line,
                    at_value ? node->value_column : node->column, text);
}

static bool is_plain(const struct skl_ynode *node) { return node->kind == SKL_YSCALAR && !node->quoted; }

int skl_yaml_bool(const struct skl_ynode *node, bool *v)
{
    if (!is_plain(node)) return -1;
    *v = strcmp(node->text, "true") == 0;
    return *v || strcmp(node->text, "false") == 0 ? 0 : -1;
}

static size_t digits(const char *s) { return strspn(s, "0123456789"); }

/* Length of an integer at the start of s, 0: none.  No leading zeros: 010 is 8 to some readers, 10 to others. */
static size_t integer_length(const char *s)
{
    size_t sign = *s == '-' || *s == '+', n = digits(s + sign);
    return n == 0 || (n > 1 && s[sign] == '0') ? 0 : sign + n;
}

int skl_yaml_int(const struct skl_ynode *node, long long *v)
{
    if (!is_plain(node)) return -1;
    size_t n = integer_length(node->text);
    if (n == 0 || node->text[n]) return -1;
    errno = 0;
    long long value = strtoll(node->text, NULL, 10);
    if (errno) return -1;
    *v = value;
    return 0;
}

/* [sign] integer [. [digits]] or [sign] . digits, then [e [sign] digits] */
static bool is_decimal(const char *s)
{
    size_t sign = *s == '-' || *s == '+', n = integer_length(s);
    const char *p = s + (n ? n : sign);
    if (*p == '.') {
        size_t fraction = digits(++p);
        if (n == 0 && fraction == 0) return false;
        p += fraction;
    } else if (n == 0) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p += p[1] == '-' || p[1] == '+' ? 2 : 1;
        size_t exponent = digits(p);
        if (exponent == 0) return false;
        p += exponent;
    }
    return *p == 0;
}

int skl_yaml_real(const struct skl_ynode *node, double *v)
{
    if (!is_plain(node) || !is_decimal(node->text)) return -1;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return -1;
    double value = strtod_l(node->text, NULL, c);
    freelocale(c);
    if (!isfinite(value)) return -1;
    *v = value;
    return 0;
}
