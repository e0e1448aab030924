#include "tests/unit/scratch.h"
#include "core/io/yaml.h"
#include <math.h>
#include <sys/stat.h>
#include <time.h>

static struct skl_ynode *parse(const char *text)
{
    struct skl_ynode *root;
    struct skl_err err = {0};
    if (skl_yaml_parse("t.yaml", text, strlen(text), &root, &err)) fail_msg("refused: %s", err.text);
    return root;
}

/* One line a node, indented: place of key, of value, key, kind or text; quoted scalars in quotes. */
static void describe(const struct skl_ynode *node, int depth, FILE *f)
{
    for (; node; node = node->next) {
        fprintf(f, "%*s%d:%d %d:%d %s=", depth, "", node->line, node->column, node->value_line, node->value_column,
                node->key ? node->key : "");
        if (node->kind == SKL_YSCALAR) fprintf(f, node->quoted ? "'%s'\n" : "%s\n", node->text);
        if (node->kind == SKL_YLIST) fputs("[]\n", f);
        if (node->kind == SKL_YMAP) fputs("{}\n", f);
        describe(node->child, depth + 1, f);
    }
}

static char *description(const struct skl_ynode *root)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    describe(root, 0, f);
    fclose(f);
    return text;
}

static const char experiment[] = "# a comment\n"
                                 "name: table1\n"
                                 "model:\n"
                                 "  depth: 110\n"
                                 "  shortcut: {type: 'identity', gate: [0, -5]}\n"
                                 "\n"
                                 "variants:\n"
                                 "- name: \"a b\"\n"
                                 "  set: {model.depth: 20}\n"
                                 "- é: |\n"
                                 "    two\n"
                                 "    lines\n"
                                 "empty:\n"
                                 "list: []\n";

static void tree_with_places(void **state)
{
    struct skl_ynode *root = parse(experiment);
    char *text = description(root);
    assert_string_equal(text, "2:1 2:1 ={}\n"
                              " 2:1 2:7 name=table1\n"
                              " 3:1 4:3 model={}\n"
                              "  4:3 4:10 depth=110\n"
                              "  5:3 5:13 shortcut={}\n"
                              "   5:14 5:20 type='identity'\n"
                              "   5:32 5:38 gate=[]\n"
                              "    5:39 5:39 =0\n"
                              "    5:42 5:42 =-5\n"
                              " 7:1 8:1 variants=[]\n"
                              "  8:3 8:3 ={}\n"
                              "   8:3 8:9 name='a b'\n"
                              "   9:3 9:8 set={}\n"
                              "    9:9 9:22 model.depth=20\n"
                              "  10:3 10:3 ={}\n"
                              "   10:3 10:6 é='two\nlines\n'\n"
                              " 13:1 13:7 empty=\n"
                              " 14:1 14:7 list=[]\n");
    free(text);
    skl_yaml_free(root);
}

static void copies_are_deep(void **state)
{
    struct skl_ynode *root = parse(experiment), *model = skl_yaml_get(root, "model");
    struct skl_ynode *copy = skl_yaml_copy(root), *part = skl_yaml_copy(model);
    assert_null(part->next);
    assert_string_equal(part->key, "model");
    char *a = description(root), *b = description(copy);
    skl_yaml_free(root);
    char *c = description(copy);
    assert_string_equal(a, b);
    assert_string_equal(b, c);
    assert_string_equal(skl_yaml_get(part, "depth")->text, "110");
    free(a);
    free(b);
    free(c);
    skl_yaml_free(copy);
    skl_yaml_free(part);
    skl_yaml_free(NULL);
}

static void get_finds_keys_of_maps(void **state)
{
    struct skl_ynode *root = parse("a: {b: 1}\nc: [1]\n");
    assert_string_equal(skl_yaml_get(skl_yaml_get(root, "a"), "b")->text, "1");
    assert_null(skl_yaml_get(root, "b"));
    assert_null(skl_yaml_get(skl_yaml_get(root, "c"), "b"));
    assert_null(skl_yaml_get(NULL, "b"));
    skl_yaml_free(root);
}

