/* The command line of one command: options.c over a table of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/options.h"

static bool flag;
static int number, any;
static double real;
static const char *text;

static int nothing(int argc, char **argv, struct skl_err *err) { return SKL_OK; }

static struct skl_option table[] = {
    {"flag", SKL_OPT_FLAG, NULL, "a flag", &flag, 0, 0},     {"number", SKL_OPT_INT, "N", "a number", &number, 1, 10},
    {"any", SKL_OPT_INT, "N", "any number", &any, 0, 0},     {"real", SKL_OPT_REAL, "X", "a real", &real, 0, 0.5},
    {"text", SKL_OPT_STRING, "WORD", "a text", &text, 0, 0}, {0},
};
static struct skl_command command = {.name = "cmd",
                                     .summary = "does it",
                                     .usage = "A [B]",
                                     .description = "",
                                     .examples = "skiplab cmd a\n",
                                     .options = table,
                                     .min_args = 1,
                                     .max_args = 2,
                                     .words = {SKL_WORD_CONFIG, SKL_WORD_KEY},
                                     .run = nothing};

static int reset(void **state)
{
    flag = false;
    number = any = -1;
    real = -1;
    text = NULL;
    return 0;
}

/* The words, separated by blanks, as the command's arguments. */
static int parse(const char *line, int *argc, char **argv, struct skl_err *err)
{
    static char copy[256];
    strcpy(copy, line);
    *argc = 0;
    for (char *word = copy; word;) {
        char *blank = strchr(word, ' ');
        if (blank) *blank++ = 0;
        argv[(*argc)++] = word;
        word = blank;
    }
    *err = (struct skl_err){0};
    return skl_options_parse(&command, argc, argv, err);
}

static void both_forms_and_any_order(void **state)
{
    char *argv[16];
    int argc;
    struct skl_err err;
    assert_int_equal(parse("--number 3 a --real=0.25 --flag b --text=x=y", &argc, argv, &err), SKL_OK);
    assert_int_equal(argc, 2);
    assert_string_equal(argv[0], "a");
    assert_string_equal(argv[1], "b");
    assert_int_equal(number, 3);
    assert_true(flag);
    assert_true(real == 0.25);
    assert_string_equal(text, "x=y");
}

static void last_wins_and_values_may_look_like_options(void **state)
{
    char *argv[16];
    int argc;
    struct skl_err err;
    assert_int_equal(parse("a --any 1 --any -7 --text --word", &argc, argv, &err), SKL_OK);
    assert_int_equal(any, -7);
    assert_string_equal(text, "--word");
    assert_int_equal(parse("a --text=--flag", &argc, argv, &err), SKL_OK); /* one of the command's own, after "=" */
    assert_string_equal(text, "--flag");
    assert_false(flag);
    assert_int_equal(parse("a --text --flag", &argc, argv, &err), SKL_USAGE); /* without it the value was forgotten */
}

static void two_dashes_end_the_options(void **state)
{
    char *argv[16];
    int argc;
    struct skl_err err;
    assert_int_equal(parse("-- --flag -", &argc, argv, &err), SKL_OK);
    assert_int_equal(argc, 2);
    assert_string_equal(argv[0], "--flag");
    assert_string_equal(argv[1], "-");
    assert_false(flag);
}

static void bad_lines_are_usage_errors(void **state)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"a --nubmer 3", "did you mean '--number'"},
        {"a --zzzzzz", "unknown option '--zzzzzz'"},
        {"a -n 3", "unknown option '-n'"},
        {"a --number", "wants a value"},
        {"a --number x", "whole number"},
        {"a --number 3x", "whole number"},
        {"a --number=", "whole number"},
        {"a --number 0", "outside 1 to 10"},
        {"a --number 11", "outside 1 to 10"},
        {"a --any 99999999999", "too large"},
        {"a --number 1e3", "whole number"},
        {"a --real nan", "wants a number"},
        {"a --real inf", "wants a number"},
        {"a --real 0x1", "wants a number"},
        {"a --real 0.6", "outside"},
        {"a --real 1e999", "wants a number"},
        {"a --flag=yes", "takes no value"},
        {"a --text=", "empty"},
        {"--flag", "too few words"},
        {"a b c", "unexpected word 'c'"},
        {"a --=3", "unknown option"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *argv[16];
        int argc;
        struct skl_err err;
        assert_int_equal(parse(cases[i].line, &argc, argv, &err), SKL_USAGE);
        if (!strstr(err.text, cases[i].says)) fail_msg("'%s' says: %s", cases[i].line, err.text);
        assert_null(strchr(err.text, '\n'));
    }
}

