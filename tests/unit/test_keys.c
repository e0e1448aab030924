/* Every key of the experiment file, and every option of a shortcut, with values and spellings that are wrong.  The
 * cases are made from the table of keys, so that a new row is tested by being there. */
#include "tests/unit/scratch.h"
#include "core/config/keys.h"
#include "core/config/plan.h"
#include "core/config/registry.h"

static int cases, faults;

/* The file is refused at this line with these words (NULL: any), in one line. */
static void refused(const char *text, int line, const char *words)
{
    struct skl_plan plan;
    struct skl_err err = {0};
    const char *path = in_scratch("t.yaml");
    put_file(path, text, strlen(text));
    int status = skl_plan_load(path, NULL, 0, &plan, &err);
    if (!status) skl_plan_release(&plan);
    char *start = skl_format("%s:%d:", path, line);
    bool right = status == SKL_USAGE && !strncmp(err.text, start, strlen(start)) && (!words || strstr(err.text, words));
    cases++;
    if (!right) {
        print_error("%swanted line %d, '%s'\ngot status %d: %s\n\n", text, line, words ? words : "", status, err.text);
        faults++;
    }
    free(start);
}

/* "a.b.c" with a value as nested mappings, on `*line` lines. */
static char *nested(const char *path, const char *value, int *line)
{
    char *text = skl_strdup("");
    int depth = 0;
    for (const char *p = path; *p; depth++) {
        size_t n = strcspn(p, ".");
        bool last = p[n] == 0;
        char *longer = skl_format("%s%*s%.*s: %s\n", text, 2 * depth, "", (int)n, p, last ? value : "");
        free(text);
        text = longer;
        p += n + !last;
    }
    *line = depth;
    return text;
}

/* A key of a variant stands in one. */
static char *file_with(const struct skl_key *key, const char *path, const char *value, int *line)
{
    if (!(key->flags & SKL_KEY_VARIANT)) return nested(path, value, line);
    const char *word = strrchr(path, '.') + 1;
    *line = strcmp(key->path, "variants.name") ? 3 : 2;
    return *line == 2 ? skl_format("variants:\n- %s: %s\n", word, value)
                      : skl_format("variants:\n- name: a\n  %s: %s\n", word, value);
}

static void refuse_value(const struct skl_key *key, const char *value, bool named)
{
    int line;
    char *text = file_with(key, key->path, value, &line);
    refused(text, line, named ? key->path : NULL);
    free(text);
}

static void refuse_number(const struct skl_key *key, const char *fmt, double value)
{
    char *text = skl_format(fmt, value);
    refuse_value(key, text, true);
    free(text);
}

static void plain_values(const struct skl_key *key)
{
    static const char *const wrong[] = {"[1]",  "{a: 1}", "",      "'1'", "word", ".nan",
                                        ".inf", "-.inf",  "1e999", "0x1", "1_0",  "~"};
    bool number = key->kind == SKL_KEY_INT || key->kind == SKL_KEY_INT64 || key->kind == SKL_KEY_REAL;
    size_t count = key->kind == SKL_KEY_TEXT && !key->choices ? 3 : sizeof wrong / sizeof *wrong;
    for (size_t i = 0; i < count; i++) refuse_value(key, wrong[i], true);
    if (number) {
        const char *fmt = key->kind == SKL_KEY_REAL ? "%.17g" : "%.0f";
        double step = key->kind == SKL_KEY_REAL ? 1e-6 * (key->max - key->min) : 1;
        refuse_number(key, fmt, key->min - step);
        refuse_number(key, fmt, key->max + step);
        refuse_number(key, fmt, -1e15);
        refuse_number(key, fmt, 1e15);
        refuse_value(key, "99999999999999999999", true);
        refuse_value(key, "yes", true);
        if (key->kind != SKL_KEY_REAL) refuse_value(key, "1.0", true);
    }
    if (key->kind == SKL_KEY_BOOL)
        for (const char *const *w = (const char *const[]){"yes", "no", "on", "1", "True", "'true'", NULL}; *w; w++)
            refuse_value(key, *w, true);
}

static void every_key_refuses_wrong_values(void **state)
{
    cases = faults = 0;
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        if (key->kind == SKL_KEY_FORM) { /* no form holds lists of lists or mappings of mappings of lists */
            refuse_value(key, "[[[x]]]", false);
            refuse_value(key, "{a: {b: [{c: d}]}}", false);
        } else {
            plain_values(key);
        }
    }
    print_message("%d cases\n", cases);
    assert_int_equal(faults, 0);
    assert_true(cases > 10 * skl_key_count());
}