static void errors_name_the_place(void **state)
{
    struct skl_err err;
    struct skl_ynode *root = parse("a:\n  depth: x\n"), *node = skl_yaml_get(skl_yaml_get(root, "a"), "depth");
    assert_int_equal(skl_yaml_fail(node, false, &err, "unknown key '%s'", "depth"), SKL_USAGE);
    assert_string_equal(err.text, "t.yaml:2:3: unknown key 'depth'");
    assert_int_equal(skl_yaml_fail(node, true, &err, "no number"), SKL_USAGE);
    assert_string_equal(err.text, "t.yaml:2:10: no number");
    assert_int_equal(skl_yaml_fail(node, true, NULL, "no number"), SKL_USAGE);
    skl_yaml_free(root);
}

static void harmless_forms_are_read(void **state)
{
    static const char *const texts[] = {
        "a",
        "---\na: 1\n",
        "a: 1\n...\n",
        "a: 1\r\nb: 2\r\n",
        "\xef\xbb\xbf"
        "a: 1\n",
        "%YAML 1.1\n---\na: 1\n",
        "{a: 1, b: [x, {c: d}]}",
        "a: 'it''s'",
        "a: \"\\u00e9\\n\"",
        "? a\n: 1\n",
        "a: b#c",
        "a: x!y & z * w\n",
        "a: >\n  folded\n  text\n",
        "a: '&x *y !z <<'",
        "'<<': 1\n",
        "a: [1,\n  2,\n]\n",
        "é: ü\n",
        "a: \"!x\"",
        "a: 1 # !tag &anchor\n",
        "a: 9.9.9\n",
        "a: ~\n",
        "a: \xf0\x9f\x98\x80\n",
        "a: [[[[[[[[[[1]]]]]]]]]]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct skl_ynode *root;
        struct skl_err err = {0};
        if (skl_yaml_parse("t", texts[i], strlen(texts[i]), &root, &err)) fail_msg("'%s': %s", texts[i], err.text);
        skl_yaml_free(root);
    }
}

#define BAD(text, place, why) \
    { \
        text, sizeof text - 1, place, why \
    }

