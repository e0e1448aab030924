#include "core/variant/code.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/variant/formula.h"

#define TEXT(...) TEXT_(__VA_ARGS__)
#define TEXT_(...) #__VA_ARGS__

const char *const skl_code_part_name[SKL_CODE_PARTS] = {"SKL_FORWARD", "SKL_BACKWARD", "SKL_GAIN"};
static const char *const inputs[SKL_CODE_PARTS][6] = {
    {"x", "h", "f", "p"}, {"x", "h", "f", "p", "dy"}, {"x", "h", "p"}};
static const char *const outputs[SKL_CODE_PARTS][4] = {{"y"}, {"dx", "dh", "df"}, {"lambda"}};
static const char *const functions[] = {"skl_exp", "skl_sigmoid", "skl_tanh", "skl_abs", "skl_min", "skl_max", NULL};
/* What OpenCL C reserves and C does not, with and without a number behind
 * (float4); and all that ends with _t. */
static const char *const reserved[] = {"half",      "global",     "local",      "constant", "private", "kernel",
                                       "read_only", "write_only", "read_write", "uniform",  "pipe",    "generic",
                                       "uchar",     "ushort",     "uint",       "ulong",    "bool",    "complex",
                                       "imaginary", "quad",       "unsigned",   "signed",   "double",  "int",
                                       "float",     "char",       "short",      "long",     NULL};
/* Longer ones first.  Nothing that could leave the element: no & * as a prefix (x is no pointer), p alone has
 * brackets. */
static const char *const signs[] = {"&&", "||", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "+", "-", "*",
                                    "/",  "(",  ")",  ",",  ";",  "<",  ">",  "?",  ":",  "!",  "=", NULL};

/* clang-format off */
static const char function_text[] =
    "float skl_fma(float a, float b, float c) { return fma(a, b, c); }\n"
    "float skl_power2(float n) { return as_float((as_uint(n + 12582912.0f) + (127u - 0x4B400000u)) << 23); }\n"
    TEXT(SKL_EXP_TEXT) "\n"
    TEXT(SKL_SIGMOID_TEXT) "\n"
    TEXT(SKL_TANH_TEXT) "\n"
    TEXT(SKL_ABS_TEXT) "\n"
    TEXT(SKL_MIN_TEXT) "\n"
    TEXT(SKL_MAX_TEXT) "\n";
/* clang-format on */
const char *skl_code_functions(void) { return function_text; }

/* ---- reading: a token at a time, each looked at with what stands behind it ---- */
struct reader {
    const char *part; /* the macro's name, for messages */
    const char *const *input, *const *output;
    const char *at;
    int depth;    /* of parentheses */
    unsigned set; /* outputs that are assigned, one bit each */
    struct skl_code_read *out;
    char own[SKL_CODE_WORDS_MAX][SKL_CODE_WORD_MAX + 1];
    int owns;
    struct skl_err *err;
};

static int wrong(const struct reader *r, const char *what, const char *why)
{
    return skl_fail(r->err, SKL_USAGE, "%s has '%.40s', %s", r->part, what, why);
}

static int place_in(const char *const *list, const char *word)
{
    for (int i = 0; list[i]; i++)
        if (strcmp(list[i], word) == 0) return i;
    return -1;
}

static bool is_own(const struct reader *r, const char *word)
{
    for (int i = 0; i < r->owns; i++)
        if (strcmp(r->own[i], word) == 0) return true;
    return false;
}

bool skl_code_uses(const struct skl_code_read *read, const char *word)
{
    for (int i = 0; i < read->words; i++)
        if (strcmp(read->word[i], word) == 0) return true;
    return false;
}

static int remember(struct reader *r, const char *word)
{
    if (skl_code_uses(r->out, word)) return SKL_OK;
    if (r->out->words == SKL_CODE_WORDS_MAX) return wrong(r, word, "after more names than a formula may have");
    snprintf(r->out->word[r->out->words++], sizeof r->out->word[0], "%s", word);
    return SKL_OK;
}

static void skip_blanks(struct reader *r) { r->at += strspn(r->at, " \n\t"); }