static void help_shows_every_option(void **state)
{
    char *out;
    size_t n;
    FILE *f = open_memstream(&out, &n);
    skl_options_help(f, &command);
    fclose(f);
    assert_non_null(strstr(out, "Usage: skiplab cmd A [B] [options]"));
    assert_non_null(strstr(out, "Does it."));
    assert_non_null(strstr(out, "  skiplab cmd a\n"));
    for (int i = 0; table[i].name; i++) assert_non_null(strstr(out, table[i].help));
    assert_non_null(strstr(out, "--number N"));
    assert_non_null(strstr(out, "(1 to 10)"));
    free(out);
}

static void long_help_is_wrapped_in_its_column(void **state)
{
    struct skl_option rows[] = {{"x", SKL_OPT_FLAG, NULL, "", &flag, 0, 0}, {0}};
    char help[400] = "";
    for (int i = 0; i < 60; i++) strcat(help, i ? " word" : "word");
    rows[0].help = help;
    struct skl_command c = command;
    c.options = rows;
    char *out;
    size_t n;
    FILE *f = open_memstream(&out, &n);
    skl_options_help(f, &c);
    fclose(f);
    int words = 0, lines = 0;
    char *start = strstr(out, "  --x");
    assert_non_null(start);
    *strstr(start, "\n  --help") = 0;
    for (char *line = strtok(start, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        assert_true(strlen(line) <= 110);
        assert_int_equal(line[26], 'w');
        for (char *w = line; (w = strstr(w, "word")); w += 4) words++;
    }
    assert_int_equal(words, 60);
    assert_true(lines > 2);
    free(out);
}

static char taken[64];
static int take(const char *value, struct skl_err *err)
{
    if (!strcmp(value, "bad")) return skl_fail(err, SKL_USAGE, "taken badly");
    strcat(strcat(taken, value), ",");
    return SKL_OK;
}

static void a_repeated_option_is_taken_each_time(void **state)
{
    struct skl_option rows[] = {{"x", SKL_OPT_EACH, "WORD", "a word", NULL, 0, 0, take}, {0}};
    struct skl_command c = command;
    struct skl_err err = {0};
    c.options = rows, c.min_args = 0;
    char *argv[] = {"--x", "one", "--x=two"};
    int argc = 3;
    assert_int_equal(skl_options_parse(&c, &argc, argv, &err), SKL_OK);
    assert_string_equal(taken, "one,two,");
    char *wrong[] = {"--x", "bad"};
    argc = 2;
    assert_int_equal(skl_options_parse(&c, &argc, wrong, &err), SKL_USAGE);
    assert_string_equal(err.text, "taken badly");
}

static void asked_looks_before_two_dashes_only(void **state)
{
    char *argv[] = {"a", "--help", "--", "--version"};
    assert_true(skl_options_asked(4, argv, "--help"));
    assert_false(skl_options_asked(4, argv, "--version"));
}

static void a_bad_table_is_found(void **state)
{
    assert_null(skl_options_unsound(&command));
    struct skl_option two[] = {table[0], table[0], {0}}, no_target[] = {{"x", SKL_OPT_INT, "N", "x", NULL, 0, 0}, {0}};
    struct skl_option flag_argument[] = {{"x", SKL_OPT_FLAG, "N", "x", &flag, 0, 0}, {0}},
                      help[] = {{"help", SKL_OPT_FLAG, NULL, "x", &flag, 0, 0}, {0}};
    struct skl_option range[] = {{"x", SKL_OPT_INT, "N", "x", &number, 2, 1}, {0}},
                      no_help[] = {{"x", SKL_OPT_FLAG, NULL, "", &flag, 0, 0}, {0}};
    struct skl_option no_take[] = {{"x", SKL_OPT_EACH, "N", "x", NULL, 0, 0, NULL}, {0}};
    struct skl_option no_words[] = {{"x", SKL_OPT_CHOICE, "N", "x", &text, 0, 0}, {0}},
                      no_files[] = {{"x", SKL_OPT_FILE, "N", "x", &text, 0, 0}, {0}};
    const struct skl_option *bad[] = {no_words, no_files, two, no_target, flag_argument, help, range, no_help, no_take};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct skl_command c = command;
        c.options = bad[i];
        assert_non_null(skl_options_unsound(&c));
    }
    struct skl_command c = command;
    c.examples = "";
    assert_non_null(skl_options_unsound(&c));
    c = command;
    c.max_args = 1; /* and kinds for two */
    assert_non_null(skl_options_unsound(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_forms_and_any_order, reset),
        cmocka_unit_test_setup(last_wins_and_values_may_look_like_options, reset),
        cmocka_unit_test_setup(two_dashes_end_the_options, reset),
        cmocka_unit_test_setup(bad_lines_are_usage_errors, reset),
        cmocka_unit_test_setup(help_shows_every_option, reset),
        cmocka_unit_test(long_help_is_wrapped_in_its_column),
        cmocka_unit_test(a_repeated_option_is_taken_each_time),
        cmocka_unit_test_setup(asked_looks_before_two_dashes_only, reset),
        cmocka_unit_test_setup(a_bad_table_is_found, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