static const struct {
    const char *text;
    size_t n;
    const char *place, *why;
} bad[] = {
    /* nothing there, or not text */
    BAD("", ":1:1:", "empty"),
    BAD("\n\n  \n", ":", "empty"),
    BAD("# only a comment\n", ":", "empty"),
    BAD("\xef\xbb\xbf", ":1:1:", "empty"),
    BAD("\xff\xfe"
        "a\0:\0",
        ":1:1:", "UTF-16"),
    BAD("\xfe\xff\0a\0:", ":1:1:", "UTF-16"),
    BAD("a: 1\nb: \0\n", ":2:4:", "NUL"),
    BAD("\0", ":1:1:", "NUL"),
    BAD("a: 1\0", ":1:5:", "NUL"),
    BAD("a: \x01\n", ":1:4:", "control"),
    BAD("a: \x7f\n", ":1:4:", "control"),
    BAD("a: \x1b[31m\n", ":1:4:", "control"),
    BAD("a: 1\nb: \xff\n", ":2:4:", "UTF-8"),
    BAD("a: \x80\n", ":1:4:", "UTF-8"),
    BAD("a: \xc3", ":1:4:", "UTF-8"),
    BAD("a: \xc3(\n", ":1:4:", "UTF-8"),
    BAD("a: \xc0\xaf\n", ":1:4:", "UTF-8"),
    BAD("a: \xe0\x80\x80\n", ":1:4:", "UTF-8"),
    BAD("a: \xed\xa0\x80\n", ":1:4:", "UTF-8"),
    BAD("a: \xf4\x90\x80\x80\n", ":1:4:", "UTF-8"),
    BAD("a: \xf0\x80\x80\x80\n", ":1:4:", "UTF-8"),
    BAD("\xc3\xa9: \xff\n", ":1:4:", "UTF-8"),
    BAD("a: \"x\\0y\"\n", ":1:4:", "NUL"),
    BAD("\"a\\0b\": 1\n", ":1:1:", "NUL"),
    /* indentation */
    BAD("a:\n\tb: 1\n", ":2:1:", "tab"),
    BAD("\ta: 1\n", ":1:1:", "tab"),
    BAD("a:\n  - x\n\t- y\n", ":3:", ""),
    BAD("a:\n  b: 1\n c: 2\n", ":3:2:", ""),
    BAD("a: 1\n  b: 2\n", ":2:4:", ""),
    BAD("- a\nb: 1\n", ":2:1:", ""),
    BAD("a:\n- b\n c\n - d: e\n  f\n", ":", ""),
    /* unclosed and stray */
    BAD("a: \"x\n", ":2:1:", "unexpected end"),
    BAD("a: 'x\n", ":2:1:", "begins at 1:4"),
    BAD("a: [1, 2\n", ":2:1:", "begins at 1:4"),
    BAD("a: {b: 1\n", ":2:1:", ""),
    BAD("a: [1}\n", ":1:6:", ""),
    BAD("a: ]\n", ":1:4:", ""),
    BAD("a: }\n", ":1:4:", ""),
    BAD("[", ":2:1:", ""),
    BAD("{", ":2:1:", ""),
    BAD("a: [1, 2]]\n", ":1:10:", ""),
    BAD("a: 'x' y\n", ":1:8:", ""),
    BAD("a: \"\\q\"\n", ":1:", "escape"),
    BAD("a: \"\\x4\"\n", ":1:", ""),
    BAD("a: \"\\ud800\"\n", ":1:", ""),
    BAD("a: @x\n", ":1:4:", ""),
    BAD("a: `x`\n", ":1:4:", ""),
    BAD("a: %x\n", ":1:4:", ""),
    BAD("a: b: c\n", ":1:5:", "not allowed"),
    BAD("a: |x\n", ":1:", ""),
    BAD("a: |0\n  x\n", ":1:", ""),
    BAD("a: [,]\n", ":1:5:", ""),
    BAD("%FOO\n", ":", ""),
    BAD("%YAML 9.9\n---\na: 1\n", ":1:", ""),
    /* keys */
    BAD("a: 1\nb: 2\na: 3\n", ":3:1:", "doubled key 'a' (first on line 1)"),
    BAD("a: {x: 1, y: 2, x: 3}\n", ":1:17:", "doubled key 'x'"),
    BAD("m:\n  d: 1\n  d: 1\n", ":3:3:", "doubled key 'd'"),
    BAD("a: 1\n'a': 2\n", ":2:1:", "doubled key 'a'"),
    BAD("? [a, b]\n: 1\n", ":1:3:", "plain name"),
    BAD("{a: 1}: 2\n", ":1:1:", "plain name"),
    BAD("[a]: 2\n", ":1:1:", "plain name"),
    BAD(": 1\n", ":1:1:", "expected key"),
    BAD("'': 1\n", ":1:1:", "key is missing"),
    BAD("{: 1}\n", ":1:2:", ""),
    /* what the subset leaves out */
    BAD("a: &x 1\n", ":1:4:", "anchors"),
    BAD("a: &x [1]\n", ":1:4:", "anchors"),
    BAD("a: &x {b: 1}\n", ":1:4:", "anchors"),
    BAD("&x a: 1\n", ":1:1:", "anchors"),
    BAD("a: &x\n", ":1:4:", "anchors"),
    BAD("a: *x\n", ":1:4:", "aliases"),
    BAD("*x : 1\n", ":1:1:", "aliases"),
    BAD("[*x]\n", ":1:2:", "aliases"),
    BAD("a: &a [*a]\n", ":1:4:", "anchors"),
    BAD("a: !x 1\n", ":1:4:", "tags"),
    BAD("a: ! 1\n", ":1:4:", "tags"),
    BAD("é: ! 'x'\n", ":1:4:", "tags"),
    BAD("é: 1\nb: ! x\n", ":2:4:", "tags"),
    BAD("! a: 1\n", ":1:1:", "tags"),
    BAD("a: ! [1]\n", ":1:4:", "tags"),
    BAD("a: !!str 1\n", ":1:4:", "tags"),
    BAD("a: !!binary aGk=\n", ":1:4:", "tags"),
    BAD("a: !!python/object:os.system x\n", ":1:4:", "tags"),
    BAD("a: !<tag:yaml.org,2002:int> 1\n", ":1:4:", "tags"),
    BAD("!!map {a: 1}\n", ":1:1:", "tags"),
    BAD("!!str a: 1\n", ":1:1:", "tags"),
    BAD("a: !undefined!x 1\n", ":1:", ""),
    BAD("a: 1\n<<: {b: 1}\n", ":2:1:", "merge"),
    BAD("a: 1\n---\nb: 2\n", ":2:1:", "second document"),
    BAD("---\n---\n", ":2:1:", "second document"),
    BAD("a: 1\n...\nb: 2\n", ":3:1:", ""),
};

