#include "tests/unit/scratch.h"

#include <inttypes.h>

#include "core/base/say.h"

static char *format(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = skl_vformat_visible(fmt, args);
    va_end(args);
    return text;
}

/* What printf() writes for what needs no making visible: every conversion, length, flag and width. */
#define SAME(...) \
    do { \
        char want[512], *got = format(__VA_ARGS__); \
        snprintf(want, sizeof want, __VA_ARGS__); \
        assert_string_equal(got, want); \
        free(got); \
    } while (0)

static void formats_as_printf_does(void **state)
{
    SAME("plain");
    SAME("%d%%|%5d|%-5d|%05d|%+d|% d|%*d|%-*d|%*d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -11, 12);
    SAME("%ld %lld %zu %jd %td %hd %hhd", -1L, (long long)INT64_MIN, SIZE_MAX, (intmax_t)-5, (ptrdiff_t)7, (short)-3,
         (signed char)-4);
    SAME("%u %x %#X %o %lu %llx", 4000000000u, 255u, 255u, 8u, 9ul, 0xfedcba9876543210ull);
    SAME("%f|%.2f|%10.3e|%-12g|%.9g|%+.1f|%.*f|%a", 1.5, 2.345, 12345.678, 0.1, 1.0 / 3, -0.05, 3, 2.71828, 1.0);
    SAME("%s|%10s|%-10s|%.2s|%.*s|%-8.3s|%c|%3c", "a", "b", "c", "def", 1, "gh", "ijkl", 'm', 'n');
    SAME("%p %" PRId64, (void *)formats_as_printf_does, (int64_t)-77);
    SAME("%s%s%s%s%s%s%s%s%d", "1", "2", "3", "4", "5", "6", "7", "8", 9);
}

static void texts_are_made_visible(void **state)
{
    static const struct {
        const char *raw, *visible;
    } cases[] = {
        {"plain ü 漢 \U0001f600", "plain ü 漢 \U0001f600"},
        {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
        {"\x1b[31m\x1b]0;x\a", "\\x1b[31m\\x1b]0;x\\x07"},
        {"\x7f\x01", "\\x7f\\x01"},
        {"\xc2\x9b" "31m\xc2\x85", "\\u009b31m\\u0085"}, /* C1 in UTF-8 */
        {"\x9b"
         "31m",
         "\\x9b31m"}, /* and as bytes */
        {"\u202egpj.exe\u2066\u200f\u061c", "\\u202egpj.exe\\u2066\\u200f\\u061c"},
        {"\u2028\ufeff\u200b", "\\u2028\\ufeff\\u200b"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xc0\x8a\xed\xa0\x80", "\\xc0\\x8a\\xed\\xa0\\x80"}, /* a line feed in two bytes; half a pair */
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *visible = skl_visible(cases[i].raw), *again = skl_visible(visible),
             *formatted = format("%s", cases[i].raw);
        assert_string_equal(visible, cases[i].visible);
        assert_string_equal(again, visible); /* a message may quote another */
        assert_string_equal(formatted, visible);
        free(visible);
        free(again);
        free(formatted);
    }
}

static void widths_count_characters(void **state)
{
    static const struct {
        const char *fmt, *text, *want;
    } cases[] = {
        {"%-4s|", "üü", "üü  |"},
        {"%4s|", "ü", "   ü|"},
        {"%3s|", "a\n", "a\\n|"},
        {"%.2s|", "üb", "ü|"},
        {"%.1s|", "üb", "|"} /* not half a character */,
        {"%.3s|", "\xff\xfe\xfd\xfc", "\\xff\\xfe\\xfd|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = format(cases[i].fmt, cases[i].text);
        assert_string_equal(got, cases[i].want);
        free(got);
    }
    char *got = format("%c|", '\x1b');
    assert_string_equal(got, "\\x1b|");
    free(got);
}

static void the_format_itself_is_ours(void **state)
{
    char *got = format("\033[1m%s\033[0m\n", "\033[0m");
    assert_string_equal(got, "\033[1m\\x1b[0m\033[0m\n");
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_as_printf_does),
        cmocka_unit_test(texts_are_made_visible),
        cmocka_unit_test(widths_count_characters),
        cmocka_unit_test(the_format_itself_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
