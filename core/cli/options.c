/* options.c - GNU-style option parsing from the tables of cmd.h. */
#include "core/cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"

enum { MAX_OPTIONS = 64, HELP_COLUMN = 26, HELP_WIDTH = 110 };

static bool bounded(const struct skl_option *o) { return o->min != 0 || o->max != 0; }

static int count_options(const struct skl_option *o)
{
    int n = 0;
    while (o && o[n].name) n++;
    return n;
}

static const struct skl_option *find(const struct skl_command *cmd, const char *name, size_t length)
{
    for (int i = 0; i < count_options(cmd->options); i++)
        if (strlen(cmd->options[i].name) == length && !strncmp(cmd->options[i].name, name, length))
            return &cmd->options[i];
    return NULL;
}

static int unknown(const struct skl_command *cmd, const char *arg, size_t length, struct skl_err *err)
{
    const char *names[MAX_OPTIONS + 3];
    int n = 0;
    for (int i = 0; i < count_options(cmd->options) && n < MAX_OPTIONS; i++) names[n++] = cmd->options[i].name;
    names[n++] = "help";
    names[n++] = "version";
    names[n] = NULL;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length > 62 ? 62 : length) - 2, arg + 2);
    const char *hint = arg[1] == '-' ? skl_nearest(word, names) : NULL;
    if (hint)
        return skl_fail(err, SKL_USAGE, "%s: unknown option '%.*s' (did you mean '--%s'?)", cmd->name, (int)length, arg,
                        hint);
    return skl_fail(err, SKL_USAGE, "%s: unknown option '%.*s' (see 'skiplab %s --help')", cmd->name, (int)length, arg,
                    cmd->name);
}

static int out_of_range(const struct skl_command *cmd, const struct skl_option *o, const char *text,
                        struct skl_err *err)
{
    return skl_fail(err, SKL_USAGE, "%s: --%s %s is outside %.9g to %.9g", cmd->name, o->name, text, o->min, o->max);
}

static int set_int(const struct skl_command *cmd, const struct skl_option *o, const char *text, struct skl_err *err)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (end == text || *end || *text == ' ')
        return skl_fail(err, SKL_USAGE, "%s: --%s wants a whole number, not '%s'", cmd->name, o->name, text);
    if (errno || v < INT_MIN || v > INT_MAX)
        return skl_fail(err, SKL_USAGE, "%s: --%s %s is too large a number", cmd->name, o->name, text);
    if (bounded(o) && !(v >= o->min && v <= o->max)) return out_of_range(cmd, o, text, err);
    *(int *)o->target = (int)v;
    return SKL_OK;
}

static int set_real(const struct skl_command *cmd, const struct skl_option *o, const char *text, struct skl_err *err)
{
    char *end;
    double v = strtod(text, &end);
    bool decimal = text[strspn(text, "+-.0123456789eE")] == 0; /* no "inf", "nan" or hexadecimal */
    if (end == text || *end || !decimal || !isfinite(v))
        return skl_fail(err, SKL_USAGE, "%s: --%s wants a number, not '%s'", cmd->name, o->name, text);
    if (bounded(o) && !(v >= o->min && v <= o->max)) return out_of_range(cmd, o, text, err);
    *(double *)o->target = v;
    return SKL_OK;
}

static int set_choice(const struct skl_command *cmd, const struct skl_option *o, const char *text, struct skl_err *err)
{
    const char *const *words = o->words(), *near = skl_nearest(text, words);
    for (; *words; words++)
        if (!strcmp(*words, text)) {
            *(const char **)o->target = text;
            return SKL_OK;
        }
    if (near)
        return skl_fail(err, SKL_USAGE, "%s: --%s knows no '%s' (did you mean '%s'?)", cmd->name, o->name, text, near);
    char *all = skl_strdup("");
    for (words = o->words(); *words; words++) all = skl_append(all, "%s%s", *all ? ", " : "", *words);
    skl_fail(err, SKL_USAGE, "%s: --%s knows no '%s', but: %s", cmd->name, o->name, text, all);
    free(all);
    return SKL_USAGE;
}

static int set(const struct skl_command *cmd, const struct skl_option *o, const char *text, struct skl_err *err)
{
    if (!*text && o->kind >= SKL_OPT_STRING)
        return skl_fail(err, SKL_USAGE, "%s: --%s wants %s, not an empty word", cmd->name, o->name, o->argument);
    switch (o->kind) {
    case SKL_OPT_INT:
        return set_int(cmd, o, text, err);
    case SKL_OPT_REAL:
        return set_real(cmd, o, text, err);
    case SKL_OPT_CHOICE:
        return set_choice(cmd, o, text, err);
    case SKL_OPT_FILE:
    case SKL_OPT_FOLDER: /* whoever is handed the path takes it for no option */
        *(const char **)o->target = *text == '-' ? skl_format("./%s", text) : text;
        return SKL_OK;
    case SKL_OPT_STRING:
    case SKL_OPT_SETTING:
    case SKL_OPT_PATTERN:
        *(const char **)o->target = text;
        return SKL_OK;
    case SKL_OPT_EACH:
        return o->take(text, err);
    default:
        SKL_BUG("option --%s of %s has kind %d", o->name, cmd->name, o->kind);
    }
}

/* The next option stands where a value was forgotten. */
static bool is_option(const struct skl_command *cmd, const char *word)
{
    return !strncmp(word, "--", 2) && find(cmd, word + 2, strcspn(word + 2, "="));
}

