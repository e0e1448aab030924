#include "tests/unit/scratch.h"
#include "core/base/err.h"
#include <signal.h>

static void fail_formats_and_returns_the_status(void **state)
{
    struct skl_err err = {0};
    assert_int_equal(skl_fail(&err, SKL_DATA, "%s:%d: no", "a.yaml", 3), SKL_DATA);
    assert_int_equal(err.status, SKL_DATA);
    assert_string_equal(err.text, "a.yaml:3: no");
    assert_int_equal(skl_fail(NULL, SKL_BUSY, "nobody listens"), SKL_BUSY);
}

static void context_comes_first(void **state)
{
    struct skl_err err;
    skl_fail(&err, SKL_USAGE, "unknown key");
    assert_int_equal(skl_context(&err, "variant '%s'", "a"), SKL_USAGE);
    assert_string_equal(err.text, "variant 'a': unknown key");
    assert_int_equal(skl_context(&err, "sweep"), SKL_USAGE);
    assert_string_equal(err.text, "sweep: variant 'a': unknown key");
}

static void message_may_quote_itself(void **state)
{
    struct skl_err err;
    skl_fail(&err, SKL_DATA, "inner");
    skl_fail(&err, SKL_FAILED, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
}

static void message_is_one_line(void **state)
{
    struct skl_err err;
    skl_fail(&err, SKL_DATA, "key '%s'", "a\nb\x1b[31m\t\x7f");
    assert_string_equal(err.text, "key 'a\\nb\\x1b[31m\\t\\x7f'");
}

static void long_message_is_cut(void **state)
{
    struct skl_err err;
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    skl_fail(&err, SKL_DATA, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(err.text + sizeof err.text - 5, "x...");
    skl_context(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    for (size_t i = 0; i + 2 < sizeof text; i += 2) memcpy(text + i, "\u00fc", 2);
    skl_fail(&err, SKL_DATA, "x%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 2); /* not in the middle of a character */
}

static void alloc_is_zeroed_and_aligned(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 100001, (size_t)4 << 20, ((size_t)5 << 20) + 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int again = 0; again < 3; again++) { /* again: the allocator may hand a used block back */
            unsigned char *p = skl_alloc(sizes[i]);
            assert_int_equal((uintptr_t)p % (sizes[i] >= (size_t)4 << 20 ? (size_t)2 << 20 : 64), 0);
            for (size_t k = 0; k < sizes[i]; k++)
                if (p[k]) fail_msg("byte %zu of %zu is not 0", k, sizes[i]);
            memset(p, 0xa5, sizes[i]);
            free(p);
        }
    }
}

static void overflowing_array(void) { free(skl_alloc_array(SIZE_MAX / 2, 3)); }

static void impossible_alloc(void) { free(skl_alloc(SIZE_MAX - 10)); }

static void broken_promise(void) { SKL_CHECK(1 > 2); }

static void kept_promise(void) { SKL_CHECK(2 > 1); }

static void ends_of_the_process(void **state)
{
    assert_int_equal(child_end(overflowing_array), 1000 + SKL_FAILED);
    assert_int_equal(child_end(impossible_alloc), 1000 + SKL_FAILED);
    assert_int_equal(child_end(broken_promise), SIGABRT);
    assert_int_equal(child_end(kept_promise), 1000);
}

static void format_and_strdup(void **state)
{
    char *a = skl_format("%s/%d", "x", 7), *b = skl_strdup(a);
    assert_string_equal(a, "x/7");
    assert_string_equal(b, a);
    assert_ptr_not_equal(a, b);
    free(a);
    free(b);
}

static void nearest_names(void **state)
{
    static const char *const names[] = {"depth", "width", "block", "identity", "dropout", "lr", "at", "conv1x1", NULL};
    static const struct {
        const char *word, *want;
    } cases[] = {
        {"dpeth", "depth"},
        {"depht", "depth"},
        {"DEPTH", "depth"},
        {"dept", "depth"},
        {"widht", "width"},
        {"bock", "block"},
        {"ident", "identity"},
        {"ide", "identity"},
        {"drop", "dropout"},
        {"conv1", "conv1x1"},
        {"lrr", "lr"},
        {"zzzzz", NULL},
        {"", NULL},
        {"xy", NULL},
        {"la", "lr"},
        {"i", NULL},
        {"optimizer", NULL},
        {"conv3x3", "conv1x1"},
        {"idnetiyt", "identity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = skl_nearest(cases[i].word, names);
        bool right = got && cases[i].want ? strcmp(got, cases[i].want) == 0 : got == cases[i].want;
        if (!right) fail_msg("'%s': got %s", cases[i].word, got ? got : "none");
    }
}

static void nearest_prefers_the_smaller_distance(void **state)
{
    static const char *const names[] = {"momentum_form", "momentum", "moment", NULL};
    assert_string_equal(skl_nearest("momentun", names), "momentum");
    assert_string_equal(skl_nearest("momemt", names), "moment");
    char word[4000];
    memset(word, 'm', sizeof word - 1);
    word[sizeof word - 1] = 0;
    assert_null(skl_nearest(word, names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_formats_and_returns_the_status),
        cmocka_unit_test(context_comes_first),
        cmocka_unit_test(message_may_quote_itself),
        cmocka_unit_test(message_is_one_line),
        cmocka_unit_test(long_message_is_cut),
        cmocka_unit_test(alloc_is_zeroed_and_aligned),
        cmocka_unit_test(ends_of_the_process),
        cmocka_unit_test(format_and_strdup),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(nearest_prefers_the_smaller_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