static void bad_files_are_refused_with_their_place(void **state)
{
    int faults = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char place[100];
        struct skl_err err = {0};
        struct skl_ynode *root = (struct skl_ynode *)1;
        int status = skl_yaml_parse("f.yaml", bad[i].text, bad[i].n, &root, &err);
        snprintf(place, sizeof place, "f.yaml%s", bad[i].place);
        bool right = status == SKL_USAGE && err.status == SKL_USAGE && !root && strstr(err.text, bad[i].why) &&
                     strncmp(err.text, place, strlen(place)) == 0 && err.text[strlen(err.text) - 1] != '\n';
        if (right) continue;
        print_error("%zu '%s': status %d, '%s', wanted %s %s\n", i, bad[i].text, status, err.text, place, bad[i].why);
        if (!status) skl_yaml_free(root);
        faults++;
    }
    assert_int_equal(faults, 0);
    assert_int_equal(skl_yaml_parse("f", "a: [", 4, &(struct skl_ynode *){NULL}, NULL), SKL_USAGE);
}

/* head and then `times` repetitions of `piece`. */
static char *repeated(const char *head, const char *piece, size_t times, size_t *n)
{
    char *text;
    FILE *f = open_memstream(&text, n);
    fputs(head, f);
    for (size_t i = 0; i < times; i++) fputs(piece, f);
    fclose(f);
    return text;
}

/* Files made to be slow or large.  Each takes a few hundredths of a second of CPU time; the limit leaves room for
 * sanitizers, but none for anything quadratic. */
