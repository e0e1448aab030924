/* A formula of every kind that the shipped ones have not: numbers, own names, every function, no layers. */
#include "tests/shortcuts/made_up.h"

struct options {
    double scale;
    int last;
};
static const struct skl_param params[] = {
    SKL_PARAM(struct options, scale, 0.5, -2, 2, "a factor"),
    SKL_PARAM(struct options, last, 3, 1, 1000, "a count"),
    SKL_PARAM_END,
};

static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)
{
    const struct options *o = opts;
    skl_number(d, o->scale);
    skl_number(d, 1.0 / (o->last + u->index));
}

/* y = s tanh(h) + sigmoid(f) x / (1 + |q|) + exp(-max(0, min(1, q))) f  with the constant q = p[1] */
SKL_FORWARD(const float q = p[1]; float w = skl_sigmoid(f);
            y = p[0] * skl_tanh(h) + w * x / (1 + skl_abs(q)) + skl_exp(-skl_max(0, skl_min(1, q))) * f;)
SKL_BACKWARD(float q = p[1]; float t = skl_tanh(h); float w = skl_sigmoid(f); float r = 1 / (1 + skl_abs(q));
             dx = dy * w * r; dh = dy * p[0] * (1 - t * t); df = dy * x * r * w * (1 - w);
             df += dy * skl_exp(q > 1 ? -1 : q < 0 ? 0 : -q);)
SKL_GAIN(lambda = x < 0 && h != 2 ? p[0] : 1e-3f;)

const struct skl_shortcut all_of_formulas = {
    TEXTS, .name = "all_of_formulas", SKL_OPTIONS(struct options, params), .declare = declare, SKL_FORMULA_GAIN};