/* n characters from here as a word; false where they are too many. */
static bool take(struct reader *r, size_t n, char word[SKL_CODE_WORD_MAX + 1])
{
    if (n > SKL_CODE_WORD_MAX) return false;
    memcpy(word, r->at, n);
    word[n] = 0;
    r->at += n;
    skip_blanks(r);
    return true;
}

/* = += -= *= /= next? */
static bool assigns(const struct reader *r)
{
    const char *p = r->at + (*r->at && strchr("+-*/", *r->at) != NULL);
    return p[0] == '=' && p[1] != '=';
}

static size_t word_length(const char *p)
{
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_') n++;
    return isdigit((unsigned char)*p) ? 0 : n;
}

/* Can a formula's own value be called so, in every language?  Small letters alone: macros have capitals. */
static const char *bad_name(const char *word)
{
    const size_t n = strlen(word);
    char stem[SKL_CODE_WORD_MAX + 1]; /* without a number at the end: "float" of "float4" */
    snprintf(stem, sizeof stem, "%s", word);
    stem[strcspn(stem, "0123456789")] = 0;
    if (strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_") != n) return "where a name has small letters alone";
    if (strncmp(word, "skl_", 4) == 0 || word[n - 1] == '_') return "a name of ours";
    if ((n > 2 && strcmp(word + n - 2, "_t") == 0) || place_in(reserved, stem) >= 0)
        return "which is a word of OpenCL C";
    return NULL;
}

/* `float name`: a new word. */
static int own_word(struct reader *r)
{
    char word[SKL_CODE_WORD_MAX + 1];
    const size_t n = word_length(r->at);
    if (!n || !take(r, n, word)) return wrong(r, r->at, "where a name must follow 'float'");
    if (strcmp(word, "float") == 0 || strcmp(word, "const") == 0) return wrong(r, word, "where a name must stand");
    if (place_in(r->input, word) >= 0 || place_in(r->output, word) >= 0 || place_in(functions, word) >= 0 ||
        is_own(r, word))
        return wrong(r, word, "declared though there is one already");
    if (bad_name(word)) return wrong(r, word, bad_name(word));
    if (!assigns(r) || *r->at != '=') return wrong(r, word, "declared without a value");
    if (r->owns == SKL_CODE_WORDS_MAX) return wrong(r, word, "after more names than a formula may have");
    memcpy(r->own[r->owns++], word, sizeof word);
    return remember(r, word);
}

/* p[0] to p[7]. */
static int number_of_p(struct reader *r)
{
    const char *p = r->at;
    if (*p == '[') p += 1 + strspn(p + 1, " ");
    const int i = *p - '0';
    if (*r->at != '[' || i < 0 || i > 7) return wrong(r, "p", "which must be p[0] to p[7]");
    p += 1 + strspn(p + 1, " ");
    if (*p != ']') return wrong(r, "p", "which must be p[0] to p[7]");
    r->at = p + 1;
    skip_blanks(r);
    if (assigns(r)) return wrong(r, "p", "which is not its to set");
    if (i + 1 > r->out->numbers) r->out->numbers = i + 1;
    return remember(r, "p");
}

static int known_word(struct reader *r, const char *word)
{
    const bool function = place_in(functions, word) >= 0;
    const int output = place_in(r->output, word);
    if (strcmp(word, "p") == 0) return number_of_p(r);
    if (place_in(r->input, word) < 0 && output < 0 && !function && !is_own(r, word))
        return wrong(r, word, "which formulas do not know (formula.h lists what they do)");
    if (function != (*r->at == '('))
        return wrong(r, word, function ? "a function that is not called" : "called though it is no function");
    if (assigns(r) && output < 0 && !is_own(r, word)) return wrong(r, word, "which is not its to set");
    if (output >= 0 && *r->at == '=' && assigns(r)) r->set |= 1u << output;
    if (output >= 0 && !(r->set & 1u << output)) return wrong(r, word, "which has no value yet");
    return remember(r, word);
}

static int read_word(struct reader *r, size_t n)
{
    char word[SKL_CODE_WORD_MAX + 1];
    if (!take(r, n, word)) return wrong(r, r->at, "a name of more than 31 letters");
    if (strcmp(word, "float") == 0) return own_word(r);
    if (strcmp(word, "const") == 0)
        return strncmp(r->at, "float ", 6) == 0 ? SKL_OK : wrong(r, word, "without 'float'");
    return known_word(r, word);
}

/* A number with a point or an exponent must end with f; one without is decimal and small. */
static const char *number_fault(const char *text)
{
    static const char digit[] = "0123456789";
    size_t whole = strspn(text, digit), part = 0, exponent = 1;
    const char *p = text + whole;
    if (!*p) return whole > 7 || (*text == '0' && whole > 1) ? "which is too long for a whole number" : NULL;
    if (*p == '.') part = strspn(++p, digit), p += part;
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '+' || p[1] == '-');
        exponent = strspn(p, digit), p += exponent;
    } else if (whole && p == text + whole) {
        return "which is no number";
    }
    if (!*p) return "which is a double: write f behind it";
    return whole + part == 0 || exponent < 1 || exponent > 2 || strcmp(p, "f") ? "which is no number" : NULL;
}