static void hostile_files_are_refused_fast(void **state)
{
    static const struct {
        const char *head, *piece;
        size_t times;
        const char *why;
    } cases[] = {
        {"", "[", 40000, "deeper than 32"},
        {"", "[\n", 400000, "deeper than 32"},
        {"a: ", "[", 1000000, "deeper than 32"},
        {"", "{a: ", 200000, "deeper than 32"},
        {"", "- ", 500000, "deeper than 32"},
        {"", "? ", 500000, "plain name"},
        {"", "[[],", 200000, "deeper than 32"},
        {"[", "a,", 500000, "50000 values"},
        {"[", "[],", 300000, "50000 values"},
        {"", "- \n", 300000, "50000 values"},
        {"", ",[,{", 250000, ""},
        {"a: ", "*a ", 300000, "aliases"},
        {"a: \"", "x\\n", 300000, "unexpected end"},
        {"", "\n", 1000000, "empty"},
        {"", "%", 1000000, ""},
        {"a: [", "[],'x',\"y\",", 90000, "50000 values"},
        {"", "a: 1\n", 40000, "doubled key"},
        {"", "x", 1100000, "1 MiB"},
        {"", "[]: ", 250000, "plain name"},
        {"", "- - - - - - - - - - -\n", 40000, "50000 values"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n;
        struct skl_err err = {0};
        struct skl_ynode *root;
        char *text = repeated(cases[i].head, cases[i].piece, cases[i].times, &n);
        clock_t start = clock();
        assert_int_equal(skl_yaml_parse("f", text, n, &root, &err), SKL_USAGE);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (!strstr(err.text, cases[i].why)) fail_msg("%zu: %s", i, err.text);
        took(cases[i].why, seconds, 1);
        free(text);
    }
}

static void depth_32_is_the_limit(void **state)
{
    for (int depth = 31; depth <= 33; depth++) { /* the scalar inside is the last level */
        char text[100];
        int brackets = depth - 1;
        struct skl_err err = {0};
        struct skl_ynode *root;
        memset(text, '[', (size_t)brackets);
        text[brackets] = 'x';
        memset(text + brackets + 1, ']', (size_t)brackets);
        int status = skl_yaml_parse("f", text, 2 * (size_t)brackets + 1, &root, &err);
        assert_int_equal(status, depth <= 32 ? SKL_OK : SKL_USAGE);
        skl_yaml_free(root);
    }
}

/* Cuts, and single changed bytes, of a good file: read or refused, never anything else (run under sanitizers). */
static void damaged_files_do_no_harm(void **state)
{
    char text[sizeof experiment];
    size_t n = sizeof experiment - 1;
    struct skl_ynode *root;
    struct skl_err err;
    for (size_t i = 0; i <= n; i++) {
        if (skl_yaml_parse("f", experiment, i, &root, &err) == SKL_OK)
            skl_yaml_free(root);
        else
            assert_int_equal(err.status, SKL_USAGE);
    }
    static const char replacement[] = "\0\t\n[]{}:,#&*!|>'\"%@-?<\xff\xc3 ";
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof replacement - 1; k++) {
            memcpy(text, experiment, n);
            text[i] = replacement[k];
            if (skl_yaml_parse("f", text, n, &root, &err) == SKL_OK)
                skl_yaml_free(root);
            else
                assert_int_equal(err.status, SKL_USAGE);
        }
    }
}

