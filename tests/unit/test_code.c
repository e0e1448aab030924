/* Formulas as text: what is read out of one, and that nothing but computing gets through. */
#include <math.h>
#include "core/variant/code.h"
#include "core/variant/formula.h"
#include "tests/unit/scratch.h"

static void ignored_forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y) {}
static void ignored_backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                             float *dx, float *dh, float *df)
{
}
static void ignored_gain(const struct skl_call *k, const float *x, const float *h, float *lambda) {}

static int read_text(enum skl_code_part part, const char *text, struct skl_code_read *read, struct skl_err *err)
{
    struct skl_code code = {text, "here.c", 1};
    struct skl_shortcut s = {.forward = ignored_forward, .backward = ignored_backward, .gain = ignored_gain};
    *(part == SKL_CODE_FORWARD ? &s.forward_code : part == SKL_CODE_BACKWARD ? &s.backward_code : &s.gain_code) = &code;
    return skl_code_read(&s, part, read, err);
}

static void words_and_numbers(void **state)
{
    struct skl_code_read r;
    struct skl_err err = {0};
    assert_int_equal(read_text(SKL_CODE_BACKWARD,
                               "const float t = skl_tanh(f) + p[ 2 ]; dx = dy; dh=0;"
                               "df = x >= 1e-3f && !(h != .5f) ? dy * t : -1.5e+2f; df += 1;",
                               &r, &err),
                     SKL_OK);
    const char *const want[] = {"t", "skl_tanh", "f", "p", "dx", "dy", "dh", "df", "x", "h"};
    assert_int_equal(r.words, 10);
    for (int i = 0; i < 10; i++) assert_string_equal(r.word[i], want[i]);
    assert_int_equal(r.numbers, 3);
    assert_true(skl_code_uses(&r, "skl_tanh") && !skl_code_uses(&r, "skl_exp"));
    assert_int_equal(read_text(SKL_CODE_GAIN, "lambda = (1 - h);", &r, &err), SKL_OK);
    assert_int_equal(r.words, 2);
}

static const struct {
    const char *text, *says;
} wrong[] = {
    {NULL, "no text"},
    {"", "does not end with ;"},
    {"y = x", "does not end with ;"},
    {"float t = x;", "does not set y"},
    {"y += x;", "no value yet"},
    {"float t = y; y = t;", "no value yet"},
    {"y == x;", "no value yet"},
    {"y = tanhf(x);", "'tanhf'"},
    {"y = fabs(x);", "'fabs'"},
    {"y = SCALE * x;", "'SCALE'"},
    {"y = dy;", "'dy'"},
    {"y = x_[0];", "'x_'"},
    {"y = x[0];", "'['"},
    {"y = p;", "p[0] to p[7]"},
    {"y = p[8];", "p[0] to p[7]"},
    {"y = p[i];", "p[0] to p[7]"},
    {"y = p[1 + 1];", "p[0] to p[7]"},
    {"p[0] = 1; y = x;", "not its to set"},
    {"x = 1; y = x;", "not its to set"},
    {"f *= 2; y = f;", "not its to set"},
    {"y = 0.5 * x;", "'0.5', which is a double"},
    {"y = 1e3 * x;", "which is a double"},
    {"y = 1.5F * x;", "no number"},
    {"y = 0x10 * x;", "no number"},
    {"y = 1f * x;", "no number"},
    {"y = 1e999f * x;", "no number"},
    {"y = 012 * x;", "whole number"},
    {"y = 123456789 * x;", "whole number"},
    {"y = x(1);", "called though it is no function"},
    {"y = skl_exp;", "not called"},
    {"y = *x;", NULL}, /* C refuses it: x is no pointer */
    {"y = &x;", "'&'"},
    {"y = x | 1;", "'|'"},
    {"y = x % 2;", "'%'"},
    {"y = x ^ 2;", "'^'"},
    {"y = x; }", "'}'"},
    {"{ y = x; }", "'{'"},
    {"y = x; while (1);", "'while'"},
    {"if (x > 0) y = x;", "'if'"},
    {"goto y; y = x;", "'goto'"},
    {"y = sizeof x;", "'sizeof'"},
    {"double t = x; y = t;", "'double'"},
    {"__global float t = x; y = t;", "'__global'"},
    {"float x = 1; y = x;", "declared though"},
    {"float t = 1; float t = 2; y = t;", "declared though"},
    {"float skl_mine = 1; y = skl_mine;", "a name of ours"},
    {"float t_ = 1; y = t_;", "a name of ours"},
    {"float half = 0.5f; y = half * x;", "a word of OpenCL C"},
    {"float float4 = 1; y = x;", "a word of OpenCL C"},
    {"float global = 1; y = x;", "a word of OpenCL C"},
    {"float event_t = 1; y = x;", "a word of OpenCL C"},
    {"float NAN = 1; y = x;", "small letters"},
    {"float t; y = t;", "declared without a value"},
    {"float a = 1, b = 2; y = a;", "outside a call"},
    {"float *t = x; y = x;", "a name must follow"},
    {"const int t = 1; y = x;", "'const'"},
    {"y = skl_max(x, f;", "not paired"},
    {"y = x);", "not paired"},
    {"y = x; #pragma once", "'#'"},
    {"y = \"x\";", "'\"'"},
    {"y = x\\;", "'\\'"},
    {"y = x; // more", NULL}, /* two divisions to us, and C has taken comments away */
    {"y = a_name_that_is_longer_than_any_may_be;", "more than 31 letters"},
    {"y = \xc3\xa4;", "'\\303'"},
};

