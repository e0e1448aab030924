/* The value of one key, whatever the key: from YAML, to YAML, its range in words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/grow.h"
#include "core/config/keys.h"
#include "core/config/paths.h"
#include "core/config/tree.h"

/* "a, b, c" */
char *skl_join_words(const char *const *names)
{
    char *text = skl_strdup("");
    for (; *names; names++) text = skl_append(text, "%s%s", *text ? ", " : "", *names);
    return text;
}

struct skl_key skl_key_of_param(const struct skl_param *p)
{
    static const enum skl_key_kind kinds[] = {
        [SKL_BOOL] = SKL_KEY_BOOL, [SKL_INT] = SKL_KEY_INT, [SKL_REAL] = SKL_KEY_REAL, [SKL_CHOICE] = SKL_KEY_CHOICE};
    return (struct skl_key){.path = p->name,
                            .help = p->help,
                            .kind = kinds[p->type],
                            .flags = SKL_KEY_HASHED,
                            .offset = p->offset,
                            .def = p->def,
                            .min = p->min,
                            .max = p->max,
                            .choices = p->choices};
}

char *skl_key_range(const struct skl_key *key)
{
    if (key->choices) {
        char *names = skl_join_words(key->choices), *text = skl_format("one of %s", names);
        free(names);
        return text;
    }
    switch (key->kind) {
    case SKL_KEY_BOOL:
        return skl_strdup("true or false");
    case SKL_KEY_INT:
    case SKL_KEY_INT64:
        return skl_format("a whole number from %.0f to %.0f", key->min, key->max);
    case SKL_KEY_REAL:
        return skl_format("a number from %.9g to %.9g", key->min, key->max);
    case SKL_KEY_FORM:
        return skl_strdup(key->form);
    default:
        return skl_strdup(key->form ? key->form : "text");
    }
}

char *skl_key_default(const struct skl_key *key)
{
    if (key->def_text) return skl_strdup(key->def_text);
    switch (key->kind) {
    case SKL_KEY_BOOL:
        return skl_strdup(key->def != 0 ? "true" : "false");
    case SKL_KEY_CHOICE:
        return skl_strdup(key->choices[(int)key->def]);
    case SKL_KEY_TEXT:
    case SKL_KEY_FORM:
        return NULL;
    default:
        return skl_format("%.9g", key->def);
    }
}

void skl_key_set_default(const struct skl_key *key, void *base)
{
    void *field = (char *)base + key->offset;
    switch (key->kind) {
    case SKL_KEY_BOOL:
        *(bool *)field = key->def != 0;
        break;
    case SKL_KEY_INT:
    case SKL_KEY_CHOICE:
        *(int *)field = (int)key->def;
        break;
    case SKL_KEY_INT64:
        *(int64_t *)field = (int64_t)key->def;
        break;
    case SKL_KEY_REAL:
        *(double *)field = key->def;
        break;
    case SKL_KEY_TEXT:
        *(char **)field = key->def_text ? skl_strdup(key->def_text) : NULL;
        break;
    case SKL_KEY_FORM:
        break;
    }
}

static int choice_index(const char *const *choices, const char *text)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], text) == 0) return i;
    return -1;
}

bool skl_key_takes(const struct skl_key *key, const char *text)
{
    return *text && (!key->choices || choice_index(key->choices, text) >= 0) && (!key->takes || key->takes(text));
}

/* Nonzero: the text is no value of this key. */
static int read_value(const struct skl_key *key, const struct skl_ynode *node, void *field)
{
    long long whole = 0;
    double real = 0;
    switch (key->kind) {
    case SKL_KEY_BOOL:
        return skl_yaml_bool(node, field);
    case SKL_KEY_INT:
    case SKL_KEY_INT64:
        if (skl_yaml_int(node, &whole)) return 1;
        if (!((double)whole >= key->min && (double)whole <= key->max)) return 1;
        if (key->kind == SKL_KEY_INT)
            *(int *)field = (int)whole;
        else
            *(int64_t *)field = whole;
        return 0;
    case SKL_KEY_REAL:
        if (skl_yaml_real(node, &real) || !(real >= key->min && real <= key->max)) return 1;
        *(double *)field = real + 0.0; /* -0 becomes 0: one hash */
        return 0;
    case SKL_KEY_CHOICE: {
        int i = choice_index(key->choices, node->text);
        if (i >= 0) *(int *)field = i;
        return i < 0;
    }
    case SKL_KEY_TEXT:
        if (!skl_key_takes(key, node->text)) return 1;
        free(*(char **)field);
        *(char **)field = key->flags & SKL_KEY_PATH ? skl_path_given(node) : skl_strdup(node->text);
        return 0;
    case SKL_KEY_FORM:
        break;
    }
    SKL_BUG("key '%s' has no plain value", key->path);
}

int skl_key_read(const struct skl_key *key, const char *name, const struct skl_ynode *node, void *base,
                 struct skl_err *err)
{
    static const char *const is[] = {[SKL_YSCALAR] = "nothing", [SKL_YLIST] = "a list", [SKL_YMAP] = "a mapping"};
    if (node->kind == SKL_YSCALAR && read_value(key, node, (char *)base + key->offset) == 0) return SKL_OK;
    char *range = skl_key_range(key);
    if (node->kind != SKL_YSCALAR || (!*node->text && !node->quoted)) {
        skl_tree_fail(node, true, err, "%s must be %s, not %s", name, range, is[node->kind]);
    } else {
        const char *near = key->choices ? skl_nearest(node->text, key->choices) : NULL;
        skl_tree_fail(node, true, err, "%s must be %s, not %s%.80s%s%s%s%s%s", name, range, node->quoted ? "\"" : "'",
                      node->text, node->quoted ? "\"" : "'", near ? " (did you mean '" : "", near ? near : "",
                      near ? "'?)" : "",
                      node->quoted && !key->choices && key->kind != SKL_KEY_TEXT ? " (write it without quotes)" : "");
    }
    free(range);
    return SKL_USAGE;
}

/* The shortest decimal that reads back as the same double. */
static char *real_text(double v, bool exact)
{
    char text[64];
    for (int digits = exact ? 17 : 9; digits <= 17; digits += 4) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    return skl_strdup(text);
}

char *skl_key_write(const struct skl_key *key, const void *base, bool exact)
{
    const void *field = (const char *)base + key->offset;
    switch (key->kind) {
    case SKL_KEY_BOOL:
        return skl_strdup(*(const bool *)field ? "true" : "false");
    case SKL_KEY_INT:
        return skl_format("%d", *(const int *)field);
    case SKL_KEY_INT64:
        return skl_format("%lld", (long long)*(const int64_t *)field);
    case SKL_KEY_REAL:
        return real_text(*(const double *)field, exact);
    case SKL_KEY_CHOICE:
        return skl_strdup(key->choices[*(const int *)field]);
    case SKL_KEY_TEXT:
        return *(char *const *)field ? skl_yaml_quote(*(char *const *)field) : NULL;
    case SKL_KEY_FORM:
        return key->write ? key->write(base, exact) : NULL;
    }
    return NULL;
}