static void scalars_as_booleans(void **state)
{
    static const struct {
        const char *text;
        int want;
    } cases[] = {
        {"true", 1},       {"false", 0}, {"True", -1}, {"yes", -1},    {"no", -1},        {"on", -1},
        {"off", -1},       {"1", -1},    {"0", -1},    {"'true'", -1}, {"\"false\"", -1}, {"[true]", -1},
        {"{true: 1}", -1}, {"~", -1},    {"''", -1},   {"truely", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool v = false;
        struct skl_ynode *node = parse(cases[i].text);
        int got = skl_yaml_bool(node, &v) ? -1 : v;
        if (got != cases[i].want) fail_msg("%s: %d", cases[i].text, got);
        skl_yaml_free(node);
    }
}

#define NOT_INT 77

static void scalars_as_integers(void **state)
{
    static const struct {
        const char *text;
        long long want;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"+5", 5},
        {"-12", -12},
        {"64000", 64000},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9223372036854775808", NOT_INT},
        {"-9223372036854775809", NOT_INT},
        {"99999999999999999999999999", NOT_INT},
        {"1e3", NOT_INT},
        {"1.0", NOT_INT},
        {"0x10", NOT_INT},
        {"0o17", NOT_INT},
        {"017", NOT_INT},
        {"00", NOT_INT},
        {"1_000", NOT_INT},
        {"1,000", NOT_INT},
        {"12 3", NOT_INT},
        {"12a", NOT_INT},
        {"- 1", NOT_INT},
        {"--1", NOT_INT},
        {"+-1", NOT_INT},
        {"'5'", NOT_INT},
        {"[5]", NOT_INT},
        {"5:", NOT_INT},
        {"1:30", NOT_INT},
        {"''", NOT_INT},
        {"~", NOT_INT},
        {"null", NOT_INT},
        {"+", NOT_INT},
        {"\xd9\xa3", NOT_INT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        long long v = 0;
        struct skl_ynode *node = parse(cases[i].text);
        if (skl_yaml_int(node, &v)) v = NOT_INT;
        if (v != cases[i].want) fail_msg("%s: %lld", cases[i].text, v);
        skl_yaml_free(node);
    }
}

static void scalars_as_reals(void **state)
{
    static const struct {
        const char *text;
        double want;
    } cases[] = {
        {"0.1", 0.1},
        {"1", 1},
        {"-3", -3},
        {"1e3", 1000},
        {"1E-4", 1e-4},
        {"1.5e+2", 150},
        {".5", 0.5},
        {"5.", 5},
        {"-.5", -0.5},
        {"+0.25", 0.25},
        {"0", 0},
        {"1e308", 1e308},
        {"0.30000000000000004", 0.30000000000000004},
        {"1e309", NAN},
        {"1e999", NAN},
        {"-1e999", NAN},
        {".inf", NAN},
        {"-.inf", NAN},
        {"inf", NAN},
        {".nan", NAN},
        {"nan", NAN},
        {"NaN", NAN},
        {"infinity", NAN},
        {"0x1p3", NAN},
        {"0x10", NAN},
        {"1_0", NAN},
        {"1,5", NAN},
        {"1.2.3", NAN},
        {"1e", NAN},
        {"1e+", NAN},
        {"e5", NAN},
        {".", NAN},
        {"-", NAN},
        {".e5", NAN},
        {"1.5x", NAN},
        {"1 2", NAN},
        {"01.5", NAN},
        {"1d5", NAN},
        {"1e5.5", NAN},
        {"'1.5'", NAN},
        {"[1.5]", NAN},
        {"''", NAN},
        {"50%", NAN},
        {"1.5f", NAN},
        {"190:20:30", NAN},
    };
    bool comma = set_comma_locale(); /* where there is one, it must change nothing */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double v = NAN;
        struct skl_ynode *node = parse(cases[i].text);
        if (skl_yaml_real(node, &v)) v = NAN;
        bool right = isnan(cases[i].want) ? isnan(v) : v == cases[i].want;
        if (!right) fail_msg("%s: %g", cases[i].text, v);
        skl_yaml_free(node);
    }
    if (comma) setlocale(LC_NUMERIC, "C");
}

static void files(void **state)
{
    struct skl_ynode *root;
    struct skl_err err = {0};
    put_file(in_scratch("ok.yaml"), "a: 1\n", 5);
    assert_int_equal(skl_yaml_read(in_scratch("ok.yaml"), &root, &err), SKL_OK);
    assert_string_equal(skl_yaml_get(root, "a")->text, "1");
    skl_yaml_free(root);
    assert_int_equal(mkfifo(in_scratch("fifo"), 0600), 0);
    const char *const paths[] = {in_scratch("absent.yaml"), scratch, in_scratch("fifo"), "/dev/zero"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(skl_yaml_read(paths[i], &root, &err), SKL_USAGE);
        assert_int_equal(err.status, SKL_USAGE);
        assert_null(root);
        assert_contains(err.text, paths[i]);
    }
    size_t n;
    char *large = repeated("", "# 3456789\n", 104858, &n); /* 4 bytes over 1 MiB */
    put_file(in_scratch("large.yaml"), large, n);
    assert_int_equal(skl_yaml_read(in_scratch("large.yaml"), &root, &err), SKL_USAGE);
    assert_contains(err.text, "larger than");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_with_places),
        cmocka_unit_test(copies_are_deep),
        cmocka_unit_test(get_finds_keys_of_maps),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(harmless_forms_are_read),
        cmocka_unit_test(bad_files_are_refused_with_their_place),
        cmocka_unit_test(hostile_files_are_refused_fast),
        cmocka_unit_test(depth_32_is_the_limit),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(scalars_as_booleans),
        cmocka_unit_test(scalars_as_integers),
        cmocka_unit_test(scalars_as_reals),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