/* ---- spellings ---- */

static bool is_a_key(const char *path) { return skl_key_find(path) || skl_key_is_section(path); }

/* The word with a letter lost, doubled or changed, two exchanged, or two changed; NULL: no such edit. */
static char *misspelt(const char *word, int kind, size_t at)
{
    size_t n = strlen(word);
    if (at >= n) return NULL;
    char *w = skl_alloc(n + 2);
    memcpy(w, word, n);
    if (kind == 0) memmove(w + at, w + at + 1, n - at);
    if (kind == 1) memmove(w + at + 1, w + at, n - at);
    if (kind == 2 || kind == 4) w[at] = w[at] == 'q' ? 'z' : 'q';
    if (kind == 4) {
        if (n < 6 || at + 2 >= n) return free(w), NULL;
        w[at + 2] = w[at + 2] == 'q' ? 'z' : 'q';
    }
    if (kind == 3) {
        if (at + 1 >= n || w[at] == w[at + 1]) return free(w), NULL;
        char c = w[at];
        w[at] = w[at + 1], w[at + 1] = c;
    }
    return w;
}

/* Does another key differ in this letter alone (xlim, ylim)?  Then a mistake in it is as near to that one. */
static bool has_a_twin(const char *path, size_t at)
{
    for (int i = 0; i < skl_key_count(); i++) {
        const char *other = skl_key_get(i)->path;
        if (strlen(other) == strlen(path) && !strncmp(other, path, at) && other[at] != path[at] &&
            !strcmp(other + at + 1, path + at + 1))
            return true;
    }
    return false;
}

/* The last word of the path misspelt in every way: the right one is suggested. */
static void misspell(const struct skl_key *key, const char *path, const char *last)
{
    int before = (int)(last - path), line;
    for (int kind = 0; kind < 5; kind++)
        for (size_t at = 0; at < strlen(last); at++) {
            char *word = misspelt(last, kind, at), *wrong = word ? skl_format("%.*s%s", before, path, word) : NULL;
            if (wrong && *word && !is_a_key(wrong)) {
                char *text = file_with(key, wrong, "1", &line),
                     *hint = skl_format("did you mean '%s", has_a_twin(path, (size_t)before + at) ? "" : last);
                refused(text, line, strlen(last) > 2 ? hint : "unknown key");
                free(text);
                free(hint);
            }
            free(word);
            free(wrong);
        }
}

static void every_misspelt_key_gets_a_hint(void **state)
{
    cases = faults = 0;
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        const char *dot = strrchr(key->path, '.');
        misspell(key, key->path, dot ? dot + 1 : key->path);
    }
    print_message("%d cases\n", cases);
    assert_int_equal(faults, 0);
}

/* ---- shortcuts ---- */

static void refuse_option(const struct skl_shortcut *s, const struct skl_param *p, const char *value)
{
    char *text = skl_format("model:\n  shortcut:\n    type: %s\n    %s: %s\n", s->name, p->name, value);
    refused(text, 4, p->name);
    free(text);
}

static void wrong_options(const struct skl_shortcut *s, const struct skl_param *p)
{
    struct skl_key key = skl_key_of_param(p);
    static const char *const wrong[] = {"[1]", "{a: 1}", "", "'1'", "word", ".nan", ".inf", "1e999", "0x1", "1_0", "~"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) refuse_option(s, p, wrong[i]);
    if (key.kind == SKL_KEY_INT || key.kind == SKL_KEY_REAL)
        for (int side = 0; side < 2; side++) {
            double step = key.kind == SKL_KEY_REAL ? 1e-6 * (p->max - p->min) : 1;
            char *value = skl_format("%.17g", side ? p->max + step : p->min - step);
            refuse_option(s, p, value);
            free(value);
        }
}

static void every_option_refuses_wrong_values(void **state)
{
    cases = faults = 0;
    for (int i = 0; i < skl_registry_count(); i++) {
        const struct skl_shortcut *s = skl_registry_get(i);
        for (const struct skl_param *p = s->params; p && p->name; p++) wrong_options(s, p);
    }
    print_message("%d cases\n", cases);
    assert_int_equal(faults, 0);
    assert_true(cases > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_refuses_wrong_values),
        cmocka_unit_test(every_misspelt_key_gets_a_hint),
        cmocka_unit_test(every_option_refuses_wrong_values),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