static int read_number(struct reader *r)
{
    char text[SKL_CODE_WORD_MAX + 1];
    const char *p = r->at;
    while (isalnum((unsigned char)*p) || *p == '.' || ((*p == '+' || *p == '-') && (p[-1] == 'e' || p[-1] == 'E'))) p++;
    if (!take(r, (size_t)(p - r->at), text)) return wrong(r, r->at, "which is too long for a number");
    const char *why = number_fault(text);
    return why ? wrong(r, text, why) : SKL_OK;
}

static int read_sign(struct reader *r)
{
    char text[SKL_CODE_WORD_MAX + 1];
    int i = 0;
    while (signs[i] && strncmp(r->at, signs[i], strlen(signs[i]))) i++;
    if (!signs[i]) {
        snprintf(text, sizeof text, isprint((unsigned char)*r->at) ? "%c" : "\\%03o", (unsigned char)*r->at);
        return wrong(r, text, "which no formula may have");
    }
    take(r, strlen(signs[i]), text);
    r->depth += (*text == '(') - (*text == ')');
    if (r->depth < 0 || (*text == ';' && r->depth)) return wrong(r, text, "where parentheses are not paired");
    if (*text == ',' && !r->depth) return wrong(r, text, "outside a call: one value a statement");
    return SKL_OK;
}

static int read_all(struct reader *r)
{
    int status = SKL_OK;
    char last = 0;
    skip_blanks(r);
    while (*r->at && !status) {
        const size_t n = word_length(r->at);
        last = *r->at;
        if (n)
            status = read_word(r, n);
        else if (isdigit((unsigned char)*r->at) || (*r->at == '.' && isdigit((unsigned char)r->at[1])))
            status = read_number(r);
        else
            status = read_sign(r);
    }
    if (status) return status;
    if (last != ';') return skl_fail(r->err, SKL_USAGE, "%s does not end with ;", r->part);
    for (int i = 0; r->output[i]; i++)
        if (!(r->set & 1u << i)) return skl_fail(r->err, SKL_USAGE, "%s does not set %s", r->part, r->output[i]);
    return SKL_OK;
}

int skl_code_read(const struct skl_shortcut *s, enum skl_code_part part, struct skl_code_read *read,
                  struct skl_err *err)
{
    const struct skl_code *code[SKL_CODE_PARTS] = {s->forward_code, s->backward_code, s->gain_code};
    *read = (struct skl_code_read){.code = code[part]};
    if (!read->code) return SKL_OK;
    struct reader r = {.part = skl_code_part_name[part],
                       .input = inputs[part],
                       .output = outputs[part],
                       .at = read->code->text,
                       .out = read,
                       .err = err};
    if (!r.at || strnlen(r.at, SKL_CODE_TEXT_MAX) == SKL_CODE_TEXT_MAX)
        return skl_fail(err, SKL_USAGE, "%s has no text, or one of more than %d characters", r.part,
                        SKL_CODE_TEXT_MAX - 1);
    return read_all(&r);
}