static void refusals(void **state)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct skl_code_read r;
        struct skl_err err = {0};
        int status = read_text(SKL_CODE_FORWARD, wrong[i].text, &r, &err);
        if (!wrong[i].says) continue;
        if (!status) fail_msg("accepted: %s", wrong[i].text ? wrong[i].text : "NULL");
        if (!strstr(err.text, wrong[i].says)) fail_msg("%s: %s", wrong[i].text, err.text);
        assert_true(status == SKL_USAGE && strstr(err.text, "SKL_FORWARD"));
    }
}

static void every_output_is_set(void **state)
{
    struct skl_code_read r;
    struct skl_err err = {0};
    assert_int_equal(read_text(SKL_CODE_BACKWARD, "dx = dy; df = dy;", &r, &err), SKL_USAGE);
    assert_contains(err.text, "SKL_BACKWARD does not set dh");
    assert_int_equal(read_text(SKL_CODE_GAIN, "lambda = f;", &r, &err), SKL_USAGE);
    assert_contains(err.text, "'f'");
    static char text[SKL_CODE_TEXT_MAX + 1];
    memset(text, ' ', SKL_CODE_TEXT_MAX);
    assert_int_equal(read_text(SKL_CODE_FORWARD, text, &r, &err), SKL_USAGE);
}

/* Within some units in the last place of the true value, everywhere a float can be; not a number stays so. */
static void functions(void **state)
{
    for (double v = -95; v <= 95; v += 0.00137) {
        const float x = (float)v;
        const double e = exp(fmax(-87, fmin(88, (double)x))), s = 1 / (1 + exp(fmax(-87, fmin(88, -(double)x))));
        if (fabs(skl_exp(x) / e - 1) > 3e-7) fail_msg("exp(%g) = %.9g, not %.9g", (double)x, (double)skl_exp(x), e);
        if (fabs(skl_sigmoid(x) / s - 1) > 5e-7)
            fail_msg("sigmoid(%g) = %.9g, not %.9g", (double)x, (double)skl_sigmoid(x), s);
        for (double scale = 1e-12; scale <= 1; scale *= 10) {
            const float t = (float)(v * scale);
            if (fabs(skl_tanh(t) - tanh((double)t)) > 4e-7 * fabs(tanh((double)t)))
                fail_msg("tanh(%g) = %.9g, not %.9g", (double)t, (double)skl_tanh(t), tanh((double)t));
        }
    }
    assert_true(isnan(skl_exp(NAN)) && isnan(skl_sigmoid(NAN)) && isnan(skl_tanh(NAN)) && isnan(skl_abs(NAN)));
    assert_true(skl_tanh(INFINITY) == 1 && skl_tanh(-INFINITY) == -1 && skl_tanh(0) == 0 && skl_sigmoid(0) == 0.5f);
    assert_true(skl_abs(-2) == 2 && skl_min(1, 2) == 1 && skl_max(1, 2) == 2);
}

/* The texts for other devices define every function that a formula may call. */
static void texts(void **state)
{
    const char *const all[] = {"skl_exp", "skl_sigmoid", "skl_tanh", "skl_abs", "skl_min", "skl_max", "skl_fma"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char *head = skl_format("float %s(float ", all[i]);
        assert_contains(skl_code_functions(), head);
        free(head);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_and_numbers), cmocka_unit_test(refusals),
                                       cmocka_unit_test(every_output_is_set), cmocka_unit_test(functions),
                                       cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