/* One option at argv[*i]; takes the next word too where the value stands there. */
static int parse_option(const struct skl_command *cmd, int argc, char **argv, int *i, struct skl_err *err)
{
    const char *arg = argv[*i], *equals = strchr(arg, '=');
    size_t length = equals ? (size_t)(equals - arg) : strlen(arg);
    const struct skl_option *o = length > 2 && arg[1] == '-' ? find(cmd, arg + 2, length - 2) : NULL;
    if (!o) return unknown(cmd, arg, length, err);
    if (o->kind == SKL_OPT_FLAG) {
        if (equals) return skl_fail(err, SKL_USAGE, "%s: --%s takes no value", cmd->name, o->name);
        *(bool *)o->target = true;
        return SKL_OK;
    }
    if (equals) return set(cmd, o, equals + 1, err);
    if (*i + 1 >= argc || is_option(cmd, argv[*i + 1]))
        return skl_fail(err, SKL_USAGE, "%s: --%s wants a value: --%s %s", cmd->name, o->name, o->name, o->argument);
    return set(cmd, o, argv[++*i], err);
}

static int check_words(const struct skl_command *cmd, int words, char *const *argv, struct skl_err *err)
{
    if (words < cmd->min_args)
        return skl_fail(err, SKL_USAGE, "%s: too few words; usage: skiplab %s %s", cmd->name, cmd->name, cmd->usage);
    if (cmd->max_args >= 0 && words > cmd->max_args)
        return skl_fail(err, SKL_USAGE, "%s: unexpected word '%s'; usage: skiplab %s %s", cmd->name,
                        argv[cmd->max_args], cmd->name, cmd->usage);
    return SKL_OK;
}

int skl_options_parse(const struct skl_command *cmd, int *argc, char **argv, struct skl_err *err)
{
    int words = 0;
    bool options = true;
    for (int i = 0; i < *argc; i++) {
        if (options && !strcmp(argv[i], "--")) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            int status = parse_option(cmd, *argc, argv, &i, err);
            if (status) return status;
        } else {
            argv[words++] = argv[i];
        }
    }
    *argc = words;
    return check_words(cmd, words, argv, err);
}

bool skl_options_asked(int argc, char *const *argv, const char *name)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], name)) return true;
    return false;
}

/* The help begins in its column and is wrapped there. */
static void print_option(FILE *out, const char *name, const char *argument, const char *help)
{
    int column = fprintf(out, "  --%s%s%s", name, argument ? " " : "", argument ? argument : "");
    if (column > HELP_COLUMN - 2) column = fprintf(out, "\n") - 1;
    column += fprintf(out, "%*s", HELP_COLUMN - column, "");
    while (*help) {
        int length = (int)strcspn(help, " ");
        if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH)
            column = fprintf(out, "\n%*s", HELP_COLUMN, "") - 1;
        column += fprintf(out, "%s%.*s", column > HELP_COLUMN ? " " : "", length, help);
        help += length + (help[length] == ' ');
    }
    fputc('\n', out);
}

/* Text in lines of two blanks' indent. */
static void print_indented(FILE *out, const char *text)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        fprintf(out, "  %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

void skl_options_help(FILE *out, const struct skl_command *cmd)
{
    fprintf(out, "Usage: skiplab %s%s%s%s\n\n%c%s.\n", cmd->name, *cmd->usage ? " " : "", cmd->usage,
            count_options(cmd->options) ? " [options]" : "", toupper((unsigned char)cmd->summary[0]), cmd->summary + 1);
    if (cmd->description && *cmd->description)
        fprintf(out, "\n%s%s", cmd->description, strchr(cmd->description, 0)[-1] == '\n' ? "" : "\n");
    fputs("\nExamples:\n", out);
    print_indented(out, cmd->examples);
    fputs("\nOptions:\n", out);
    for (const struct skl_option *o = cmd->options; o && o->name; o++) {
        char range[80] = "";
        if (o->kind != SKL_OPT_FLAG && bounded(o) && o->max < INT_MAX)
            snprintf(range, sizeof range, " (%.9g to %.9g)", o->min, o->max);
        char *help = skl_format("%s%s", o->help, range);
        print_option(out, o->name, o->argument, help);
        free(help);
    }
    print_option(out, "help", NULL, "this text");
    print_option(out, "version", NULL, "version, git commit, BLAS and CPU");
}

const char *skl_options_unsound(const struct skl_command *cmd)
{
    if (!cmd->name || !cmd->summary || !cmd->usage || !cmd->run) return "name, summary, usage or run is missing";
    if (!cmd->examples || !*cmd->examples) return "no examples";
    if (cmd->max_args >= 0 && cmd->max_args < cmd->min_args) return "max_args < min_args";
    if (count_options(cmd->options) > MAX_OPTIONS) return "too many options";
    if ((cmd->words[0] != 0) != (cmd->max_args != 0) ||
        (cmd->words[1] != 0) != (cmd->max_args < 0 || cmd->max_args > 1))
        return "kinds of words other than max_args allows";
    for (const struct skl_option *o = cmd->options; o && o->name; o++) {
        if (!*o->name || o->name[0] == '-') return "an option's name starts with a dash or is empty";
        if (!o->help || !*o->help) return "an option has no help";
        if (o->kind == SKL_OPT_EACH ? !o->take : !o->target) return "an option has no target";
        if (o->kind == SKL_OPT_CHOICE && !o->words) return "a choice without its words";
        if (o->kind == SKL_OPT_FILE && !o->files) return "a file without what it is called";
        if ((o->kind == SKL_OPT_FLAG) == (o->argument != NULL))
            return "a flag with an argument, or an option without one";
        if (!(o->min <= o->max)) return "an option's min > max";
        if (!strcmp(o->name, "help") || !strcmp(o->name, "version")) return "--help and --version are taken";
        if (find(cmd, o->name, strlen(o->name)) != o) return "two options of one name";
    }
    return NULL;
}
